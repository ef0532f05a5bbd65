"""Numeric arrays of MATLAB 5 files (``save -v6`` and ``-v7``), read in Python alone.

SciPy's reader is compiled, and a damaged file can end its process, which no caller could catch.
Cells, structures, text, sparse and complex arrays are passed over by their size; nothing in a file
is run or unpickled. The format: "MAT-File Format", The MathWorks.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasion.array_types import Float64
from nasion.errors import DataError, refusing_damage
from nasion.media.quoted import quoted

_HEADER = 128  # bytes before the first element
_ORDERS = {b"IM": "<", b"MI": ">"}  # the header's last bytes: how those of all numbers follow
_VERSION, _VERSION_HDF5 = 0x0100, 0x0200
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MOST = 1 << 26  # bytes of a file, and of an array that is packed in it; a head takes 0.5 MB
_HEAD = 4096  # bytes of an array in which its name ends; MATLAB's names have up to 63 characters
_MOST_DIMENSIONS = 32  # NumPy's own limit, before its version 2
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED, _UTF8 = 1, 5, 6, 14, 15, 16  # types of elements
_LAST_TYPE = 18
# How an element's type stores numbers. An array may be stored in a smaller type than its own.
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_NUMERIC = range(6, 16)  # classes of arrays: double, single, and whole numbers of 8 to 64 bits
_COMPLEX = 0x0800  # in an array's flags
_REMEDY = "get it again from where it came."


@dataclass(frozen=True)
class _Element:
    """``start``, ``end``: where its data lie. ``following``: where the next element begins."""

    kind: int
    start: int
    end: int
    following: int


@dataclass(frozen=True)
class _Array:
    """A numeric array's name and shape. ``at``: where the element of its numbers begins."""

    name: str
    shape: tuple[int, ...]
    at: int


@dataclass(frozen=True)
class _Elements:
    """Bytes of elements. ``place``: what errors begin with. ``order``: of bytes, for ``struct``."""

    data: bytes
    place: str
    order: str

    def error(self, problem: str) -> DataError:
        return DataError(f"{self.place}: damaged or truncated: {problem}; {_REMEDY}")

    def element(self, at: int, end: int) -> _Element:
        """The element that begins at ``at``. Raises ``DataError`` if it ends after ``end``."""
        if end - at < 8:
            raise self.error(f"an element of 8 bytes or more at byte {at}, where {end - at} follow")
        kind, size = struct.unpack_from(f"{self.order}II", self.data, at)
        start, following = at + 8, at + 8 + size + -size % 8
        if kind >> 16:
            # Up to 4 bytes lie in the second half of the tag; the first has type and size.
            kind, size = kind & 0xFFFF, kind >> 16
            start, following = at + 4, at + 8
            if size > 4:
                raise self.error(f"a short element of {size} bytes at byte {at}, 4 at most")
        if start + size > end:
            raise self.error(f"an element of {size} bytes at byte {at}, where {end - start} follow")
        if not 1 <= kind <= _LAST_TYPE:
            raise self.error(f"an element of type {kind} at byte {at}, 1 to {_LAST_TYPE} expected")
        return _Element(kind, start, start + size, following)

    def whole_numbers(self, element: _Element, kinds: tuple[int, ...], what: str) -> list[int]:
        """The 4-byte numbers of an element, which must be of one of these kinds."""
        size = element.end - element.start
        if element.kind not in kinds or size % 4:
            raise self.error(f"{what} of type {element.kind} and {size} bytes at {element.start}")
        code = f"{self.order}{size // 4}{'i' if element.kind == _INT32 else 'I'}"
        return list(struct.unpack_from(code, self.data, element.start))


def read_arrays(path: Path, *names: str) -> dict[str, Float64[np.ndarray, " *shape"]]:
    """Those of these arrays that a file has, by name. Raises ``DataError``."""
    with refusing_damage(path):
        size = path.stat().st_size
        if size > _MOST:
            raise DataError(f"{path}: {size:,} bytes; at most {_MOST:,} expected.")
        data = path.read_bytes()
    file = _Elements(data, str(path), _byte_order(data, path))
    found: dict[str, np.ndarray] = {}
    at = _HEADER
    while at < len(data):
        element = file.element(at, len(data))
        # Nothing is filled up after packed data, nor after arrays, which are filled up themselves.
        at = element.end if element.kind in (_MATRIX, _COMPRESSED) else element.following
        for name, values in _array_of(file, element, names):
            if name in found:
                raise file.error(f"it has {name} twice")
            found[name] = values
    return found


def _byte_order(data: bytes, path: Path) -> str:
    """``<`` or ``>``. Raises ``DataError`` for a file of another version, or of another kind."""
    mark = data[_HEADER - 2 : _HEADER]
    order = _ORDERS.get(mark, "<")
    version = int.from_bytes(data[_HEADER - 4 : _HEADER - 2], "little" if order == "<" else "big")
    other = ""
    if _HDF5 in (data[:8], data[512:520]) or (mark in _ORDERS and version == _VERSION_HDF5):
        other = "7.3"
    elif _is_version_4(data):
        other = "4"
    if other:
        raise DataError(
            f"{path}: a file of MATLAB {other}, one of MATLAB 5 to 7.2 expected; load it in MATLAB "
            "and save it with save -v7."
        )
    if mark not in _ORDERS or version != _VERSION:
        raise DataError(
            f"{path}: no file of MATLAB 5: bytes 125 to 128 are "
            f"{quoted(data[_HEADER - 4 : _HEADER])}, version and byte order expected; {_REMEDY}"
        )
    return order


def _is_version_4(data: bytes) -> bool:
    """Whether it begins with type, rows, columns, 0 or 1 and a name's length, as MATLAB 4 writes.

    A type has up to four digits; four letters of a text would be a number above a hundred million.
    """
    if len(data) < 20:
        return False
    for order in "<>":
        kind, rows, columns, has_imaginary, name = struct.unpack_from(f"{order}5i", data)
        is_size = rows >= 0 and columns >= 0 and 1 < name <= 64
        if 0 <= kind < 5000 and is_size and has_imaginary in (0, 1):
            return True
    return False


def _array_of(
    file: _Elements, element: _Element, names: tuple[str, ...]
) -> Iterator[tuple[str, Float64[np.ndarray, " *shape"]]]:
    """Name and values of an element that is one of these arrays; nothing for another."""
    if element.kind == _MATRIX:
        array = _head(file, element)
        if array is not None and array.name in names:
            yield array.name, _values(file, array, element.end)
    elif element.kind == _COMPRESSED:
        place = f"{file.place}, packed at byte {element.start}"
        unpacker = zlib.decompressobj()
        packed = memoryview(file.data)[element.start : element.end]
        # The head alone tells which array it is; most are not asked for.
        inner = _Elements(_unpack(unpacker, packed, _HEAD, file), place, file.order)
        tag = inner.element(0, 1 << 33)  # any size, but 8 bytes of tag
        if tag.end > _MOST:
            raise inner.error(f"{tag.end:,} bytes, at most {_MOST:,} expected")
        if tag.kind != _MATRIX:
            raise inner.error(f"an element of type {tag.kind}, an array expected")
        array = _head(inner, replace(tag, end=min(tag.end, len(inner.data))))
        if array is None or array.name not in names:
            return
        # One byte more than there should be, so that all is read, and a longer one is noticed.
        most = tag.end - len(inner.data) + 1
        rest = _unpack(unpacker, unpacker.unconsumed_tail, max(most, 1), file)
        inner = replace(inner, data=inner.data + rest)
        if len(inner.data) != tag.end or not unpacker.eof:
            raise inner.error(f"{len(inner.data)} bytes, {tag.end} expected")
        yield array.name, _values(inner, array, tag.end)


def _unpack(
    unpacker: zlib._Decompress, packed: bytes | memoryview, most: int, file: _Elements
) -> bytes:
    try:
        return unpacker.decompress(packed, most)
    except zlib.error as error:
        raise file.error(str(error)) from error


def _head(file: _Elements, matrix: _Element) -> _Array | None:
    """An array's name and shape; None for one that is not of plain numbers."""
    if matrix.end == matrix.start:  # an empty place in a cell
        return None
    part = file.element(matrix.start, matrix.end)
    flags = file.whole_numbers(part, (_UINT32,), "an array's flags")
    if len(flags) != 2:
        raise file.error(f"{len(flags)} flags of an array at byte {part.start}, 2 expected")
    if flags[0] & 0xFF not in _NUMERIC or flags[0] & _COMPLEX:
        return None
    part = file.element(part.following, matrix.end)
    shape = file.whole_numbers(part, (_INT32, _UINT32), "an array's dimensions")
    if not 2 <= len(shape) <= _MOST_DIMENSIONS or min(shape) < 0:
        raise file.error(
            f"an array of {' x '.join(map(str, shape))[:60] or 'no size'} at byte {part.start}; "
            f"2 to {_MOST_DIMENSIONS} dimensions of 0 or more expected"
        )
    part = file.element(part.following, matrix.end)
    if part.kind not in (_INT8, _UTF8):
        raise file.error(f"a name of type {part.kind} at byte {part.start}")
    name = file.data[part.start : part.end].decode("latin-1")
    return _Array(name, tuple(shape), part.following)


def _values(file: _Elements, array: _Array, end: int) -> Float64[np.ndarray, " *shape"]:
    part = file.element(array.at, end)
    count, size = math.prod(array.shape), part.end - part.start
    stored = _STORED.get(part.kind)
    shape = " x ".join(map(str, array.shape))
    if stored is None:
        raise file.error(f"{array.name}: numbers of type {part.kind} at byte {part.start}")
    dtype = np.dtype(file.order + stored)
    # The size bounds the numbers, so nothing is allocated that is not there.
    if size != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize} expected for {shape} numbers"
        raise file.error(f"{array.name} has {size} bytes, {expected}")
    numbers = np.frombuffer(file.data, dtype, count, part.start).astype(np.float64)
    return numbers.reshape(array.shape, order="F")
