"""Kaggle's tables: number columns and one ``Image`` column of 96 x 96 grey values, in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nasion.array_types import Float64, UInt8
from nasion.data.datasets import _pixel_text
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError
from nasion.media.counted import counted
from nasion.media.csv_rows import column_positions
from nasion.media.files import ByteStream
from nasion.media.number_text import parse_coordinate, parse_whole

SIDE = 96  # pixels; coordinates lie in 0 .. SIDE
_MISSING = -1.0
_EXCEL_CELL = 32_767  # characters that a cell of Excel holds
_BLOCK = 4 << 20  # bytes read at once


class PixelTable:
    """Reads rows from a stream of bytes, without splitting the pixel text into tokens."""

    def __init__(self, stream: ByteStream, path: Path, columns: tuple[str, ...]) -> None:
        self._lines = _numbered_lines(stream)
        self._name, self._columns = path.name, columns
        _, header = next(self._lines, (0, b""))
        names = [name.strip(' "') for name in header.decode("utf-8-sig", "replace").split(",")]
        *self._at, self._image = column_positions(names, (*columns, "Image"), path)
        self._width = len(names)

    def read(
        self, faults: Faults
    ) -> tuple[list[int], Float64[np.ndarray, "N C"], UInt8[np.ndarray, "N 96 96"]]:
        """(row numbers from 0, numbers with NaN where empty, images) of all valid rows."""
        faults_before = len(faults or ())
        rows: list[int] = []
        numbers: list[list[float]] = []
        # Grows by doubling: the number of rows is known only at the end of the stream.
        images = np.empty((1024, SIDE * SIDE), dtype=np.uint8)
        for row, (line, text) in enumerate(self._lines):
            if len(rows) == len(images):
                # In place, so that no second copy of the images so far is held.
                images.resize((2 * len(images), SIDE * SIDE), refcheck=False)
            try:
                # A faulty row leaves its pixels in a slot that the next row overwrites.
                numbers.append(self._parse_row(text, images[len(rows)]))
                rows.append(row)
            except ValueError as error:
                report_fault(faults, f"{self._name} line {line}", str(error))
        if not rows and (faults is None or len(faults) == faults_before):
            raise DataError(f"{self._name}: no rows below the header.")
        images.resize((len(rows), SIDE * SIDE), refcheck=False)
        table = np.array(numbers, dtype=np.float64).reshape(len(rows), len(self._columns))
        return rows, table, images.reshape(-1, SIDE, SIDE)

    def _parse_row(self, text: bytes, image: UInt8[np.ndarray, " n"]) -> list[float]:
        cells = text.split(b",")
        if len(cells) != self._width:
            raise ValueError(f"has {counted(len(cells), 'column')}, {self._width} expected.")
        try:
            _pixel_text.parse(cells[self._image], image)
        except ValueError as error:
            if len(cells[self._image]) == _EXCEL_CELL:
                raise ValueError(
                    f"Image has {_EXCEL_CELL:,} characters, at which Excel cuts a cell: pixels are "
                    "lost; take the table from where it came, and do not save it with Excel."
                ) from None
            count = f"{SIDE * SIDE} expected"
            message = str(error).replace(count, f"{SIDE * SIDE} ({SIDE} x {SIDE}) expected")
            raise ValueError(f"Image {message}") from None
        columns = zip(self._at, self._columns, strict=True)
        values = [_parse_number(cells[at], name) for at, name in columns]
        # Coordinates come in pairs; the test table has only its ImageId.
        if len(values) % 2 == 0:
            self._require_whole_points(values)
        return values

    def _require_whole_points(self, values: list[float]) -> None:
        for i in range(0, len(values), 2):
            x, y = values[i : i + 2]
            if math.isnan(x) != math.isnan(y):
                raise ValueError(
                    f"{self._columns[i]} is {_show(x)} but {self._columns[i + 1]} is {_show(y)}; "
                    "a point has both or none."
                )
            if (x == _MISSING) != (y == _MISSING):
                at, value = (i, x) if x == _MISSING else (i + 1, y)
                raise ValueError(
                    f"{self._columns[at]} is {value:g}, outside the image (0 to {SIDE})."
                )


def _parse_number(cell: bytes, name: str) -> float:
    text = cell.decode("utf-8", "replace")
    if name == "ImageId":
        try:
            # Whole numbers below 2 ** 53 are exact in float64, which the table is made of.
            return float(parse_whole(text, low=1))
        except ValueError as error:
            raise ValueError(f"ImageId is {error}.") from None
    try:
        value = parse_coordinate(text, missing=True)
    except ValueError as error:
        raise ValueError(f"{name} is {error}.") from None
    # -1 stands for a missing point in tables of other hands; whoever reads on decides.
    if (value < 0 and value != _MISSING) or value > SIDE:
        raise ValueError(f"{name} is {value:g}, outside the image (0 to {SIDE}).")
    return value


def _show(value: float) -> str:
    return "empty" if math.isnan(value) else f"{value:g}"


def _numbered_lines(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line without its end); blank lines are skipped."""
    rest, number = b"", 0
    while block := stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        # The last piece of a block may go on in the next one.
        rest = lines.pop()
        for text in lines:
            number += 1
            if text := text.rstrip(b"\r"):
                yield number, text
    if rest.strip():
        yield number + 1, rest.rstrip(b"\r")
