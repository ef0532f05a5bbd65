"""One JSON value per line and image, complete but for the points' names: its scheme tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nasion.errors import DataError
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.files import read_text
from nasion.media.json_document import parse_document
from nasion.prediction_formats import PredictedFace, TextContents
from nasion.prediction_formats.json import faces_of_image, image_value, named_scheme

SUFFIX = ".jsonl"
MEDIA_TYPE = "application/x-ndjson"


class Text:
    """A line for each image."""

    def __init__(self, contents: TextContents) -> None:
        pass

    def begin(self) -> str:
        return ""

    def add(self, result: ImageResult) -> str:
        scheme = result.faces[0].scheme.name if result.faces else None
        return json.dumps({"scheme": scheme, **image_value(result)}) + "\n"

    def end(self) -> Iterator[str]:
        yield from ()


def recognises(path: Path) -> bool:
    return path.suffix == ".jsonl"


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    faces: list[PredictedFace] = []
    # Not splitlines, which also splits at characters that text in JSON may hold.
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        image = parse_document(text, f"{path} line {number}")
        own = named_scheme(image.get("scheme"), scheme)
        if not image["faces"].elements():
            continue
        if faces and own is not scheme:
            raise DataError(
                f"{image.place}: faces of scheme {own.name} after ones of {scheme.name}; "
                "give one file per scheme."
            )
        scheme = own
        faces += faces_of_image(image, scheme, f" (line {number})")
    return scheme, faces
