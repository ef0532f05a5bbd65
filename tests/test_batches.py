"""Canvases: cut at the right place at any scale, with the exact way back; the order of an epoch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nasion import batches, geometry
from nasion.datasets import toy
from nasion.faces import crop_boxes
from nasion.recipes.toy_demo import RECIPE


@settings(deadline=None, max_examples=40)
@given(x=st.floats(-60, 60), y=st.floats(-60, 60), side=st.floats(1, 200), seed=st.integers(0, 20))
def test_points_come_back_from_the_crop_of_any_box(toy_faces, x, y, side, seed):
    boxes = np.array([[x, y, x + side, y + 1.3 * side]], dtype=np.float32)
    faces = replace(toy_faces[[seed]], boxes=boxes)
    canvas = batches.canvases(faces, RECIPE, augmented=True)
    back = geometry.apply(canvas.to_source, canvas.points)
    np.testing.assert_allclose(back, faces.points, atol=1e-3)
    width, height = RECIPE.input_size
    edge = geometry.apply(canvas.to_source[0], geometry.whole_picture(width, height).reshape(2, 2))
    np.testing.assert_allclose(edge.reshape(-1), boxes[0], atol=1e-3)


def test_a_box_shows_that_part_of_the_picture_and_repeats_the_edge_beyond():
    image = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)
    faces = toy.draw(1, seed=0)
    faces = replace(faces, images=image, boxes=np.array([[3.5, 1.5, 7.5, 5.5]], np.float32))
    recipe = replace(RECIPE, input_size=(4, 4), augment=batches.NO_CHANGE)
    found = batches.canvases(faces, recipe).images[0, 0].numpy()
    np.testing.assert_array_equal(found, image[0, 2:6, 4:8])
    outside = batches.canvases(replace(faces, boxes=np.array([[-2.5, -0.5, 1.5, 3.5]], np.float32)), recipe).images[0, 0].numpy()
    np.testing.assert_array_equal(outside, image[0, :4, [0, 0, 0, 1]].T)


def test_pictures_in_files_and_in_arrays_give_the_same_canvases(tmp_path, toy_faces):
    some = toy_faces[:3]
    paths = tuple(tmp_path / f"{i}.png" for i in range(3))
    for path, image in zip(paths, some.images, strict=True):
        Image.fromarray(image).save(path)
    boxes = np.array([[10, 12, 80, 90], [-5, 0, 50, 60], [0, 0, 95, 95]], np.float32)
    from_arrays = batches.canvases(replace(some, boxes=boxes), RECIPE)
    for _ in range(2):  # the second time from the cache
        from_files = batches.canvases(replace(some, images=paths, boxes=boxes), RECIPE)
        assert (from_files.images == from_arrays.images).all()
        np.testing.assert_array_equal(from_files.to_source, from_arrays.to_source)


def test_a_face_without_a_box_among_boxed_ones_is_the_whole_picture(toy_faces):
    boxes = np.array([[1, 2, 30, 40], [np.nan] * 4], np.float32)
    found = crop_boxes(replace(toy_faces[:2], boxes=boxes))
    assert found.tolist() == [[1, 2, 30, 40], [-0.5, -0.5, 95.5, 95.5]]


@pytest.mark.parametrize(("count", "sizes"), [(10, [4, 4, 2]), (9, [4, 5]), (3, [3]), (4, [4])])
def test_an_epoch_shows_every_face_once_and_never_one_alone(count, sizes):
    order = batches.epoch_order(count, 4, seed=1, epoch=2)
    assert [len(b) for b in order] == sizes and sorted(np.concatenate(order)) == list(range(count))
    assert not np.array_equal(np.concatenate(order), np.concatenate(batches.epoch_order(count, 4, seed=1, epoch=3))) or count < 4
    assert np.array_equal(np.concatenate(order), np.concatenate(batches.epoch_order(count, 4, seed=1, epoch=2)))
