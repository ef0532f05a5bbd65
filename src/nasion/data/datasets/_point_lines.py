"""Lines of text with x and y of a point each, as many published sets have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nasion.array_types import Float64
from nasion.errors import DataError
from nasion.media.files import read_text
from nasion.media.number_text import parse_coordinate
from nasion.media.quoted import quoted

Line = tuple[int, str]  # its number in the file, counted from 1, and its text


def text_lines(path: Path) -> list[Line]:
    """The lines of a text file that are not blank."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def headed_lines(path: Path, place: str, head: str) -> tuple[Line, list[Line]]:
    """The first line that is not blank, and those below. ``DataError`` if all are.

    ``head``: what the first line is, for the error.
    """
    lines = text_lines(path)
    if not lines:
        raise DataError(f"{place}: it is empty; {head}, then a line for each point, expected.")
    return lines[0], lines[1:]


def points_of_lines(
    lines: Sequence[Line], count: int, place: str, separator: str | None = None
) -> Float64[np.ndarray, "K 2"]:
    """``count`` points, one per line; ``separator``: None is any white space.

    Raises ``DataError`` that names the line.
    """
    if len(lines) != count:
        raise DataError(f"{place}: {len(lines)} lines of points, {count} expected.")
    points = np.empty((count, 2))
    for i, (number, line) in enumerate(lines):
        fields = line.split(separator)
        try:
            if len(fields) != 2:
                raise ValueError(f"{quoted(line.strip())}, two numbers x y expected")
            points[i] = [parse_coordinate(field.strip()) for field in fields]
        except ValueError as error:
            raise DataError(f"{place} line {number}: {error}.") from None
    return points
