"""Marks in the comments of images and videos that nasion wrote.

Drawings are not taken for new inputs, and only files with a mark are replaced by results.
"""

from __future__ import annotations

from pathlib import Path

DRAWN_MARK = "points drawn by nasion"
WRITTEN_MARK = "written by nasion"  # in crops, and where faces are hidden
# Of stems, after a hyphen: of drawings, and of images and clips with faces hidden.
DRAWN_ENDING, HIDDEN_ENDING = "points", "anonymised"
VIDEO_SUFFIXES = (".mp4", ".mkv")
DRAWN_SUFFIXES = (".jpg", ".png", *VIDEO_SUFFIXES)
# A JPEG, PNG and Matroska have their comment at the start, MP4 at the end.
_ENDS = 1 << 16  # bytes


def is_drawn(path: Path) -> bool:
    """True for a file that nasion drew, by its name and its mark."""
    # The name first: no other file is opened.
    if path.suffix.lower() not in DRAWN_SUFFIXES or not path.stem.endswith(f"-{DRAWN_ENDING}"):
        return False
    return _has_mark(path, (DRAWN_MARK,))


def is_hidden(path: Path) -> bool:
    """True for an image or a clip that nasion anonymised, by its name and its mark."""
    if path.suffix.lower() not in DRAWN_SUFFIXES or not path.stem.endswith(f"-{HIDDEN_ENDING}"):
        return False
    return is_written(path)


def is_written(path: Path) -> bool:
    """True for an image or a video that nasion drew, cropped or anonymised, by its mark."""
    return _has_mark(path, (DRAWN_MARK, WRITTEN_MARK))


def _has_mark(path: Path, marks: tuple[str, ...]) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(_ENDS)
            file.seek(max(path.stat().st_size - _ENDS, 0))
            end = file.read(_ENDS)
    except OSError:
        return False  # reading it as an input says why
    return any(mark.encode() in part for mark in marks for part in (start, end))
