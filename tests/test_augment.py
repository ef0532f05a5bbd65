"""Augmentation: a bright dot and its point move alike; nothing drawn changes nothing."""

import colorsys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from helpers import batch, changed, cut
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nasion.data.augment import Augment, grey, relight, warp
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.recipes.toy_demo import RECIPE

DOT = Scheme(
    name="dot",
    points=("left_eye_center", "right_eye_center"),
    mirror=(("left_eye_center", "right_eye_center"),),
)
EACH = {
    item.name: Augment(
        **{item.name: {"flip": 1.0, "rotate": 40.0, "shift_px": 6.0}.get(item.name, 0.2)}
    )
    for item in fields(Augment)
}
EACH["all"] = Augment(
    flip=0.5,
    rotate=30,
    scale=0.2,
    shift=0.1,
    shift_px=2,
    brightness=0.1,
    contrast=0.1,
    saturation=0.5,
    hue=0.5,
)

KINDS = pytest.mark.parametrize("kind", ["numpy", "torch"])
FLOAT32 = {"numpy": np.float32, "torch": torch.float32}


def as_kind(array, kind):
    """The array as NumPy has it, or as a tensor as it is on an accelerator."""
    return torch.from_numpy(array) if kind == "torch" else array


def canvases_as(kind, *given, **asked):
    """Crops whose images are of that kind."""
    canvas = cut(*given, **asked)
    return replace(canvas, images=as_kind(canvas.images, kind))


def random(*shape, low=0.0, high=255.0):
    return np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)


def dotted(points, size=(64, 48), channels=0):
    """Faces whose second point is a soft bright dot, in colour if there are channels."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    images = np.stack(
        [20 + 200 * np.exp(-((x - p[1, 0]) ** 2 + (y - p[1, 1]) ** 2) / 8) for p in points]
    )
    images = np.repeat(images[..., None], channels, -1) if channels else images
    ids = tuple(map(str, range(len(points))))
    return Faces(
        scheme=DOT, ids=ids, images=images.astype(np.uint8), points=points.astype(np.float32)
    )


def dots(images):
    """Where the brightest blob of each image is, to a fraction of a pixel."""
    weight = np.asarray(images).mean(1)
    weight = np.clip(weight - np.quantile(weight, 0.9, axis=(1, 2), keepdims=True), 0, None) ** 2
    y, x = np.mgrid[: weight.shape[1], : weight.shape[2]]
    total = weight.sum((1, 2))
    return np.stack([(weight * x).sum((1, 2)) / total, (weight * y).sum((1, 2)) / total], -1)


@KINDS
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
@pytest.mark.parametrize("boxed", [False, True], ids=["whole", "boxed"])
@pytest.mark.parametrize("augment", EACH.values(), ids=EACH)
def test_a_bright_dot_and_its_point_move_alike(augment, colour, boxed, kind):
    rng = np.random.default_rng(3)
    points = rng.uniform([24, 18], [40, 30], (24, 2, 2))
    faces = dotted(points, channels=3 if colour else 0)
    if boxed:
        faces = replace(faces, boxes=np.tile(np.array([8.0, 4, 56, 44], np.float32), (24, 1)))
    recipe = changed(RECIPE, scheme=DOT, input_size=(60, 50), augment=augment, colour=colour)
    canvas = canvases_as(kind, faces, recipe, augmented=True)
    found = batch(canvas, np.arange(24), recipe, np.random.default_rng(1))
    # A flip makes the subject's right eye the left one: whichever point the dot is at now must be
    # its own partner.
    flipped = augment.draw(24, (60, 50), np.random.default_rng(1)).flipped
    there = np.where(flipped[:, None], found.points[:, 0], found.points[:, 1])
    np.testing.assert_allclose(dots(found.images), there, atol=0.35)
    assert (
        found.images.shape == (24, 3 if colour else 1, 50, 60)
        and found.images.dtype == found.points.dtype == FLOAT32[kind]
    )
    assert found.images.min() >= 0 and found.images.max() <= 1


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
@pytest.mark.parametrize("augment", EACH.values(), ids=EACH)
def test_a_dot_moves_with_its_point_in_bfloat16_too(augment, colour):
    faces = dotted(np.full((4, 2, 2), [30.0, 20.0]), channels=3)
    recipe = changed(RECIPE, scheme=DOT, input_size=(64, 48), augment=augment, colour=colour)
    canvas = canvases_as("torch", faces, recipe, augmented=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = batch(canvas, np.arange(4), recipe, np.random.default_rng(0))
    assert found.images.dtype == torch.float32
    np.testing.assert_allclose(dots(found.images), found.points[:, 1], atol=0.35)


@KINDS
def test_a_flip_exchanges_left_and_right_names(kind):
    points = np.array([[[50.0, 20], [10.0, 22]]])
    recipe = changed(RECIPE, scheme=DOT, input_size=(64, 48), augment=Augment(flip=1.0))
    canvas = canvases_as(kind, dotted(points), recipe, augmented=True)
    found = batch(canvas, np.arange(1), recipe, np.random.default_rng(0)).points[0]
    np.testing.assert_allclose(found, [[63 - 10, 22], [63 - 50, 20]], atol=1e-4)


@KINDS
def test_without_a_generator_pixels_come_through_untouched(toy_faces, kind):
    recipe = changed(RECIPE, input_size=(96, 96), augment=EACH["all"])
    canvas = canvases_as(kind, toy_faces, recipe)
    found = batch(canvas, np.array([3, 0]), recipe)
    np.testing.assert_array_equal(
        np.asarray(found.images[:, 0] * 255).round().astype(np.uint8), toy_faces.images[[3, 0]]
    )
    np.testing.assert_allclose(found.points, toy_faces.points[[3, 0]], atol=1e-5)


@KINDS
def test_an_identity_warp_is_exact_to_a_thousandth_of_a_grey_value(kind):
    images = as_kind(random(2, 1, 20, 30).round(), kind)
    same = warp(images, np.tile(geometry.identity(), (2, 1, 1)), (30, 20))
    assert abs(same - images).max() < 2e-2 and same.dtype == FLOAT32[kind]


# Sizes are (width, height), of the image that is given and of the one that is asked for.
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])
@pytest.mark.parametrize(
    ("given", "size"),
    [
        ((96, 96), (96, 96)),
        ((120, 90), (96, 96)),
        ((40, 30), (64, 48)),
        ((30, 20), (1, 1)),
        ((2, 2), (9, 7)),
        ((1, 20), (8, 6)),
        ((20, 1), (8, 6)),
        ((1, 1), (5, 4)),
    ],
)
def test_the_warps_of_numpy_and_of_torch_agree_to_a_fiftieth_of_a_grey_value(given, size, channels):
    images = random(16, channels, given[1], given[0])
    drawn = (
        Augment(flip=0.5, rotate=40, scale=0.3, shift=0.4)
        .draw(16, size, np.random.default_rng(1))
        .maps
    )
    maps = geometry.compose(drawn, geometry.box_to_frame(geometry.image_box(*size), given))
    one, other = (warp(as_kind(images, kind), maps, size) for kind in ("numpy", "torch"))
    assert one.shape == tuple(other.shape) == (16, channels, size[1], size[0])
    np.testing.assert_allclose(one, other, rtol=0, atol=0.02)


@KINDS
def test_brightness_of_a_tenth_adds_25_grey_values_and_clips(kind):
    draw = Augment(brightness=0.1).draw(2, (4, 4), np.random.default_rng(0))
    images = as_kind(np.full((2, 1, 4, 4), 250.0, np.float32), kind)
    found = relight(images, replace(draw, brightness=np.array([0.1, -0.1]), contrast=np.ones(2)))
    assert found[0].max() == 255 and found[1].max() == pytest.approx(224.5)


@settings(deadline=None, max_examples=30)
@given(
    rotate=st.floats(0, 180),
    scale=st.floats(0, 0.4),
    shift=st.floats(0, 0.3),
    stretch=st.floats(0, 0.4),
    width=st.integers(20, 80),
    seed=st.integers(0, 50),
)
def test_the_margin_holds_all_that_augmentation_can_reach(
    rotate, scale, shift, stretch, width, seed
):
    height = 40
    augment = Augment(flip=0.5, rotate=rotate, scale=scale, shift=shift, stretch=stretch)
    maps = augment.draw(40, (width, height), np.random.default_rng(seed)).maps
    corners = np.array(
        [[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]]
    )
    reached = geometry.apply(maps, np.broadcast_to(corners, (40, 4, 2)))
    beyond = (
        np.abs(reached - [(width - 1) / 2, (height - 1) / 2]).max((0, 1))
        - np.array([width, height]) / 2
    )
    assert (beyond <= np.array(augment.margin((width, height))) + 1e-6).all()


@KINDS
def test_the_same_generator_draws_the_same(toy_faces, kind):
    canvas = canvases_as(kind, toy_faces, RECIPE, augmented=True)
    a, b, c = (
        batch(canvas, np.arange(5), RECIPE, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (
        np.array_equal(a.images, b.images)
        and np.array_equal(a.points, b.points)
        and not np.array_equal(a.images, c.images)
    )


def one_draw(**changes):
    """No change but these, for one image."""
    return replace(
        Augment().draw(1, (4, 4), np.random.default_rng(0)),
        **{name: np.array([value]) for name, value in changes.items()},
    )


@KINDS
def test_a_third_of_a_turn_of_hue_makes_red_green_and_green_blue(kind):
    red_green = np.array([[200.0, 30.0], [30.0, 200.0], [30.0, 30.0]], np.float32).reshape(
        1, 3, 1, 2
    )
    turned = relight(as_kind(red_green, kind), one_draw(hue=1 / 3))
    expected = np.array([[30.0, 30.0], [200.0, 30.0], [30.0, 200.0]], np.float32)
    torch.testing.assert_close(turned.reshape(3, 2), as_kind(expected, kind))


@KINDS
def test_relighting_leaves_the_given_images_as_they_are(kind):
    colours = random(1, 3, 5, 5)
    given = as_kind(colours.copy(), kind)
    relight(given, one_draw(brightness=0.1, contrast=1.2, saturation=0.5, hue=0.2))
    np.testing.assert_array_equal(given, colours)


@KINDS
@settings(deadline=None, max_examples=60)
@given(
    r=st.integers(0, 255), g=st.integers(0, 255), b=st.integers(0, 255), turns=st.floats(-0.5, 0.5)
)
def test_hue_turns_as_the_standard_librarys_does(kind, r, g, b, turns):
    hue, saturation, value = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
    expected = 255 * np.array(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value))
    found = relight(
        as_kind(np.array([r, g, b], np.float32).reshape(1, 3, 1, 1), kind), one_draw(hue=turns)
    ).reshape(3)
    np.testing.assert_allclose(found, expected, atol=0.02)


@KINDS
def test_no_saturation_is_grey_and_grey_images_have_neither_saturation_nor_hue(kind):
    colours = as_kind(random(1, 3, 5, 5, high=200), kind)
    found = relight(colours, one_draw(saturation=0.0))
    for channel in range(3):
        torch.testing.assert_close(found[:, channel : channel + 1], grey(colours))
    flat = as_kind(random(1, 1, 5, 5, high=200), kind)
    torch.testing.assert_close(relight(flat, one_draw(saturation=0.3, hue=0.2)), flat)


@KINDS
def test_saturation_before_grey_changes_nothing_that_is_not_clipped(kind):
    colours = as_kind(random(1, 3, 5, 5, low=60, high=160), kind)
    torch.testing.assert_close(
        grey(relight(colours, one_draw(saturation=1.3))), grey(colours), atol=1e-3, rtol=0
    )
    assert not np.allclose(grey(relight(colours, one_draw(hue=0.2))), grey(colours), atol=1)


@KINDS
def test_grey_is_as_pillow_makes_it(kind):
    colours = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    found = grey(as_kind(np.moveaxis(colours, -1, 0)[None].astype(np.float32), kind))[0, 0]
    assert np.abs(np.asarray(found) - np.asarray(Image.fromarray(colours).convert("L"))).max() <= 1


def test_a_shift_in_pixels_is_that_many_pixels_of_the_input_on_both_axes():
    maps = Augment(shift_px=10).draw(2000, (160, 120), np.random.default_rng(0)).maps
    assert np.abs(maps[:, :, 2]).max() <= 10 and (np.abs(maps[:, :, 2]).max(0) > 9.9).all()


@KINDS
def test_images_in_colour_are_relit_in_colour_and_then_grey(kind):
    """Hue changes the grey value of a coloured image, so it must be drawn before the image is
    made grey.
    """
    faces = dotted(np.full((4, 2, 2), [30.0, 20.0]), channels=3)
    faces = replace(faces, images=(faces.images * np.array([1, 0.4, 0.1])).astype(np.uint8))
    recipe = changed(
        RECIPE, scheme=DOT, input_size=(64, 48), augment=Augment(hue=0.5), colour=False
    )
    canvas = canvases_as(kind, faces, recipe, augmented=True)
    assert canvas.images.shape[1] == 3 and cut(faces, recipe).images.shape[1] == 1
    found = batch(canvas, np.arange(4), recipe, np.random.default_rng(0)).images
    assert found.shape[1] == 1 and abs(found[0] - found[1]).max() > 0.05
