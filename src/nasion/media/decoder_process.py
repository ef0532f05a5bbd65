"""Images decoded in processes of their own, which are killed when they take too long.

A thread cannot be stopped within a codec; a process can, and its memory can be limited.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from nasion.errors import DataError
from nasion.media.images import open_image

# Beside what Python and Pillow take: the file, and a decoder's planes of the largest image
# (JPEG 2000 takes most, 24 bytes per pixel; LOG.md).
_MEMORY, _MEMORY_PER_PIXEL = 256 << 20, 24
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
            process = self._own.process = _Process(self.max_pixels)
        request = {"name": name, "colour": colour, "limit": limit, "size": len(data)}
        return process.decode(request, data, self.seconds)


class _Process:
    """One decoding process, and the pipes to it."""

    def __init__(self, max_pixels: int) -> None:
        # The search path is handed on, since nasion may not be installed; -P leaves out the
        # current folder, where anything may lie.
        search_path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", __name__, str(max_pixels)]
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
        weakref.finalize(self, _end, self._process)
        self._output.readline()  # ready: starting is not part of an image's time

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def _output(self) -> BinaryIO:
        return _opened(self._process.stdout)

    def decode(self, request: dict[str, Any], data: bytes, seconds: float) -> np.ndarray:
        """The pixels, or ``DataError``; after a kill this process is not ``alive``."""
        late = threading.Event()
        timer = threading.Timer(seconds, _kill, (self._process, late))
        timer.start()
        try:
            answer, pixels = self._exchange(request, data)
        except (OSError, ValueError) as error:
            _end(self._process)
            reason = "not a readable image (its decoder failed, or needed too much memory)"
            if late.is_set():
                reason = f"decoding took longer than {seconds:g} seconds, the limit; save it again"
            raise DataError(f"{request['name']}: {reason}.") from error
        finally:
            timer.cancel()
        if "error" in answer:
            raise DataError(answer["error"])
        return np.frombuffer(pixels, np.uint8).reshape(answer["shape"])

    def _exchange(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Raises ``OSError`` or ``ValueError`` if the process has ended in between."""
        stdin = _opened(self._process.stdin)
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.write(data)
        stdin.flush()
        answer = json.loads(self._output.readline())
        size = int(np.prod(answer["shape"])) if "shape" in answer else 0
        pixels = self._output.read(size)
        if len(pixels) != size:
            raise OSError("The decoder ended in the middle of an image.")
        return answer, pixels


def _opened(pipe: Any) -> BinaryIO:
    """A pipe of Popen, which is None only where none was asked for."""
    return pipe


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


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


def _main() -> None:
    from PIL import AvifImagePlugin, Image

    # Imported before the limit, so that it holds for images alone.
    Image.init()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    _limit_memory(int(sys.argv[1]))
    _serve(sys.stdin.buffer, sys.stdout.buffer, open_image)


if __name__ == "__main__":
    _main()
