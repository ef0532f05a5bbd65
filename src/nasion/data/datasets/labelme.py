"""LabelMe's JSON files, one beside each image: points, and rectangles as boxes.

Points of one ``group_id`` are a face; without groups those in one rectangle, or all of an image.
``flags`` that say ``occluded``, or X-AnyLabeling's ``difficult``, mark a hidden point. Other shapes
are left out. An image that is not there is taken from the file, if it holds it (``imageData``).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from os.path import normpath
from pathlib import Path
from typing import Any

import numpy as np

from nasion.data.datasets._coco_document import stated
from nasion.data.datasets._face_records import read_text_document, with_pixels
from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._image_names import with_slashes
from nasion.data.datasets._label_files import (
    LabelledImage,
    any_case,
    check_split,
    has_keys,
    is_occluded,
    is_resource_fork,
    known_box,
    labelled_images,
)
from nasion.data.datasets._named_points import (
    box_from_corner,
    from_corner,
    named_faces,
    to_corner,
)
from nasion.data.datasets._shapes import HIDDEN_WORDS, Shape, faces_of_shapes, tell_left_out
from nasion.data.record_faults import Faults, report_error, report_fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import write_text
from nasion.media.images import open_image
from nasion.media.json_document import Document
from nasion.media.number_text import MAX_COORDINATE
from nasion.media.quoted import quoted

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ("occluded", "boxes")  # of what labels may have beside points
_REMEDY = "correct it, or save it in LabelMe again."
PIXEL_ORIGIN = 0.5  # numbers count from the corner of the first pixel
_KEYS = ("shapes", "imagePath")
_MOST_GROUPS = 1 << 53
_LOOKED_AT = 10  # files of a folder; other programs put JSON files there too


def recognises(root: Path) -> bool:
    """True for such a file, or a folder in which one of a few JSON files is one."""
    if root.is_dir():
        return any(map(recognises, islice(_documents(root), _LOOKED_AT)))
    return root.is_file() and root.suffix.lower() == ".json" and has_keys(root, *_KEYS)


def _documents(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*" + any_case(".json")) if not is_resource_fork(path))


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of all files below a folder. Group: photograph, if an image has several faces.

    ``scheme``: what points mean that are only numbered, or named as its points.
    """
    check_split(split, SPLITS, "labelme")
    folder = root if root.is_dir() else root.parent
    paths = sorted(_documents(root)) if root.is_dir() else [root]
    finder = ImageFinder(folder)
    shapes: list[Shape] = []
    others: Counter[str] = Counter()
    embedded: dict[str, np.ndarray] = {}
    for path in paths:
        try:
            document = read_text_document(path, _REMEDY)
            if isinstance(document.value, dict) and all(key in document.value for key in _KEYS):
                image = _image(document["imagePath"].file_name(), path, folder, finder)
                data = document.get("imageData")
                if data is not None and not (folder / image).is_file():
                    image = path.relative_to(folder).with_suffix(".png").as_posix()
                    embedded[image] = _decoded(data)
                shapes += _shapes(document["shapes"], image, others, faults)
        except DataError as error:
            report_error(faults, error, path)
        except ValueError as error:
            report_fault(faults, path.name, f"{error}.")
    tell_left_out(others, root.name)
    faces = faces_of_shapes(shapes, root.name, faults)
    named = named_faces(faces, root, "labelme", scheme, faults, images=folder)
    return with_pixels(named, embedded, folder)


def _image(name: str, path: Path, folder: Path, finder: ImageFinder) -> str:
    """The image of a label file, relative to the folder; by default the path is from the file."""
    here = path.parent.relative_to(folder)
    beside = normpath(str(here / with_slashes(name)))
    return finder.find(beside, str(here / Path(with_slashes(name)).name), name)


def _decoded(data: Document) -> np.ndarray:
    """The image that a file holds. Raises ``DataError``."""
    try:
        encoded = b64decode(data.text(), validate=True)
    except DataError:
        raise
    except ValueError as error:
        raise data.error(f"no image in base64 ({error})") from None
    return open_image(encoded, colour=True, name=data.place)


def _shapes(
    document: Document, image: str, others: Counter[str], faults: Faults
) -> Iterator[Shape]:
    for shape in document.elements():
        kind = shape.get("shape_type")
        # The first versions had polygons only, and wrote no type.
        kind = "polygon" if kind is None else kind.text()
        if kind not in ("point", "points", "rectangle"):
            others[kind] += 1
            continue
        try:
            yield _shape(shape, image, kind)
        except DataError as error:
            report_error(faults, error, document.file)


def _shape(shape: Document, image: str, kind: str) -> Shape:
    group = shape.get("group_id")
    label = shape["label"].file_name()
    found = Shape(image, label, "" if group is None else _group(group))
    places = [_place(each) for each in shape["points"].elements()]
    if kind == "rectangle":
        if len(places) < 2:
            raise shape["points"].error(f"{len(places)} corners of a rectangle, 2 expected")
        xs, ys = zip(*places, strict=True)
        try:
            found.box = box_from_corner(min(xs), min(ys), max(xs), max(ys))
        except ValueError as error:
            raise shape["points"].error(str(error)) from None
        return found
    # Several ``points`` of one shape are numbered, as CVAT's.
    if not places or (len(places) > 1 and kind == "point"):
        raise shape["points"].error(f"{len(places)} places of point {quoted(label)}, 1 expected")
    flags = shape.get("flags")
    flags = {} if flags is None else flags.object()
    is_hidden = any(flags.get(name) is True for name in HIDDEN_WORDS)
    # X-AnyLabeling's mark of points that are hidden, in files as LabelMe's.
    is_hidden |= shape.value.get("difficult") is True
    found.points = [(label, from_corner(xy), is_hidden) for xy in places]
    return found


def _group(group: Document) -> str:
    # Numbers; other programs write names.
    return group.value if isinstance(group.value, str) else str(group.whole(-_MOST_GROUPS))


def _place(pair: Document) -> tuple[float, float]:
    numbers = pair.numbers(-MAX_COORDINATE, MAX_COORDINATE)
    if len(numbers) != 2:
        raise pair.error(f"{len(numbers)} numbers, x and y expected")
    return numbers[0], numbers[1]


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in the files, by their names."""
    paths = sorted(_documents(root)) if root.is_dir() else [root]
    folder = root if root.is_dir() else root.parent
    found: dict[str, tuple[int, int]] = {}
    for path in paths:
        here = path.parent.relative_to(folder).as_posix()
        try:
            document = read_text_document(path, _REMEDY)
            if isinstance(document.value, dict) and "imagePath" in document.value:
                found |= stated([document], "imagePath", "imageWidth", "imageHeight", here)
        except DataError:
            continue  # a fault of its own
    return found


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``photo.json`` beside each ``photo.jpg``, a group for each face."""
    for image in labelled_images(faces, folder):
        width, height = image.size
        value = {
            "version": "5.4.1",
            "flags": {},
            "shapes": _shape_values(faces, image),
            "imagePath": image.path.name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        write_text(image.path.with_suffix(".json"), text)
    return folder


def _shape_values(faces: Faces, image: LabelledImage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(label: str, places: list[list[float]], kind: str, group: int, flags: dict) -> None:
        found.append(
            {
                "label": label,
                "points": places,
                "group_id": group,
                "description": "",
                "shape_type": kind,
                "flags": flags,
            }
        )

    for group, i in enumerate(image.faces, start=1):
        if (box := known_box(faces, i)) is not None:
            corners = [_rounded(box[:2]), _rounded(box[2:])]
            add("face", corners, "rectangle", group, {})
        for k, name in enumerate(faces.scheme.points):
            if faces.labelled[i, k]:
                flags = {"occluded": True} if is_occluded(faces, i, k) else {}
                add(name, [_rounded(faces.points[i, k].tolist())], "point", group, flags)
    return found


def _rounded(xy: Any) -> list[float]:
    return [round(value, 6) for value in to_corner(xy)]
