"""CSV tables of points and boxes: which column is what, rows to numbers, where images lie."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import numpy as np

from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import SCHEMES, scheme_by_count
from nasion.landmarks.scheme import Scheme
from nasion.media.files import open_bytes, read_text

BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")
HEADER_BYTES = 65536  # in which a table's first line is looked for
# p0_x, part_0_x or 0_x.
_NUMBERED = re.compile(r"(?:p|part_)?(\d+)_([xy])$")


def parse_header(data: bytes) -> list[str]:
    """The column names in the first line of a table that begins with this data."""
    line = data.split(b"\n")[0].decode("utf-8-sig", "replace").strip()
    return next(csv.reader([line]), [])


def table_scheme(path: Path, requested: Scheme | None) -> Scheme:
    """The scheme that a table's header fits. Raises ``SettingError`` if none or several do."""
    with open_bytes(path) as stream:
        header = parse_header(stream.read(HEADER_BYTES))
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
        numbered = [name for name in header[1:] if name.isdigit() or _NUMBERED.match(name)]
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
    reader = csv.reader(io.StringIO(read_text(path)))
    header = next(reader, [])
    columns = _point_columns(header, scheme, path)
    has_boxes = all(name in header for name in BOX_COLUMNS)
    # The box's four numbers come first, if there is a box.
    wanted = [header.index(name) for name in BOX_COLUMNS] + columns if has_boxes else columns
    rows: dict[str, list[float]] = {}
    for cells in filter(None, reader):
        try:
            if len(cells) != len(header):
                raise ValueError(f"has {len(cells)} columns, {len(header)} expected.")
            if cells[0] in rows:
                raise ValueError(f"face {cells[0]!r} occurs a second time; each face has one row.")
            numbers = _numbers(cells, wanted, header)
            if has_boxes and not (numbers[2] > numbers[0] and numbers[3] > numbers[1]):
                raise ValueError(
                    f"the box {numbers[:4]} has no area; x1 > x0 and y1 > y0 expected."
                )
            rows[cells[0]] = numbers
        except ValueError as error:
            report_fault(faults, f"{path.name} line {reader.line_num}", str(error))
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
            values.append(float(cells[at]) if cells[at].strip() else math.nan)
        except ValueError:
            found = cells[at][:30]
            raise ValueError(f"{header[at]} is {found!r}, a number or nothing expected.") from None
        # float() also takes "inf" and "nan"; nan means not labelled.
        if math.isinf(values[-1]):
            raise ValueError(f"{header[at]} is infinite, a number or nothing expected.")
    # Points and corners of the box alike are pairs.
    for i in range(0, len(values), 2):
        if math.isnan(values[i]) != math.isnan(values[i + 1]):
            x, y = wanted[i], wanted[i + 1]
            raise ValueError(
                f"half a point: {header[x]} is {cells[x] or 'empty'!r}, "
                f"{header[y]} is {cells[y] or 'empty'!r}."
            )
    return values


def _point_columns(header: list[str], scheme: Scheme, path: Path) -> list[int]:
    """The columns of x and y of each of the scheme's points, in order."""
    named = {name: at for at, name in enumerate(header)}
    wanted = [f"{point}_{axis}" for point in scheme.points for axis in "xy"]
    if any(name in named for name in wanted):
        missing = [name for name in wanted if name not in named]
        if missing:
            raise DataError(
                f"{path} line 1: column {missing[0]} of scheme {scheme.name} is missing."
            )
        return [named[name] for name in wanted]
    found: dict[tuple[int, str], int] = {}
    for at, name in enumerate(header):
        if match := _NUMBERED.match(name):
            found[int(match[1]), match[2]] = at
    if not found:
        for at, name in enumerate(header):
            # Plain numbers 0 .. 2K - 1: x and y in turn.
            if name.isdigit():
                found[int(name) // 2, "xy"[int(name) % 2]] = at
    if len(found) != 2 * len(scheme):
        raise DataError(
            f"{path} line 1: columns for {len(found) / 2:g} points, scheme {scheme.name} has "
            f"{len(scheme)}; name the right scheme or correct the header."
        )
    if set(found) != {(i, axis) for i in range(len(scheme)) for axis in "xy"}:
        raise DataError(
            f"{path} line 1: the points must be numbered 0 to {len(scheme) - 1}, each with x and y."
        )
    return [found[i, axis] for i in range(len(scheme)) for axis in "xy"]


def read_boxes(path: Path) -> tuple[list[str], np.ndarray]:
    """(image names, boxes (N, 4)) of a table with ``box_x0 .. box_y1`` columns.

    An image may have several rows. Raises ``DataError``.
    """
    rows = list(csv.reader(io.StringIO(read_text(path))))
    header = rows[0] if rows else []
    if not all(name in header for name in BOX_COLUMNS):
        raise DataError(
            f"{path} line 1: columns {', '.join(BOX_COLUMNS)} expected after the image's name; "
            f"found {', '.join(header[:6])}."
        )
    wanted = [header.index(name) for name in BOX_COLUMNS]
    names, boxes = [], []
    for line, cells in enumerate(rows[1:], start=2):
        if not cells:
            continue
        try:
            box = [float(cells[at]) for at in wanted]
            if not (np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]):
                raise ValueError
        except (ValueError, IndexError):
            found = ",".join(cells)[:60]
            raise DataError(
                f"{path} line {line}: four numbers with x1 above x0 and y1 above y0 expected; "
                f"found {found}."
            ) from None
        names.append(cells[0])
        boxes.append(box)
    return names, np.array(boxes, dtype=np.float32).reshape(-1, 4)
