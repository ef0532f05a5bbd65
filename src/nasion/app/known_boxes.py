"""Boxes of faces that are known before prediction: typed, or in a table by image name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nasion.array_types import Float32
from nasion.errors import DataError, SettingError
from nasion.landmarks.geometry import has_area
from nasion.media.number_text import parse_coordinate

Box = tuple[float, float, float, float]


class MissingBox(DataError):
    """The table of boxes has none for an image."""


@dataclass(frozen=True)
class KnownBoxes:
    """``typed``: boxes of the only image. ``rows``: of a table, by file name.

    A row is the image's path as the table gives it, and a box. ``ambiguous``: file names that
    several of the images have.
    """

    typed: tuple[Box, ...] = ()
    rows: Mapping[str, list[tuple[Path, Box]]] = field(default_factory=dict)
    table: Path | None = None
    ambiguous: frozenset[str] = frozenset()

    def of(self, name: str) -> Float32[np.ndarray, "N 4"]:
        """The boxes of an image, by name, and by folder if several images or rows have that name.

        Raises ``MissingBox`` for an image that is missing from the table.
        """
        path = Path(name)
        rows, parts = self.rows.get(path.name, []), path.resolve().parts
        if path.name in self.ambiguous and any(len(row.parts) == 1 for row, _ in rows):
            raise DataError(
                f"Several images are called {path.name}; "
                "the table of boxes must name them with their folders."
            )
        if path.name in self.ambiguous or len({row for row, _ in rows}) > 1:
            # The row's path is the end of the image's; of several the longest.
            ends = [each for each in rows if parts[-len(each[0].parts) :] == each[0].parts]
            most = max((len(row.parts) for row, _ in ends), default=0)
            rows = [(row, box) for row, box in ends if len(row.parts) == most]
        fits = [box for _, box in rows]
        found = [*self.typed, *fits]
        if not found:
            raise MissingBox(
                f"{self.table} has no box for {self._asked(path)}; add one, or omit the image."
            )
        return np.array(found, dtype=np.float32)

    def _asked(self, path: Path) -> str:
        """The image's name, with its folder where the table has others of that name."""
        return str(path) if path.name in self.rows else path.name


def known_boxes(
    words: Sequence[str], table: Path | None, images: Sequence[str]
) -> KnownBoxes | None:
    """Boxes as ``x0,y0,x1,y1``, or a table of them, for these images; None without either.

    Raises ``SettingError`` for an invalid box, and for typed boxes of several images.
    """
    if words and (len(images) > 1 or table is not None):
        raise SettingError("--box is for one image; give the boxes of several with --boxes FILE.")
    if table is not None:
        # Readers of data sets take 20 ms to import, and most calls have no table.
        from nasion.data.datasets import imglab
        from nasion.data.datasets._points_table import read_boxes

        is_xml = table.suffix.lower() == ".xml"
        names, boxes = imglab.read_boxes(table) if is_xml else read_boxes(table)
        rows: dict[str, list[tuple[Path, Box]]] = {}
        for name, box in zip(names, boxes.tolist(), strict=True):
            rows.setdefault(Path(name).name, []).append((Path(name), tuple(box)))
        counts = Counter(Path(image).name for image in images)
        ambiguous = frozenset(name for name, count in counts.items() if count > 1)
        return KnownBoxes(rows=rows, table=table, ambiguous=ambiguous)
    return KnownBoxes(typed=tuple(map(_parse, words))) if words else None


def _parse(text: str) -> Box:
    try:
        x0, y0, x1, y1 = map(parse_coordinate, text.split(","))
        if not has_area(np.array((x0, y0, x1, y1))):
            raise ValueError
    except ValueError:
        raise SettingError(
            f"--box {text}: x0,y0,x1,y1 in pixels expected, with x1 above x0 and y1 above y0."
        ) from None
    return x0, y0, x1, y1
