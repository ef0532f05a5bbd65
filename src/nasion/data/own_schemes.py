"""Schemes that data bring themselves, from the names of their points and the skeleton they have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nasion.errors import SettingError
from nasion.landmarks.catalog import SCHEMES, scheme_by_count
from nasion.landmarks.point_names import catalog_names, mirror_pairs_of_names, words
from nasion.landmarks.scheme import NormGroups, Scheme

_NUMBERED = re.compile(r"(?:p|pt|point|part|kp|keypoint|lm|landmark)?[_ -]?(\d{1,5})", re.A | re.I)
_CORNERS = ("right_eye_outer_corner", "left_eye_outer_corner")
_SIDE_WORDS = {"left", "right", "l", "r", "lt", "rt"}
_LEAST_PART = 2  # points of a part
Pair = tuple[str, str]


def scheme_from_data(name: str, points: Sequence[str], edges: Iterable[Pair] = ()) -> Scheme:
    """The catalog's scheme with exactly these points, else a new one of what their names say.

    Mirror pairs by sides (left/right, L/R), parts by the first word, and the norm by the outer eye
    corners, if these are named. ``edges``: the data's skeleton; without one, contours of numbered
    points are joined. Points that are only numbered have nothing of it. Raises ``SettingError`` for
    a name that occurs twice.
    """
    points = tuple(points)
    for scheme in SCHEMES.values():
        if scheme.points == points:
            return scheme
    # Both ways of one edge, and loops at a point, draw nothing more.
    once = {frozenset(edge): edge for edge in edges if edge[0] != edge[1]}
    own = Scheme(name=name, points=points, mirror=(), edges=tuple(once.values()))
    if is_numbered(points):
        return own
    return replace(
        own,
        mirror=mirror_pairs_of_names(points),
        edges=own.edges or chains(points),
        norm=eye_corners(points),
        parts=parts_of_names(points),
    )


def numbered_scheme(name: str, count: int, first: int = 0) -> Scheme:
    """A scheme of points that are only numbered, and fit no scheme of the catalog."""
    if count < 1:
        raise SettingError(f"{name}: a scheme needs at least one point.")
    return Scheme(name=name, points=tuple(map(str, range(first, first + count))), mirror=())


def scheme_of_numbered(
    name: str, count: int, requested: Scheme | None, first: int = 0
) -> Scheme | None:
    """The scheme of numbered points: one that has as many, else one of their numbers.

    None if a requested scheme has another number of points, and if several schemes fit.
    """
    fitting = scheme_by_count(count, requested)
    # A single point is no course's nose, just because that is a scheme of one point.
    ambiguous = count > 1 and any(len(scheme) == count for scheme in SCHEMES.values())
    if fitting is not None or requested is not None or ambiguous:
        return fitting
    return numbered_scheme(name, count, first)


def is_numbered(points: Sequence[str]) -> bool:
    """True for points that are only numbered in order, from 0 or 1: "0", "1" or "p1", "p2"."""
    found = [_NUMBERED.fullmatch(point) for point in points]
    numbers = [int(match[1]) for match in found if match]
    first = numbers[0] if numbers else 0
    return first in (0, 1) and numbers == list(range(first, first + len(points)))


def eye_corners(points: Sequence[str]) -> NormGroups | None:
    """The outer eye corners, if names say which points they are."""
    found = {known: point for point, known in catalog_names(points, _CORNERS).items()}
    if len(found) < 2:
        return None
    right, left = (found[name] for name in _CORNERS)
    return (right,), (left,)


def chains(points: Sequence[str]) -> tuple[Pair, ...]:
    """Edges between neighbours of contours whose points are numbered, as ``jaw_1``, ``jaw_2``."""
    contours: dict[tuple[str, ...], dict[int, str]] = {}
    for point in points:
        split = words(point)
        numbers = [word for word in split if word.isdecimal()]
        if len(numbers) == 1 and len(split) > 1:
            # The place of the number within the name belongs to the contour.
            stem = tuple("#" if word.isdecimal() else word for word in split)
            contours.setdefault(stem, {})[int(numbers[0])] = point
    found: list[Pair] = []
    for contour in contours.values():
        found += [(contour[i], contour[i + 1]) for i in sorted(contour) if i + 1 in contour]
    return tuple(found)


def parts_of_names(points: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Points that share the first word of their names that is no side, as ``eye`` or ``jaw``."""
    parts: dict[str, list[str]] = {}
    for point in points:
        plain = [w for w in words(point) if w not in _SIDE_WORDS and not w.isdecimal()]
        if plain:
            parts.setdefault(plain[0], []).append(point)
    kept = {part: names for part, names in parts.items() if _LEAST_PART <= len(names) < len(points)}
    return tuple((part, tuple(names)) for part, names in kept.items())
