"""``POST /v1/landmarks``: the query's parameters, and the faces of the images in the body."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from nasion.app.serve import responses
from nasion.app.serve.admission import AdmissionControl, client_of
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.search import Search, refuse_boxes_for_several
from nasion.app.serve.settings import HIDE_OCCLUDED, MEASURES, refuse_measures
from nasion.app.serve.uploads import REQUEST_BODY, read_uploads
from nasion.discovery import FORMATS
from nasion.inference.landmarker import Landmarker
from nasion.media.decoder_process import ImageDecoder
from nasion.prediction_formats.image import LABELS

if TYPE_CHECKING:
    Format = str
    Labels = str
else:
    # Made from the formats that exist, so that a new format file is offered and documented.
    Format = Enum("Format", {name: name for name in FORMATS.names()}, type=str)
    Labels = Enum("Labels", {name: name for name in LABELS}, type=str)


class _Settings(Search):
    """The query's parameters."""

    format: Format = Field("json", description="Output format; several files come as a zip.")
    labels: Labels = Field("none", description="Labels beside drawn points.")
    hide_occluded: bool = Field(False, description=HIDE_OCCLUDED)
    measures: bool = Field(False, description=MEASURES)


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
        if settings.measures:
            refuse_measures(landmarker.predictor.spec.scheme, output)
        uploads = await read_uploads(request, limits)
        refuse_boxes_for_several(known, len(uploads))
        own = settings.landmarker(landmarker, limits.faces)
        labels = getattr(settings.labels, "value", settings.labels)
        work = responses.Work(
            own,
            decode,
            known,
            settings.min_face,
            output,
            labels,
            settings.hide_occluded,
            settings.measures,
        )
        done = await admission.run(client_of(request.scope), work.process, uploads)
        metrics.count_images(done)
        return responses.respond(done, work.format)
