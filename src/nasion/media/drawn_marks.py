"""The mark in images and videos that nasion drew, so that they are not taken for new inputs."""

from __future__ import annotations

from pathlib import Path

DRAWN_MARK = "points drawn by nasion"  # in an image's or a video's comment
DRAWN_ENDING = "points"  # of a drawing's stem, after a hyphen
DRAWN_SUFFIXES = (".jpg", ".png", ".mp4", ".mkv")
# A JPEG, PNG and Matroska have their comment at the start, MP4 at the end.
_ENDS = 1 << 16  # bytes


def is_drawn(path: Path) -> bool:
    """True for a file that nasion drew, by its name and its mark."""
    # The name first: no other file is opened.
    if path.suffix.lower() not in DRAWN_SUFFIXES or not path.stem.endswith(f"-{DRAWN_ENDING}"):
        return False
    try:
        with path.open("rb") as file:
            start = file.read(_ENDS)
            file.seek(max(path.stat().st_size - _ENDS, 0))
            end = file.read(_ENDS)
    except OSError:
        return False  # reading it as an input says why
    mark = DRAWN_MARK.encode()
    return mark in start or mark in end
