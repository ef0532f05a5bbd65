"""The files that labels come from, by hashes: a list says of which labels it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from nasion.data.corrections.change_list import ChangeList
from nasion.media.signatures import IMAGE_SUFFIXES

_BLOCK = 1 << 20  # bytes that are read at once


def source_hashes(root: Path) -> Mapping[str, str]:
    """Hashes of the files of labels at ``root``, by their names from there; not of images.

    Empty for data without files.
    """
    if root.is_file():
        return {root.name: _hash(root)}
    files = sorted(path for path in root.rglob("*") if _is_source(path)) if root.is_dir() else []
    return {path.relative_to(root).as_posix(): _hash(path) for path in files}


def changed_sources(lists: Sequence[ChangeList], root: Path) -> list[str]:
    """The files that are not what they were when a list was begun, or are no more."""
    known: dict[str, str] = {}
    for each in lists:
        known |= each.header.sources
    if not known:
        return []
    now = source_hashes(root)
    return [name for name, value in known.items() if now.get(name) != value]


def _is_source(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix not in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _hash(path: Path) -> str:
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
