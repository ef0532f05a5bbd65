"""The crops of a request's clip."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from nasion.app.crop_pipeline import CropFile, CropOptions, each_crop
from nasion.app.serve.clip_tracking import ClipTracking
from nasion.app.serve.responses import Processed, refusal
from nasion.app.serve.uploads import Upload
from nasion.landmarks.face import ImageResult
from nasion.media.clip_process import ClipDecoder
from nasion.media.inputs import UnreadableInput

_NO_FACE = "no face was found."
_NO_FACE_IN_SOME = "no face was found in the frames that are cropped; take more (every)."
_TOO_LARGE = "take smaller crops or fewer frames (every), or send a shorter clip"


def add_crops_of(
    found: ImageResult,
    pixels: np.ndarray,
    options: CropOptions,
    done: Processed,
    only: int | None = None,
) -> None:
    """Add the crops of an image or frame to a response's files; ``only``: as of ``each_crop``."""
    # One by one, so that the response's limit is met before all are made.
    for crop in each_crop(found, pixels, options, refusal, only):
        if isinstance(crop, CropFile):
            done.add_files({crop.name: crop.data})
            done.values.append(crop.value)
        else:
            done.unreadable.append(crop)


@dataclass(frozen=True)
class CropClipWork:
    """What a request wants of its clip."""

    tracking: ClipTracking
    decode: ClipDecoder
    options: CropOptions

    def process(self, upload: Upload, cancelled: Callable[[], bool]) -> Processed:
        """The crops of each frame, or of every n-th; one frame is held at a time.

        ``cancelled``: tells whether the request has been given up; then the rest is skipped.
        """
        done = Processed(too_large=_TOO_LARGE)
        damage = list[str]()
        try:
            frames = self.decode(
                upload.data, upload.name, lambda problem: damage.append(problem.reason)
            )
            with closing(self.tracking.each(frames, upload, done, cancelled)) as tracked:
                for frame, found in tracked:
                    if frame.number % self.options.every == 0:
                        add_crops_of(found, frame.pixels, self.options, done)
            if not done.files and not done.unreadable:
                damage.insert(0, _NO_FACE_IN_SOME if done.faces else _NO_FACE)
        except Exception as error:
            damage.append(refusal(upload.name, error).reason)
        done.unreadable += [UnreadableInput(upload.name, reason) for reason in damage]
        done.problems += damage
        return done
