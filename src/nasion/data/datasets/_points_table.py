"""CSV tables of points and boxes: rows to numbers, and where images lie."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._image_names import image_of_face, numbered_faces
from nasion.data.datasets._label_files import images_root, label_file, only_file
from nasion.data.datasets._table_header import (
    BOX_COLUMNS,
    name_column,
    named_columns,
    pixel_origin,
    point_columns,
)
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError
from nasion.landmarks.geometry import has_area
from nasion.landmarks.scheme import Scheme
from nasion.media.csv_rows import column_positions, csv_rows, delimiter_of, of_width
from nasion.media.files import read_text
from nasion.media.number_text import check_file_name, parse_coordinate
from nasion.media.quoted import listed, quoted, shortened

_SUFFIXES = (".csv", ".tsv")
_LOOKED_FOR = 20  # faces whose images tell in which folder they all lie
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*$", re.ASCII)
# What programs write into a cell without a value: pandas, R, Excel, databases.
_NO_VALUE = ("na", "n/a", "#n/a", "<na>", "none", "null", "-")
_EXCEL_OVERFLOW = re.compile(r"#{2,}$")  # what Excel shows for a number wider than its column


def says_nothing(cell: str) -> bool:
    """Whether a cell is empty, or has what programs write for none, as ``NA``."""
    return cell.strip().lower() in ("", *_NO_VALUE)


def table_at(root: Path) -> Path | None:
    """The table at a path, plain or packed, or the only one of a folder; None for an empty one."""
    is_packed = root.is_file() and root.suffix.lower() == ".gz"
    path = root if is_packed else only_file(root, *_SUFFIXES)
    return None if path is None or path.stat().st_size == 0 else path


def given_table(root: Path) -> Path:
    """The table that a path means. Raises ``DataError`` for a folder with none or several."""
    return label_file(root, *_SUFFIXES)


def image_folder(table: Path, faces: Sequence[str]) -> Path:
    """Where the images lie: beside the table, or in a folder beside it that has one of them.

    The first image may be missing, so a few are looked for.
    """
    root = images_root(table)
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    for face in faces[:_LOOKED_FOR]:
        for folder in folders:
            if (folder / image_of_face(face, folder)).is_file():
                return folder
    return root


def read_table(
    path: Path, scheme: Scheme, faults: Faults, labels: bool = False
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """(ids, points (N, K, 2), boxes (N, 4) or None) of a table of points.

    Several rows of one name are faces of one image, as ``numbered_faces`` names them. ``labels``:
    names must be of images in the table's folder or below it.
    """
    text = read_text(path)
    lines = csv_rows(text, path)
    _, header = next(lines, (0, []))
    names = named_columns(header)
    at, columns = name_column(names), point_columns(names, scheme, path)
    has_boxes = all(name in names for name in BOX_COLUMNS)
    # The box's four numbers come first, if there is a box.
    wanted = column_positions(names, BOX_COLUMNS, path) + columns if has_boxes else columns
    marks = DecimalMarks(delimiter_of(text) != ",")
    faces: list[str] = []
    rows: list[list[float]] = []
    seen: set[tuple[str, str]] = set()
    finder = ImageFinder(images_root(path))
    count = 0
    for line, found in lines:
        count += 1
        try:
            cells = of_width(found, len(header))
            face = finder.named(cells[at]) if labels else check_file_name(cells[at])
            numbers = _numbers(cells, wanted, header, marks)
            # Empty cells: a face without a box.
            if has_boxes and not all(map(math.isnan, numbers[:4])):
                _check_box(numbers[:4])
            # A second face of an image is another face, not the same one twice.
            if (face, repr(numbers)) in seen:
                raise ValueError(f"face {quoted(face)} occurs a second time with the same points")
            seen.add((face, repr(numbers)))
            faces.append(face)
            rows.append(numbers)
        except ValueError as error:
            report_fault(faults, f"{path.name} line {line}", f"{error}.")
    if not rows:
        lost = f"none of its {count} rows is without a fault"
        raise DataError(f"{path}: {lost if count else 'no rows below the header'}.")
    finder.tell(path.name)
    numbers = np.array(rows, dtype=np.float32)
    boxes = numbers[:, :4] if has_boxes else None
    boxes = None if boxes is None or np.isnan(boxes).all() else boxes
    points = numbers[:, 4 * has_boxes :].reshape(len(rows), len(scheme), 2) - pixel_origin(names)
    return numbered_faces(faces), points, boxes


@dataclass
class DecimalMarks:
    """The decimal mark of a table. ``comma``: whether it may be a comma."""

    comma: bool
    seen: str = ""

    def with_point(self, cell: str) -> str:
        """The cell with a decimal point. ``ValueError`` if the table has both marks."""
        mark = "," if self.comma and _DECIMAL_COMMA.match(cell) else "."
        if mark in cell:
            # 1.234 beside 5,6 is more than a thousand.
            if self.seen not in ("", mark):
                raise ValueError(
                    f"{quoted(cell.strip())}, where numbers before have the decimal mark "
                    f"{quoted(self.seen)}: a thousand, or a fraction? Write all numbers with one "
                    "mark, and thousands without"
                )
            self.seen = mark
        return cell.replace(",", ".") if mark == "," else cell

    def coordinate(self, cell: str) -> float:
        """The number in a cell, NaN for what programs write for none. ``ValueError`` for others."""
        cell = "" if says_nothing(cell) else cell
        try:
            return parse_coordinate(self.with_point(cell), missing=True)
        except ValueError:
            if not _EXCEL_OVERFLOW.match(cell.strip()):
                raise
            raise ValueError(
                f"{quoted(cell.strip())}, which Excel shows for a number that does not fit its "
                "column; widen the column there and save the table again"
            ) from None


def _numbers(
    cells: list[str], wanted: list[int], header: list[str], marks: DecimalMarks
) -> list[float]:
    values = []
    for at in wanted:
        try:
            values.append(marks.coordinate(cells[at]))
        except ValueError as error:
            raise ValueError(f"{shortened(header[at])} is {error}") from None
    # Points and corners of the box alike are pairs.
    for i in range(0, len(values), 2):
        if math.isnan(values[i]) != math.isnan(values[i + 1]):
            x, y = wanted[i], wanted[i + 1]
            raise ValueError(
                f"half a point: {shortened(header[x])} is {quoted(cells[x] or 'empty')}, "
                f"{shortened(header[y])} is {quoted(cells[y] or 'empty')}"
            )
    return values


def _check_box(box: list[float]) -> None:
    if not has_area(np.array(box)):  # NaN has none either
        raise ValueError(f"the box {box} has no area; x1 > x0 and y1 > y0 expected")


def read_boxes(path: Path) -> tuple[list[str], np.ndarray]:
    """(image names, boxes (N, 4)) of a table with ``box_x0 .. box_y1`` columns.

    An image may have several rows. Raises ``DataError``.
    """
    text = read_text(path)
    lines = csv_rows(text, path)
    _, header = next(lines, (0, []))
    header = [name.strip() for name in header]
    at = name_column(header)
    marks = DecimalMarks(delimiter_of(text) != ",")
    if not all(name in header for name in BOX_COLUMNS):
        raise DataError(
            f"{path} line 1: columns {', '.join(BOX_COLUMNS)} expected after the image's name; "
            f"found {listed(header[:6])}."
        )
    wanted = column_positions(header, BOX_COLUMNS, path)
    names, boxes = [], []
    for line, cells in lines:
        try:
            cells = of_width(cells, len(header))
            box = _numbers(cells, wanted, header, marks)
            # Fails for NaN too, which an empty cell is.
            _check_box(box)
            names.append(check_file_name(cells[at]))
        except ValueError as error:
            found = shortened(",".join(cells), 60)
            raise DataError(
                f"{path} line {line}: four numbers with x1 above x0 and y1 above y0 expected; "
                f"found {found} ({error})."
            ) from None
        boxes.append(box)
    return names, np.array(boxes, dtype=np.float32).reshape(-1, 4)
