"""DeepLabCut's ``CollectedData`` tables, as Lightning Pose has them too: a row per image.

Header rows say scorer, individuals (if there are several), body parts and coordinates. The image is
one column, or three for its folders and name. Each individual is a face; an empty cell is a missing
point, and an individual without a point is not there. Images lie beside the table or where their
names say from there. The ``.h5`` of the same name holds the same; it is read where it lies alone.
"""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._image_names import with_slashes
from nasion.data.datasets._label_files import check_split, labelled_images
from nasion.data.datasets._named_points import NamedFace, named_faces
from nasion.data.datasets._pandas_table import read_table
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.csv_rows import csv_rows
from nasion.media.files import read_text, write_text
from nasion.media.number_text import check_file_name, parse_coordinate
from nasion.media.quoted import listed, quoted, shortened

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "labeled-data/faces"
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
_PATTERN = "CollectedData*"
_DEPTHS = ("", "*/", "*/*/")  # of a project, or a folder of one: where tables lie below it
_LINES = 5  # in which the header's rows are looked for
_HEADER_BYTES = 65536
_SINGLE = "single"  # the individual of what occurs once in a scene
_HEADS = ("scorer", "individuals", "bodyparts", "coords")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Column:
    """A column of coordinates: which individual's point, and its axis."""

    at: int
    individual: str
    point: str
    axis: str


def recognises(root: Path) -> bool:
    """True for such a table, or a folder with one below it."""
    return bool(_tables(root))


def _tables(root: Path) -> list[Path]:
    if root.is_file():
        beside = root.with_suffix(".csv")
        if root.suffix == ".h5" and beside.is_file() and _has_header(beside):
            return [beside]
        return [root] if root.suffix in (".csv", ".h5") and _has_header(root) else []
    for depth in _DEPTHS:
        found = sorted(path for path in root.glob(f"{depth}{_PATTERN}") if path.is_file())
        tables = [path for path in found if path.suffix == ".csv" and _has_header(path)]
        # The same labels: DeepLabCut writes both.
        alone = [p for p in found if p.suffix == ".h5" and p.with_suffix(".csv") not in tables]
        if tables or alone:
            return sorted([*tables, *alone])
    return []


def _has_header(path: Path) -> bool:
    if path.suffix == ".h5":
        return path.name.startswith(_PATTERN[:-1])
    with path.open("rb") as file:
        lines = file.read(_HEADER_BYTES).decode("utf-8", "replace").splitlines()[:_LINES]
    firsts = [line.lstrip("\ufeff").split(",")[0].strip('" ') for line in lines]
    return {"bodyparts", "coords"} <= set(firsts)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The individuals of all tables. Group: photograph (linked), if an image has several.

    ``scheme``: what points mean that are only numbered, or named as its points.
    """
    check_split(split, SPLITS, "deeplabcut")
    tables = _tables(root)
    if not tables:
        raise DataError(f"{root}: no {_PATTERN}.csv with rows scorer, bodyparts and coords here.")
    folder = root if root.is_dir() else root.parent
    faces: list[NamedFace] = []
    for table in tables:
        faces += _read_table(table, folder, faults)
    return named_faces(faces, root, "deeplabcut", scheme, faults, images=folder)


def _read_table(path: Path, folder: Path, faults: Faults) -> list[NamedFace]:
    if path.suffix == ".h5":
        remedy = f"give {path.stem}.csv, which DeepLabCut writes beside it with the same labels."
        header, cells = read_table(path, remedy)
        if "coords" not in header:
            raise DataError(f"{path}: its columns have no level coords; {remedy}")
        return _faces_of_rows(header, enumerate(cells, start=1), "row", path, folder, faults)
    rows = csv_rows(read_text(path), path)
    header: dict[str, list[str]] = {}
    while "coords" not in header:
        line, cells = next(rows, (0, []))
        if not cells or cells[0].strip() not in _HEADS:
            expected = ", ".join(_HEADS)
            found = quoted(",".join(cells), 60)
            raise DataError(f"{path} line {line}: a row of {expected} expected; found {found}.")
        header[cells[0].strip()] = [cell.strip() for cell in cells]
    return _faces_of_rows(header, rows, "line", path, folder, faults)


def _faces_of_rows(
    header: dict[str, list[str]],
    rows: Iterable[tuple[int, list[str]]],
    unit: str,
    path: Path,
    folder: Path,
    faults: Faults,
) -> list[NamedFace]:
    """``rows``: each with its number. ``unit``: what that number counts."""
    columns = _columns(header, path)
    finder, below = ImageFinder(path.parent), path.parent.relative_to(folder)
    faces: list[NamedFace] = []
    for line, cells in rows:
        place = f"{path.name} {unit} {line}"
        try:
            if len(cells) < len(header["coords"]):
                raise ValueError(
                    f"has {counted(len(cells), 'column')}, {len(header['coords'])} expected"
                )
            name = "/".join(cell.strip() for cell in cells[: columns[0].at] if cell.strip())
            parts = with_slashes(check_file_name(name)).split("/")
            image = finder.find(*("/".join(parts[k:]) for k in range(len(parts))))
            faces += _individuals(cells, columns, (below / image).as_posix(), place)
        except DataError:
            raise
        except ValueError as error:
            report_fault(faults, place, f"{error}.")
    return faces


def _columns(header: dict[str, list[str]], path: Path) -> list[_Column]:
    """The columns of x and y; others, as ``likelihood``, are left out. Raises ``DataError``."""
    coords = header["coords"]
    first = next((k for k, cell in enumerate(coords) if k and cell), len(coords))
    points = header.get("bodyparts", [])
    individuals = header.get("individuals", [""] * len(coords))
    if len(points) != len(coords) or len(individuals) != len(coords):
        raise DataError(
            f"{path}: the rows bodyparts, individuals and coords have {len(points)}, "
            f"{len(individuals)} and {len(coords)} columns; the same number expected."
        )
    used = [k for k in range(first, len(coords)) if coords[k] in ("x", "y")]
    columns = _of_faces([_Column(k, individuals[k], points[k], coords[k]) for k in used], path)
    names = [(each.individual, each.point, each.axis) for each in columns]
    if not columns:
        raise DataError(f"{path}: its row coords has no x and y.")
    lone = [n for n in names if names.count(n) > 1 or (*n[:2], "yx"["xy".index(n[2])]) not in names]
    if lone:
        individual, point, axis = lone[0]
        whose = f" of {quoted(individual)}" if individual else ""
        raise DataError(
            f"{path}: {axis} of point {quoted(point)}{whose} is there {names.count(lone[0])} "
            "times, the other axis differently; each point has one x and one y."
        )
    return columns


def _of_faces(columns: list[_Column], path: Path) -> list[_Column]:
    """Without the points of the individual ``single``, if it has none of the others'.

    DeepLabCut calls so what occurs once in a scene with several individuals, as a lamp.
    """
    single = {each.point for each in columns if each.individual == _SINGLE}
    others = {each.point for each in columns if each.individual != _SINGLE}
    if not single or not others or single & others:
        return columns
    _log.info(
        "%s: points of the individual single are of no face, since no other individual has them; "
        "left out: %s.",
        path.name,
        listed(sorted(single)),
    )
    return [each for each in columns if each.individual != _SINGLE]


def _individuals(
    cells: list[str], columns: list[_Column], image: str, place: str
) -> list[NamedFace]:
    """The faces of a row. Raises ``ValueError``."""
    values: dict[tuple[str, str], dict[str, float]] = {}
    for column in columns:
        try:
            value = parse_coordinate(cells[column.at], missing=True)
        except ValueError as error:
            raise ValueError(f"{shortened(column.point)} {column.axis} is {error}") from None
        values.setdefault((column.individual, column.point), {})[column.axis] = value
    faces: dict[str, NamedFace] = {}
    for (individual, point), xy in values.items():
        x, y = xy["x"], xy["y"]
        if math.isnan(x) != math.isnan(y):
            raise ValueError(
                f"half a point: {shortened(point)} has x {x:g}, y {y:g}; both or none expected"
            )
        if not math.isnan(x):
            face = faces.setdefault(individual, NamedFace(image, f"{place} {individual}".rstrip()))
            face.add(point, (x, y))
    return list(faces.values())


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``labeled-data/faces/CollectedData_nasion.csv``; individuals if an image has several.

    A face without a labelled point is lost.
    """
    images = labelled_images(faces, folder / IMAGE_FOLDER)
    most = max((len(image.faces) for image in images), default=1)
    individuals = [f"face{k + 1}" for k in range(most)]
    points, text = faces.scheme.points, io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [(who, point, axis) for who in individuals for point in points for axis in "xy"]
    writer.writerow(["scorer", "", "", *["nasion"] * len(columns)])
    if most > 1:
        writer.writerow(["individuals", "", "", *(who for who, _, _ in columns)])
    writer.writerow(["bodyparts", "", "", *(point for _, point, _ in columns)])
    writer.writerow(["coords", "", "", *(axis for _, _, axis in columns)])
    for image in images:
        numbers = [v for i in image.faces for v in faces.points[i].reshape(-1).tolist()]
        cells = ["" if math.isnan(v) else f"{v:.9g}" for v in numbers]
        cells += [""] * (len(columns) - len(cells))
        writer.writerow([*IMAGE_FOLDER.split("/"), image.name, *cells])
    write_text(folder / IMAGE_FOLDER / "CollectedData_nasion.csv", text.getvalue())
    return folder
