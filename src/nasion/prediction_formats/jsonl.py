"""One JSON value per line and image, complete but for the points' names: its scheme tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nasion.data.datasets._predicted_json import read_json_lines
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats import PredictedFace, TextContents
from nasion.prediction_formats.json import image_value

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
    return read_json_lines(path, scheme)
