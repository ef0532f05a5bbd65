"""Roboflow's COCO export: ``_annotations.coco.json`` with its images in train, valid and test.

What the files hold is COCO's. Roboflow's altered copies of a photograph stay on one side of a
split, by their names.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from nasion.data.datasets._coco_document import image_sizes, read_annotations, read_coco
from nasion.data.datasets._face_records import faces_of, meant_scheme
from nasion.data.datasets._label_files import check_split, has_keys
from nasion.data.datasets.coco import document_of
from nasion.data.face_record import FaceRecord
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SplitNotFound
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import write_text

SCHEME = None
# The folders of each split.
_FOLDERS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
SPLITS = ("all", *_FOLDERS)
IMAGE_FOLDER = "train"
KEEPS: tuple[str, ...] = ("occluded", "boxes", "edges")  # of what labels may have beside points
_FILE = "_annotations.coco.json"


def recognises(root: Path) -> bool:
    """True for a folder with such a file in train, valid or test."""
    files = _files(root, "all")
    return bool(files) and has_keys(files[0], "annotations", "keypoints")


def splits(root: Path) -> tuple[str, ...]:
    """The splits whose folders are there."""
    return ("all", *(split for split in _FOLDERS if _files(root, split)))


def _files(root: Path, split: str) -> list[Path]:
    sides = _FOLDERS.values() if split == "all" else [_FOLDERS[split]]
    paths = [root / folder / _FILE for folders in sides for folder in folders]
    return [path for path in paths if path.is_file()]


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The annotated faces. Group: photograph (linked), if an image has several faces or copies.

    ``scheme``: what points mean that the files do not name or only number.
    """
    check_split(split, SPLITS, "roboflow")
    paths = _files(root, split)
    if not paths:
        raise SplitNotFound(f"{root}: no {_FILE} of split {split}; unpack the whole export there.")
    own, first = scheme, True
    records: list[FaceRecord] = []
    for path in paths:
        found, faces = read_annotations(read_coco(path), own, faults)
        if not first and own is not None and found.points != own.points:
            raise DataError(
                f"{path}: its keypoints differ from those of {paths[0]}; export them together."
            )
        own, first = found, False
        folder = path.parent.name
        records += [replace(face, image=f"{folder}/{face.image}") for face in faces]
    meant = meant_scheme(own, scheme, root) if own else None
    if meant is None:
        raise DataError(f"{root}: it names no keypoints.")
    return faces_of(records, meant, root, faults, images=root)


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in the files, by their names."""
    found: dict[str, tuple[int, int]] = {}
    for path in _files(root, "all"):
        try:
            found |= image_sizes(read_coco(path), path.parent.name)
        except DataError:
            continue  # reading its split says so; the others' sizes count all the same
    return found


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``train/_annotations.coco.json``, as Roboflow imports it."""
    value = document_of(faces, folder / IMAGE_FOLDER)
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    write_text(folder / IMAGE_FOLDER / _FILE, text)
    return folder
