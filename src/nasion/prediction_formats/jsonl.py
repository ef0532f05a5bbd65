"""One JSON value per line and image, complete but for the points' names: its scheme tells them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nasion.errors import DataError
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.files import read_text
from nasion.prediction_formats import PredictedFace
from nasion.prediction_formats.json import faces_of_image, field, image_value, named_scheme, parse

SUFFIX = ".jsonl"
MEDIA_TYPE = "application/x-ndjson"


def line(result: ImageResult) -> str:
    """The image's line, with its end."""
    scheme = result.faces[0].scheme.name if result.faces else None
    return json.dumps({"scheme": scheme, **image_value(result)}) + "\n"


def to_text(results: Sequence[ImageResult]) -> str:
    return "".join(map(line, results))


def recognises(path: Path) -> bool:
    return path.suffix == ".jsonl"


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    faces: list[PredictedFace] = []
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        where = f"{path.name} line {number}"
        image = parse(text, where)
        own = named_scheme(field(image, "scheme", where), scheme)
        if not field(image, "faces", where):
            continue
        if faces and own is not scheme:
            raise DataError(
                f"{where}: faces of scheme {own.name} after ones of {scheme.name}; "
                "give one file per scheme."
            )
        scheme = own
        faces += faces_of_image(image, scheme, where, f" (line {number})")
    return scheme, faces
