"""Drawings of earlier predictions among the inputs: left out, and said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from nasion.errors import DataError
from nasion.media.counted import counted
from nasion.media.drawn_marks import is_drawn
from nasion.media.inputs import ImageInput
from nasion.media.video import VideoInput

_log = logging.getLogger("nasion")


def without_drawings(
    inputs: Sequence[ImageInput | VideoInput], words: Sequence[str]
) -> list[ImageInput | VideoInput]:
    """The inputs that nasion did not draw, or that the words name one by one.

    Raises ``DataError`` if none is left.
    """
    named = {str(Path(word)) for word in words}
    kept: list[ImageInput | VideoInput] = []
    drawn: list[str] = []
    for each in inputs:
        if isinstance(each.source, Path) and each.name not in named and is_drawn(each.source):
            drawn.append(each.name)
        else:
            kept.append(each)
    if drawn:
        names = ", ".join(drawn[:3]) + (", ..." if len(drawn) > 3 else "")
        what = counted(len(drawn), "file was", "files were")
        message = (
            f"{what} drawn by nasion and left out ({names}); name such a file itself to use it."
        )
        if not kept:
            raise DataError(message)
        _log.info("%s", message)
    return kept
