"""From pictures that were sent to what is answered: faces, in any of the formats."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from starlette.responses import JSONResponse, Response

from nasion import formats
from nasion.datasets import toy
from nasion.errors import DataError
from nasion.files import open_picture
from nasion.formats import Found, stems
from nasion.formats.picture import drawn
from nasion.landmarker import Landmarker
from nasion.pictures import Refused
from nasion.schemes import ibug68
from nasion.serve.body import Sent
from nasion.serve.desk import Refusal

_DRAWN = 64 << 20  # bytes of all drawn pictures of an answer
_KINDS = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv", "coco": "application/json"}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The faces, as format says.", "content": {kind: {} for kind in (*_KINDS.values(), "image/jpeg", "application/zip")}},
    413: {"description": "More bytes than the limit."},
    422: {"description": "No picture that can be read."},
    503: {"description": "Too busy; try again."},
}


@dataclass(frozen=True)
class Answer:
    """What is sent back, and how much was looked at."""

    response: Response
    pictures: int
    faces: int
    refused: int


def answered(sent: Sequence[Sent], landmarker: Landmarker, pixels: int, kind: str, labels: str, over: Callable[[], bool]) -> Answer:
    """The faces of each picture, and the pictures that cannot be read; one picture's pixels are held at a time.

    ``over``: nobody waits any more, so that the rest need not be done.
    """
    found: list[Found] = []
    refused: list[Refused] = []
    pictures: list[bytes] = []
    for picture, stem in zip(sent, stems([picture.name for picture in sent]), strict=True):
        if over():
            break
        try:
            seen = open_picture(picture.data, True, picture.name, limit=pixels)
        except DataError as error:
            refused.append(Refused(picture.name, str(error).removeprefix(f"{picture.name}: ")))
            continue
        found.append(Found(picture.name, stem, (seen.shape[1], seen.shape[0]), tuple(landmarker(seen))))
        if kind == "picture":
            pictures.append(_jpeg(drawn(replace(found[-1], picture=seen), labels)))
            if sum(map(len, pictures)) > _DRAWN:
                raise Refusal(413, f"The drawn pictures are more than {_DRAWN:,} bytes, the limit; send fewer at once.")
    faces = sum(len(picture.faces) for picture in found)
    return Answer(_response(found, refused, kind, pictures), len(found), faces, len(refused))


def _response(found: Sequence[Found], refused: Sequence[Refused], kind: str, pictures: Sequence[bytes]) -> Response:
    """Pictures that could not be read are told of; where a format has no place for that, nothing else is sent."""
    errors = [{"picture": picture.name, "error": picture.why} for picture in refused]
    if errors and (not found or kind != "json"):
        return JSONResponse({"error": "; ".join(f"{each['picture']}: {each['error']}" for each in errors), "errors": errors}, 422)
    if kind == "json":
        return JSONResponse({**json.loads(formats.named("json").text(found)), "errors": errors})
    if kind in _KINDS:
        return Response(formats.named(kind).text(found), media_type=_KINDS[kind])
    if kind == "picture" and len(pictures) == 1:
        return Response(pictures[0], media_type="image/jpeg")
    files = _pts(found) if kind == "pts" else {f"{one.stem}-points.jpg": data for one, data in zip(found, pictures, strict=True)}
    return Response(_zipped(files), media_type="application/zip")


def _pts(found: Sequence[Found]) -> dict[str, bytes]:
    with TemporaryDirectory(prefix="nasion-") as folder:
        formats.write(found, ["pts"], Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _jpeg(pixels: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=92)
    return data.getvalue()


@cache
def sample() -> bytes:
    """A drawn picture with three faces, for those who have none at hand."""
    return _jpeg(np.concatenate(list(np.asarray(toy.draw(3, ibug68, size=320, colour=True).images)), axis=1))
