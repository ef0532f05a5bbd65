"""Arrays kept between runs, memory-mapped, under a key made of the content of the files they came from.

Hashing a large file takes longer than opening what is kept, so a file's hash is remembered with its size and its times
of change; a file that is touched is hashed again. Lies in ``$NASION_CACHE`` or ``~/.cache/nasion``; deleting it is safe.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np

from nasion.files import write_text

VERSION = "1"  # part of every key: raise it when what is kept changes its meaning


def folder() -> Path:
    home = os.environ.get("NASION_CACHE")
    return Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nasion"


def content_key(files: Sequence[Path], *what: str) -> str:
    """A name for what is made from these files' content; ``what`` says what is made, and with which settings."""
    digest = blake2b(digest_size=16)
    for part in (VERSION, *what, *map(_content_hash, files)):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def kept(key: str, make: Callable[[], tuple[Mapping[str, np.ndarray], dict]]) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays and a JSON value kept under ``key``; made and kept first where they are not there or damaged.

    A cache that cannot be written costs time, not the result.
    """
    entry = folder() / key
    try:
        facts = json.loads((entry / "facts.json").read_text())
        return {name: np.load(entry / f"{name}.npy", mmap_mode="r") for name in facts["arrays"]}, facts["value"]
    except (OSError, ValueError, KeyError, EOFError):
        arrays, value = make()
    with suppress(OSError):
        _keep(entry, arrays, value)
    return dict(arrays), value


def _keep(entry: Path, arrays: Mapping[str, np.ndarray], value: dict) -> None:
    beside = entry.with_name(f".{entry.name}.{uuid4().hex[:8]}")
    try:
        beside.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(beside / f"{name}.npy", array, allow_pickle=False)
        (beside / "facts.json").write_text(json.dumps({"arrays": list(arrays), "value": value}))
        shutil.rmtree(entry, ignore_errors=True)
        os.replace(beside, entry)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _content_hash(path: Path) -> str:
    stat = path.stat()
    signature = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0{stat.st_ino}"
    remembered = folder() / "hashes" / blake2b(signature.encode(), digest_size=16).hexdigest()
    try:
        return remembered.read_text()
    except OSError:
        digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    with suppress(OSError):
        write_text(remembered, digest.hexdigest())
    return digest.hexdigest()
