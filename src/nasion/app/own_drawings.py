"""Results of earlier runs among the inputs: left out, and said."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from nasion.errors import DataError
from nasion.media.counted import counted
from nasion.media.drawn_marks import DRAWN_SUFFIXES, is_drawn, is_hidden, is_written
from nasion.media.inputs import ImageInput
from nasion.media.video import VideoInput

_log = logging.getLogger("nasion")
_Inputs = Sequence[ImageInput | VideoInput]


def without_drawings(
    inputs: _Inputs, words: Sequence[str], results: Path | None = None
) -> list[ImageInput | VideoInput]:
    """The inputs that nasion did not write, or that the words name one by one.

    Left out are drawings, images with faces hidden unless there are no others, and crops that lie
    in ``results``, the folder that new ones are written into. Raises ``DataError`` if there are
    drawings alone.
    """
    named = {str(Path(word)) for word in words}
    kept = _without(inputs, named, is_drawn, "drawn", needed=True)
    kept = _without(kept, named, is_hidden, "anonymised")
    if results is None:
        return kept
    folder = os.path.realpath(results)

    def is_result(path: Path) -> bool:
        is_there = os.path.realpath(path.parent) == folder
        return is_there and path.suffix.lower() in DRAWN_SUFFIXES and is_written(path)

    return _without(kept, named, is_result, "written")


def _without(
    inputs: _Inputs,
    named: set[str],
    is_own: Callable[[Path], bool],
    done: str,
    needed: bool = False,
) -> list[ImageInput | VideoInput]:
    """The inputs that are not nasion's own; all, if only these are there and may be.

    ``done``: what nasion did to them, for the message. ``needed``: raise if no other is there.
    """
    kept: list[ImageInput | VideoInput] = []
    own: list[str] = []
    for each in inputs:
        if isinstance(each.source, Path) and each.name not in named and is_own(each.source):
            own.append(each.name)
        else:
            kept.append(each)
    if not own or not (kept or needed):
        return list(inputs)
    names = ", ".join(own[:3]) + (", ..." if len(own) > 3 else "")
    what = counted(len(own), "file was", "files were")
    message = f"{what} {done} by nasion and left out ({names}); name such a file itself to use it."
    if not kept:
        raise DataError(message)
    _log.info("%s", message)
    return kept
