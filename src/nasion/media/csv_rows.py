"""Rows of a CSV table with the line on which each begins; any line ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasion.errors import DataError


def csv_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line counted from 1, cells) of each row that is not blank.

    Lines may end in LF, CR LF, CR, or CR CR LF, which programs write that convert twice. Raises
    ``DataError`` with the line for text that is no CSV.
    """
    text = text.replace("\r\r\n", "\n")
    # Not translated, so that quoted names keep their line ends; the reader knows all of them.
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path} line {line}: not CSV ({error}); check its quotes and line ends."
            ) from error
        if cells:
            yield line, cells


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
                f"{path} line 1: column {name} occurs twice; each column may occur once."
            )
        found[name] = at
    missing = [name for name in columns if name not in found]
    if missing:
        shown = ", ".join(header)[:300]
        raise DataError(f"{path} line 1: column {missing[0]}{owner} is missing; found {shown}.")
    return [found[name] for name in columns]
