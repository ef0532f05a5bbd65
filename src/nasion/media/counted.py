"""Numbers and what is counted, as messages show them: in the singular for one."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """``1 face``, ``2 faces``; ``many``: where no s makes it, as ``images are`` of ``image is``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def part_of(number: int, whole: int, noun: str, does: str, do: str) -> str:
    """``1 of 11 faces has``, ``2 of 11 faces have``: the verb agrees with the part."""
    return f"{number} of {counted(whole, noun)} {does if number == 1 else do}"
