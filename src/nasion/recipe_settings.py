"""A recipe's settings by dotted name: list and change them, as ``--set optim.lr=1e-4`` does."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal

from nasion.errors import SettingError
from nasion.landmarks.scheme import Scheme

_WORDS = {"true": True, "false": False}
_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}
_UNIONS = (typing.Union, types.UnionType)
# Metadata of a field that ``--set`` must not change, although it has a spelling in text: why.
FIXED = "fixed"


def settings(part: Any, prefix: str = "") -> dict[str, Any]:
    """All numbers and words that ``override`` can change, by dotted name."""
    found: dict[str, Any] = {}
    kinds = _kinds(part)
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if isinstance(value, Scheme) or FIXED in item.metadata:
            continue
        if dataclasses.is_dataclass(value):
            found |= settings(value, f"{prefix}{item.name}.")
        # An optional part that is left out is listed: ``none`` is a value that it can be given.
        elif value is None or _has_text(kinds[item.name]):
            found[prefix + item.name] = value
    return found


def _kinds(part: Any) -> dict[str, Any]:
    """The declared type of each field; of values where a recipe file's names cannot be found."""
    try:
        # Resolves annotations that are strings (from __future__ import annotations).
        return typing.get_type_hints(type(part))
    except NameError:
        return {item.name: type(getattr(part, item.name)) for item in dataclasses.fields(part)}


def _has_text(kind: Any) -> bool:
    """Whether values of this type can be written as text: numbers, words and rows of them."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (tuple, *_UNIONS):
        return all(each in (type(None), Ellipsis) or _has_text(each) for each in inside)
    return origin is Literal or kind in (str, *_NAMES)


def override(recipe: Any, changes: Iterable[str]) -> Any:
    """The recipe with ``name=value`` changes, as ``optim.lr=1e-4``.

    Changes of one part are made together, so that settings which depend on each other can change.
    Raises ``SettingError`` that lists the names, or says which type is expected.
    """
    values = _by_name(changes)
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


def _by_name(changes: Iterable[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise SettingError(
                f"--set {change!r} has no value; write name=value, as optim.lr=1e-4."
            )
        if name in values:
            raise SettingError(
                f"--set {name} is given twice, as {values[name]!r} and {text!r}; give one of them."
            )
        values[name] = text
    return values


def _replace(part: Any, changes: dict[str, Any], prefix: str) -> Any:
    """The part with a tree of changes: text for a value, a dictionary for a part of it."""
    existing = settings(part)
    new: dict[str, Any] = {}
    for name, change in changes.items():
        path = prefix + name
        if not any(key == name or key.startswith(f"{name}.") for key in existing):
            raise SettingError(_refusal(part, change, name, path, existing))
        value, kind = getattr(part, name), _kinds(part)[name]
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


def _refusal(part: Any, change: Any, name: str, path: str, existing: dict[str, Any]) -> str:
    tail = ""
    while isinstance(change, dict):
        inner, change = next(iter(change.items()))
        tail += f".{inner}"
    fields = {item.name: item for item in dataclasses.fields(part)}
    if name in fields and hasattr(part, name):
        why = fields[name].metadata.get(FIXED, "it is a part, which a recipe file swaps")
        return (
            f"--set {path}{tail}={change}: no such setting: {why}. There is {', '.join(existing)}."
        )
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
    if origin in _UNIONS:
        if text.lower() == "none" and type(None) in inside:
            return None
        if any(dataclasses.is_dataclass(item) for item in inside):
            raise SettingError(
                f"--set {path}={text}: this is a part; none leaves it out, "
                "a recipe file puts another one in."
            )
        return _parse_any(text, [item for item in inside if item is not type(None)], path)
    if kind is str:
        if not text.strip():
            raise SettingError(f"--set {path}={text}: a text expected, found none.")
        return text
    try:
        # As in label files: Python reads 1_0 as 10, and digits of all scripts.
        if not text.isascii() or "_" in text:
            raise ValueError
        value = _WORDS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise SettingError(f"--set {path}={text}: {_NAMES[kind]} expected.") from None
    return value


def _parse_any(text: str, kinds: list[Any], path: str) -> Any:
    """Text as a value of the first of these types that it fits."""
    for kind in kinds[:-1]:
        with suppress(SettingError):
            return _parse(text, kind, path)
    return _parse(text, kinds[-1], path)
