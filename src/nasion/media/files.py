"""Files read and written safely: atomic writes, archives with size limits, text decoding."""

from __future__ import annotations

import codecs
import errno
import gzip
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nasion.errors import DataError, SettingError, refusing_damage
from nasion.media.temporary_files import temporary_path

MAX_UNPACKED = 4 << 30  # bytes; the largest known table of keypoints is a fifth of it
# Of writing: the next file would fail too.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_DAMAGED = "download it again."
_UTF16_HEAD = 64  # bytes that tell UTF-16 without a byte order mark
_PROBE = 1 << 16  # bytes that a folder must have room for before work begins


@runtime_checkable
class ByteStream(Protocol):
    """An open file to read bytes from."""

    def read(self, size: int = -1, /) -> bytes: ...


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to it when the block succeeds.

    A full disk or a killed process leaves the older file whole. ``OSError`` names ``path``.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, since a rename is atomic only within a file system.
        temporary = temporary_path(path.parent)
        try:
            yield temporary
            move_into_place(temporary, path)
        finally:
            # After a success there is nothing left to remove.
            temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an ``OSError`` of writing name this file.

    That of a full disk names no file at all, and others name the temporary one.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        is_own = isinstance(named, str) and Path(named).name.startswith(".nasion-")
        if error.errno is not None and (named is None or is_own):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def check_output_folder(folder: Path) -> None:
    """Raise ``SettingError`` if files cannot be written into a folder, which need not exist yet."""
    from tempfile import TemporaryFile

    existing = folder
    while not existing.exists() and not existing.is_symlink() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        kind = "a file" if existing.exists() else "a dangling link"
        where = "" if existing == folder else f"{folder}: "
        raise SettingError(f"{where}{existing} is {kind}, a folder expected; name another folder.")
    try:
        # Nameless; rights, read-only file systems and quotas show only when something is written.
        with TemporaryFile(dir=existing, buffering=0) as file:
            file.write(bytes(_PROBE))
            os.fsync(file.fileno())
    except OSError as error:
        raise SettingError(
            f"{folder}: nothing can be written there ({error.strerror or error}); "
            "name another folder, or make room or give the rights."
        ) from error


def move_into_place(temporary: Path, path: Path) -> None:
    """Flush a finished file to disk and rename it to ``path``."""
    # Synced before the rename: otherwise a crash could leave the new name with no content.
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as temporary:
        # Bytes of file names that are not UTF-8: as in `file_names`.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def open_bytes(
    path: Path, member: str | None = None, limit: int = MAX_UNPACKED
) -> Iterator[ByteStream]:
    """The bytes of a plain, ``.gz`` or ``.zip`` file (its file named ``member``, or its only one).

    Raises ``DataError`` for an empty, damaged or truncated file, and for one that unpacks to more
    than ``limit`` bytes, whether it declares so or not.
    """
    if path.is_dir():
        raise DataError(f"{path}: a folder, a file expected.")
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; download it again.")
    if path.suffix.lower() == ".zip":
        with _opened(path, lambda: zipfile.ZipFile(path)) as archive:
            with refusing_damage(path, remedy=_DAMAGED):
                entry = _find_member(path, archive, member, limit)
            with _opened(path, lambda: _open_member(path, archive, entry)) as stream:
                yield _LimitedStream(stream, path, limit)
    elif path.suffix.lower() == ".gz":
        with _opened(path, lambda: gzip.open(path)) as stream:
            yield _LimitedStream(stream, path, limit)
    else:
        with _opened(path, lambda: path.open("rb", buffering=0)) as stream:
            yield stream


@contextmanager
def _opened(path: Path, open_it: Callable[[], Any]) -> Iterator[Any]:
    """Open and close something of this file; only the opening is taken for the file's fault."""
    with refusing_damage(path, remedy=_DAMAGED):
        opened = open_it()
    with opened:
        yield opened


def read_text(path: Path) -> str:
    """The text of a plain or packed UTF-8 file."""
    with open_bytes(path) as stream:
        return decode_text(stream.read(), path)


def decode_text(data: bytes, path: Path) -> str:
    """The text of UTF-8 or UTF-16 (Excel's "Unicode text"), with or without a byte order mark.

    ``DataError`` names the line of another encoding.
    """
    if encoding := utf16_of(data):
        with refusing_damage(path, remedy="save the file as UTF-8."):
            return data.decode(encoding).removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start]
        raise DataError(
            f"{path} line {line}: byte {byte:#04x} is not UTF-8; save the file as UTF-8."
        ) from error


def utf16_of(data: bytes) -> str | None:
    """Which UTF-16 a text is in, by its first bytes; None for other encodings."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = data[:_UTF16_HEAD]
    even, odd = head[::2], head[1::2]
    # Without a mark: text that begins with Latin letters has every second byte 0.
    if not even or not odd or any(even) == any(odd):
        return None
    return "utf-16-le" if any(even) else "utf-16-be"


def _open_member(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> zipfile.ZipExtFile:
    try:
        return archive.open(entry)
    # An archive with a password, or packed in a way that Python does not know.
    except (RuntimeError, NotImplementedError) as error:
        raise DataError(
            f"{path}: {entry.filename} cannot be unpacked ({error}); "
            "unpack it yourself and give the folder."
        ) from error


def _find_member(
    path: Path, archive: zipfile.ZipFile, member: str | None, limit: int
) -> zipfile.ZipInfo:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    # macOS adds a folder of resource forks to its archives.
    files = [entry for entry in entries if not entry.filename.startswith("__MACOSX")]
    fits = [entry for entry in files if member is None or Path(entry.filename).name == member]
    if len(fits) != 1:
        names = ", ".join(entry.filename for entry in files[:5]) or "nothing"
        wanted = f"one file {member}" if member else "one file"
        raise DataError(f"{path}: {wanted} expected in it; it holds {names}.")
    # What the archive declares; _LimitedStream counts what really comes out.
    if fits[0].file_size > limit:
        raise DataError(
            f"{path}: {fits[0].filename} declares {fits[0].file_size:,} bytes unpacked; "
            f"the limit is {limit:,}."
        )
    return fits[0]


class _LimitedStream:
    """Refuses to give more than ``limit`` bytes, for archives that declare less than they hold."""

    def __init__(self, stream: ByteStream, path: Path, limit: int) -> None:
        self._stream, self._path, self._limit, self._left = stream, path, limit, limit

    def read(self, size: int = -1, /) -> bytes:
        # One byte more than is left tells a file that ends here from one that goes on.
        with refusing_damage(self._path, remedy=_DAMAGED):
            chunk = self._stream.read(self._left + 1 if size < 0 else size)
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(f"{self._path}: unpacks to more than {self._limit:,} bytes, the limit.")
        return chunk
