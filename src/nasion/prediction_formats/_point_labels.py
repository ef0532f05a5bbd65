"""Names or numbers beside drawn points, placed so that none covers a mark or another one.

A label that finds no room beside its point is joined to it by a line, which crosses no mark and no
label where that can be avoided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nasion.array_types import Bool, Float64
from nasion.landmarks.face import Face
from nasion.prediction_formats._draw_style import MarkedFace
from nasion.prediction_formats._face_marks import mark_radius

# A label's height is the face's side over this; in small faces the minimum in pixels.
_SIZE = {"numbers": 40, "names": 60}
_MIN_SIZE = 8
_REACH = 0.35  # how far from its point a label may be, in sides of the face
_DIRECTIONS = 32  # that are tried at each distance
_TRIES = 4  # of different orders
_MOST_POOR = 8  # labels; with more of them there is too little room for any order
_CHUNK = 2 * _DIRECTIONS  # places that are compared at once
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

    # Of a face that is larger than its image, labels have the size and reach that fit the image.
    side = min(side, max(image.size))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(side / _SIZE[labels], _MIN_SIZE))
    texts = [str(k) for k in range(len(points))] if labels == "numbers" else list(face.names)
    boxes = np.array([font.getbbox(text, stroke_width=1) for text in texts], dtype=np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    places = place_labels(points, sizes, occupied, radius, _REACH * side, image.size)
    drawn = np.flatnonzero(np.isfinite(places[:, 0]))
    width = max(1, round(side / 500))
    for k in drawn:
        end = np.clip(points[k], places[k, :2], places[k, 2:])
        if _is_joined(end - points[k], radius):
            ends = [tuple(points[k].tolist()), tuple(end.tolist())]
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
    the middle of the face, than above or below; if there is one, the nearest whose line to the
    point crosses nothing. NaN for a label without a free place within ``reach``, or whose point is
    not known.
    """
    known = np.isfinite(points[:, 0])
    middle = points[known].mean(0) if known.any() else np.zeros(2)
    # Marks of points that are not known are NaN.
    start = _Layout(occupied[np.isfinite(occupied[:, 0])], np.empty((0, 4)), radius, bounds)
    candidates = [
        at + _offsets(size, 1.3 * radius, reach, 1.0 if at[0] >= middle[0] else -1.0)
        for at, size in zip(points, sizes, strict=True)
    ]
    # Outer points first: they are not in each other's way, and inner ones find room between.
    order = [int(k) for k in np.argsort(-np.linalg.norm(points - middle, axis=1)) if known[k]]
    best, fewest = np.full((len(points), 4), np.nan), len(points) + 1
    for _ in range(_TRIES):
        places, poor = _place_in_order(start, order, points, sizes, candidates)
        if len(poor) < fewest:
            best, fewest = places, len(poor)
        if not 0 < len(poor) <= _MOST_POOR:
            break
        # Those choose first next time.
        order = poor + [k for k in order if k not in poor]
    return best


def _place_in_order(
    layout: _Layout,
    order: Sequence[int],
    points: Float64[np.ndarray, "K 2"],
    sizes: Float64[np.ndarray, "K 2"],
    candidates: Sequence[Float64[np.ndarray, "_ 2"]],
) -> tuple[Float64[np.ndarray, "K 4"], list[int]]:
    """(places, which labels have none or a line that crosses something)."""
    places, poor = np.full((len(points), 4), np.nan), []
    for k in order:
        corner, is_clear = layout.choose(points[k], candidates[k], sizes[k])
        if not is_clear:
            poor.append(k)
        if corner is not None:
            places[k] = [*corner, *(corner + sizes[k])]
            layout = layout.with_label(points[k], places[k])
    return places, poor


@dataclass(frozen=True)
class _Layout:
    """What is drawn so far. ``lines``: from points to their labels, (x0, y0, x1, y1) each."""

    occupied: Float64[np.ndarray, "M 4"]
    lines: Float64[np.ndarray, "S 4"]
    radius: float
    bounds: tuple[int, int]

    def choose(
        self,
        point: Float64[np.ndarray, 2],
        corners: Float64[np.ndarray, "N 2"],
        size: Float64[np.ndarray, 2],
    ) -> tuple[Float64[np.ndarray, 2] | None, bool]:
        """(the first free one of these corners whose line crosses nothing, True).

        (the first free one, False) if there is none; (None, False) if none is free.
        """
        first = None
        for start in range(0, len(corners), _CHUNK):
            some = corners[start : start + _CHUNK]
            some = some[self._is_free(some, size)]
            if len(some) and first is None:
                first = some[0]
            clear = self._has_clear_line(point, some, size)
            if clear.any():
                return some[int(np.argmax(clear))], True
        return first, False

    def with_label(self, point: Float64[np.ndarray, 2], place: Float64[np.ndarray, 4]) -> _Layout:
        end = np.clip(point, place[:2], place[2:])
        lines = self.lines
        if _is_joined(end - point, self.radius):
            lines = np.concatenate([lines, [[*point, *end]]])
        return replace(self, occupied=np.concatenate([self.occupied, place[None]]), lines=lines)

    def _is_free(
        self, corners: Float64[np.ndarray, "N 2"], size: Float64[np.ndarray, 2]
    ) -> Bool[np.ndarray, " N"]:
        """Within the image, and on nothing but lines."""
        ends = corners + size
        inside = (corners >= 0).all(1) & (ends <= np.array(self.bounds)).all(1)
        before = (ends[:, None] <= self.occupied[None, :, :2]).any(2)
        behind = (corners[:, None] >= self.occupied[None, :, 2:]).any(2)
        return inside & np.all(before | behind, axis=1)

    def _has_clear_line(
        self,
        point: Float64[np.ndarray, 2],
        corners: Float64[np.ndarray, "N 2"],
        size: Float64[np.ndarray, 2],
    ) -> Bool[np.ndarray, " N"]:
        """Neither the label lies on a line, nor does its own line cross anything."""
        places = np.concatenate([corners, corners + size], axis=1)
        ends = np.clip(point, places[:, :2], places[:, 2:])
        own = np.concatenate([np.broadcast_to(point, ends.shape), ends], axis=1)
        # Its line starts in its own mark.
        low, high = self.occupied[:, :2], self.occupied[:, 2:]
        around = np.all((low <= point) & (point <= high), axis=1)
        crossing = _line_meets_box(own, self.occupied[~around]).any(1)
        crossing |= _lines_cross(own, self.lines).any(1)
        alone = ~_is_joined(ends - point, self.radius) | ~crossing
        return alone & ~_line_meets_box(self.lines, places).any(0)


def _is_joined(
    offset: Float64[np.ndarray, "*n 2"], radius: float
) -> Bool[np.ndarray, "*n"] | np.bool_:
    """A line joins a label to a point that is this far from its nearest edge."""
    return np.linalg.norm(offset, axis=-1) > 3 * radius


def _line_meets_box(
    lines: Float64[np.ndarray, "S 4"], boxes: Float64[np.ndarray, "M 4"]
) -> Bool[np.ndarray, "S M"]:
    """Which lines have a part in the inside of which boxes."""
    start = lines[:, None, :2]
    way = lines[:, None, 2:] - start
    way = np.where(np.abs(way) < 1e-9, 1e-9, way)
    first, last = (boxes[None, :, :2] - start) / way, (boxes[None, :, 2:] - start) / way
    enters = np.minimum(first, last).max(axis=2)
    leaves = np.maximum(first, last).min(axis=2)
    return np.maximum(enters, 0) < np.minimum(leaves, 1)


def _lines_cross(
    first: Float64[np.ndarray, "S 4"], second: Float64[np.ndarray, "T 4"]
) -> Bool[np.ndarray, "S T"]:
    first, second = first[:, None], second[None]

    def side(line: Any, at: Any) -> Any:
        way, to = line[..., 2:] - line[..., :2], at - line[..., :2]
        return np.sign(way[..., 0] * to[..., 1] - way[..., 1] * to[..., 0])

    parted = side(first, second[..., :2]) * side(first, second[..., 2:]) < 0
    return parted & (side(second, first[..., :2]) * side(second, first[..., 2:]) < 0)


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
