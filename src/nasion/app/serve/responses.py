"""From uploaded images to a response: their faces, in any of the output formats."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from starlette.responses import JSONResponse, Response

from nasion.app.serve.admission import Rejected
from nasion.app.serve.uploads import Upload
from nasion.data.datasets import toy
from nasion.discovery import FORMATS
from nasion.errors import DataError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import ImageResult
from nasion.media.images import jpeg_bytes, open_image
from nasion.media.inputs import UnreadableInput
from nasion.prediction_formats import stems

_MAX_FILES_BYTES = 64 << 20  # of all files of a response


def response_descriptions() -> dict[int | str, dict[str, Any]]:
    """The responses in the OpenAPI description."""
    kinds = dict.fromkeys(FORMATS.load(name).MEDIA_TYPE for name in FORMATS.names())
    content: dict[str, dict] = {kind: {} for kind in (*kinds, "application/zip")}
    return {
        200: {"description": "The faces, in the requested format.", "content": content},
        413: {"description": "More bytes than the limit."},
        422: {"description": "No readable image."},
        503: {"description": "Too busy; try again."},
    }


@dataclass
class Processed:
    """The results of a request; ``files``: of formats of several files, by name."""

    results: list[ImageResult] = field(default_factory=list)
    unreadable: list[UnreadableInput] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def faces(self) -> int:
        return sum(len(result.faces) for result in self.results)


def process(
    uploads: Sequence[Upload],
    landmarker: Landmarker,
    max_pixels: int,
    name: str,
    labels: str,
    cancelled: Callable[[], bool],
) -> Processed:
    """The faces of each image; one image's pixels are held at a time.

    ``name``: the output format. ``cancelled``: tells whether the request has been given up; then
    the rest is skipped.
    """
    module, done = FORMATS.load(name), Processed()
    unique = stems([upload.name for upload in uploads])
    for upload, stem in zip(uploads, unique, strict=True):
        if cancelled():
            break
        try:
            pixels = open_image(upload.data, True, upload.name, limit=max_pixels)
        except DataError as error:
            done.unreadable.append(UnreadableInput.of(upload.name, error))
            continue
        size = (pixels.shape[1], pixels.shape[0])
        result = ImageResult(upload.name, stem, size, tuple(landmarker(pixels)))
        done.results.append(result)
        if hasattr(module, "files"):
            done.files |= module.files(replace(result, image=pixels), labels)
            if sum(map(len, done.files.values())) > _MAX_FILES_BYTES:
                raise Rejected(
                    413,
                    f"The response would have more than {_MAX_FILES_BYTES:,} bytes, the limit; "
                    "send fewer images at once.",
                )
    return done


def respond(done: Processed, name: str) -> Response:
    """The response in a format.

    Formats other than JSON have no place for unreadable images: then nothing else is sent.
    """
    module = FORMATS.load(name)
    errors = [{"image": each.name, "error": each.reason} for each in done.unreadable]
    if errors and (not done.results or name != "json"):
        summary = "; ".join(f"{each['image']}: {each['error']}" for each in errors)
        return JSONResponse({"error": summary, "errors": errors}, 422)
    if name == "json":
        return JSONResponse({**json.loads(module.to_text(done.results)), "errors": errors})
    if hasattr(module, "to_text"):
        return Response(module.to_text(done.results), media_type=module.MEDIA_TYPE)
    if len(done.files) == 1:
        (data,) = done.files.values()
        return Response(data, media_type=module.MEDIA_TYPE)
    return Response(_zip(done.files), media_type="application/zip")


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # Not compressed: drawn images are JPEGs already.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@cache
def sample_image() -> bytes:
    """A drawn JPEG with three faces, for users without an image at hand."""
    faces = toy.draw(3, ibug68, size=320, colour=True)
    return jpeg_bytes(np.concatenate(list(np.asarray(faces.images)), axis=1))
