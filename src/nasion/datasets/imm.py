"""The IMM face database (Nordstrøm et al., 2004): 40 persons in 6 views with 58 points, a picture and an ``.asf`` file each.

``PP-Vg.jpg``: person 01 to 40, view 1 to 6, g = m or f. The course's split is published: persons 1 to 32 train, 33 to 40
validate. An ``.asf`` file gives points relative to the picture, counted from its outer edges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from nasion import geometry
from nasion.datasets._faults import Faults, note
from nasion.errors import AbsentError, DataError, SettingError
from nasion.faces import Faces
from nasion.files import opened, picture_size, write_text, written_beside
from nasion.scheme import Scheme
from nasion.schemes import imm58

SCHEME = imm58
SPLITS = ("all", "train", "val")
TRAINING_PERSONS = tuple(f"{i:02d}" for i in range(1, 33))
VIEWS = {"1": "frontal", "2": "smiling", "3": "turned right", "4": "turned left", "5": "lit from one side", "6": "any"}
_NAME = re.compile(r"(\d\d)-([1-6])([mf])$")


def recognises(root: Path) -> bool:
    return root.is_dir() and any(_NAME.match(path.stem) for path in root.glob("*.asf"))


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """The faces of a folder of ``.asf`` files with their pictures beside them.

    Groups: person (linked), view, gender. A file that breaks the format is a fault by its line.
    """
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in imm; it has {', '.join(SPLITS)}.")
    paths = sorted(path for path in root.glob("*.asf") if _NAME.match(path.stem))
    if not paths:
        raise DataError(f"{root}: no .asf files named as 01-1m.asf here; give the folder that holds them.")
    if split != "all":
        paths = [path for path in paths if (path.stem[:2] in TRAINING_PERSONS) == (split == "train")]
    found: list[tuple[Path, np.ndarray]] = []
    for path in paths:
        try:
            with opened(path) as stream:
                shape = parse(stream.read().decode("latin-1"), path)
            picture = root / shape.picture
            if len(shape.points) != len(imm58):
                raise DataError(f"{path.name}: {len(shape.points)} points, {len(imm58)} expected.")
            if not picture.is_file():
                raise DataError(f"{path.name}: it names the picture {shape.picture!r}, which is not beside it.")
            found.append((picture, geometry.from_relative(shape.points, np.array(picture_size(picture)))))
        except DataError as error:
            note(faults, path.name, str(error).removeprefix(f"{path.name}: "))
    if not found:
        raise AbsentError(f"{root}: no face is left of {len(paths)} .asf files of split {split}.")
    parts = [_NAME.match(picture.stem) or ["", "", "", ""] for picture, _ in found]
    return Faces(
        scheme=imm58,
        ids=tuple(picture.stem for picture, _ in found),
        images=tuple(picture for picture, _ in found),
        points=np.stack([points for _, points in found]).astype(np.float32),
        groups={
            "person": tuple(part[1] for part in parts),
            "view": tuple(VIEWS.get(part[2], "") for part in parts),
            "gender": tuple(part[3] for part in parts),
        },
        linked=("person",),
    )


@dataclass(frozen=True, eq=False)
class Shape:
    """What an ``.asf`` file says: points relative to the picture (0 to 1 from edge to edge), and the picture's name."""

    points: Float32[np.ndarray, "K 2"]
    picture: str


def parse(text: str, path: Path) -> Shape:
    """Rows ``path type x y point from to``, 7 fields or 10, between the number of points and the picture's name.

    Raises ``DataError`` naming the line.
    """
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, fields) for number, fields in lines if fields and not fields[0].startswith("#")]
    if not lines or not lines[0][1][0].isdecimal():
        raise DataError(f"{path.name}: the number of points is missing; this is no .asf file.")
    count = int(lines[0][1][0])
    if len(lines) != count + 2:
        raise DataError(f"{path.name}: {count} points announced, {max(len(lines) - 2, 0)} rows between their number and the picture's name.")
    points = np.full((count, 2), np.nan)
    for number, fields in lines[1 : count + 1]:
        try:
            if len(fields) not in (7, 10):
                raise ValueError(f"{len(fields)} fields, 7 or 10 expected")
            x, y, point = float(fields[2]), float(fields[3]), int(fields[4])
            if not 0 <= point < count or not np.isnan(points[point]).all():
                raise ValueError(f"point {point} is {'out of range' if not 0 <= point < count else 'there twice'}")
            if not (np.isfinite([x, y]).all() and min(x, y) >= -1 and max(x, y) <= 2):
                raise ValueError(f"x {x:g}, y {y:g}: relative coordinates are fractions of the picture's width and height")
        except ValueError as error:
            raise DataError(f"{path.name} line {number}: {error}.") from None
        points[point] = x, y
    return Shape(points.astype(np.float32), lines[-1][1][0])


def write(faces: Faces, folder: Path) -> None:
    """Faces of ``imm58`` with ids as ``01-1m`` as a folder in this format; every point must be labelled."""
    for i, name in enumerate(faces.ids):
        picture = Image.fromarray(np.asarray(faces.images[i]))
        with written_beside(folder / f"{name}.jpg") as beside:
            picture.save(beside, "JPEG", quality=95)
        write_text(folder / f"{name}.asf", _asf(faces.points[i], picture.size, name))


def _asf(points: Float32[np.ndarray, "K 2"], size: tuple[int, int], name: str) -> str:
    relative = geometry.to_relative(points, np.array(size))
    starts: Sequence[int] = (0, 13, 21, 29, 34, 39, 47, len(points))
    rows = []
    for part, (first, end) in enumerate(pairwise(starts)):
        kind = 0 if part in (1, 2, 5) else 4  # eyes and mouth are closed lines
        for k in range(first, end):
            before, after = first + (k - first - 1) % (end - first), first + (k - first + 1) % (end - first)
            rows.append(f"{part} \t{kind} \t{relative[k, 0]:.8f} \t{relative[k, 1]:.8f} \t{k} \t{before} \t{after}")
    head = f"#\n# number of model points\n#\n{len(points)}\n\n#\n# <path#> <type> <x rel.> <y rel.> <point#> <connects from> <connects to>\n#\n"
    return head + "\n".join(rows) + f"\n\n#\n# host image\n#\n{name}.jpg\n"
