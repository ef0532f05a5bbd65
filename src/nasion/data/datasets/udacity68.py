"""Udacity's selection of YouTube Faces: video frames with 68 machine-made points, in a CSV table.

``*_frames_keypoints.csv``: the file, then ``0 .. 135``, x and y in turn. ``all`` is the training
table, ``test`` the other one. A person's frames are named ``First_Last_NN.jpg``. A face's box is
the tight one around its points, as in 300-W.
"""

from __future__ import annotations

from pathlib import Path

from nasion.data.datasets._label_files import check_split
from nasion.data.datasets._points_table import image_folder, read_table
from nasion.data.record_faults import Faults
from nasion.errors import SplitNotFound
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import tight_boxes
from nasion.landmarks.scheme import Scheme

SCHEME: Scheme = ibug68
SPLITS = ("all", "test")
_TABLES = {"all": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}


def recognises(root: Path) -> bool:
    return (root / _TABLES["all"]).is_file() or (root.is_file() and root.name in _TABLES.values())


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The frames of a table, given by its folder or itself. Group: person (linked)."""
    check_split(split, SPLITS, "udacity68")
    folder = root if root.is_dir() else root.parent
    path = folder / _TABLES[split]
    if not path.is_file():
        raise SplitNotFound(f"{folder}: {_TABLES[split]} is not here.")
    ids, points, _ = read_table(path, SCHEME, faults, labels=True)
    images = image_folder(path, ids)
    return Faces(
        scheme=SCHEME,
        ids=ids,
        images=tuple(images / name for name in ids),
        points=points,
        boxes=tight_boxes(points),
        # Without the frame's number: all frames of a person stay on one side of a split.
        groups={"person": tuple(Path(name).stem.rpartition("_")[0] for name in ids)},
        linked=("person",),
    )
