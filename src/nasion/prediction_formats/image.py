"""Each image with what was found drawn in: points coloured by score, lines between them, and more.

``_draw_style.py`` says what can be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasion.array_types import UInt8
from nasion.landmarks.face import ImageResult
from nasion.media.drawn_marks import DRAWN_MARK
from nasion.media.images import as_pixels, jpeg_bytes, png_bytes
from nasion.prediction_formats._draw_style import LABELS as LABELS
from nasion.prediction_formats._draw_style import USUAL_STYLE, DrawStyle, MarkedFace
from nasion.prediction_formats._face_boxes import draw_face_boxes
from nasion.prediction_formats._face_marks import draw_marks
from nasion.prediction_formats._face_marks import score_colour as score_colour
from nasion.prediction_formats._point_labels import draw_point_labels

MEDIA_TYPE = "image/jpeg"
NEEDS_PIXELS = True
_MIN_SIDE = 700  # pixels: images whose longer side is less are enlarged before drawing
# So are images with smaller faces, by what is written at them; but not beyond `_MAX_SIDE`.
_MIN_FACE = {"names": 780, "numbers": 520, "measures": 130}
_MAX_SIDE = 3000


def files(result: ImageResult, style: DrawStyle = USUAL_STYLE) -> dict[str, bytes]:
    """The drawn image's file; nothing if its pixels are not known."""
    if result.image is None:
        return {}
    drawn = draw(result, style)
    encoded = (jpeg_bytes if style.image_format == "jpg" else png_bytes)(drawn, DRAWN_MARK)
    return {f"{result.stem}-points{style.suffix}": encoded}


def draw(
    result: ImageResult, style: DrawStyle = USUAL_STYLE, enlarge: bool = True
) -> UInt8[np.ndarray, "H W C"]:
    """The image with all faces, RGB; an overlay in the image's size, RGBA.

    ``enlarge``: small images, and images with small faces at which something is written.
    """
    from PIL import Image

    marked = style.marked_faces(result)
    if style.overlay:
        image, factor = Image.new("RGBA", result.size), 1
    else:
        assert result.image is not None
        pixels = np.ascontiguousarray(as_pixels(result.image, colour=True))
        image = Image.fromarray(pixels).convert("RGB")
        factor = _enlargement(result.size, marked) if enlarge else 1
    if factor > 1:
        size = (image.width * factor, image.height * factor)
        image = image.resize(size, Image.Resampling.BICUBIC)
    for each in marked:
        draw_marks(image, each, factor)
    captions = draw_face_boxes(image, marked, factor)
    draw_point_labels(image, marked, factor, captions)
    return np.asarray(image)


def _enlargement(size: tuple[int, int], marked: Sequence[MarkedFace]) -> int:
    longest = max(size)
    wanted = _MIN_SIDE / longest
    for each in marked:
        needed = max((_MIN_FACE.get(mark, 0) for mark in each.marks), default=0)
        wanted = max(wanted, needed / each.side)
    return int(np.clip(np.ceil(wanted), 1, max(1, _MAX_SIDE // longest)))
