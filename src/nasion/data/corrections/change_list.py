"""A change list as a file: a header, then a line for each gesture, only ever appended to.

A last line that is cut or damaged was never acknowledged: it is left out, and told. A damaged line
before others is an error, since what follows builds on it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from nasion.data.corrections.gestures import checked_object, from_line, with_checksum
from nasion.data.corrections.replay import ListState
from nasion.errors import DataError, reason_of
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import named_path
from nasion.media.quoted import quoted

FORMAT, VERSION = "nasion-changes", 1
SUFFIX = ".jsonl"
UPRIGHT = "upright"  # points are of the image as its EXIF tag turns it
_START = b'{"format":"nasion-changes"'
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Header:
    """``who``: changed the labels. ``scheme``, ``points``: what they label. ``sources``: hashes of
    the files of the labels, by their names beside the data. ``created``: in UTC.
    """

    who: str
    scheme: str
    points: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    created: str = ""


@dataclass(frozen=True)
class ChangeList:
    """A list as it was read. ``sound``: bytes up to the end of the last whole line. ``torn``: what
    follows them; empty if nothing does. ``ends``: whether the last whole line has its end.
    """

    path: Path
    header: Header
    state: ListState
    sound: int
    torn: bytes = b""
    ends: bool = True


def folder_of(data: str | Path) -> Path:
    """The folder of the change lists of these data, beside them: ``mine.changes``."""
    path = named_path(data)
    return path.with_name(f"{path.name}.changes")


def list_path(data: str | Path, who: str) -> Path:
    """Where this person's change list of these data is."""
    return folder_of(data) / f"{who}{SUFFIX}"


def data_of(path: Path) -> Path | None:
    """The data that a change list lies beside; None if it lies elsewhere."""
    folder = path.absolute().parent
    return folder.with_suffix("") if folder.suffix == ".changes" else None


def points_hash(points: tuple[str, ...]) -> str:
    """A hash of the names of a scheme's points, in their order."""
    return blake2b("\0".join(points).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_header(who: str, scheme: Scheme, sources: Mapping[str, str]) -> Header:
    """The header of a list that begins now."""
    return Header(who, scheme.name, scheme.points, sources, now())


def header_line(header: Header) -> bytes:
    """The first line of a list, with its end."""
    value = {
        "format": FORMAT,
        "version": VERSION,
        "who": header.who,
        "scheme": {
            "name": header.scheme,
            "hash": points_hash(header.points),
            "points": list(header.points),
        },
        "sources": dict(header.sources),
        "orientation": UPRIGHT,
        "created": header.created,
    }
    return with_checksum(value)


def is_change_list(path: Path) -> bool:
    """Whether a file begins as a change list does."""
    try:
        with path.open("rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False


def read_change_list(path: Path, tell: bool = True) -> ChangeList:
    """Read and replay a list. ``tell``: warn of a torn last line.

    Raises ``DataError`` for a file that is none, and for a line that is damaged or does not follow.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the change list cannot be read ({reason_of(error)}).") from error
    lines = data.split(b"\n")
    # After the last line end there is nothing, or what was cut.
    ends = lines[-1] == b""
    lines = lines[:-1] if ends else lines
    header = _read_header(lines[0] if lines else b"", path)
    state, sound = ListState(), len(lines[0]) + 1
    for number, line in enumerate(lines[1:], start=2):
        try:
            gesture = from_line(line)
        except ValueError as error:
            if number < len(lines):
                raise _damage(path, number, error) from None
            # A whole line that does not follow is no torn one, and is refused below.
            if tell:
                warn_of_torn(path, number, line)
            return ChangeList(path, header, state, sound, data[sound:])
        try:
            state.take(gesture)
        except ValueError as error:
            raise _damage(path, number, error) from None
        sound += len(line) + 1
    return ChangeList(path, header, state, min(sound, len(data)), ends=ends)


def warn_of_torn(path: Path, number: int, line: bytes) -> None:
    """Say that the last line is left out."""
    _log.warning(
        "%s line %d: the last line is cut or damaged (%d bytes), as a crash leaves it, and is left "
        "out; its gesture was never reported as saved.",
        path,
        number,
        len(line),
    )


def _damage(path: Path, number: int, error: Exception) -> DataError:
    remedy = "restore the file from a backup"
    if number > 1:
        remedy += (
            f", or go on with what is before it: head -n {number - 1} {path.name} > NEW{SUFFIX}"
        )
    return DataError(f"{path} line {number}: {error}; {remedy}.")


def _read_header(line: bytes, path: Path) -> Header:
    """The header of a list. Raises ``DataError``."""
    if not line:
        raise DataError(f"{path}: an empty file, a change list expected; delete it.")
    if not line.startswith(_START):
        raise DataError(
            f"{path}: not a change list, whose first line begins with {_START.decode()}; give the "
            f"file that nasion wrote beside the data (DATA.changes/NAME{SUFFIX})."
        )
    try:
        value = checked_object(line)
        if value.get("version") != VERSION:
            raise ValueError(
                f"version {quoted(value.get('version'))}; this nasion reads version {VERSION} "
                "(a newer one may read it: pip install -U nasion)"
            )
        if value.get("orientation") != UPRIGHT:
            found = quoted(value.get("orientation"))
            raise ValueError(f"orientation is {found}; {UPRIGHT} expected")
        return _header_of(value)
    except ValueError as error:
        raise _damage(path, 1, error) from None


def _header_of(value: dict[str, Any]) -> Header:
    scheme, sources = value.get("scheme"), value.get("sources")
    who, created = value.get("who"), value.get("created")
    if not isinstance(scheme, dict) or not isinstance(scheme.get("name"), str):
        raise ValueError("scheme is missing; an object with name, hash and points expected")
    points = scheme.get("points")
    if not isinstance(points, list) or not all(isinstance(each, str) for each in points):
        raise ValueError("scheme.points is not a list of names")
    if len(set(points)) < len(points) or not points:
        raise ValueError("scheme.points has no names, or one of them twice")
    if scheme.get("hash") != points_hash(tuple(points)):
        raise ValueError(f"scheme.hash is {quoted(scheme.get('hash'))}, not that of its points")
    if not isinstance(sources, dict) or not all(isinstance(s, str) for s in sources.values()):
        raise ValueError("sources is not an object of hashes")
    if not isinstance(who, str) or not who or not isinstance(created, str):
        raise ValueError("who and created are missing; text expected")
    return Header(who, scheme["name"], tuple(points), sources, created)
