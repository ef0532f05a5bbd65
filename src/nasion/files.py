"""Reading and writing files safely: written beside and renamed, packed files within limits, pictures within limits."""

from __future__ import annotations

import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import uuid4

import numpy as np

from nasion.errors import DataError

UNPACKED_LIMIT = 4 << 30  # bytes; the largest known keypoint table is a fifth of it
PICTURE_LIMIT = 100_000_000  # pixels
_ORIENTATION, _LYING = 0x0112, 5  # the EXIF tag, and its first value of a picture stored lying on its side


@runtime_checkable
class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A path to write to, renamed to ``path`` when all went well: a full disk or a kill leaves the older file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        yield beside
        put(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def put(beside: Path, path: Path) -> None:
    """Rename a file that is written in full to its place."""
    with beside.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(beside, path)


def write_text(path: Path, text: str) -> None:
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def opened(path: Path, member: str | None = None, limit: int = UNPACKED_LIMIT) -> Iterator[Stream]:
    """The bytes of a plain, ``.gz`` or ``.zip`` file (the file named ``member`` in it, or its only one).

    Raises ``DataError`` for an empty, damaged or truncated file, and for one that unpacks to more than ``limit`` bytes,
    whether it declares so or not.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; fetch it again.")
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive, _opened_member(path, archive, _member(path, archive, member, limit)) as stream:
                yield _Limited(stream, path, limit)
        elif path.suffix == ".gz":
            with gzip.open(path) as stream:
                yield _Limited(stream, path, limit)
        else:
            with path.open("rb", buffering=0) as stream:
                yield stream
    except (zipfile.BadZipFile, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path}: damaged or cut short ({error}); fetch it again.") from error


def decoded(data: bytes, path: Path) -> str:
    """Text in UTF-8 (a byte order mark is passed over). Raises ``DataError`` saying where another encoding shows."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path} line {line}: byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8.") from error


def _opened_member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> zipfile.ZipExtFile:
    try:
        return archive.open(entry)
    except (RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path}: {entry.filename} cannot be unpacked ({error}); unpack it yourself and give the folder.") from error


def _member(path: Path, archive: zipfile.ZipFile, member: str | None, limit: int) -> zipfile.ZipInfo:
    files = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX")]
    fits = [entry for entry in files if member is None or Path(entry.filename).name == member]
    if len(fits) != 1:
        names = ", ".join(entry.filename for entry in files[:5]) or "nothing"
        raise DataError(f"{path}: one file {member or ''} expected in it; it holds {names}.".replace("  ", " "))
    if fits[0].file_size > limit:
        raise DataError(f"{path}: {fits[0].filename} says it unpacks to {fits[0].file_size:,} bytes; the limit is {limit:,}.")
    return fits[0]


class _Limited:
    """A stream that refuses to give more than ``limit`` bytes, for packed files that declare less than they hold."""

    def __init__(self, stream: Stream, path: Path, limit: int) -> None:
        self._stream, self._path, self._limit, self._left = stream, path, limit, limit

    def read(self, size: int = -1, /) -> bytes:
        # One byte more than is left tells a file that ends here from one that goes on.
        chunk = self._stream.read(self._left + 1 if size < 0 else size)
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(f"{self._path}: unpacks to more than {self._limit:,} bytes, the limit.")
        return chunk


def open_picture(picture: Path | bytes, colour: bool, name: str | None = None, limit: int = PICTURE_LIMIT) -> np.ndarray:
    """A picture (of several in one file the first) as uint8 (H, W) or (H, W, 3), turned as its EXIF says; ``bytes``: a file's contents.

    What is transparent becomes white. Raises ``DataError`` if it is unreadable or has more pixels than the limit, calling it ``name``.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    named = name or (str(picture) if isinstance(picture, Path) else "The picture")
    if isinstance(picture, Path) and not picture.is_file():
        raise DataError(f"{named}: no such file.")
    if picture == b"" or (isinstance(picture, Path) and not picture.stat().st_size):
        raise DataError(f"{named}: the file is empty.")
    try:
        with Image.open(BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
            if image.width * image.height > limit:
                raise DataError(f"{named}: {image.width} x {image.height} pixels; the limit is {limit:,}.")
            if not colour and image.format == "JPEG" and image.mode == "RGB":
                image.draft("L", image.size)  # its brightness is stored by itself, and decoded in half the time
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                # Pillow would clip 16 bits to 8, all to white; the upper 8 are the picture.
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            elif upright.mode in ("I", "F"):
                raise DataError(f"{named}: its pixels are {upright.mode} numbers of no known range; save it with 8 or 16 bits.")
            elif upright.has_transparency_data:
                seen = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
            return np.asarray(upright.convert("RGB" if colour else "L"))
    except UnidentifiedImageError as error:
        raise DataError(f"{named}: not a readable picture (of no kind that is known; JPEG, PNG, WebP, TIFF, BMP, GIF and AVIF are).") from error
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        raise DataError(f"{named}: not a readable picture ({error}).") from error


def picture_size(picture: Path | np.ndarray) -> tuple[int, int]:
    """(width, height) of an array, or of a file as ``open_picture`` turns it, from its header alone."""
    from PIL import Image

    if isinstance(picture, np.ndarray):
        return picture.shape[1], picture.shape[0]
    try:
        with Image.open(picture) as image:
            turned = image.getexif().get(_ORIENTATION, 1) >= _LYING
            return (image.height, image.width) if turned else image.size
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{picture}: not a readable picture ({error}).") from error
