"""Videos and cameras: frames with times, videos written with their sound, by PyAV (FFmpeg)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nasion.errors import DataError, requires_extra
from nasion.media.files import atomic_write
from nasion.media.images import MAX_PIXELS

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")
_MP4_AUDIO = ("aac", "mp3", "ac3", "opus", "alac", "flac")  # .mkv holds other codecs too
_ENCODER = {"preset": "veryfast", "crf": "20"}  # crf: x264's quality, lower is better; 23 default
_TIME_BASE = Fraction(1, 90_000)  # seconds per tick; fine enough for any frame rate


@dataclass(frozen=True, eq=False)
class Frame:
    """A video frame: upright RGB pixels, its time from the first frame, its number from 0.

    ``delay``: seconds by which the first frame comes after the start of the sound.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    seconds: float
    number: int
    delay: float = 0.0


@dataclass(frozen=True)
class VideoInput:
    """A video file, or a camera by its number. ``seconds``: where to stop; None for the end."""

    source: Path | int
    seconds: float | None = None

    @property
    def name(self) -> str:
        return f"camera {self.source}" if isinstance(self.source, int) else str(self.source)

    def frames(self) -> Generator[Frame]:
        """All frames in order. Raises ``DataError`` for an unreadable video or missing camera."""
        with self._open() as container:
            for _, frame in self._packets(container, audio=False):
                if frame is not None:
                    yield frame

    def frame_count(self) -> int:
        """About how many frames there are; 0 if unknown, as for cameras."""
        if isinstance(self.source, int):
            return 0
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                rate = float(stream.average_rate or 0)
                # Not every container counts its frames; its duration is in microseconds.
                count = stream.frames or round((container.duration or 0) / 1e6 * rate)
                return count if self.seconds is None else min(count, round(self.seconds * rate))
        except DataError:
            return 0

    def rewrite(
        self, folder: Path, stem: str, draw: Callable[[Frame], UInt8[np.ndarray, "H W 3"]]
    ) -> Generator[Frame]:
        """All frames in order, while ``draw`` of each is written to ``stem-points.mp4``.

        The suffix is ``.mkv`` if the sound needs it; sound is copied unchanged. The file appears
        when the last frame is taken, or holds what was taken if the caller stops before.
        """
        stopped: BaseException | None = None
        with self._open() as container:
            # None for sound whose codec FFmpeg does not know; it is left out.
            sounds = [s for s in container.streams.audio if s.codec_context is not None]
            in_mp4 = all(stream.codec_context.name in _MP4_AUDIO for stream in sounds)
            path = folder / f"{stem}-points{'.mp4' if in_mp4 else '.mkv'}"
            with _writer(path, container.streams.video[0], sounds) as writer:
                try:
                    for sound, frame in self._packets(container, audio=True):
                        if sound is not None:
                            writer.copy(sound)
                        if frame is not None:
                            # The consumer predicts between this line and the next, so that `draw`
                            # knows the faces.
                            yield frame
                            writer.add(draw(frame), frame.seconds + frame.delay)
                except (GeneratorExit, KeyboardInterrupt) as error:
                    stopped = error  # leave the block normally, so that the file is finished
        # GeneratorExit needs no second raise: the generator just ends.
        if isinstance(stopped, KeyboardInterrupt):
            raise stopped

    @contextmanager
    def _open(self) -> Iterator[Any]:
        av = _av()
        try:
            if isinstance(self.source, int):
                container = _open_camera(av, self.source)
            else:
                if not self.source.is_file():
                    raise DataError(f"{self.source}: no such file.")
                container = av.open(str(self.source))
        except DataError:
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise DataError(f"{self.name}: not a readable video ({_reason(error)}).") from error
        with container:
            if not container.streams.video:
                kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
                raise DataError(f"{self.name}: it has no video stream; it holds {kinds}.")
            yield container

    def _packets(self, container: Any, audio: bool) -> Iterator[tuple[Any, Frame | None]]:
        """(audio packet, None) and (None, frame), in the order of the file."""
        av = _av()
        stream = container.streams.video[0]
        # FFmpeg decodes with threads by frames and slices; by default only by slices.
        stream.thread_type = "AUTO"
        streams = (stream, *(container.streams.audio if audio else ()))
        # first: the first frame's time, in the container's clock; last: the time given to the frame
        # before.
        first, number, last = None, 0, -1.0
        # Microseconds in the container, seconds here. Sound and frames are counted from it.
        start = (container.start_time or 0) / 1e6
        try:
            for packet in container.demux(*streams):
                if packet.stream.type == "audio":
                    # The empty packets that flush the decoders at the end have no times.
                    if packet.dts is not None:
                        yield _from_start(packet, start), None
                    continue
                for image in packet.decode():
                    time = image.time
                    if time is None:
                        # A frame without a time stamp: counted at the mean frame rate.
                        time = number / float(stream.average_rate or 25)
                    first = time if first is None else first
                    # Times must rise; in damaged files they may not.
                    seconds = max(time - first, last + 1e-3)
                    if self.seconds is not None and seconds > self.seconds:
                        return
                    pixels = _upright(image, self.name)
                    yield None, Frame(pixels, seconds, number, max(first - start, 0.0))
                    last, number = seconds, number + 1
        except av.error.FFmpegError as error:
            # If frames came before the damage, they are the result.
            if not number:
                raise DataError(f"{self.name}: not a readable video ({_reason(error)}).") from error


def camera_number(word: str) -> int | None:
    """The number if the word is a camera's number, as ``0``."""
    # Longer numbers are more likely the name of a file that is missing.
    return int(word) if word.isdecimal() and len(word) < 3 else None


def _from_start(packet: Any, start: float) -> Any:
    """An audio packet with times that count from the container's start, as those of frames do."""
    shift = round(start / packet.time_base)
    packet.dts = packet.dts - shift
    packet.pts = None if packet.pts is None else packet.pts - shift
    return packet


def _upright(image: Any, name: str) -> UInt8[np.ndarray, "H W 3"]:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"{name}: {image.width} x {image.height} pixels; the limit is {MAX_PIXELS:,}."
        )
    pixels = image.to_ndarray(format="rgb24")
    # A phone's display matrix, in degrees counter-clockwise, as rot90 counts.
    turns = round(getattr(image, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


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


class _Writer:
    """Encodes frames and copies audio packets into an open container."""

    def __init__(self, output: Any, like: Any, sounds: list[Any]) -> None:
        self._output = output
        rate = like.average_rate or Fraction(25)
        self._video = output.add_stream("libx264", rate=rate, options=_ENCODER)
        self._video.pix_fmt = "yuv420p"
        self._audio = {stream.index: output.add_stream_from_template(stream) for stream in sounds}
        self._waiting: list[Any] = []

    @property
    def started(self) -> bool:
        return self._video.codec_context.is_open

    def add(self, pixels: np.ndarray, seconds: float) -> None:
        """Encode one frame."""
        height, width = pixels.shape[:2]
        if not self.started:
            # The encoder takes even sides only.
            self._video.width, self._video.height = width + width % 2, height + height % 2
            self._video.codec_context.time_base = _TIME_BASE
            while self._waiting:
                self._output.mux(self._waiting.pop(0))
        # yuv420p halves the resolution of colour, hence the even sides.
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = _av().VideoFrame.from_ndarray(even, format="rgb24")
        frame.pts, frame.time_base = round(seconds / _TIME_BASE), _TIME_BASE
        self._output.mux(self._video.encode(frame))

    def copy(self, packet: Any) -> None:
        """Copy one audio packet."""
        packet.stream = self._audio[packet.stream.index]
        # The first packet opens the file, and by then the frame size must be known.
        if self.started:
            self._output.mux(packet)
        else:
            self._waiting.append(packet)

    def finish(self) -> None:
        # None flushes the frames that the encoder holds back.
        self._output.mux(self._video.encode(None))


@contextmanager
def _writer(path: Path, like: Any, sounds: list[Any]) -> Iterator[_Writer]:
    """A writer to a video file that is renamed into place at the end."""
    av = _av()
    kind = "matroska" if path.suffix == ".mkv" else "mp4"
    try:
        with atomic_write(path) as temporary, av.open(str(temporary), "w", format=kind) as output:
            writer = _Writer(output, like, sounds)
            yield writer
            if not writer.started:
                raise DataError(f"{path}: not written, since no frame was drawn.")
            writer.finish()
    except DataError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({_reason(error)}).") from error


def _av() -> Any:
    with requires_extra("Reading videos and cameras", "video"):
        return import_module("av")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
