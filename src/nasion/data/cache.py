"""Arrays kept between runs, memory-mapped, under a key made from the content of their source files.

An entry has checksums, which are compared before it is used: a disk's flipped bit must not become a
label. A damaged entry is made again.

Hashing a large file takes longer than opening what is cached, so a file's hash is remembered with
its size and modification times; a file that is touched is hashed again. The cache is the folder
``$NASION_CACHE`` or ``~/.cache/nasion``; deleting it is safe. What has not been used for longest
is deleted when it holds more than ``$NASION_CACHE_GB`` gigabytes (10 unless set).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import numpy as np

from nasion.errors import SettingError
from nasion.media.file_names import name_bytes
from nasion.media.files import write_text

VERSION = "3"  # part of every key: raise it when the meaning of cached values changes
_BLOCK = 1 << 20  # bytes that are read at once
_LIMIT_GB = 10.0
_ABANDONED = 24 * 3600.0  # seconds after which an entry that is still being written never will be
Entry = tuple[Mapping[str, np.ndarray], dict[str, Any]]  # arrays by name, and a JSON value


def folder() -> Path:
    """The cache folder; it may not exist yet."""
    home = os.environ.get("NASION_CACHE")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nasion"


def limit() -> float:
    """How many bytes the cache may hold: ``$NASION_CACHE_GB`` gigabytes, or 10.

    Raises:
        SettingError: The variable holds something else than a number of gigabytes.
    """
    value = os.environ.get("NASION_CACHE_GB", "")
    try:
        gigabytes = float(value) if value else _LIMIT_GB
    except ValueError:
        gigabytes = math.nan
    if not gigabytes >= 0:
        raise SettingError(
            f"the environment variable NASION_CACHE_GB is {value!r}; it must be a number of"
            " gigabytes such as 10"
        )
    return gigabytes * 1e9


def content_key(files: Sequence[Path], *settings: str) -> str:
    """A key for what is made from these files' content with these settings."""
    digest = blake2b(digest_size=16)
    for part in (VERSION, *settings, *map(_content_hash, files)):
        digest.update(name_bytes(part) + b"\0")
    return digest.hexdigest()


def cached(key: str, make: Callable[[], Entry]) -> Entry:
    """The entry under ``key``; if it is missing or damaged, make and store it.

    A cache that cannot be written costs time, not the result.

    Raises:
        SettingError: See :func:`limit`.
    """
    most = limit()
    entry = folder() / key
    found = _load(entry)
    if found is not None:
        with suppress(OSError):
            os.utime(entry / "entry.json")  # used now: `_make_room` deletes others first
        return found
    arrays, value = make()
    with suppress(OSError):
        _store(entry, arrays, value)
        _make_room(entry, most)
    return arrays, value


def digest_of(array: np.ndarray) -> str:
    """A short hash of an array's bytes, to be part of a key."""
    return blake2b(array.tobytes(), digest_size=16).hexdigest()


def _load(entry: Path) -> Entry | None:
    """An entry as it was stored; None if it is missing, or anything in it has changed."""
    try:
        checksum, _, header = (entry / "entry.json").read_bytes().partition(b"\n")
        if int(checksum, 16) != crc32(header):
            return None
        known = json.loads(header)
        arrays = {}
        for name, expected in known["arrays"].items():
            if _checksum(entry / f"{name}.npy") != expected:
                return None
            # Memory-mapped, so that arrays larger than memory can be used.
            arrays[name] = np.load(entry / f"{name}.npy", mmap_mode="r")
        return arrays, known["value"]
    except (OSError, ValueError, KeyError):
        return None


def _checksum(path: Path) -> int:
    """The CRC-32 of a file: about a second per gigabyte, and no single error escapes it."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = crc32(block, value)
    return value


def _store(entry: Path, arrays: Mapping[str, np.ndarray], value: dict) -> None:
    temporary = entry.with_name(f".{entry.name}.{uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        checksums = {name: _checksum(temporary / f"{name}.npy") for name in arrays}
        header = json.dumps({"arrays": checksums, "value": value}).encode()
        (temporary / "entry.json").write_bytes(b"%08x\n%b" % (crc32(header), header))
        # A folder with content cannot be replaced, so a damaged entry goes first. Another process
        # may have stored the same entry meanwhile: then `replace` fails, which `cached` forgives.
        shutil.rmtree(entry, ignore_errors=True)
        os.replace(temporary, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _make_room(newest: Path, most: float) -> None:
    """Delete the entries that were not used for longest, but not the newest, down to the limit."""
    used = []
    for entry in newest.parent.iterdir():
        with suppress(OSError):  # another process may be deleting it
            if entry.name.startswith("."):  # being written, or left by a process that was killed
                if time.time() - entry.stat().st_mtime > _ABANDONED:
                    shutil.rmtree(entry, ignore_errors=True)
            elif (entry / "entry.json").is_file():
                size = sum(file.stat().st_size for file in entry.iterdir())
                used.append(((entry / "entry.json").stat().st_mtime, size, entry))
    total = sum(size for _, size, _ in used)
    for _, size, entry in sorted(used):
        if total <= most:
            return
        if entry != newest:
            # Arrays that a process has mapped stay readable to it on Linux and macOS; Windows
            # refuses to delete them.
            shutil.rmtree(entry, ignore_errors=True)
            total -= size


def _content_hash(path: Path) -> str:
    # The inode notices a file that another was renamed over; the time of change (ctime), unlike
    # that of modification, cannot be set back.
    stat = path.stat()
    signature = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}"
    signature += f"\0{stat.st_ino}"
    digest = blake2b(digest_size=16)
    remembered = folder() / "hashes" / blake2b(name_bytes(signature), digest_size=16).hexdigest()
    with suppress(OSError, ValueError):
        known = remembered.read_text(encoding="ascii")
        # A flipped bit gives another key and so another entry; a cut file would match others.
        if len(known) == 2 * digest.digest_size:
            return known
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    with suppress(OSError):
        write_text(remembered, digest.hexdigest())
    return digest.hexdigest()
