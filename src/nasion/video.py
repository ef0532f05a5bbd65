"""Clips and cameras: frames with their times, and clips written with their sound. Read and written by PyAV (FFmpeg)."""

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

from nasion.errors import DataError, needing
from nasion.files import PICTURE_LIMIT, written_beside

ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")
_IN_MP4 = ("aac", "mp3", "ac3", "opus", "alac", "flac")  # kinds of sound that .mp4 holds; .mkv holds more
_QUALITY = {"preset": "veryfast", "crf": "20"}


@dataclass(frozen=True, eq=False)
class Frame:
    """``pixels``: upright red green blue; ``seconds`` from the first frame; ``number`` from 0; ``late``: how much later than its sound,
    if that is first, the first frame came.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    seconds: float
    number: int
    late: float = 0.0


@dataclass(frozen=True)
class Clip:
    """A video file, or a camera by its number; ``seconds``: where to stop, None: at the end."""

    source: Path | int
    seconds: float | None = None

    @property
    def name(self) -> str:
        return f"camera {self.source}" if isinstance(self.source, int) else str(self.source)

    def frames(self) -> Generator[Frame]:
        """All frames in turn. Raises ``DataError`` for what is no video, and for a camera that is not there."""
        with self._opened() as container:
            for _, frame in self._read(container, sound=False):
                if frame is not None:
                    yield frame

    def frames_told(self) -> int:
        """How many frames it says it has, or about; 0 where it does not say, as a camera or what is no video."""
        if isinstance(self.source, int):
            return 0
        try:
            with self._opened() as container:
                stream = container.streams.video[0]
                rate, length = float(stream.average_rate or 0), (container.duration or 0) / 1e6
                told = stream.frames or round(length * rate)
                return told if self.seconds is None else min(told, round(self.seconds * rate))
        except DataError:
            return 0

    def rewritten(self, folder: Path, stem: str, drawn: Callable[[Frame], UInt8[np.ndarray, "H W 3"]]) -> Generator[Frame]:
        """All frames in turn, while ``stem-points.mp4`` (or ``.mkv``, where its sound needs that) is written with what is drawn of each.

        Sound is copied as it is. The file is there when the last frame is taken, or what has been taken where one stops before.
        """
        stopped: BaseException | None = None
        with self._opened() as container:
            sounds = [stream for stream in container.streams.audio if stream.codec_context is not None]
            ending = ".mp4" if all(stream.codec_context.name in _IN_MP4 for stream in sounds) else ".mkv"
            with _written(folder / f"{stem}-points{ending}", container.streams.video[0], sounds) as (add, copy):
                try:
                    for sound, frame in self._read(container, sound=True):
                        if sound is not None:
                            copy(sound)
                        if frame is not None:
                            yield frame
                            add(drawn(frame), frame.seconds + frame.late)
                except (GeneratorExit, KeyboardInterrupt) as error:
                    stopped = error  # what there is becomes the file
        if isinstance(stopped, KeyboardInterrupt):
            raise stopped

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        av = _av()
        try:
            if isinstance(self.source, int):
                container = _camera(av, self.source)
            else:
                if not self.source.is_file():
                    raise DataError(f"{self.source}: no such file.")
                container = av.open(str(self.source))
        except DataError:
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise DataError(f"{self.name}: not a readable video ({_said(error)}).") from error
        with container:
            if not container.streams.video:
                raise DataError(f"{self.name}: no pictures in it; it holds {', '.join(s.type for s in container.streams) or 'nothing'}.")
            yield container

    def _read(self, container: Any, sound: bool) -> Iterator[tuple[Any, Frame | None]]:
        """(a packet of sound, None) and (None, a frame), as they come."""
        av = _av()
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        first, number, last, zero = None, 0, -1.0, (container.start_time or 0) / 1e6
        try:
            for packet in container.demux(stream, *(container.streams.audio if sound else ())):
                if packet.stream.type == "audio":
                    if packet.dts is not None:
                        # Times count from the container's start, as those of frames do.
                        shift = round(zero / packet.time_base)
                        packet.dts, packet.pts = packet.dts - shift, None if packet.pts is None else packet.pts - shift
                        yield packet, None
                    continue
                for picture in packet.decode():
                    at = picture.time if picture.time is not None else number / float(stream.average_rate or 25)
                    first = at if first is None else first
                    seconds = max(at - first, last + 1e-3)  # times that do not rise are damaged
                    if self.seconds is not None and seconds > self.seconds:
                        return
                    yield None, Frame(_upright(picture, self.name), seconds, number, max(first - zero, 0.0))
                    last, number = seconds, number + 1
        except av.error.FFmpegError as error:
            if not number:
                raise DataError(f"{self.name}: not a readable video ({_said(error)}).") from error
            # Cut short or damaged from here on: what came before is what there is.


def camera_number(word: str) -> int | None:
    """A word that is a camera's number, as 0."""
    return int(word) if word.isdecimal() and len(word) < 3 else None


def _upright(picture: Any, name: str) -> UInt8[np.ndarray, "H W 3"]:
    if picture.width * picture.height > PICTURE_LIMIT:
        raise DataError(f"{name}: {picture.width} x {picture.height} pixels; the limit is {PICTURE_LIMIT:,}.")
    pixels = picture.to_ndarray(format="rgb24")
    turns = round(getattr(picture, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _camera(av: Any, number: int) -> Any:
    if sys.platform == "linux":
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        if f"/dev/video{number}" not in there:
            raise DataError(f"camera {number}: there is no /dev/video{number}; cameras: {', '.join(there) or 'none'}.")
        return av.open(f"/dev/video{number}", format="v4l2")
    if sys.platform == "darwin":
        return av.open(str(number), format="avfoundation", options={"framerate": "30"})
    return av.open(f"video={number}", format="dshow")


@contextmanager
def _written(path: Path, like: Any, sounds: list[Any]) -> Iterator[tuple[Callable[[np.ndarray, float], None], Callable[[Any], None]]]:
    """Functions that add a frame, and a packet of sound, to a video file that is put in its place at the end."""
    av = _av()
    with written_beside(path) as beside, _telling(path), av.open(str(beside), "w", format="matroska" if path.suffix == ".mkv" else "mp4") as out:
        rate = like.average_rate or Fraction(25)
        video = out.add_stream("libx264", rate=rate, options=_QUALITY)
        video.pix_fmt = "yuv420p"
        copies = {stream.index: out.add_stream_from_template(stream) for stream in sounds}
        base, held = Fraction(1, 90_000), []

        def add(pixels: np.ndarray, seconds: float) -> None:
            height, width = pixels.shape[:2]
            if not video.codec_context.is_open:
                # The encoder takes even sides only; the time base is fine enough for any rate.
                video.width, video.height = width + width % 2, height + height % 2
                video.codec_context.time_base = base
                while held:
                    out.mux(held.pop(0))
            even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            frame.pts, frame.time_base = round(seconds / base), base
            out.mux(video.encode(frame))

        def copy(packet: Any) -> None:
            packet.stream = copies[packet.stream.index]
            # The first packet that is written opens the file, and a frame's size must be known by then.
            if video.codec_context.is_open:
                out.mux(packet)
            else:
                held.append(packet)

        yield add, copy
        if not video.codec_context.is_open:
            raise DataError(f"{path}: not written, since no frame was drawn.")
        out.mux(video.encode(None))


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (_av().error.FFmpegError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({_said(error)}).") from error


def _av() -> Any:
    with needing("Videos and cameras", "video"):
        return import_module("av")


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
