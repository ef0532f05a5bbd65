"""A lock file that one process holds, and that ends with it.

The system's own file lock is used, so a killed process leaves nothing that must be cleaned up. The
file says who holds it, for the message that refuses a second one.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasion.errors import NasionError

_MAX_BYTES = 4096  # of the holder's description
_LOCKED_BYTE = 1 << 20  # where Windows locks: beyond the description, which stays readable
# How often, and after how many seconds, a folder is tried again that another process removed. Links
# to nowhere and places like /proc look the same, and stay so.
_ATTEMPTS, _PAUSE = 20, 0.01
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusals:
    """What is raised where a lock cannot be had. Messages are templates of ``str.format``.

    ``in_use``: ``{who}`` holds it, and ``{stop}`` says how to end that. ``is_file``: ``{file}`` is
    where a folder must be. ``unusable``: the folder cannot be made. ``no_locks``: a note on file
    systems without locks; ``{reason}``.
    """

    kind: type[NasionError]
    in_use: str
    is_file: str
    unusable: str
    no_locks: str


@contextmanager
def locked_file(path: Path, refusals: Refusals) -> Iterator[None]:
    """Hold the lock file at this path, making its folder if need be; both go if they are new.

    A file system without locks is noted and used as it is.
    """
    folder = path.parent
    existed = folder.is_dir()
    handle = _acquired(path, refusals)
    for _ in range(_ATTEMPTS):
        if handle is None:
            time.sleep(_PAUSE)
            handle = _acquired(path, refusals)
    if handle is None:
        raise refusals.kind(refusals.unusable)
    try:
        yield
    finally:
        # While it is still locked; Windows refuses to remove an open file, and it may stay.
        with suppress(OSError):
            path.unlink()
        os.close(handle)
        if not existed:
            # Nothing was written: leave nothing behind.
            with suppress(OSError):
                folder.rmdir()


def _acquired(path: Path, refusals: Refusals) -> int | None:
    """An open, locked file at this path; None if its holder removed it meanwhile."""
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except (FileExistsError, FileNotFoundError):
        # Removed between two steps by a process that wrote nothing; else it is a file.
        if folder.exists() and not folder.is_dir():
            raise refusals.kind(refusals.is_file.format(file=folder)) from None
        return None
    except NotADirectoryError:
        file = next(parent for parent in folder.parents if parent.is_file())
        raise refusals.kind(refusals.is_file.format(file=file)) from None
    try:
        if not _try_lock(handle, refusals):
            who, stop = _holder(os.read(handle, _MAX_BYTES))
            raise refusals.kind(refusals.in_use.format(who=who, stop=stop))
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                os.ftruncate(handle, 0)
                os.write(handle, _description())
                return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _try_lock(handle: int, refusals: Refusals) -> bool:
    """False if another process, or another holder in this one, has the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            # flock, not lockf: a second holder in the same process is another opener.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        _log.warning("%s", refusals.no_locks.format(reason=error))
    return True


def _description() -> bytes:
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": started}).encode()


def _holder(description: bytes) -> tuple[str, str]:
    """Who holds a lock, and how to stop it."""
    holder: Any = None
    with suppress(ValueError):
        holder = json.loads(description)
    if not isinstance(holder, dict) or not isinstance(holder.get("pid"), int):
        return "another process", "stop it"
    pid, host = holder["pid"], str(holder.get("host", ""))
    if pid == os.getpid() and host == socket.gethostname():
        return "this process", "let it end"
    elsewhere = "" if host == socket.gethostname() else f" on {host}"
    return f"process {pid}{elsewhere} (since {holder.get('since')})", f"stop it (kill {pid})"
