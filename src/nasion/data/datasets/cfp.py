"""CFP, Celebrities in Frontal-Profile (Sengupta et al., 2016): 500 people with 30 points.

``Images/PPP/frontal/NN.jpg`` and ``Fiducials/PPP/frontal/NN.txt``, and ``profile`` likewise, below
the folder or its ``Data``: a line ``x,y`` per point, pixels from 1, of one half of the face. Of
frontal faces that is the subject's right half, of profiles the visible one. The lower lid's two
points change places between frontal faces and profiles. Research use.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._point_lines import points_of_lines, text_lines
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.cfp import HALF, cfp50
from nasion.landmarks.table_names import on_side
from nasion.media.files import write_text
from nasion.media.quoted import quoted

SCHEME: Scheme = cfp50
SPLITS = ("all",)
PIXEL_ORIGIN = 1  # what the files call the first pixel
IMAGE_FOLDER = "Images"
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
_LABELS = "Fiducials"
_POSES = ("frontal", "profile")
_GROUPS = ("person", "pose")
_AT = {side: SCHEME.index(on_side(side, HALF)) for side in ("right", "left")}
_EAR, _NASION = 0, 18  # in a file; jaw point 0 is at the ear
# In 4,498 of 4,498 frontal faces the first point of the lower lid is the inner one, in 98 % of
# 1,800 profiles the outer one.
_LOWER_LID = (16, 17)


def _base(root: Path) -> Path:
    return root / "Data" if (root / "Data" / _LABELS).is_dir() else root


def recognises(root: Path) -> bool:
    base = _base(root)
    return (base / _LABELS).is_dir() and (base / IMAGE_FOLDER).is_dir()


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """All faces; the half that a file does not have is missing. Groups: person (linked), pose."""
    check_split(split, SPLITS, "cfp")
    base = _base(root)
    paths = sorted(
        p for pose in _POSES for p in (base / _LABELS).glob(f"*/{pose}/*{any_case('.txt')}")
    )
    if not paths:
        raise DataError(
            f"{root}: no {_LABELS}/001/frontal/01.txt and the like here; give the folder that "
            f"holds {_LABELS} and {IMAGE_FOLDER}."
        )
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        person, pose = path.parts[-3:-1]
        points = points_of_lines(text_lines(path), len(HALF), place, ",") - 1
        image = images.find(base / IMAGE_FOLDER / person / pose, path.stem, place)
        name = f"{person}/{pose}/{image.name}"
        return LabelledFace(name, image, _whole_face(points, pose), (person, pose))

    found = read_each(base, paths, read_one, faults)
    return as_faces(found, SCHEME, _GROUPS, linked=("person",))


def _whole_face(half: np.ndarray, pose: str) -> np.ndarray:
    """The points of both halves, those of the other one missing."""
    points = np.full((len(SCHEME), 2), np.nan)
    # The ear is on the outer side: right of the nose in the image on the subject's left half.
    side = "left" if half[_EAR, 0] > half[_NASION, 0] else "right"
    points[_AT[side]] = _in_order(half, pose)
    return points


def _in_order(half: np.ndarray, pose: str) -> np.ndarray:
    """From the file's order to the scheme's, and back."""
    if pose == "frontal":
        return half
    half, (a, b) = half.copy(), _LOWER_LID
    half[[a, b]] = half[[b, a]]
    return half


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write a text file for each image ``Images/PPP/POSE/NN``, of the half that is labelled.

    Raises ``SettingError`` for images of other names, and for faces of which neither half or both
    are complete.
    """
    if faces.scheme != SCHEME:
        raise SettingError(f"cfp has the scheme {SCHEME.name}, these faces {faces.scheme.name}.")
    texts: dict[Path, str] = {}
    for name, image, points in zip(faces.ids, faces.images, faces.points, strict=True):
        parts = Path(str(image)).parts[-4:]
        if len(parts) != 4 or parts[0] != IMAGE_FOLDER or parts[2] not in _POSES:
            raise SettingError(
                f"cfp: the image of {quoted(name)} is not {IMAGE_FOLDER}/PERSON/frontal/NUMBER or "
                f"{IMAGE_FOLDER}/PERSON/profile/NUMBER."
            )
        halves = [points[_AT[side]] for side in _AT]
        complete = [half for half in halves if not np.isnan(half).any()]
        if len(complete) != 1:
            raise SettingError(
                f"cfp: face {quoted(name)} has {len(complete)} complete halves; "
                "its files hold one half."
            )
        rows = _in_order(complete[0], parts[2]).astype(np.float64) + 1
        label = folder.joinpath(_LABELS, *parts[1:3], Path(parts[3]).stem + ".txt")
        texts[label] = "".join(f"{x:.6f},{y:.6f}\n" for x, y in rows.tolist())
    for label, text in texts.items():
        write_text(label, text)
    return folder
