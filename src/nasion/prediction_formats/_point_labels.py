"""Names or numbers beside drawn points, placed so that none covers a mark or another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.landmarks.face import Face
from nasion.prediction_formats._draw_style import MarkedFace
from nasion.prediction_formats._face_marks import mark_radius

# A label's height is the face's side over this; in small faces the minimum in pixels.
_SIZE = {"numbers": 40, "names": 60}
_MIN_SIZE = 8
_REACH = 0.2  # how far from its point a label may be, in sides of the face
_DIRECTIONS = 16  # that are tried at each distance
_CHUNK = 8 * _DIRECTIONS  # places that are compared at once
_SIDEWAYS = 1.5  # label heights: how much nearer a place above or below must be than one beside


def draw_point_labels(
    image: Any,
    faces: Sequence[MarkedFace],
    factor: int,
    taken: Sequence[tuple[float, float, float, float]],
) -> None:
    """Write the points' names or numbers into a Pillow image that was enlarged by ``factor``.

    ``taken``: places of other captions. Labels that find no room are left out, as in faces of a few
    pixels.
    """
    if not any(each.labels != "none" for each in faces):
        return
    # Pillow draws from pixel corners.
    points = [(each.face.points.astype(np.float64) + 0.5) * factor for each in faces]
    radii = [mark_radius(each.side * factor, 1) for each in faces]
    marks = [
        np.concatenate([at - radius, at + radius], axis=1)
        for at, radius in zip(points, radii, strict=True)
    ]
    occupied = np.concatenate([*marks, np.array(taken, dtype=np.float64).reshape(-1, 4)])
    for each, at, radius in zip(faces, points, radii, strict=True):
        face, labels, side = each.face, each.labels, each.side * factor
        # Only what is near enough to be in the way.
        known = at[np.isfinite(at[:, 0])]
        if labels == "none" or not len(known):
            continue
        low, high = known.min(0) - 2 * side, known.max(0) + 2 * side
        near = (occupied[:, 2:] > low).all(1) & (occupied[:, :2] < high).all(1)
        places = _draw_face_labels(image, face, at, radius, side, labels, occupied[near])
        occupied = np.concatenate([occupied, places])


def _draw_face_labels(
    image: Any,
    face: Face,
    points: Float64[np.ndarray, "K 2"],
    radius: float,
    side: float,
    labels: str,
    occupied: Float64[np.ndarray, "M 4"],
) -> Float64[np.ndarray, "L 4"]:
    """Write one face's labels; returns where they are."""
    from PIL import ImageDraw, ImageFont

    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(side / _SIZE[labels], _MIN_SIZE))
    texts = [str(k) for k in range(len(points))] if labels == "numbers" else list(face.names)
    boxes = np.array([font.getbbox(text, stroke_width=1) for text in texts], dtype=np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    places = place_labels(points, sizes, occupied, radius, _REACH * side, image.size)
    drawn = np.flatnonzero(np.isfinite(places[:, 0]))
    width = max(1, round(side / 500))
    for k in drawn:
        nearest = np.clip(points[k], places[k, :2], places[k, 2:])
        if np.linalg.norm(nearest - points[k]) > 3 * radius:
            ends = [tuple(points[k].tolist()), tuple(nearest.tolist())]
            pen.line(ends, fill=(0, 0, 0), width=width + 2)
            pen.line(ends, fill=(255, 255, 255), width=width)
    for k in drawn:
        corner = tuple((places[k, :2] - boxes[k, :2]).tolist())
        pen.text(
            corner, texts[k], font=font, fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0)
        )
    return places[drawn]


def place_labels(
    points: Float64[np.ndarray, "K 2"],
    sizes: Float64[np.ndarray, "K 2"],
    occupied: Float64[np.ndarray, "M 4"],
    radius: float,
    reach: float,
    bounds: tuple[int, int],
) -> Float64[np.ndarray, "K 4"]:
    """Places of labels of these sizes (width, height), each near its point, on none occupied.

    The nearest free place within the image of size ``bounds``, rather beside the point, away from
    the middle of the face, than above or below. NaN for a label without a free place within
    ``reach``, or whose point is not known.
    """
    places = np.full((len(points), 4), np.nan)
    known = np.isfinite(points[:, 0])
    middle = points[known].mean(0) if known.any() else np.zeros(2)
    # Outer points first: they are not in each other's way, and inner ones find room between.
    order = np.argsort(-np.linalg.norm(points - middle, axis=1))
    for k in order:
        if not known[k]:
            continue
        outwards = 1.0 if points[k, 0] >= middle[0] else -1.0
        offsets = _offsets(sizes[k], 1.3 * radius, reach, outwards)
        for start in range(0, len(offsets), _CHUNK):
            corners = points[k] + offsets[start : start + _CHUNK]
            free = _first_free(corners, sizes[k], occupied, bounds)
            if free is not None:
                places[k] = [*free, *(free + sizes[k])]
                occupied = np.concatenate([occupied, places[k : k + 1]])
                break
    return places


def _offsets(
    size: Float64[np.ndarray, 2], gap: float, reach: float, outwards: float
) -> Float64[np.ndarray, "N 2"]:
    """Top left corners of a label relative to its point, the best first."""
    height = size[1]
    distances = np.arange(gap, max(reach, gap + 1), 0.7 * height)
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # The label's nearest side, edge or corner is at the distance.
    centres = directions[None] * distances[:, None, None] + directions[None] * size / 2
    cost = distances[:, None] + _SIDEWAYS * height * (1 - outwards * np.cos(angles))[None]
    best = np.argsort(cost, axis=None, kind="stable")
    return centres.reshape(-1, 2)[best] - size / 2


def _first_free(
    corners: Float64[np.ndarray, "N 2"],
    size: Float64[np.ndarray, 2],
    occupied: Float64[np.ndarray, "M 4"],
    bounds: tuple[int, int],
) -> Float64[np.ndarray, 2] | None:
    """The first of these corners at which a label of this size is free; None for none."""
    ends = corners + size
    inside = (corners >= 0).all(1) & (ends <= np.array(bounds)).all(1)
    before = (ends[:, None] <= occupied[None, :, :2]).any(2)
    behind = (corners[:, None] >= occupied[None, :, 2:]).any(2)
    # Marks of points that are not known are NaN, and in nobody's way.
    unknown = np.isnan(occupied[:, 0])
    free = inside & (before | behind | unknown).all(1)
    return corners[int(np.argmax(free))] if free.any() else None
