"""WFLW (Wu et al., 2018): 10,000 faces of WIDER FACE with 98 points and six attributes, in lists.

``list_98pt_rect_attr_train.txt`` and ``..._test.txt``, a face per line: 196 coordinates, the box
x_min y_min x_max y_max, six attributes 0 or 1, and the file below ``WFLW_images``. Research use.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from nasion.data.datasets._image_names import image_name
from nasion.data.datasets._label_files import box_for_tools, check_split
from nasion.data.datasets._labelled_face import LabelledFace, as_faces, read_each_line
from nasion.data.datasets._photographs import photograph
from nasion.data.datasets._point_lines import Line
from nasion.data.record_faults import Faults
from nasion.errors import SettingError, SplitNotFound
from nasion.landmarks.catalog import wflw98
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import has_area
from nasion.landmarks.scheme import Scheme
from nasion.media.files import write_text
from nasion.media.number_text import parse_coordinate, parse_whole
from nasion.media.quoted import quoted

SCHEME: Scheme = wflw98
SPLITS = ("all", "training", "test")
POOL = "training"  # what train and val are sides of
IMAGE_FOLDER = "WFLW_images"
KEEPS: tuple[str, ...] = ("boxes",)  # of what labels may have beside points
_LIST = "list_98pt_rect_attr_{}.txt"
_LISTS = {"training": _LIST.format("train"), "test": _LIST.format("test")}
# The order of the columns, as the readme of the annotations has it; these are the test subsets.
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_NUMBERS = 2 * len(SCHEME) + 4 + len(ATTRIBUTES)


def recognises(root: Path) -> bool:
    return any(_list_in(root, name) is not None for name in _LISTS.values())


def _list_in(root: Path, name: str) -> Path | None:
    """The list in this folder, where the archive puts it below, or the file itself."""
    if root.is_file():
        return root if root.name == name else None
    inner = Path("list_98pt_rect_attr_train_test")
    folders = (root, root / inner, root / "WFLW_annotations" / inner)
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of the lists. Groups: the six attributes (yes, no), photograph (linked)."""
    check_split(split, SPLITS, "wflw")
    wanted = [name for side, name in _LISTS.items() if split in ("all", side)]
    lists = [path for name in wanted if (path := _list_in(root, name)) is not None]
    if not lists:
        raise SplitNotFound(f"{root}: {' and '.join(wanted)} not found here.")
    images = _images(root)
    found = read_each_line(lists, lambda line: _face(line, images), faults)
    return as_faces(found, SCHEME, (*ATTRIBUTES, "photograph"), linked=("photograph",))


def _images(root: Path) -> Path:
    """The folder of the images: in the given one, or beside that of the annotations."""
    folder = root if root.is_dir() else root.parent
    candidates = [parent / IMAGE_FOLDER for parent in (folder, *folder.parents[:3])]
    return next((path for path in candidates if path.is_dir()), candidates[0])


def _face(line: Line, images: Path) -> LabelledFace:
    # The name is the rest of the line, spaces and all.
    fields = line[1].strip().split(maxsplit=_NUMBERS)
    # A number too many would begin the name.
    if len(fields) != _NUMBERS + 1 or _begins_with_number(fields[-1]):
        count = len(line[1].split())
        raise ValueError(f"{count} fields, {_NUMBERS + 1} expected, the last one the file")
    values = [parse_coordinate(field) for field in fields[: _NUMBERS - len(ATTRIBUTES)]]
    attributes = [parse_whole(field, 0, 1) for field in fields[_NUMBERS - len(ATTRIBUTES) : -1]]
    x0, y0, x1, y1 = values[-4:]
    if not has_area(np.array((x0, y0, x1, y1))):
        raise ValueError(f"the box {values[-4:]} has no area; x1 > x0 and y1 > y0 expected")
    name = image_name(fields[-1], images)
    groups = (*("yes" if value else "no" for value in attributes), photograph(name))
    points = np.array(values[:-4]).reshape(-1, 2)
    return LabelledFace(name, images / name, points, groups, (x0, y0, x1, y1))


def _begins_with_number(name: str) -> bool:
    """Whether the first of several words is a number in any script or notation, as 1e5 or ½."""
    first, *others = name.split(maxsplit=1)
    if not others:
        return False
    try:
        return not math.isnan(float(first))
    except ValueError:
        return all(character.isnumeric() or character in "-+.," for character in first)


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write the training list. Every point must be labelled; unknown attributes are 0.

    A face without a box gets the tight one around its points.
    """
    if faces.scheme != SCHEME:
        raise SettingError(f"wflw has the scheme {SCHEME.name}, these faces {faces.scheme.name}.")
    rows: list[str] = []
    for i, (name, image) in enumerate(zip(faces.ids, faces.images, strict=True)):
        points = faces.points[i].astype(np.float64)
        if np.isnan(points).any():
            raise SettingError(
                f"wflw: face {quoted(name)} lacks points; its lists hold complete faces."
            )
        box = None if faces.boxes is None else faces.boxes[i].astype(np.float64)
        if box is None or np.isnan(box).any():
            box = np.array(box_for_tools(faces, i))
        numbers = [f"{n:.6f}" for n in (*points.reshape(-1).tolist(), *box.tolist())]
        values = [faces.groups.get(kind, ("no",) * len(faces))[i] == "yes" for kind in ATTRIBUTES]
        file = str(Path(str(image)).relative_to(folder / IMAGE_FOLDER))
        rows.append(" ".join([*numbers, *("1" if value else "0" for value in values), file]))
    write_text(folder / _LISTS["training"], "\n".join(rows) + "\n")
    return folder
