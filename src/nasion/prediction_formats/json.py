"""One JSON value: the points' names, then each image's faces with points, scores and errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nasion
from nasion.errors import DataError
from nasion.landmarks.catalog import SCHEMES, scheme_of_points
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.files import read_text
from nasion.prediction_formats import PredictedFace, check_shape, scheme_of_results

SUFFIX = ".json"
MEDIA_TYPE = "application/json"
COORDINATES = (
    "pixels of the upright image, x to the right, y down, the centre of the top left pixel at 0, 0"
)
# Keys of nasion 0.1 that have other names today.
_OLD_KEYS = {"images": "pictures", "image": "picture", "point_names": "names"}


def to_text(results: Sequence[ImageResult]) -> str:
    scheme = scheme_of_results(results)
    value = {
        "nasion": nasion.__version__,
        "coordinates": COORDINATES,
        "scheme": scheme.name if scheme else None,
        "point_names": list(scheme.points) if scheme else [],
        "images": [image_value(result) for result in results],
    }
    return json.dumps(value, indent=1) + "\n"


def image_value(result: ImageResult) -> dict[str, Any]:
    """One image and its faces."""
    width, height = result.size
    value: dict[str, Any] = {"image": result.name}
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
    return path.suffix == ".json" and "annotations" not in parse(read_text(path), path.name)


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    value = parse(read_text(path), path.name)
    names = tuple(field(value, "point_names", path.name) or ())
    # The file says which points it has; other files take the labels' scheme.
    if names and names != scheme.points:
        scheme = scheme_of_points(str(value.get("scheme")), names)
    faces: list[PredictedFace] = []
    for i, image in enumerate(field(value, "images", path.name)):
        faces += faces_of_image(image, scheme, f"{path.name} image {i}", "")
    return scheme, faces


def faces_of_image(image: Any, scheme: Scheme, where: str, suffix: str) -> list[PredictedFace]:
    """The faces of ``image_value``; ``suffix``: added to each face's place."""
    name = str(field(image, "image", where))
    found = []
    for k, face in enumerate(field(image, "faces", where), start=1):
        points = check_shape(field(face, "points", where), scheme, where)
        found.append(PredictedFace(name, points, f"{name} face {k}{suffix}", face.get("scores")))
    return found


def named_scheme(name: Any, scheme: Scheme) -> Scheme:
    """The catalog's scheme of that name, else the given one."""
    return SCHEMES.get(name, scheme) if isinstance(name, str) else scheme


def field(value: Any, name: str, where: str) -> Any:
    """A key of a JSON object, also by its name in nasion 0.1. Raises ``DataError``."""
    if isinstance(value, dict):
        for key in (name, _OLD_KEYS.get(name, name)):
            if key in value:
                return value[key]
    raise DataError(
        f"{where}: it has no {name!r}; nasion's json and jsonl have it, "
        "and COCO's has images, annotations and categories."
    )


def parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}).") from error
