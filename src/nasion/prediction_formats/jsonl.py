"""One JSON value per line and image, complete but for the points' names: its scheme tells them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nasion.data.datasets._predicted_json import read_json_lines
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats import PredictedFace
from nasion.prediction_formats.json import image_value

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
    return read_json_lines(path, scheme)
