"""Images and clips decoded in processes of their own, which are killed when they take too long.

A thread cannot be stopped within a codec; a process can, and its memory can be limited.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

from nasion.errors import DataError
from nasion.media.images import open_image
from nasion.media.video_containers import load_av, open_container
from nasion.media.video_reading import Frame, VideoProblem, VideoReader

# Beside what Python and Pillow take: the file, and a decoder's planes of the largest image
# (JPEG 2000 takes most, 24 bytes per pixel; LOG.md).
_MEMORY, _MEMORY_PER_PIXEL = 256 << 20, 24
# Its codecs run in one thread: there is a process for each thread of the server.
_IMAGES, _CLIP = "images", "clip"  # what a process is for
_PIPE = 1 << 20  # bytes; the most that Linux gives to any user
_SETTINGS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


@dataclass
class ImageDecoder:
    """Decodes a file's contents as ``open_image`` does; each calling thread has its own process.

    ``seconds``: per image. Processes start when they are needed, and end with their thread.
    """

    seconds: float
    max_pixels: int
    _own: threading.local = field(default_factory=threading.local, repr=False)

    def __call__(
        self, data: bytes, colour: bool, name: str, max_pixels: int | None = None
    ) -> np.ndarray:
        """uint8 (H, W) or (H, W, 3). Raises ``DataError``, as ``open_image``, or if time is up."""
        limit = min(max_pixels or self.max_pixels, self.max_pixels)
        process = getattr(self._own, "process", None)
        if process is None or not process.alive:
            process = self._own.process = _Process(self.max_pixels, _IMAGES)
        request = {"name": name, "colour": colour, "limit": limit, "size": len(data)}
        answer, pixels = process.ask(request, data, self.seconds)
        return np.frombuffer(pixels, np.uint8).reshape(answer["shape"])


@dataclass(frozen=True)
class ClipDecoder:
    """Decodes a video's contents frame by frame, in a process for it alone.

    ``seconds``: for the next frame. ``max_pixels``: of a frame. One frame is held at a time.
    """

    seconds: float
    max_pixels: int

    def __call__(
        self, data: bytes, name: str, report: Callable[[VideoProblem], None]
    ) -> Generator[Frame]:
        """The frames, in order; what was damaged is reported after them. Raises ``DataError``."""
        process = _Process(self.max_pixels, _CLIP)
        try:
            request: dict[str, Any] = {"name": name, "limit": self.max_pixels, "size": len(data)}
            answer, pixels = process.ask(request, data, self.seconds)
            while "shape" in answer:
                image = np.frombuffer(pixels, np.uint8).reshape(answer["shape"])
                yield Frame(image, answer["seconds"], answer["number"])
                answer, pixels = process.next_answer(name, self.seconds)
            for reason in answer["problems"]:
                report(VideoProblem(name, reason))
        finally:
            process.end()


@dataclass(eq=False)
class _Deadline:
    """When a process is killed, on the monotonic clock, and whether it was."""

    process: subprocess.Popen[bytes]
    at: float
    passed: bool = False


class _Watchdog:
    """Kills processes at their deadlines, all in one thread: starting a thread for each image
    takes as long as decoding a small one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadlines: set[_Deadline] = set()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def watch(self, process: subprocess.Popen[bytes], seconds: float) -> _Deadline:
        """Kill this process after so many seconds, unless the deadline is forgotten before."""
        deadline = _Deadline(process, time.monotonic() + seconds)
        with self._changed:
            self._deadlines.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decoders", daemon=True)
                self._thread.start()
            if deadline.at < self._wakes_at:
                self._changed.notify()
        return deadline

    def forget(self, deadline: _Deadline) -> None:
        with self._changed:
            self._deadlines.discard(deadline)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for deadline in [each for each in self._deadlines if each.at <= now]:
                    deadline.passed = True
                    deadline.process.kill()
                    self._deadlines.discard(deadline)
                self._wakes_at = min((each.at for each in self._deadlines), default=math.inf)
                waiting = None if math.isinf(self._wakes_at) else self._wakes_at - now
                self._changed.wait(waiting)


_WATCHDOG = _Watchdog()


class _Process:
    """One decoding process, and the pipes to it."""

    def __init__(self, max_pixels: int, purpose: str) -> None:
        # The search path is handed on, since nasion may not be installed; -P leaves out the
        # current folder, where anything may lie.
        search_path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", __name__, str(max_pixels), purpose]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Codecs report damaged files there, line after line.
            stderr=subprocess.DEVNULL,
            env=os.environ | _SETTINGS | search_path,
            # Ctrl-C is for the server, which ends this process when it is done.
            start_new_session=True,
        )
        self._what = "video" if purpose == _CLIP else "image"
        _widen(self._process.stdout)
        weakref.finalize(self, _end, self._process)
        self._output.readline()  # ready: starting is not part of an image's time

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def _output(self) -> BinaryIO:
        return _opened(self._process.stdout)

    def ask(
        self, request: dict[str, Any], data: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """The (first) answer, or ``DataError``; after a kill this process is not ``alive``."""
        with self._within(seconds, request["name"]):
            stdin = _opened(self._process.stdin)
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.write(data)
            stdin.flush()
            answer, pixels = self._read()
        return _without_error(answer), pixels

    def next_answer(self, name: str, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Another answer to the same request, or ``DataError``."""
        with self._within(seconds, name):
            answer, pixels = self._read()
        return _without_error(answer), pixels

    def end(self) -> None:
        _end(self._process)

    @contextmanager
    def _within(self, seconds: float, name: str) -> Iterator[None]:
        """Kill the process if the block takes longer. Raises ``DataError`` if it has ended."""
        deadline = _WATCHDOG.watch(self._process, seconds)
        try:
            yield
        except (OSError, ValueError) as error:
            _end(self._process)
            reason = f"not a readable {self._what} (its decoder failed, or needed too much memory)"
            if deadline.passed:
                reason = f"decoding took longer than {seconds:g} seconds, the limit; save it again"
            raise DataError(f"{name}: {reason}.") from error
        finally:
            _WATCHDOG.forget(deadline)

    def _read(self) -> tuple[dict[str, Any], bytes]:
        """Raises ``OSError`` or ``ValueError`` if the process has ended in between."""
        answer = json.loads(self._output.readline())
        size = int(np.prod(answer["shape"])) if "shape" in answer else 0
        pixels = self._output.read(size)
        if len(pixels) != size:
            raise OSError("The decoder ended in the middle of an image.")
        return answer, pixels


def _without_error(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise DataError(answer["error"])
    return answer


def _opened(pipe: Any) -> BinaryIO:
    """A pipe of Popen, which is None only where none was asked for."""
    return pipe


def _widen(pipe: Any) -> None:
    """Let a pipe hold a small image's pixels, so that they take one turn (on Linux)."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # more than the user's share of such memory
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process, reap it, and close the pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        try:
            _opened(pipe).close()
        except OSError:  # what was not written yet
            continue


def _limit_memory(max_pixels: int) -> None:
    """Let this process take this much more address space (on Linux)."""
    if sys.platform != "linux":
        return
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + _MEMORY + _MEMORY_PER_PIXEL * max_pixels
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _serve(source: BinaryIO, target: BinaryIO, decode: Callable[..., np.ndarray]) -> None:
    """Answer requests until there are no more: a line of JSON, then the pixels."""
    target.write(b"ready\n")
    target.flush()
    for line in iter(source.readline, b""):
        request = json.loads(line)
        data = source.read(request["size"])
        try:
            pixels = decode(data, request["colour"], request["name"], request["limit"])
        except DataError as error:
            target.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            target.write(json.dumps({"shape": pixels.shape}).encode() + b"\n")
            target.write(np.ascontiguousarray(pixels).data.cast("B"))
        target.flush()


def _serve_clip(source: BinaryIO, target: BinaryIO) -> None:
    """Answer one request: a line of JSON and the pixels for each frame, then the problems."""
    target.write(b"ready\n")
    target.flush()
    request = json.loads(source.readline())
    name, data = request["name"], source.read(request["size"])

    def send(answer: dict[str, Any], pixels: np.ndarray | None = None) -> None:
        target.write(json.dumps(answer).encode() + b"\n")
        if pixels is not None:
            target.write(np.ascontiguousarray(pixels).data.cast("B"))
        target.flush()

    try:
        with open_container(data, name) as container:
            # One thread: the stacks of more count against the memory.
            reader = VideoReader(container, name, threads=1)
            _check_clip(reader, request["limit"])
            for _, frame in reader.packets():
                if frame is not None:
                    answer = {"seconds": frame.seconds, "number": frame.number}
                    send({"shape": frame.pixels.shape, **answer}, frame.pixels)
            send({"problems": [problem.reason for problem in reader.problems()]})
    except DataError as error:
        send({"error": str(error)})
    # Of any type: FFmpeg's readers meet damaged files with errors of many kinds.
    except Exception as error:
        send({"error": f"{name}: not a readable video ({str(error) or type(error).__name__})."})


def _check_clip(reader: VideoReader, max_pixels: int) -> None:
    """Raise ``DataError`` for frames that are too large."""
    stream = reader.stream
    if stream.width * stream.height > max_pixels:
        raise DataError(
            f"{reader.name}: {stream.width} x {stream.height} pixels; the limit is {max_pixels:,}."
        )


def _main() -> None:
    """``max_pixels purpose`` in the arguments."""
    max_pixels, purpose = int(sys.argv[1]), sys.argv[2]
    # What is imported before the limit does not count against it.
    if purpose == _CLIP:
        load_av()
        _limit_memory(max_pixels)
        _serve_clip(sys.stdin.buffer, sys.stdout.buffer)
        return
    from PIL import AvifImagePlugin, Image

    Image.init()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with suppress(ImportError):
        import_module("pillow_heif")
    _limit_memory(max_pixels)
    _serve(sys.stdin.buffer, sys.stdout.buffer, open_image)


if __name__ == "__main__":
    _main()
