"""``POST /v1/clips``: the faces in each frame of a short video, with numbers that they keep.

Or the video with these drawn in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from nasion.app.serve.admission import AdmissionControl, Limits, Rejected
from nasion.app.serve.clip_limits import refuse_image
from nasion.app.serve.clip_tracking import ClipTracking, clip_stem
from nasion.app.serve.drawing_settings import DrawingSettings
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import (
    CLIP_TYPES,
    MAX_FILES_BYTES,
    PROBLEMS_HEADER,
    Processed,
    answered,
    file_response,
    refusal,
    respond,
)
from nasion.app.serve.settings import (
    HIDE_OCCLUDED,
    MEASURES,
    AnyRotation,
    MinFace,
    MinScore,
    Number,
    refuse_measures,
    refuse_together,
)
from nasion.app.serve.uploads import CLIP_BODY, Upload, read_uploads
from nasion.discovery import FORMATS
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.clip_process import ClipDecoder, NewClip
from nasion.media.inputs import UnreadableInput
from nasion.media.video_reading import Frame, VideoProblem
from nasion.prediction_formats import DrawStyle, text_formats
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
    min_face: MinFace = None
    min_score: MinScore = None
    any_rotation: AnyRotation = False

    def style(self, scheme: Scheme) -> DrawStyle | None:
        """What is drawn; None for texts. Raises ``Rejected`` (422)."""
        if not self.smooth:
            refuse_together(self, ("min_cutoff", "beta"), "smooth=false")
        style = self.drawn() if self.format == VIDEO else None
        if style is None:
            self.refuse_unused(("draw", "labels"), f"format={VIDEO}")
        if self.measures or (style is not None and style.needs_measures):
            refuse_measures(scheme)
        return style


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
        output = getattr(settings.format, "value", settings.format)
        in_text = partial(respond, name=output, scheme=landmarker.predictor.spec.scheme)
        process = answered(work.process, in_text if style is None else file_response)
        done, response = await admission.run_for(request, process, uploads[0])
        metrics.count_images(done)
        return response


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
        done, tracking = Processed(), self._tracking()
        # Handed from the loop below to `rewrite`, which draws a frame after its faces are known.
        latest: list[ImageResult] = []
        damage: list[str] = []
        try:
            refuse_image(upload, "/v1/landmarks")
            frames = self._frames(upload, latest, damage, done)
            with closing(tracking.each(frames, upload, done, cancelled)) as tracked:
                for _, result in tracked:
                    latest[:] = [result]
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
            NewClip(clip_stem(upload), MAX_FILES_BYTES),
            lambda _: draw(latest.pop(), style, enlarge=False),
            report,
            lambda file, data: done.add_files({file: data}),
        )

    def _tracking(self) -> ClipTracking:
        asked = self.settings
        own = self.landmarker.with_settings(
            min_score=asked.min_score,
            any_rotation=asked.any_rotation,
            max_faces=self.limits.faces,
        )
        return ClipTracking(
            own,
            self.limits,
            min_face=asked.min_face,
            smoothing=OneEuro(asked.min_cutoff, asked.beta) if asked.smooth else None,
            patience=asked.patience,
            hide_occluded=asked.hide_occluded,
            measures=asked.measures or (self.style is not None and self.style.needs_measures),
        )
