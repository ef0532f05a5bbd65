"""One JSON value: the points' names, then each image's faces with points, scores and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nasion
from nasion.errors import SettingError
from nasion.landmarks.catalog import SCHEMES, scheme_of_points
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_as_text
from nasion.media.files import read_text
from nasion.media.json_document import Document, parse_document
from nasion.prediction_formats import PredictedFace, TextContents, checked_scores

SUFFIX = ".json"
MEDIA_TYPE = "application/json"
COORDINATES = (
    "pixels of the upright image, x to the right, y down, the centre of the top left pixel at 0, 0"
)
_REMEDY = (
    "nasion's json and jsonl have image, faces, points and point_names, "
    "COCO's has images, annotations and categories."
)


class Text:
    """Images are written one by one, between a head and the closing brackets."""

    def __init__(self, contents: TextContents) -> None:
        self._scheme, self._is_first = contents.scheme, True

    def begin(self) -> str:
        scheme = self._scheme
        head = {
            "nasion": nasion.__version__,
            "coordinates": COORDINATES,
            "scheme": scheme.name if scheme else None,
            "point_names": list(scheme.points) if scheme else [],
            "images": [],
        }
        return json.dumps(head, indent=1).removesuffix("]\n}")

    def add(self, result: ImageResult) -> str:
        before = "\n" if self._is_first else ",\n"
        self._is_first = False
        # No text in JSON has a line end of its own: they are escaped.
        lines = json.dumps(image_value(result), indent=1).split("\n")
        return before + "\n".join(f"  {line}" for line in lines)

    def end(self) -> Iterator[str]:
        yield "]\n}\n" if self._is_first else "\n ]\n}\n"


def image_value(result: ImageResult) -> dict[str, Any]:
    """One image and its faces."""
    width, height = result.size
    value: dict[str, Any] = {"image": name_as_text(result.name)}
    if result.seconds is not None:
        value["seconds"] = round(result.seconds, 4)
    faces = [face_value(face) for face in result.faces]
    return value | {"width": width, "height": height, "faces": faces}


def face_value(face: Face) -> dict[str, Any]:
    value: dict[str, Any] = {
        "score": round(face.score, 4),
        "box": rounded(face.box),
        "points": rounded(face.points),
    }
    if face.track is not None:
        value["track"] = face.track
    if face.scores is not None:
        value["scores"] = rounded(face.scores, 4)
    if face.expected is not None:
        value["expected_errors"] = rounded(face.expected, 3)
    return value


def rounded(values: Any, digits: int = 3) -> Any:
    """An array as JSON numbers."""
    if getattr(values, "ndim", 0):
        return [rounded(value, digits) for value in values]
    return round(float(values), digits)


def recognises(path: Path) -> bool:
    if path.suffix != ".json":
        return False
    value = read_text_document(path).value
    return not isinstance(value, dict) or "annotations" not in value


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    document = read_text_document(path)
    names = document.get("point_names", "names")
    # The file says which points it has; other files take the labels' scheme.
    if names is not None and names.elements():
        own = document.get("scheme")
        scheme = own_scheme(names, scheme, "json" if own is None else own.text())
    elif names is None:
        raise document.error("it has no 'point_names', which name the points of each face")
    faces: list[PredictedFace] = []
    for image in one_of(document, "images", "pictures").elements():
        faces += faces_of_image(image, scheme, "")
    return scheme, faces


def own_scheme(names: Document, scheme: Scheme, called: str) -> Scheme:
    """The scheme of these names: ``scheme`` if it has them, the catalog's, or a new one."""
    points = tuple(name.text() for name in names.elements())
    if points == scheme.points:
        return scheme
    try:
        return scheme_of_points(called, points)
    except SettingError as error:
        raise names.error(str(error).rstrip(".")) from error


def faces_of_image(image: Document, scheme: Scheme, suffix: str) -> list[PredictedFace]:
    """The faces of ``image_value``; ``suffix``: added to each face's place."""
    name = one_of(image, "image", "picture").file_name()
    found = []
    for k, face in enumerate(image["faces"].elements(), start=1):
        points = face["points"].points(len(scheme), f"scheme {scheme.name}")
        scores = checked_scores(face.get("scores"), len(scheme))
        found.append(PredictedFace(name, points, f"{name} face {k}{suffix}", scores))
    return found


def named_scheme(name: Document | None, scheme: Scheme) -> Scheme:
    """The catalog's scheme of that name, else the given one."""
    return scheme if name is None else SCHEMES.get(name.text(), scheme)


def one_of(document: Document, key: str, old_key: str) -> Document:
    """The value under a key, or under the name that nasion 0.1 had for it."""
    return document[old_key if old_key in document.object() else key]


def read_text_document(path: Path) -> Document:
    """A JSON file, plain or packed."""
    return parse_document(read_text(path), path, remedy=_REMEDY)
