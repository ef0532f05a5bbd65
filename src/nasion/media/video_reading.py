"""Frames of a video as a player shows them, with their times, by PyAV (FFmpeg).

What is damaged is skipped, counted and reported; all the rest is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nasion.array_types import Int, UInt8
from nasion.errors import DataError, refusing_damage
from nasion.media.images import MAX_PIXELS
from nasion.media.video_containers import load_av

_UNREADABLE = 20  # so many errors of a container in a row are its end
_LARGE = 3_000_000  # pixels of a frame, from which several threads convert its colours sooner
_MISSING = 0.5  # seconds short of its stated duration from which a file counts as cut off
_RGB, _UNKNOWN_MATRIX = 0, 2  # in FFmpeg's AVColorSpace


@dataclass(frozen=True, eq=False)
class Frame:
    """A video frame: upright RGB pixels, its time from the first frame, its number from 0.

    ``delay``: seconds by which the first frame comes after the start of the sound. ``duration``:
    seconds for which it is shown; 0 if the file does not say.
    ``pixel_aspect``: width over height of a pixel as it is shown; points are in stored pixels.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    seconds: float
    number: int
    delay: float = 0.0
    pixel_aspect: Fraction = Fraction(1)
    duration: float = 0.0


@dataclass(frozen=True)
class VideoProblem:
    """What could not be read of a video, or not be written as it was.

    ``damaged``: the video is; otherwise only its sound was changed or left out.
    """

    name: str
    reason: str
    damaged: bool = True


def warn_of(problem: VideoProblem) -> None:
    """Report a problem as a Python warning."""
    warnings.warn(f"{problem.name}: {problem.reason}", stacklevel=2)


@dataclass(frozen=True)
class Colours:
    """How a video stores colours, by FFmpeg's numbers: matrix, range, primaries, transfer."""

    matrix: int = _UNKNOWN_MATRIX
    range: int = 0
    primaries: int = 2
    transfer: int = 2


@runtime_checkable
class Reader(Protocol):
    """An open video. ``sounds``: its audio streams; ``problems``: once all packets were read."""

    @property
    def sounds(self) -> Sequence[Any]: ...
    @property
    def colours(self) -> Colours: ...
    @property
    def rate(self) -> Fraction: ...
    @property
    def frame_count(self) -> int: ...
    def packets(self) -> Iterator[tuple[Any, Frame | None]]: ...
    def problems(self) -> list[VideoProblem]: ...


@dataclass
class _Damage:
    """What was met on the way: damaged packets, the time of the first, frames with errors."""

    packets: int = 0
    frames: int = 0
    first: float | None = None
    unreadable: bool = False  # the container gave nothing but errors at its end

    def add(self, at: float) -> None:
        self.packets += 1
        self.first = at if self.first is None else self.first


@dataclass
class VideoReader:
    """Reads a container that PyAV has opened. ``until``: seconds at which to stop.

    ``is_live``: a stream, which ends with the first packet that does not come. ``threads``: of the
    decoder, and of the conversion of colours; None: as many as FFmpeg likes.
    """

    container: Any
    name: str
    until: float | None = None
    is_live: bool = False
    threads: int | None = None
    stream: Any = field(init=False)
    _damage: _Damage = field(init=False, default_factory=_Damage)
    _ends_at: float = field(init=False, default=0.0)
    _stopped: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.stream = self.container.streams.video[0]
        # Not by frames: with those threads a damaged packet takes sound frames at the end with it.
        self.stream.thread_type = "SLICE"
        if self.threads is not None:
            self.stream.thread_count = self.threads

    @property
    def sounds(self) -> Sequence[Any]:
        return self.container.streams.audio

    @property
    def rate(self) -> Fraction:
        return self.stream.average_rate or Fraction(25)

    @property
    def frame_count(self) -> int:
        # Not every container counts its frames; its duration is in microseconds.
        return self.stream.frames or round((self.container.duration or 0) / 1e6 * float(self.rate))

    @property
    def colours(self) -> Colours:
        codec = self.stream.codec_context
        matrix, value_range = int(codec.colorspace), int(codec.color_range)
        if matrix == _RGB:
            # The output is never RGB, so it has the encoder's own matrix and range.
            matrix, value_range = _UNKNOWN_MATRIX, 0
        return Colours(matrix, value_range, int(codec.color_primaries), int(codec.color_trc))

    def packets(self) -> Iterator[tuple[Any, Frame | None]]:
        """(audio packet, None) and (None, frame), in the order of the file."""
        # first: the first frame's time, in the container's clock; last: the time given to the frame
        # before.
        first, number, last = None, 0, -1.0
        for packet in self._demux():
            if packet.stream.type == "audio":
                # The empty packets that flush the decoders at the end have no times.
                if packet.dts is not None:
                    yield _from_start(packet, self._start), None
                continue
            for image in self._decode(packet):
                # A frame without a time stamp: counted at the mean frame rate.
                time = number / float(self.rate) if image.time is None else image.time
                first = time if first is None else first
                # Times must rise; in damaged files they may not.
                seconds = max(time - first, last + 1e-3)
                if self.until is not None and seconds > self.until:
                    self._stopped = True
                    return
                delay = max(first - self._start, 0.0)
                yield None, self._frame(image, seconds, number, delay)
                last, number = seconds, number + 1
        if not number:
            raise DataError(f"{self.name}: not a readable video (no frame can be decoded).")

    def problems(self) -> list[VideoProblem]:
        """What was damaged, once all packets have been read."""
        damage, reasons = self._damage, []
        if damage.packets:
            what = "packet" if damage.packets == 1 else "packets"
            where = "at" if damage.packets == 1 else "from"
            reasons.append(f"{damage.packets} damaged {what}, {where} {damage.first:.2f} s")
        if damage.frames:
            what = "frame" if damage.frames == 1 else "frames"
            reasons.append(f"{damage.frames} {what} decoded with errors")
        whole = (self.container.duration or 0) / 1e6
        if self.is_live and damage.unreadable:
            reasons.append(f"the stream ended at {self._ends_at:.2f} s: nothing came any more")
        elif not self._stopped and (whole - self._ends_at > _MISSING or damage.unreadable):
            reasons.append(f"cut off: it ends at {self._ends_at:.2f} of {whole:.2f} s")
        return [VideoProblem(self.name, "; ".join(reasons))] if reasons else []

    @property
    def _start(self) -> float:
        # Microseconds in the container. Sound and frames are counted from it.
        return (self.container.start_time or 0) / 1e6

    def _demux(self) -> Iterator[Any]:
        """All packets of the video, and those of its sound that are whole."""
        av, errors = load_av(), 0
        known = {self.stream.index, *(sound.index for sound in self.sounds)}
        while errors < (1 if self.is_live else _UNREADABLE):
            try:
                # Of all streams, since the longest one tells whether the end is there.
                for packet in self.container.demux():
                    errors = 0
                    self._note_end(packet)
                    if packet.is_corrupt:
                        self._damage.add(self._ends_at)
                        # A part of a picture may still be decoded; a part of a sound is noise.
                        if packet.stream.type == "audio":
                            continue
                    if packet.stream.index in known:
                        yield packet
                return
            except av.error.FFmpegError:
                errors += 1
                # A container goes on behind the place that it could not read.
                self._damage.add(self._ends_at)
        self._damage.unreadable = True

    def _note_end(self, packet: Any) -> None:
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._start
            self._ends_at = max(self._ends_at, end)

    def _decode(self, packet: Any) -> list[Any]:
        try:
            images = packet.decode()
        except load_av().error.FFmpegError:
            at = self._ends_at if packet.pts is None else float(packet.pts * packet.time_base)
            if not packet.is_corrupt:  # those are counted already
                self._damage.add(max(at - self._start, 0.0))
            return []
        self._damage.frames += sum(image.is_corrupt for image in images)
        return images

    def _frame(self, image: Any, seconds: float, number: int, delay: float) -> Frame:
        if image.width * image.height > MAX_PIXELS:
            raise DataError(
                f"{self.name}: {image.width} x {image.height} pixels; the limit is {MAX_PIXELS:,}."
            )
        matrix = display_matrix(image)
        aspect = self.stream.sample_aspect_ratio or Fraction(1)
        if is_sideways(matrix):
            aspect = 1 / aspect
        with refusing_damage(f"{self.name} frame {number}"):
            threads = conversion_threads(image, self.threads)
            pixels = turn(image.to_ndarray(format="rgb24", threads=threads), matrix)
        duration = float(image.duration * image.time_base) if image.time_base else 0.0
        return Frame(pixels, seconds, number, delay, aspect, max(duration, 0.0))


def conversion_threads(image: Any, most: int | None) -> int | None:
    """How many threads convert a frame's colours: one, as starting others takes longer, or most."""
    return most if image.width * image.height > _LARGE else 1


def display_matrix(image: Any) -> Int[np.ndarray, "2 2"]:
    """A frame's display matrix: where a step to the right, and one down, lead on the screen."""
    data = image.side_data.get("DISPLAYMATRIX")
    unturned = np.eye(2, dtype=np.int64)
    if data is None:
        return unturned
    # 3 x 3, of which the last column and row are for perspective and for moving.
    matrix = np.frombuffer(bytes(data), dtype=np.int32).reshape(3, 3)[:2, :2]
    return np.sign(matrix.astype(np.int64) * _dominant(matrix)) if matrix.any() else unturned


def is_sideways(matrix: Int[np.ndarray, "2 2"]) -> bool:
    """True if a display matrix swaps width and height."""
    return not matrix[0, 0]


def turn(
    pixels: UInt8[np.ndarray, "H W 3"], matrix: Int[np.ndarray, "2 2"]
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Pixels as a display matrix shows them: turned by quarters, mirrored, or both."""
    if is_sideways(matrix):
        pixels, matrix = pixels.transpose(1, 0, 2), matrix[::-1]
    if matrix[0, 0] < 0:
        pixels = pixels[:, ::-1]
    if matrix[1, 1] < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _dominant(matrix: Int[np.ndarray, "2 2"]) -> Int[np.ndarray, "2 2"]:
    """1 on the diagonal or beside it, wherever the larger numbers are."""
    size = np.abs(matrix.astype(np.int64))
    upright = size[0, 0] + size[1, 1] >= size[0, 1] + size[1, 0]
    eye = np.eye(2, dtype=np.int64)
    return eye if upright else 1 - eye


def _from_start(packet: Any, start: float) -> Any:
    """An audio packet with times that count from the container's start, as those of frames do."""
    shift = round(start / packet.time_base)
    packet.dts = packet.dts - shift
    packet.pts = None if packet.pts is None else packet.pts - shift
    return packet
