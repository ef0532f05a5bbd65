"""``POST /v1/landmarks``: the query's parameters, and the faces of the images in the body."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from nasion.app.serve import responses
from nasion.app.serve.admission import AdmissionControl
from nasion.app.serve.drawing_settings import DrawingSettings
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.search import Search, refuse_boxes_for_several
from nasion.app.serve.settings import HIDE_OCCLUDED, MEASURES, refuse_measures
from nasion.app.serve.uploads import REQUEST_BODY, read_uploads
from nasion.discovery import FORMATS
from nasion.inference.landmarker import Landmarker
from nasion.media.decoder_process import ImageDecoder
from nasion.prediction_formats import DrawStyle
from nasion.prediction_formats._draw_style import SUFFIXES

if TYPE_CHECKING:
    Format = str
    ImageFormat = str
else:
    # Made from the formats that exist, so that a new format file is offered and documented.
    Format = Enum("Format", {name: name for name in FORMATS.names()}, type=str)
    ImageFormat = Enum("DrawnFormat", {name: name for name in SUFFIXES}, type=str)


class _Settings(DrawingSettings, Search):
    """The query's parameters."""

    format: Format = Field("json", description="Output format; several files come as a zip.")
    overlay: bool = Field(
        False, description="Draw on a transparent background, as a PNG of the image's size."
    )
    image_format: ImageFormat | None = Field(
        None, description="Of drawn images: jpg, but png for an overlay."
    )
    hide_occluded: bool = Field(False, description=HIDE_OCCLUDED)
    measures: bool = Field(False, description=MEASURES)

    def style(self, output: str) -> DrawStyle:
        """What is drawn. Raises ``Rejected`` (422) for what does not go together."""
        if output != "image":
            self.refuse_unused(("draw", "overlay", "image_format"), "format=image")
        as_usual = "png" if self.overlay else "jpg"
        image_format = getattr(self.image_format, "value", self.image_format) or as_usual
        return self.drawn(self.overlay, image_format)


def add_landmarks(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    metrics: ServerMetrics,
    decode: ImageDecoder,
) -> None:
    """Add ``/v1/landmarks``."""

    @app.post(
        "/v1/landmarks",
        openapi_extra={"requestBody": REQUEST_BODY},
        responses=responses.response_descriptions(),
        response_class=Response,
    )
    async def landmarks(
        request: Request,
        settings: Annotated[_Settings, Query()],
    ) -> Response:
        """The points of all faces in one or more images.

        Send an image as the body, or a form with any number of files.
        """
        limits = admission.limits
        known = settings.known_boxes(limits.faces)
        output = getattr(settings.format, "value", settings.format)
        style = settings.style(output)
        measures = settings.measures or style.needs_measures
        if measures:
            refuse_measures(landmarker.predictor.spec.scheme, output)
        uploads = await read_uploads(request, limits)
        refuse_boxes_for_several(known, len(uploads))
        own = settings.landmarker(landmarker, limits.faces)
        work = responses.Work(
            own,
            decode,
            known,
            settings.min_face,
            output,
            style,
            settings.hide_occluded,
            measures,
        )
        scheme = landmarker.predictor.spec.scheme
        respond = partial(responses.respond, name=work.format, scheme=scheme)
        process = responses.answered(work.process, respond)
        done, response = await admission.run_for(request, process, uploads)
        metrics.count_images(done)
        return response
