"""All pictures in one JSON value: the points' names once, then each picture's faces with points, scores and expected errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import nasion
from nasion.formats import Found, scheme_of
from nasion.landmarker import Face

ENDING = ".json"
FRAME = "pixels of the upright picture, x to the right, y down, the centre of the top left pixel at 0, 0"


def text(found: Sequence[Found]) -> str:
    scheme = scheme_of(found)
    whole = {
        "nasion": nasion.__version__,
        "frame": FRAME,
        "scheme": scheme.name if scheme else None,
        "names": list(scheme.points) if scheme else [],
        "pictures": [picture_value(picture) for picture in found],
    }
    return json.dumps(whole, indent=1) + "\n"


def picture_value(picture: Found) -> dict[str, Any]:
    width, height = picture.size
    when = {} if picture.seconds is None else {"seconds": round(picture.seconds, 4)}
    return {"picture": picture.name, **when, "width": width, "height": height, "faces": [face_value(face) for face in picture.faces]}


def face_value(face: Face) -> dict[str, Any]:
    value: dict[str, Any] = {"score": round(face.score, 4), "box": rounded(face.box), "points": rounded(face.points)}
    if face.track is not None:
        value["track"] = face.track
    if face.scores is not None:
        value["scores"] = rounded(face.scores, 4)
    if face.expected is not None:
        value["expected"] = rounded(face.expected, 3)
    return value


def rounded(values: Any, digits: int = 3) -> Any:
    """Numbers of an array as JSON has them."""
    if getattr(values, "ndim", 0):
        return [rounded(value, digits) for value in values]
    return round(float(values), digits)
