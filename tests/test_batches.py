"""Crops: cut at the right place at any scale, with the exact way back; the order of an epoch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import batch, changed, cut
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from nasion.data.datasets import toy
from nasion.errors import DataError
from nasion.inference import crops
from nasion.inference.backends.pytorch import TorchNetwork
from nasion.inference.predictor import Predictor
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import crop_boxes
from nasion.recipes.toy_demo import RECIPE


@settings(deadline=None, max_examples=40)
@given(x=st.floats(-60, 60), y=st.floats(-60, 60), side=st.floats(1, 200), seed=st.integers(0, 20))
def test_points_come_back_from_the_crop_of_any_box(toy_faces, x, y, side, seed):
    boxes = np.array([[x, y, x + side, y + 1.3 * side]], dtype=np.float32)
    faces = replace(toy_faces[[seed]], boxes=boxes)
    canvas = cut(faces, RECIPE, augmented=True)
    back = geometry.apply(canvas.to_source, canvas.points)
    np.testing.assert_allclose(back, faces.points, atol=1e-3)
    width, height = RECIPE.spec.input_size
    edge = geometry.apply(canvas.to_source[0], geometry.image_box(width, height).reshape(2, 2))
    np.testing.assert_allclose(edge.reshape(-1), boxes[0], atol=1e-3)


class ConstantPoints(torch.nn.Module):
    """A network that outputs the same points, whatever it sees."""

    def __init__(self, points):
        super().__init__()
        self.points = torch.tensor(points, dtype=torch.float32).reshape(1, -1)

    def forward(self, images):
        return self.points.expand(len(images), -1)


BOXES = {
    "negative origin": (-40.0, -7.5, 30.0, 50.0),
    "around the picture": (-100.0, -80.0, 400.0, 500.0),
    "beside the picture": (300.0, 200.0, 420.0, 330.0),
    "one pixel": (11.5, 12.5, 12.5, 13.5),
    "huge": (-2e6, -3e6, 4e6, 3.5e6),
    "flat": (10.0, 20.0, 5000.0, 21.0),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_predictions_on_a_crop_map_back_to_the_full_image(box, scale, toy_faces):
    """By hand: a fraction of the crop is that fraction of the box grown about its middle."""
    recipe = changed(RECIPE, scheme=ibug68, input_size=(32, 24), box_scale=scale)
    fractions = np.random.default_rng(0).uniform(size=(68, 2))
    x0, y0, x1, y1 = box
    middle, sides = np.array([x0 + x1, y0 + y1]) / 2, np.array([x1 - x0, y1 - y0])
    expected = middle + (fractions - 0.5) * sides * scale
    found = Predictor(
        recipe.spec, TorchNetwork(ConstantPoints(fractions), recipe.spec, torch.device("cpu"))
    )(toy_faces.images[:1], boxes=[box]).points[0]
    np.testing.assert_allclose(found, expected, atol=1e-4 + 2e-7 * np.abs(box).max())


@settings(deadline=None, max_examples=60)
@given(
    x=st.floats(-5000, 5000),
    y=st.floats(-5000, 5000),
    width=st.floats(1, 5000),
    height=st.floats(1, 5000),
    scale=st.floats(0.5, 2),
    seed=st.integers(0, 5),
)
def test_labels_go_into_any_crop_and_back(toy_faces, x, y, width, height, scale, seed):
    recipe = changed(RECIPE, input_size=(32, 24), box_scale=scale)
    faces = replace(toy_faces[[seed]], boxes=np.array([[x, y, x + width, y + height]], np.float32))
    canvas = cut(faces, recipe, augmented=True)
    np.testing.assert_allclose(
        geometry.apply(canvas.to_source, canvas.points),
        faces.points,
        atol=1e-6 * (abs(x) + abs(y) + width + height) + 1e-4,
    )
    assert canvas.images.shape[0] == 1


def test_a_box_far_beyond_the_image_shows_its_edges_and_takes_no_memory():
    image = np.full((1, 10, 10), 50, np.uint8)
    image[0, :, 5:] = 200
    faces = replace(toy.draw(1, seed=0), images=image)
    recipe = changed(RECIPE, input_size=(8, 8))
    far = replace(faces, boxes=np.array([[4.5 - 4e5, 4.5 - 4e5, 4.5 + 4e5, 4.5 + 4e5]], np.float32))
    found = cut(far, recipe).images[0, 0]
    assert (found[:, :4] == 50).all() and (found[:, 4:] == 200).all()
    near = replace(faces, boxes=np.array([[4.5 - 39, 4.5 - 39, 4.5 + 39, 4.5 + 39]], np.float32))
    both = [cut(near, recipe).images[0, 0].astype(int)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "_FAR", 1)
        both.append(cut(near, recipe).images[0, 0].astype(int))
    assert (
        np.abs(both[0] - both[1]).max() <= 40
    )  # the two ways differ by their filters only, at the one edge
    assert np.abs(both[0] - both[1])[:, [0, 1, 2, 5, 6, 7]].max() <= 1


def test_a_box_without_area_is_refused_by_the_faces_name(toy_faces):
    with pytest.raises(
        DataError,
        match=r"Face 'toy/7/0' has the box \[5.0, 5.0, 5.0, 9.0\]; x1 > x0 and y1 > y0 expected",
    ):
        replace(toy_faces[:1], boxes=np.array([[5, 5, 5, 9]], np.float32))


def test_a_box_shows_that_part_of_the_image_and_repeats_the_edge_beyond():
    image = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)
    faces = toy.draw(1, seed=0)
    faces = replace(faces, images=image, boxes=np.array([[3.5, 1.5, 7.5, 5.5]], np.float32))
    recipe = changed(RECIPE, input_size=(4, 4))
    found = cut(faces, recipe).images[0, 0]
    np.testing.assert_array_equal(found, image[0, 2:6, 4:8])
    outside = cut(
        replace(faces, boxes=np.array([[-2.5, -0.5, 1.5, 3.5]], np.float32)), recipe
    ).images[0, 0]
    np.testing.assert_array_equal(outside, image[0, :4, [0, 0, 0, 1]].T)


@settings(deadline=None, max_examples=60)
# A line of pixels, of which Pillow's first reduction would leave out the neighbours.
@example(x=1.375, y=0.0, width=1.0, height=24.0, size=(7, 4), colour=True, seed=0)
@given(
    x=st.floats(-40, 130),
    y=st.floats(-40, 100),
    width=st.floats(1, 200),
    height=st.floats(1, 200),
    size=st.tuples(st.integers(4, 60), st.integers(4, 60)),
    colour=st.booleans(),
    seed=st.integers(0, 5),
)
def test_a_part_of_an_image_is_cut_as_if_all_of_it_were_inspected(
    x, y, width, height, size, colour, seed
):
    image = np.random.default_rng(seed).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    padded = Image.fromarray(np.pad(image, ((300, 300), (300, 300), (0, 0)), mode="edge")).convert(
        "RGB" if colour else "L"
    )
    at = (x + 300.5, y + 300.5, x + width + 300.5, y + height + 300.5)
    whole = np.asarray(padded.resize(size, Image.Resampling.BILINEAR, box=at)).reshape(
        size[1], size[0], -1
    )
    found = np.moveaxis(
        crops._cut(image, np.array([x, y, x + width, y + height]), size, colour), 0, -1
    ).astype(int)
    # Where the box leaves the image it is grown to the box and no further, which the filter sees
    # in the outermost pixels. Of six pixels to one and more, some are averaged first: on noise, the
    # worst case, that makes a difference.
    is_far_smaller = max(width / size[0], height / size[1]) >= 6
    atol = 12 if is_far_smaller else 1
    np.testing.assert_allclose(found[1:-1, 1:-1], whole[1:-1, 1:-1], atol=atol)


def test_images_in_files_and_in_arrays_give_the_same_canvases(tmp_path, toy_faces):
    some = toy_faces[:3]
    paths = tuple(tmp_path / f"{i}.png" for i in range(3))
    for path, image in zip(paths, some.images, strict=True):
        Image.fromarray(image).save(path)
    boxes = np.array([[10, 12, 80, 90], [-5, 0, 50, 60], [0, 0, 95, 95]], np.float32)
    from_arrays = cut(replace(some, boxes=boxes), RECIPE)
    for _ in range(2):  # the second time from the cache
        from_files = cut(replace(some, images=paths, boxes=boxes), RECIPE)
        assert (from_files.images == from_arrays.images).all()
        np.testing.assert_array_equal(from_files.to_source, from_arrays.to_source)


def test_images_are_numpys_on_the_cpu_and_tensors_elsewhere(toy_faces):
    canvas = cut(toy_faces[:2], RECIPE)
    assert canvas.to("cpu") is canvas and canvas.to(torch.device("cpu")) is canvas
    moved = canvas.to(torch.device("meta"))
    assert (
        isinstance(moved.images, torch.Tensor)
        and moved.images.device.type == "meta"
        and moved.images.shape == canvas.images.shape
    )
    found = batch(canvas, np.arange(2), RECIPE)
    assert found.images.dtype == found.points.dtype == np.float32


def test_a_face_without_a_box_among_boxed_ones_is_the_whole_image(toy_faces):
    boxes = np.array([[1, 2, 30, 40], [np.nan] * 4], np.float32)
    found = crop_boxes(toy_faces.images[:2], boxes)
    assert found.tolist() == [[1, 2, 30, 40], [-0.5, -0.5, 95.5, 95.5]]


@pytest.mark.parametrize(("count", "sizes"), [(10, [4, 4, 2]), (9, [4, 5]), (3, [3]), (4, [4])])
def test_an_epoch_shows_every_face_once_and_never_one_alone(count, sizes):
    order = crops.epoch_order(count, 4, seed=1, epoch=2)
    assert [len(b) for b in order] == sizes
    assert sorted(np.concatenate(order)) == list(range(count))


def test_the_order_differs_between_epochs_and_is_the_same_for_one_epoch():
    assert [len(batch) for batch in crops.epoch_order(11, 4, 1, 2, processes=2)] == [4, 7]
    assert [len(batch) for batch in crops.epoch_order(12, 4, 1, 2, processes=2)] == [4, 4, 4]
    orders = [np.concatenate(crops.epoch_order(10, 4, seed=1, epoch=e)) for e in (2, 2, 3)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
