"""What the columns of a CSV table of points mean, in the styles in which people name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nasion.data.own_schemes import scheme_from_data, scheme_of_numbered
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import SCHEMES
from nasion.landmarks.scheme import Scheme
from nasion.media.csv_rows import column_positions, csv_rows
from nasion.media.files import open_bytes, utf16_of
from nasion.media.number_text import is_whole, parse_number
from nasion.media.quoted import listed, shortened

_NEARLY_ALL = 0.8  # of a scheme's points: a table with so many is of that scheme, with a fault
BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")
HEADER_BYTES = 65536  # in which a table's first line is looked for
_SHOWN = 60  # characters of a first line in a message
MAX_NUMBER_DIGITS = 5  # of a point's number: the highest decides how large the scheme must be
# Columns that name a face or its image; where a table has several, the first one here counts:
# files before names, and numbers last.
_NAME_COLUMNS = (
    "image", "image_name", "image_file", "image_path", "imagename", "imagepath",
    "img", "img_name", "img_path", "file", "file_name", "filename", "file_path", "filepath",
    "path", "photo", "picture", "face", "frame", "name", "image_id", "id",
)  # fmt: skip
# p0_x, part_0_x, landmark_0_x, original_0_x or 0_x.
_NUMBERED = re.compile(
    r"(?:p|part_|original_|(?:point|landmark|keypoint|kp|pt|lm)_?)?(\d{1,5})_([xy])$",
    re.ASCII | re.I,
)
# Tables of HRNet's face alignment, whose pixels count from 1 as the .pts files that they are from.
_FROM_ONE = re.compile(r"original_\d{1,5}_x$", re.ASCII)
_AXIS_LAST = re.compile(r"(.+)[_. ]([xyXY])$", re.S)  # name_x, name.x, name x
_AXIS_FIRST = re.compile(r"([xyXY])[_. ](.+)$", re.S)  # x_name, x.name
_AXIS_NUMBER = re.compile(r"([xyXY])(\d{1,5})$", re.ASCII)  # x0, y0


def read_header(path: Path) -> list[str]:
    """The column names in the first line of a table, as ``named_columns`` writes them.

    Empty if there is no first line.
    """
    return named_columns(read_first_line(path))


def read_first_line(path: Path) -> list[str]:
    """The cells of a table's first line that is not blank; empty if there is none."""
    with open_bytes(path) as stream:
        data = stream.read(HEADER_BYTES)
    text = data.decode(utf16_of(data) or "utf-8", "replace").removeprefix("\ufeff")
    try:
        # What was read may end within a row, but not within the first.
        return next((cells for _, cells in csv_rows(text, path)), [])
    except DataError:
        return []


def named_columns(header: Sequence[str]) -> list[str]:
    """Columns named in any style, as ``NAME_x`` and ``NAME_y``; other columns as they are.

    Styles: ``NAME_x``, ``NAME.x``, ``NAME x``, ``x_NAME``, ``x.NAME``, ``x0``; small or capital.
    """
    names = [name.strip() for name in header]
    # A table has one style: with x first, a point may be called `y` or end in `_x`.
    last = sum(_AXIS_LAST.match(name) is not None for name in names)
    first = sum(_axis_first(name) is not None for name in names)
    if first > last:
        return [_axis_first(name) or name for name in names]
    found = [(_AXIS_LAST.match(name), name) for name in names]
    return [f"{match[1]}_{match[2].lower()}" if match else name for match, name in found]


def _axis_first(name: str) -> str | None:
    match = _AXIS_FIRST.match(name) or _AXIS_NUMBER.match(name)
    return f"{match[2]}_{match[1].lower()}" if match else None


def pixel_origin(columns: Sequence[str]) -> int:
    """What the table calls the first pixel: 1 in those of HRNet, else 0."""
    return int(any(_FROM_ONE.match(name) for name in columns))


def name_column(columns: Sequence[str]) -> int:
    """Which column names the face: the one called so (``_NAME_COLUMNS``), else the first."""
    lower = [re.sub(r"[\s-]+", "_", name.lower()) for name in columns]
    return next((lower.index(name) for name in _NAME_COLUMNS if name in lower), 0)


def is_points_header(columns: Sequence[str]) -> bool:
    """True if these columns hold boxes or points: those of a table of points."""
    # With the pixels in a column named Image, after the points, it is Kaggle's.
    if len(columns) < 3 or "Image" in columns[1:]:
        return False
    if "box_x0" in columns or {"0", "1"} <= set(columns):
        return True
    # A column that occurs twice, or lacks its partner, is a fault that reading names.
    axes = [name for name in columns if name.endswith(("_x", "_y"))]
    return len(axes) >= 2 and any(name.endswith("_x") for name in axes)


def why_no_points(cells: Sequence[str]) -> str:
    """What the first line of a table lacks, and what to do; empty if it has columns of points."""
    columns = named_columns(cells)
    if is_points_header(columns):
        return ""
    shown = listed(map(str.strip, cells), _SHOWN)
    if "Image" in columns:
        return "it has Kaggle's column Image; give its kind (fkd, or points_csv if it names images)"
    if len(columns) == 1:
        return (
            f"its first line is one cell ({shown}); cells are separated by comma, semicolon, tab "
            "or |: save it again with one of these"
        )
    if sum(map(_is_number, columns)) >= 2:
        return (
            f"its first line has values ({shown}) instead of the columns' names; add a first line "
            "as image,left_eye_x,left_eye_y,nose_x,nose_y"
        )
    return (
        f"its first line names no points ({shown}); x and y of each are looked for, as NAME_x and "
        "NAME_y, x_NAME, NAME.x, p0_x, x0, or 0, 1, 2 in turn: rename the columns"
    )


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def table_scheme(path: Path, requested: Scheme | None) -> Scheme:
    """The scheme that a table's header fits. Raises ``SettingError`` if none or several do."""
    header = read_header(path)
    at = name_column(header)
    # Whatever the face's column is called, it is no point.
    columns = header[:at] + header[at + 1 :]
    coordinates = [name for name in columns if name.endswith(("_x", "_y"))]
    column_positions(columns, coordinates, path)  # raises for one that occurs twice
    named = [
        name.removesuffix("_x")
        for name in columns
        if name.endswith("_x") and not _NUMBERED.match(name) and name not in BOX_COLUMNS
    ]
    if named:
        candidates = [requested, *SCHEMES.values()] if requested else [*SCHEMES.values()]
        scheme = next((s for s in candidates if s and set(named) == set(s.points)), None)
        if scheme is None and requested is not None and _nearly_all(requested, named):
            return requested  # a column that lacks or is misspelt; reading it says which
        scheme = scheme or scheme_from_data(path.stem, named)
    else:
        numbered = [name for name in columns if is_whole(name) or _NUMBERED.match(name)]
        count = len(numbered) // 2
        scheme = scheme_of_numbered(path.stem, count, requested) if count else None
        if scheme is None:
            raise _no_scheme(path, len(numbered) // 2, requested)
    return scheme


def _nearly_all(scheme: Scheme, named: Sequence[str]) -> bool:
    return sum(point in named for point in scheme.points) >= _NEARLY_ALL * len(scheme)


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


def point_columns(columns: Sequence[str], scheme: Scheme, path: Path) -> list[int]:
    """The columns of x and y of each of the scheme's points, in order."""
    wanted = [f"{point}_{axis}" for point in scheme.points for axis in "xy"]
    if any(name in columns for name in wanted):
        return column_positions(columns, wanted, path, f" of scheme {scheme.name}")
    found: dict[tuple[int, str], list[int]] = {}
    for at, name in enumerate(columns):
        if match := _NUMBERED.match(name):
            found.setdefault((int(match[1]), match[2]), []).append(at)
    if not found:
        for at, name in enumerate(columns):
            # Plain numbers 0 .. 2K - 1: x and y in turn.
            if is_whole(name) and len(name) <= MAX_NUMBER_DIGITS:
                found.setdefault((int(name) // 2, "xy"[int(name) % 2]), []).append(at)
    twice = next((columns[at[1]] for at in found.values() if len(at) > 1), None)
    if twice is not None:
        raise DataError(
            f"{path} line 1: a second column for {shortened(twice)}; "
            "each point has one x and one y."
        )
    if len(found) != 2 * len(scheme):
        raise DataError(
            f"{path} line 1: columns for {len(found) / 2:g} points, scheme {scheme.name} has "
            f"{len(scheme)}; name the right scheme or correct the header."
        )
    if {number for number, _ in found} == set(range(1, len(scheme) + 1)):
        # Numbered from 1: as many points, and none is 0.
        found = {(number - 1, axis): at for (number, axis), at in found.items()}
    if set(found) != {(i, axis) for i in range(len(scheme)) for axis in "xy"}:
        raise DataError(
            f"{path} line 1: the points must be numbered 0 to {len(scheme) - 1}, or 1 to "
            f"{len(scheme)}, each with x and y."
        )
    return [found[i, axis][0] for i in range(len(scheme)) for axis in "xy"]
