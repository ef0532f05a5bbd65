"""Whether values read from a file are of the types that a dataclass declares."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Any, Literal

_MAX_WHOLE = 1 << 63  # beyond it neither NumPy nor PyTorch can count


def field_types(kind: type) -> dict[str, Any]:
    """The declared type of each field; empty if a name in an annotation cannot be found."""
    try:
        hints = typing.get_type_hints(kind)
    except NameError:
        return {}
    names = {item.name for item in dataclasses.fields(kind)}
    return {name: hint for name, hint in hints.items() if name in names}


def fits(value: Any, kind: Any) -> bool:
    """True if the value is of this type; also for types that are not checked, as dictionaries."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return any(type(value) is type(item) and value == item for item in inside)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, item) for item in inside)
    if origin is tuple:
        return isinstance(value, tuple) and _items_fit(value, inside)
    if kind is Callable or origin is Callable:
        return callable(value) and not isinstance(value, type)
    if kind in (bool, str, type(None)):
        return type(value) is kind
    if kind is int:
        return type(value) is int and abs(value) < _MAX_WHOLE
    if kind is float:
        # An integer of hundreds of digits is no float at all.
        return fits(value, int) or (type(value) is float and math.isfinite(value))
    return not isinstance(kind, type) or _is_instance(value, kind)


def type_name(kind: Any) -> str:
    """A type as it is written."""
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)


def _items_fit(values: tuple[Any, ...], kinds: tuple[Any, ...]) -> bool:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return all(fits(value, kinds[0]) for value in values)
    return len(values) == len(kinds) and all(map(fits, values, kinds))


def _is_instance(value: Any, kind: type) -> bool:
    # A protocol, as of architectures, is fulfilled by parts, not by classes or plain values.
    if getattr(kind, "_is_protocol", False):
        return dataclasses.is_dataclass(value) and isinstance(value, kind)
    return isinstance(value, kind)
