"""``POST /v1/clips``: the faces in each frame of a short video, with numbers that they keep."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from nasion.app.serve.admission import AdmissionControl, Limits, Rejected, client_of
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import Processed, refusal, respond
from nasion.app.serve.settings import (
    HIDE_OCCLUDED,
    MEASURES,
    Number,
    WholeNumber,
    refuse_measures,
    with_min_face,
)
from nasion.app.serve.uploads import CLIP_BODY, Upload, read_uploads
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import ImageResult
from nasion.landmarks.measures import measure
from nasion.media.clip_process import ClipDecoder
from nasion.media.inputs import UnreadableInput
from nasion.media.signatures import kind_of_contents
from nasion.media.video_reading import Frame
from nasion.prediction_formats import stems, text_formats

_MAX_FACES = 10_000  # of all frames together: the response is about 3 kB for each
_LOOK = 512  # bytes that tell an image from a video

if TYPE_CHECKING:
    Format = str
else:
    Format = Enum("ClipFormat", {name: name for name in text_formats()}, type=str)


class _Settings(BaseModel):
    """The query's parameters."""

    format: Format = Field("json", description="Output format.")
    hide_occluded: bool = Field(False, description=HIDE_OCCLUDED)
    measures: bool = Field(
        False, description=f"{MEASURES} In JSON, also the blinks of each face (blinks), in seconds."
    )
    smooth: bool = Field(True, description="Smooth the points from frame to frame.")
    min_cutoff: Number = Field(
        DEFAULT_SMOOTHING.min_cutoff, gt=0, description="Smoothing cutoff in Hz for still faces."
    )
    beta: Number = Field(
        DEFAULT_SMOOTHING.beta, ge=0, description="How much the cutoff rises with speed."
    )
    patience: Number = Field(
        DEFAULT_PATIENCE,
        ge=0,
        le=60,
        description="Seconds for which a face out of sight keeps its track number.",
    )
    min_face: WholeNumber | None = Field(
        None, ge=8, description="Side in pixels of the smallest face to look for."
    )
    min_score: Number | None = Field(None, ge=0, le=1, description="Minimum face score.")
    any_rotation: bool = Field(
        False, description="Also find faces on their side or upside down; 4x time."
    )


_DESCRIPTIONS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The faces of each frame; a frame is an image named CLIP@NUMBER."},
    413: {"description": "More bytes, seconds, frames or faces than the limit."},
    422: {"description": "No readable video."},
    503: {"description": "Too busy, or it took too long; try again, or send a shorter one."},
}


def add_clips(
    app: FastAPI, landmarker: Landmarker, admission: AdmissionControl, metrics: ServerMetrics
) -> None:
    """Add ``/v1/clips``."""
    limits = admission.limits
    decode = ClipDecoder(limits.decode_seconds, limits.pixels)

    @app.post(
        "/v1/clips",
        openapi_extra={"requestBody": CLIP_BODY},
        responses=_DESCRIPTIONS,
        response_class=Response,
    )
    async def clips(request: Request, settings: Annotated[_Settings, Query()]) -> Response:
        """The points of all faces in each frame of a short video, each face with its number.

        Send a video as the body, or a form with one file.
        """
        if settings.measures:
            refuse_measures(landmarker.predictor.spec.scheme)
        uploads = await read_uploads(request, limits, "video")
        if len(uploads) > 1:
            raise Rejected(422, f"{len(uploads)} files were sent; send one video.")
        work = _ClipWork(landmarker, decode, settings, limits)
        done = await admission.run(client_of(request.scope), work.process, uploads[0])
        metrics.count_images(done)
        return respond(done, getattr(settings.format, "value", settings.format))


@dataclass(frozen=True)
class _ClipWork:
    """What a request wants of its video."""

    landmarker: Landmarker
    decode: ClipDecoder
    settings: _Settings
    limits: Limits

    def process(self, upload: Upload, cancelled: Callable[[], bool]) -> Processed:
        """The faces of each frame; one frame is held at a time.

        ``cancelled``: tells whether the request has been given up; then the rest is skipped.
        """
        done, name = Processed(), upload.name
        if kind_of_contents(upload.data[:_LOOK]) == "image":
            reason = "an image; send it to /v1/landmarks"
            return Processed(unreadable=[UnreadableInput(name, reason)])
        (stem,) = stems([name])
        tracker: Tracker | None = None
        damage: list[str] = []
        try:
            frames = self.decode(upload.data, name, lambda each: damage.append(each.reason))
            with closing(frames):
                for frame in frames:
                    if cancelled():
                        break
                    size = (frame.pixels.shape[1], frame.pixels.shape[0])
                    tracker = tracker or self._tracker(size, name)
                    faces = tracker(frame.pixels, frame.seconds)
                    wanted = self.settings.measures
                    result = ImageResult(
                        name=f"{name}@{frame.number}",
                        stem=f"{stem}@{frame.number}",
                        size=size,
                        faces=tuple(faces),
                        seconds=frame.seconds,
                        measured=measure(faces, tracker.unsmoothed) if wanted else None,
                    )
                    hide = self.settings.hide_occluded
                    done.results.append(result.without_hidden() if hide else result)
                    self._check(frame, done)
        except Exception as error:
            done.unreadable.append(refusal(name, error))
        done.unreadable += [UnreadableInput(name, reason) for reason in damage]
        return done

    def _tracker(self, size: tuple[int, int], name: str) -> Tracker:
        asked = self.settings
        own = self.landmarker.with_settings(
            min_score=asked.min_score,
            any_rotation=asked.any_rotation,
            max_faces=self.limits.faces,
        )
        smoothing = OneEuro(asked.min_cutoff, asked.beta) if asked.smooth else None
        landmarker = with_min_face(own, asked.min_face, size, name)
        return Tracker(landmarker, smoothing, patience=asked.patience)

    def _check(self, frame: Frame, done: Processed) -> None:
        """Raise ``Rejected`` (413) for a clip that goes on for too long."""
        limits = self.limits
        reason = ""
        if frame.seconds > limits.clip_seconds:
            reason = f"is longer than {limits.clip_seconds:g} seconds"
        elif frame.number >= limits.clip_frames:
            reason = f"has more than {limits.clip_frames:,} frames"
        elif done.faces > _MAX_FACES:
            reason = f"has more than {_MAX_FACES:,} faces in all of its frames"
        if reason:
            raise Rejected(413, f"The video {reason}, the limit; send a part of it.")
