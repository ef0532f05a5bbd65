"""What ``nasion inspect`` and ``nasion report`` draw: samples, filters, responses, comparisons."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import changed

import nasion
from nasion.data.augment import Augment
from nasion.data.datasets import toy
from nasion.errors import MissingExtra, RunError, SettingError
from nasion.evaluation import compare_runs, face_tiles, inspect_network, plots, report
from nasion.evaluation.evaluate import evaluate
from nasion.inference import checkpoint, run_folder
from nasion.inference.backends.pytorch import TorchNetwork
from nasion.models.architectures.convnet import ConvNet
from nasion.recipes.toy_demo import RECIPE
from nasion.training.train import train

SMALL = changed(
    RECIPE,
    input_size=(40, 30),
    architecture=ConvNet(filters=(5, 8), dense=(16,)),
    start_at_mean=False,
    augment=Augment(flip=0.5, rotate=15, shift=0.1, hue=0.2),
    epochs=2,
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    faces = toy.draw(30, seed=1, colour=True)
    for name, changes in {"a": [], "b": ["optim.lr=1e-4", "epochs=3"]}.items():
        train(SMALL, (faces[:24], faces[24:]), run_folder=folder / name, changes=changes)
    return folder, faces


def first_weights(network):
    """Of the first convolution, from the module itself."""
    return (
        next(layer for layer in network.module.modules() if isinstance(layer, torch.nn.Conv2d))
        .weight.detach()
        .numpy()
    )


def test_samples_show_each_face_three_times_with_its_points(runs):
    _, faces = runs
    picture = inspect_network.samples(faces, SMALL, count=4)
    assert picture.shape == (3 * 144 + 2 * 4, 4 * 192 + 3 * 4, 3)
    tiles = [picture[row * 148 : row * 148 + 144, :192].astype(int) for row in range(3)]
    marked = [(np.abs(tile - face_tiles.TRUTH).sum(-1) == 0).sum() for tile in tiles]
    assert min(marked) > 15 * 4  # a dot a point, in its colour
    assert np.abs(tiles[0] - tiles[1]).mean() > 2 and np.abs(tiles[1] - tiles[2]).mean() > 2
    np.testing.assert_array_equal(picture, inspect_network.samples(faces, SMALL, count=4))
    assert not np.array_equal(picture, inspect_network.samples(faces, SMALL, count=4, seed=1))


def test_samples_prefer_faces_with_labels_and_do_without(runs):
    faces = runs[1][:10]
    hidden = np.ones((10, 15), bool)
    hidden[4] = False
    picture = inspect_network.samples(toy.hide_labels(faces, hidden), SMALL, count=1)
    assert (np.abs(picture[:144].astype(int) - face_tiles.TRUTH).sum(-1) == 0).sum() > 15 * 4
    assert (
        inspect_network.samples(
            toy.hide_labels(faces, np.ones((10, 15), bool)), SMALL, count=2
        ).shape[1]
        == 2 * 192 + 4
    )


def test_samples_of_nothing_are_refused(runs):
    with pytest.raises(SettingError, match="no faces to draw"):
        inspect_network.samples(runs[1][:0], SMALL)


def test_the_filters_figure_shows_each_filter_of_the_first_layer(runs):
    network = nasion.load_model(runs[0] / "a").network
    figure = inspect_network.filters(network)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in figure.axes if axes.images] == ["1", "2", "3", "4", "5"]
    for weight, array in zip(first_weights(network), shown, strict=True):
        np.testing.assert_array_equal(weight[0], np.asarray(array))


def test_responses_are_the_filters_applied_to_the_face(runs):
    model, faces = nasion.load_model(runs[0] / "a"), runs[1]
    figure = inspect_network.responses(model, faces, faces.ids[3])
    titles = [axes.get_title() for axes in figure.axes if axes.images]
    assert titles == ["input", "1", "2", "3", "4", "5"] and faces.ids[3] in figure.get_suptitle()
    picture, *maps = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    assert picture.shape == (30, 40) and picture.dtype == np.uint8
    # By hand, in the middle of the image: the sum of weights times pixels, up to the map's mean.
    weight = first_weights(model.network)[0, 0]
    at = [
        (weight * (picture[y - 1 : y + 2, x - 1 : x + 2] / 255)).sum()
        for y, x in ((10, 12), (20, 30))
    ]
    assert maps[0][10, 12] - maps[0][20, 30] == pytest.approx(at[0] - at[1], abs=1e-5)
    with pytest.raises(SettingError, match="not among these"):
        inspect_network.responses(model, faces, "nobody")


def test_a_network_without_convolution_has_no_filters():
    network = TorchNetwork(torch.nn.Linear(2, 2), SMALL.spec, torch.device("cpu"))
    with pytest.raises(RunError, match="has no convolution"):
        inspect_network.filters(network)
    with pytest.raises(RunError, match="has no convolution"):
        network.first_responses(np.zeros((1, 1, 30, 40), np.float32))


def test_a_comparison_lists_the_settings_that_differ(runs):
    folder, faces = runs
    result = evaluate(folder / "a", faces[24:])
    report.write(result, folder / "a" / "evaluation-val", title="a")
    found = compare_runs.compare([folder / "a", folder / "b"])
    assert found.names == ("a", "b")
    assert {key: values for key, *values in found.settings} == {
        "optim.lr": ["0.002", "0.0001"],
        "epochs": ["2", "3"],
    }
    rows = [dict(zip(compare_runs.COLUMNS, row, strict=True)) for row in found.rows]
    assert rows[0]["epochs"] == "2" and rows[1]["epochs"] == "3" and rows[1]["RMSE px"] == "-"
    assert float(rows[0]["RMSE px"]) == pytest.approx(result.overall.rmse, abs=1e-3)
    assert float(rows[0]["score"]) == pytest.approx(result.overall.rmse, rel=1e-3)
    history = json.loads((folder / "b" / "history.json").read_text())
    assert rows[1]["val loss, last"] == f"{history[-1]['val_loss']:.2e}"
    network = nasion.load_model(folder / "a").network
    assert rows[0]["parameters"] == f"{sum(p.numel() for p in network.module.parameters()):,}"
    page = compare_runs.page(found)
    assert (
        "optim.lr" in page
        and "a, training" in page
        and "b, validation" in page
        and not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    )


def _with_start(run: Path, folder: Path, epochs: int | None = None) -> Path:
    """A copy of a run none of whose epochs was better than its start; of so many epochs."""
    shutil.copytree(run, folder)
    tensors, facts = checkpoint.load_tensors(folder / "checkpoint.safetensors")
    facts |= {"best": 0.125, "best_epoch": -1}
    checkpoint.save_tensors(folder / "checkpoint.safetensors", tensors, facts)
    rows = json.loads((folder / "history.json").read_text())[:epochs]
    (folder / "history.json").write_text(json.dumps(rows))
    return folder


def test_a_comparison_names_the_start_as_best_if_no_epoch_was_better(runs, tmp_path):
    started = _with_start(runs[0] / "a", tmp_path / "started")
    untrained = _with_start(runs[0] / "a", tmp_path / "untrained", epochs=0)
    found = compare_runs.compare([runs[0] / "a", started, untrained])
    rows = [dict(zip(compare_runs.COLUMNS, row, strict=True)) for row in found.rows]
    assert rows[0]["best"] == "2" and found.starts == {"started": 0.125, "untrained": 0.125}
    assert (rows[1]["epochs"], rows[1]["best"], rows[1]["score"]) == ("2", "start", "0.125")
    assert rows[1]["val loss"] == "-" and rows[1]["val loss, last"] == rows[0]["val loss, last"]
    assert (rows[2]["epochs"], rows[2]["best"], rows[2]["loss"]) == ("0", "start", "-")
    assert "untrained" in compare_runs.page(found)
    axes = plots.history_plot({"run": run_folder.read_history(started)}, {"run": 0.125}).axes[1]
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [(0, 0.125)]


def test_a_comparison_says_which_epoch_is_kept_where_that_is_not_the_best(runs, tmp_path):
    shutil.copytree(runs[0] / "a", tmp_path / "last")
    record = json.loads((tmp_path / "last" / "run.json").read_text())
    record["recipe"]["keep"] = "last"
    (tmp_path / "last" / "run.json").write_text(json.dumps(record))
    rows = json.loads((tmp_path / "last" / "history.json").read_text())
    rows[0]["val"] = rows[1]["val"] / 2
    (tmp_path / "last" / "history.json").write_text(json.dumps(rows))
    (row,) = compare_runs.compare([tmp_path / "last"]).rows
    assert dict(zip(compare_runs.COLUMNS, row, strict=True))["best"] == "1 (2 is kept)"


def test_runs_of_one_name_are_reported_apart_by_their_folders(runs, tmp_path):
    shutil.copytree(runs[0] / "a", tmp_path / "other" / "a")
    assert compare_runs.compare([runs[0] / "a", tmp_path / "other" / "a"]).names == (
        str(runs[0] / "a"),
        str(tmp_path / "other" / "a"),
    )


def test_a_folder_without_a_run_or_an_epoch_is_refused_in_a_comparison(runs, tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        compare_runs.compare([tmp_path])
    (tmp_path / "run.json").write_text((runs[0] / "a" / "run.json").read_text())
    with pytest.raises(RunError, match="has not finished an epoch"):
        compare_runs.compare([tmp_path])


def test_without_the_report_extra_the_error_names_it(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"install it with: pip install 'nasion\[report\]'"):
        compare_runs.page(compare_runs.compare([runs[0] / "a"]))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match="A plot needs a package that is not installed"):
        inspect_network.filters(nasion.load_model(runs[0] / "a").network)


def test_losses_below_zero_are_drawn_on_a_plain_axis_and_others_on_a_logarithmic_one():
    rows = [{"epoch": i, "loss": 1.0 - i, "val_loss": 0.5 - i, "val": 3.0} for i in (1, 2)]
    assert plots.history_plot({"run": rows}).axes[0].get_yscale() == "linear"
    assert (
        plots.history_plot({"run": [{**row, "loss": 1.0, "val_loss": 1.0} for row in rows]})
        .axes[0]
        .get_yscale()
        == "log"
    )
