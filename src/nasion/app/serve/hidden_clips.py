"""A request's clip without its faces."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

from nasion.app.anonymise_pipeline import ENDING, ClipCounts, HideOptions, hide_in_clip
from nasion.app.serve.admission import Limits
from nasion.app.serve.clip_limits import check_clip, size_of
from nasion.app.serve.clip_tracking import clip_stem
from nasion.app.serve.hide_settings import HideSettings, refuse_as_many
from nasion.app.serve.responses import MAX_FILES_BYTES, Processed, refusal
from nasion.app.serve.uploads import Upload
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.face import Face, ImageResult
from nasion.media.clip_process import ClipDecoder, NewClip
from nasion.media.video import Draw
from nasion.media.video_reading import Frame


@dataclass(frozen=True)
class HideClipWork:
    """What a request wants of its clip."""

    landmarker: Landmarker
    decode: ClipDecoder
    settings: HideSettings
    limits: Limits

    def process(self, upload: Upload, cancelled: Callable[[], bool]) -> Processed:
        """The clip in ``files``, and in ``values`` what became of it; it is decoded twice.

        ``cancelled``: tells whether the request has been given up; then the rest is skipped.
        """
        done = Processed()
        try:
            # What is damaged is reported when the clip is written.
            with closing(self.decode(upload.data, upload.name, lambda _: None)) as frames:
                first = next(frames)
                with closing(self._hide(upload, first, frames, done)) as steps:
                    for _ in steps:
                        if cancelled():
                            break
        except Exception as error:
            done.unreadable.append(refusal(upload.name, error))
        return done

    def _hide(
        self, upload: Upload, first: Frame, others: Generator[Frame], done: Processed
    ) -> Generator[None]:
        """Yields for each frame that was read or written."""
        name, stem = upload.name, clip_stem(upload)
        most, size = self.limits.faces, size_of(first)
        landmarker = self.settings.landmarker(self.landmarker, most, size, name)
        options = self.settings.options(landmarker)

        def watch(frame: Frame, faces: Sequence[Face]) -> None:
            refuse_as_many(len(faces), most, name, "clip")
            image, stem_of_frame = f"{name}@{frame.number}", f"{stem}@{frame.number}"
            result = ImageResult(
                image, stem_of_frame, size_of(frame), tuple(faces), seconds=frame.seconds
            )
            done.results.append(result)
            check_clip(frame, done.faces, self.limits)

        def rewrite(hidden: Draw) -> Generator[Frame]:
            return self.decode.rewrite(
                upload.data,
                name,
                NewClip(stem, MAX_FILES_BYTES, ENDING, options.sound),
                hidden,
                lambda problem: done.problems.append(problem.reason),
                lambda file, data: done.add_files({file: data}),
            )

        frames = chain([first], others)
        for counts in hide_in_clip(frames, rewrite, landmarker, options, watch):
            if counts is not None:
                done.values.append(_value(counts, options))
            yield


def _value(counts: ClipCounts, options: HideOptions) -> dict[str, Any]:
    value: dict[str, Any] = {"faces": counts.faces}
    if options.check is None:
        return value
    return value | {"still_found": counts.still > 0, "frames": counts.still}
