"""What a request's clip may be: a video, and no longer than the limits."""

from __future__ import annotations

from nasion.app.serve.admission import Limits, Rejected
from nasion.app.serve.uploads import Upload
from nasion.errors import DataError
from nasion.media.video_reading import Frame

_MAX_FACES = 10_000  # of all frames together: the response is about 3 kB for each


def refuse_image(upload: Upload, address: str) -> None:
    """Raise ``DataError`` for an image, which is to be sent to ``address``."""
    if upload.kind == "image":
        raise DataError(f"{upload.name}: an image; send it to {address}.")


def size_of(frame: Frame) -> tuple[int, int]:
    """Width and height of a frame in pixels."""
    return frame.pixels.shape[1], frame.pixels.shape[0]


def check_clip(frame: Frame, faces: int, limits: Limits) -> None:
    """Raise ``Rejected`` (413) for a clip that goes on for too long.

    ``faces``: in all of its frames so far.
    """
    reason = ""
    if frame.seconds > limits.clip_seconds:
        reason = f"is longer than {limits.clip_seconds:g} seconds"
    elif frame.number >= limits.clip_frames:
        reason = f"has more than {limits.clip_frames:,} frames"
    elif faces > _MAX_FACES:
        reason = f"has more than {_MAX_FACES:,} faces in all of its frames"
    if reason:
        raise Rejected(413, f"The video {reason}, the limit; send a part of it.")
