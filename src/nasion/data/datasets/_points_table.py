"""CSV tables of points and boxes: which column is what, rows to numbers, where images lie."""

from __future__ import annotations

import codecs
import math
import re
from pathlib import Path

import numpy as np

from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import SCHEMES, scheme_by_count
from nasion.landmarks.scheme import Scheme
from nasion.media.csv_rows import column_positions, csv_rows
from nasion.media.files import open_bytes, read_text
from nasion.media.number_text import check_file_name, is_whole, parse_coordinate

BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")
HEADER_BYTES = 65536  # in which a table's first line is looked for
MAX_NUMBER_DIGITS = 5  # of a point's number: the highest decides how large the scheme must be
# p0_x, part_0_x or 0_x.
_NUMBERED = re.compile(r"(?:p|part_)?(\d{1,5})_([xy])$", re.ASCII)


def read_header(path: Path) -> list[str]:
    """The column names in the first line of a table; none if it has no first line."""
    with open_bytes(path) as stream:
        data = stream.read(HEADER_BYTES)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8-sig", "replace")
    try:
        # What was read may end within a row, but not within the first.
        return next((cells for _, cells in csv_rows(text, path)), [])
    except DataError:
        return []


def table_scheme(path: Path, requested: Scheme | None) -> Scheme:
    """The scheme that a table's header fits. Raises ``SettingError`` if none or several do."""
    header = read_header(path)
    coordinates = [name for name in header[1:] if name.endswith(("_x", "_y"))]
    column_positions(header, coordinates, path)  # raises for one that occurs twice
    # header[1:]: the first column is the face's name, whatever it is called.
    named = {
        name.removesuffix("_x")
        for name in header[1:]
        if name.endswith("_x") and not _NUMBERED.match(name)
    }
    if named:
        candidates = [requested, *SCHEMES.values()] if requested else [*SCHEMES.values()]
        scheme = next((s for s in candidates if s and named == set(s.points)), requested)
    else:
        numbered = [name for name in header[1:] if is_whole(name) or _NUMBERED.match(name)]
        scheme = scheme_by_count(len(numbered) // 2, requested)
        if scheme is None:
            raise _no_scheme(path, len(numbered) // 2, requested)
    if scheme is None:
        raise SettingError(
            f"{path}: its columns name points of no scheme that nasion knows; train and evaluate "
            "with a recipe file whose scheme has these points."
        )
    return scheme


def _no_scheme(path: Path, count: int, requested: Scheme | None) -> DataError | SettingError:
    if requested is not None:
        return DataError(
            f"{path}: columns for {count} points, scheme {requested.name} has {len(requested)}; "
            "use a recipe whose scheme has as many, or columns with the points' names."
        )
    return SettingError(
        f"{path}: its columns fit no scheme, or several; name it (--scheme ibug68). "
        f"Found {count} points."
    )


def image_folder(table: Path, name: str) -> Path:
    """Where the images lie: beside the table, or in the folder beside it that has the first one."""
    folders = [table.parent, *sorted(path for path in table.parent.iterdir() if path.is_dir())]
    return next((folder for folder in folders if (folder / name).is_file()), table.parent)


def read_table(
    path: Path, scheme: Scheme, faults: Faults
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """(ids, points (N, K, 2), boxes (N, 4) or None) of a table of points."""
    lines = csv_rows(read_text(path), path)
    _, header = next(lines, (0, []))
    columns = _point_columns(header, scheme, path)
    has_boxes = all(name in header for name in BOX_COLUMNS)
    # The box's four numbers come first, if there is a box.
    wanted = column_positions(header, BOX_COLUMNS, path) + columns if has_boxes else columns
    rows: dict[str, list[float]] = {}
    for line, cells in lines:
        try:
            if len(cells) != len(header):
                raise ValueError(f"has {len(cells)} columns, {len(header)} expected")
            face = check_file_name(cells[0])
            if face in rows:
                raise ValueError(f"face {face!r} occurs a second time; each face has one row")
            numbers = _numbers(cells, wanted, header)
            if has_boxes:
                _check_box(numbers[:4])
            rows[face] = numbers
        except ValueError as error:
            report_fault(faults, f"{path.name} line {line}", f"{error}.")
    if not rows:
        raise DataError(f"{path}: no rows below the header.")
    numbers = np.array(list(rows.values()), dtype=np.float32)
    boxes = numbers[:, :4] if has_boxes else None
    points = numbers[:, 4 * has_boxes :].reshape(len(rows), len(scheme), 2)
    return tuple(rows), points, boxes


def _numbers(cells: list[str], wanted: list[int], header: list[str]) -> list[float]:
    values = []
    for at in wanted:
        try:
            values.append(parse_coordinate(cells[at], missing=True))
        except ValueError as error:
            raise ValueError(f"{header[at]} is {error}") from None
    # Points and corners of the box alike are pairs.
    for i in range(0, len(values), 2):
        if math.isnan(values[i]) != math.isnan(values[i + 1]):
            x, y = wanted[i], wanted[i + 1]
            raise ValueError(
                f"half a point: {header[x]} is {cells[x][:30] or 'empty'!r}, "
                f"{header[y]} is {cells[y][:30] or 'empty'!r}"
            )
    return values


def _check_box(box: list[float]) -> None:
    # In the precision in which it is kept: a thin box far away has no area there. NaN fails too.
    x0, y0, x1, y1 = np.array(box, dtype=np.float32).tolist()
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"the box {box} has no area; x1 > x0 and y1 > y0 expected")


def _point_columns(header: list[str], scheme: Scheme, path: Path) -> list[int]:
    """The columns of x and y of each of the scheme's points, in order."""
    wanted = [f"{point}_{axis}" for point in scheme.points for axis in "xy"]
    if any(name in header for name in wanted):
        return column_positions(header, wanted, path, f" of scheme {scheme.name}")
    found: dict[tuple[int, str], list[int]] = {}
    for at, name in enumerate(header):
        if match := _NUMBERED.match(name):
            found.setdefault((int(match[1]), match[2]), []).append(at)
    if not found:
        for at, name in enumerate(header):
            # Plain numbers 0 .. 2K - 1: x and y in turn.
            if is_whole(name) and len(name) <= MAX_NUMBER_DIGITS:
                found.setdefault((int(name) // 2, "xy"[int(name) % 2]), []).append(at)
    twice = next((header[at[1]] for at in found.values() if len(at) > 1), None)
    if twice is not None:
        raise DataError(
            f"{path} line 1: a second column for {twice}; each point has one x and one y."
        )
    if len(found) != 2 * len(scheme):
        raise DataError(
            f"{path} line 1: columns for {len(found) / 2:g} points, scheme {scheme.name} has "
            f"{len(scheme)}; name the right scheme or correct the header."
        )
    if set(found) != {(i, axis) for i in range(len(scheme)) for axis in "xy"}:
        raise DataError(
            f"{path} line 1: the points must be numbered 0 to {len(scheme) - 1}, each with x and y."
        )
    return [found[i, axis][0] for i in range(len(scheme)) for axis in "xy"]


def read_boxes(path: Path) -> tuple[list[str], np.ndarray]:
    """(image names, boxes (N, 4)) of a table with ``box_x0 .. box_y1`` columns.

    An image may have several rows. Raises ``DataError``.
    """
    lines = csv_rows(read_text(path), path)
    _, header = next(lines, (0, []))
    if not all(name in header for name in BOX_COLUMNS):
        raise DataError(
            f"{path} line 1: columns {', '.join(BOX_COLUMNS)} expected after the image's name; "
            f"found {', '.join(header[:6])[:200]}."
        )
    wanted = column_positions(header, BOX_COLUMNS, path)
    names, boxes = [], []
    for line, cells in lines:
        try:
            if len(cells) != len(header):
                raise ValueError(f"has {len(cells)} columns, {len(header)} expected")
            box = [parse_coordinate(cells[at]) for at in wanted]
            _check_box(box)
            names.append(check_file_name(cells[0]))
        except ValueError as error:
            found = ",".join(cells)[:60]
            raise DataError(
                f"{path} line {line}: four numbers with x1 above x0 and y1 above y0 expected; "
                f"found {found} ({error})."
            ) from None
        boxes.append(box)
    return names, np.array(boxes, dtype=np.float32).reshape(-1, 4)
