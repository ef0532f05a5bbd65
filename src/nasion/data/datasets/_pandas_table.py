"""A table that pandas' ``to_hdf`` wrote, in its fixed format, as the rows of text of its CSV.

Names are stored as a level's own values and, for each column or row, their numbers. Objects that
pandas pickles are refused: nothing is unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nasion.data.datasets._hdf5 import attribute, dataset_values, opened_hdf5
from nasion.errors import DataError
from nasion.media.quoted import shortened

_NONE = -1  # the number of a name that is missing
Table = tuple[dict[str, list[str]], list[list[str]]]


def read_table(path: Path, remedy: str) -> Table:
    """(header, rows): the names of each header row, and cells, with empty ones for NaN.

    The header's rows begin with their name, and are empty above the columns that name a row, as in
    the CSV that pandas writes. ``remedy``: what errors advise.
    """
    with opened_hdf5(path, "DeepLabCut's .h5 files", "sleap", remedy) as file:
        groups = [group for group in file.values() if group is not None]  # None: a broken link
        try:
            frames = [group for group in groups if _text(group, "pandas_type") == "frame"]
            if len(frames) != 1:
                raise ValueError(
                    f"{len(frames)} tables in pandas' fixed format found, one expected"
                )
            return _table(frames[0])
        except (KeyError, ValueError) as error:
            problem = error.args[0] if error.args else error
            raise DataError(f"{path}: {problem}; {remedy}") from error


def _table(frame: Any) -> Table:
    """Raises ``ValueError`` or ``KeyError``."""
    names, rows = _labels(frame, "axis0"), _labels(frame, "axis1")
    place = {name: k for k, name in enumerate(names)}
    values = np.full((len(rows), len(names)), np.nan)
    for k in range(_number(frame, "nblocks")):
        items = _labels(frame, f"block{k}_items")
        stored = frame[f"block{k}_values"]
        block = _array(stored, "fiu")
        block = block if _number(stored, "transposed") else block.T
        if block.shape != (len(rows), len(items)):
            raise ValueError(
                f"block{k}_values has the shape {block.shape}, {(len(rows), len(items))} expected"
            )
        values[:, [place[item] for item in items]] = block
    depth = len(rows[0]) if rows else 1
    header = {
        name: [name, *[""] * (depth - 1), *(column[level] for column in names)]
        for level, name in enumerate(_level_names(frame, "axis0"))
    }
    cells = [["" if np.isnan(v) else repr(v) for v in row] for row in values.tolist()]
    return header, [[*row, *numbers] for row, numbers in zip(rows, cells, strict=True)]


def _labels(frame: Any, axis: str) -> list[tuple[str, ...]]:
    """The names of an axis, each of one or several levels."""
    if axis in frame:
        return [(name,) for name in _names(frame[axis])]
    columns = []
    for k in range(_depth(frame, axis)):
        names = [*_names(frame[f"{axis}_level{k}"]), ""]
        numbers = _array(frame[f"{axis}_label{k}"], "iu").reshape(-1)
        if numbers.size and not _NONE <= numbers.min() <= numbers.max() < len(names) - 1:
            raise ValueError(f"{axis}_label{k} has numbers that none of {len(names) - 1} names has")
        columns.append([names[number] for number in numbers])
    if not columns:
        raise ValueError(f"it has no {axis}")
    return list(zip(*columns, strict=True))


def _level_names(frame: Any, axis: str) -> list[str]:
    levels = [frame[f"{axis}_level{k}"] for k in range(_depth(frame, axis))]
    return [_text(level, "name") for level in levels]


def _depth(frame: Any, axis: str) -> int:
    depth = 0
    while f"{axis}_level{depth}" in frame:
        depth += 1
    return depth


def _names(stored: Any) -> list[str]:
    values = _array(stored, "Siu").reshape(-1).tolist()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]


def _array(stored: Any, kinds: str) -> np.ndarray:
    """A dataset's values. ``kinds``: those of NumPy's that it may have."""
    return dataset_values(stored, kinds, shortened(str(stored.name)))


def _number(stored: Any, name: str) -> int:
    """An attribute's whole number; 0 for none."""
    return int(attribute(stored, name, "iub") or 0)


def _text(stored: Any, name: str) -> str:
    """An attribute's text; empty for none."""
    return (attribute(stored, name, "S") or b"").decode("utf-8", "replace")
