"""2x3 affine maps between pixel frames: crop, resize, rotate, flip, and back.

A map takes ``(x, y)`` of one frame to another: ``[x', y'] = M[:, :2] @ [x, y] + M[:, 2]``. Pixel
centres are at integers, so an image of width W covers -0.5 .. W - 0.5. This file is the only place
that handles the half pixel. All functions use float64 and any leading batch dimensions.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import Bool, Float, Float32, Float64, Shaped
from nasion.errors import SettingError


def identity() -> Float64[np.ndarray, "2 3"]:
    return np.eye(2, 3)


def shift(dx: float, dy: float) -> Float64[np.ndarray, "2 3"]:
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])


def flip(width: int) -> Float64[np.ndarray, "2 3"]:
    """Mirror an image of this width: column x becomes column W - 1 - x."""
    # W - 1, not W: centres of the first and last column are 0 and W - 1.
    return np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])


def image_box(width: int, height: int) -> Float64[np.ndarray, 4]:
    """The box x0 y0 x1 y1 of a whole image, to the outer edges of its pixels."""
    return np.array([-0.5, -0.5, width - 0.5, height - 0.5])


def to_relative(
    points: Shaped[np.ndarray, "*batch 2"], size: Shaped[np.ndarray, "*#batch 2"]
) -> Float64[np.ndarray, "*batch 2"]:
    """Pixels of an image of ``size`` (width, height) as fractions, 0 to 1 from edge to edge."""
    return (np.asarray(points, dtype=np.float64) + 0.5) / size


def from_relative(
    fractions: Shaped[np.ndarray, "*batch 2"], size: Shaped[np.ndarray, "*#batch 2"]
) -> Float64[np.ndarray, "*batch 2"]:
    """The inverse of ``to_relative``."""
    return np.asarray(fractions, dtype=np.float64) * size - 0.5


def box_to_frame(
    box: Shaped[np.ndarray, "*batch 4"], size: tuple[int, int]
) -> Float64[np.ndarray, "*batch 2 3"]:
    """Crop ``box`` and resize it to a frame of ``size`` (width, height) pixels.

    Raises ``SettingError`` for a box without area, whose map has no inverse.
    """
    box = _with_area(box)
    # x' = (x - x0) * scale - 0.5, and the same for y.
    scale = np.asarray(size, dtype=np.float64) / (box[..., 2:] - box[..., :2])
    maps = np.zeros((*box.shape[:-1], 2, 3))
    maps[..., 0, 0], maps[..., 1, 1] = scale[..., 0], scale[..., 1]
    # The box's edge falls on the frame's edge (-0.5), not on the centre of its first pixel.
    maps[..., :, 2] = -box[..., :2] * scale - 0.5
    return maps


def frame_to_box(
    size: tuple[int, int], box: Shaped[np.ndarray, "*batch 4"]
) -> Float64[np.ndarray, "*batch 2 3"]:
    """The inverse of ``box_to_frame``: from pixels of the frame to those that ``box`` counts in.

    Raises ``SettingError`` for a box without area.
    """
    box = _with_area(box)
    # x = (x' + 0.5) / scale + x0, and the same for y.
    scale = (box[..., 2:] - box[..., :2]) / size
    maps = np.zeros((*box.shape[:-1], 2, 3))
    maps[..., 0, 0], maps[..., 1, 1] = scale[..., 0], scale[..., 1]
    maps[..., :, 2] = box[..., :2] + scale / 2
    return maps


def _with_area(box: Shaped[np.ndarray, "*batch 4"]) -> Float64[np.ndarray, "*batch 4"]:
    box = np.asarray(box, dtype=np.float64)
    # Not "<=": NaN is refused too.
    good = box[..., 2:] > box[..., :2]
    if not good.all():
        raise SettingError(f"A box needs x1 > x0 and y1 > y0; found {box[~good.all(-1)].tolist()}.")
    return box


def grow_box(box: Shaped[np.ndarray, "*batch 4"], margin: float) -> Float64[np.ndarray, "*batch 4"]:
    """The box with ``margin`` times its side added on each side."""
    box = np.asarray(box, dtype=np.float64)
    sides = box[..., 2:] - box[..., :2]
    return np.concatenate([box[..., :2] - margin * sides, box[..., 2:] + margin * sides], axis=-1)


def shift_box(
    box: Shaped[np.ndarray, "*batch 4"], shift: tuple[float, float]
) -> Float64[np.ndarray, "*batch 4"]:
    """The box moved by so many of its mean sides to the right and down."""
    box = np.asarray(box, dtype=np.float64)
    if not any(shift):
        return box
    size = (box[..., 2:] - box[..., :2]).mean(-1, keepdims=True)
    return box + np.tile(np.asarray(shift), 2) * size


def square_box(box: Shaped[np.ndarray, "*batch 4"]) -> Float64[np.ndarray, "*batch 4"]:
    """The square with the box's centre and mean side: a face in it keeps its proportions."""
    box = np.asarray(box, dtype=np.float64)
    center = (box[..., :2] + box[..., 2:]) / 2
    half = (box[..., 2:] - box[..., :2]).mean(-1, keepdims=True) / 2
    return np.concatenate([center - half, center + half], axis=-1)


def square_around(box: Shaped[np.ndarray, "*batch 4"]) -> Float64[np.ndarray, "*batch 4"]:
    """The smallest square with the box's centre that holds the whole box."""
    box = np.asarray(box, dtype=np.float64)
    center = (box[..., :2] + box[..., 2:]) / 2
    half = (box[..., 2:] - box[..., :2]).max(-1, keepdims=True) / 2
    return np.concatenate([center - half, center + half], axis=-1)


def points_box(points: Float[np.ndarray, "*batch K 2"]) -> Float64[np.ndarray, "*batch 4"]:
    """The tightest box around the labelled points; NaN where a face has none."""
    points = np.asarray(points, dtype=np.float64)
    # Infinities instead of nanmin: that warns about faces without any label.
    labelled = ~np.isnan(points)
    low = np.where(labelled, points, np.inf).min(-2)
    high = np.where(labelled, points, -np.inf).max(-2)
    box = np.concatenate([low, high], axis=-1)
    return np.where(np.isfinite(box), box, np.nan)


def has_area(box: Shaped[np.ndarray, "*batch 4"]) -> Bool[np.ndarray, "*batch"]:
    """Whether x1 > x0 and y1 > y0 in float32, in which faces keep boxes; False for NaN.

    A thin box far from the origin has no area there.
    """
    kept = np.asarray(box).astype(np.float32)
    return np.asarray((kept[..., 2:] > kept[..., :2]).all(axis=-1))


def tight_boxes(points: Float[np.ndarray, "N K 2"]) -> Float32[np.ndarray, "N 4"] | None:
    """The boxes around the labelled points, as faces keep them; None if there is none.

    NaN, a face without a box, for points that span no area: one point, or several in one row or
    column of pixels.
    """
    boxes = points_box(points).astype(np.float32)
    spanned = has_area(boxes)
    return np.where(spanned[:, None], boxes, np.float32(np.nan)) if spanned.any() else None


def similarity(
    center: tuple[float, float],
    degrees: Float64[np.ndarray, " *batch"],
    scale: Float64[np.ndarray, " *batch"],
    move: Float64[np.ndarray, "*batch 2"],
) -> Float64[np.ndarray, "*batch 2 3"]:
    """Rotate (clockwise in the image) and scale about ``center``, then move by ``move`` pixels."""
    angle = np.deg2rad(degrees)
    # y points down, so this matrix turns clockwise as seen.
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    origin = np.asarray(center, dtype=np.float64)
    # L (p - c) + c + move = L p + (c - L c + move).
    return np.concatenate([linear, (origin - linear @ origin + move)[..., None]], axis=-1)


def stretch(
    size: tuple[int, int], factor: Float64[np.ndarray, " *batch"]
) -> Float64[np.ndarray, "*batch 2 3"]:
    """Make a (width, height) frame ``factor`` times as wide and 1 / ``factor`` as high."""
    maps = np.zeros((*factor.shape, 2, 3))
    maps[..., 0, 0], maps[..., 1, 1] = factor, 1 / factor
    # The centre of pixel centres 0 .. W - 1; it stays where it is.
    center = (np.array(size) - 1) / 2
    maps[..., 2] = center - center * np.stack([factor, 1 / factor], axis=-1)
    return maps


def compose(*maps: Shaped[np.ndarray, "*#batch 2 3"]) -> Float64[np.ndarray, "... 2 3"]:
    """Apply the maps one after the other, the first one first; batches broadcast."""
    result = np.asarray(maps[0], dtype=np.float64)
    for step in maps[1:]:
        # S (R p + r) + s = S R p + (S r + s).
        linear = step[..., :2] @ result[..., :2]
        offset = step[..., :2] @ result[..., 2:] + step[..., 2:]
        result = np.concatenate([linear, offset], axis=-1)
    return result


def invert(maps: Shaped[np.ndarray, "*batch 2 3"]) -> Float64[np.ndarray, "*batch 2 3"]:
    """The inverse maps. Raises ``numpy.linalg.LinAlgError`` for a singular one."""
    linear = np.linalg.inv(np.asarray(maps, dtype=np.float64)[..., :2])
    # p = L^-1 (p' - t) = L^-1 p' - L^-1 t.
    return np.concatenate([linear, -linear @ maps[..., 2:]], axis=-1)


def apply(
    maps: Shaped[np.ndarray, "*#batch 2 3"], points: Shaped[np.ndarray, "*#batch K 2"]
) -> Float64[np.ndarray, "... K 2"]:
    """Map points; NaN stays NaN."""
    points = np.asarray(points, dtype=np.float64)
    # Points are rows, so the matrix is transposed; the offset gets an axis for the points.
    return points @ np.swapaxes(maps[..., :2], -1, -2) + maps[..., None, :, 2]


def map_scale(maps: Shaped[np.ndarray, "*batch 2 3"]) -> Float64[np.ndarray, " *batch"]:
    """How many times longer a map makes lengths (the square root of its area factor)."""
    # abs: a flip has a negative determinant.
    return np.sqrt(np.abs(np.linalg.det(np.asarray(maps, dtype=np.float64)[..., :2])))


def to_unit_square(size: tuple[int, int]) -> Float64[np.ndarray, "2 3"]:
    """Pixels to -1 .. 1 from edge to edge, as ``grid_sample(align_corners=False)`` counts."""
    # A frame of 2 x 2 pixels runs from -0.5 to 1.5; half a pixel less is -1 to 1.
    return compose(box_to_frame(image_box(*size), (2, 2)), shift(-0.5, -0.5))
