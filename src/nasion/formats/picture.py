"""Each picture with its faces drawn in: points coloured by how sure they are, lines between them; readable at any size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nasion.files import open_picture, written_beside
from nasion.formats import Found
from nasion.landmarker import Face

LABELS = ("none", "numbers", "names")
# From unsure to sure, dark to light, so that everyone can tell them apart (matplotlib's plasma).
_COLOURS = np.array([[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], dtype=np.float64)
_SMALL = 700  # pixels: pictures whose longer side is less are enlarged before anything is drawn
_FACE = 260  # and so are those whose faces are smaller than this, where points have labels
_MOST = 3000  # but none beyond this
_FINE = 2  # times the size at which lines and points are drawn, then averaged


def write(found: Sequence[Found], folder: Path, labels: str = "none") -> None:
    for picture in found:
        if picture.picture is not None:
            save(drawn(picture, labels), folder / f"{picture.stem}-points.jpg")


def save(pixels: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    from PIL import Image

    with written_beside(path) as beside:
        Image.fromarray(pixels).save(beside, "JPEG", quality=92)


def drawn(found: Found, labels: str = "none", enlarge: bool = True) -> UInt8[np.ndarray, "H W 3"]:
    """The picture with all faces, enlarged if it is small and may be; ``labels``: one of ``LABELS``."""
    from PIL import Image

    pixels = open_picture(found.picture, colour=True) if isinstance(found.picture, Path) else np.asarray(found.picture)
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    factor = _enlarged(found, labels) if enlarge else 1
    if factor > 1:
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)
    for face in found.faces:
        _draw_face(picture, face, factor, labels)
    return np.asarray(picture)


def _enlarged(found: Found, labels: str) -> int:
    longest = max(found.size)
    wanted = _SMALL / longest
    if labels != "none" and found.faces:
        wanted = max(wanted, _FACE * (3 if labels == "names" else 2) / min(_side(face) for face in found.faces))
    return int(np.clip(np.ceil(wanted), 1, max(1, _MOST // longest)))


def _side(face: Face) -> float:
    return max(float((face.box[2:] - face.box[:2]).max()), 1.0)


def _draw_face(picture: Any, face: Face, factor: int, labels: str) -> None:
    """A face drawn into a picture of so many times the size that its points are told in."""
    from PIL import Image, ImageDraw, ImageFont

    side = _side(face) * factor
    # Drawn on a finer layer around the face, which is averaged: Pillow's own lines have steps.
    fine = _FINE if side * _FINE <= 2 * _MOST else 1
    # Names reach far to the right.
    margin = side * np.array([0.1, 0.1, {"none": 0.1, "numbers": 0.3, "names": 1.0}[labels], 0.1]) + 8
    area = np.concatenate([face.box[:2] * factor - margin[:2], face.box[2:] * factor + margin[2:]])
    x0, y0, x1, y1 = np.clip(area, 0, picture.size * 2).astype(int).tolist()
    if x1 <= x0 or y1 <= y0:
        return
    layer = Image.new("RGBA", ((x1 - x0) * fine, (y1 - y0) * fine))
    pen = ImageDraw.Draw(layer)
    radius = max(side * fine / 80, 1.6 * fine)
    # Pillow draws from pixels' corners.
    places = ((face.points.astype(np.float64) + 0.5) * factor - [x0, y0]) * fine
    at = {name: tuple(place) for name, place in zip(face.names, places.tolist(), strict=True)}
    for a, b in face.scheme.edges:
        pen.line([at[a], at[b]], fill=(255, 255, 255, 150), width=max(1, round(radius / 2)))
    sure = np.ones(len(places)) if face.scores is None else face.scores
    for (x, y), score in zip(places.tolist(), sure.tolist(), strict=True):
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=(*colour_of(score), 255), outline=(0, 0, 0, 255))
    if labels != "none":
        font = ImageFont.load_default(max(side * fine / (40 if labels == "numbers" else 60), 8 * fine))
        for number, (name, (x, y)) in enumerate(at.items()):
            words = str(number) if labels == "numbers" else name
            pen.text((x + 1.3 * radius, y), words, font=font, anchor="lm", fill=(255, 255, 255, 255), stroke_width=fine, stroke_fill=(0, 0, 0, 255))
    seen = layer.resize((x1 - x0, y1 - y0), Image.Resampling.BOX) if fine > 1 else layer
    picture.paste(seen, (x0, y0), seen)


def colour_of(score: float) -> tuple[int, int, int]:
    """Red, green, blue of a score from 0 to 1."""
    at = float(np.clip(score, 0, 1)) * (len(_COLOURS) - 1)
    low = min(int(at), len(_COLOURS) - 2)
    red, green, blue = np.rint(_COLOURS[low] + (at - low) * (_COLOURS[low + 1] - _COLOURS[low])).astype(int).tolist()
    return red, green, blue
