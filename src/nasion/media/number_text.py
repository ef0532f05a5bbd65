"""Numbers and names in text files: one strict reader for all formats.

Python's ``float`` and ``int`` read more than a person would write: ``1_0`` is 10, and so are Arabic
digits. Here such text is refused, and so are numbers that float32 coordinates cannot hold.
"""

from __future__ import annotations

import math
import re

from nasion.media.quoted import quoted

# Up to here float32 holds every whole number; no image is nearly as large.
MAX_COORDINATE = float(1 << 24)
_MAX_NAME = 255  # bytes of a file's or folder's name, on all common file systems
_MAX_PATH = 4096  # bytes of a path
_EXACT = (1 << 53) - 1  # the largest whole number that float64 tells from its neighbours
_WITH_DECIMALS = re.compile(r"(\d+)[.,]0*$", re.ASCII)
_MAX_DIGITS = 18  # of a whole number; it fits into 64 bits


def parse_number(text: str) -> float:
    """A finite decimal number. ``ValueError`` says what was found."""
    value = _float(text)
    if not math.isfinite(value):
        raise ValueError(f"{quoted(text)}, a number expected")
    return value


def parse_coordinate(text: str, missing: bool = False) -> float:
    """A coordinate in pixels. ``missing``: empty text and ``nan`` mean NaN, not labelled."""
    if missing and not text.strip():
        return math.nan
    value = _float(text, " or nothing" if missing else "")
    if math.isnan(value) and missing:
        return value
    if not math.isfinite(value):
        raise ValueError(f"{quoted(text)}, a number{' or nothing' if missing else ''} expected")
    if abs(value) > MAX_COORDINATE:
        raise ValueError(f"{quoted(text)}, at most {MAX_COORDINATE:,.0f} pixels expected")
    return value


def parse_whole(text: str, low: int = 0, high: int = _EXACT) -> int:
    """A whole number of plain digits within ``low`` .. ``high``."""
    digits = text.strip()
    if is_whole(digits) and len(digits) <= _MAX_DIGITS and low <= int(digits) <= high:
        return int(digits)
    limits = f"from {low} to {high}" if high < _EXACT else f"from {low}"
    raise ValueError(f"{quoted(text)}, a whole number {limits} expected")


def is_whole(text: str) -> bool:
    """True for plain digits 0 to 9, unlike ``str.isdecimal``, which has those of all scripts."""
    return text.isascii() and text.isdecimal()


def without_decimals(text: str) -> str:
    """``2`` for ``2.0``, as programs write whole numbers in columns that also have gaps."""
    match = _WITH_DECIMALS.match(text.strip())
    return match[1] if match else text


def check_file_name(name: str) -> str:
    """The name, if a file could have it. ``ValueError`` says why not."""
    if not name:
        raise ValueError("the name is empty; the name of a file or face expected")
    if "\0" in name:
        raise ValueError(f"the name {quoted(name)} has a NUL character; no file can have it")
    try:
        parts = [len(part.encode()) for part in name.split("/")]
    except UnicodeEncodeError:
        raise ValueError(f"the name {quoted(name)} is no valid Unicode; save it as UTF-8") from None
    if max(parts) > _MAX_NAME or sum(parts) + len(parts) > _MAX_PATH:
        raise ValueError(
            f"the name {quoted(name)} has {sum(parts)} bytes; "
            f"file names have at most {_MAX_NAME}, paths {_MAX_PATH}"
        )
    return name


def _float(text: str, alternative: str = "") -> float:
    # ASCII: digits of other scripts are numbers for Python. 1_0 is how code groups digits.
    if text.isascii() and "_" not in text:
        try:
            return float(text)
        except ValueError:
            pass
    raise ValueError(f"{quoted(text)}, a number{alternative} expected")
