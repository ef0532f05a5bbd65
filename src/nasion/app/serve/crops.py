"""``POST /v1/crops``: the faces of images, each cut out, rotated and scaled to a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from nasion.app.crop_pipeline import FORMATS, LIST, CropOptions, Source, crop_face, list_head
from nasion.app.serve.admission import AdmissionControl, Rejected
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import (
    MEDIA_TYPES,
    Processed,
    file_response,
    process_each,
    refusal,
    zip_with_list,
)
from nasion.app.serve.search import Search, refuse_boxes_for_several
from nasion.app.serve.settings import Number, WholeNumber, with_min_face
from nasion.app.serve.uploads import REQUEST_BODY, Upload, read_uploads
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.aligned_crops import PADDINGS, default_padding
from nasion.landmarks.alignment import TEMPLATES, CropFrame
from nasion.landmarks.catalog import SCHEMES
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.decoder_process import ImageDecoder

MAX_SIDE = 1024  # pixels: time and memory grow with the square of it
_IMAGE_TYPES = [MEDIA_TYPES[suffix] for suffix in FORMATS.values()]

if TYPE_CHECKING:
    Template = str
    Padding = str
    CropFormat = str
else:
    Template = Enum("Template", {name: name for name in (*TEMPLATES, *SCHEMES)}, type=str)
    Padding = Enum("Padding", {name: name for name in PADDINGS}, type=str)
    CropFormat = Enum("CropFormat", {name: name for name in FORMATS}, type=str)


class _Settings(Search):
    """The query's parameters."""

    template: Template = Field(
        "arcface",
        description="Where the face's points come to lie: arcface, ffhq, or a scheme, whose mean "
        "shape fills the crop.",
    )
    size: WholeNumber | None = Field(
        None,
        ge=8,
        le=MAX_SIDE,
        description="Side of the crop in pixels; the template's own: 112, 1024, 256.",
    )
    margin: Number = Field(
        0.0,
        ge=-0.4,
        le=10,
        description="More around the face on each side, as a share of the template's side.",
    )
    padding: Padding | None = Field(
        None, description="What is beyond the image: black, but with ffhq reflect."
    )
    format: CropFormat = Field("png", description="Format of the crops.")
    face: WholeNumber | None = Field(
        None,
        ge=1,
        description="The number of one face, from 1, as /v1/landmarks lists them: the response is "
        "its crop alone. Without it all come, as a zip.",
    )


_DESCRIPTIONS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"A zip with a crop of each face and {LIST}, which says for each where it "
        "comes from; with face the crop alone.",
        "content": {kind: {} for kind in ("application/zip", *_IMAGE_TYPES)},
    },
    413: {"description": "More bytes than the limit."},
    422: {"description": "No readable image, or no face in it."},
    503: {"description": "Too busy; try again."},
}


def crop_templates(scheme: Scheme) -> dict[str, int]:
    """The templates that faces of this scheme can be laid onto, and their sizes in pixels."""
    found = {}
    for name in (*TEMPLATES, *SCHEMES):
        frame = CropFrame(name)
        try:
            frame.check_scheme(scheme)
        except SettingError:
            continue
        found[name] = frame.side
    return found


def add_crops(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    metrics: ServerMetrics,
    decode: ImageDecoder,
) -> None:
    """Add ``/v1/crops``."""
    scheme = landmarker.predictor.spec.scheme

    @app.post(
        "/v1/crops",
        openapi_extra={"requestBody": REQUEST_BODY},
        responses=_DESCRIPTIONS,
        response_class=Response,
    )
    async def crops(request: Request, settings: Annotated[_Settings, Query()]) -> Response:
        """Aligned crops of the faces in one or more images.

        Send an image as the body, or a form with any number of files.
        """
        limits = admission.limits
        known = settings.known_boxes(limits.faces)
        options = _options(settings, scheme)
        uploads = await read_uploads(request, limits)
        refuse_boxes_for_several(known, len(uploads))
        if settings.face is not None and len(uploads) > 1:
            raise Rejected(422, f"face: {len(uploads)} images were sent; send one.")
        own = settings.landmarker(landmarker, limits.faces)
        work = _CropWork(own, decode, known, settings.min_face, options, settings.face)
        done = await admission.run_for(request, work.process, uploads)
        metrics.count_images(done)
        if settings.face is not None or not done.files:
            return file_response(done)
        return zip_with_list(done, LIST, list_head(options, scheme))


def _options(settings: _Settings, scheme: Scheme) -> CropOptions:
    """Raises ``Rejected`` (422) for a template that the points do not suffice for."""
    template = getattr(settings.template, "value", settings.template)
    padding = getattr(settings.padding, "value", settings.padding)
    try:
        frame = CropFrame(template, settings.size, settings.margin)
        frame.check_scheme(scheme)
    except SettingError as error:
        raise Rejected(422, f"template: {error}") from error
    suffix = FORMATS[getattr(settings.format, "value", settings.format)]
    return CropOptions(frame, padding or default_padding(template), Path(), suffix)


@dataclass(frozen=True)
class _CropWork:
    """What a request wants of its images; as ``responses.Work``.

    ``face``: the only one that is wanted, from 1; None: all.
    """

    landmarker: Landmarker
    decode: ImageDecoder
    boxes: np.ndarray | None
    min_face: int | None
    options: CropOptions
    face: int | None

    def process(self, uploads: Sequence[Upload], cancelled: Callable[[], bool]) -> Processed:
        """The crops of each image, one image after the other."""
        done = Processed()
        process_each(
            uploads, self._process_one, done, cancelled, "nasion crop makes the crops of clips"
        )
        return done

    def _process_one(self, upload: Upload, stem: str, done: Processed) -> None:
        colour = self.landmarker.predictor.spec.colour
        seen, pixels = (self.decode(upload.data, each, upload.name) for each in (colour, True))
        size = (pixels.shape[1], pixels.shape[0])
        landmarker = with_min_face(self.landmarker, self.min_face, size, upload.name)
        faces = landmarker(seen, self.boxes)
        if not faces:
            raise DataError(f"{upload.name}: no face was found.")
        if self.face is not None and self.face > len(faces):
            raise DataError(
                f"{upload.name}: face {self.face} of {len(faces)} is asked for; they are counted "
                "from 1."
            )
        done.results.append(ImageResult(upload.name, stem, size, tuple(faces)))
        # One by one, so that the response's limit is met before all are made.
        for number, face in enumerate(faces, start=1):
            if self.face in (None, number):
                source = Source(upload.name, stem, number)
                try:
                    crop = crop_face(pixels, face, source, self.options)
                except Exception as error:
                    done.unreadable.append(refusal(f"{upload.name} face {number}", error))
                    continue
                done.add_files({crop.name: crop.data})
                done.values.append(crop.value)
