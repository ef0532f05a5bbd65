"""MTFL (Zhang et al., 2014): 5 points and attributes of 12,995 faces, in lists of images.

``training.txt`` and ``testing.txt``, a face per line: the file, x of the five points, their y, then
gender, smile, glasses and pose. Points are as seen in the image, from its left, and count pixels
from 1. The published lists write names with backslashes. Research use.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nasion.data.datasets._image_names import image_name
from nasion.data.datasets._label_files import check_split
from nasion.data.datasets._labelled_face import LabelledFace, as_faces, read_each_line
from nasion.data.datasets._point_lines import Line
from nasion.data.record_faults import Faults
from nasion.errors import SettingError, SplitNotFound
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.mtfl import mtfl5
from nasion.media.files import write_text
from nasion.media.number_text import parse_coordinate, parse_whole
from nasion.media.quoted import quoted
from nasion.media.signatures import IMAGE_SUFFIXES

SCHEME: Scheme = mtfl5
SPLITS = ("all", "training", "test")
POOL = "training"  # what train and val are sides of
PIXEL_ORIGIN = 1  # what the files call the first pixel
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
_LISTS = {"training": "training.txt", "test": "testing.txt"}
_GROUPS = ("pose", "gender", "smile", "glasses", "person", "photograph")
_FACE_OF_PHOTOGRAPH = re.compile(r"(\d+)_\d+_\d+", re.ASCII)  # 1118_1_0: the second of 1118
_VALUES = {
    "pose": ("left profile", "left", "frontal", "right", "right profile"),
    "gender": ("male", "female"),
    "smile": ("smiling", "not smiling"),
    "glasses": ("glasses", "no glasses"),
}  # the files count them from 1
_FIELDS = 15
_LFW = "lfw"  # the folder of Labeled Faces in the Wild, whose files are named by person


def recognises(root: Path) -> bool:
    folder = root if root.is_dir() else root.parent
    named = root.is_dir() or root.name in _LISTS.values()
    return named and any(_is_list(folder / name) for name in _LISTS.values())


def _is_list(path: Path) -> bool:
    """True if the first line is one of this format; other tools have a training.txt too."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        fields = file.readline(4096).split()
    return len(fields) == _FIELDS and all(b"." in field for field in fields[:11])


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of the lists in a folder, or of one list.

    Groups: pose, gender, smile, glasses, photograph (linked), and person (linked), which is known
    in LFW's part only.
    """
    check_split(split, SPLITS, "mtfl5")
    folder = root if root.is_dir() else root.parent
    wanted = [name for side, name in _LISTS.items() if split in ("all", side)]
    lists = [folder / name for name in wanted if root.is_dir() or root.name == name]
    lists = [path for path in lists if path.is_file()]
    if not lists:
        raise SplitNotFound(f"{root}: {' and '.join(wanted)} not found here.")
    found = read_each_line(lists, lambda line: _face(line, folder), faults)
    return as_faces(found, SCHEME, _GROUPS, linked=("person", "photograph"))


def _face(line: Line, folder: Path) -> LabelledFace:
    # From the end, since a file's name may hold spaces.
    fields = line[1].strip().rsplit(maxsplit=_FIELDS - 1)
    if len(fields) != _FIELDS or Path(fields[0]).suffix.lower() not in IMAGE_SUFFIXES:
        raise ValueError(
            f"{len(line[1].split())} fields, {_FIELDS} expected: file, x of 5 points, y of 5 "
            "points, gender, smile, glasses, pose"
        )
    name = image_name(fields[0], folder)
    points = np.array([parse_coordinate(field) for field in fields[1:11]]).reshape(2, 5).T - 1
    kinds = ("gender", "smile", "glasses", "pose")
    values: dict[str, str] = dict(zip(kinds, fields[11:], strict=True))
    groups = [
        _VALUES[kind][parse_whole(values[kind], 1, len(_VALUES[kind])) - 1] for kind in _VALUES
    ]
    return LabelledFace(name, folder / name, points, (*groups, _person(name), _photograph(name)))


def _person(name: str) -> str:
    """``Aaron_Eckhart`` of ``lfw_5590/Aaron_Eckhart_0001.jpg``; empty in the other parts."""
    path = Path(name)
    return path.stem.rpartition("_")[0] if path.parts[0].lower().startswith(_LFW) else ""


def _photograph(name: str) -> str:
    stem = Path(name).stem
    face = _FACE_OF_PHOTOGRAPH.fullmatch(stem)
    return face[1] if face else stem


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``training.txt``. Every point must be labelled; attributes that are no group are 1."""
    if faces.scheme != SCHEME:
        raise SettingError(f"mtfl5 has its own 5 points, these faces {faces.scheme.name}.")
    rows: list[str] = []
    for i, (name, image) in enumerate(zip(faces.ids, faces.images, strict=True)):
        if not faces.complete[i]:
            raise SettingError(
                f"mtfl5: face {quoted(name)} lacks points; its lists hold complete faces."
            )
        file = Path(str(image)).relative_to(folder)
        numbers = (faces.points[i].astype(np.float64) + 1).T.reshape(-1).tolist()
        values = [
            _VALUES[kind].index(faces.groups[kind][i]) + 1
            if faces.groups.get(kind, [""] * (i + 1))[i] in _VALUES[kind]
            else 1
            for kind in ("gender", "smile", "glasses", "pose")
        ]
        rows.append(" ".join([str(file), *(f"{n:.6f}" for n in numbers), *map(str, values)]))
    write_text(folder / _LISTS["training"], "\n".join(rows) + "\n")
    return folder
