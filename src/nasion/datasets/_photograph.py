"""Which photograph a face is from, told by its file's name, so that no photograph is on both sides of a split."""

from __future__ import annotations

import re
from pathlib import PurePath

MIRROR = "_mirror"
_SEVERAL = re.compile(r"(\d+)_\d{1,2}$")


def photograph(file: str) -> str:
    """The name without folder and ending, mirror twins as one (``12_1_mirror`` as ``12_1``), faces of one picture as one.

    Files named by two numbers, the second short, as HELEN's and AFW's ``134212_1`` and ``134212_2``, are faces of the
    photograph 134212 (but ``20230115_093012`` is a date and a time).
    """
    stem = PurePath(file).stem.removesuffix(MIRROR)
    several = _SEVERAL.match(stem)
    return several[1] if several else stem
