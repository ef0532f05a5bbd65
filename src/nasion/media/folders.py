"""The images and videos of a folder and all below it; what else is there is said in one line."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nasion.errors import DataError, reason_of
from nasion.media.signatures import IMAGE_SUFFIXES, kind_of

_log = logging.getLogger("nasion")
_NAMED = 5  # kinds of files, and links, that are named
_MAC_ARCHIVE = "__MACOSX"  # what macOS adds to archives: a resource fork for each file


class FolderContents(NamedTuple):
    """``media``: images and videos. ``unopened``: folders that could not be opened."""

    media: list[Path]
    unopened: list[Path]


@dataclass
class _Found:
    """``others``: files that are neither image nor video, by suffix. ``hidden``: files and folders.
    ``unopened``: folders. ``broken``: what could not be followed, as links that lead nowhere."""

    media: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    hidden: list[str] = field(default_factory=list)
    unopened: dict[Path, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def is_hidden(name: str) -> bool:
    """True for names that begin with a dot, as macOS's ``._photo.jpg``, and for ``__MACOSX``."""
    return name.startswith(".") or name == _MAC_ARCHIVE


def hidden_left_out(names: Sequence[str]) -> str:
    """That hidden files and folders were left out, in words; empty without names."""
    if not names:
        return ""
    what = "hidden file or folder was" if len(names) == 1 else "hidden files and folders were"
    return f"{len(names)} {what} left out ({_first(names)})"


def media_below(folder: Path) -> FolderContents:
    """The images and videos, sorted by name; a linked folder counts once, where it was met first.

    Files whose suffix tells nothing are taken if their first bytes are those of an image or a
    video; hidden files and folders are left out. Raises ``DataError`` if there are none.
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
        if folder in found.unopened:
            raise DataError(f"{folder}: the folder cannot be opened ({found.unopened[folder]}).")
        unopened = [f"{path} ({reason})" for path, reason in sorted(found.unopened.items())]
        if unopened:
            what = "folder" if len(unopened) == 1 else "folders"
            cannot = f"{len(unopened)} {what} could not be opened: {_first(unopened)}"
            left_out = "; ".join(filter(None, (left_out, cannot)))
        known = ", ".join(IMAGE_SUFFIXES)
        raise DataError(
            f"{folder}: no images in this folder or below it ({known}), nor videos"
            f"{'; ' if left_out else ''}{left_out}."
        )
    if left_out:
        _log.warning("%s: %s.", folder, left_out)
    # Sorted, since the file system has no order that can be relied on.
    return FolderContents(sorted(found.media), sorted(found.unopened))


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
            found.unopened[folder] = reason_of(error)
            continue
        for entry in entries:
            path = folder / entry.name
            if is_hidden(entry.name):
                found.hidden.append(str(path))
                continue
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
    if hidden := hidden_left_out(sorted(found.hidden)):
        parts.append(hidden)
    if found.broken:
        parts.append(f"{len(found.broken)} could not be followed: {_first(sorted(found.broken))}")
    return "; ".join(parts)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
