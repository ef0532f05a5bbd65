"""``POST /v1/anonymise``: images without their faces, as ``nasion anonymise`` makes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from nasion.app.anonymise_pipeline import (
    ENDING,
    PARTS,
    HideOptions,
    encoded,
    hide_and_check,
    in_srgb,
)
from nasion.app.serve.admission import AdmissionControl, Limits, Rejected
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import Processed, process_each, refuse_all, zip_response
from nasion.app.serve.settings import Number, WholeNumber, smallest_min_face, with_min_face
from nasion.app.serve.uploads import REQUEST_BODY, Upload, read_uploads
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import MIN_SCORE, Landmarker
from nasion.landmarks.face import ImageResult
from nasion.landmarks.face_region import GROW, require_eyes
from nasion.landmarks.scheme import Scheme
from nasion.media.decoder_process import ImageDecoder
from nasion.media.hiding import METHODS

# Lower than of /v1/landmarks, since to miss a face is worse than to hide something else.
LOW_SCORE, SMALL_FACE = 0.3, 20
# The blur of a part reaches further with it, and takes time with the square of that.
MAX_STRENGTH = 4.0
LIST = f"{ENDING}.json"
# Headers of a response that is one image.
FACES_HEADER, STILL_HEADER = "Nasion-Faces-Hidden", "Nasion-Face-Still-Found"
_PNG = b"\x89PNG"
_SUFFIXES = {"png": ".png", "jpg": ".jpg"}

if TYPE_CHECKING:
    Part = str
    Method = str
    ImageFormat = str
else:
    Part = Enum("Part", {name: name for name in PARTS}, type=str)
    Method = Enum("Method", {name: name for name in METHODS}, type=str)
    ImageFormat = Enum("ImageFormat", {name: name for name in _SUFFIXES}, type=str)


class _Settings(BaseModel):
    """The query's parameters."""

    part: Part = Field("face", description="face (jaw line to forehead) or eyes (a band).")
    method: Method = Field(
        "pixelate",
        description="pixelate, blur, or fill (black). Only fill leaves nothing of the face: who "
        "was pixelated or blurred may still be recognised by a program.",
    )
    strength: Number = Field(
        1.0, ge=0.25, le=MAX_STRENGTH, description="So many times larger blocks, or wider blur."
    )
    grow: Number = Field(
        GROW,
        ge=0,
        le=2,
        description="How much further to hide on each side, as a share of the face's size.",
    )
    verify: bool | None = Field(
        None,
        description="Search the result for faces; where one is found, hide more and search again. "
        "True; with part=eyes false.",
    )
    format: ImageFormat | None = Field(
        None, description="Of the result: png for PNG files, jpg for all others."
    )
    min_face: WholeNumber | None = Field(
        None,
        ge=8,
        description=f"Side in pixels of the smallest face to look for: {SMALL_FACE}, or more in "
        "images of more than 16 million pixels.",
    )
    min_score: Number = Field(LOW_SCORE, ge=0, le=1, description="Minimum face score.")
    any_rotation: bool = Field(
        False, description="Also find faces on their side or upside down; 4x time."
    )

    def check(self, scheme: Scheme) -> None:
        """Raise ``Rejected`` (422) for what does not go together."""
        if self.method == "fill" and "strength" in self.model_fields_set:
            raise Rejected(422, "strength: has no effect with method=fill; leave it out.")
        if self.part == "eyes" and self.verify:
            raise Rejected(422, "verify: part=eyes leaves a face that is found; leave verify out.")
        if self.part == "eyes":
            try:
                require_eyes(scheme)
            except SettingError as error:
                raise Rejected(422, f"part: {error}") from error


_DESCRIPTIONS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"The image without its faces, with the headers {FACES_HEADER} (how many) "
        f"and {STILL_HEADER} (true or false; only if the result was searched); of several a zip, "
        f"with the same in {LIST}.",
        "content": {kind: {} for kind in ("image/jpeg", "image/png", "application/zip")},
    },
    413: {"description": "More bytes than the limit."},
    422: {"description": "No readable image, or as many faces as the limit."},
    503: {"description": "Too busy; try again."},
}


def parts_that_can_be_hidden(scheme: Scheme) -> list[str]:
    """Those of ``PARTS`` that the points of a scheme tell."""
    try:
        require_eyes(scheme)
    except SettingError:
        return [part for part in PARTS if part != "eyes"]
    return list(PARTS)


def add_anonymise(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    metrics: ServerMetrics,
    decode: ImageDecoder,
) -> None:
    """Add ``/v1/anonymise``."""

    @app.post(
        "/v1/anonymise",
        openapi_extra={"requestBody": REQUEST_BODY},
        responses=_DESCRIPTIONS,
        response_class=Response,
    )
    async def anonymise(request: Request, settings: Annotated[_Settings, Query()]) -> Response:
        """One or more images with their faces hidden, and without what files tell of the camera.

        Send an image as the body, or a form with any number of files. No method finds every face:
        look at the results before you publish them.
        """
        settings.check(landmarker.predictor.spec.scheme)
        uploads = await read_uploads(request, admission.limits)
        work = _HideWork(landmarker, decode, settings, admission.limits)
        done = await admission.run_for(request, work.process, uploads)
        metrics.count_images(done)
        if not done.files or (len(uploads) == 1 and done.unreadable):
            return refuse_all(done)
        if len(uploads) > 1:
            listed = json.dumps({"images": done.values, "errors": done.errors}, indent=1)
            return zip_response({**done.files, LIST: listed.encode()})
        ((name, data),) = done.files.items()
        (value,) = done.values
        headers = {FACES_HEADER: str(value["faces"])}
        if "still_found" in value:
            headers[STILL_HEADER] = str(value["still_found"]).lower()
        kind = "image/png" if name.endswith(".png") else "image/jpeg"
        return Response(data, media_type=kind, headers=headers)


@dataclass
class _Hidden(Processed):
    """``values``: what ``anonymised.json`` says of each image."""

    values: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _HideWork:
    """What a request wants of its images."""

    landmarker: Landmarker
    decode: ImageDecoder
    settings: _Settings
    limits: Limits

    def process(self, uploads: Sequence[Upload], cancelled: Callable[[], bool]) -> _Hidden:
        """Each image without its faces, one after the other."""
        done = _Hidden()
        process_each(uploads, self._process_one, done, cancelled)
        return done

    def _process_one(self, upload: Upload, stem: str, done: _Hidden) -> None:
        pixels = in_srgb(self.decode(upload.data, True, upload.name), upload.data)
        size = (pixels.shape[1], pixels.shape[0])
        landmarker = self._landmarker(size, upload.name)
        faces = landmarker(pixels)
        if len(faces) >= self.limits.faces:
            raise DataError(
                f"{upload.name}: {len(faces)} faces or more, the limit, so some would not be "
                "hidden; send parts of the image, or use nasion anonymise."
            )
        done.results.append(ImageResult(upload.name, stem, size, tuple(faces)))
        options = self._options(landmarker)
        hidden, _, still = hide_and_check(pixels, faces, options)
        asked = self.settings.format
        as_sent = "png" if upload.data.startswith(_PNG) else "jpg"
        suffix = _SUFFIXES[getattr(asked, "value", asked) or as_sent]
        file = f"{stem}-{ENDING}{suffix}"
        done.add_files({file: encoded(hidden, suffix)})
        value: dict[str, Any] = {"image": upload.name, "file": file, "faces": len(faces)}
        done.values.append(value if options.check is None else value | {"still_found": still})

    def _landmarker(self, size: tuple[int, int], name: str) -> Landmarker:
        asked = self.settings
        own = self.landmarker.with_settings(
            min_score=asked.min_score,
            any_rotation=asked.any_rotation,
            max_faces=self.limits.faces,
        )
        if asked.min_face is not None:
            return with_min_face(own, asked.min_face, size, name)
        if not hasattr(own.detector, "min_face"):
            return own
        return with_min_face(own, max(SMALL_FACE, smallest_min_face(size)), size, name)

    def _options(self, landmarker: Landmarker) -> HideOptions:
        asked = self.settings
        part = getattr(asked.part, "value", asked.part)
        looks_again = part == "face" if asked.verify is None else asked.verify
        check = landmarker.with_settings(min_score=max(asked.min_score, MIN_SCORE))
        return HideOptions(
            folder=Path(),
            part=part,
            method=getattr(asked.method, "value", asked.method),
            strength=asked.strength,
            grow=asked.grow,
            check=check if looks_again else None,
        )
