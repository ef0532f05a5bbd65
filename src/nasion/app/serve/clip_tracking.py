"""The faces of a request's clip, tracked from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

from nasion.app.predict_pipeline import frame_result
from nasion.app.serve.admission import Limits
from nasion.app.serve.clip_limits import check_clip, size_of
from nasion.app.serve.responses import Processed, archive_name
from nasion.app.serve.settings import with_min_face
from nasion.app.serve.uploads import Upload
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import ImageResult
from nasion.media.video_reading import Frame
from nasion.prediction_formats import stems


def clip_stem(upload: Upload) -> str:
    """The name of a clip's files, without suffix, safe in any archive."""
    (stem,) = stems([archive_name(upload.name)])
    return stem


@dataclass(frozen=True)
class ClipTracking:
    """How the faces of a clip are found.

    ``min_face``: side in pixels of the smallest face to find. ``smoothing``: None leaves points as
    they are found. ``patience``: as of ``Tracker``. ``hide_occluded``: leave hidden points out.
    ``measures``: tell poses, eyes and mouths.
    """

    landmarker: Landmarker
    limits: Limits
    min_face: int | None
    smoothing: OneEuro | None
    patience: float = DEFAULT_PATIENCE
    hide_occluded: bool = False
    measures: bool = False

    def each(
        self,
        frames: Generator[Frame],
        upload: Upload,
        done: Processed,
        cancelled: Callable[[], bool],
    ) -> Generator[tuple[Frame, ImageResult]]:
        """Each frame and its faces; one frame is held at a time.

        Results are added to ``done`` without their pixels. ``cancelled``: tells whether the request
        has been given up; then the rest is skipped. Raises ``Rejected`` for a clip that is too
        long.
        """
        stem = clip_stem(upload)
        tracker: Tracker | None = None
        with closing(frames):
            for frame in frames:
                if cancelled():
                    break
                tracker = tracker or self._tracker(size_of(frame), upload.name)
                result = frame_result(upload.name, stem, frame, tracker, self.measures)
                result = result.without_hidden() if self.hide_occluded else result
                done.results.append(replace(result, image=None))
                yield frame, result
                check_clip(frame, done.faces, self.limits)

    def _tracker(self, size: tuple[int, int], name: str) -> Tracker:
        landmarker = with_min_face(self.landmarker, self.min_face, size, name)
        return Tracker(landmarker, self.smoothing, patience=self.patience)
