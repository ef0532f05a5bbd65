"""The IMM face database (Nordstrøm et al., 2004): 40 persons in 6 views with 58 points.

An image and an ``.asf`` file each, named ``PP-Vg``: person 01 to 40, view 1 to 6, g = m or f. The
course's split is published: persons 1 to 32 train, 33 to 40 validate. An ``.asf`` file gives points
relative to the image, counted from its outer edges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from nasion.array_types import Float32
from nasion.data.datasets._image_names import image_name
from nasion.data.datasets._label_files import any_case, check_split, labelled_images
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SplitNotFound, require
from nasion.landmarks import geometry
from nasion.landmarks.catalog import imm58
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.files import atomic_write, open_bytes, write_text
from nasion.media.images import image_size
from nasion.media.number_text import check_file_name, is_whole, parse_number, parse_whole
from nasion.media.quoted import quoted

SCHEME: Scheme = imm58
SPLITS = ("all", "train", "val")
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
PIXEL_ORIGIN = 0.5  # numbers count from the corner of the first pixel
IMAGE_SIDE = 1  # numbers are fractions of the image's size
WHOLE_IMAGES = True  # as published, images are crops of one face
TRAINING_PERSONS = tuple(f"{i:02d}" for i in range(1, 33))
VIEWS = {
    "1": "frontal", "2": "smiling", "3": "turned right", "4": "turned left",
    "5": "lit from one side", "6": "any",
}  # fmt: skip
_NAME = re.compile(r"(\d\d)-([1-6])([mf])$")
# The first points of jaw, eyes, brows, mouth and nose, and the end.
_PATHS: Sequence[int] = (0, 13, 21, 29, 34, 39, 47, 58)
_MAX_DIGITS = 5  # of the number of points
_CLOSED = (1, 2, 5)  # eyes and mouth


def recognises(root: Path) -> bool:
    return root.is_dir() and bool(_files(root))


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*" + any_case(".asf")) if _NAME.match(path.stem))


def splits(root: Path) -> tuple[str, ...]:
    """Of a part of the set without persons of both sides, only ``all``."""
    persons = {path.stem[:2] for path in _files(root)}
    both = persons & set(TRAINING_PERSONS) and persons - set(TRAINING_PERSONS)
    return SPLITS if both else ("all",)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a folder of ``.asf`` files with their images beside them.

    Groups: person (linked), view, gender. A file that breaks the format is a fault by its line.
    """
    check_split(split, SPLITS, "imm")
    paths = _files(root)
    if not paths:
        raise DataError(
            f"{root}: no .asf files named as 01-1m.asf here; give the folder that holds them."
        )
    if split != "all":
        is_train = split == "train"
        paths = [path for path in paths if (path.stem[:2] in TRAINING_PERSONS) == is_train]
    images: list[Path] = []
    points: list[np.ndarray] = []
    for path in paths:
        try:
            image, relative = _read_shape(path)
            # Fractions of the image's size from its outer edges, hence the half pixel in
            # from_relative.
            points.append(geometry.from_relative(relative, np.array(image_size(image))))
        except DataError as error:
            report_fault(faults, path.name, str(error).removeprefix(path.name).lstrip(": "))
            continue
        images.append(image)
    if not images:
        raise SplitNotFound(f"{root}: no face is left of {len(paths)} .asf files of split {split}.")
    parts = [_NAME.match(image.stem) or ["", "", "", ""] for image in images]
    return Faces(
        scheme=imm58,
        ids=tuple(image.stem for image in images),
        images=tuple(images),
        points=np.stack(points).astype(np.float32),
        groups={
            "person": tuple(part[1] for part in parts),
            "view": tuple(VIEWS.get(part[2], "") for part in parts),
            "gender": tuple(part[3] for part in parts),
        },
        linked=("person",),
    )


def _read_shape(path: Path) -> tuple[Path, Float32[np.ndarray, "K 2"]]:
    """The image's path and the relative points of an ``.asf`` file."""
    with open_bytes(path) as stream:
        # Latin-1 decodes any bytes; only ASCII matters here, and comments may hold anything.
        shape = parse(stream.read().decode("latin-1"), path)
    try:
        image = path.parent / image_name(shape.image, path.parent)
    except ValueError as error:
        raise DataError(f"{path.name}: {error}.") from None
    if len(shape.points) != len(imm58):
        raise DataError(
            f"{path.name}: {counted(len(shape.points), 'point')}, {len(imm58)} expected."
        )
    if not image.is_file():
        raise DataError(
            f"{path.name}: it names the image {quoted(shape.image)}, which is not beside it."
        )
    return image, shape.points


@dataclass(frozen=True, eq=False)
class Shape:
    """An ``.asf`` file: points relative to the image, 0 to 1 from edge to edge, and its name."""

    points: Float32[np.ndarray, "K 2"]
    image: str


def parse(text: str, path: Path) -> Shape:
    """Rows ``path type x y point from to``, 7 fields or 10, after the number of points.

    The last line is the image's name. Raises ``DataError`` that names the line.
    """
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, row) for number, row in lines if row and not row[0].startswith("#")]
    if not lines or not is_whole(lines[0][1][0]) or len(lines[0][1][0]) > _MAX_DIGITS:
        raise DataError(f"{path.name}: the number of points is missing; not an .asf file.")
    count = int(lines[0][1][0])
    if len(lines) != count + 2:
        rows = max(len(lines) - 2, 0)
        raise DataError(
            f"{path.name}: {count} points declared, {rows} rows between the count and the image's "
            "name."
        )
    # NaN tells below which points have been seen: rows name their point and come in any order.
    points = np.full((count, 2), np.nan)
    for number, fields in lines[1 : count + 1]:
        try:
            point, xy = _parse_row(fields, points)
        except ValueError as error:
            raise DataError(f"{path.name} line {number}: {error}.") from None
        points[point] = xy
    number, fields = lines[-1]
    try:
        return Shape(points.astype(np.float32), check_file_name(fields[0]))
    except ValueError as error:
        raise DataError(f"{path.name} line {number}: {error}.") from None


def _parse_row(fields: list[str], points: np.ndarray) -> tuple[int, tuple[float, float]]:
    if len(fields) not in (7, 10):
        raise ValueError(f"{len(fields)} fields, 7 or 10 expected")
    x, y = parse_number(fields[2]), parse_number(fields[3])
    point = parse_whole(fields[4])
    if point >= len(points):
        raise ValueError(f"point {point} is out of range")
    if not np.isnan(points[point]).all():
        raise ValueError(f"point {point} occurs twice")
    # A point may lie outside its image, but not by more than the image's size: then the numbers are
    # pixels, not fractions.
    if not (min(x, y) >= -1 and max(x, y) <= 2):
        raise ValueError(
            f"x {x:g}, y {y:g}: relative coordinates are fractions of the image's width and height"
        )
    return point, (x, y)


def write(faces: Faces, folder: Path) -> None:
    """Write faces of ``imm58`` with ids as ``01-1m``. Every point must be labelled."""
    for i, name in enumerate(faces.ids):
        image = Image.fromarray(np.asarray(faces.images[i]))
        with atomic_write(folder / f"{name}.jpg") as temporary:
            image.save(temporary, "JPEG", quality=95)
        write_text(folder / f"{name}.asf", _asf(faces.points[i], image.size, f"{name}.jpg"))


def _asf(points: Float32[np.ndarray, "K 2"], size: tuple[int, int], name: str) -> str:
    relative = geometry.to_relative(points, np.array(size))
    rows = ["#", "# number of model points", "#", str(len(points)), "", "#"]
    rows += ["# <path#> <type> <x rel.> <y rel.> <point#> <connects from> <connects to>", "#"]
    for part, (first, end) in enumerate(pairwise(_PATHS)):
        # Bit 2 of a point's type: its path is open.
        kind = 0 if part in _CLOSED else 4
        length = end - first
        for k in range(length):
            # The neighbours, around the end to the start.
            before, after = first + (k - 1) % length, first + (k + 1) % length
            x, y = relative[first + k]
            rows.append(f"{part} \t{kind} \t{x:.8f} \t{y:.8f} \t{first + k} \t{before} \t{after}")
    return "\n".join([*rows, "", "#", "# host image", "#", name]) + "\n"


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write an ``.asf`` file beside each image, which is named as ``01-1m.jpg``.

    Raises ``SettingError`` for faces that IMM's files cannot hold.
    """
    images = labelled_images(faces, folder)
    complete = bool(faces.complete.all())
    require(
        faces.scheme.points == imm58.points and complete and len(images) == len(faces),
        f"IMM's files hold one complete face of scheme imm58 an image; these are {len(faces)} faces"
        f" of scheme {faces.scheme.name} in {len(images)} images"
        f"{'' if complete else ', some with missing points'}. Choose another format.",
    )
    for image in images:
        require(
            _NAME.match(image.path.stem) is not None,
            f"{image.name}: IMM's images are named as 01-1m.jpg (person, view, m or f); rename it, "
            "or choose another format.",
        )
        text = _asf(faces.points[image.faces[0]], image.size, image.path.name)
        write_text(image.path.with_suffix(".asf"), text)
    return folder
