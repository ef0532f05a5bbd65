"""The images and videos of a folder and all below it; what else is there is said in one line."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from nasion.errors import DataError
from nasion.media.signatures import IMAGE_SUFFIXES, kind_of

_log = logging.getLogger("nasion")
_NAMED = 5  # kinds of files, and links, that are named


@dataclass
class _Found:
    """``others``: files that are neither image nor video, by suffix. ``broken``: what could not
    be followed, as links that lead nowhere."""

    media: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def media_below(folder: Path) -> list[Path]:
    """The images and videos, sorted by name; a linked folder counts once, where it was met first.

    Files whose suffix tells nothing are taken if their first bytes are those of an image or a
    video. Raises ``DataError`` if there are none.
    """
    found = _Found()
    seen: set[tuple[int, int]] = set()
    links = [folder]
    # Linked folders come after all others, so that a folder keeps its own name, not a link's.
    while links:
        folders, links = sorted(links), []
        for each in folders:
            links += _walk(each, found, seen)
    left_out = _left_out(found)
    if not found.media:
        known = ", ".join(IMAGE_SUFFIXES)
        raise DataError(
            f"{folder}: no images in this folder or below it ({known}), nor videos"
            f"{'; ' if left_out else ''}{left_out}."
        )
    if left_out:
        _log.warning("%s: %s.", folder, left_out)
    # Sorted, since the file system has no order that can be relied on.
    return sorted(found.media)


def _walk(top: Path, found: _Found, seen: set[tuple[int, int]]) -> list[Path]:
    """Look at a folder and all below it; returns the links to folders that were met."""
    links = []
    stack = [top]
    while stack:
        folder = stack.pop()
        try:
            status = folder.stat()
            entries = list(os.scandir(folder)) if _is_new(status, seen) else []
        except OSError as error:
            found.broken.append(f"{folder} ({error.strerror or error})")
            continue
        for entry in entries:
            path = folder / entry.name
            try:
                if entry.is_dir():
                    (links if entry.is_symlink() else stack).append(path)
                elif entry.is_file():
                    _add_file(path, found)
                else:
                    kind = "a link that leads nowhere" if entry.is_symlink() else "a pipe or device"
                    found.broken.append(f"{path} ({kind})")
            except OSError as error:  # two links that lead to each other
                found.broken.append(f"{path} ({error.strerror or error})")
    return links


def _is_new(status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True


def _add_file(path: Path, found: _Found) -> None:
    if kind_of(path, trust_suffix=False):
        found.media.append(path)
    else:
        found.others[path.suffix.lower() or "no suffix"] += 1


def _left_out(found: _Found) -> str:
    """What was passed over, in words; empty if nothing was."""
    parts = []
    if total := sum(found.others.values()):
        kinds = [f"{kind} {count}" for kind, count in found.others.most_common(_NAMED)]
        more = ", ..." if len(found.others) > _NAMED else ""
        what = (
            "file is neither an image nor a video"
            if total == 1
            else ("files are neither images nor videos")
        )
        parts.append(f"{total} {what} ({', '.join(kinds)}{more})")
    if found.broken:
        more = ", ..." if len(found.broken) > _NAMED else ""
        names = ", ".join(sorted(found.broken)[:_NAMED])
        parts.append(f"{len(found.broken)} could not be followed: {names}{more}")
    return "; ".join(parts)
