"""Refinement: crop a face again, upright and in the box of the points found before."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nasion.array_types import Float64, Int64
from nasion.landmarks import geometry
from nasion.landmarks.head_pose import LEAST_POINTS
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme
from nasion.model_spec import ModelSpec

WELL_CROPPED = 0.08  # of the crop's side: if its corners are off by less, it is not refined


def upright_maps(
    points: Float64[np.ndarray, "N K 2"], spec: ModelSpec
) -> Float64[np.ndarray, "N 2 3"]:
    """Maps from the input's pixels to the source's that show each face upright in its points' box.

    Faces are levelled by ``_tilt``.
    """
    angle = np.deg2rad(_tilt(points, spec.scheme))
    turn = np.zeros((len(points), 2, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0] = np.sin(angle)
    turn[:, 0, 1] = -turn[:, 1, 0]
    # In this frame the eyes are level, so the face's box is upright; `turn` leads back to the
    # source. Points are rows, and a rotation's inverse is its transpose.
    level = points @ turn[:, :, :2]
    low, high = level.min(axis=1), level.max(axis=1)
    # A face shrunk to a point would have no box.
    box = np.concatenate([low, np.maximum(high, low + 1)], axis=1)
    box = geometry.square_box(box) if spec.square else box
    shifted = geometry.shift_box(box, spec.box_shift)
    grown = geometry.grow_box(shifted, (spec.box_scale - 1) / 2)
    return geometry.compose(geometry.frame_to_box(spec.input_size, grown), turn)


def _tilt(points: Float64[np.ndarray, "N K 2"], scheme: Scheme) -> Float64[np.ndarray, " N"]:
    """By how many degrees each face is tilted in its image's plane.

    From all points whose places on the mean face in three dimensions are known: the rotation that
    is nearest to the camera's image of the face's own axes. In a profile the eyes are behind each
    other, so the line through them says nothing. A scheme with few such points is levelled by its
    norm (usually the eyes); without one faces are not rotated.
    """
    known, camera = _affine_camera(scheme)
    if len(known):
        # (N, 2, 2): where the face's axes to its left and down point to in the image.
        axes = np.einsum("nkd,ak->nda", points[:, known], camera)
        return np.rad2deg(np.arctan2(axes[:, 1, 0] - axes[:, 0, 1], axes[:, 0, 0] + axes[:, 1, 1]))
    groups = scheme.norm_groups()
    if not groups:
        return np.zeros(len(points))
    # A scheme's norm names the subject's right side first, which is on the left of the image.
    right, left = (points[:, scheme.index(group)].mean(1) for group in groups)
    # (left - right).T[::-1] is (dy, dx), the order that arctan2 takes.
    return np.rad2deg(np.arctan2(*(left - right).T[::-1]))


@lru_cache(maxsize=16)
def _affine_camera(scheme: Scheme) -> tuple[Int64[np.ndarray, " k"], Float64[np.ndarray, "2 k"]]:
    """The positions of points with known places, and what maps them to the image of two axes.

    By least squares: points are an affine function of the places. No positions if there are too few
    for that.
    """
    places = mean_face(scheme)
    known = np.flatnonzero(~np.isnan(places[:, 0]))
    if len(known) < LEAST_POINTS:
        return known[:0], np.zeros((2, 0))
    ones = np.ones((len(known), 1))
    return known, np.linalg.pinv(np.concatenate([places[known], ones], axis=1))[:2]


def corner_distance(
    seen: Float64[np.ndarray, "N 2 3"],
    wanted: Float64[np.ndarray, "N 2 3"],
    size: tuple[int, int],
) -> Float64[np.ndarray, " N"]:
    """How far the corners of two crops of one image are apart, as a fraction of the crop's side."""
    right, bottom = size[0] - 1, size[1] - 1
    corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], dtype=np.float64)
    offset = geometry.apply(seen, corners) - geometry.apply(wanted, corners)
    # The crop's mean side, in source pixels as the offsets are.
    side = geometry.map_scale(wanted) * np.sqrt(size[0] * size[1])
    return np.linalg.norm(offset, axis=-1).max(1) / side
