"""The text of a ``.pts`` file: an optional header and braces, then x and y of a point per line."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np

from nasion.array_types import Float32
from nasion.errors import DataError
from nasion.media.files import decode_text, open_bytes
from nasion.media.number_text import parse_coordinate
from nasion.media.quoted import quoted, shortened

_COMMENT = re.compile(r"\s*(?:#|//).*")
_log = logging.getLogger(__name__)


def read_points(path: Path, place: str) -> Float32[np.ndarray, "K 2"]:
    """The points of a file, as ``parse``; its text in any encoding, with or without a BOM."""
    with open_bytes(path) as stream:
        data = stream.read()
    try:
        text = decode_text(data, path)
    except DataError:
        # Latin-1 decodes any bytes; whatever is not a number is refused with its line.
        text = data.decode("latin-1")
    return parse(text, place)


def parse(text: str, place: str) -> Float32[np.ndarray, "K 2"]:
    """The points of a ``.pts`` file in pixels from 0; the file counts from 1.

    ``nan nan`` is a point that is not labelled. Comments (``#``, ``//``) are skipped, and so is a
    third column, if all rows have one: the first if it numbers the points, else the last. Raises
    ``DataError`` that names the line.
    """
    declared: str | None = None
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", line.lstrip("\ufeff")).strip()
        if line.startswith("n_points"):
            declared = line.removeprefix("n_points").strip(" \t:=")
        elif line and line not in "{}" and not line.startswith("version"):
            rows.append((number, line))
    # As most rows have: then the error names the row that differs.
    widths = Counter(len(line.split()) for _, line in rows)
    columns = max((2, 3), key=lambda width: widths[width])
    is_numbered = columns > 2 and _first_column_counts(rows)
    if is_numbered:
        rows = [(number, line.split(maxsplit=1)[1]) for number, line in rows]
        columns = 2
    points = [_point(line, columns, f"{place} line {number}") for number, line in rows]
    if declared is not None and declared != str(len(points)):
        raise DataError(f"{place}: n_points says {shortened(declared)}, {len(points)} rows follow.")
    if not points:
        raise DataError(f"{place}: it holds no points.")
    if is_numbered:
        _log.info("The first column in .pts files numbers the points and is left out.")
    if columns > 2:
        # Without the file's name: a note of the same words is shown once.
        _log.info("A third column in .pts files is left out; nothing says what it means.")
    return np.array(points, dtype=np.float32)


def _first_column_counts(rows: list[tuple[int, str]]) -> bool:
    """Whether the first of three columns is 0, 1, 2 ... or 1, 2, 3 ...: no x of any face."""
    first = [line.split()[0] for _, line in rows]
    counted = [[str(i + start) for i in range(len(rows))] for start in (0, 1)]
    return first in counted and all(len(line.split()) == 3 for _, line in rows)


def _point(line: str, columns: int, place: str) -> tuple[float, float]:
    fields = line.split()
    try:
        if len(fields) != columns:
            raise ValueError
        x, y = (parse_coordinate(field, missing=True) for field in fields[:2])
        if math.isnan(x) != math.isnan(y):
            raise ValueError
    except ValueError:
        raise DataError(f"{place}: {quoted(line)}, two numbers x y expected.") from None
    # Counted from 1 in the file, from 0 here.
    return x - 1, y - 1


def pts_text(points: Float32[np.ndarray, "K 2"]) -> str:
    """The text of a ``.pts`` file; ``nan nan`` is a point that is not labelled."""
    rows = (points.astype(np.float64) + 1).tolist()
    lines = ["nan nan" if math.isnan(x) else f"{x:.6f} {y:.6f}" for x, y in rows]
    return "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}"]) + "\n"
