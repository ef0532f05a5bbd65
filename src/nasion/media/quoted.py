"""Values of files as messages show them: cut, so that no value hides what a message says."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 40  # characters


def quoted(value: object, most: int = _MOST) -> str:
    """The value as Python writes it, text of at most ``most`` characters, and in quotes."""
    return repr(shortened(value, most)) if isinstance(value, str) else shortened(repr(value), most)


def shortened(text: str, most: int = _MOST) -> str:
    """The text, its end replaced by ``...`` if it has more than ``most`` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def listed(names: Iterable[str], most: int = 200) -> str:
    """Names with commas between them, in at most ``most`` characters."""
    return shortened(", ".join(shortened(name) for name in names), most)
