"""What is typed to what is looked at: files, folders, patterns, addresses and standard input to pictures, done in turn by threads."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from nasion import video
from nasion.errors import DataError, SettingError
from nasion.files import decoded as decode
from nasion.files import open_picture
from nasion.video import Clip, camera_number

ENDINGS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".ppm", ".pgm")
_LIMIT = 200 << 20  # bytes of a picture that comes from elsewhere
_SECONDS = 30
_AHEAD = 2  # pictures beyond those that threads are busy with are done before they are asked for
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Photo:
    """A picture that was asked for, not yet opened: ``name`` as it was typed or found, ``source``: its file, its bytes or its address."""

    name: str
    source: Path | bytes | str

    def pixels(self, colour: bool) -> np.ndarray:
        """uint8 (H, W) or (H, W, 3), upright. Raises ``DataError``."""
        return open_picture(_fetched(self.source) if isinstance(self.source, str) else self.source, colour, self.name)


@dataclass(frozen=True)
class Refused:
    """A picture or clip that could not be read, and why."""

    name: str
    why: str


def listed(words: Sequence[str]) -> list[Photo | Clip]:
    """The pictures and clips that words mean, in their order, a folder's and a pattern's by name, a ``.txt``'s by its lines: each file once.

    Raises ``DataError`` for a folder without pictures and a pattern that nothing fits, ``SettingError`` for nothing at all.
    """
    if not words:
        raise SettingError(
            "Name a picture, a video, a folder, a pattern, a list of files (.txt), an address, a camera's number, or - for standard input."
        )
    found: dict[str, Photo | Clip] = {}
    for word in words:
        for photo in _meant(word):
            found.setdefault(photo.name, photo)
    return list(found.values())


def _meant(word: str) -> Iterator[Photo | Clip]:
    path, camera = Path(word), camera_number(word)
    if word == "-":
        yield Photo("standard input", sys.stdin.buffer.read(_LIMIT))
    elif word.startswith(("http://", "https://")):
        yield Photo(word, word)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (*ENDINGS, *video.ENDINGS) and file.is_file())
        if not files:
            raise DataError(f"{word}: no pictures in this folder or below it ({', '.join(ENDINGS)}), nor videos.")
        yield from map(_file, files)
    elif not path.exists() and any(sign in word for sign in "*?["):
        files = sorted(file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file())
        if not files:
            raise DataError(f"{word}: no file fits this pattern.")
        yield from map(_file, files)
    elif path.suffix.lower() == ".txt" and path.is_file():
        for line in filter(None, map(str.strip, decode(path.read_bytes(), path).splitlines())):
            yield Photo(line, line) if line.startswith(("http://", "https://")) else _file(path.parent / line)
    elif not path.exists() and camera is not None:
        yield Clip(camera)
    else:
        yield _file(path)


def _file(path: Path) -> Photo | Clip:
    return Clip(path) if path.suffix.lower() in video.ENDINGS else Photo(str(path), path)


def opened(photo: Photo, colour: bool) -> np.ndarray | Refused:
    """A picture's pixels, or why there are none."""
    try:
        return photo.pixels(colour)
    except DataError as error:
        return Refused(photo.name, str(error).removeprefix(f"{photo.name}: "))


def in_turn(work: Callable[[T], R], things: Iterable[T], threads: int) -> Iterator[R]:
    """What the work makes of each thing, in their order, by so many threads; a few are done ahead of being asked for, so that
    memory stays bounded.
    """
    rest = iter(things)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            while True:
                while len(waiting) < _AHEAD + threads and (thing := next(rest, None)) is not None:
                    waiting.append(pool.submit(work, thing))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _fetched(address: str) -> bytes:
    """What lies at an http address. Raises ``DataError`` naming it."""
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(address, headers={"User-Agent": "nasion"}), timeout=_SECONDS) as answer:
            data = answer.read(_LIMIT + 1)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise DataError(f"{address}: could not be fetched ({getattr(error, 'reason', None) or error}).") from error
    if len(data) > _LIMIT:
        raise DataError(f"{address}: more than {_LIMIT:,} bytes, the limit.")
    return data
