"""Tables of points and of boxes in CSV: which columns are what, rows to numbers, where the pictures lie."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import numpy as np

from nasion.datasets._faults import Faults, note
from nasion.errors import DataError, SettingError
from nasion.files import decoded, opened
from nasion.scheme import Scheme
from nasion.schemes import SCHEMES, scheme_of

_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
HEAD = 65536  # bytes of a header
_NUMBERED = re.compile(r"(?:p|part_)?(\d+)_([xy])$")


def header_of(data: bytes) -> list[str]:
    """The names in the first line of a table that begins so."""
    return next(csv.reader([data.split(b"\n")[0].decode("utf-8-sig", "replace").strip()]), [])


def scheme_meant(root: Path, asked: Scheme | None) -> Scheme:
    """The scheme that a table's header fits."""
    with opened(root) as stream:
        header = header_of(stream.read(HEAD))
    named = {name.removesuffix("_x") for name in header[1:] if name.endswith("_x") and not _NUMBERED.match(name)}
    if named:
        scheme = next((scheme for scheme in SCHEMES.values() if named == set(scheme.points)), asked)
        scheme = asked if asked is not None and named == set(asked.points) else scheme
    else:
        columns = sum(name.isdigit() or _NUMBERED.match(name) is not None for name in header[1:])
        scheme = scheme_of(columns // 2, asked) or asked
    if scheme is None:
        raise SettingError(f"{root}: its columns fit no scheme, or several; name it (--scheme ibug68).")
    return scheme


def picture_folder(root: Path, name: str) -> Path:
    """Where the pictures lie: beside the table, or in the folder beside it that has the first one."""
    beside = [root.parent, *sorted(path for path in root.parent.iterdir() if path.is_dir())]
    return next((folder for folder in beside if (folder / name).is_file()), root.parent)


def table(path: Path, scheme: Scheme, faults: Faults) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    with opened(path) as stream:
        text = decoded(stream.read(), path)
    reader = csv.reader(io.StringIO(text))
    header = next(reader, [])
    columns = _point_columns(header, scheme, path)
    has_boxes = all(name in header for name in _BOX)
    wanted = ([header.index(name) for name in _BOX] if has_boxes else []) + columns
    rows: dict[str, list[float]] = {}
    for cells in filter(None, reader):
        place = f"{path.name} line {reader.line_num}"
        try:
            if len(cells) != len(header):
                raise ValueError(f"has {len(cells)} columns, {len(header)} expected.")
            if cells[0] in rows:
                raise ValueError(f"face {cells[0]!r} occurs a second time; each face has one row.")
            numbers = _numbers(cells, wanted, header)
            if has_boxes and not (numbers[2] > numbers[0] and numbers[3] > numbers[1]):
                raise ValueError(f"the box {numbers[:4]} has no area; x1 > x0 and y1 > y0 expected.")
            rows[cells[0]] = numbers
        except ValueError as error:
            note(faults, place, str(error))
    if not rows:
        raise DataError(f"{path}: no rows below the header.")
    numbers = np.array(list(rows.values()), dtype=np.float32)
    boxes = numbers[:, :4] if has_boxes else None
    return tuple(rows), numbers[:, 4 * has_boxes :].reshape(len(rows), len(scheme), 2), boxes


def _numbers(cells: list[str], wanted: list[int], header: list[str]) -> list[float]:
    values = []
    for at in wanted:
        try:
            values.append(float(cells[at]) if cells[at].strip() else math.nan)
        except ValueError:
            raise ValueError(f"{header[at]} is {cells[at][:30]!r}, a number or nothing expected.") from None
        if math.isinf(values[-1]):
            raise ValueError(f"{header[at]} is infinite, a number or nothing expected.")
    for x, y in zip(range(0, len(values), 2), range(1, len(values), 2), strict=True):
        if math.isnan(values[x]) != math.isnan(values[y]):
            raise ValueError(
                f"half a point: {header[wanted[x]]} is {cells[wanted[x]] or 'empty'!r}, {header[wanted[y]]} is {cells[wanted[y]] or 'empty'!r}."
            )
    return values


def _point_columns(header: list[str], scheme: Scheme, path: Path) -> list[int]:
    """Where x and y of each of the scheme's points stand in the header."""
    named = {name: at for at, name in enumerate(header)}
    wanted = [f"{point}_{axis}" for point in scheme.points for axis in "xy"]
    if any(name in named for name in wanted):
        missing = [name for name in wanted if name not in named]
        if missing:
            raise DataError(f"{path} line 1: column {missing[0]} of scheme {scheme.name} is missing.")
        return [named[name] for name in wanted]
    numbered = {(int(match[1]), match[2]): at for at, name in enumerate(header) if (match := _NUMBERED.match(name))}
    plain = {divmod(int(name), 2): at for at, name in enumerate(header) if name.isdigit()}
    found = numbered or {(i, "xy"[axis]): at for (i, axis), at in plain.items()}
    if len(found) != 2 * len(scheme):
        raise DataError(
            f"{path} line 1: columns for {len(found) / 2:g} points, scheme {scheme.name} has {len(scheme)}; name the right scheme or mend the header."
        )
    if set(found) != {(i, axis) for i in range(len(scheme)) for axis in "xy"}:
        raise DataError(f"{path} line 1: the points must be numbered 0 to {len(scheme) - 1}, each with x and y.")
    return [found[i, axis] for i in range(len(scheme)) for axis in "xy"]


def read_boxes(path: Path) -> tuple[list[str], np.ndarray]:
    """(names of pictures, boxes) of a table with ``box_x0 .. box_y1`` columns; a picture may have several rows. Raises ``DataError``."""
    with opened(path) as stream:
        rows = list(csv.reader(io.StringIO(decoded(stream.read(), path))))
    header = rows[0] if rows else []
    if not all(name in header for name in _BOX):
        raise DataError(f"{path} line 1: columns {', '.join(_BOX)} expected after the picture's name; found {', '.join(header[:6])}.")
    wanted = [header.index(name) for name in _BOX]
    names, boxes = [], []
    for line, cells in enumerate(rows[1:], start=2):
        if not cells:
            continue
        try:
            box = [float(cells[at]) for at in wanted]
            if not (np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]):
                raise ValueError
        except (ValueError, IndexError):
            raise DataError(f"{path} line {line}: four numbers with x1 above x0 and y1 above y0 expected; found {','.join(cells)[:60]}.") from None
        names.append(cells[0])
        boxes.append(box)
    return names, np.array(boxes, dtype=np.float32).reshape(-1, 4)
