"""What a person who labels should know next: confused sides, rare points and poses, images left."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nasion.data.head_turns import head_turns
from nasion.data.label_shapes import reference_face, swapped_faces
from nasion.data.mirror_check import mirror_faults
from nasion.data.swapped_pairs import swapped_pairs
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.media.signatures import IMAGE_SUFFIXES

_RARE = 0.5  # of the labels of the point that most faces have, below which a point is rare
_RARE_POSE = 0.1  # of the faces, below which a pose is
_LEAST_FACES = 20  # of fewer, no pose is rare
# Degrees. IMM's frontal heads are measured within 13, those turned by 30 degrees at 21 to 58.
_TURNED = 12.0
_SHOWN = 3  # names in a line
_POSES = ("turned to their right", "frontal", "turned to their left")


@dataclass(frozen=True)
class Advice:
    """``mirror_faults``: pairs that labels contradict. ``swapped``: faces whose sides seem to be.

    All sides, or those of single pairs. ``sides_compared``: whether sides could be compared at all.
    ``poses``: faces by the head's turn, where a nose shows it. ``label_next``: sentences, the most
    useful first.
    """

    mirror_faults: tuple[str, ...] = ()
    swapped: tuple[str, ...] = ()
    sides_compared: bool = False
    poses: dict[str, int] = field(default_factory=dict)
    label_next: tuple[str, ...] = ()


def advise(faces: Faces) -> Advice:
    """Look at the labels of a data set as somebody would who labels more of it."""
    poses = _poses(faces)
    texts = [*_rare_points(faces), *_rare_poses(poses), *_unlabelled_images(faces)]
    return Advice(
        mirror_faults=tuple(map(str, mirror_faults(faces))),
        swapped=tuple(faces.ids[i] for i in sorted({*swapped_faces(faces), *swapped_pairs(faces)})),
        sides_compared=bool(faces.scheme.mirror) and reference_face(faces) is not None,
        poses=poses,
        label_next=tuple(texts),
    )


def _poses(faces: Faces) -> dict[str, int]:
    turns = head_turns(faces)
    turns = turns[~np.isnan(turns)]
    if not len(turns):
        return {}
    kinds = np.where(turns < -_TURNED, 0, np.where(turns > _TURNED, 2, 1))
    return {pose: int((kinds == k).sum()) for k, pose in enumerate(_POSES)}


def _rare_points(faces: Faces) -> list[str]:
    counts = faces.labelled.sum(axis=0)
    rare = np.flatnonzero(counts < _RARE * counts.max(initial=0))
    if not len(rare):
        return []
    order = rare[np.argsort(counts[rare], kind="stable")][:_SHOWN]
    shown = ", ".join(
        f"{faces.scheme.points[k]} ({counted(int(counts[k]), 'face')})" for k in order
    )
    more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
    return [f"points that few faces have: {shown}{more}"]


def _rare_poses(poses: dict[str, int]) -> list[str]:
    total = sum(poses.values())
    if total < _LEAST_FACES:
        return []
    rare = [pose for pose, count in poses.items() if count < _RARE_POSE * total]
    return [f"heads {pose}: {poses[pose]} of {total} faces" for pose in rare]


def _unlabelled_images(faces: Faces) -> list[str]:
    """Images beside those with labels that no face is of."""
    used = {image.resolve() for image in faces.images if isinstance(image, Path)}
    folders = sorted({image.parent for image in used if image.is_file()})
    left = [
        path.name
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES and path not in used
    ]
    if not left:
        return []
    shown = ", ".join(left[:_SHOWN])
    images, more = counted(len(left), "image"), " ..." if len(left) > _SHOWN else ""
    return [f"{images} without labels: {shown}{more}"]
