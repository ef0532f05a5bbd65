"""Make parts of an image unrecognisable: pixelate, blur or fill polygons."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np

from nasion.array_types import Float64, UInt8
from nasion.errors import require

METHODS = ("pixelate", "blur", "fill")
MAX_STRENGTH = 10.0
_BLOCKS = 8  # along the longer side of a part
_SIGMA = 1 / 7  # of the longer side of a part
_LEAST_BLOCK, _LEAST_SIGMA = 4, 3  # pixels


def check_hiding(method: str, strength: float) -> None:
    """Raise ``SettingError`` for a method or a strength that there is not."""
    require(method in METHODS, f"No method {method!r}; there are {', '.join(METHODS)}.")
    require(
        0.25 <= strength <= MAX_STRENGTH,
        f"The strength of hiding is 0.25 to {MAX_STRENGTH:g}; found {strength}.",
    )


def hide(
    pixels: UInt8[np.ndarray, "H W 3"],
    polygons: Sequence[Float64[np.ndarray, "_ 2"]],
    method: str = "pixelate",
    strength: float = 1.0,
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the image with these parts hidden, coordinates with pixel centres at integers.

    ``method``: ``pixelate`` (8 blocks along a part's longer side, each of its mean colour),
    ``blur`` (by a Gaussian of a seventh of that side) or ``fill`` (black). ``strength``: so many
    times larger blocks, or wider blur. Pixelated and blurred parts still hold something of what
    they hide; filled ones hold nothing. Raises ``SettingError``.
    """
    from PIL import Image

    check_hiding(method, strength)
    # Of the original, so that what overlaps is not hidden less by being averaged twice.
    original = Image.fromarray(np.ascontiguousarray(pixels))
    image = original.copy()
    for polygon in polygons:
        box = _bounds(polygon, image.size)
        if box is None:
            continue
        side = float((polygon.max(axis=0) - polygon.min(axis=0)).max())
        if method == "pixelate":
            part = _pixelated(original, box, max(strength * side / _BLOCKS, _LEAST_BLOCK))
        elif method == "blur":
            part = _blurred(original, box, max(strength * side * _SIGMA, _LEAST_SIGMA))
        else:
            part = Image.new("RGB", (box[2] - box[0], box[3] - box[1]))
        image.paste(part, box[:2], _mask(polygon, box))
    return np.array(image)


Box = tuple[int, int, int, int]


def _bounds(polygon: Float64[np.ndarray, "N 2"], size: tuple[int, int]) -> Box | None:
    """The pixels x0 y0 x1 y1 that a polygon touches, without the last; None outside the image."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    x0, y0 = max(floor(low[0]), 0), max(floor(low[1]), 0)
    x1, y1 = min(ceil(high[0]) + 1, size[0]), min(ceil(high[1]) + 1, size[1])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _mask(polygon: Float64[np.ndarray, "N 2"], box: Box) -> Any:
    from PIL import Image, ImageDraw

    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    corners = [(x, y) for x, y in (polygon - np.array(box[:2])).tolist()]
    ImageDraw.Draw(mask).polygon(corners, fill=255, outline=255)
    return mask


def _pixelated(image: Any, box: Box, block: float) -> Any:
    from PIL import Image

    part = image.crop(box)
    few = (max(round(part.width / block), 1), max(round(part.height / block), 1))
    return part.resize(few, Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)


def _blurred(image: Any, box: Box, sigma: float) -> Any:
    from PIL import ImageFilter

    reach = ceil(2.5 * sigma)
    x0, y0 = max(box[0] - reach, 0), max(box[1] - reach, 0)
    x1, y1 = min(box[2] + reach, image.width), min(box[3] + reach, image.height)
    blurred = image.crop((x0, y0, x1, y1)).filter(ImageFilter.GaussianBlur(sigma))
    return blurred.crop((box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0))
