"""300-W-LP and AFLW2000-3D (Zhu et al., 2016): images with a ``.mat`` file each, 68 points.

``NAME.mat`` beside ``NAME.jpg``: ``pt3d_68`` (AFLW2000-3D) or ``pt2d`` (300-W-LP), x and y of a
fitted head's points, and ``Pose_Para`` with pitch, yaw and roll. Pixels are taken to count from 1,
as MATLAB's. Research use.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._mat5 import read_arrays
from nasion.data.datasets._set_folders import first_file
from nasion.data.record_faults import Faults
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.mat3d import mat3d68
from nasion.media.number_text import MAX_COORDINATE

SCHEME: Scheme = mat3d68
SPLITS = ("all",)
PIXEL_ORIGIN = 1  # what the files call the first pixel
_POINTS_ONLY = "_pts"  # 300-W-LP's landmarks/AFW/NAME_pts.mat, without an image
_VIEW = re.compile(r"(.+?)(?:_\d{1,2})?_\d+")  # AFW_134212_1_0: view 0 of face 1 of AFW_134212
_GROUPS = ("subset", "yaw", "photograph")


def recognises(root: Path) -> bool:
    """True for a folder of ``.mat`` files with images of the same names beside them."""
    first = first_file(root, ".mat")
    return first is not None and any(first.with_suffix(s).is_file() for s in (".jpg", ".png"))


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """All faces of a folder.

    Groups: subset (the folder), yaw (0-30, 30-60 or 60-90 degrees, as AFLW2000-3D is evaluated),
    photograph (linked): all views that are made of one.
    """
    check_split(split, SPLITS, "mat3d")
    paths = sorted(
        p for p in root.rglob("*" + any_case(".mat")) if not p.stem.endswith(_POINTS_ONLY)
    )
    if not paths:
        raise DataError(f"{root}: no .mat files here; give the folder that holds them.")
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        image = images.find(path.parent, path.stem, place)
        points, yaw = _labels(path, place)
        subset = path.parent.name if path.parent != root else root.name
        view = _VIEW.fullmatch(path.stem)
        groups = (subset, yaw, view[1] if view else path.stem)
        return LabelledFace(str(image.relative_to(root)), image, points, groups)

    found = read_each(root, paths, read_one, faults)
    return as_faces(found, SCHEME, _GROUPS, linked=("photograph",), tight_boxes=True)


def _labels(path: Path, place: str) -> tuple[np.ndarray, str]:
    """The points, and how far the head is turned."""
    arrays = read_arrays(path, "pt3d_68", "pt2d", "Pose_Para")
    # AFLW2000-3D's pt2d are 21 points of AFLW.
    points = arrays.get("pt3d_68", arrays.get("pt2d"))
    if points is None or points.ndim != 2 or len(points) < 2 or points.shape[1] != len(SCHEME):
        shape = "none" if points is None else " x ".join(map(str, points.shape))
        raise DataError(
            f"{place}: pt3d_68 or pt2d of 2 or 3 x {len(SCHEME)} expected; found {shape}."
        )
    points = points[:2].T - 1
    if not (np.isfinite(points).all() and np.abs(points).max() <= MAX_COORDINATE):
        raise DataError(f"{place}: coordinates that are no numbers of pixels.")
    pose = arrays.get("Pose_Para", np.empty(0)).reshape(-1)
    if len(pose) < 3 or not np.isfinite(pose[1]):
        return points, ""
    # Pitch, yaw, roll in radians.
    start = min(int(abs(np.degrees(pose[1])) // 30) * 30, 60)
    return points, f"{start}-{start + 30}"
