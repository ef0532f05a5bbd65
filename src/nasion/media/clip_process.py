"""Clips decoded, and written anew with other pixels, each in a process for it alone.

As ``decoder_process.py`` says; a new clip is held in memory, so that no file is left behind.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nasion.errors import DataError
from nasion.media.decoder_process import (
    DecoderProcess,
    limit_memory,
    memory_to_decode,
    send_answer,
    send_ready,
)
from nasion.media.drawn_marks import DRAWN_ENDING
from nasion.media.video import Draw, rewrite_frames
from nasion.media.video_containers import load_av, open_container
from nasion.media.video_reading import Frame, VideoProblem, VideoReader
from nasion.media.video_writing import encoding_into, plan_sound

MAX_WRITTEN_PIXELS = 9_000_000  # of a frame that is written: 4096 x 2160
# Bytes that the encoder takes for each pixel of a frame, since it holds about ten frames: measured,
# a process takes 1.5 GB for 4096 x 2160 pixels.
_ENCODER_PER_PIXEL = 130
# Codecs run in one thread: there is a process for each thread of the server, and the stacks of more
# count against the memory.
_THREADS = 1
_READ, _REWRITE = "read", "rewrite"  # what a process is for
Report = Callable[[VideoProblem], None]


class ClipTooLarge(DataError):
    """A new clip has more bytes than it may have."""


@dataclass(frozen=True)
class NewClip:
    """What is written of a clip: ``stem-ending.mp4``, or ``.mkv`` if its sound needs that.

    ``sound``: False leaves it out. ``max_bytes``: more are refused.
    """

    stem: str
    max_bytes: int
    ending: str = DRAWN_ENDING
    sound: bool = True


@dataclass(frozen=True)
class ClipDecoder:
    """Decodes a video's contents frame by frame; one frame is held at a time.

    ``seconds``: for the next frame. ``max_pixels``: of a frame.
    """

    seconds: float
    max_pixels: int

    def __call__(self, data: bytes, name: str, report: Report) -> Generator[Frame]:
        """The frames, in order; what was damaged is reported after them. Raises ``DataError``."""
        with closing(_Clip(self, name, _READ, self.max_pixels)) as clip:
            answer, content = clip.ask({"limit": self.max_pixels, "name": name}, data)
            while "shape" in answer:
                yield _frame(answer, content)
                answer, content = clip.next_answer()
        clip.report(answer, report)

    def rewrite(
        self,
        data: bytes,
        name: str,
        new: NewClip,
        draw: Draw,
        report: Report,
        keep: Callable[[str, bytes], None],
    ) -> Generator[Frame]:
        """The frames, in order, while ``draw`` of each is written, as ``VideoInput.rewrite`` does.

        ``keep``: gets the new clip's file name and contents at the end. Raises ``DataError``, and
        ``ClipTooLarge``.
        """
        most = min(self.max_pixels, MAX_WRITTEN_PIXELS)
        wanted = {"stem": new.stem, "ending": new.ending, "sound": new.sound}
        request = {"limit": most, "name": name, "max_bytes": new.max_bytes, **wanted}
        with closing(_Clip(self, name, _REWRITE, most, new.max_bytes)) as clip:
            answer, content = clip.ask(request, data)
            while "shape" in answer:
                frame = _frame(answer, content)
                yield frame
                pixels = draw(frame)
                pixels = pixels() if callable(pixels) else pixels
                shape = None if pixels is None else pixels.shape
                drawn = b"" if pixels is None else np.ascontiguousarray(pixels).data.cast("B")
                answer, content = clip.ask({"shape": shape}, drawn)
        if "file" not in answer:
            raise ClipTooLarge(
                f"{name}: the new video would have more than {new.max_bytes:,} bytes, the limit; "
                "send a part of it."
            )
        clip.report(answer, report)
        keep(answer["file"], content)


class _Clip:
    """The process of one clip."""

    def __init__(self, decoder: ClipDecoder, name: str, *arguments: object) -> None:
        self._process = DecoderProcess(__name__, "video", *arguments)
        self._name, self._seconds = name, decoder.seconds

    def ask(
        self, request: dict[str, Any], data: bytes | memoryview
    ) -> tuple[dict[str, Any], bytes]:
        request = {**request, "size": len(data)}
        return self._process.ask(request, data, self._name, self._seconds)

    def next_answer(self) -> tuple[dict[str, Any], bytes]:
        return self._process.next_answer(self._name, self._seconds)

    def report(self, answer: dict[str, Any], report: Report) -> None:
        for reason, damaged in answer["problems"]:
            report(VideoProblem(self._name, reason, damaged))

    def close(self) -> None:
        self._process.end()


def _frame(answer: dict[str, Any], content: bytes) -> Frame:
    pixels = np.frombuffer(content, np.uint8).reshape(answer["shape"])
    aspect = Fraction(*answer["pixel_aspect"])
    return Frame(pixels, answer["seconds"], answer["number"], pixel_aspect=aspect)


class _LimitedFile(BytesIO):
    """A file in memory, of at most so many bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.is_full = False

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._most:
            self.is_full = True
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return super().write(data)


@dataclass(frozen=True)
class _Connection:
    """The process's end of the pipes."""

    source: BinaryIO
    target: BinaryIO

    def read(self) -> tuple[dict[str, Any], bytes]:
        request = json.loads(self.source.readline())
        return request, self.source.read(request["size"])

    def send(self, answer: dict[str, Any], content: Any = None) -> None:
        send_answer(self.target, answer, content)

    def send_frame(self, frame: Frame) -> None:
        answer = {
            "shape": frame.pixels.shape,
            "seconds": frame.seconds,
            "number": frame.number,
            "pixel_aspect": frame.pixel_aspect.as_integer_ratio(),
        }
        self.send(answer, frame.pixels)


def _serve(connection: _Connection, purpose: str) -> None:
    """Answer one request: the frames, then what was damaged, and the new clip."""
    send_ready(connection.target)
    request, data = connection.read()
    name = request["name"]
    try:
        with open_container(data, name) as container:
            reader = VideoReader(container, name, threads=_THREADS)
            _check_clip(reader, request["limit"])
            (_rewrite if purpose == _REWRITE else _read)(reader, request, connection)
    except ClipTooLarge:
        connection.send({})
    except DataError as error:
        connection.send({"error": str(error)})
    # Of any type: FFmpeg's readers meet damaged files with errors of many kinds.
    except Exception as error:
        reason = str(error) or type(error).__name__
        connection.send({"error": f"{name}: not a readable video ({reason})."})


def _check_clip(reader: VideoReader, max_pixels: int) -> None:
    """Raise ``DataError`` for frames that are too large."""
    stream = reader.stream
    if stream.width * stream.height > max_pixels:
        raise DataError(
            f"{reader.name}: {stream.width} x {stream.height} pixels; the limit is {max_pixels:,}."
        )


def _read(reader: VideoReader, request: dict[str, Any], connection: _Connection) -> None:
    for _, frame in reader.packets():
        if frame is not None:
            connection.send_frame(frame)
    connection.send(_ending(reader.problems()))


def _rewrite(reader: VideoReader, request: dict[str, Any], connection: _Connection) -> None:
    """Each frame is sent, and written as it comes back."""

    def drawn(frame: Frame) -> np.ndarray | None:
        connection.send_frame(frame)
        answer, content = connection.read()
        shape = answer["shape"]
        return None if shape is None else np.frombuffer(content, np.uint8).reshape(shape)

    suffix, plans = plan_sound(reader.sounds if request["sound"] else ())
    path = Path(f"{request['stem']}-{request['ending']}{suffix}")
    file, problems = _LimitedFile(request["max_bytes"]), list[VideoProblem]()
    writer = encoding_into(file, path, reader, plans, _THREADS)
    try:
        for _ in rewrite_frames(reader, request["name"], writer, drawn, problems.append):
            continue
    except DataError as error:
        if file.is_full:  # PyAV tells only that something was raised
            raise ClipTooLarge from error
        raise
    connection.send({**_ending(problems), "file": path.name}, file.getbuffer())


def _ending(problems: list[VideoProblem]) -> dict[str, Any]:
    return {"problems": [(problem.reason, problem.damaged) for problem in problems]}


def _main() -> None:
    """``purpose max_pixels`` in the arguments, and ``max_bytes`` of a new clip."""
    purpose, max_pixels, *max_bytes = sys.argv[1], *map(int, sys.argv[2:])
    load_av()  # what is imported before the limit does not count against it
    memory = memory_to_decode(max_pixels)
    if purpose == _REWRITE:
        memory += _ENCODER_PER_PIXEL * max_pixels + sum(max_bytes)
    limit_memory(memory)
    _serve(_Connection(sys.stdin.buffer, sys.stdout.buffer), purpose)


if __name__ == "__main__":
    _main()
