"""Label Studio's JSON and JSON-MIN: key points and rectangles in percent of the image.

Points that a rectangle is the parent of, or related to, are its face; without such links those in
one rectangle, or all of an image. A choice ``occluded`` of a region marks a hidden point. Of
several annotations of a task the ground truth counts, else the last that was not cancelled; those
that a model predicted do not. Images lie beside the file or below its folder.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from nasion.data.datasets._face_records import read_text_document
from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._label_files import (
    LabelledImage,
    box_for_tools,
    check_split,
    has_keys,
    images_root,
    is_occluded,
    known_box,
    label_file,
    labelled_images,
    only_file,
)
from nasion.data.datasets._label_studio_task import (
    Region,
    image_names,
    is_only_predicted,
    task_regions,
)
from nasion.data.datasets._named_points import named_faces
from nasion.data.datasets._shapes import Shape, faces_of_shapes
from nasion.data.record_faults import Faults, report_error, report_fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import to_relative
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.files import write_text
from nasion.media.images import image_size
from nasion.media.json_document import Document

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("occluded", "boxes")  # of what labels may have beside points
PIXEL_ORIGIN = 0.5  # numbers count from the corner of the first pixel
IMAGE_SIDE = 100  # numbers are percent of the image's size
_SERVED = "/data/local-files/?d="  # before the path of a file on Label Studio's own disk
_REMEDY = "correct it, or export it from Label Studio again as JSON or JSON-MIN."
_log = logging.getLogger(__name__)


def recognises(root: Path) -> bool:
    """True for a JSON file of tasks with key points, or a folder with one such."""
    path = only_file(root, ".json")
    if path is None:
        return False
    return has_keys(path, "keypointlabels") and not has_keys(path, "imagePath")


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of all tasks. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that are only numbered, or named as its points.
    """
    check_split(split, SPLITS, "label_studio")
    root = label_file(root, ".json")
    tasks = _tasks(root)
    images = images_root(root)
    finder = ImageFinder(images)
    shapes: list[Shape] = []
    several = 0
    for task in tasks:
        try:
            regions, count = task_regions(task)
            several += count > 1
            if regions:
                image = finder.find(*image_names(task))
                # All of a task or nothing: half a face would count as one with few labels.
                shapes += list(_shapes(regions, image, images))
        except DataError as error:
            report_error(faults, error, root)
        except ValueError as error:
            report_fault(faults, task.place, f"{error}.")
    if several:
        _log.info(
            "%s: %s several annotations; the ground truth counts, else the last one.",
            root.name,
            counted(several, "task has", "tasks have"),
        )
    if not shapes and any(map(is_only_predicted, tasks)):
        raise DataError(
            f"{root}: a model predicted its labels and no person confirmed them; predictions count "
            "when they are submitted in Label Studio."
        )
    faces = faces_of_shapes(shapes, root.name, faults)
    return named_faces(faces, root, "label_studio", scheme, faults, images=images)


def _shapes(regions: list[Region], image: str, folder: Path) -> Iterator[Shape]:
    size: tuple[int, int] | None = None
    for region in regions:
        if region.size is None:
            # As the first versions wrote regions.
            size = size or image_size(folder / image)
        yield region.shape(image, region.size or size)


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes as they were shown, by their names."""
    found: dict[str, tuple[int, int]] = {}
    for task in _tasks(root):
        try:
            sizes = [region.size for region in task_regions(task)[0] if region.size is not None]
            names = image_names(task) if sizes else []
        except ValueError:
            continue  # `read` lists the fault
        found |= dict.fromkeys(names, sizes[0]) if sizes else {}
    return found


def _tasks(root: Path) -> list[Document]:
    document = read_text_document(label_file(root, ".json"), _REMEDY)
    return [document] if isinstance(document.value, dict) else document.elements()


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``tasks.json`` to import: a rectangle ``face`` for each face, parent of its points.

    A lone face without a box gets no rectangle. Label Studio finds the images if its local storage
    is this folder.
    """
    tasks = [
        {
            "id": number,
            "data": {"image": f"{_SERVED}{quote(f'{IMAGE_FOLDER}/{image.name}')}"},
            "annotations": [
                {"id": number, "was_cancelled": False, "result": _result(faces, image)}
            ],
        }
        for number, image in enumerate(labelled_images(faces, folder / IMAGE_FOLDER), start=1)
    ]
    path = folder / "tasks.json"
    write_text(path, json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    return path


def _result(faces: Faces, image: LabelledImage) -> list[dict[str, Any]]:
    width, height = image.size
    found: list[dict[str, Any]] = []

    def add(region: str, name: str, kind: str, value: dict[str, Any], parent: str = "") -> None:
        entry = {
            "id": region,
            "from_name": name,
            "to_name": "image",
            "type": kind,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": value,
        }
        found.append(entry | ({"parentID": parent} if parent else {}))

    for number, i in enumerate(image.faces, start=1):
        # Several faces without rectangles would be one heap of points.
        box = known_box(faces, i) if len(image.faces) == 1 else box_for_tools(faces, i)
        face = f"face{number}" if box is not None else ""
        if box is not None:
            x0, y0 = _percent(box[:2], image.size)
            x1, y1 = _percent(box[2:], image.size)
            value = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "rotation": 0}
            add(face, "box", "rectanglelabels", value | {"rectanglelabels": ["face"]})
        for k, label in enumerate(faces.scheme.points):
            if not faces.labelled[i, k]:
                continue
            region = f"face{number}_{k}"
            x, y = _percent(faces.points[i, k].tolist(), image.size)
            value = {"x": x, "y": y, "width": 0.5, "keypointlabels": [label]}
            add(region, "points", "keypointlabels", value, face)
            if is_occluded(faces, i, k):
                value = {"x": x, "y": y, "width": 0.5, "choices": ["occluded"]}
                add(region, "visibility", "choices", value, face)
    return found


def _percent(xy: Any, size: tuple[int, int]) -> tuple[float, float]:
    x, y = (100 * to_relative(np.array(xy), np.array(size))).tolist()
    return x, y
