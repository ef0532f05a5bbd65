"""Each image with its faces drawn in: points coloured by score, lines between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from nasion.landmarks.face import Face, ImageResult
from nasion.media.drawn_marks import DRAWN_MARK
from nasion.media.images import as_pixels, jpeg_bytes
from nasion.prediction_formats._face_boxes import draw_face_boxes
from nasion.prediction_formats._point_labels import LABELS as LABELS
from nasion.prediction_formats._point_labels import draw_point_labels

MEDIA_TYPE = "image/jpeg"
NEEDS_PIXELS = True
# From low to high scores, dark to light, so that everyone can tell them apart (plasma).
_COLOURS = np.array(
    [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], dtype=np.float64
)
_MIN_SIDE = 700  # pixels: images whose longer side is less are enlarged before drawing
_MIN_FACE = 260  # and so are images with smaller faces, if points are labelled
_MAX_SIDE = 3000  # but not beyond this
_LINE_ALPHA, _THIN_ALPHA = 150, 110  # of lines, and of those to hidden points
_SUPERSAMPLING = 2  # layer pixels per image pixel and axis
_MIN_RING = 2.4  # image pixels: the hole of a smaller ring cannot be seen


def files(
    result: ImageResult, labels: str = "none", draw_boxes: bool | None = None
) -> dict[str, bytes]:
    """The drawn image as a JPEG; nothing if its pixels are not known."""
    if result.image is None:
        return {}
    drawn = draw(result, labels, draw_boxes)
    return {f"{result.stem}-points.jpg": jpeg_bytes(drawn, DRAWN_MARK)}


def draw(
    result: ImageResult,
    labels: str = "none",
    draw_boxes: bool | None = None,
    enlarge: bool = True,
) -> UInt8[np.ndarray, "H W 3"]:
    """The image with all faces.

    ``labels``: one of ``LABELS``, beside the points. ``draw_boxes``: each face's box with its score
    and track number; None: of tracked faces only. ``enlarge``: small images.
    """
    from PIL import Image

    assert result.image is not None
    pixels = np.ascontiguousarray(as_pixels(result.image, colour=True))
    image = Image.fromarray(pixels).convert("RGB")
    factor = _enlargement(result, labels) if enlarge else 1
    if factor > 1:
        size = (image.width * factor, image.height * factor)
        image = image.resize(size, Image.Resampling.BICUBIC)
    for face in result.faces:
        _draw_face(image, face, factor)
    boxed = [f for f in result.faces if (f.track is not None if draw_boxes is None else draw_boxes)]
    captions = draw_face_boxes(image, boxed, factor)
    if labels != "none":
        radii = [_radius(_side(face) * factor, 1) for face in result.faces]
        draw_point_labels(image, result.faces, factor, labels, radii, captions)
    return np.asarray(image)


def score_colour(score: float) -> tuple[int, int, int]:
    """RGB of a score from 0 to 1."""
    at = float(np.clip(score, 0, 1)) * (len(_COLOURS) - 1)
    low = min(int(at), len(_COLOURS) - 2)
    mixed = _COLOURS[low] + (at - low) * (_COLOURS[low + 1] - _COLOURS[low])
    red, green, blue = np.rint(mixed).astype(int).tolist()
    return red, green, blue


def _enlargement(result: ImageResult, labels: str) -> int:
    longest = max(result.size)
    wanted = _MIN_SIDE / longest
    if labels != "none" and result.faces:
        # Labels need more room than points; names most.
        needed = _MIN_FACE * (3 if labels == "names" else 2)
        wanted = max(wanted, needed / min(_side(face) for face in result.faces))
    return int(np.clip(np.ceil(wanted), 1, max(1, _MAX_SIDE // longest)))


def _side(face: Face) -> float:
    return max(float((face.box[2:] - face.box[:2]).max()), 1.0)


def _draw_face(image: Any, face: Face, factor: int) -> None:
    """Draw a face into an image that was enlarged by ``factor``."""
    from PIL import Image

    side = _side(face) * factor
    # On a finer layer around the face that is averaged down: Pillow's own lines are jagged.
    # Bounds the layer of a very large face.
    fine = _SUPERSAMPLING if side * _SUPERSAMPLING <= 2 * _MAX_SIDE else 1
    margin = 0.1 * side + 8
    # The layer covers the face only, clipped to the image (size * 2: width, height, width, height).
    area = np.concatenate([face.box[:2] * factor - margin, face.box[2:] * factor + margin])
    x0, y0, x1, y1 = np.clip(area, 0, image.size * 2).astype(int).tolist()
    if x1 <= x0 or y1 <= y0:
        return
    # Pillow draws from pixel corners.
    points = ((face.points.astype(np.float64) + 0.5) * factor - [x0, y0]) * fine
    layer = Image.new("RGBA", ((x1 - x0) * fine, (y1 - y0) * fine))
    _draw_points(layer, face, points, side * fine, fine)
    seen = layer.resize((x1 - x0, y1 - y0), Image.Resampling.BOX) if fine > 1 else layer
    image.paste(seen, (x0, y0), seen)


def _draw_points(
    layer: Any, face: Face, points: Float64[np.ndarray, "K 2"], side: float, fine: int
) -> None:
    from PIL import ImageDraw

    pen, radius = ImageDraw.Draw(layer), _radius(side, fine)
    known, hidden = np.isfinite(points[:, 0]), face.hidden
    for a, b in face.scheme.edge_index.tolist():
        if known[a] and known[b]:
            is_thin = bool(hidden[a] or hidden[b])
            alpha, width = (_THIN_ALPHA, radius / 4) if is_thin else (_LINE_ALPHA, radius / 2)
            ends = [tuple(points[a].tolist()), tuple(points[b].tolist())]
            pen.line(ends, fill=(255, 255, 255, alpha), width=max(1, round(width)))
    scores = np.ones(len(points)) if face.scores is None else face.scores
    # Hidden points first, so that none covers a visible one.
    for k in np.argsort(~hidden, kind="stable").tolist():
        if not known[k]:
            continue
        colour, (x, y) = (*score_colour(float(scores[k])), 255), points[k].tolist()
        if hidden[k]:
            _draw_ring(pen, x, y, max(radius, _MIN_RING * fine), colour)
        else:
            circle = [x - radius, y - radius, x + radius, y + radius]
            pen.ellipse(circle, fill=colour, outline=(0, 0, 0, 255))


def _draw_ring(pen: Any, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
    """A hollow mark: a ring with a dark rim, through which the image is seen."""
    rim, clear = (0, 0, 0, 255), (0, 0, 0, 0)
    for reach, fill in ((radius + 1, rim), (radius, colour), (radius * 0.55, clear)):
        pen.ellipse([x - reach, y - reach, x + reach, y + reach], fill=fill)


def _radius(side: float, fine: int) -> float:
    # A smaller mark has no colour in video, where 2 x 2 pixels share one; larger ones would cover a
    # small face.
    return max(side / 80, 1.2 * fine)
