"""Corruptions: each has the stated strength, none changes nothing, points stay in place."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from helpers import batch, changed, cut
from PIL import Image

from nasion.data import corrupt
from nasion.data.corrupt import Corrupt, _blur
from nasion.data.datasets import toy
from nasion.data.jpeg import jpeg_round_trip
from nasion.errors import SettingError
from nasion.recipes.toy_demo import RECIPE

KINDS = pytest.mark.parametrize("kind", ["numpy", "torch"])
EACH = {
    "blur": Corrupt(blur=1.5),
    "noise": Corrupt(noise=0.1),
    "jpeg": Corrupt(jpeg=1.0),
    "occlude": Corrupt(occlude=1.0),
}


def pictures(count=6, channels=1, kind="numpy"):
    values = np.random.default_rng(0).uniform(0, 255, (count, channels, 32, 40)).astype(np.float32)
    return torch.from_numpy(values) if kind == "torch" else values


@KINDS
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", EACH)
def test_every_corruption_keeps_shape_and_range_and_is_drawn_by_the_generator_alone(
    name, channels, kind
):
    found = [
        np.array(EACH[name](pictures(channels=channels, kind=kind), np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert found[0].shape == (6, channels, 32, 40) and found[0].dtype == np.float32
    assert found[0].min() >= 0 and found[0].max() <= 255
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any() and (found[0] != pictures(channels=channels)).any()


@KINDS
def test_no_corruption_changes_nothing(kind):
    np.testing.assert_array_equal(
        Corrupt()(pictures(kind=kind), np.random.default_rng(0)), pictures()
    )


@KINDS
def test_numpy_and_pytorch_corrupt_alike(kind):
    whole = Corrupt(blur=1.0, noise=0.05, occlude=0.5)
    np.testing.assert_allclose(
        whole(pictures(kind=kind), np.random.default_rng(3)),
        whole(pictures(), np.random.default_rng(3)),
        atol=1e-3,
    )


def test_a_dot_blur_by_sigma_one_has_a_variance_of_one_and_loses_nothing():
    dot = np.zeros((1, 1, 41, 41), np.float32)
    dot[0, 0, 20, 20] = 200.0
    soft = _blur(dot.copy(), np.array([1.0]))[0, 0]
    assert soft.sum() == pytest.approx(200, rel=1e-4)
    places = np.arange(41) - 20
    assert (soft.sum(0) * places**2).sum() / 200 == pytest.approx(1.0, rel=1e-4)
    between = _blur(dot.copy(), np.array([0.6]))[0, 0]
    assert (between.sum(1) * places**2).sum() / 200 == pytest.approx(0.36, rel=0.2)


def test_patches_stay_within_their_size_and_show_grey_or_another_face():
    rng = np.random.default_rng(0)
    faces = np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1) * np.ones((1, 1, 50, 50), np.float32)
    covered = Corrupt(occlude=1.0, patch=0.4)(faces.copy(), rng)
    changed = (covered != faces).mean((1, 2, 3))
    assert changed.max() <= 2 * 0.4**2 + 0.02 and changed.max() > 0.02
    for i in range(8):
        assert len(np.unique(covered[i])) <= 3


def test_only_training_is_corrupted_and_points_stay_where_they_are():
    faces = toy.draw(6, seed=1)
    recipe = changed(
        RECIPE,
        corrupt=Corrupt(noise=0.2, occlude=1.0),
        augment=replace(RECIPE.augment, flip=0, rotate=0, scale=0, shift=0, shift_px=0),
    )
    canvas = cut(faces, recipe, augmented=True)
    calm, shaken = (
        batch(canvas, np.arange(6), recipe),
        batch(canvas, np.arange(6), recipe, np.random.default_rng(0)),
    )
    np.testing.assert_array_equal(calm.points, shaken.points)
    np.testing.assert_array_equal(
        calm.images, batch(canvas, np.arange(6), changed(recipe, corrupt=Corrupt())).images
    )
    assert np.abs(calm.images - shaken.images).mean() > 0.01


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"blur": 9}, "corrupt.blur is 0 to 4 pixels; found 9"),
        ({"jpeg": -1}, "corrupt.jpeg"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(SettingError, match=message):
        Corrupt(**setting)


@KINDS
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [10, 49, 50, 90])
def test_jpeg_on_arrays_is_within_a_grey_level_or_so_of_pillow(quality, channels, kind):
    face = toy.draw(1, seed=3, size=75).images[0]
    pixels = np.stack([face, np.roll(face, 9, 0), face.T][:channels]).astype(np.float32)
    shape = np.moveaxis(pixels, 0, -1).astype(np.uint8)
    stream = BytesIO()
    Image.fromarray(shape if channels == 3 else shape[..., 0]).save(stream, "JPEG", quality=quality)
    wanted = np.asarray(Image.open(stream), np.float32).reshape(shape.shape)
    images = torch.from_numpy(pixels[None]) if kind == "torch" else pixels[None]
    found = np.moveaxis(np.asarray(jpeg_round_trip(images, np.array([quality])))[0], 0, -1)
    assert found.shape == wanted.shape
    loss = np.abs(shape - wanted).mean()
    assert np.abs(found - wanted).mean() < 0.1 + 0.4 * loss and loss > 0.1


def test_jpeg_compresses_each_image_at_its_own_quality():
    images = pictures(count=2)
    both = jpeg_round_trip(images, np.array([10, 90]))
    for i, quality in enumerate((10, 90)):
        alone = jpeg_round_trip(images[i : i + 1], np.array([quality]))
        np.testing.assert_array_equal(both[i], alone[0])
    errors = np.abs(both - images).mean((1, 2, 3))
    assert errors[0] > 2 * errors[1]


def test_on_an_accelerator_noise_and_jpeg_are_computed_there(monkeypatch):
    """The same code on the CPU's tensors, since there is no accelerator here."""
    monkeypatch.setattr(corrupt, "on_accelerator", lambda images: True)
    calm = torch.full((40, 1, 32, 32), 127.0)
    noisy = [Corrupt(noise=0.1)(calm, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert torch.equal(noisy[0], noisy[1]) and not torch.equal(noisy[0], noisy[2])
    strengths = np.random.default_rng(1).uniform(0, 25.5, 40)
    np.testing.assert_allclose(noisy[0].std((1, 2, 3)), strengths, rtol=0.1)
    images = pictures(kind="torch")
    coded = Corrupt(jpeg=0.5)(images.clone(), np.random.default_rng(0))
    changed = (coded != images).flatten(1).any(1)
    assert changed.any() and not changed.all()
