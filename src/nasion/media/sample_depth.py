"""Images of more than 8 bits per sample, and floats, brought to 8 bits.

Many files of 16 bits hold 10, 12 or 14, since that is what sensors and radiologists have. White is

1. what the file says is its largest value, if its values keep to that: PNG's ``sBIT``, TIFF's
   ``MaxSampleValue`` and ``BitsPerSample``, the maxval of PGM and PPM, the depth of JPEG 2000;
2. otherwise the largest value of the smallest of 8, 10, 12, 14 and 16 bits that holds 99.9 % of the
   values (a few hot pixels do not count); for floats also 1;
3. values that fit none, as negative ones, are stretched between their percentiles 0.1 and 99.9.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasion.array_types import UInt8
from nasion.arrays import Array

_DEPTHS = (8, 10, 12, 14, 16)  # bits
_PERCENT = 99.9
_SAMPLES = 1 << 20  # values that percentiles are taken of
# Floats count as 0 to 255 only if some are clearly above this: HDR images go a little beyond 1.
_CLEARLY_BEYOND_ONE = 16
_DEEP_MODES = ("I", "F")  # Pillow's, beside those of 16 bits
_MAX_SAMPLE_VALUE, _PHOTOMETRIC, _BITS = 281, 262, 258  # TIFF tags
_COLOURS = ("RGB;16", "RGBA;16", "RGBX;16", "LA;16")  # raw modes, without their byte order
_WHITE_IS_ZERO = 0
_ORIENTATION = 0x0112  # of EXIF
_JPEG2000_SIZE = b"\xff\x4f\xff\x51"  # the start of its codestream, and of its first segment
_JPEG2000_DEPTH = 42  # bytes from there
_NATIVE = {"little": "L", "big": "B"}[sys.byteorder]
_OTHER_ORDER = {"B": "L", "L": "B"}


@dataclass(frozen=True)
class Depth:
    """What an open file says of its samples before it is decoded.

    ``white``: its largest value, None if it does not tell. ``raw_mode``: Pillow's name of how
    samples of 16 bits in colour lie in the file; empty for any other.
    """

    white: int | None = None
    raw_mode: str = ""


def prepare(file: Any) -> Depth:
    """The depth of an open Pillow file, which is made to decode all 16 bits where it can."""
    tiles = list(getattr(file, "tile", ()))
    codec, arguments = (tiles[0][0], tiles[0][3]) if tiles else ("", None)
    if codec == "ppm" and isinstance(arguments, tuple) and arguments[-1] > 255:
        # Pillow's own decoder goes through them one by one, and keeps 8 bits of colours.
        raw_mode = "RGB;16B" if file.mode == "RGB" else "I;16B"
        file.tile = [tiles[0]._replace(codec_name="raw", args=(raw_mode, 0, 1))]
        white = None if arguments[-1] == 65535 else arguments[-1]
        return Depth(white, raw_mode if file.mode == "RGB" else "")
    raw_modes = {tile[3][0] if isinstance(tile[3], tuple) else tile[3] for tile in tiles}
    raw_mode = raw_modes.pop() if len(raw_modes) == 1 else ""
    known = isinstance(raw_mode, str) and raw_mode[:-1] in _COLOURS
    return Depth(_stated_white(file), raw_mode if known else "")


def in_eight_bits(file: Any, depth: Depth, reopen: Callable[[], Any]) -> Any:
    """The Pillow image, or one of 8 bits if it is deeper.

    ``reopen``: opens the file again, if the upper 8 bits of colours are not enough.
    """
    from PIL import Image

    if depth.raw_mode:
        return _deep_colour(file, depth, reopen)
    if not (file.mode.startswith("I;16") or file.mode in _DEEP_MODES):
        return file
    pixels = to_uint8(np.asarray(file), depth.white)
    if getattr(file, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        # Pillow inverts those of 8 bits alone.
        pixels = 255 - pixels
    shallow = Image.fromarray(pixels)
    shallow.getexif()[_ORIENTATION] = file.getexif().get(_ORIENTATION, 1)
    return shallow


def to_uint8(values: Array, stated: int | None = None) -> UInt8[np.ndarray, ...]:
    """Finite numbers as 0 to 255; ``stated``: the largest value, if that is known."""
    return _scaled(values, *_value_range(values, stated))


def _value_range(values: Array, stated: int | None) -> tuple[float, float]:
    """The values of black and white, by the module's rules."""
    if not values.size:
        return 0.0, 255.0
    lowest, largest = float(values.min()), float(values.max())
    if stated is not None and lowest >= 0 and largest <= stated:
        return 0.0, float(stated)
    flat = values.reshape(-1)
    low, top = np.percentile(flat[:: -(-flat.size // _SAMPLES)], [100 - _PERCENT, _PERCENT])
    is_float = values.dtype.kind == "f"
    if lowest >= 0 and is_float and top <= 1:
        return 0.0, 1.0
    if lowest >= 0 and not (is_float and top <= _CLEARLY_BEYOND_ONE):
        for depth in _DEPTHS:
            if top < 1 << depth:
                return 0.0, float((1 << depth) - 1)
    return float(low), float(top)


def _scaled(values: Array, black: float, white: float) -> UInt8[np.ndarray, ...]:
    if values.dtype == np.uint16:
        if (black, white) == (0, 65535):
            return (values >> 8).astype(np.uint8)
        # A table: no floats as large as the image are made.
        return _scaled(np.arange(65536, dtype=np.float32), black, white)[values]
    spread = max(white - black, 1e-12)
    scaled = (values.astype(np.float32) - np.float32(black)) * np.float32(255 / spread)
    return np.rint(np.clip(scaled, 0, 255, out=scaled)).astype(np.uint8)


def _deep_colour(file: Any, depth: Depth, reopen: Callable[[], Any]) -> Any:
    """A colour image of 16 bits in 8, by its lower bytes too where the upper ones do not do.

    Pillow decodes the upper ones. The lower ones come from decoding in the other byte order.
    """
    from PIL import Image

    high, mode = np.asarray(file).astype(np.uint16), file.mode
    transparent = file.info.get("transparency")
    black, white = _value_range(high[..., :3] << 8, depth.white)
    if white < 65535:
        with reopen() as again:
            low = _low_bytes(again, depth.raw_mode)
        values = (high << 8) | low
        black, white = _value_range(values[..., :3], depth.white)
        pixels = _scaled(values, black, white)
        if mode == "RGBA":
            # How opaque a pixel is has nothing to do with how bright it is.
            pixels[..., 3] = to_uint8(values[..., 3], depth.white)
        file.paste(Image.fromarray(pixels, mode))
    if isinstance(transparent, tuple):
        colour = _scaled(np.array(transparent, dtype=np.uint16), black, white)
        file.info["transparency"] = tuple(colour.tolist())
    return file


def _low_bytes(file: Any, raw_mode: str) -> UInt8[np.ndarray, "H W C"]:
    name, order = raw_mode[:-1], raw_mode[-1]
    # Grey and alpha of 16 bits are as long as four bytes.
    grey = name == "LA;16"
    order = _OTHER_ORDER[_NATIVE if order == "N" else order]
    if file.tile[0][0] == "ppm":
        prepare(file)
    changed = []
    for tile in file.tile:
        rest = tile[3][1:] if isinstance(tile[3], tuple) else ()
        other = "RGBA" if grey else name + order
        changed.append(tile._replace(args=(other, *rest) if rest else other))
    file.tile = changed
    low = np.asarray(file)
    return low[..., [1, 1, 1, 3]] if grey else low


def _stated_white(file: Any) -> int | None:
    # All files of 16 bits can hold 65,535, so that number tells nothing.
    white = None
    if file.format == "PNG" and (bits := _significant_bits(file)):
        white = (1 << bits) - 1
    elif file.format == "TIFF" and file.mode != "F":
        bits = file.tag_v2.get(_BITS, (16,))[0]
        white = int(np.max(file.tag_v2.get(_MAX_SAMPLE_VALUE, (1 << bits) - 1)))
    elif file.format == "JPEG2000":
        head = _head(file)
        at = head.find(_JPEG2000_SIZE)
        depth = (head[at + _JPEG2000_DEPTH] & 0x7F) + 1 if 0 <= at < len(head) - 50 else 16
        return 65535 if depth < 16 else None  # Pillow has scaled it to 16 bits
    return white if white and 255 <= white < 65535 else None


def _significant_bits(file: Any) -> int:
    """The largest number of PNG's chunk sBIT; 0 if there is none."""
    head, at = _head(file), 8
    while at < len(head) - 8:
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind == b"sBIT":
            return max(head[at + 8 : at + 8 + min(size, 4)], default=0)
        if kind == b"IDAT":
            break
        at += 12 + size
    return 0


def _head(file: Any) -> bytes:
    """The first bytes of an opened Pillow file, whose position stays where it is."""
    position = file.fp.tell()
    file.fp.seek(0)
    head = file.fp.read(1 << 16)
    file.fp.seek(position)
    return head
