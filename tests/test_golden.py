"""Numbers and files stay what they were before the code moved (values: tests/golden.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import golden
import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.prediction_formats.json import COORDINATES

FIXTURES = Path(__file__).parent / "fixtures"
# Names that were changed on purpose in 0.2.0; all else stays.
RENAMED = {
    "frame": "coordinates",
    "names": "point_names",
    "pictures": "images",
    "picture": "image",
    "expected": "expected_errors",
    "values": "coordinates",
    "doubtful": "suspect",
}


def renamed(value):
    """A JSON value of 0.1.0 with today's keys."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): renamed(item) for key, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value


def test_only_names_were_changed_on_purpose():
    assert renamed({"pictures": [{"picture": "a", "faces": [{"expected": 1}]}]}) == {
        "images": [{"image": "a", "faces": [{"expected_errors": 1}]}]
    }


def check_faces(found, expected):
    assert found.keys() == expected.keys()
    for network, images in expected.items():
        for name, faces in images.items():
            assert len(found[network][name]) == len(faces), (network, name)
            for face, wanted in zip(found[network][name], faces, strict=True):
                np.testing.assert_allclose(
                    face["points"], wanted["points"], atol=1e-3, err_msg=name
                )
                np.testing.assert_allclose(face["box"], wanted["box"], atol=1e-3, err_msg=name)
                np.testing.assert_allclose(
                    face["scores"], wanted["scores"], atol=2e-4, err_msg=name
                )
                assert face["score"] == pytest.approx(wanted["score"], abs=1e-4)


def test_points_scores_and_boxes_on_drawn_faces_stay():
    expected = golden.stored("points-drawn")
    assert sum(map(len, expected["face68"].values())) >= 5
    check_faces(
        {name: golden.found_in(golden.drawn_images(), name) for name in golden.NETWORKS}, expected
    )


def test_points_scores_and_boxes_on_real_faces_stay(real_data):
    expected = golden.stored("points-real")
    assert sum(map(len, expected["face68"].values())) >= 9
    check_faces(
        {name: golden.found_in(golden.real_images(real_data), name) for name in golden.NETWORKS},
        expected,
    )


def test_metrics_stay_to_their_last_printed_digit(real_data):
    assert golden.golden_metrics(real_data) == renamed(golden.stored("metrics"))


@pytest.fixture(scope="module")
def first_epochs(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "first_epochs.json"
    # Sums come in another order with more threads.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, golden.__file__, "first_epochs", path],
        check=True,
        capture_output=True,
        env=environment,
    )
    return json.loads(path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", golden.TRAINED_RECIPES)
def test_the_first_epoch_of_every_recipe_stays(name, first_epochs):
    # Kinds of processors round differently: by 2.6e-4 after an epoch of these two.
    rel = 5e-4 if name in ("ibug_blur_resnet50", "ibug_wide_resnet50") else 2e-4
    assert first_epochs[name] == pytest.approx(golden.stored("first_epoch")[name], rel=rel)


def test_every_output_format_keeps_its_content(tmp_path):
    golden.written_formats(tmp_path)
    before = sorted(
        path.relative_to(golden.FOLDER / "formats")
        for path in (golden.FOLDER / "formats").rglob("*.*")
    )
    assert (
        sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")) == before
        and len(before) >= 10
    )
    for name in before:
        old, new = golden.FOLDER / "formats" / name, tmp_path / name
        if name.suffix == ".jpg":
            assert (
                np.abs(np.asarray(Image.open(old)).astype(int) - np.asarray(Image.open(new))).max()
                <= 2
            ), name
        elif name.suffix in (".json", ".jsonl"):
            texts = [[new.read_text()], [old.read_text()]]
            if name.suffix == ".jsonl":
                texts = [text.splitlines() for (text,) in texts]
            now, before = ([json.loads(text) for text in each] for each in texts)
            if "nasion" in now[0]:
                before = [
                    each | {"nasion": nasion.__version__, "frame": COORDINATES} for each in before
                ]
            keep = ".coco" in name.name
            assert now == (before if keep else renamed(before)), name
        else:
            assert new.read_text() == old.read_text(), name


@pytest.mark.parametrize("name", ["run-1", "model-1.onnx"])
def test_a_run_and_an_exported_file_of_the_first_format_open_and_predict_the_same(name):
    expected = golden.stored("fixture_points")
    model = nasion.load_model(FIXTURES / name)
    found = model.predict(golden.training_faces(nasion.scheme_named("fkd15")))
    np.testing.assert_allclose(
        found.points, expected["points"], atol=0.02 if name.endswith("onnx") else 1e-3
    )
    np.testing.assert_allclose(found.scores, expected["scores"], atol=5e-3)
