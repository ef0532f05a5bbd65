"""Udacity's selection of YouTube Faces: frames of films with 68 machine-made points, in ``*_frames_keypoints.csv``.

First column the file, then ``0 .. 135``: x and y in turn. ``all`` is the training table, ``test`` the other one. A person's
frames are named ``First_Last_NN.jpg``. A face's box is the tight one around its points, as 300-W has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasion.datasets._faults import Faults
from nasion.datasets._points_table import picture_folder, table
from nasion.errors import AbsentError, SettingError
from nasion.faces import Faces
from nasion.geometry import points_box
from nasion.scheme import Scheme
from nasion.schemes import ibug68

SCHEME = ibug68
SPLITS = ("all", "test")
_TABLES = {"all": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}


def recognises(root: Path) -> bool:
    return (root / _TABLES["all"]).is_file() or (root.is_file() and root.name in _TABLES.values())


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """The frames of a table, named by its folder or itself; group: person (linked)."""
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in udacity68; it has {', '.join(SPLITS)}, and train and val.")
    folder = root if root.is_dir() else root.parent
    if not (folder / _TABLES[split]).is_file():
        raise AbsentError(f"{folder}: {_TABLES[split]} is not here.")
    path = folder / _TABLES[split]
    ids, points, _ = table(path, SCHEME, faults)
    pictures = picture_folder(path, ids[0])
    return Faces(
        scheme=SCHEME,
        ids=ids,
        images=tuple(pictures / name for name in ids),
        points=points,
        boxes=points_box(points).astype(np.float32),
        groups={"person": tuple(Path(name).stem.rpartition("_")[0] for name in ids)},
        linked=("person",),
    )
