"""Query parameters: unknown and invalid ones are refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import is_dataclass, replace
from difflib import get_close_matches
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError
from starlette.requests import HTTPConnection

from nasion.app.serve.admission import Rejected
from nasion.array_types import Float32
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.measures import require_pose
from nasion.landmarks.scheme import Scheme
from nasion.media.number_text import parse_coordinate

# A face this part of the image's side is the smallest that a request may ask for: the time and
# memory of a search grow with the square of it.
_SMALLEST_FACE = 200


def _plain_digits(value: Any) -> Any:
    """Text without what Pydantic reads as a number although nobody writes it: ``1_0`` is no 10."""
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        raise PydanticCustomError("number_parsing", "Input should be a number of plain digits")
    return value


HIDE_OCCLUDED = (
    "Leave out points that cannot be seen: behind the head, covered, or outside the image. No "
    "effect with a network that does not predict which are."
)
MEASURES = (
    "Also tell how each head is turned (pose: degrees and their standard errors) and how far its "
    "eyes and mouth are open (measures)."
)
WholeNumber = Annotated[int, BeforeValidator(_plain_digits)]
Number = Annotated[float, BeforeValidator(_plain_digits), Field(allow_inf_nan=False)]
MinFace = Annotated[
    WholeNumber | None, Field(ge=8, description="Side in pixels of the smallest face to look for.")
]
MinScore = Annotated[Number | None, Field(ge=0, le=1, description="Minimum face score.")]
AnyRotation = Annotated[
    bool, Field(description="Also find faces on their side or upside down; 4x time.")
]


def unknown_parameters(connection: HTTPConnection) -> str:
    """What is wrong with a query: parameters that its route does not know, or given twice."""
    known: list[str] = []
    for each in connection.scope["route"].dependant.query_params:
        # A model stands for its fields.
        known += getattr(each.field_info.annotation, "model_fields", None) or [each.alias]
    for name in connection.query_params:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"No query parameter {name!r}; known are {', '.join(known) or 'none'}{hint}"
        if name != "boxes" and len(connection.query_params.getlist(name)) > 1:
            return f"The query parameter {name!r} is given twice; give it once."
    return ""


async def refuse_unknown_parameters(connection: HTTPConnection) -> None:
    """Raise ``Rejected`` (422) for what ``unknown_parameters`` finds: a typing error is no wish.

    Of every route of the interface. The camera's socket says so itself, after it has looked at the
    origin; the pages take any, since links and proxies add parameters of their own.
    """
    # Async, though it awaits nothing: FastAPI would give it a thread, and all may be busy.
    is_interface = getattr(connection.scope["route"], "include_in_schema", False)
    if connection.scope["type"] != "http" or not is_interface:
        return
    if reason := unknown_parameters(connection):
        raise Rejected(422, reason)


def refuse_given(settings: BaseModel, names: Iterable[str], what: str) -> None:
    """Raise ``Rejected`` (422) for parameters that have no effect on ``what`` was sent."""
    if given := sorted(set(names) & settings.model_fields_set):
        raise Rejected(422, f"{', '.join(given)}: has no effect on {what}; leave it out.")


def refuse_together(settings: BaseModel, names: Iterable[str], other: str) -> None:
    """Raise ``Rejected`` (422) for parameters that have no effect with another one."""
    if given := sorted(set(names) & settings.model_fields_set):
        raise Rejected(422, f"{', '.join(given)}: has no effect with {other}; leave one out.")


def parse_boxes(texts: list[str], most: int) -> Float32[np.ndarray, "N 4"] | None:
    """(N, 4) boxes of ``x0,y0,x1,y1`` each, or None. Raises ``Rejected`` (422)."""
    if not texts:
        return None
    if len(texts) > most:
        raise Rejected(422, f"{len(texts)} boxes; the limit is {most}.")
    boxes = []
    for text in texts:
        try:
            box = np.array([parse_coordinate(part) for part in text.split(",")], np.float32)
        except ValueError:
            box = np.empty(0, np.float32)
        good = box.shape == (4,) and bool(np.isfinite(box).all())
        if not good or box[2] <= box[0] or box[3] <= box[1]:
            raise Rejected(
                422,
                f"boxes: {text!r} is no box; write x0,y0,x1,y1 in pixels, with x0 < x1, y0 < y1.",
            )
        boxes.append(box)
    return np.stack(boxes)


def smallest_min_face(size: tuple[int, int]) -> int:
    """The smallest face, side in pixels, that a request may look for in an image of this size."""
    return int(np.ceil((size[0] * size[1]) ** 0.5 / _SMALLEST_FACE))


def refuse_measures(scheme: Scheme, output: str = "json") -> None:
    """Raise ``Rejected`` (422) where ``measures`` has no effect: by its scheme or the format."""
    if output == "pts":
        raise Rejected(422, "measures: .pts files hold points only; choose another format.")
    try:
        require_pose(scheme)
    except SettingError as error:
        raise Rejected(422, f"measures: {error}") from error


def with_min_face(
    landmarker: Landmarker, min_face: int | None, size: tuple[int, int], name: str
) -> Landmarker:
    """The same, but its detector finds faces from ``min_face`` pixels on. Raises ``DataError``."""
    if min_face is None:
        return landmarker
    least = smallest_min_face(size)
    if min_face < least:
        raise DataError(
            f"{name}: min_face={min_face} in {size[0]} x {size[1]} pixels; the server looks for "
            f"faces of {least} pixels or more there; send a part of the image."
        )
    detector: Any = landmarker.detector
    if not is_dataclass(detector) or not hasattr(detector, "min_face"):
        raise DataError(f"{name}: this server's detector has no min_face; leave it out.")
    return Landmarker(
        landmarker.predictor,
        detector=replace(detector, min_face=min_face),  # pyright: ignore[reportArgumentType]
        min_score=landmarker.min_score,
        any_rotation=landmarker.any_rotation,
        max_faces=landmarker.max_faces,
    )
