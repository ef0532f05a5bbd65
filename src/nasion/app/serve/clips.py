"""``POST /v1/clips``: the faces in each frame of a short video, with numbers that they keep.

Or the video with these drawn in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from nasion.app.predict_pipeline import frame_result
from nasion.app.serve.admission import AdmissionControl, Limits, Rejected
from nasion.app.serve.clip_limits import check_clip, refuse_image, size_of
from nasion.app.serve.drawing_settings import DrawingSettings
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import (
    CLIP_TYPES,
    MAX_FILES_BYTES,
    PROBLEMS_HEADER,
    Processed,
    archive_name,
    file_response,
    refusal,
    respond,
)
from nasion.app.serve.settings import (
    HIDE_OCCLUDED,
    MEASURES,
    Number,
    WholeNumber,
    refuse_measures,
    with_min_face,
)
from nasion.app.serve.uploads import CLIP_BODY, Upload, read_uploads
from nasion.discovery import FORMATS
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.clip_process import ClipDecoder, NewClip
from nasion.media.inputs import UnreadableInput
from nasion.media.video_reading import Frame, VideoProblem
from nasion.prediction_formats import DrawStyle, stems, text_formats
from nasion.prediction_formats.image import draw

VIDEO = "video"  # the format that is no text

if TYPE_CHECKING:
    Format = str
else:
    Format = Enum("ClipFormat", {name: name for name in (*text_formats(), VIDEO)}, type=str)


class _Settings(DrawingSettings):
    """The query's parameters."""

    format: Format = Field(
        "json", description=f"Output format; {VIDEO}: the clip, with its sound and the faces drawn."
    )
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

    def style(self, scheme: Scheme) -> DrawStyle | None:
        """What is drawn; None for texts. Raises ``Rejected`` (422)."""
        if self.measures:
            refuse_measures(scheme)
        if self.format == VIDEO:
            return self.drawn(self.measures)
        self.refuse_unused(("draw", "labels"), f"format={VIDEO}")
        return None


def _descriptions() -> dict[int | str, dict[str, Any]]:
    kinds = {FORMATS.load(name).MEDIA_TYPE for name in text_formats()}
    return {
        200: {
            "description": "The faces of each frame; a frame is an image named CLIP@NUMBER. With "
            f"format={VIDEO} the drawn clip, and in the header {PROBLEMS_HEADER} what was damaged "
            "in it and what became of its sound, if that could not be kept as it was.",
            "content": {kind: {} for kind in (*sorted(kinds), *CLIP_TYPES.values())},
        },
        413: {"description": "More bytes, seconds, frames or faces than the limit."},
        422: {"description": "No readable video."},
        503: {"description": "Too busy, or it took too long; try again, or send a shorter one."},
    }


def add_clips(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    metrics: ServerMetrics,
    decode: ClipDecoder,
) -> None:
    """Add ``/v1/clips``."""
    limits = admission.limits

    @app.post(
        "/v1/clips",
        openapi_extra={"requestBody": CLIP_BODY},
        responses=_descriptions(),
        response_class=Response,
    )
    async def clips(request: Request, settings: Annotated[_Settings, Query()]) -> Response:
        """The points of all faces in each frame of a short video, each face with its number.

        Send a video as the body, or a form with one file.
        """
        style = settings.style(landmarker.predictor.spec.scheme)
        uploads = await read_uploads(request, limits, "video")
        if len(uploads) > 1:
            raise Rejected(422, f"{len(uploads)} files were sent; send one video.")
        work = _ClipWork(landmarker, decode, settings, style, limits)
        done = await admission.run_for(request, work.process, uploads[0])
        metrics.count_images(done)
        if style is not None:
            return file_response(done)
        return respond(done, getattr(settings.format, "value", settings.format))


@dataclass(frozen=True)
class _ClipWork:
    """What a request wants of its video; ``style``: None to draw nothing."""

    landmarker: Landmarker
    decode: ClipDecoder
    settings: _Settings
    style: DrawStyle | None
    limits: Limits

    def process(self, upload: Upload, cancelled: Callable[[], bool]) -> Processed:
        """The faces of each frame; one frame is held at a time.

        ``cancelled``: tells whether the request has been given up; then the rest is skipped.
        """
        done, asked = Processed(), self.settings
        (stem,) = stems([archive_name(upload.name)])
        tracker: Tracker | None = None
        # Handed from the loop below to `rewrite`, which draws a frame after its faces are known.
        latest: list[ImageResult] = []
        damage: list[str] = []
        try:
            refuse_image(upload, "/v1/landmarks")
            with closing(self._frames(upload, stem, latest, damage, done)) as frames:
                for frame in frames:
                    if cancelled():
                        break
                    tracker = tracker or self._tracker(size_of(frame), upload.name)
                    result = frame_result(upload.name, stem, frame, tracker, asked.measures)
                    result = result.without_hidden() if asked.hide_occluded else result
                    latest[:] = [result]
                    done.results.append(replace(result, image=None))
                    check_clip(frame, done.faces, self.limits)
        except Exception as error:
            done.unreadable.append(refusal(upload.name, error))
        if self.style is None:
            done.unreadable += [UnreadableInput(upload.name, reason) for reason in damage]
        else:
            done.problems += damage
        return done

    def _frames(
        self,
        upload: Upload,
        stem: str,
        latest: list[ImageResult],
        damage: list[str],
        done: Processed,
    ) -> Generator[Frame]:
        """The frames; if they are to be drawn, each of ``latest`` is taken from there."""

        def report(problem: VideoProblem) -> None:
            damage.append(problem.reason)

        style = self.style
        if style is None:
            return self.decode(upload.data, upload.name, report)
        return self.decode.rewrite(
            upload.data,
            upload.name,
            NewClip(stem, MAX_FILES_BYTES),
            lambda _: draw(latest.pop(), style, enlarge=False),
            report,
            lambda file, data: done.add_files({file: data}),
        )

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
