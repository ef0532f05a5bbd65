"""Refinement: crop a face again, upright and in the box of the points found before."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nasion.landmarks import geometry
from nasion.model_spec import ModelSpec

WELL_CROPPED = 0.08  # of the crop's side: if its corners are off by less, it is not refined


def upright_maps(
    points: Float64[np.ndarray, "N K 2"], spec: ModelSpec
) -> Float64[np.ndarray, "N 2 3"]:
    """Maps from the input's pixels to the source's that show each face upright in its points' box.

    Faces are levelled by the scheme's norm (usually the eyes); without one they are not rotated.
    """
    groups = spec.scheme.norm_groups()
    angle = np.zeros(len(points))
    if groups:
        # A scheme's norm names the subject's right side first, which is on the left of the image.
        right, left = (points[:, spec.scheme.index(group)].mean(1) for group in groups)
        # (left - right).T[::-1] is (dy, dx), the order that arctan2 takes.
        angle = np.rad2deg(np.arctan2(*(left - right).T[::-1]))
    no_shift, no_scale = np.zeros((len(points), 2)), np.ones(len(points))
    turn = geometry.similarity((0.0, 0.0), angle, no_scale, no_shift)
    # In this frame the eyes are level, so the face's box is upright; `turn` leads back to the
    # source.
    level = geometry.apply(geometry.invert(turn), points)
    box = geometry.points_box(level)
    # A face shrunk to a point would have no box.
    box = np.concatenate([box[:, :2], np.maximum(box[:, 2:], box[:, :2] + 1)], axis=1)
    box = geometry.square_box(box) if spec.square else box
    shifted = geometry.shift_box(box, spec.box_shift)
    grown = geometry.grow_box(shifted, (spec.box_scale - 1) / 2)
    from_input = geometry.invert(geometry.box_to_frame(grown, spec.input_size))
    return geometry.compose(from_input, turn)


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
