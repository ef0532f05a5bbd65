"""COCO keypoints: images, annotations, and one category with the points' names and skeleton.

Keypoints are x, y, visibility (always 2, visible: the network does not tell), beside
``keypoint_scores``, which COCO does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
from jaxtyping import Float64

from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_as_text
from nasion.media.json_document import Document
from nasion.media.number_text import MAX_COORDINATE
from nasion.prediction_formats import PredictedFace, TextContents, checked_scores
from nasion.prediction_formats.json import own_scheme, read_text_document, rounded

SUFFIX = ".coco.json"
MEDIA_TYPE = "application/json"
_VISIBILITIES = (0, 1, 2)  # COCO: not labelled, labelled but hidden, visible
_VISIBLE = 2
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
        for face in result.faces:
            before = ", " if self._faces else ""
            self._faces += 1
            annotation = _annotation(face, self._faces, self._images)
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
    return isinstance(value, dict) and "annotations" in value


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    document = read_text_document(path)
    scheme = _category_scheme(document, scheme)
    files = _image_files(document["images"])
    faces: list[PredictedFace] = []
    for i, annotation in enumerate(document["annotations"].elements()):
        image_id = annotation.get("image_id")
        if image_id is None or image_id.whole() not in files:
            shown = None if image_id is None else image_id.value
            raise annotation.error(f"image_id {shown} is not among the images")
        own_id = annotation.get("id")
        image = files[image_id.whole()]
        place = f"{image} annotation {i if own_id is None else own_id.whole()}"
        points = _keypoints(annotation["keypoints"], scheme)
        scores = checked_scores(annotation.get("keypoint_scores"), len(scheme))
        faces.append(PredictedFace(image, points, place, scores))
    return scheme, faces


def _category_scheme(document: Document, scheme: Scheme) -> Scheme:
    """The scheme of the file's category; the given one if the file has none."""
    categories = document.get("categories")
    if categories is None or not categories.elements():
        return scheme
    # Of several, those without keypoints are boxes.
    named = [each for each in categories.elements() if each.get("keypoints") is not None]
    kinds = {tuple(name.text() for name in each["keypoints"].elements()) for each in named}
    if len(kinds) > 1:
        raise categories.error("categories with different keypoints; give one file per scheme")
    return own_scheme(named[0]["keypoints"], scheme, "coco") if kinds - {()} else scheme


def _image_files(images: Document) -> dict[int, str]:
    """The images' files by their ids."""
    files: dict[int, str] = {}
    for image in images.elements():
        number = image["id"].whole()
        if number in files:
            raise image["id"].error(f"two images have the id {number}")
        files[number] = image["file_name"].file_name()
    return files


def _keypoints(keypoints: Document, scheme: Scheme) -> Float64[np.ndarray, "K 2"]:
    """x and y of each point; NaN where visibility is 0, since 0, 0 is no place then."""
    values = keypoints.numbers(-MAX_COORDINATE, MAX_COORDINATE)
    if len(values) != 3 * len(scheme):
        raise keypoints.error(
            f"{len(values)} numbers; {3 * len(scheme)} expected, "
            f"x, y and visibility of each point of scheme {scheme.name}"
        )
    rows = np.array(values, dtype=np.float64).reshape(-1, 3)
    strange = rows[~np.isin(rows[:, 2], _VISIBILITIES), 2]
    if len(strange):
        raise keypoints.error(f"visibility {strange[0]:g} found, 0, 1 or 2 expected")
    return np.where(rows[:, 2:] > 0, rows[:, :2], np.nan)
