"""LaPa (Liu et al., 2020): 22,000 faces with 106 points, made for face parsing.

``train``, ``val`` and ``test`` with ``images/NAME.jpg`` and ``landmarks/NAME.txt`` each: the number
of points, then a line ``x y`` for each, pixels from 0. Research use.
"""

from __future__ import annotations

from pathlib import Path

from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._photographs import photograph
from nasion.data.datasets._point_lines import headed_lines, points_of_lines
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SplitNotFound
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.lapa import lapa106
from nasion.media.quoted import quoted

SCHEME: Scheme = lapa106
_SIDES = ("train", "val", "test")
SPLITS = ("all", *_SIDES)
_LABELS, _IMAGES = "landmarks", "images"


def recognises(root: Path) -> bool:
    return any(
        (root / side / _IMAGES).is_dir()
        and next((root / side / _LABELS).glob("*" + any_case(".txt")), None) is not None
        for side in _SIDES
    )


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a split. Group: photograph (linked), the number before a name's ``_``."""
    check_split(split, SPLITS, "lapa")
    sides = _SIDES if split == "all" else (split,)
    paths = [
        path
        for side in sides
        for path in sorted((root / side / _LABELS).glob("*" + any_case(".txt")))
    ]
    if not paths:
        raise SplitNotFound(f"{root}: no label files {sides[0]}/{_LABELS}/NAME.txt here.")
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        (number, count), lines = headed_lines(path, place, "the number of points")
        if count.strip() != str(len(SCHEME)):
            raise DataError(
                f"{place} line {number}: {quoted(count.strip())}, the number of points "
                f"{len(SCHEME)} expected."
            )
        points = points_of_lines(lines, len(SCHEME), place)
        image = images.find(path.parent.parent / _IMAGES, path.stem, place)
        return LabelledFace(str(image.relative_to(root)), image, points, (photograph(path.stem),))

    found = read_each(root, paths, read_one, faults)
    return as_faces(found, SCHEME, ("photograph",), linked=("photograph",), tight_boxes=True)
