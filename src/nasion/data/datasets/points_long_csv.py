"""A CSV table of one row per point: image, point, x, y, and optionally face and visibility.

The columns are found by their names in any order. An image of several faces needs a column that
tells them apart (``face``). ``visible`` is 0 or 1, or COCO's 0, 1 (hidden) and 2; ``occluded`` is
the opposite of visible. Separators, decimal marks, encodings, empty cells and where images lie are
as in a table of one row per face (``points_csv``).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasion.data.datasets._label_files import check_split, is_occluded, labelled_images
from nasion.data.datasets._named_points import NamedFace, named_faces
from nasion.data.datasets._points_table import (
    DecimalMarks,
    given_table,
    says_nothing,
    table_at,
)
from nasion.data.datasets._table_header import read_header
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.csv_rows import csv_rows, delimiter_of, of_width
from nasion.media.files import read_text, write_text
from nasion.media.number_text import check_file_name, without_decimals
from nasion.media.quoted import listed, quoted

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("occluded",)  # of what labels may have beside points
# What columns are called; of several in a table the first one here counts.
_IMAGES = (
    "image", "image_name", "image_file", "image_path", "imagename", "img", "img_name", "file",
    "file_name", "filename", "file_path", "filepath", "path", "photo", "picture", "frame",
    "image_id",
)  # fmt: skip
_POINTS = (
    "point", "point_name", "landmark", "landmark_name", "keypoint", "keypoint_name", "bodypart",
    "part", "joint", "node", "label", "name", "point_id", "landmark_id", "keypoint_id", "feature",
)  # fmt: skip
_FACES = (
    "face", "face_id", "instance", "instance_id", "individual", "person", "person_id", "subject",
    "object", "object_id", "group", "group_id", "track", "track_id",
)  # fmt: skip
_X, _Y = ("x", "x_coord", "pos.x"), ("y", "y_coord", "pos.y")
_VISIBLE, _HIDDEN = ("visible", "visibility", "v"), ("occluded", "hidden")
_YES, _NO = ("1", "true", "yes", "y", "t"), ("0", "false", "no", "n", "f")


@dataclass(frozen=True)
class _Columns:
    """Where the table's columns are; None for those that it does not have."""

    image: int
    point: int
    x: int
    y: int
    face: int | None
    visible: int | None
    hidden: int | None


def recognises(root: Path) -> bool:
    """True for a table with columns for image, point, x and y, or a folder with one such."""
    path = table_at(root)
    return path is not None and _columns(read_header(path)) is not None


def _columns(header: Sequence[str]) -> _Columns | None:
    names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]

    def at(called: Sequence[str]) -> int | None:
        return next((names.index(name) for name in called if name in names), None)

    image, point, x, y = at(_IMAGES), at(_POINTS), at(_X), at(_Y)
    if image is None or point is None or x is None or y is None:
        return None
    return _Columns(image, point, x, y, at(_FACES), at(_VISIBLE), at(_HIDDEN))


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a table. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that are only numbered, or named as its points.
    """
    check_split(split, SPLITS, "points_long_csv")
    root = given_table(root)
    text = read_text(root)
    rows = csv_rows(text, root)
    _, header = next(rows, (0, []))
    columns = _columns(header)
    if columns is None:
        raise DataError(
            f"{root} line 1: columns image, point, x and y expected; found {listed(header)}."
        )
    marks, lines = DecimalMarks(delimiter_of(text) != ","), list(rows)
    # COCO's visibility, if 2 occurs: then 0 is not labelled, 1 hidden.
    at = columns.visible
    seen = {_flag_text(cells[at]) for _, cells in lines if at is not None and at < len(cells)}
    faces: dict[tuple[str, str], NamedFace] = {}
    for line, cells in lines:
        place = f"{root.name} line {line}"
        try:
            cells = of_width(cells, len(header))
            _add_point(cells, columns, marks, "2" in seen, faces, place)
        except ValueError as error:
            report_fault(faults, place, f"{error}.")
    return named_faces(list(faces.values()), root, root.stem, scheme, faults)


def _add_point(
    cells: list[str],
    columns: _Columns,
    marks: DecimalMarks,
    is_coco: bool,
    faces: dict[tuple[str, str], NamedFace],
    place: str,
) -> None:
    """Raises ``ValueError`` for a row that means nothing."""
    image = check_file_name(cells[columns.image])
    whose = "" if columns.face is None else cells[columns.face].strip()
    face = faces.setdefault((image, whose), NamedFace(image, place))
    name = check_file_name(cells[columns.point].strip())
    values = []
    for axis, at in (("x", columns.x), ("y", columns.y)):
        try:
            values.append(marks.coordinate(cells[at]))
        except ValueError as error:
            raise ValueError(f"{axis} is {error}") from None
    x, y = values
    if math.isnan(x) != math.isnan(y):
        raise ValueError(
            f"half a point: x is {quoted(cells[columns.x])}, y is {quoted(cells[columns.y])}"
        )
    is_hidden = False
    if columns.visible is not None:
        shown = _flag_text(cells[columns.visible])
        if is_coco and shown == "0":
            return
        is_hidden = _is_hidden(shown) if is_coco else not _flag(shown, "visible")
    elif columns.hidden is not None:
        is_hidden = _flag(_flag_text(cells[columns.hidden]), "occluded")
    if math.isnan(x):
        return
    if name in face.points and columns.face is None:
        raise ValueError(
            f"point {quoted(name)} of {quoted(image)} occurs twice; if these are two faces, tell "
            "them apart in a column face"
        )
    face.add(name, (x, y), is_hidden)


def _flag_text(cell: str) -> str:
    """The cell in small letters; empty for what says nothing, also ``nan``, as pandas writes."""
    text = cell.strip().lower()
    return "" if says_nothing(text) or text == "nan" else without_decimals(text)


def _is_hidden(text: str) -> bool:
    """COCO's visibility of a labelled point; an empty cell says nothing, as in ``_flag``."""
    if text not in ("1", "2", ""):
        raise ValueError(f"visible is {quoted(text)}; 0, 1 (hidden) or 2 expected")
    return text == "1"


def _flag(text: str, column: str) -> bool:
    if text in _YES or text == "":
        # An empty cell of either column: nothing is said, and most points are visible.
        return text != "" or column == "visible"
    if text in _NO:
        return False
    raise ValueError(f"{column} is {quoted(text)}; 0, 1, true or false expected")


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``labels.csv``: image, face, point, x, y, visible; labelled points only."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "face", "point", "x", "y", "visible"])
    for image in labelled_images(faces, folder / IMAGE_FOLDER):
        for number, i in enumerate(image.faces, start=1):
            for k, name in enumerate(faces.scheme.points):
                if faces.labelled[i, k]:
                    x, y = (f"{value:.9g}" for value in faces.points[i, k].tolist())
                    visible = int(not is_occluded(faces, i, k))
                    writer.writerow([image.name, f"face{number}", name, x, y, visible])
    path = folder / "labels.csv"
    write_text(path, text.getvalue())
    return path
