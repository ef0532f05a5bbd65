"""One gesture of a person who corrects labels: which values it changed, and its line in a list.

A line ends with a checksum of all before it, so a damaged one is noticed. Values have what they
were and what they became: a gesture can be undone, and is applied only where it still fits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

from nasion.media.number_text import MAX_COORDINATE, check_file_name
from nasion.media.quoted import quoted, shortened

VISIBLE, OCCLUDED = "visible", "occluded"
Point = tuple[float, float, str] | None  # x, y and VISIBLE or OCCLUDED; None: missing
Key = tuple[str, str]  # a field, and the name within it; "" for fields with a single value


class Change(NamedTuple):
    """A value before and after."""

    before: Any
    after: Any


# Fields with a value for each name, and with a single value.
BY_NAME: tuple[str, ...] = ("points", "conflicts", "field_conflicts")
SINGLE: tuple[str, ...] = (
    *("image", "box", "removed", "where", "no_face", "done", "note", "confirmed"),
)
# What a field holds before anybody has changed it. Points and boxes have those of the labels.
UNTOUCHED: dict[str, Any] = {
    "conflicts": None,
    "field_conflicts": None,
    "image": None,
    "removed": False,
    "where": None,
    "no_face": False,
    "done": False,
    "note": "",
    "confirmed": None,
}
_POINTS = frozenset({"points"})
_ALL = frozenset(BY_NAME) | frozenset(SINGLE)
# What each kind of gesture may change.
OPS: dict[str, frozenset[str]] = {
    "place": _POINTS,
    "move": _POINTS,
    "mark": _POINTS,  # visible, occluded or missing
    "accept": _POINTS,  # a proposal
    "fill": _POINTS,  # from another face, the mirrored half, a reference
    "transform": _POINTS,  # moved, turned or scaled together
    "slide": _POINTS,  # along a contour
    "reverse": _POINTS,
    "swap": _POINTS,  # left and right
    "box": frozenset({"box"}),
    "add": frozenset({"image", "box", "points"}),
    # With the place that the labels have, by which the face is known again if their file changes.
    "remove": frozenset({"removed", "where"}),
    "restore": frozenset({"removed", "where"}),
    "no_face": frozenset({"no_face"}),
    "done": frozenset({"done"}),
    "note": frozenset({"note"}),
    "confirm": frozenset({"confirmed"}),
    "merge": _ALL,
    "undo": _ALL,
    "redo": _ALL,
}
# Where the new values come from.
ORIGINS: tuple[str, ...] = ("hand", "proposal", "previous", "reference", "mirror", "merge")
_MOST_TEXT = 10_000  # characters of a note
_CHECKSUM = len(',"crc":"01234567"}')


@dataclass(frozen=True)
class Gesture:
    """What a person did to one face.

    ``revision``: the face's after it; the first gesture on a face makes revision 1. ``changes``: by
    (field, name). ``of``: for undo and redo, the id of the gesture that is undone or done again.
    ``repeat``: 0; from 1 on the face was shown blind once more, and its labels are only compared.
    ``seconds``: that it took.
    """

    face: str
    op: str
    changes: Mapping[Key, Change]
    revision: int
    id: str = ""
    time: str = ""
    origin: str = "hand"
    of: str | None = None
    repeat: int = 0
    seconds: float | None = field(default=None, compare=False)


def point_changes(changes: Mapping[str, tuple[Point, Point]]) -> dict[Key, Change]:
    """Changes of points by their names: (before, after)."""
    return {("points", name): Change(*pair) for name, pair in changes.items()}


def inverse(changes: Mapping[Key, Change]) -> dict[Key, Change]:
    """The changes that take these back."""
    return {key: Change(each.after, each.before) for key, each in changes.items()}


def to_line(gesture: Gesture) -> bytes:
    """The gesture as a line with its checksum and line end."""
    value: dict[str, Any] = {
        "id": gesture.id,
        "t": gesture.time,
        "rev": gesture.revision,
        "face": gesture.face,
        "op": gesture.op,
    }
    value |= {"repeat": gesture.repeat} if gesture.repeat else {}
    value |= {"of": gesture.of} if gesture.of is not None else {}
    for (name, inside), change in gesture.changes.items():
        pair = {"from": change.before, "to": change.after}
        if name in BY_NAME:
            value.setdefault(name, {})[inside] = pair
        else:
            value[name] = pair
    value |= {"origin": gesture.origin, "seconds": gesture.seconds}
    return with_checksum(value)


def with_checksum(value: dict[str, Any]) -> bytes:
    """A JSON object as a line whose last value is the checksum of all before it."""
    words: dict[str, Any] = {"separators": (",", ":"), "allow_nan": False}
    try:
        text = json.dumps(value, ensure_ascii=False, **words).encode()
    except UnicodeEncodeError:
        # Bytes of a file's name that are not UTF-8 are lone surrogates, which only escapes hold.
        text = json.dumps(value, **words).encode()
    text = text[:-1]
    return text + b',"crc":"%08x"}\n' % crc32(text)


def checked_object(line: bytes) -> dict[str, Any]:
    """The object of a line without its end. ``ValueError`` says what is wrong with it."""
    text, end = line[:-_CHECKSUM], line[-_CHECKSUM:]
    if not end.startswith(b',"crc":"') or not end.endswith(b'"}'):
        raise ValueError("it has no checksum at its end")
    if end[8:16] != b"%08x" % crc32(text):
        raise ValueError(
            f"its checksum is {crc32(text):08x}, not {quoted(end[8:16].decode(errors='replace'))} "
            "as it says; it was damaged, or changed by hand"
        )
    try:
        value = json.loads(text + b"}")
    except RecursionError:
        raise ValueError("not JSON that can be read (nested too deeply)") from None
    if not isinstance(value, dict):
        raise ValueError("an object expected")
    return value


def from_line(line: bytes) -> Gesture:
    """The gesture of a line without its end. ``ValueError`` says what is wrong with it."""
    value = checked_object(line)
    op, face, revision = value.get("op"), value.get("face"), value.get("rev")
    if type(op) is not str or op not in OPS:
        raise ValueError(f"op is {quoted(op)}; one of {', '.join(OPS)} expected")
    origin, seconds = value.get("origin"), value.get("seconds")
    if origin not in ORIGINS:
        raise ValueError(f"origin is {quoted(origin)}; one of {', '.join(ORIGINS)} expected")
    if seconds is not None and not (_is_number(seconds) and 0 <= seconds <= 1e9):
        raise ValueError(f"seconds is {quoted(seconds)}; a number from 0 or null expected")
    of = value.get("of")
    if (of is not None) != (op in ("undo", "redo")):
        raise ValueError("undo and redo name the gesture that they are of, and no others do")
    return Gesture(
        face=_text(face, "face"),
        op=op,
        changes=_changes(value, op),
        revision=_whole(revision, "rev", 1),
        id=_text(value.get("id"), "id"),
        time=_text(value.get("t"), "t"),
        origin=origin,
        of=None if of is None else _text(of, "of"),
        repeat=_whole(value.get("repeat", 0), "repeat", 0),
        seconds=seconds,
    )


def check(gesture: Gesture) -> Gesture:
    """The gesture as it is read back from its line. Raises ``ValueError`` for one that is none."""
    return from_line(to_line(gesture)[:-1])


def _changes(value: dict[str, Any], op: str) -> dict[Key, Change]:
    found: dict[Key, Change] = {}
    for name in BY_NAME:
        pairs = value.get(name, {})
        if not isinstance(pairs, dict):
            raise ValueError(f"{name} is {quoted(pairs)}; an object expected")
        for inside, pair in pairs.items():
            found[name, inside] = _pair(pair, name, inside)
    for name in SINGLE:
        if name in value:
            found[name, ""] = _pair(value[name], name, name)
    if not found:
        raise ValueError("it changes nothing")
    for name, _ in found:
        if name not in OPS[op]:
            raise ValueError(f"op {op} changes {', '.join(sorted(OPS[op]))}, not {name}")
    return found


def _pair(pair: Any, name: str, shown: str) -> Change:
    if not isinstance(pair, dict) or set(pair) != {"from", "to"}:
        raise ValueError(f"{shortened(shown)} is {quoted(pair)}; an object of from and to expected")
    parse = _PARSERS[name]
    try:
        return Change(parse(pair["from"]), parse(pair["to"]))
    except ValueError as error:
        raise ValueError(f"{shortened(shown)} is {error}") from None


def _point(value: Any) -> Point:
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and len(value) == 3:
        x, y, state = value
        if _is_coordinate(x) and _is_coordinate(y) and state in (VISIBLE, OCCLUDED):
            return (float(x), float(y), state)
    raise ValueError(f"{quoted(value)}; null or [x, y, visible or occluded] expected")


def _box(value: Any) -> tuple[float, float, float, float] | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and len(value) == 4 and all(map(_is_coordinate, value)):
        x0, y0, x1, y1 = map(float, value)
        if x1 > x0 and y1 > y0:
            return (x0, y0, x1, y1)
    raise ValueError(f"{quoted(value)}; null or [x0, y0, x1, y1] with x1 > x0, y1 > y0 expected")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{quoted(value)}; true or false expected")
    return value


def _note(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise ValueError(f"{quoted(value)}; text of at most {_MOST_TEXT} characters expected")
    return value


def _image(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)}; null or the name of an image expected")
    return value if not value.isascii() and _has_bytes(value) else check_file_name(value)


def _has_bytes(text: str) -> bool:
    """True for names with bytes that are not UTF-8, as Linux has them."""
    return any("\udc80" <= sign <= "\udcff" for sign in text)


def _names(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError(f"{quoted(value)}; null or a list of points expected")


def _versions(value: Any) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{quoted(value)}; null or a value for each list expected")
    return value


def _point_versions(value: Any) -> dict[str, Point] | None:
    versions = _versions(value)
    return None if versions is None else {who: _point(each) for who, each in versions.items()}


def _field_versions(value: Any) -> dict[str, Any] | None:
    versions = _versions(value)
    # Boxes are tuples, as everywhere.
    as_values = {w: tuple(v) if isinstance(v, list) else v for w, v in (versions or {}).items()}
    return None if versions is None else as_values


_PARSERS = {
    "points": _point,
    "conflicts": _point_versions,
    "field_conflicts": _field_versions,
    "image": _image,
    "box": _box,
    "removed": _flag,
    "where": _box,
    "no_face": _flag,
    "done": _flag,
    "note": _note,
    "confirmed": _names,
}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_coordinate(value: Any) -> bool:
    # False for NaN too.
    return type(value) in (int, float) and -MAX_COORDINATE <= value <= MAX_COORDINATE


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {quoted(value)}; text expected")
    return value


def _whole(value: Any, name: str, low: int) -> int:
    if type(value) is not int or not low <= value < 1 << 53:
        raise ValueError(f"{name} is {quoted(value)}; a whole number from {low} expected")
    return value
