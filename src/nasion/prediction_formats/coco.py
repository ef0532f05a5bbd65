"""COCO keypoints: images, annotations, and one category with the points' names and skeleton.

Keypoints are x, y, visibility (always 2, visible: the network does not tell), beside
``keypoint_scores``, which COCO does not have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasion.data.datasets._coco_document import read_annotations, read_results
from nasion.data.datasets._face_records import read_text_document
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats import PredictedFace, scheme_of_results
from nasion.prediction_formats.json import rounded

SUFFIX = ".coco.json"
MEDIA_TYPE = "application/json"
_VISIBLE = 2  # COCO's visibility: 0 not labelled, 1 labelled but hidden


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
    value = read_text_document(path).value
    # A list is one of results, as COCO's programs read them.
    return isinstance(value, list) or (isinstance(value, dict) and "annotations" in value)


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    """The faces of an annotation file, or of a list of results in the labels' scheme."""
    document = read_text_document(path)
    if isinstance(document.value, list):
        return scheme, read_results(document, scheme, path)
    return read_annotations(document, scheme)
