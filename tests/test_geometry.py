"""Affine maps: worked cases for the half pixel, and properties over random boxes and maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasion.errors import SettingError
from nasion.landmarks import geometry

coordinate = st.floats(-500, 500)
side = st.floats(0.01, 5000)
sizes = st.tuples(st.integers(1, 640), st.integers(1, 640))
boxes = st.tuples(coordinate, coordinate, side, side).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)
angles, scales = st.floats(-180, 180), st.floats(0.1, 10)
POINTS = np.array([[0.0, 0.0], [3.5, -2.0], [100.0, 47.25]])


def test_a_flip_of_a_96_wide_image_takes_column_0_to_95():
    assert geometry.apply(geometry.flip(96), np.array([[0.0, 3.0], [95.0, 3.0]])).tolist() == [
        [95, 3],
        [0, 3],
    ]


def test_halving_an_image_moves_pixel_1_to_a_quarter():
    assert geometry.apply(
        geometry.box_to_frame(geometry.image_box(96, 96), (48, 48)), np.array([[1.0, 0.0]])
    ).tolist() == [[0.25, -0.25]]


def test_the_edges_of_an_image_stay_edges_when_it_is_resized():
    corners = geometry.image_box(640, 480).reshape(2, 2)
    moved = geometry.apply(geometry.box_to_frame(geometry.image_box(640, 480), (160, 120)), corners)
    np.testing.assert_allclose(moved.reshape(-1), geometry.image_box(160, 120))


def test_a_quarter_turn_about_the_centre_takes_right_to_down():
    turn = geometry.similarity((2.0, 2.0), np.array(90.0), np.array(1.0), np.zeros(2))
    np.testing.assert_allclose(
        geometry.apply(turn, np.array([[4.0, 2.0]])), [[2.0, 4.0]], atol=1e-12
    )


def test_compose_runs_the_first_map_first():
    both = geometry.compose(geometry.shift(1, 0), geometry.flip(11))
    assert geometry.apply(both, np.array([[2.0, 0.0]])).tolist() == [[7.0, 0.0]]


def test_the_unit_square_counts_from_edge_to_edge():
    found = geometry.apply(
        geometry.to_unit_square((4, 2)), np.array([[-0.5, -0.5], [1.5, 0.5], [3.5, 1.5]])
    )
    np.testing.assert_allclose(found, [[-1, -1], [0, 0], [1, 1]])


def test_a_box_without_area_is_refused_with_its_numbers():
    with pytest.raises(SettingError, match=r"x1 > x0 .* \[\[3.0, 0.0, 3.0, 5.0\]\]"):
        geometry.box_to_frame(np.array([[3.0, 0, 3, 5]]), (10, 10))


def test_points_that_span_no_area_have_no_tight_box():
    nan = np.nan
    # A face, one point, a row of pixels, a thin column far away: one pixel apart in float32.
    points = np.array(
        [[[1, 2], [5, 9]], [[3, 4], [nan, nan]], [[1, 2], [8, 2]], [[3e6, 1], [3e6 + 0.01, 9]]]
    )
    found = geometry.tight_boxes(points)
    np.testing.assert_array_equal(found, [[1, 2, 5, 9], *[[nan] * 4] * 3])
    assert found.dtype == np.float32 and geometry.tight_boxes(points[1:]) is None
    assert geometry.has_area(np.array([[0, 0, 1, 1], [0, 0, 1, 0], [nan] * 4])).tolist() == [
        True,
        False,
        False,
    ]


def test_the_box_around_points_ignores_missing_ones():
    points = np.array([[[1.0, 2.0], [np.nan, np.nan], [5.0, -3.0]], [[np.nan] * 2] * 3])
    found = geometry.points_box(points)
    assert found[0].tolist() == [1, -3, 5, 2] and np.isnan(found[1]).all()


@settings(deadline=None)
@given(box=boxes, size=sizes)
def test_a_crop_and_the_way_back_are_the_identity(box, size):
    there = geometry.box_to_frame(box, size)
    back = geometry.invert(there)
    scale = np.abs(box).max() + 1
    np.testing.assert_allclose(
        geometry.apply(back, geometry.apply(there, POINTS)), POINTS, atol=1e-9 * scale * 10
    )
    np.testing.assert_allclose(
        geometry.apply(back, geometry.image_box(*size).reshape(2, 2)).reshape(-1),
        box,
        atol=1e-9 * scale,
    )


@settings(deadline=None)
@given(
    degrees=angles, scale=scales, move=st.tuples(coordinate, coordinate), width=st.integers(1, 300)
)
def test_a_similarity_keeps_angles_and_scales_lengths(degrees, scale, move, width):
    turn = geometry.similarity((width / 2, 7.0), np.array(degrees), np.array(scale), np.array(move))
    moved = geometry.apply(turn, POINTS)
    before, after = POINTS[1:] - POINTS[0], moved[1:] - moved[0]
    np.testing.assert_allclose(
        np.linalg.norm(after, axis=1), scale * np.linalg.norm(before, axis=1), rtol=1e-9
    )
    np.testing.assert_allclose(
        np.linalg.det(np.stack([after])), scale**2 * np.linalg.det(np.stack([before])), rtol=1e-7
    )
    np.testing.assert_allclose(geometry.apply(geometry.invert(turn), moved), POINTS, atol=1e-7)


@settings(deadline=None)
@given(width=st.integers(1, 1000))
def test_a_flip_undoes_itself(width):
    twice = geometry.compose(geometry.flip(width), geometry.flip(width))
    np.testing.assert_allclose(twice, geometry.identity())


@settings(deadline=None)
@given(box=boxes, a=angles, b=angles)
def test_composing_is_applying_one_after_the_other_and_batches_broadcast(box, a, b):
    first = geometry.box_to_frame(box, (96, 96))
    turns = geometry.similarity((47.5, 47.5), np.array([a, b]), np.ones(2), np.zeros((2, 2)))
    both = geometry.compose(first, turns)
    expected = geometry.apply(turns, np.broadcast_to(geometry.apply(first, POINTS), (2, 3, 2)))
    np.testing.assert_allclose(geometry.apply(both, POINTS[None]), expected, rtol=1e-9, atol=1e-4)
