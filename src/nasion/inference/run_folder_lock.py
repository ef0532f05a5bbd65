"""One training at a time in a run folder: a lock that ends with the process that holds it.

Two trainings would write over each other's weights and history, and both would end well. The
system's own file lock is used, so a killed process leaves nothing that must be cleaned up.
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
from pathlib import Path
from typing import Any

from nasion.errors import RunError

FILE = ".lock"
_MAX_BYTES = 4096  # of the holder's description
_LOCKED_BYTE = 1 << 20  # where Windows locks: beyond the description, which stays readable
# How often, and after how many seconds, a folder is tried again that another process removed. Links
# to nowhere and places like /proc look the same, and stay so.
_ATTEMPTS, _PAUSE = 20, 0.01
_log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, making the folder if need be.

    Raises ``RunError`` with the process that holds it. A file system without locks is noted and
    used as it is.
    """
    existed = folder.is_dir()
    path = folder / FILE
    handle = _acquired(path)
    for _ in range(_ATTEMPTS):
        if handle is None:
            time.sleep(_PAUSE)
            handle = _acquired(path)
    if handle is None:
        raise RunError(f"{folder} cannot be made or written to; name another folder with --run.")
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


def _acquired(path: Path) -> int | None:
    """An open, locked file at this path; None if its holder removed it meanwhile."""
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except (FileExistsError, FileNotFoundError):
        # Removed between two steps by a training that wrote nothing; else it is a file.
        if folder.exists() and not folder.is_dir():
            raise _is_file(folder) from None
        return None
    except NotADirectoryError:
        file = next(parent for parent in folder.parents if parent.is_file())
        raise _is_file(file) from None
    try:
        if not _try_lock(handle, path):
            raise _in_use(path, os.read(handle, _MAX_BYTES))
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


def _is_file(path: Path) -> RunError:
    return RunError(f"{path} is a file; a run needs a folder: name another one with --run.")


def _try_lock(handle: int, path: Path) -> bool:
    """False if another process, or another training of this one, holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            # flock, not lockf: a second training in the same process is another opener.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        _log.warning("%s cannot be locked (%s); start no second training there.", path, error)
    return True


def _description() -> bytes:
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": started}).encode()


def _in_use(path: Path, description: bytes) -> RunError:
    holder: Any = None
    with suppress(ValueError):
        holder = json.loads(description)
    who, stop = "another process", "stop it"
    if isinstance(holder, dict) and isinstance(holder.get("pid"), int):
        pid, host = holder["pid"], str(holder.get("host", ""))
        elsewhere = "" if host == socket.gethostname() else f" on {host}"
        who = f"process {pid}{elsewhere} (since {holder.get('since')})"
        stop = f"stop it (kill {pid})"
        if pid == os.getpid():
            who, stop = "this process", "let it end"
    return RunError(
        f"{path.parent} is being trained by {who}; wait until it has ended, {stop}, "
        "or name another folder with --run."
    )
