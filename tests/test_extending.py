"""Parts that users add, and defects that adding them once showed."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from helpers import changed
from PIL import Image

import nasion
from nasion.app import cli
from nasion.data import datasets, load
from nasion.data.datasets import toy
from nasion.discovery import DATASETS
from nasion.errors import SettingError
from nasion.evaluation import report, reported_metrics
from nasion.evaluation.evaluate import evaluate
from nasion.inference.training_record import TrainingRecord
from nasion.landmarks import metrics
from nasion.landmarks.catalog import fkd15
from nasion.landmarks.faces import Predictions
from nasion.landmarks.scheme import Scheme
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors, Heatmaps
from nasion.models.losses import GuidedLikelihood, squared_error
from nasion.recipes import load_recipe
from nasion.recipes.toy_demo import RECIPE
from nasion.training.train import train

PYRAMID = Pyramid(widths=(8, 16, 16), blocks=(0, 1, 0), neck=16)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run a command in an empty folder: (exit code, what it printed)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words):
        monkeypatch.setattr("sys.argv", ["nasion", *map(str, words)])
        with pytest.raises(SystemExit) as done:
            cli.main()
        printed = capsys.readouterr()
        return done.value.code or 0, " ".join((printed.out + printed.err).split())

    return call


def test_the_cache_keeps_boxes_occlusion_and_schemes_outside_the_catalog():
    scheme = Scheme(
        name="mine", points=("a_left", "a_right"), mirror=(("a_left", "a_right"),), edges=()
    )
    faces = nasion.Faces(
        scheme=scheme,
        ids=("one", "two"),
        images=np.zeros((2, 8, 8), np.uint8),
        points=np.arange(8, dtype=np.float32).reshape(2, 2, 2),
        boxes=np.array([[0, 0, 7, 7], [1, 1, 5, 6]], np.float32),
        occluded=np.array([[True, False], [False, False]]),
        groups={"person": ("x", "y")},
        linked=("person",),
    )
    again = load.unpack_faces(*load.pack_faces(faces))
    assert again.scheme == scheme and again.linked == ("person",)
    np.testing.assert_array_equal(again.boxes, faces.boxes)
    np.testing.assert_array_equal(again.occluded, faces.occluded)
    np.testing.assert_array_equal(again.points, faces.points)


def test_two_datasets_that_recognise_one_path_are_both_named(tmp_path, monkeypatch):
    for name in ("fkd", "imm"):
        monkeypatch.setattr(DATASETS.load(name), "recognises", lambda path: True)
    with pytest.raises(SettingError, match=r"looks like several datasets \(fkd, imm\).*--dataset"):
        datasets.recognise(tmp_path)


@dataclass(frozen=True)
class StrictGuide:
    """A guided loss of one's own."""

    predicts_sigma: ClassVar[bool] = True
    guided: ClassVar[bool] = True

    def __call__(self, output, target):
        return 2 * GuidedLikelihood(share=1.0)(output, target)


def test_a_guided_loss_of_ones_own_trains_a_guided_codec(tmp_path):
    faces = toy.draw(60, seed=1)
    recipe = changed(
        RECIPE,
        architecture=PYRAMID,
        codec=Anchors(8, guide=0.5),
        loss=StrictGuide(),
        input_size=(32, 32),
        start_at_mean=False,
        precision="float32",
        epochs=1,
    )
    done = train(recipe, (faces[:40], faces[40:]), run_folder=tmp_path / "run")
    assert np.isfinite(done.state.history[0]["loss"])
    with pytest.raises(SettingError, match="guided loss and a guided codec need each other"):
        changed(recipe, codec=Anchors(8))


@dataclass(frozen=True)
class PeaksOnly(Heatmaps):
    """Maps that do not say how wide they are."""

    predicts_sigma: ClassVar[bool] = False

    def sigma(self, output, size):
        return None


def test_maps_without_a_sigma_are_trained_evaluated_and_have_no_scores(tmp_path):
    faces = toy.draw(60, seed=1)
    recipe = changed(
        RECIPE,
        architecture=replace(PYRAMID, stride=8),
        codec=PeaksOnly(8),
        loss=squared_error,
        input_size=(32, 32),
        start_at_mean=False,
        precision="float32",
        epochs=1,
    )
    done = train(recipe, (faces[:40], faces[40:]), run_folder=tmp_path / "run")
    assert not (done.folder / "calibration.json").exists()
    model = nasion.Predictor(recipe.spec, trained_network(recipe))
    found = model.predict(faces[40:])
    assert found.scores is None and np.isfinite(found.points).all()
    assert evaluate(found, faces[40:]).reliability is None


def trained_network(recipe):
    import torch

    from nasion.inference.backends.pytorch import TorchNetwork

    return TorchNetwork(recipe.build_network().eval(), recipe.spec, torch.device("cpu"))


def test_a_metric_is_added_in_one_place(monkeypatch, tmp_path):
    """It is then in the scores, in their JSON, in the tables and in the report."""
    largest = reported_metrics.Metric(
        key="largest",
        heading="largest px",
        description="the largest distance of any point, in pixels",
        compute=lambda errors: metrics.Measure(
            float(np.nanmax(metrics.distances(errors.truth, errors.predicted))), 1
        ),
        form=".1f",
    )
    monkeypatch.setattr(reported_metrics, "METRICS", (*reported_metrics.METRICS, largest))
    faces = toy.draw(5, seed=1)
    points = faces.points.copy()
    points[2, 3, 0] += 7
    result = evaluate(Predictions(scheme=fkd15, ids=faces.ids, points=points), faces)
    assert result.overall.largest == pytest.approx(7, abs=1e-4)
    assert result.to_json()["largest"] == pytest.approx(7, abs=1e-4)
    page = report.write(result, tmp_path, title="t").read_text()
    assert "largest px" in page and "7.0" in page


@pytest.mark.parametrize("name", ["json", "dataclasses", "torch"])
def test_a_recipe_file_may_have_the_name_of_any_module(tmp_path, name):
    path = tmp_path / f"{name}.py"
    path.write_text("from nasion.recipes.toy_demo import RECIPE as BASE\n\nRECIPE = BASE\n")
    assert load_recipe(path) == RECIPE
    import json

    assert json.loads("[1]") == [1]


@pytest.mark.parametrize("name", ["copy", "typing", "numbers", "torch", "numpy", "typer", "random"])
def test_a_recipe_file_in_the_working_folder_hides_no_module(tmp_path, name):
    """Also with ``python -m``, which puts that folder first on the path."""
    (tmp_path / f"{name}.py").write_text(
        "import beside\nfrom nasion.recipes.toy_demo import RECIPE\n\nassert beside.HERE\n"
    )
    (tmp_path / "beside.py").write_text("HERE = True\n")
    done = subprocess.run(
        [sys.executable, "-m", "nasion", "train", f"{name}.py", "--data", "toy:5", "--set", "x=1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    # As far as the recipe's settings: the file was found, and so was what lies beside it.
    assert "--set x: no such setting" in done.stderr, done.stderr


def test_a_run_with_own_parts_resumes_with_the_same_settings(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass, replace\n"
        "from nasion.models.architectures.resnet import ResNet\n"
        "from nasion.recipes.toy_demo import RECIPE as BASE\n\n\n"
        "@dataclass(frozen=True)\nclass Own:\n"
        "    width: int = 8\n\n"
        "    def build(self, outputs, size, channels):\n"
        "        network = ResNet(widths=(self.width,), blocks=(1,))\n"
        "        return network.build(outputs, size, channels)\n\n"
        "    def head_bias(self, outputs):\n        return outputs\n\n\n"
        "RECIPE = replace(BASE, architecture=Own(), epochs=1)\n"
    )
    words = ["train", "mine.py", "--data", "toy:60", "--set", "architecture.width=4"]
    assert command(*words)[0] == 0
    code, text = command(*words, "--resume")
    assert code == 0, text
    code, text = command(*words[:-1], "architecture.width=6", "--resume")
    assert code == 1 and "other settings" in text


def test_evaluating_on_faces_that_were_learnt_warns_even_if_they_were_cut_and_saved_again(tmp_path):
    rng = np.random.default_rng(0)
    faces, others = toy.draw(80, seed=1, size=160), toy.draw(80, seed=9, size=160)
    record = TrainingRecord.of("toy", faces)
    assert record.seen(faces).all()
    paths, points = [], []
    for i, (image, own) in enumerate(zip(faces.images, faces.points, strict=True)):
        x, y = rng.integers(0, 9, 2).tolist()
        path = tmp_path / f"{i}.jpg"
        small = Image.fromarray(image[y:, x:])
        small = small.resize((small.width // 2, small.height // 2), Image.Resampling.BILINEAR)
        small.save(path, quality=80)
        paths.append(path)
        points.append((own - [x, y] + 0.5) / 2 - 0.5)
    again = replace(faces, images=tuple(paths), points=np.array(points, dtype=np.float32))
    assert record.seen(again).mean() > 0.5
    assert record.seen(others).mean() < 0.05


def test_the_shipped_models_know_their_training_faces(real_data):
    model = nasion.load_model("face68_light")
    learnt = nasion.load_faces("ibug68", real_data / "ibug68")[::40]
    rebuilt = nasion.load_faces("fkd", real_data / "fkd", "train")[:200]
    new = nasion.load_faces("imm", real_data / "imm")[::6]
    assert "photographs that this network was trained on" in evaluate(model, learnt).warning
    assert model.trained_on.seen(rebuilt).mean() > 0.8  # the same photographs, at 96 x 96
    assert evaluate(model, new).warning == ""


def test_predictions_of_faces_that_have_no_labels_are_named_by_image_and_number(tmp_path):
    from nasion.evaluation.matching import read_predictions
    from nasion.landmarks.face import Face, ImageResult
    from nasion.prediction_formats import write

    faces = toy.draw(1, seed=3)
    faces = replace(faces, ids=("a",), images=(Path("photo.png"),))
    box = np.array([0, 0, 90, 90], np.float32)
    found = [
        Face(fkd15, faces.points[0] + d, box + d, 0.9) for d in (np.float32(0), np.float32(40))
    ]
    write([ImageResult("photo.png", "photo", (96, 96), tuple(found))], ["json"], tmp_path)
    result = evaluate(read_predictions(tmp_path / "predictions.json", faces), faces)
    assert result.overall.rmse < 1e-3
    assert result.left_out == {"predictions of no face here": ["photo.png face 2"]}
