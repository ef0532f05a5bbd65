"""Names in the tables of schemes: mirror names, both sides, numbers, lines of points."""

from __future__ import annotations

from collections.abc import Iterable


def mirror_name(point: str) -> str:
    """The same place on the other half of the face: ``left_pupil`` for ``right_pupil``."""
    parts = point.split("_")
    swap = {"left": "right", "right": "left"}
    return "_".join(swap.get(part, part) for part in parts)


def mirror_pairs(points: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of points that mirror each other, by their names."""
    # Points of the midline have no side in their name and mirror themselves.
    left = [point for point in points if "left" in point.split("_")]
    return tuple((point, mirror_name(point)) for point in left if mirror_name(point) in points)


def line(*points: str, closed: bool = False) -> tuple[tuple[str, str], ...]:
    """The edges that join these points in order."""
    ends = points[1:] + points[:1] if closed else points[1:]
    return tuple(zip(points, ends, strict=False))


def both_sides(*names: str) -> tuple[str, ...]:
    """Names with ``*`` for the side: first all of the subject's right, then all of the left."""
    return (*on_side("right", names), *on_side("left", names))


def on_side(side: str, names: Iterable[str]) -> tuple[str, ...]:
    """Names with ``*`` for the side, as those of one side."""
    return tuple(name.replace("*", side) for name in names)


def numbered(name: str, first: int, last: int) -> tuple[str, ...]:
    """``name_1``, ``name_2`` ...; counted down if ``last`` is below ``first``."""
    step = 1 if last >= first else -1
    return tuple(f"{name}_{i}" for i in range(first, last + step, step))
