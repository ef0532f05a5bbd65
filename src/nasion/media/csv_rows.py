"""Rows of a CSV table with the line on which each begins; any delimiter and line ends."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasion.errors import DataError
from nasion.media.counted import counted
from nasion.media.quoted import listed, shortened

# Excel's hint of its delimiter, before the header.
_EXCEL_HINT = re.compile(r"\ufeff?\"?sep=(.)\"?(?:\r\n|\n|\r)", re.I)
_DELIMITERS = (",", ";", "\t", "|")


def delimiter_of(text: str) -> str:
    """What separates the cells: the comma, semicolon, tab or bar that divides the first line
    most."""
    if hint := _EXCEL_HINT.match(text):
        return hint[1]
    counts = {delimiter: len(_first_row(text, delimiter)) for delimiter in _DELIMITERS}
    # The first of equals, so a line of one cell has commas.
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])


def _first_row(text: str, delimiter: str) -> list[str]:
    lines = io.StringIO(text, newline="")
    try:
        return next((row for row in csv.reader(lines, delimiter=delimiter) if row), [])
    except csv.Error:
        return []


def csv_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line counted from 1, cells) of each row that is not blank, as Excel's ``;;;`` is.

    Cells are separated by ``delimiter_of`` the text. Lines may end in LF, CR LF, CR, or CR CR LF,
    which programs write that convert twice. Raises ``DataError`` with the line for text that is no
    CSV.
    """
    text = text.replace("\r\r\n", "\n")
    delimiter, first_line = delimiter_of(text), 1
    if hint := _EXCEL_HINT.match(text):
        text, first_line = text[hint.end() :], 2
    # Not translated, so that quoted names keep their line ends; the reader knows all of them.
    # Strict: text after a closing quote is a mistake, not a part of the cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + first_line
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path} line {line}: not CSV ({error}); check its quotes and line ends."
            ) from error
        if any(map(str.strip, cells)):
            yield line, cells


def of_width(cells: list[str], width: int) -> list[str]:
    """A row's cells, as many as the header has: empty ones at the end count for nothing.

    Raises ``ValueError``.
    """
    if len(cells) == width:
        return cells
    used = len(cells)
    while used > 0 and not cells[used - 1].strip():
        used -= 1
    if used > width or len(cells) < width:
        raise ValueError(f"has {counted(len(cells), 'column')}, {width} expected")
    return cells[:width]


def column_positions(
    header: Sequence[str], columns: Sequence[str], path: Path, owner: str = ""
) -> list[int]:
    """Where these columns are. ``DataError`` for one that is missing or occurs twice.

    ``owner``: whose columns they are, for the error.
    """
    wanted = set(columns)
    found: dict[str, int] = {}
    for at, name in enumerate(header):
        if name in found and name in wanted:
            raise DataError(
                f"{path} line 1: column {shortened(name)} occurs twice; each column may occur once."
            )
        found[name] = at
    missing = [name for name in columns if name not in found]
    if missing:
        raise DataError(
            f"{path} line 1: column {shortened(missing[0])}{owner} is missing; "
            f"found {listed(header, 300)}."
        )
    return [found[name] for name in columns]
