"""Videos written in H.264 as their source stored them: colours, pixel aspect, frame times, sound.

Sound is copied where the container holds it, else encoded as AAC, else left out with a report.
Encoding has a thread of its own, since the encoder's own threads hardly help with small frames.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nasion.array_types import UInt8
from nasion.errors import DataError
from nasion.media.drawn_marks import DRAWN_ENDING, DRAWN_MARK
from nasion.media.files import DISK_ERRORS, atomic_write
from nasion.media.video_reading import (
    Colours,
    Frame,
    Reader,
    VideoProblem,
    conversion_threads,
    load_av,
)

# By the names of codecs, not of decoders: MP3 is decoded by `mp3float`.
_MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")
_MKV_AUDIO = (
    *_MP4_AUDIO, "vorbis", "mp2", "dts", "truehd", "mlp", "tta", "wavpack", "pcm_u8", "pcm_s16le",
    "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_s16be", "pcm_s24be",
)  # fmt: skip
_UNKNOWN = "unknown"  # a codec that FFmpeg has no decoder for
_ENCODER = {"preset": "veryfast", "crf": "20"}  # crf: x264's quality, lower is better; 23 default
_AHEAD = 3  # frames and packets that may wait for the encoder
_TIME_BASE = Fraction(1, 90_000)  # seconds per tick; fine enough for any frame rate
# swscale's conversion for each colour matrix of FFmpeg; both kinds of BT.601 are one.
_CONVERSIONS = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # by the number of channels
_AAC_RATES = (
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000,
)  # fmt: skip


Pixels = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class SoundPlan:
    """An audio stream, and whether its packets are copied or encoded anew."""

    stream: Any
    copied: bool

    @property
    def codec(self) -> str:
        return _codec(self.stream)


def plan_sound(sounds: Sequence[Any]) -> tuple[str, list[SoundPlan]]:
    """The suffix of the file that holds these audio streams, and how each gets there."""
    codecs = {_codec(stream) for stream in sounds} - {_UNKNOWN}
    if codecs - set(_MP4_AUDIO) and codecs <= set(_MKV_AUDIO):
        return ".mkv", [SoundPlan(stream, copied=True) for stream in sounds]
    return ".mp4", [SoundPlan(stream, _codec(stream) in _MP4_AUDIO) for stream in sounds]


@contextmanager
def video_writer(path: Path, like: Reader, plans: Sequence[SoundPlan]) -> Iterator[VideoWriter]:
    """A writer to a video file that is renamed into place at the end."""
    with (
        atomic_write(path) as temporary,
        encoding_into(str(temporary), path, like, plans) as writer,
    ):
        yield writer


@contextmanager
def encoding_into(
    target: str | BinaryIO,
    path: Path,
    like: Reader,
    plans: Sequence[SoundPlan],
    threads: int | None = None,
) -> Iterator[VideoWriter]:
    """A writer to a file, by its name or open for writing and seeking.

    ``path``: the name that it gets; its suffix tells the container. ``threads``: of the encoder;
    None: as many as it likes. Raises ``DataError`` if nothing can be written, and ``OSError`` for a
    full disk.
    """
    av = load_av()
    kind = "matroska" if path.suffix == ".mkv" else "mp4"
    try:
        with av.open(target, "w", format=kind) as output:
            if path.stem.endswith(f"-{DRAWN_ENDING}"):
                output.metadata["comment"] = DRAWN_MARK
            with VideoWriter(output, like.rate, like.colours, plans, threads) as writer:
                yield writer
                if not writer.finish():
                    raise DataError(f"{path}: not written, since no frame was drawn.")
    except DataError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        number = getattr(error, "errno", None)
        if number in DISK_ERRORS:
            raise OSError(number, os.strerror(number), str(path)) from error
        raise DataError(f"{path}: cannot be written ({reason}).") from error


class VideoWriter:
    """Encodes frames, and copies or encodes sound, into an open container.

    Sound of streams without a plan is left out. Used in a ``with`` block. An error of a frame is
    raised by one of the next calls, at the latest by ``finish``.
    """

    def __init__(
        self,
        output: Any,
        rate: Fraction,
        colours: Colours,
        plans: Sequence[SoundPlan],
        threads: int | None = None,
    ) -> None:
        self._output, self._rate = output, rate
        self._colours, self._threads = colours, threads
        self._video = output.add_stream("libx264", rate=rate, options=_ENCODER)
        self._video.pix_fmt = "yuv420p"
        if threads is not None:
            self._video.codec_context.thread_count = threads
        self._sounds = {plan.stream.index: _Sound(output, plan) for plan in plans}
        self._reformatter = load_av().video.reformatter.VideoReformatter()
        self._waiting: list[Any] = []
        # One thread, so that frames and sound stay in order.
        self._thread = ThreadPoolExecutor(1, "nasion-encoder")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        # The container must not be closed while the thread writes into it.
        self._thread.shutdown(cancel_futures=True)

    def add(self, pixels: Pixels | Callable[[], Pixels], frame: Frame) -> None:
        """Encode one frame: these pixels, which must not change afterwards, at the frame's time.

        A function that makes the pixels is called in the encoder's thread.
        """
        self._in_thread(self._add, pixels, frame)

    def add_sound(self, packet: Any) -> None:
        """Copy or encode one audio packet."""
        if packet.stream.index in self._sounds:
            self._in_thread(self._add_sound, packet)

    def finish(self) -> bool:
        """Write what the encoders hold back; False, and nothing is written, without any frame."""
        self._in_thread(self._finish)
        self._wait(0)
        return self._started

    def _in_thread(self, work: Callable[..., None], *arguments: Any) -> None:
        self._wait(_AHEAD - 1)
        self._pending.append(self._thread.submit(work, *arguments))

    def _wait(self, most: int) -> None:
        """Wait until at most so many calls have not returned; raise what one of them raised."""
        while len(self._pending) > most:
            self._pending.popleft().result()

    @property
    def _started(self) -> bool:
        return self._video.codec_context.is_open

    def _add(self, pixels: Pixels | Callable[[], Pixels], frame: Frame) -> None:
        pixels = pixels() if callable(pixels) else pixels
        height, width = pixels.shape[:2]
        if not self._started:
            self._describe(width + width % 2, height + height % 2, frame.pixel_aspect)
            self._output.start_encoding()
        # yuv420p halves the resolution of colour, hence the even sides.
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        image = load_av().VideoFrame.from_ndarray(pixels, format="rgb24")
        image = self._reformatter.reformat(
            image,
            format="yuv420p",
            threads=conversion_threads(image, self._threads),
            dst_colorspace=_CONVERSIONS.get(self._colours.matrix),
            dst_color_range=self._colours.range or None,
        )
        image.pts = round((frame.seconds + frame.delay) / _TIME_BASE)
        image.time_base = _TIME_BASE
        image.duration = round((frame.duration or 1 / self._rate) / _TIME_BASE)
        self._output.mux(self._video.encode(image))
        while self._waiting:
            self._add_sound(self._waiting.pop(0))

    def _add_sound(self, packet: Any) -> None:
        # The first packet opens the file, and by then the frame size must be known.
        if self._started:
            self._sounds[packet.stream.index].add(packet)
        else:
            self._waiting.append(packet)

    def _finish(self) -> None:
        if self._started:
            # None flushes the frames that the encoder holds back.
            self._output.mux(self._video.encode(None))
            for sound in self._sounds.values():
                sound.finish()

    def problems(self, name: str) -> list[VideoProblem]:
        """What became of sound that could not be copied."""
        problems = [sound.problem(name) for sound in self._sounds.values()]
        return [problem for problem in problems if problem is not None]

    def _describe(self, width: int, height: int, pixel_aspect: Fraction) -> None:
        """Tell the encoder what is written into the file's header."""
        codec = self._video.codec_context
        codec.width, codec.height = width, height
        codec.time_base = _TIME_BASE
        # The durations of frames become those of packets; the last one's is the container's end.
        codec.flags |= load_av().codec.context.Flags.frame_duration
        codec.sample_aspect_ratio = pixel_aspect
        # A matrix that swscale cannot make is not claimed either.
        if self._colours.matrix in _CONVERSIONS:
            codec.colorspace = self._colours.matrix
        codec.color_range = self._colours.range
        codec.color_primaries = self._colours.primaries
        codec.color_trc = self._colours.transfer


class _Sound:
    """One audio stream on its way into the output; damaged packets are counted."""

    def __init__(self, output: Any, plan: SoundPlan) -> None:
        self._output, self._plan, self._failed = output, plan, 0
        self._left_out = ""
        if plan.codec == _UNKNOWN:
            self._left_out = "FFmpeg does not know its codec"
            return
        try:
            if plan.copied:
                self._stream = output.add_stream_from_template(plan.stream)
            else:
                self._stream = _aac_stream(output, plan.stream)
        except (load_av().error.FFmpegError, ValueError) as error:
            self._left_out = f"{plan.codec} cannot be written ({error})"

    def add(self, packet: Any) -> None:
        if self._left_out:
            return
        try:
            if self._plan.copied:
                packet.stream = self._stream
                self._output.mux(packet)
            else:
                for frame in packet.decode():
                    self._output.mux(self._stream.encode(frame))
        except ValueError:
            # Invalid data or times, not a full disk: the frames go on without this piece of sound.
            self._failed += 1

    def finish(self) -> None:
        if not self._left_out and not self._plan.copied:
            self._output.mux(self._stream.encode(None))

    def problem(self, name: str) -> VideoProblem | None:
        codec = self._plan.codec
        if self._left_out:
            return VideoProblem(name, f"sound left out: {self._left_out}", damaged=False)
        if self._failed:
            return VideoProblem(name, f"{self._failed} damaged packets of sound left out")
        if not self._plan.copied:
            reason = f"{codec} sound encoded as AAC, since it does not fit into .mp4 or .mkv"
            return VideoProblem(name, reason, damaged=False)
        return None


def _aac_stream(output: Any, source: Any) -> Any:
    """A new AAC stream with the source's channels and a rate that AAC has."""
    codec = source.codec_context
    rate = codec.sample_rate if codec.sample_rate in _AAC_RATES else 48_000
    layout = _LAYOUTS.get(codec.layout.nb_channels, "stereo")
    return output.add_stream("aac", rate=rate, layout=layout)


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return _UNKNOWN if context is None else context.codec.canonical_name
