"""Videos, animated images and cameras: their frames, and copies of them with frames drawn over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nasion.errors import DataError
from nasion.media.animation import AnimationReader, is_animation
from nasion.media.video_reading import Frame, Reader, VideoProblem, VideoReader, load_av, warn_of
from nasion.media.video_writing import plan_sound, video_writer

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


@dataclass(frozen=True)
class VideoInput:
    """A video file, or a camera by its number. ``seconds``: where to stop; None for the end."""

    source: Path | int
    seconds: float | None = None

    @property
    def name(self) -> str:
        return f"camera {self.source}" if isinstance(self.source, int) else str(self.source)

    def frames(self, report: Callable[[VideoProblem], None] = warn_of) -> Generator[Frame]:
        """All frames in order; what is damaged is skipped, and reported at the end.

        Raises ``DataError`` for an unreadable video or missing camera.
        """
        with self._open() as reader:
            for _, frame in reader.packets():
                if frame is not None:
                    yield frame
            for problem in reader.problems():
                report(problem)

    def frame_count(self) -> int:
        """About how many frames there are; 0 if unknown, as for cameras."""
        if isinstance(self.source, int):
            return 0
        try:
            with self._open() as reader:
                count = reader.frame_count
                if self.seconds is None:
                    return count
                return min(count, round(self.seconds * float(reader.rate)))
        except DataError:
            return 0

    def rewrite(
        self,
        folder: Path,
        stem: str,
        draw: Callable[[Frame], UInt8[np.ndarray, "H W 3"]],
        report: Callable[[VideoProblem], None] = warn_of,
    ) -> Generator[Frame]:
        """All frames in order, while ``draw`` of each is written to ``stem-points.mp4``.

        Colours, pixel aspect and sound are those of the source. The suffix is ``.mkv`` if the sound
        needs it; sound that neither holds becomes AAC. The file appears when the last frame is
        taken, or holds what was taken if the caller stops before.
        """
        stopped: BaseException | None = None
        with self._open() as reader:
            suffix, plans = plan_sound(reader.sounds)
            path = folder / f"{stem}-points{suffix}"
            with video_writer(path, reader, plans) as writer:
                try:
                    for sound, frame in reader.packets():
                        if sound is not None:
                            writer.add_sound(sound)
                        if frame is not None:
                            # The consumer predicts between this line and the next, so that `draw`
                            # knows the faces.
                            yield frame
                            writer.add(draw(frame), frame)
                except (GeneratorExit, KeyboardInterrupt) as error:
                    stopped = error  # leave the block normally, so that the file is finished
            if stopped is None:
                for problem in (*reader.problems(), *writer.problems(self.name)):
                    report(problem)
        # GeneratorExit needs no second raise: the generator just ends.
        if isinstance(stopped, KeyboardInterrupt):
            raise stopped

    @contextmanager
    def _open(self) -> Iterator[Reader]:
        if isinstance(self.source, Path):
            if not self.source.is_file():
                raise DataError(f"{self.source}: no such file.")
            if is_animation(self.source):
                with AnimationReader.open(self.source, self.seconds) as reader:
                    yield reader
                return
        av = load_av()
        try:
            if isinstance(self.source, int):
                container = _open_camera(av, self.source)
            else:
                container = av.open(str(self.source))
        except DataError:
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            # MP4 and MOV have it at their end.
            is_indexed = isinstance(self.source, Path) and self.source.suffix in (".mp4", ".mov")
            hint = " If it was cut off, its index is missing." if is_indexed else ""
            raise DataError(f"{self.name}: not a readable video ({reason}).{hint}") from error
        with container:
            if not container.streams.video:
                kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
                raise DataError(f"{self.name}: it has no video stream; it holds {kinds}.")
            yield VideoReader(container, self.name, self.seconds)


def camera_number(word: str) -> int | None:
    """The number if the word is a camera's number, as ``0``."""
    # Longer numbers are more likely the name of a file that is missing.
    return int(word) if word.isdecimal() and len(word) < 3 else None


def _open_camera(av: Any, number: int) -> Any:
    if sys.platform == "linux":
        devices = sorted(str(path) for path in Path("/dev").glob("video*"))
        if f"/dev/video{number}" not in devices:
            found = ", ".join(devices) or "none"
            raise DataError(f"camera {number}: there is no /dev/video{number}; cameras: {found}.")
        return av.open(f"/dev/video{number}", format="v4l2")
    if sys.platform == "darwin":
        return av.open(str(number), format="avfoundation", options={"framerate": "30"})
    return av.open(f"video={number}", format="dshow")
