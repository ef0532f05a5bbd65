"""Resolve inputs (files, globs, URLs, stdin, cameras); map over them in order with threads."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

import numpy as np

from nasion.errors import DataError, SettingError
from nasion.media.addresses import is_stream, is_url, split_password
from nasion.media.animation import is_animation
from nasion.media.files import read_text
from nasion.media.folders import hidden_left_out, is_hidden, media_below
from nasion.media.images import open_image
from nasion.media.several_images import note_several
from nasion.media.signatures import VIDEO_SUFFIXES, kind_of
from nasion.media.video import VideoInput, camera_number

_log = logging.getLogger("nasion")
_LIVE_SUFFIXES = (".mjpg", ".mjpeg")  # of URLs of cameras
_MAX_STDIN = 200 << 20  # bytes
_PREFETCH = 2  # results beyond the number of threads that are computed before they are asked for
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ImageInput:
    """An image to process, not opened yet. ``source``: its file, its contents, or its URL."""

    name: str
    source: Path | bytes | str

    def pixels(self, colour: bool) -> np.ndarray:
        """uint8 (H, W) or (H, W, 3), upright. Raises ``DataError``.

        Of several images in one file the first, with a note.
        """
        source = self.downloaded().source
        assert not isinstance(source, str)
        pixels = open_image(source, colour, self.name)
        note_several(source, self.name)
        return pixels

    def downloaded(self) -> ImageInput:
        """The same with the contents of its URL, so that it can be opened more than once.

        Raises ``DataError``.
        """
        if not isinstance(self.source, str):
            return self
        from nasion.media.downloads import download

        return replace(self, source=download(self.source))


@dataclass(frozen=True)
class UnreadableInput:
    """An image or video that could not be read, and why. ``counted_as``: in summaries."""

    name: str
    reason: str
    counted_as: str = "could not be read"

    @classmethod
    def of(cls, name: str, error: DataError) -> UnreadableInput:
        """From an error, whose message may begin with the name."""
        return cls(name, str(error).removeprefix(f"{name}: "))


def resolve_inputs(words: Sequence[str]) -> list[ImageInput | VideoInput]:
    """The images and videos that the words name, each file once.

    The order is that of the words; folders and globs are sorted by name, a ``.txt`` list keeps its
    lines. Raises ``DataError`` for a folder without images, a glob without matches or an empty
    list, and ``SettingError`` if there are no words, and for a word that can name nothing.
    """
    if not words:
        raise SettingError(
            "Name an image, a video, a folder, a glob, a list of files (.txt), a URL (http, rtsp), "
            "a camera number, or - for standard input."
        )
    found: dict[str, ImageInput | VideoInput] = {}
    for word in words:
        for each in _resolve(word):
            # A dictionary keeps the order; setdefault keeps the first of two equal names.
            found.setdefault(each.name, each)
    return list(found.values())


def _resolve(word: str) -> Iterator[ImageInput | VideoInput]:
    if not word.strip():  # as an unset variable gives; Path("") would be this folder
        raise SettingError("An input is empty; name a file, or . for this folder.")
    path, camera = Path(word), camera_number(word)
    if word == "-":
        yield ImageInput("standard input", _standard_input())
    elif "://" in word and not path.exists():
        yield _at_address(word)
    elif path.is_dir():
        contents = media_below(path)
        yield from map(_file, contents.media)
        # Refused with the reason where it is read, as an image that cannot be.
        yield from (ImageInput(str(each), each) for each in contents.unopened)
    # A file that exists is taken by its name, even if that contains a wildcard. The same holds for
    # a file called 0 and the camera below.
    elif not path.exists() and any(sign in word for sign in "*?["):
        yield from map(_file, _matching_files(word))
    elif path.suffix.lower() == ".txt" and path.is_file():
        yield from _listed(path)
    elif not path.exists() and camera is not None:
        yield VideoInput(camera)
    else:
        yield _file(path)


def _listed(path: Path) -> Iterator[ImageInput | VideoInput]:
    """What the lines of a list name, relative to its folder. ``DataError`` for an empty list."""
    lines = [(k, line.strip()) for k, line in enumerate(read_text(path).splitlines(), start=1)]
    if not any(line for _, line in lines):
        raise DataError(f"{path}: this list names no file; write one file name or URL per line.")
    for number, line in lines:
        if "\0" in line:
            raise DataError(f"{path} line {number}: a NUL character; no file's name can have it.")
        if line:
            yield _at_address(line) if "://" in line else _file(path.parent / line)


def _matching_files(pattern: str) -> list[Path]:
    """The files that a pattern matches, sorted, without hidden ones that it does not name."""
    path = Path(pattern)
    if any("**" in part and part != "**" for part in path.parts):
        raise SettingError(
            f"{pattern}: in a pattern ** stands alone for any folders, as in {Path('**') / '*.jpg'}"
            "; for any characters of a name write *."
        )
    # Path.glob takes relative patterns only, so an absolute one starts at its root.
    matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    files = [match for match in matches if match.is_file()]
    if not files:
        if not matches:
            raise DataError(f"{pattern}: no file matches this pattern.")
        top = path.parent if path.name == "*" else path
        raise DataError(
            f"{pattern}: this pattern matches folders only, as {matches[0]}; name a folder, or "
            f"write {top / '**' / '*'} for all files below."
        )
    wild = next(i for i, part in enumerate(path.parts) if any(sign in part for sign in "*?["))
    if any(map(is_hidden, path.parts[wild:])):
        return files
    hidden = [str(file) for file in files if any(map(is_hidden, file.parts[wild:]))]
    if len(hidden) == len(files):
        raise DataError(
            f"{pattern}: this pattern matches hidden files only, as {hidden[0]}; name them, or "
            "write a pattern that begins with a dot."
        )
    if hidden:
        _log.warning("%s: %s.", pattern, hidden_left_out(hidden))
    return [file for file in files if str(file) not in set(hidden)]


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(_MAX_STDIN + 1)
    if len(data) > _MAX_STDIN:
        raise DataError(f"standard input: more than {_MAX_STDIN:,} bytes, the limit.")
    return data


def _at_address(url: str) -> ImageInput | VideoInput:
    if is_stream(url):
        return VideoInput(url)
    if not is_url(url):
        raise DataError(f"{url}: of addresses only http, https and rtsp are read.")
    try:
        suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError as error:
        raise DataError(f"{url}: not a readable address ({error}).") from error
    is_video = suffix in (*VIDEO_SUFFIXES, *_LIVE_SUFFIXES)
    return VideoInput(url) if is_video else ImageInput(split_password(url)[0], url)


def _file(path: Path) -> ImageInput | VideoInput:
    is_video = is_animation(path) or kind_of(path) == "video"
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
