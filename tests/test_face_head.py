"""Whether a crop shows a face and which points can be seen: examples, training, export, scores."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from helpers import changed
from test_head_pose import half_of, turned

from nasion.data.augment import Augment
from nasion.data.covers import cover
from nasion.data.datasets import toy
from nasion.data.drawn_patterns import draw_animal, draw_pattern
from nasion.errors import RunError, SettingError
from nasion.inference import quantize, run_folder
from nasion.inference.backends.onnx import open_session
from nasion.inference.backends.pytorch import OUTPUTS, TorchNetwork
from nasion.inference.export import export_model
from nasion.inference.landmarker import Landmarker
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors
from nasion.models.face_head import FaceHead
from nasion.models.losses import LaplaceLikelihood
from nasion.recipes.toy_demo import RECIPE
from nasion.training import face_head as face_head_module
from nasion.training.face_examples import face_examples, seen_points
from nasion.training.starting_network import open_starting_network, starting_module
from nasion.training.train import train

SMALL = changed(
    RECIPE,
    input_size=(32, 32),
    codec=Anchors(stride=8),
    architecture=Pyramid(widths=(8, 16, 32), blocks=(0, 1, 1), neck=16),
    loss=LaplaceLikelihood(),
    augment=Augment(rotate=10, shift=0.05),
    start_at_mean=False,
    batch_size=16,
    epochs=20,
    face_head=True,
    refine_steps=2,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    faces = toy.draw(160, seed=1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(face_head_module, "_POSITIVES", 900)
        monkeypatch.setattr(face_head_module, "_VALIDATED", 200)
        monkeypatch.setattr(face_head_module, "_STEPS", 1200)
        folder = tmp_path_factory.mktemp("runs") / "small"
        return train(SMALL, (faces[:120], faces[120:]), run_folder=folder).folder


@pytest.mark.slow
def test_a_trained_head_tells_faces_from_what_is_none(run):
    model = load_model(run)
    shown = face_examples(
        toy.draw(60, seed=9), model.spec, model.network, 200, np.random.default_rng(5)
    )
    _, chances = model.network.with_chances(shown.images)
    face, none = (chances.face[shown.face == kind] for kind in (1, 0))
    # The chance that a face scores higher than what is none.
    assert (face[:, None] > none).mean() > 0.7
    known = ~np.isnan(shown.visible)
    hidden, seen = (chances.visible[known & (shown.visible == kind)] for kind in (0, 1))
    assert (seen[:, None] > hidden[None, :500]).mean() > 0.6
    # Calibrated on other faces: as often as the chances say.
    assert chances.face.mean() == pytest.approx(shown.face.mean(), abs=0.1)
    assert chances.visible[known].mean() == pytest.approx(shown.visible[known].mean(), abs=0.1)


@pytest.mark.slow
def test_points_outside_of_the_image_are_hidden(run):
    model = load_model(run)
    face = toy.draw(1, seed=9).images[0]
    whole = np.array([[0, 0, face.shape[1] - 1, face.shape[0] - 1]], dtype=np.float32)
    cut = face[: face.shape[0] // 2]
    found = model.faces_in(cut, whole)[0]
    below = found.points[:, 1] > cut.shape[0] - 0.5
    assert below.any() and (found.visible[below] == 0).all() and found.hidden[below].all()
    assert (found.visible[~below] > 0).all()
    seen = model.predict(toy.draw(3, seed=2)).visible
    assert seen.shape == (3, 15) and seen.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize(("numbers", "near"), [("float32", 0.02), ("int8", 0.3)])
def test_an_exported_head_says_the_same(run, tmp_path, numbers, near):
    model, faces, path = load_model(run), toy.draw(30, seed=5), tmp_path / "model.onnx"
    export_model(model, path, numbers, faces)
    exact = replace(model, network=model.network.in_float32())
    alone, found = load_model(path), exact.predict(faces)
    other = alone.predict(faces)
    assert np.abs(other.points - found.points).mean() < (0.02 if numbers == "float32" else 2)
    assert np.abs(other.visible - found.visible).mean() < near
    box = np.full((1, 4), np.nan, dtype=np.float32)
    scores = [[each.faces_in(image, box)[0].score for image in faces.images[:9]]
              for each in (exact, alone)]  # fmt: skip
    assert np.abs(np.subtract(*scores)).mean() < near
    assert Landmarker(alone, detector=None).predicts_visible
    stored = {each.name: each for each in onnx.load(path).graph.initializer}
    half = stored.get("face_head.hidden.weight_float16")
    assert (half is not None) == (numbers == "int8")
    # Training goes on from a file with a face head.
    faces = toy.draw(20, seed=6)
    start = replace(SMALL, init_from=str(path), face_head=False)
    module = starting_module(start, faces.to(SMALL.spec.scheme))
    assert open_starting_network(str(path)).spec.scheme == SMALL.spec.scheme
    assert isinstance(module, torch.nn.Module)


@pytest.mark.slow
def test_a_mirrored_view_names_hidden_points_as_the_source_does(run, monkeypatch):
    model, faces = load_model(run, tta="flip"), toy.draw(2, seed=3)
    plain = replace(model, tta="none")
    left = plain.spec.scheme.index(["left_eye_center"])[0]
    ask = type(model.network).with_chances
    calls = []

    def left_hidden_in_the_first_view(self, images):
        output, chances = ask(self, images)
        visible = np.ones_like(chances.visible)
        mirrored = len(calls) % 2 == 1
        visible[:, plain.spec.scheme.flip[left] if mirrored else left] = 0
        calls.append(mirrored)
        return output, replace(chances, visible=visible)

    monkeypatch.setattr(type(model.network), "with_chances", left_hidden_in_the_first_view)
    single = replace(model, spec=replace(model.spec, refine_steps=1))
    assert single.predict(faces).visible[:, left] == pytest.approx([0, 0])


@pytest.mark.slow
def test_a_damaged_head_is_refused_by_name(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for file in run.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / run_folder.FACE_HEAD).write_bytes(b"not tensors")
    with pytest.raises(RunError, match="face_head"):
        load_model(folder)
    settings = json.loads((run / run_folder.SETTINGS).read_text())
    assert settings["recipe"]["face_head"] is True


@pytest.mark.parametrize("is_training", [True, False])
def test_predicting_leaves_a_network_in_the_mode_it_was_in(is_training, tmp_path):
    head = FaceHead(coarse=512, channels=16, points=15)
    module = SMALL.build_network().train(is_training)
    network = TorchNetwork(module, SMALL.spec, torch.device("cpu"), face_head=head)
    images = np.random.default_rng(0).random((2, 1, 32, 32), dtype=np.float32)
    first, second = network.with_chances(images), network.with_chances(images)
    assert module.training is is_training
    # Training statistics of norms would have moved between both.
    np.testing.assert_array_equal(first[1].visible, second[1].visible)
    with pytest.raises(RuntimeError):
        network.with_chances(images[:, [0, 0]])
    network.export(tmp_path / "model.onnx")
    assert module.training is is_training and all(
        m.training is is_training for m in module.modules()
    )


def test_a_head_in_float16_says_the_same_and_points_do_not_move(tmp_path):
    torch.manual_seed(0)
    head = FaceHead(coarse=512, channels=16, points=15)
    for weights in (head.hidden.weight, head.seen):
        torch.nn.init.normal_(weights, std=0.5)  # as those of the shipped networks
    network = TorchNetwork(SMALL.build_network(), SMALL.spec, torch.device("cpu"), face_head=head)
    path = tmp_path / "model.onnx"
    network.export(path)
    size = path.stat().st_size
    images = np.random.default_rng(0).uniform(0, 255, (8, 1, 32, 32)).astype(np.float32)
    first = dict(zip(OUTPUTS, open_session(path).run(None, {"images": images}), strict=True))
    quantize.to_float16(path, only="face_head.")
    second = dict(zip(OUTPUTS, open_session(path).run(None, {"images": images}), strict=True))
    assert path.stat().st_size < size - 30_000  # half of 32 x 527 numbers of four bytes
    for name in ("points", "sigma"):
        np.testing.assert_array_equal(first[name], second[name])
    for name in ("face", "visible"):
        np.testing.assert_allclose(first[name], second[name], atol=0.005)
    assert np.ptp(first["visible"]) > 0.1 and (first["visible"] != second["visible"]).any()


def test_a_face_head_needs_a_pyramid():
    with pytest.raises(SettingError, match="face_head is for Pyramid"):
        changed(RECIPE, face_head=True)


def test_standardised_numbers_go_into_the_weights():
    torch.manual_seed(0)
    head = FaceHead(coarse=6, channels=4, points=3, hidden=5).eval()
    torch.nn.init.normal_(head.seen)
    inputs = [torch.randn(7, 6) * 3 + 1, torch.randn(7, 3) - 2, torch.randn(7, 3, 4) * 2 + 5]
    middles = [part.mean(0) if part.ndim == 2 else part.mean((0, 1)) for part in inputs]
    sizes = [part.std(0) if part.ndim == 2 else part.std((0, 1)) for part in inputs]
    scaled = [(p - m) / s for p, m, s in zip(inputs, middles, sizes, strict=True)]
    expected = head(*scaled)
    face_head_module._unscale(head, middles, sizes)
    for found, wanted in zip(head(*inputs), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    again = FaceHead.of_tensors(head.state_dict())
    torch.testing.assert_close(again(*inputs)[1], head(*inputs)[1])


def test_chances_are_frequencies_after_calibration():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, 4000)
    happened = (rng.uniform(size=4000) < 1 / (1 + np.exp(-true))).astype(np.float32)
    too_sure = torch.from_numpy((3 * true + 2).astype(np.float32))
    scale, shift = face_head_module._platt(too_sure, torch.from_numpy(happened))
    assert float(scale) == pytest.approx(1 / 3, rel=0.1)
    assert float(shift) == pytest.approx(-2 / 3, abs=0.15)


def faces_of(points):
    """Faces of iBUG's points without images."""
    blank = tuple(np.zeros((240, 300), np.uint8) for _ in points)
    names = tuple(map(str, range(len(points))))
    return Faces(scheme=ibug68, ids=names, images=blank, points=points.astype(np.float32))


def test_the_far_half_of_a_profile_cannot_be_seen():
    points = np.stack([half_of(turned(80), ibug68, "right"), turned(10), turned(50)])
    seen = seen_points(faces_of(points))
    left = np.array(["left" in name.split("_") for name in ibug68.points])
    assert (seen[0, left] == 0).all() and (seen[0, ~left] == 1).all()
    assert (seen[1] == 1).all()
    # Between the two it is not known.
    assert np.isnan(seen[2, left]).all() and (seen[2, ~left] == 1).all()
    occluded = np.zeros((3, 68), dtype=bool)
    occluded[1, 5] = True
    hidden = seen_points(replace(faces_of(points), occluded=occluded))
    assert hidden[1, 5] == 0 and hidden[1, 6] == 1


def test_unlabelled_points_of_a_profile_s_near_half_can_be_seen():
    points = half_of(turned(80), ibug68, "right")
    for names in (["inner_lip_upper_right", "chin"], ["lip_lower_right_2"]):
        points[ibug68.index(names)] = np.nan
        seen = seen_points(faces_of(points[None]))
        assert (seen[0, ibug68.index(names)] == 1).all()
        assert seen[0, ibug68.index(["lip_lower_left_2"])] == 0


def test_half_a_frontal_face_says_nothing_of_the_other_half():
    seen = seen_points(faces_of(half_of(turned(5), ibug68, "right")[None]))
    left = np.array(["left" in name.split("_") for name in ibug68.points])
    assert np.isnan(seen[0, left]).all()


def test_covered_points_are_those_whose_pixels_change():
    rng = np.random.default_rng(3)
    images = np.full((64, 1, 40, 40), 0.25, dtype=np.float32)
    grid = np.stack(np.meshgrid(np.arange(2, 40, 4), np.arange(2, 40, 4)), -1).reshape(-1, 2)
    points = np.broadcast_to(grid.astype(np.float64), (64, *grid.shape)).copy()
    points[:, 0] = np.nan
    shown, covered = cover(images, points, (-1.0, 1.0), rng)
    changed_at = shown[:, 0, grid[:, 1], grid[:, 0]] != np.float32(0.25)
    # A texture of another image may be as grey as what it covers.
    assert not (changed_at & ~covered)[:, 1:].any()
    assert covered[:, 1:].any(axis=1).mean() > 0.3 and not covered[:, 0].any()
    assert shown.min() >= -1 and shown.max() <= 1 and (images == 0.25).all()


@pytest.mark.parametrize("draw", [draw_pattern, draw_animal])
def test_drawn_pictures_follow_from_the_generator(draw):
    first, same, other = (draw(np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert first.shape == (220, 220, 3) and first.dtype == np.uint8
    assert (first == same).all() and (first != other).any() and first.std() > 1


@pytest.mark.slow
def test_examples_are_half_faces_and_say_what_they_are(run):
    model, faces = load_model(run), toy.draw(30, seed=4)
    rng = np.random.default_rng(0)
    shown = face_examples(faces, model.spec, model.network, 60, rng)
    assert len(shown.images) == len(shown.face) == len(shown.visible)
    assert shown.face.sum() == 60 and (shown.face[:60] == 1).all()
    assert len(shown.images) == 60 + 30 + 30 + 10
    assert np.isnan(shown.visible[60:]).all()
    known = shown.visible[~np.isnan(shown.visible)]
    assert set(np.unique(known)) == {0.0, 1.0} and known.size > 600
    low, high = model.spec.pixel_range
    assert shown.images.min() >= low and shown.images.max() <= high


def test_calibration_is_no_worse_where_logits_are_far_apart():
    """One sure mistake among sure answers: a step without a line search went far beyond."""
    logits = torch.tensor([20.0] * 4 + [-12.0] * 4 + [30.0])
    target = torch.tensor([1.0] * 4 + [0.0] * 5)
    scale, shift = face_head_module._platt(logits, target)
    assert 0 < scale < 1
    calibrated = logits * scale + shift
    # At the optimum of a logistic regression chances and targets have one mean, also weighted.
    error = torch.sigmoid(calibrated) - target
    assert error.mean().abs() < 1e-3 and (error * logits).mean().abs() < 2e-2
