"""Files of several images, as TIFFs of many pages: a note says that only the first is read."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path
from typing import Any

from nasion.media.images import identify

_MOST = 100  # pages that are counted
_SUBFILE_TYPE, _PREVIEW_OR_MASK = 254, 0b101  # TIFF's tag of a page, and bits of its value
_ENTRIES = 0xB002  # the tag of MPO's list of images
_log = logging.getLogger(__name__)


def note_several(image: Path | bytes, name: str) -> None:
    """Log a note if a file, or a file's contents, holds more than one photograph."""
    count = image_count(image)
    if count > 1:
        shown = f"{_MOST} images or more" if count >= _MOST else f"{count} images"
        _log.warning("%s: %s, only the first is read.", name, shown)


def image_count(image: Path | bytes) -> int:
    """How many photographs a file holds, at most ``_MOST``; 1 also if it cannot be read.

    Previews, masks and gain maps, which cameras store beside a photograph, are no photographs.
    """
    try:
        with identify(BytesIO(image) if isinstance(image, bytes) else image) as file:
            if file.format == "TIFF":
                return _tiff_pages(file)
            if file.format == "MPO":
                return _mpo_photographs(file)
            return min(getattr(file, "n_frames", 1), _MOST)
    # Of any type, as in `open_image`; whoever needs the image says what is wrong with it.
    except Exception:
        return 1


def _tiff_pages(file: Any) -> int:
    pages = 1
    for number in range(1, _MOST):
        try:
            file.seek(number)
        except Exception:  # the end, or damage behind the first page, which is all that is read
            break
        pages += not int(file.tag_v2.get(_SUBFILE_TYPE, 0)) & _PREVIEW_OR_MASK
    return pages


def _mpo_photographs(file: Any) -> int:
    photographs, size = 1, file.size
    for number, entry in enumerate(file.mpinfo[_ENTRIES][1:_MOST], start=1):
        kind = str(entry["Attribute"]["MPType"])
        if kind == "Undefined":
            # A gain map is smaller than its photograph.
            file.seek(number)
            photographs += file.size == size
        else:
            photographs += kind.startswith("Multi-Frame")
    return photographs
