"""What an image file's headers say before anything is decoded: its format, and what it will cost.

A small file can ask for much: a JPEG repeats scans of the whole image, and a plain area compresses
a thousandfold.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from nasion.errors import DataError

# Pillow's names of the formats that are opened. Nothing else: its EPS reader starts Ghostscript.
# TGA has no signature of its own, so it comes last.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM", "JPEG2000", "ICO", "TGA")
# HEIC needs the extra nasion[heic] (images.py).
FORMATS_TEXT = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC, PPM, JPEG 2000, ICO and TGA"
# Of a JPEG. Encoders write 1 to 18; libtiff allows as many in the JPEGs inside a TIFF.
MAX_SCANS = 100
_COLOUR_BYTES = 3  # per pixel
_SAMPLE_BYTES = {"I": 4, "F": 4}  # by Pillow's mode; 2 for its modes of 16 bits, otherwise 1
# A marker that is neither a stuffed byte, nor padding, nor a restart within a scan.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _FIRST_SEGMENT = 0xD8, 0xD9, 0xDA, 0xC0


def check_cost(file: Any, name: str, limit: int) -> None:
    """Raise ``DataError`` if an opened Pillow file would cost too much to decode.

    ``limit``: pixels. Decoded it may have as many bytes as that many pixels in colour.
    """
    width, height = file.size
    if width * height > limit:
        raise DataError(f"{name}: {width} x {height} pixels; the limit is {limit:,}.")
    channels, size = len(file.getbands()), decoded_bytes(file)
    if size > limit * _COLOUR_BYTES:
        raise DataError(
            f"{name}: {width} x {height} pixels in {channels} channels are {size:,} bytes decoded; "
            f"the limit is {limit * _COLOUR_BYTES:,}; make it smaller, or save it without alpha."
        )
    if file.format in ("JPEG", "MPO"):
        scans = count_scans(file_contents(file))
        if scans > MAX_SCANS:
            raise DataError(
                f"{name}: a JPEG of {scans:,} scans; the limit is {MAX_SCANS}; save it again."
            )


def decoded_bytes(file: Any) -> int:
    """Width x height x channels (alpha is one) x bytes per sample of a Pillow file."""
    sample = 2 if ";16" in file.mode else _SAMPLE_BYTES.get(file.mode, 1)
    return file.width * file.height * len(file.getbands()) * sample


def count_scans(data: bytes) -> int:
    """The scans of a JPEG; each goes over all of the image's blocks again, however short it is."""
    # Most files: no more could be there. What follows the image (a film, a second image) would be
    # counted as well, so only a walk along the segments tells how many there are.
    values = np.frombuffer(data, np.uint8)
    if np.count_nonzero((values[:-1] == 0xFF) & (values[1:] == _START_OF_SCAN)) <= 1:
        return 1
    scans, position = 0, 0
    while found := _MARKER.search(data, position):
        code, position = found[1][0], found.end()
        if code == _END_OF_IMAGE:
            break
        scans += code == _START_OF_SCAN
        # Below the first segment's code there is nothing to skip: libjpeg passes over these too.
        if code >= _FIRST_SEGMENT and code != _START_OF_IMAGE:
            position += max(int.from_bytes(data[position : position + 2], "big"), 2)
    return scans


def file_contents(file: Any) -> bytes:
    """The bytes of an opened Pillow file, whose position stays where it is."""
    position = file.fp.tell()
    file.fp.seek(0)
    data = file.fp.read()
    file.fp.seek(position)
    return data
