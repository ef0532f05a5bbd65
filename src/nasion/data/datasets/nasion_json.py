"""Faces that nasion predict wrote as JSON or JSON lines, as labels.

Correct them by hand, or train a small network on a large one's points. Images lie beside the file,
in a folder beside it, or where predict found them from the working folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nasion.data.datasets._coco_document import stated
from nasion.data.datasets._face_records import faces_of, meant_scheme
from nasion.data.datasets._label_files import (
    any_case,
    check_split,
    has_keys,
    is_occluded,
    known_box,
    labelled_images,
    only_file,
)
from nasion.data.datasets._predicted_json import read_json, read_json_lines, read_predicted
from nasion.data.record_faults import Faults
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import write_text

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
_SUFFIXES = (".json", ".jsonl")
KEEPS: tuple[str, ...] = ("occluded", "boxes")  # of what labels may have beside points


def recognises(root: Path) -> bool:
    """True for a file that predict wrote, or a folder with one such."""
    if root.is_dir():
        files = _files(root)
        return len(files) == 1 and recognises(files[0])
    if not root.is_file():
        return False
    suffix = root.suffix.lower()
    if suffix == ".jsonl":
        return has_keys(root, "image", "faces", "points")
    return suffix == ".json" and has_keys(root, "point_names", "images", "faces", "points")


def _files(folder: Path) -> list[Path]:
    return [path for suffix in _SUFFIXES for path in folder.glob("*" + any_case(suffix))]


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """All faces. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that the file does not name or only numbers.
    """
    check_split(split, SPLITS, "nasion_json")
    if root.is_dir():
        root = next(iter(_files(root)), root)
    own, records = (read_json_lines if root.suffix.lower() == ".jsonl" else read_json)(root, scheme)
    return faces_of(records, meant_scheme(own, scheme, root), root, faults, predicted=True)


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in a JSON file, by their names; none in JSON lines."""
    path = only_file(root, ".json")
    if path is None:
        return {}
    document = read_predicted(path)
    images = document.get("images", "pictures")
    found: dict[str, tuple[int, int]] = {}
    for image in [] if images is None else images.elements():
        # As nasion 0.1 called it.
        name = "picture" if "picture" in image.object() else "image"
        found |= stated([image], name, "width", "height")
    return found


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``labels.json``, as predict writes it, with ``occluded`` beside the points."""
    images = []
    for image in labelled_images(faces, folder / IMAGE_FOLDER):
        width, height = image.size
        values = [_face_value(faces, i) for i in image.faces]
        images.append({"image": image.name, "width": width, "height": height, "faces": values})
    head = {"scheme": faces.scheme.name, "point_names": list(faces.scheme.points)}
    path = folder / "labels.json"
    write_text(path, json.dumps(head | {"images": images}, ensure_ascii=False, indent=1) + "\n")
    return path


def _face_value(faces: Faces, i: int) -> dict[str, Any]:
    points = faces.points[i].astype(float).round(5).tolist()
    count = range(len(faces.scheme))
    value: dict[str, Any] = {
        "points": [points[k] if faces.labelled[i, k] else [None, None] for k in count]
    }
    if (box := known_box(faces, i)) is not None:
        value["box"] = [round(edge, 4) for edge in box]
    occluded = [is_occluded(faces, i, k) for k in count]
    return value | ({"occluded": occluded} if any(occluded) else {})
