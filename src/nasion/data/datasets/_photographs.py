"""Which photograph a face is from, by its file name, so that no split tears one apart."""

from __future__ import annotations

import re
from pathlib import PurePath

MIRROR = "_mirror"
_AUGMENTED = re.compile(r"\.rf\.[0-9A-Za-z]{16,}$")  # Roboflow's copies: photo_jpg.rf.1a2b...
_NUMBERED_FACE = re.compile(r"(\d+)_\d{1,2}$")


def photograph(file: str) -> str:
    """The path without suffix; mirrored copies and faces of one image share it.

    ``12_1_mirror`` is ``12_1``. Files of one name in two folders are two photographs: many sets
    number the images of each person from 1. Files named by two numbers, the second short, are faces
    of one photograph, as HELEN's and AFW's ``134212_1`` and ``134212_2``; ``20230115_093012`` is a
    date and a time.
    """
    path = PurePath(file)
    stem = _AUGMENTED.sub("", path.stem).removesuffix(MIRROR)
    numbered = _NUMBERED_FACE.match(stem)
    return str(path.with_name(numbered[1] if numbered else stem))


def is_augmented(file: str) -> bool:
    """Whether a name is of one of several altered copies of a photograph."""
    return _AUGMENTED.search(PurePath(file).stem) is not None
