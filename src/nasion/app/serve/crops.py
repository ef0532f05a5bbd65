"""``POST /v1/crops``: faces of images and clips, cut out, rotated and scaled to a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response

from nasion.app.crop_pipeline import FORMATS, LIST, CropOptions, list_head
from nasion.app.serve.admission import AdmissionControl, Rejected
from nasion.app.serve.clip_tracking import ClipTracking
from nasion.app.serve.crop_settings import CropSettings
from nasion.app.serve.cropped_clips import CropClipWork, add_crops_of
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import (
    CLIP_ALONE,
    MEDIA_TYPES,
    PROBLEMS_HEADER,
    Processed,
    file_response,
    process_each,
    zip_with_list,
)
from nasion.app.serve.search import refuse_boxes_for_several
from nasion.app.serve.settings import refuse_given, with_min_face
from nasion.app.serve.uploads import ANY_BODY, Upload, read_uploads
from nasion.errors import DataError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.face import ImageResult
from nasion.media.clip_process import ClipDecoder
from nasion.media.decoder_process import ImageDecoder

_IMAGE_TYPES = [MEDIA_TYPES[suffix] for suffix in FORMATS.values()]

_DESCRIPTIONS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"A zip with a crop of each face, of a clip in each frame, and {LIST}, "
        "which says for each where it comes from; with face the crop alone. The header "
        f"{PROBLEMS_HEADER} tells what was damaged in a clip.",
        "content": {kind: {} for kind in ("application/zip", *_IMAGE_TYPES)},
    },
    413: {"description": "More bytes than the limit, or a clip that is too long."},
    422: {"description": "No readable image or clip, or no face in it."},
    503: {"description": "Too busy, or it took too long; try again, or send a shorter clip."},
}


def add_crops(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    metrics: ServerMetrics,
    decode: ImageDecoder,
    decode_clip: ClipDecoder,
) -> None:
    """Add ``/v1/crops``."""
    scheme = landmarker.predictor.spec.scheme

    @app.post(
        "/v1/crops",
        openapi_extra={"requestBody": ANY_BODY},
        responses=_DESCRIPTIONS,
        response_class=Response,
    )
    async def crops(request: Request, settings: Annotated[CropSettings, Query()]) -> Response:
        """Aligned crops of the faces in one or more images, or in each frame of a short clip.

        Send an image or a clip as the body, or a form with any number of images or with one clip.
        """
        limits = admission.limits
        known = settings.known_boxes(limits.faces)
        options = settings.options(scheme)
        uploads = await read_uploads(request, limits)
        own = settings.landmarker(landmarker, limits.faces)
        if len(uploads) == 1 and uploads[0].kind == "video":
            refuse_given(settings, ["boxes", "face"], "a clip")
            tracking = ClipTracking(own, limits, settings.min_face, options.smoothing)
            clip = CropClipWork(tracking, decode_clip, options)
            done = await admission.run_for(request, clip.process, uploads[0])
        else:
            refuse_given(settings, ["every", "smooth"], "images")
            refuse_boxes_for_several(known, len(uploads))
            if settings.face is not None and len(uploads) > 1:
                raise Rejected(422, f"face: {len(uploads)} images were sent; send one.")
            images = _CropWork(own, decode, known, settings.min_face, options, settings.face)
            done = await admission.run_for(request, images.process, uploads)
        metrics.count_images(done)
        if settings.face is not None or not done.files:
            return file_response(done)
        return zip_with_list(done, LIST, list_head(options, scheme))


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
        process_each(uploads, self._process_one, done, cancelled, CLIP_ALONE)
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
        found = ImageResult(upload.name, stem, size, tuple(faces))
        done.results.append(found)
        add_crops_of(found, pixels, self.options, done, self.face)
