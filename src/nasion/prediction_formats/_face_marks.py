"""A face's points, lines and areas and its head's axes, drawn into an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from nasion.array_types import Float, Float64
from nasion.prediction_formats._draw_style import MarkedFace
from nasion.prediction_formats._face_areas import draw_areas
from nasion.prediction_formats._head_axes import axis_ends, draw_head_axes

# From low to high scores, dark to light, so that everyone can tell them apart (plasma).
_COLOURS = np.array(
    [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], dtype=np.float64
)
_LARGEST = 6000  # pixels of a finer layer's side
_LINE_ALPHA, _THIN_ALPHA = 150, 110  # of lines, and of those to hidden points
_SUPERSAMPLING = 2  # layer pixels per image pixel and axis
_MIN_RING = 2.4  # image pixels: the hole of a smaller ring cannot be seen


def score_colour(score: float) -> tuple[int, int, int]:
    """RGB of a score from 0 to 1."""
    return _score_colours(np.array([score]))[0]


def _score_colours(scores: Float[np.ndarray, " n"]) -> list[tuple[int, int, int]]:
    scores = np.where(np.isnan(scores), 0, scores).astype(np.float64)
    at = np.clip(scores, 0, 1) * (len(_COLOURS) - 1)
    low = np.minimum(at.astype(int), len(_COLOURS) - 2)
    mixed = _COLOURS[low] + (at - low)[:, None] * (_COLOURS[low + 1] - _COLOURS[low])
    return [(red, green, blue) for red, green, blue in np.rint(mixed).astype(int).tolist()]


def mark_radius(side: float, fine: int) -> float:
    """Of a point's mark in a face with this side."""
    # A smaller mark has no colour in video, where 2 x 2 pixels share one; larger ones would cover a
    # small face.
    return max(side / 80, 1.2 * fine)


def draw_marks(image: Any, marked: MarkedFace, factor: int) -> None:
    """Draw a face into a Pillow image that was enlarged by ``factor``."""
    from PIL import Image, ImageDraw

    # Marks of a face that is far larger than its image would take seconds each.
    side = min(marked.side * factor, 2 * max(image.size))
    # On a finer layer around the face that is averaged down: Pillow's own lines are jagged.
    # Bounds the layer of a very large face.
    fine = _SUPERSAMPLING if side * _SUPERSAMPLING <= _LARGEST else 1
    x0, y0, x1, y1 = _area(image, marked, factor)
    if x1 <= x0 or y1 <= y0:
        return

    def to_layer(points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        # Pillow draws from pixel corners.
        return ((points + 0.5) * factor - [x0, y0]) * fine

    layer = Image.new("RGBA", ((x1 - x0) * fine, (y1 - y0) * fine))
    points = to_layer(marked.face.points.astype(np.float64))
    pen, radius = ImageDraw.Draw(layer), mark_radius(side * fine, fine)
    if "fill" in marked.marks:
        draw_areas(pen, marked.face.scheme, points)
    if "lines" in marked.marks:
        _draw_lines(pen, marked, points, radius)
    if "axes" in marked.marks and marked.measured is not None:
        draw_head_axes(pen, marked.measured, to_layer, factor * fine)
    if "points" in marked.marks:
        _draw_points(pen, marked, points, radius, fine)
    seen = layer.reduce(fine) if fine > 1 else layer
    if image.mode == "RGBA":
        image.alpha_composite(seen, (x0, y0))
    else:
        image.paste(seen, (x0, y0), seen)


def _area(image: Any, marked: MarkedFace, factor: int) -> list[int]:
    """x0 y0 x1 y1 of what is drawn, clipped to the image, in its pixels."""
    box = marked.face.box.astype(np.float64)
    if "axes" in marked.marks and marked.measured is not None:
        ends = axis_ends(marked.measured)
        if np.isfinite(ends).all():
            low, high = np.minimum(box[:2], ends.min(0)), np.maximum(box[2:], ends.max(0))
            box = np.concatenate([low, high])
    margin = 0.1 * marked.side * factor + 8
    area = np.concatenate([box[:2] * factor - margin, box[2:] * factor + margin])
    # size * 2: width, height, width, height.
    return np.clip(area, 0, image.size * 2).astype(int).tolist()


def _draw_lines(
    pen: Any, marked: MarkedFace, points: Float64[np.ndarray, "K 2"], radius: float
) -> None:
    known, hidden = np.isfinite(points[:, 0]).tolist(), marked.face.hidden.tolist()
    # Lists: single numbers of an array are slow to read.
    places = [(x, y) for x, y in points.tolist()]
    for a, b in marked.face.scheme.edge_index.tolist():
        if known[a] and known[b]:
            is_thin = hidden[a] or hidden[b]
            alpha, width = (_THIN_ALPHA, radius / 4) if is_thin else (_LINE_ALPHA, radius / 2)
            fill = (255, 255, 255, alpha)
            pen.line([places[a], places[b]], fill=fill, width=max(1, round(width)))


def _draw_points(
    pen: Any, marked: MarkedFace, points: Float64[np.ndarray, "K 2"], radius: float, fine: int
) -> None:
    face = marked.face
    hidden = face.hidden
    # Hidden points first, so that none covers a visible one.
    order = np.argsort(~hidden, kind="stable")
    order = order[np.isfinite(points[order, 0])]
    colours = _score_colours(np.ones(len(points)) if face.scores is None else face.scores)
    drawn = zip(order.tolist(), hidden[order].tolist(), points[order].tolist(), strict=True)
    for k, is_hidden, (x, y) in drawn:
        colour = (*colours[k], 255)
        if is_hidden:
            _draw_ring(pen, x, y, max(radius, _MIN_RING * fine), colour)
        else:
            circle = [x - radius, y - radius, x + radius, y + radius]
            pen.ellipse(circle, fill=colour, outline=(0, 0, 0, 255))


def _draw_ring(pen: Any, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
    """A hollow mark: a ring with a dark rim, through which the image is seen."""
    rim, clear = (0, 0, 0, 255), (0, 0, 0, 0)
    for reach, fill in ((radius + 1, rim), (radius, colour), (radius * 0.55, clear)):
        pen.ellipse([x - reach, y - reach, x + reach, y + reach], fill=fill)
