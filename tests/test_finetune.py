"""Training goes on from a trained network, with other points: what is kept, copied and combined."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import changed, cut, run_command
from PIL import Image
from safetensors.torch import load_file

import nasion
from nasion.arrays import as_numpy
from nasion.data.augment import Augment
from nasion.data.datasets import points_csv, toy
from nasion.errors import RunError, SettingError
from nasion.inference import checkpoint, pretrained, run_folder
from nasion.inference.backends import onnx_weights
from nasion.inference.crops import epoch_order, input_images
from nasion.inference.export import export_model
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.scheme import Scheme
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors, Coordinates, Heatmaps
from nasion.models.losses import LaplaceLikelihood
from nasion.models.optim import Adam
from nasion.recipes import load_recipe
from nasion.recipes.toy_demo import RECIPE
from nasion.training import fitting_crops as fitting_crops_module
from nasion.training.fitting_crops import fitting_crops
from nasion.training.point_map import combine_points
from nasion.training.starting_network import (
    open_starting_network,
    point_weights,
    starting_module,
)
from nasion.training.train import train

pytestmark = pytest.mark.slow

MAPS = changed(
    RECIPE,
    input_size=(32, 32),
    codec=Anchors(stride=8),
    architecture=Pyramid(widths=(8, 8, 16), blocks=(0, 1, 1), neck=16),
    loss=LaplaceLikelihood(),
    augment=Augment(flip=0.5, rotate=10, shift=0.05, brightness=0.1),
    start_at_mean=False,
    batch_size=16,
    epochs=6,
)
# The mean of the eyes' centres has no name that fkd15 knows; the nose has one.
OWN = Scheme(name="own", points=("between_the_eyes", "nose_tip"), mirror=())


def own_labels(faces):
    index = faces.scheme.index
    left, right = (faces.points[:, index([f"{side}_eye_center"])[0]] for side in ("left", "right"))
    nose = faces.points[:, index(["nose_tip"])[0]]
    points = np.stack([(left + right) / 2, nose], axis=1).astype(np.float32)
    return replace(faces, scheme=OWN, points=points, occluded=None)


@pytest.fixture(scope="module")
def sides():
    faces = toy.draw(60, seed=1)
    return faces[:45], faces[45:]


@pytest.fixture(scope="module")
def run(sides, tmp_path_factory):
    return train(MAPS, sides, run_folder=tmp_path_factory.mktemp("runs") / "base").folder


@pytest.mark.parametrize("codec", [Coordinates(), Coordinates(scale=True), Heatmaps(), Anchors()])
def test_every_output_belongs_to_one_point(codec):
    rows = codec.rows(5)
    assert rows.shape[1] == 5
    assert sorted(rows.reshape(-1).tolist()) == list(range(codec.outputs(toy_scheme(5))))


def toy_scheme(count):
    return Scheme(name="n", points=tuple(map(str, range(count))), mirror=())


def test_an_epoch_shows_each_face_as_often_as_asked():
    shown = np.concatenate(epoch_order(5, 4, seed=0, epoch=0, repeats=3))
    assert np.bincount(shown).tolist() == [3] * 5
    once = np.concatenate(epoch_order(5, 4, seed=0, epoch=0))
    assert sorted(once.tolist()) == list(range(5))


def test_a_point_midway_between_two_known_ones_is_found_from_six_faces():
    known = toy.draw(26, ibug68, seed=2).points.astype(np.float64)
    labels = known[:, [36, 30]] * 0.5 + known[:, [39, 33]] * 0.5
    weights = combine_points(known[:6], labels[:6], np.array([-1, -1]), list("aabbcc"))
    assert weights.sum(axis=1) == pytest.approx(1)
    error = np.linalg.norm(np.einsum("kj,njd->nkd", weights, known[6:]) - labels[6:], axis=-1)
    eyes = np.linalg.norm(known[6:, 36] - known[6:, 45], axis=-1)
    assert (error / eyes[:, None]).mean() < 0.01


def test_weights_of_known_points_do_not_depend_on_where_how_large_and_how_turned_faces_are():
    known = toy.draw(12, ibug68, seed=3).points.astype(np.float64)
    labels = known[:, [8]] * 1.3 - known[:, [27]] * 0.3
    turn = 3.0 * np.array([[0.0, 1.0], [-1.0, 0.0]])
    one, other = (
        combine_points(points, marks, np.array([-1]), [str(i) for i in range(12)])
        for points, marks in ((known, labels), (known @ turn + 500, labels @ turn + 500))
    )
    # A quarter turn exchanges the sides of the box, of which the size is the mean.
    assert np.abs(one - other).max() < 1e-6


def test_a_known_name_needs_no_label_and_an_unknown_point_without_one_has_no_weights():
    known = toy.draw(5, ibug68, seed=4).points.astype(np.float64)
    labels = np.full((5, 2, 2), np.nan)
    weights = combine_points(known, labels, np.array([30, -1]), list("abcde"))
    assert weights[0].tolist() == np.eye(68)[30].tolist()
    assert np.isnan(weights[1]).all()


def test_missing_labels_leave_the_other_points_weights_alone():
    known = toy.draw(10, ibug68, seed=5).points.astype(np.float64)
    labels = known[:, [8, 30]] * 0.8 + known[:, [27, 27]] * 0.2
    holed = labels.copy()
    holed[2:, 1] = np.nan
    groups = [str(i) for i in range(10)]
    whole, partly = (
        combine_points(known, each, np.array([-1, -1]), groups) for each in (labels, holed)
    )
    assert np.isfinite(partly).all()
    assert np.abs(whole[0] - partly[0]).max() < 0.2


def test_a_new_point_is_predicted_where_the_weights_put_it(run, sides):
    start = open_starting_network(str(run))
    faces = own_labels(sides[0])
    recipe = changed(MAPS, scheme=OWN, init_from=str(run))
    weights = point_weights(start, faces)
    assert weights.sum(axis=1) == pytest.approx(1)
    module = starting_module(recipe, faces).eval()
    crops = cut(faces, recipe)
    images = torch.from_numpy(input_images(crops, np.arange(len(crops)), recipe.spec))
    with torch.no_grad():
        old = MAPS.spec.codec.decode(start.predictor.network.module(images), (32, 32)).numpy()
        new = recipe.spec.codec.decode(module(images), (32, 32)).numpy()
    # The weights of votes are combined as logarithms, so points nearly are.
    wanted = np.einsum("kj,njd->nkd", weights, old)
    assert np.linalg.norm(new - wanted, axis=-1).mean() < 2.0


def test_a_numbers_network_is_combined_exactly(sides, tmp_path):
    recipe = changed(RECIPE, epochs=1, batch_size=16)
    folder = train(recipe, sides, run_folder=tmp_path / "base").folder
    faces = own_labels(sides[0])
    own = changed(recipe, scheme=OWN, init_from=str(folder))
    start = open_starting_network(str(folder))
    module = starting_module(own, faces).eval()
    crops = cut(faces, own)
    images = torch.from_numpy(input_images(crops, np.arange(len(crops)), own.spec))
    with torch.no_grad():
        old = own.spec.codec.decode(start.predictor.network.module(images), (64, 64)).numpy()
        new = own.spec.codec.decode(module(images), (64, 64)).numpy()
    wanted = np.einsum("kj,njd->nkd", point_weights(start, faces), old)
    assert np.abs(new - wanted).max() < 1e-3


def test_another_network_than_the_recipes_is_refused(run, sides):
    other = changed(
        MAPS, scheme=OWN, init_from=str(run), architecture=Pyramid((8, 8, 8), (0, 1, 0))
    )
    with pytest.raises(SettingError, match=r"init_from=.* is not the recipe's .*finetune"):
        starting_module(other, own_labels(sides[0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codec": Coordinates(unit="pixels")}, "spec.codec .*relative.* recipe has .*pixels"),
        ({"pixel_range": (-1.0, 1.0)}, r"spec.pixel_range \(0.0, 1.0\), .* has \(-1.0, 1.0\)"),
        ({"input_size": (64, 64)}, r"spec.input_size \(32, 32\), the recipe has \(64, 64\)"),
    ],
)
def test_weights_that_the_spec_gives_another_meaning_are_refused(sides, tmp_path, change, message):
    numbers = changed(
        RECIPE,
        input_size=(32, 32),
        codec=Coordinates(unit="relative"),
        architecture=replace(RECIPE.architecture, widths=(4, 8, 8, 8)),
        epochs=1,
    )
    run = train(numbers, sides, run_folder=tmp_path / "run").folder
    with pytest.raises(SettingError, match=message):
        starting_module(changed(numbers, init_from=str(run), **change), sides[0])


def test_maps_of_another_size_start_from_the_same_weights(run, sides):
    starting_module(changed(MAPS, init_from=str(run), input_size=(64, 64)), sides[0])
    with pytest.raises(SettingError, match=r"spec.pixel_range \(0.0, 1.0\)"):
        starting_module(changed(MAPS, init_from=str(run), pixel_range=(0, 255.0)), sides[0])


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_an_exported_file_becomes_the_network_again_with_norms_that_can_be_trained(
    run, sides, tmp_path, precision
):
    path = tmp_path / "small.onnx"
    export_model(load_model(run), path, precision, sides[0])
    start = open_starting_network(str(path))
    assert start.spec == MAPS.spec and start.architecture == MAPS.architecture
    module = starting_module(changed(MAPS, init_from=str(path)), sides[0])
    crops = cut(sides[0], MAPS)
    images = torch.from_numpy(input_images(crops, np.arange(len(crops)), MAPS.spec))
    with torch.no_grad():
        own = load_model(run).network.module(images)
        wanted = MAPS.spec.codec.decode(own, (32, 32)).numpy()
        found = MAPS.spec.codec.decode(module.eval()(images), (32, 32)).numpy()
        # With the statistics of the very batch a norm does what it does in evaluation.
        trained = MAPS.spec.codec.decode(module.train()(images), (32, 32)).numpy()
    allowed = {"float32": 1e-3, "float16": 0.02, "int8": 0.5}[precision]
    assert np.abs(found - wanted).mean() < allowed
    assert np.abs(trained - found).max() < 1e-2


@pytest.mark.parametrize("name", pretrained.names())
def test_shipped_models_can_be_trained_on(name):
    recipe = load_recipe(name)
    faces = toy.draw(8, ibug68, size=160, seed=6)
    module = recipe.build_network()
    crops = cut(faces, recipe)
    images = input_images(crops, np.arange(8), recipe.spec)
    onnx_weights.load_weights(pretrained.file(name), module, recipe.spec, images)
    model = load_model(name, tta="none")
    expected = model.network(input_images(crops, np.arange(8), model.spec))
    expected = expected.reshape(8, 68, 3)[..., :2]
    with torch.no_grad():
        points = recipe.spec.codec.decode(module(torch.from_numpy(images)), (128, 128)).numpy()
    assert np.abs(points - expected).mean() < 0.5


def test_a_file_whose_weights_have_other_names_is_refused(run, tmp_path, sides):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "small.onnx"
    export_model(load_model(run), path)
    model = onnx.load(path)
    for each in model.graph.initializer:
        if each.name == "module.stem.0.weight":
            each.name = "other"
    for node in model.graph.node:
        node.input[:] = ["other" if n == "module.stem.0.weight" else n for n in node.input]
    onnx.save(model, path)
    with pytest.raises(RunError, match=r"small.onnx: its weights cannot be trained further.*stem"):
        starting_module(changed(MAPS, init_from=str(path)), sides[0])


def test_boxes_of_inner_points_are_grown_to_what_the_network_has_seen():
    start = open_starting_network("face68_light")
    faces = toy.draw(6, ibug68, size=200, seed=7)
    eyes_and_mouth = faces.points[:, 36:68]
    around = [eyes_and_mouth.min(axis=1), eyes_and_mouth.max(axis=1)]
    narrow = replace(faces, boxes=np.concatenate(around, axis=1))
    whole = replace(faces, boxes=np.concatenate([faces.points.min(1), faces.points.max(1)], axis=1))
    # Inputs are a quarter larger than the 128 pixels that the network has learnt.
    found = fitting_crops(start, whole)
    assert found["box_scale"] == pytest.approx(1.15, rel=0.1) and found["input_size"] == (160, 160)
    assert "refine_steps" not in found and np.abs(found["face_margins"]).max() < 0.15
    found = fitting_crops(start, narrow)
    assert found["box_scale"] > 1.3 * 1.15 and found["input_size"] == (160, 160)


def test_faces_without_boxes_are_seen_whole_and_once():
    """Cropped again around its points, a face would be larger than any that was trained on."""
    faces = toy.draw(6, ibug68, size=200, seed=7)
    start = open_starting_network("face68_light")
    assert start.spec.refine_steps > 1 and faces.boxes is None
    assert fitting_crops(start, faces) == {"refine_steps": 1}


def test_points_around_the_face_get_larger_crops_so_that_the_face_stays_as_large(monkeypatch):
    start = open_starting_network("face68_light")
    faces = toy.draw(6, ibug68, size=200, seed=7)
    monkeypatch.setattr(fitting_crops_module, "predicted_points", lambda _, faces: faces.points)
    middle, half = (faces.points.min(1) + faces.points.max(1)) / 2, np.ptp(faces.points, axis=1) / 2

    def around(times):
        box = np.concatenate([middle - times * half, middle + times * half], axis=1)
        return fitting_crops(start, replace(faces, boxes=box))

    found = around(1.7)  # of hair and neck
    # 1.7 times the face, of which the network has learnt crops of 1.15 times.
    assert found["box_scale"] == 1.05 and found["input_size"] == (192, 192)
    # The face is a part of such a box: less than it by 0.35 on each side, as parts of 1.7.
    np.testing.assert_allclose(found["face_margins"], -0.35 / 1.7, atol=0.005)
    assert found["refine_steps"] == 1  # since points span less than the boxes
    assert around(9)["input_size"] == (256, 256)  # at most twice the sides


def test_crops_do_not_depend_on_the_order_of_many_faces(monkeypatch):
    start = open_starting_network("face68_light")
    faces = toy.draw(24, ibug68, size=200, seed=7)
    monkeypatch.setattr(fitting_crops_module, "predicted_points", lambda _, faces: faces.points)
    monkeypatch.setattr(fitting_crops_module, "_FACES", 8)
    middle, half = (faces.points.min(1) + faces.points.max(1)) / 2, np.ptp(faces.points, axis=1) / 2
    # Sorted: a third of the boxes are larger than those that most faces have.
    half[:8] *= 2
    faces = replace(faces, boxes=np.concatenate([middle - half, middle + half], axis=1))
    found = fitting_crops(start, faces)
    assert found["box_scale"] == pytest.approx(1.15, rel=0.02)
    assert found == fitting_crops(start, faces[::-1])


def test_own_points_are_trained_evaluated_and_resumed_from_the_command_line(
    run, sides, tmp_path, monkeypatch, capsys
):
    data = tmp_path / "data"
    data.mkdir()
    faces = own_labels(sides[0])
    names = tuple(f"{i}.png" for i in range(len(faces)))
    for name, image in zip(names, faces.images, strict=True):
        Image.fromarray(image).save(data / name)
    points_csv.write(replace(faces, ids=names), data / "labels.csv")
    out = tmp_path / "tuned"
    words = ("train", "--data", data, "--from", run, "--run", out)
    code, printed = run_command(monkeypatch, capsys, *words, "--set", "epochs=1")
    assert code == 0, printed
    assert "1 of 2 points is known to" in printed and "1 starts as mean" in printed
    record = json.loads((out / "run.json").read_text())
    assert record["name"] == "finetune"
    recipe = run_folder.read_recipe(out)
    assert recipe.spec.scheme.points == OWN.points and recipe.architecture == MAPS.architecture
    code, printed = run_command(monkeypatch, capsys, "evaluate", out, "--data", data)
    assert code == 0 and "NME" in printed, printed
    code, printed = run_command(monkeypatch, capsys, *words, "--resume")
    assert code == 0, printed


def test_the_starting_weights_are_kept_if_no_epoch_is_better(run, sides, tmp_path, caplog):
    # Steps so large that every epoch is worse.
    wild = changed(MAPS, init_from=str(run), epochs=1, optim=Adam(0.5))
    with caplog.at_level("INFO", "nasion"):
        done = train(wild, sides, run_folder=tmp_path / "wild")
    assert done.state.best_epoch == -1 and done.state.best < done.state.history[0]["val"]
    assert f"Before training: val {done.state.best:.4g}" in caplog.text
    assert checkpoint.kept_start(done.folder) == done.state.best
    assert checkpoint.kept_start(run) is None
    before, after = (load_file(each / run_folder.WEIGHTS) for each in (run, done.folder))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_python_trains_any_recipe_on_the_points_of_the_data(sides, tmp_path):
    recipe = changed(MAPS, epochs=1, points_from="data", augment=Augment())
    own = tuple(own_labels(side) for side in sides)
    folder = nasion.train(recipe, own, run_folder=tmp_path / "run").folder
    predictions = load_model(folder).predict(own[1])
    assert predictions.scheme.points == OWN.points
    assert as_numpy(predictions.points).shape == (15, 2, 2)
