"""A recipe's settings by dotted name: list and change them, as ``--set optim.lr=1e-4`` does."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable
from typing import Any, Literal

from nasion.errors import SettingError
from nasion.landmarks.scheme import Scheme

_PLAIN = (int, float, str, tuple, type(None))  # types with a spelling in text; bool is an int
_WORDS = {"true": True, "false": False}


def settings(part: Any, prefix: str = "") -> dict[str, Any]:
    """All numbers and words that ``override`` can change, by dotted name."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if isinstance(value, Scheme):
            continue
        if dataclasses.is_dataclass(value):
            found |= settings(value, f"{prefix}{item.name}.")
        elif isinstance(value, _PLAIN):
            found[prefix + item.name] = value
    return found


def override(recipe: Any, changes: Iterable[str]) -> Any:
    """The recipe with ``name=value`` changes, as ``optim.lr=1e-4``.

    Changes of one part are made together, so that settings which depend on each other can change.
    Raises ``SettingError`` that lists the names, or says which type is expected.
    """
    values: dict[str, str] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise SettingError(
                f"--set {change!r} has no value; write name=value, as optim.lr=1e-4."
            )
        values[name] = text
    # {"optim": {"lr": "1e-4"}}: settings of one part together, since each part is checked as a
    # whole when it is replaced.
    tree: dict[str, Any] = {}
    for name, text in values.items():
        branch, words = tree, name.split(".")
        for word in words[:-1]:
            branch = branch.setdefault(word, {})
            if not isinstance(branch, dict):
                raise SettingError(f"--set {name}: {word} is already set as a whole.")
        branch[words[-1]] = text
    return _replace(recipe, tree, "")


def _replace(part: Any, changes: dict[str, Any], prefix: str) -> Any:
    """The part with a tree of changes: text for a value, a dictionary for a part of it."""
    existing = settings(part)
    new: dict[str, Any] = {}
    for name, change in changes.items():
        path = prefix + name
        if not any(key == name or key.startswith(f"{name}.") for key in existing):
            raise SettingError(_unknown(change, name, path, existing))
        # get_type_hints resolves annotations that are strings (from __future__ import annotations).
        value, kind = getattr(part, name), typing.get_type_hints(type(part))[name]
        if isinstance(change, dict):
            if not dataclasses.is_dataclass(value):
                inner = next(iter(change))
                raise SettingError(
                    f"--set {path}.{inner}: {name} is a plain value ({value!r}) and has no {inner}."
                )
            new[name] = _replace(value, change, f"{path}.")
        elif change.lower() == "none" and type(None) in typing.get_args(kind):
            new[name] = None
        elif dataclasses.is_dataclass(value):
            inner = ", ".join(settings(value))
            raise SettingError(
                f"--set {path}: this is a part; change its numbers ({inner}), "
                "or swap it in a recipe file."
            )
        else:
            new[name] = _parse(change, kind, path)
    return dataclasses.replace(part, **new)


def _unknown(change: Any, name: str, path: str, existing: dict[str, Any]) -> str:
    tail = ""
    while isinstance(change, dict):
        inner, change = next(iter(change.items()))
        tail += f".{inner}"
    close = difflib.get_close_matches(name + tail, existing, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"--set {path}{tail}: no such setting.{hint} There is {', '.join(existing)}."


def _parse(text: str, kind: Any, path: str) -> Any:
    """Text as a value of this type."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if text not in inside:
            raise SettingError(f"--set {path}={text}: one of {', '.join(inside)} expected.")
        return text
    if origin is tuple:
        words = text.strip("()[] ").split(",")
        # tuple[int, ...] is of any length, tuple[float, float] of two.
        kinds = [inside[0]] * len(words) if inside[-1] is Ellipsis else inside
        if len(words) != len(kinds):
            raise SettingError(
                f"--set {path}={text}: {len(kinds)} values separated by commas expected."
            )
        items = zip(words, kinds, strict=True)
        return tuple(_parse(word.strip(), item, path) for word, item in items)
    # An optional value: parsed as its other type.
    if type(None) in inside:
        if text.lower() == "none":
            return None
        if any(dataclasses.is_dataclass(item) for item in inside):
            raise SettingError(
                f"--set {path}={text}: this is a part; none leaves it out, "
                "a recipe file puts another one in."
            )
        return _parse(text, next(item for item in inside if item is not type(None)), path)
    if kind is str:
        return text
    try:
        # As in label files: Python reads 1_0 as 10, and digits of all scripts.
        if not text.isascii() or "_" in text:
            raise ValueError
        return _WORDS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        expected = names.get(kind, str(kind))
        raise SettingError(f"--set {path}={text}: {expected} expected.") from None
