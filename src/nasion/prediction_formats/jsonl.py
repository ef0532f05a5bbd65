"""One JSON value per line and image, complete but for the points' names: its scheme tells them.

The first line with a face also defines a scheme that the catalog does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import definition
from nasion.prediction_formats import PredictedFace, TextContents
from nasion.prediction_formats.json import image_value

SUFFIX = ".jsonl"
MEDIA_TYPE = "application/x-ndjson"


class Text:
    """A line for each image."""

    def __init__(self, contents: TextContents) -> None:
        self._scheme, self._is_defined = contents.scheme, False

    def begin(self) -> str:
        return ""

    def add(self, result: ImageResult) -> str:
        scheme = result.faces[0].scheme if result.faces else self._scheme
        is_first = bool(result.faces) and not self._is_defined
        own = definition(scheme) if scheme is not None and is_first else None
        self._is_defined = self._is_defined or is_first
        head = {
            "scheme": None if scheme is None else scheme.name,
            **({} if own is None else {"scheme_definition": own}),
        }
        return json.dumps(head | image_value(result)) + "\n"

    def end(self) -> Iterator[str]:
        yield from ()


def recognises(path: Path) -> bool:
    return path.suffix.lower() == ".jsonl"


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    from nasion.data.datasets._predicted_json import read_json_lines

    return read_json_lines(path, scheme)
