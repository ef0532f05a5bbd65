"""JSON documents read value by value: each accessor checks a value, and its error names the place.

``parse_document(text, "p.json")["images"].elements()[0]["points"]`` knows that it is
``p.json images[0].points``, so no reader indexes into something whose type it does not know.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.errors import DataError, NasionError, reason_of
from nasion.media.number_text import MAX_COORDINATE, check_file_name
from nasion.media.quoted import listed, quoted, shortened

_LARGEST = sys.float_info.max
_NAMES = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Document:
    """A JSON value and where it is. ``kind``: the class of its errors; ``remedy``: their end."""

    value: Any
    file: str
    keys: str = ""
    kind: type[NasionError] = field(default=DataError, kw_only=True)
    remedy: str = field(default="correct it or write the file again.", kw_only=True)

    @property
    def place(self) -> str:
        return f"{self.file} {self.keys}".rstrip()

    def error(self, problem: str) -> NasionError:
        """The error to raise for this value."""
        return self.kind(f"{self.place}: {problem}; {self.remedy}")

    def __getitem__(self, key: str) -> Document:
        """The value under a key, which must be there."""
        if key not in self.object():
            existing = listed(self.value)
            raise self.error(
                f"it has no {quoted(key)} {f'but {existing}' if existing else 'and is empty'}"
            )
        return self._inside(self.value[key], f"{self.keys}.{key}".lstrip("."))

    def get(self, *keys: str) -> Document | None:
        """The value under the first of these keys that is there; None for none, and for null."""
        found = next((key for key in keys if key in self.object()), None)
        return None if found is None or self.value[found] is None else self[found]

    def object(self) -> dict[str, Any]:
        return self._of_type(dict)

    def elements(self) -> list[Document]:
        """The values of a list."""
        values = self._of_type(list)
        return [self._inside(each, f"{self.keys}[{i}]") for i, each in enumerate(values)]

    def text(self) -> str:
        return self._of_type(str)

    def file_name(self) -> str:
        """Text that can be the name of a file."""
        try:
            return check_file_name(self.text())
        except NasionError:
            raise
        except ValueError as error:
            raise self.error(str(error)) from None

    def flag(self) -> bool:
        return self._of_type(bool)

    def whole(self, low: int = 0, high: int = (1 << 53) - 1) -> int:
        """A whole number within ``low`` .. ``high``."""
        if type(self.value) is int and low <= self.value <= high:
            return self.value
        raise self.error(f"{self._shown()} found, a whole number {low} to {high} expected")

    def number(
        self,
        low: float = -math.inf,
        high: float = math.inf,
        nan: bool = False,
        infinite: bool = False,
    ) -> float:
        """A number within ``low`` .. ``high``. ``nan``, ``infinite``: these are values too."""
        value = self._float()
        if (nan and math.isnan(value)) or (infinite and math.isinf(value)):
            return value
        if math.isfinite(value) and low <= value <= high:
            return value
        limits = f" {low:g} to {high:g}" if math.isfinite(low) else ""
        raise self.error(f"{self._shown()} found, a finite number{limits} expected")

    def numbers(self, low: float = -math.inf, high: float = math.inf) -> list[float]:
        """A list of finite numbers within ``low`` .. ``high``."""
        values = self._of_type(list)
        # At once: a file of predictions has millions. One by one only to name the wrong one.
        # The limits are float's own, and false for NaN.
        least, most = max(low, -_LARGEST), min(high, _LARGEST)
        if set(map(type, values)) <= {int, float} and all(least <= v <= most for v in values):
            return [float(value) for value in values]
        return [each.number(low, high) for each in self.elements()]

    def points(self, count: int, whose: str) -> Float64[np.ndarray, "K 2"]:
        """``count`` pairs of coordinates; [null, null] and [NaN, NaN] are points not predicted.

        ``whose``: what has so many points, for the error.
        """
        # At once, as in `numbers`.
        found = _plain_points(self._of_type(list), count)
        if found is not None:
            return found
        rows = self.elements()
        widths = {len(row.elements()) for row in rows}
        if len(rows) != count or widths - {2}:
            shape = f"{len(rows)} x {'/'.join(map(str, sorted(widths)))}"
            raise self.error(f"points of {shape}; {count} x 2 expected, as {whose} has")
        return np.array([row._pair() for row in rows], dtype=np.float64).reshape(count, 2)

    def _pair(self) -> tuple[float, float]:
        x, y = (each._coordinate() for each in self.elements())
        if math.isnan(x) != math.isnan(y):
            raise self.error(f"half a point, {self._shown()}; both coordinates or none expected")
        return x, y

    def _coordinate(self) -> float:
        if self.value is None:
            return math.nan
        value = self._float()
        if abs(value) > MAX_COORDINATE:  # infinity too; NaN passes
            raise self.error(
                f"{self._shown()} found, at most {MAX_COORDINATE:,.0f} pixels expected"
            )
        return value

    def _float(self) -> float:
        # Not bool, which is an int in Python.
        if type(self.value) not in (int, float):
            raise self.error(f"{self._shown()} found, a number expected")
        try:
            return float(self.value)
        except OverflowError:
            raise self.error(f"{self._shown()} found, a number below 1e308 expected") from None

    def _of_type(self, kind: type) -> Any:
        if type(self.value) is not kind:
            raise self.error(f"{self._shown()} found, {_NAMES[kind]} expected")
        return self.value

    def _inside(self, value: Any, keys: str) -> Document:
        return replace(self, value=value, keys=keys)

    def _shown(self) -> str:
        if isinstance(self.value, (dict, list)):
            return _NAMES[type(self.value)]
        # An integer of thousands of digits cannot be written by repr at all.
        if type(self.value) is int and abs(self.value) >= 1 << 64:
            return "a number of more than 19 digits"
        return "null" if self.value is None else quoted(self.value)


def parse_document(text: str, file: str | Path, **settings: Any) -> Document:
    """The value of a JSON text. ``settings``: ``kind`` and ``remedy`` of ``Document``.

    Raises an error of that kind for text that is not JSON, for a key that occurs twice in one
    object, and for nesting that is too deep.
    """
    root = Document(None, str(file), **settings)
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise root.error("not JSON that can be read (nested too deeply)") from error
    except ValueError as error:
        raise root.error(f"not JSON ({shortened(str(error), 200)})") from error
    return replace(root, value=value)


def read_document(path: Path, **settings: Any) -> Document:
    """The value of a JSON file, which exists. Raises as ``parse_document`` does."""
    root = Document(None, str(path), **settings)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise root.error(f"it cannot be read ({reason_of(error)})") from error
    return parse_document(text, path, **settings)


def _plain_points(rows: list[Any], count: int) -> Float64[np.ndarray, "K 2"] | None:
    """Pairs of coordinates as an array; None if anything else is among them, as a null."""
    if len(rows) != count or any(type(row) is not list or len(row) != 2 for row in rows):
        return None
    flat = [value for row in rows for value in row]
    if not set(map(type, flat)) <= {int, float}:
        return None
    # False for NaN too, which is read pair by pair.
    if not all(-MAX_COORDINATE <= value <= MAX_COORDINATE for value in flat):
        return None
    return np.array(flat, dtype=np.float64).reshape(count, 2)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these pairs. Python would keep the last value of a key and drop the others."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {quoted(twice)} occurs twice in one object")
    return found
