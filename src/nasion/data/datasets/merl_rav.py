"""MERL-RAV (Kumar et al., 2020): 19,000 faces of AFLW with 68 points and what hides each.

As its authors' program lays it out: ``frontal``, ``left``, ``lefthalf``, ``right`` and
``righthalf``, in each ``trainset`` and ``testset`` with images and ``.pts`` files. A point at -1 -1
is hidden by the head itself and not labelled; another one with negative coordinates is occluded, at
their absolute value. Pixels are taken to count from 1. Research use.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._pts_text import read_points
from nasion.data.datasets._set_folders import MERL_RAV_SIDES, MERL_RAV_VIEWS, is_merl_rav
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SplitNotFound
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

SCHEME: Scheme = ibug68
SPLITS = ("all", "training", "test")
POOL = "training"  # what train and val are sides of
PIXEL_ORIGIN = 1  # what the files call the first pixel
_FACE = re.compile(r"(.+?)_\d+")  # image00040_01: another face of image00040
_GROUPS = ("view", "photograph")


def recognises(root: Path) -> bool:
    return is_merl_rav(root)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a split. Groups: view, photograph (linked)."""
    check_split(split, SPLITS, "merl_rav")
    sides = [side for side, name in MERL_RAV_SIDES.items() if split in ("all", name)]
    folders = [root / view / side for view in MERL_RAV_VIEWS for side in sides]
    paths = [path for folder in folders for path in sorted(folder.glob("*" + any_case(".pts")))]
    if not paths:
        raise SplitNotFound(
            f"{root}: no .pts files of split {split} in frontal/trainset, left/testset and so on."
        )
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        # As the file has them.
        written = read_points(path, place) + 1
        if len(written) != len(SCHEME):
            raise DataError(f"{place}: {len(written)} points, {len(SCHEME)} expected.")
        missing = (written == -1).all(axis=1)
        occluded = (written < 0).all(axis=1) & ~missing
        points = np.where(occluded[:, None], np.abs(written), written) - 1
        points[missing] = np.nan
        image = images.find(path.parent, path.stem, place)
        number = _FACE.fullmatch(path.stem)
        groups = (path.parts[-3], number[1] if number else path.stem)
        name = str(image.relative_to(root))
        return LabelledFace(name, image, points, groups, occluded=occluded)

    found = read_each(root, paths, read_one, faults)
    return as_faces(found, SCHEME, _GROUPS, linked=("photograph",))
