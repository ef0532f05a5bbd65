"""Faces that a change list adds: on pictures of the labels, or on others beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nasion.data.corrections.combine import FaceChanges
from nasion.data.corrections.gestures import OCCLUDED
from nasion.data.datasets._label_files import images_root
from nasion.data.record_faults import Fault
from nasion.landmarks.faces import NO_GROUP, Faces, Image, join

PHOTOGRAPH = "photograph"  # the group of faces of one image


def with_added(
    faces: Faces, added: Sequence[FaceChanges], root: Path, is_whole: bool
) -> tuple[Faces, list[Fault]]:
    """The faces and those that lists add, and what could not be added.

    Faces on pictures without a label belong to all faces (``is_whole``), not to a published split.
    """
    finder = _Pictures(faces, root)
    kept: list[FaceChanges] = []
    at: list[int | None] = []
    images: list[Image] = []
    left_out: list[Fault] = []
    for each in added:
        sibling = finder.face_on(each.image or "")
        image = finder.file(each.image or "") if sibling is None else faces.images[sibling]
        if sibling is None and not is_whole:
            continue
        if image is None:
            path = next((path for _, path in each.values.values()), Path())
            problem = f"it was added on {each.image}, and there is no such picture."
            left_out.append(Fault(f"{path.name} {each.face}", problem))
            continue
        kept.append(each)
        at.append(sibling)
        images.append(image)
    if not kept:
        return faces, left_out
    new = _faces_of(kept, images, faces)
    groups = {
        name: tuple(NO_GROUP if i is None else values[i] for i in at)
        for name, values in faces.groups.items()
    }
    joined = join(faces, replace(new, groups=groups)) if len(faces) else new
    joined = replace(joined, linked=faces.linked) if len(faces) else joined
    return _with_photographs(joined, root), left_out


def picture_name(image: Image, face: str, root: Path) -> str:
    """What a list calls a picture: its name from the data's folder; else the face on it."""
    folder = root if root.is_dir() else images_root(root)
    if isinstance(image, Path) and image.absolute().is_relative_to(folder.absolute()):
        return image.absolute().relative_to(folder.absolute()).as_posix()
    return face


class _Pictures:
    """Finds the picture that a list names."""

    def __init__(self, faces: Faces, root: Path) -> None:
        self._folder = root if root.is_dir() else images_root(root)
        self._by_name: dict[str, int] = {face: i for i, face in enumerate(faces.ids)}
        for i, image in enumerate(faces.images):
            if isinstance(image, Path):
                self._by_name.setdefault(picture_name(image, faces.ids[i], root), i)

    def face_on(self, name: str) -> int | None:
        """The position of a face on this picture."""
        return self._by_name.get(name)

    def file(self, name: str) -> Path | None:
        """The file of a picture without a label; None if there is none inside the folder."""
        path = self._folder / name
        try:
            is_inside = path.resolve().is_relative_to(self._folder.resolve())
            return path if is_inside and path.is_file() else None
        except (OSError, ValueError):  # a name that no file can have
            return None


def _faces_of(added: Sequence[FaceChanges], images: Sequence[Image], like: Faces) -> Faces:
    """The added faces in the scheme of the others."""
    scheme = like.scheme
    points = np.full((len(added), len(scheme), 2), np.nan, dtype=np.float32)
    occluded = np.zeros(points.shape[:2], dtype=bool)
    boxes = np.full((len(added), 4), np.nan, dtype=np.float32)
    position = {name: k for k, name in enumerate(scheme.points)}
    for i, each in enumerate(added):
        for (kind, name), (change, _) in each.values.items():
            if kind == "box" and change.after is not None:
                boxes[i] = change.after
            elif kind == "points" and name in position and change.after is not None:
                points[i, position[name]] = change.after[:2]
                occluded[i, position[name]] = change.after[2] == OCCLUDED
    return Faces(
        scheme=scheme,
        ids=tuple(each.face for each in added),
        images=tuple(images),
        points=points,
        boxes=None if np.isnan(boxes).all() else boxes,
        occluded=occluded if occluded.any() else None,
    )


def _with_photographs(faces: Faces, root: Path) -> Faces:
    """Faces of one picture stay on one side of a split, as those that label files have do."""
    known: Mapping[str, tuple[str, ...]] = faces.groups
    own = known.get(PHOTOGRAPH, (NO_GROUP,) * len(faces))
    pictures = [_identity(image) for image in faces.images]
    if len(set(pictures)) == len(pictures):
        return faces
    first: dict[object, str] = {}
    for face, image, picture, value in zip(faces.ids, faces.images, pictures, own, strict=True):
        if value != NO_GROUP or picture not in first:
            first[picture] = value if value != NO_GROUP else picture_name(image, face, root)
    groups = {**known, PHOTOGRAPH: tuple(first[picture] for picture in pictures)}
    return replace(faces, groups=groups, linked=tuple(dict.fromkeys((*faces.linked, PHOTOGRAPH))))


def _identity(image: Image) -> object:
    # Rows of a stack are new objects each time, but have their own place in memory.
    return str(image) if isinstance(image, Path) else image.__array_interface__["data"][0]
