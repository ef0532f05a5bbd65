"""Points in a CSV table, one face a row: truth or predictions of any tool.

First column: the face (its picture file or any id). Then optionally ``box_x0, box_y0, box_x1, box_y1``, then x and y of each
point: ``<name>_x, <name>_y`` in the scheme's names, or in order as ``p0_x, p0_y ..``, ``part_0_x, part_0_y ..`` or ``0 .. 2K-1``.
An empty cell or ``nan`` is not labelled. Pixels of the source picture, pixel centres at integers.
"""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import numpy as np

from nasion.datasets._faults import Faults, note
from nasion.errors import DataError, SettingError
from nasion.faces import Faces, Predictions
from nasion.files import decoded, opened, write_text
from nasion.scheme import Scheme

SCHEME = None
SPLITS = ("all",)
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
_NUMBERED = re.compile(r"(?:p|part_)?(\d+)_([xy])$")


def recognises(root: Path) -> bool:
    """True for a CSV file whose header has a box, or x and y of a point after the first column."""
    if not root.is_file() or root.suffix not in (".csv", ".gz") or root.stat().st_size == 0:
        return False
    with opened(root) as stream:
        header = stream.read(4096).split(b"\n")[0].decode("utf-8", "replace").strip().split(",")
    if len(header) < 3 or "Image" in header:
        return False
    return "box_x0" in header or header[1] in ("0", "p0_x", "part_0_x") or (header[1].endswith("_x") and header[2] == header[1][:-1] + "y")


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """The faces of a table; pictures are looked for beside it only when they are needed."""
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in a table of points; it has {', '.join(SPLITS)}.")
    if scheme is None:
        raise SettingError(f"{root}: a table of points does not say its scheme; name it (--scheme ibug68).")
    ids, points, boxes = _table(root, scheme, faults)
    pictures = tuple(Path(name) if Path(name).is_absolute() else root.parent / name for name in ids)
    return Faces(scheme=scheme, ids=ids, images=pictures, points=points, boxes=boxes)


def read_predictions(path: Path, scheme: Scheme) -> Predictions:
    """Any tool's predicted points, in the same layout."""
    ids, points, _ = _table(path, scheme, None)
    return Predictions(scheme=scheme, ids=ids, points=points)


def write(predictions: Predictions | Faces, path: Path) -> None:
    """One row per face with named columns; nine digits, so that float32 comes back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["face", *(f"{point}_{axis}" for point in predictions.scheme.points for axis in "xy")])
    for name, points in zip(predictions.ids, predictions.points, strict=True):
        writer.writerow([name, *("" if math.isnan(v) else f"{v:.9g}" for v in points.reshape(-1).tolist())])
    write_text(path, text.getvalue())


def _table(path: Path, scheme: Scheme, faults: Faults) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
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
