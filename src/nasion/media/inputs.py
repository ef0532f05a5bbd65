"""Resolve inputs (files, globs, URLs, stdin, cameras); map over them in order with threads."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from nasion.errors import DataError, SettingError
from nasion.media import video
from nasion.media.animation import is_animation
from nasion.media.files import read_text
from nasion.media.images import open_image
from nasion.media.video import VideoInput, camera_number

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".apng", ".avif",
    ".ppm", ".pgm",
)  # fmt: skip
_URL = ("http://", "https://")
_MAX_DOWNLOAD = 200 << 20  # bytes, of a URL or of standard input
_TIMEOUT = 30  # seconds
_PREFETCH = 2  # results beyond the number of threads that are computed before they are asked for
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ImageInput:
    """An image to process, not opened yet. ``source``: its file, its contents, or its URL."""

    name: str
    source: Path | bytes | str

    def pixels(self, colour: bool) -> np.ndarray:
        """uint8 (H, W) or (H, W, 3), upright. Raises ``DataError``."""
        source = _download(self.source) if isinstance(self.source, str) else self.source
        return open_image(source, colour, self.name)


@dataclass(frozen=True)
class UnreadableInput:
    """An image or video that could not be read, and why."""

    name: str
    reason: str

    @classmethod
    def of(cls, name: str, error: DataError) -> UnreadableInput:
        """From an error, whose message may begin with the name."""
        return cls(name, str(error).removeprefix(f"{name}: "))


def resolve_inputs(words: Sequence[str]) -> list[ImageInput | VideoInput]:
    """The images and videos that the words name, each file once.

    The order is that of the words; folders and globs are sorted by name, a ``.txt`` list keeps its
    lines. Raises ``DataError`` for a folder without images or a glob without matches, and
    ``SettingError`` for an empty list.
    """
    if not words:
        raise SettingError(
            "Name an image, a video, a folder, a glob, a list of files (.txt), a URL, "
            "a camera number, or - for standard input."
        )
    found: dict[str, ImageInput | VideoInput] = {}
    for word in words:
        for each in _resolve(word):
            # A dictionary keeps the order; setdefault keeps the first of two equal names.
            found.setdefault(each.name, each)
    return list(found.values())


def _resolve(word: str) -> Iterator[ImageInput | VideoInput]:
    path, camera = Path(word), camera_number(word)
    if word == "-":
        yield ImageInput("standard input", sys.stdin.buffer.read(_MAX_DOWNLOAD))
    elif word.startswith(_URL):
        yield ImageInput(word, word)
    elif path.is_dir():
        yield from map(_file, _files_below(path))
    # A file that exists is taken by its name, even if that contains a wildcard. The same holds for
    # a file called 0 and the camera below.
    elif not path.exists() and any(sign in word for sign in "*?["):
        # Path.glob takes relative patterns only, so an absolute one starts at its root.
        matches = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        files = sorted(file for file in matches if file.is_file())
        if not files:
            raise DataError(f"{word}: no file matches this pattern.")
        yield from map(_file, files)
    elif path.suffix.lower() == ".txt" and path.is_file():
        for line in filter(None, map(str.strip, read_text(path).splitlines())):
            yield ImageInput(line, line) if line.startswith(_URL) else _file(path.parent / line)
    elif not path.exists() and camera is not None:
        yield VideoInput(camera)
    else:
        yield _file(path)


def _files_below(folder: Path) -> list[Path]:
    suffixes = (*SUFFIXES, *video.SUFFIXES)
    files = [file for file in folder.rglob("*") if file.suffix.lower() in suffixes]
    # Sorted, since the file system has no order that can be relied on.
    files = sorted(file for file in files if file.is_file())
    if not files:
        known = ", ".join(SUFFIXES)
        raise DataError(f"{folder}: no images in this folder or below it ({known}), nor videos.")
    return files


def _file(path: Path) -> ImageInput | VideoInput:
    is_video = path.suffix.lower() in video.SUFFIXES or is_animation(path)
    return VideoInput(path) if is_video else ImageInput(str(path), path)


def map_in_order(work: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R]:
    """``work`` of each item, in their order, computed by threads.

    A few results are computed ahead of being asked for, so memory stays bounded.
    """
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[R]] = deque()
        try:
            while True:
                # Submitted only as results are taken: an executor's own `map` would read all items
                # at once.
                while len(pending) < _PREFETCH + threads and (item := next(rest, None)) is not None:
                    pending.append(pool.submit(work, item))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            # The caller stopped early, or an item failed: what has not begun is not done.
            for future in pending:
                future.cancel()


def _download(url: str) -> bytes:
    """The contents of a URL. Raises ``DataError`` that names it."""
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    try:
        request = Request(url, headers={"User-Agent": "nasion"})
        with urlopen(request, timeout=_TIMEOUT) as response:
            # One byte more than the limit tells a larger file; its declared length may be wrong.
            data = response.read(_MAX_DOWNLOAD + 1)
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{url}: could not be downloaded ({reason}).") from error
    if len(data) > _MAX_DOWNLOAD:
        raise DataError(f"{url}: more than {_MAX_DOWNLOAD:,} bytes, the limit.")
    return data
