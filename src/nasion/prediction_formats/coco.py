"""COCO keypoints: images, annotations, and one category with the points' names and skeleton.

Keypoints are x, y and visibility: 2 visible, 1 hidden; all are 2 if the network does not predict
which are hidden. A point that is left out is 0, 0, 0. COCO itself has no ``keypoint_scores``,
and no ``attributes``, which hold pose and measures: one value each, as other programs write them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_as_text
from nasion.prediction_formats import PredictedFace, TextContents
from nasion.prediction_formats._measures import measures_row
from nasion.prediction_formats._rounded import rounded

SUFFIX = ".coco.json"
MEDIA_TYPE = "application/json"
_MISSING, _HIDDEN, _VISIBLE = 0, 1, 2  # COCO's visibilities
_IN_MEMORY = 1 << 20  # characters of annotations
_PIECE = 1 << 16  # characters


class Text:
    """Images first; annotations wait in a file without a name, since they come after all images."""

    def __init__(self, contents: TextContents) -> None:
        self._scheme, self._images, self._faces = contents.scheme, 0, 0
        folder = None if contents.folder is None else str(contents.folder)
        # Closed by `end`; its name is gone already, so nothing is left if that is never called.
        self._annotations = SpooledTemporaryFile(  # noqa: SIM115
            _IN_MEMORY, "w+", encoding="ascii", dir=folder
        )

    def begin(self) -> str:
        return '{"images": ['

    def add(self, result: ImageResult) -> str:
        self._images += 1
        for number, face in enumerate(result.faces):
            before = ", " if self._faces else ""
            self._faces += 1
            annotation = _annotation(face, self._faces, self._images)
            if result.measured is not None:
                annotation["attributes"] = measures_row(result.measured[number])
            self._annotations.write(before + json.dumps(annotation))
        width, height = result.size
        name = name_as_text(result.name)
        image = {"id": self._images, "file_name": name, "width": width, "height": height}
        return (", " if self._images > 1 else "") + json.dumps(image)

    def end(self) -> Iterator[str]:
        yield '], "annotations": ['
        with self._annotations as file:
            file.seek(0)
            while piece := file.read(_PIECE):
                yield piece
        yield f'], "categories": {json.dumps([self._category()])}}}\n'

    def _category(self) -> dict[str, Any]:
        category: dict[str, Any] = {"id": 1, "name": "face", "supercategory": "person"}
        if self._scheme is None:
            return category | {"keypoints": [], "skeleton": []}
        # COCO counts keypoints from 1.
        skeleton = (self._scheme.edge_index + 1).tolist()
        return category | {"keypoints": list(self._scheme.points), "skeleton": skeleton}


def _annotation(face: Face, annotation_id: int, image_id: int) -> dict[str, Any]:
    x0, y0, x1, y1 = face.box.tolist()
    keypoints: list[float] = []
    labelled = 0
    for (x, y), hidden in zip(face.points.tolist(), face.hidden.tolist(), strict=True):
        if math.isnan(x):
            keypoints += [0, 0, _MISSING]
            continue
        labelled += 1
        keypoints += [round(x, 3), round(y, 3), _HIDDEN if hidden else _VISIBLE]
    value: dict[str, Any] = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "score": round(face.score, 4),
        "bbox": [round(number, 3) for number in (x0, y0, x1 - x0, y1 - y0)],
        "area": round((x1 - x0) * (y1 - y0), 1),
        "num_keypoints": labelled,
        "keypoints": keypoints,
    }
    if face.track is not None:
        value["track_id"] = face.track
    if face.scores is not None:
        value["keypoint_scores"] = rounded(face.scores, 4)
    return value


def recognises(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    from nasion.data.datasets._face_records import EITHER_FORMAT, read_text_document

    value = read_text_document(path, EITHER_FORMAT).value
    # A list is one of results, as COCO's programs read them.
    return isinstance(value, list) or (isinstance(value, dict) and "annotations" in value)


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    """The faces of an annotation file, or of a list of results in the labels' scheme."""
    from nasion.data.datasets._coco_document import read_annotations, read_coco, read_results

    document = read_coco(path)
    if isinstance(document.value, list):
        return scheme, read_results(document, scheme, path)
    return read_annotations(document, scheme)
