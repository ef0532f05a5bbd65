"""Temporary files and folders beside those they become; what killed processes left is removed.

A name tells the machine, process and start time, so that only remains of dead processes are ours to
remove: ``.nasion-MACHINE-PROCESS-START-RANDOM``.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4
from zlib import crc32

_NAME = re.compile(r"\.nasion-([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-[0-9a-f]{12}")
# Seconds without a write after which a file of another machine is taken for left behind.
_ABANDONED = 86_400


def temporary_path(folder: Path) -> Path:
    """A name for a hidden file or folder that no other process takes; the first call cleans up."""
    _clean_once(folder)
    process = os.getpid()
    name = f".nasion-{_machine()}-{process}-{_start_time(process)}-{uuid4().hex[:12]}"
    return folder / name


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder in ``folder`` that is removed at the end."""
    path = temporary_path(folder)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders of processes that are no more."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".nasion-") and _is_abandoned(entry):
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


@cache
def _clean_once(folder: Path) -> None:
    # Once per process: listing the folder for every file would take time in the square of them.
    remove_leftovers(folder)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    parts = _NAME.fullmatch(entry.name)
    if parts is None:
        return False
    machine, process, start = parts[1], int(parts[2]), int(parts[3])
    # Processes of another machine, or of another container, cannot be asked for.
    if machine != _machine() or os.name != "posix":
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED
    return not _is_alive(process, start)


def _is_alive(process: int, start: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    # Another process may have got the number since.
    return _start_time(process) in (start, 0)


def _start_time(process: int) -> int:
    """When a process started, in the kernel's own unit; 0 where there is no /proc."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        # The second field is the program's name, which may hold anything, in parentheses.
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


@cache
def _machine() -> str:
    """Tells machines apart, and containers on one machine, which count processes of their own."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        namespace = Path()
    # Neither socket nor hashlib: they take 4 ms to import.
    return f"{crc32(f'{platform.node()} {namespace}'.encode()):08x}"
