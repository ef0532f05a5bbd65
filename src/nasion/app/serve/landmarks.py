"""``POST /v1/landmarks``: the query's parameters, and the faces of the images in the body."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from nasion.app.serve import responses
from nasion.app.serve.admission import AdmissionControl, Rejected, client_of
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.settings import HIDE_OCCLUDED, Number, WholeNumber, parse_boxes
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


class _Settings(BaseModel):
    """The query's parameters."""

    format: Format = Field("json", description="Output format; several files come as a zip.")
    labels: Labels = Field("none", description="Labels beside drawn points.")
    hide_occluded: bool = Field(False, description=HIDE_OCCLUDED)
    detect: bool = Field(True, description="False: every image is one face from edge to edge.")
    boxes: list[str] = Field(
        [], description="x0,y0,x1,y1 of a known face of the only image; repeat for several."
    )
    min_face: WholeNumber | None = Field(
        None, ge=8, description="Side in pixels of the smallest face to look for."
    )
    min_score: Number | None = Field(None, ge=0, le=1, description="Minimum face score.")
    any_rotation: bool = Field(
        False, description="Also find faces on their side or upside down; 4x time."
    )

    def known_boxes(self, most: int) -> np.ndarray | None:
        """(N, 4), or None: faces are detected. Raises ``Rejected`` (422)."""
        searches = self.min_face or self.min_score is not None or self.any_rotation
        if self.boxes and (searches or not self.detect):
            raise Rejected(
                422,
                "boxes: nothing is detected then; leave detect, min_face, min_score and "
                "any_rotation out.",
            )
        if self.min_face and not self.detect:
            raise Rejected(422, "min_face: nothing is detected with detect=false; leave one out.")
        return parse_boxes(self.boxes, most)


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
        uploads = await read_uploads(request, limits)
        if known is not None and len(uploads) > 1:
            raise Rejected(422, f"boxes: {len(uploads)} images were sent; send one.")
        own = landmarker.with_settings(
            detect=settings.detect,
            min_score=settings.min_score,
            any_rotation=settings.any_rotation,
            max_faces=limits.faces,
        )
        output = getattr(settings.format, "value", settings.format)
        labels = getattr(settings.labels, "value", settings.labels)
        work = responses.Work(
            own, decode, known, settings.min_face, output, labels, settings.hide_occluded
        )
        done = await admission.run(client_of(request.scope), work.process, uploads)
        metrics.count_images(done)
        return responses.respond(done, work.format)
