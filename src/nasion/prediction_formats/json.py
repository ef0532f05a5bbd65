"""One JSON value: the points' names, then each image's faces with points, scores and errors.

``visible`` holds the chance that a point can be seen, if the network predicts it. A point that is
left out is ``[null, null]``. If they were asked for, faces have ``pose`` and ``measures``, and the
blinks of faces in clips are at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nasion
from nasion.landmarks.clip_blinks import ClipBlinks
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.measures import measure
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import definition
from nasion.media.file_names import name_as_text
from nasion.prediction_formats import PredictedFace, TextContents
from nasion.prediction_formats._measures import measures_value
from nasion.prediction_formats._rounded import rounded

SUFFIX = ".json"
MEDIA_TYPE = "application/json"
COORDINATES = (
    "pixels of the upright image, x to the right, y down, the centre of the top left pixel at 0, 0"
)


class Text:
    """Images are written one by one, between a head and the closing brackets.

    Each field of a face has a line of its own: its numbers are read by programs, its names by
    people, and an encoder that breaks lines at every number takes longer than the network.
    """

    def __init__(self, contents: TextContents) -> None:
        self._scheme, self._is_first = contents.scheme, True
        self._blinks = ClipBlinks() if contents.measured and contents.timed else None

    def begin(self) -> str:
        # The images are added one by one.
        return "{\n" + _fields_text(_head(self._scheme), " ") + ',\n "images": ['

    def add(self, result: ImageResult) -> str:
        before = "\n" if self._is_first else ",\n"
        self._is_first = False
        if self._blinks is not None:
            self._blinks.add(result)
        return before + _image_text(image_value(result))

    def end(self) -> Iterator[str]:
        yield "]" if self._is_first else "\n ]"
        if self._blinks is not None:
            values = [json.dumps(value) for value in _blink_values(self._blinks)]
            lines = "".join(f"\n  {value}," for value in values).removesuffix(",")
            yield f',\n "blinks": [{lines}' + ("\n ]" if values else "]")
        yield "\n}\n"


def to_value(results: Sequence[ImageResult], scheme: Scheme | None = None) -> dict[str, Any]:
    """What the text of these results says. ``scheme``: of the network, also if there is no face."""
    contents = TextContents.of(results, scheme=scheme)
    value = _head(contents.scheme) | {"images": [image_value(result) for result in results]}
    if contents.measured and contents.timed:
        blinks = ClipBlinks()
        for result in results:
            blinks.add(result)
        value["blinks"] = list(_blink_values(blinks))
    return value


def _head(scheme: Scheme | None) -> dict[str, Any]:
    own = definition(scheme) if scheme else None
    return {
        "nasion": nasion.__version__,
        "coordinates": COORDINATES,
        "scheme": scheme.name if scheme else None,
        "point_names": list(scheme.points) if scheme else [],
        **({} if own is None else {"scheme_definition": own}),
    }


def _fields_text(value: dict[str, Any], indent: str) -> str:
    lines = (f"{indent}{json.dumps(name)}: {json.dumps(each)}" for name, each in value.items())
    return ",\n".join(lines)


def _image_text(value: dict[str, Any]) -> str:
    faces = ["   {\n" + _fields_text(face, "    ") + "\n   }" for face in value["faces"]]
    image = json.dumps(value | {"faces": []}).removesuffix("]}")
    return f"  {image}" + ("\n" + ",\n".join(faces) + "\n  " if faces else "") + "]}"


def _blink_values(blinks: ClipBlinks) -> Iterator[dict[str, Any]]:
    for (video, track), found in blinks.found().items():
        for blink in found:
            times = {name: round(getattr(blink, name), 4) for name in ("start", "end", "lowest")}
            own = {"video": name_as_text(video), "track": track}
            yield {**own, **times, "openness": round(blink.openness, 4)}


def image_value(result: ImageResult) -> dict[str, Any]:
    """One image and its faces."""
    width, height = result.size
    value: dict[str, Any] = {"image": name_as_text(result.name)}
    if result.seconds is not None:
        value["seconds"] = round(result.seconds, 4)
    faces = [face_value(face) for face in result.faces]
    if result.measured is not None:
        each = zip(faces, result.measured, strict=True)
        faces = [face | measures_value(measured) for face, measured in each]
    return value | {"width": width, "height": height, "faces": faces}


def face_value(face: Face, measures: bool = False) -> dict[str, Any]:
    """One face. ``measures``: with ``pose`` and ``measures``, which takes about 2 ms."""
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
    if face.visible is not None:
        value["visible"] = rounded(face.visible, 4)
    return value | measures_value(measure([face])[0]) if measures else value


def recognises(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    # Readers, here and below, take 6 ms to import, which writers need not wait for.
    from nasion.data.datasets._face_records import EITHER_FORMAT, read_text_document

    value = read_text_document(path, EITHER_FORMAT).value
    return not isinstance(value, list) and not (isinstance(value, dict) and "annotations" in value)


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    from nasion.data.datasets._predicted_json import read_json

    return read_json(path, scheme)
