"""Images decoded in processes of their own, which are killed when they take too long.

A thread cannot be stopped within a codec; a process can, and its memory can be limited.
``clip_process.py`` does the same for clips.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

from nasion.errors import DataError
from nasion.media.images import open_image

# Beside what Python and Pillow take: the file, and a decoder's planes of the largest image
# (JPEG 2000 takes most, 24 bytes per pixel; LOG.md).
_MEMORY, _MEMORY_PER_PIXEL = 256 << 20, 24
_PIPE = 1 << 20  # bytes; the most that Linux gives to any user
# Its codecs run in one thread: there is a process for each thread of the server.
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
            process = self._own.process = DecoderProcess(__name__, "image", self.max_pixels)
        request = {"name": name, "colour": colour, "limit": limit, "size": len(data)}
        answer, pixels = process.ask(request, data, name, self.seconds)
        return np.frombuffer(pixels, np.uint8).reshape(answer["shape"])


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


class DecoderProcess:
    """One decoding process, and the pipes to it.

    ``module``: runs in it, with these ``arguments``. ``what``: it decodes, for messages.
    """

    def __init__(self, module: str, what: str, *arguments: object) -> None:
        # The search path is handed on, since nasion may not be installed; -P leaves out the
        # current folder, where anything may lie.
        search_path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", module, *map(str, arguments)]
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
        self._what = what
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
        self, request: dict[str, Any], data: bytes | memoryview, name: str, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """The (first) answer and its bytes, or ``DataError``; after a kill this is not ``alive``.

        ``name``: of what is decoded, for messages.
        """
        with self._within(seconds, name):
            stdin = _opened(self._process.stdin)
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.write(data)
            stdin.flush()
            answer, content = self._read()
        return _without_error(answer), content

    def next_answer(self, name: str, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Another answer to the same request, or ``DataError``."""
        with self._within(seconds, name):
            answer, content = self._read()
        return _without_error(answer), content

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
        size = answer.get("size", 0)
        content = self._output.read(size)
        if len(content) != size:
            raise OSError("The decoder ended in the middle of an answer.")
        return answer, content


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


def limit_memory(most: int) -> None:
    """Let this process take so many bytes more of address space (on Linux)."""
    if sys.platform != "linux":
        return
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most += pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def memory_to_decode(max_pixels: int) -> int:
    """Bytes that decoding an image or a frame of so many pixels takes at most."""
    return _MEMORY + _MEMORY_PER_PIXEL * max_pixels


def send_ready(target: BinaryIO) -> None:
    """Tell whoever started this process that it reads requests from now on."""
    target.write(b"ready\n")
    target.flush()


def send_answer(
    target: BinaryIO, answer: dict[str, Any], content: np.ndarray | memoryview | None = None
) -> None:
    """A line of JSON with the ``size`` of the bytes that follow, and these."""
    data = b"" if content is None else np.ascontiguousarray(content).data.cast("B")
    target.write(json.dumps({**answer, "size": len(data)}).encode() + b"\n")
    target.write(data)
    target.flush()


def _serve(source: BinaryIO, target: BinaryIO, decode: Callable[..., np.ndarray]) -> None:
    """Answer requests until there are no more: the pixels of each, or an error."""
    send_ready(target)
    for line in iter(source.readline, b""):
        request = json.loads(line)
        data = source.read(request["size"])
        try:
            pixels = decode(data, request["colour"], request["name"], request["limit"])
        except DataError as error:
            send_answer(target, {"error": str(error)})
        else:
            send_answer(target, {"shape": pixels.shape}, pixels)


def _main() -> None:
    """``max_pixels`` in the arguments."""
    from PIL import AvifImagePlugin, Image

    # What is imported before the limit does not count against it.
    Image.init()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with suppress(ImportError):
        import_module("pillow_heif")
    limit_memory(memory_to_decode(int(sys.argv[1])))
    _serve(sys.stdin.buffer, sys.stdout.buffer, open_image)


if __name__ == "__main__":
    _main()
