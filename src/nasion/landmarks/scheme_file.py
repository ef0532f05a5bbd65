"""A landmark scheme as a file: ``scheme.toml``, written to be read and corrected by a person.

    name = "own21"
    points = ["eye_r", "eye_l", "tip"]
    mirror = [["eye_l", "eye_r"]]
    edges = [["eye_r", "tip"]]
    norm = [["eye_r"], ["eye_l"]]        # or "box"

    [parts]
    eyes = ["eye_r", "eye_l"]

    [aliases]
    tip = "nose_tip"

Also as a JSON value of the same keys, in files of predictions and exported networks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import NasionError, SettingError
from nasion.landmarks.catalog import SCHEMES, scheme_named
from nasion.landmarks.scheme import NormGroups, Scheme
from nasion.media.files import read_text, write_text
from nasion.media.json_document import Document
from nasion.media.quoted import quoted

FILE = "scheme.toml"
_KEYS = ("name", "points", "mirror", "edges", "norm", "parts", "aliases")
_REMEDY = "correct it, or write a new one (nasion scheme init DATA)."
_WIDTH = 96
_EXPLAINED = {
    "points": "In the order of the data. Rename numbered points here and below.",
    "mirror": "Pairs that change places when a face is mirrored; others mirror themselves.",
    "edges": "Lines that draw a face.",
    "norm": "Errors are divided by the distance of these two groups' means, or by the box.",
    "parts": "Parts of the face.",
    "aliases": "What nasion calls the same places: own name = catalog's name (nasion schemes).",
}


def scheme_at(name: str) -> Scheme:
    """The scheme that an option names: of the catalog, or of a ``.toml`` file.

    Raises ``SettingError``.
    """
    if name in SCHEMES:
        return scheme_named(name)
    path = Path(name)
    if path.is_dir():
        inside = path / FILE
        if inside.is_file():
            return read_scheme(inside)
        raise SettingError(f"{path} is a folder without {FILE}; name a file, as {inside}.")
    if path.is_file() or path.suffix.lower() == ".toml":
        return read_scheme(path)
    raise SettingError(
        f"No scheme {name!r}; there are {', '.join(SCHEMES)}, or name a {FILE} "
        "(nasion scheme init DATA writes one)."
    )


def read_scheme(path: Path) -> Scheme:
    """The scheme of a file. Raises ``SettingError`` that names file, key and value."""
    root = Document(None, str(path), kind=SettingError, remedy=_REMEDY)
    if not path.is_file():
        raise SettingError(f"{path}: no such file; nasion scheme init DATA writes one.")
    if path.suffix.lower() != ".toml":
        raise SettingError(f"{path}: a scheme is a .toml file, or the name of one: {_names()}.")
    import tomllib  # few commands read one

    try:
        value = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise root.error(f"not TOML ({error})") from error
    except RecursionError as error:
        raise root.error("not TOML that can be read (nested too deeply)") from error
    return from_document(Document(value, str(path), kind=SettingError, remedy=_REMEDY))


def from_document(document: Document) -> Scheme:
    """The scheme of a value with the keys of ``scheme.toml``. Raises the document's error."""
    unknown = [key for key in document.object() if key not in _KEYS]
    if unknown:
        raise document.error(f"the key {quoted(unknown[0])} is none of {', '.join(_KEYS)}")
    points = _texts(document["points"])
    if not points:
        raise document["points"].error("no point; at least one expected")
    parts, aliases = document.get("parts"), document.get("aliases")
    names = [] if parts is None else list(parts.object())
    known = [] if aliases is None else list(aliases.object())
    try:
        return Scheme(
            name=document["name"].text(),
            points=points,
            mirror=_pairs(document.get("mirror"), points),
            edges=_pairs(document.get("edges"), points),
            norm=_norm(document.get("norm"), points),
            parts=tuple((name, _known(parts[name], points)) for name in names if parts),
            aliases=tuple((name, aliases[name].text()) for name in known if aliases),
        )
    except NasionError as error:
        # The scheme's own rules say which name breaks them; the document's, also where.
        if str(error).startswith(document.file):
            raise
        raise document.error(str(error).rstrip(".")) from error


def definition(scheme: Scheme) -> dict[str, Any] | None:
    """What a file must hold beside the scheme's name and points; None for the catalog's own."""
    return None if scheme == SCHEMES.get(scheme.name) else to_plain(scheme)


def to_plain(scheme: Scheme) -> dict[str, Any]:
    """The scheme as the value that ``from_document`` reads."""
    return {
        "name": scheme.name,
        "points": list(scheme.points),
        "mirror": [list(pair) for pair in scheme.mirror],
        "edges": [list(edge) for edge in scheme.edges],
        "norm": "box" if scheme.norm is None else [list(group) for group in scheme.norm],
        "parts": {name: list(points) for name, points in scheme.parts},
        "aliases": dict(scheme.aliases),
    }


def write_scheme(path: Path, scheme: Scheme, notes: Mapping[str, Sequence[str]] = {}) -> None:
    """Write a scheme. ``notes``: lines of comment below a key's own, as what to look at."""
    write_text(path, to_toml(scheme, notes))


def to_toml(scheme: Scheme, notes: Mapping[str, Sequence[str]] = {}) -> str:
    """The text of a ``scheme.toml``."""
    plain = to_plain(scheme)
    lines = [
        "# A landmark scheme of nasion. left and right are the subject's own.",
        f"name = {_quoted(scheme.name)}",
    ]
    for key in ("points", "mirror", "edges", "norm"):
        lines += ["", *_comments(key, notes), *_assigned(key, plain[key])]
    for key in ("parts", "aliases"):
        # Below the table's head, so that a comment can become an entry.
        lines += ["", f"[{key}]", *_comments(key, notes)]
        for name, value in plain[key].items():
            lines += _assigned(toml_key(name), value)
    return "\n".join(lines) + "\n"


def _comments(key: str, notes: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"# {line}" for line in (_EXPLAINED[key], *notes.get(key, ()))]


def _assigned(key: str, value: Any) -> list[str]:
    """``key = value``, over several lines if it is long."""
    lines = _wrapped(value, "", len(key) + 3)
    return [f"{key} = {lines[0]}", *lines[1:]]


def _wrapped(value: Any, indent: str, used: int) -> list[str]:
    """A value over as many lines as it needs. ``used``: characters before it on the first one."""
    text = _inline(value)
    if not isinstance(value, list) or used + len(text) <= _WIDTH:
        return [text]
    deeper = f"{indent}    "
    if any(len(deeper) + len(_inline(item)) + 1 > _WIDTH for item in value):
        parts = [_wrapped(item, deeper, len(deeper) + 1) for item in value]
        items = [line for first, *rest in parts for line in (f"{deeper}{first}", *rest)]
        # A comma after each part's last line.
        ends = np.cumsum([len(part) for part in parts]) - 1
        items = [f"{line}," if i in ends else line for i, line in enumerate(items)]
        return ["[", *items, f"{indent}]"]
    lines, line = ["["], ""
    for item in map(_inline, value):
        if len(deeper) + len(line) + len(item) + 2 > _WIDTH:
            lines.append(deeper + line)
            line = ""
        line += f"{' ' if line else ''}{item},"
    return [*lines, deeper + line, f"{indent}]"]


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _quoted(value)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's too, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def toml_key(name: str) -> str:
    """A name as a key of TOML: bare if it may be, else quoted."""
    is_bare = bool(name) and name.isascii() and all(c.isalnum() or c in "_-" for c in name)
    return name if is_bare else _quoted(name)


def _texts(document: Document) -> tuple[str, ...]:
    return tuple(each.text() for each in document.elements())


def _known(document: Document, points: tuple[str, ...]) -> tuple[str, ...]:
    """Names of points; ``Document``'s error for one that is none."""
    for each in document.elements():
        if each.text() not in points:
            raise each.error(f"{quoted(each.value)} is none of the {len(points)} points")
    return _texts(document)


def _pairs(document: Document | None, points: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for each in [] if document is None else document.elements():
        names = _known(each, points)
        if len(names) != 2 or names[0] == names[1]:
            raise each.error(f"{quoted(list(names), 100)} found, two different points expected")
        found.append((names[0], names[1]))
    return tuple(found)


def _norm(document: Document | None, points: tuple[str, ...]) -> NormGroups | None:
    if document is None or document.value == "box":
        return None
    if not isinstance(document.value, list):
        raise document.error(
            f"{quoted(document.value)} found, 'box' or two groups of points expected, "
            'as [["eye_r"], ["eye_l"]]'
        )
    groups = [_known(group, points) for group in document.elements()]
    if len(groups) != 2 or not all(groups):
        raise document.error(f"{len(groups)} groups found, two of at least one point expected")
    return groups[0], groups[1]


def _names() -> str:
    return ", ".join(SCHEMES)
