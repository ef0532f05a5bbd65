"""Faces' boxes that are given with pictures: typed, or in a table by the pictures' names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from nasion.datasets import imglab
from nasion.datasets._points_table import read_boxes
from nasion.errors import DataError, SettingError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Given:
    """Boxes of pictures: ``typed`` ones are of the one picture there is, ``rows`` (by file name) of the pictures that they name.

    ``shared``: file names that several of the pictures have.
    """

    typed: tuple[Box, ...] = ()
    rows: Mapping[str, list[tuple[Path, Box]]] = field(default_factory=dict)
    table: Path | None = None
    shared: frozenset[str] = frozenset()

    def of(self, name: str) -> Float32[np.ndarray, "N 4"]:
        """The boxes of a picture: rows of its name, and of its folders where several have that name.

        Raises ``DataError`` for a picture that is missing from the table.
        """
        photo = Path(name)
        several, parts = photo.name in self.shared, photo.resolve().parts
        fits = [(row, box) for row, box in self.rows.get(photo.name, []) if not several or parts[-len(row.parts) :] == row.parts]
        if several and any(len(row.parts) == 1 for row, _ in fits):
            raise DataError(f"Several pictures are called {photo.name}; the table of boxes must name them with their folders.")
        found = [*self.typed, *(box for _, box in fits)]
        if not found:
            raise DataError(f"{self.table} has no box for {photo.name}; add one, or leave the picture out.")
        return np.array(found, dtype=np.float32)


def given(words: Sequence[str], table: Path | None, pictures: Sequence[str]) -> Given | None:
    """Boxes of the pictures of these names, as ``x0,y0,x1,y1``, or a table of them; None where there are neither.

    Raises ``SettingError`` for what cannot be meant.
    """
    if words and (len(pictures) > 1 or table is not None):
        raise SettingError("--box is for one picture; give the boxes of several as a table, --boxes FILE.")
    if table is not None:
        names, boxes = imglab.read_boxes(table) if table.suffix == ".xml" else read_boxes(table)
        rows: dict[str, list[tuple[Path, Box]]] = {}
        for name, box in zip(names, boxes.tolist(), strict=True):
            rows.setdefault(Path(name).name, []).append((Path(name), tuple(box)))
        counts = Counter(Path(picture).name for picture in pictures)
        return Given(rows=rows, table=table, shared=frozenset(name for name, count in counts.items() if count > 1))
    return Given(typed=tuple(map(_box, words))) if words else None


def _box(text: str) -> Box:
    try:
        x0, y0, x1, y1 = map(float, text.split(","))
        if not (np.isfinite([x0, y0, x1, y1]).all() and x1 > x0 and y1 > y0):
            raise ValueError
    except ValueError:
        raise SettingError(f"--box {text}: x0,y0,x1,y1 in pixels expected, with x1 above x0 and y1 above y0.") from None
    return x0, y0, x1, y1
