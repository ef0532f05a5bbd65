"""The images of a bulk prediction in parts: files and URLs, or rows of Parquet tables."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from nasion.app.own_drawings import without_drawings
from nasion.errors import DataError, SettingError, require, requires_extra
from nasion.media.images import open_image
from nasion.media.inputs import ImageInput, resolve_inputs
from nasion.media.signatures import IMAGE_SUFFIXES

PART_SIZE = 64  # images
_IMAGE_COLUMNS = ("image", "picture", "bytes", "content", "jpg")
_NAME_COLUMNS = ("name", "path", "file", "file_name", "id", "__key__")


@dataclass(frozen=True)
class Part:
    """Some of the images: files and URLs, or rows ``start`` to ``stop`` of a Parquet file.

    ``state``: a digest of the sizes and times of files, which tells that they have changed.
    """

    number: int
    state: str
    names: tuple[str, ...] = ()
    table: str = ""
    start: int = 0
    stop: int = 0


def make_parts(words: Sequence[str], size: int = PART_SIZE) -> list[Part]:
    """The parts of all images that the words name, as in ``nasion predict``, and Parquet files.

    Raises ``DataError`` for a Parquet file without images, and ``SettingError`` for inputs that
    cannot be processed in parts, as videos.
    """
    require(size > 0, f"A part has one image or more; found {size}.")
    tables = [word for word in words if word.endswith(".parquet")]
    others = [word for word in words if not word.endswith(".parquet")]
    parts: list[Part] = []
    names = []
    resolved = resolve_inputs(others) if others or not tables else []
    for image in without_drawings(resolved, others):
        # Of an animated image the first frame is taken.
        is_image = (
            isinstance(image, ImageInput) or Path(image.name).suffix.lower() in IMAGE_SUFFIXES
        )
        if not is_image or isinstance(image.source, bytes):
            raise SettingError(
                f"{image.name}: only image files and URLs can be written to Parquet; omit it."
            )
        names.append(image.name)
    for start in range(0, len(names), size):
        some = tuple(names[start : start + size])
        parts.append(Part(len(parts), _state(some), names=some))
    for table in tables:
        file = _open_table(Path(table))
        _find_column(file, _IMAGE_COLUMNS, table)
        rows, state = file.metadata.num_rows, _state([table])
        for start in range(0, rows, size):
            stop = min(start + size, rows)
            parts.append(Part(len(parts), state, table=table, start=start, stop=stop))
    return parts


def _state(names: Sequence[str]) -> str:
    """Of URLs, and files that are gone, only the names are known."""
    digest = hashlib.sha256()
    for name in names:
        with suppress(OSError):
            status = Path(name).stat()
            digest.update(
                f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(
                    "utf-8", "surrogateescape"
                )
            )
    return digest.hexdigest()


def part_images(part: Part, colour: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The names of a part's images, and functions that decode them."""
    if not part.table:
        for name in part.names:
            image = ImageInput(name, name if "://" in name else Path(name))
            # Bound as a default: a closure would see the loop's last image.
            yield name, lambda image=image: image.pixels(colour)
        return
    file = _open_table(Path(part.table))
    column = _find_column(file, _IMAGE_COLUMNS, part.table)
    existing = [name for name in _NAME_COLUMNS if name in file.schema_arrow.names]
    names = next((name for name in existing if name != column), None)
    for number, row in _rows(file, part, [column, *([names] if names else [])]):
        if isinstance(row, Exception):
            name = f"{part.table}#{number}"
            yield name, partial(_refuse, f"{name}: damaged or truncated ({row})")
            continue
        name = str(row[names]) if names else f"{part.table}#{number}"
        yield name, partial(_decode, row[column], colour, name)


def _decode(value: Any, colour: bool, name: str) -> Any:
    # Hugging Face datasets store an image as a struct of bytes and path.
    data = value.get("bytes") if isinstance(value, dict) else value
    return open_image(bytes(data or b""), colour, name)


def _refuse(reason: str) -> Any:
    raise DataError(reason)


def _rows(
    file: Any, part: Part, columns: list[str]
) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
    """(number, row) of a part of a table; reads only the row groups that it lies in.

    Of a damaged row group each row is the error.
    """
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if first < part.stop and first + count > part.start:
            low, high = max(part.start - first, 0), min(part.stop - first, count)
            try:
                rows = file.read_row_group(group, columns).slice(low, high - low).to_pylist()
            except Exception as error:
                rows = [error] * (high - low)
            yield from ((first + low + i, row) for i, row in enumerate(rows))
        first += count


def _open_table(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    try:
        return parquet_module().ParquetFile(path)
    # Damaged heads raise what Thrift, Arrow and the codecs raise.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: not a readable Parquet file ({reason}).") from error


def _find_column(file: Any, wanted: Iterable[str], path: str) -> str:
    from pyarrow import types

    kinds = {field.name: field.type for field in file.schema_arrow}
    tests = (types.is_struct, types.is_binary, types.is_large_binary)
    fits = [name for name, kind in kinds.items() if any(test(kind) for test in tests)]
    found = next((name for name in wanted if name in fits), None)
    if found is None:
        raise DataError(
            f"{path}: no column of images; one of {', '.join(wanted)} as bytes expected, "
            f"found {', '.join(kinds)}."
        )
    return found


def parquet_module() -> Any:
    """PyArrow's Parquet module. Raises ``MissingExtra`` where it is not installed."""
    with requires_extra("Parquet", "ray"):
        return import_module("pyarrow.parquet")
