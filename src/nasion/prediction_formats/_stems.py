"""Names of output files: one for each input, so that no face's file overwrites another's.

An input's stem is followed by ``-points`` (drawn), ``@NUMBER`` (a frame of a video) and ``#NUMBER``
(the second and later faces in ``.pts`` files).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

# Bytes. File systems allow 255, and `-12345@12345678#99.pts` may follow.
_MAX_STEM = 230
_FACE = re.compile(r"(.+)#\d+", re.S)
_FRAME = re.compile(r"(.+)@\d+", re.S)


def stems(names: Sequence[str], videos: Sequence[str] = ()) -> list[str]:
    """A unique file name without suffix for each input; equal names are numbered.

    Names that differ in case only are equal, since they are for many file systems. Names that could
    be those of another input's faces (``team#2`` beside ``team``), or of frames of one of these
    ``videos`` (stems), are numbered too.
    """
    plain = [_plain(name) for name in names]
    taken = _Taken({_key(stem) for stem in plain}, {_key(stem) for stem in videos})
    numbers: dict[str, int] = {}
    chosen: list[str] = []
    for stem in plain:
        found = stem
        while not taken.take(found):
            # Counted on from the last: 10,000 images of one name would be tried 50 million times.
            numbers[stem] = numbers.get(stem, 1) + 1
            found = f"{stem}-{numbers[stem]}"
        chosen.append(found)
    return chosen


class _Taken:
    """Which stems are no longer free. ``all_plain``: of all inputs, before they are numbered."""

    def __init__(self, all_plain: set[str], videos: set[str]) -> None:
        self._all_plain, self._videos = all_plain, videos
        self._taken: set[str] = set()
        self._owners: set[str] = set()  # of taken stems that look like a face of another

    def take(self, stem: str) -> bool:
        """Take this stem, if it is free."""
        key = _key(stem)
        if key in self._taken or key in self._owners:
            return False
        as_face = _FACE.fullmatch(key)
        image = as_face[1] if as_face else key
        if as_face and (image in self._taken or image in self._all_plain):
            return False
        as_frame = _FRAME.fullmatch(image)
        if as_frame and as_frame[1] in self._videos:
            return False
        self._taken.add(key)
        self._owners |= {image} if as_face else set()
        return True


def _plain(name: str) -> str:
    """The name without folder and suffix, short enough for what follows it."""
    # Images of different folders may have the same name, but share one output folder.
    stem = Path(name.rstrip("/")).stem.replace("\0", "_")[:_MAX_STEM] or "image"
    while len(stem.encode("utf-8", "surrogatepass")) > _MAX_STEM:
        stem = stem[:-1]
    return stem


def _key(stem: str) -> str:
    """Equal for names that are one on some file system."""
    return unicodedata.normalize("NFC", stem).casefold()
