"""Arrays kept between runs, memory-mapped, under a key made from the content of their source files.

Hashing a large file takes longer than opening what is cached, so a file's hash is remembered with
its size and modification times; a file that is touched is hashed again. The cache is the folder
``$NASION_CACHE`` or ``~/.cache/nasion``; deleting it is safe.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from nasion.media.files import write_text

VERSION = "2"  # part of every key: raise it when the meaning of cached values changes
Entry = tuple[Mapping[str, np.ndarray], dict[str, Any]]  # arrays by name, and a JSON value


def folder() -> Path:
    """The cache folder; it may not exist yet."""
    home = os.environ.get("NASION_CACHE")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nasion"


def content_key(files: Sequence[Path], *settings: str) -> str:
    """A key for what is made from these files' content with these settings."""
    digest = blake2b(digest_size=16)
    for part in (VERSION, *settings, *map(_content_hash, files)):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def cached(key: str, make: Callable[[], Entry]) -> Entry:
    """The entry under ``key``; if it is missing or damaged, make and store it.

    A cache that cannot be written costs time, not the result.
    """
    entry = folder() / key
    try:
        # Memory-mapped, so that an array's pages are read when they are used.
        header = json.loads((entry / "entry.json").read_text())
        arrays = {n: np.load(entry / f"{n}.npy", mmap_mode="r") for n in header["arrays"]}
        return arrays, header["value"]
    # EOFError: NumPy's for an empty file.
    except (OSError, ValueError, KeyError, EOFError):
        arrays, value = make()
    with suppress(OSError):
        _store(entry, arrays, value)
    return arrays, value


def digest_of(array: np.ndarray) -> str:
    """A short hash of an array's bytes, to be part of a key."""
    return blake2b(array.tobytes(), digest_size=16).hexdigest()


def _store(entry: Path, arrays: Mapping[str, np.ndarray], value: dict) -> None:
    temporary = entry.with_name(f".{entry.name}.{uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        header = json.dumps({"arrays": list(arrays), "value": value})
        (temporary / "entry.json").write_text(header)
        # A folder with content cannot be replaced, so a damaged entry goes first. Another process
        # may have stored the same entry meanwhile: then `replace` fails, which `cached` forgives.
        shutil.rmtree(entry, ignore_errors=True)
        os.replace(temporary, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _content_hash(path: Path) -> str:
    # The inode notices a file that another was renamed over; the time of change (ctime), unlike
    # that of modification, cannot be set back.
    stat = path.stat()
    signature = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}"
    signature += f"\0{stat.st_ino}"
    remembered = folder() / "hashes" / blake2b(signature.encode(), digest_size=16).hexdigest()
    with suppress(OSError):
        return remembered.read_text()
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    with suppress(OSError):
        write_text(remembered, digest.hexdigest())
    return digest.hexdigest()
