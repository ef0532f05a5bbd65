"""COCO keypoints: images, annotations, and one category with the points' names and skeleton.

Keypoints are x, y, visibility (always 2, visible: the network does not tell), beside
``keypoint_scores``, which COCO does not have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import DataError
from nasion.landmarks.catalog import scheme_of_points
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.files import read_text
from nasion.prediction_formats import PredictedFace, check_shape, scheme_of_results
from nasion.prediction_formats.json import field, parse, rounded

SUFFIX = ".coco.json"
MEDIA_TYPE = "application/json"
_VISIBLE = 2  # COCO: 0 not labelled, 1 labelled but hidden, 2 visible


def to_text(results: Sequence[ImageResult]) -> str:
    scheme = scheme_of_results(results)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, result in enumerate(results, start=1):
        width, height = result.size
        images.append({"id": image_id, "file_name": result.name, "width": width, "height": height})
        for face in result.faces:
            annotations.append(_annotation(face, len(annotations) + 1, image_id))
    category = {"id": 1, "name": "face", "supercategory": "person", "keypoints": [], "skeleton": []}
    if scheme:
        category["keypoints"] = list(scheme.points)
        # COCO counts keypoints from 1.
        category["skeleton"] = (scheme.edge_index + 1).tolist()
    value = {"images": images, "annotations": annotations, "categories": [category]}
    return json.dumps(value) + "\n"


def _annotation(face: Face, annotation_id: int, image_id: int) -> dict[str, Any]:
    x0, y0, x1, y1 = face.box.tolist()
    keypoints: list[float] = []
    for x, y in face.points.tolist():
        keypoints += [round(x, 3), round(y, 3), _VISIBLE]
    value: dict[str, Any] = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "score": round(face.score, 4),
        "bbox": [round(number, 3) for number in (x0, y0, x1 - x0, y1 - y0)],
        "area": round((x1 - x0) * (y1 - y0), 1),
        "num_keypoints": len(face.points),
        "keypoints": keypoints,
    }
    if face.track is not None:
        value["track_id"] = face.track
    if face.scores is not None:
        value["keypoint_scores"] = rounded(face.scores, 4)
    return value


def recognises(path: Path) -> bool:
    if path.suffix != ".json":
        return False
    value = parse(read_text(path), path.name)
    return isinstance(value, dict) and "annotations" in value


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    value = parse(read_text(path), path.name)
    if value.get("categories"):
        names = tuple(field(value["categories"][0], "keypoints", path.name))
        if names != scheme.points:
            scheme = scheme_of_points("coco", names)
    images = field(value, "images", path.name)
    files = {image["id"]: image["file_name"] for image in images}
    faces: list[PredictedFace] = []
    for i, annotation in enumerate(value["annotations"]):
        where = f"{path.name} annotation {i}"
        numbers = np.array(field(annotation, "keypoints", where), dtype=np.float64).reshape(-1, 3)
        # Visibility 0: its x and y of 0 are no coordinates.
        points = np.where(numbers[:, 2:] > 0, numbers[:, :2], np.nan)
        if annotation.get("image_id") not in files:
            raise DataError(
                f"{where}: image_id {annotation.get('image_id')!r} is not among the images."
            )
        image = files[annotation["image_id"]]
        place = f"{image} annotation {annotation.get('id', i)}"
        scores = annotation.get("keypoint_scores")
        faces.append(PredictedFace(image, check_shape(points, scheme, where), place, scores))
    return scheme, faces
