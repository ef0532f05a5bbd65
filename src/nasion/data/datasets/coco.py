"""COCO keypoints: a JSON file of images, annotations, and a category that names the points.

Visibility 0 is not labelled, 1 occluded, 2 visible; ``bbox`` is the face's box. nasion's own
predictions in this format are read as well. Images lie beside the file or in a folder beside it;
those of predictions also where predict found them from the working folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nasion.data.datasets._coco_document import image_sizes, read_annotations, read_coco
from nasion.data.datasets._face_records import faces_of, meant_scheme
from nasion.data.datasets._label_files import (
    box_for_tools,
    check_split,
    has_keys,
    is_occluded,
    label_file,
    labelled_images,
    only_file,
)
from nasion.data.record_faults import Faults
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import write_text

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("occluded", "boxes", "edges")  # of what labels may have beside points


def recognises(root: Path) -> bool:
    """True for a JSON file of annotations with keypoints, or a folder with one such."""
    path = only_file(root, ".json")
    return path is not None and has_keys(path, "images", "annotations", "keypoints", "image_id")


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The annotated faces. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that the file does not name or only numbers.
    """
    check_split(split, SPLITS, "coco")
    root = label_file(root, ".json")
    own, records = read_annotations(read_coco(root), scheme, faults)
    # Only predictions have scores of points.
    predicted = any(record.scores is not None for record in records)
    scheme = meant_scheme(own, scheme, root)
    return faces_of(records, scheme, root, faults, predicted=predicted)


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in the file, by their names."""
    return image_sizes(read_coco(label_file(root, ".json")))


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``annotations.json``: names, skeleton, boxes; visibility 0, 1 (occluded) and 2."""
    value = document_of(faces, folder / IMAGE_FOLDER)
    path = folder / "annotations.json"
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    return path


def document_of(faces: Faces, folder: Path) -> dict[str, Any]:
    """Faces as a COCO document; ``folder``: that of their images."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(labelled_images(faces, folder), start=1):
        width, height = image.size
        images.append({"id": number, "file_name": image.name, "width": width, "height": height})
        for i in image.faces:
            annotations.append(annotation(faces, i, len(annotations) + 1, number))
    category = {
        "id": 1,
        "name": "face",
        "supercategory": "person",
        "keypoints": list(faces.scheme.points),
        # COCO counts keypoints from 1.
        "skeleton": (faces.scheme.edge_index + 1).tolist(),
    }
    return {"images": images, "annotations": annotations, "categories": [category]}


def annotation(faces: Faces, i: int, number: int, image: int, category: int = 1) -> dict[str, Any]:
    """A face as COCO's annotation. Without a box it gets the one around its points.

    ``number``, ``image``, ``category``: the ids.
    """
    keypoints: list[float] = []
    for k, (x, y) in enumerate(faces.points[i].tolist()):
        if not faces.labelled[i, k]:
            keypoints += [0, 0, 0]
            continue
        keypoints += [round(x, 5), round(y, 5), 1 if is_occluded(faces, i, k) else 2]
    x0, y0, x1, y1 = box_for_tools(faces, i) or (0, 0, 0, 0)
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "bbox": [round(side, 4) for side in (x0, y0, x1 - x0, y1 - y0)],
        "area": round((x1 - x0) * (y1 - y0), 2),
        "num_keypoints": int(faces.labelled[i].sum()),
        "keypoints": keypoints,
    }
