"""Contours of a scheme: chains of points that its edges join one after another."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from nasion.landmarks.scheme import Scheme

_FEWEST = 3  # points of a contour: of two, no order can be told


@dataclass(frozen=True)
class Contour:
    """``points``: positions in the scheme, in order. ``closed``: the last one joins the first."""

    points: tuple[int, ...]
    closed: bool


def contours(scheme: Scheme) -> tuple[Contour, ...]:
    """Chains and rings of three points or more, in the order of their first points.

    Where three edges or more meet, chains end.
    """
    joined: dict[int, list[int]] = defaultdict(list)
    for a, b in scheme.edge_index.tolist():
        if b not in joined[a] and a != b:
            joined[a].append(b)
            joined[b].append(a)
    ends = [point for point in joined if len(joined[point]) != 2]
    found: list[Contour] = []
    used: set[frozenset[int]] = set()
    # Open chains begin where edges end or meet; what is left then are rings.
    for start in sorted(ends):
        for second in joined[start]:
            if frozenset((start, second)) not in used:
                found.append(_walk(start, second, joined, used))
    for start in sorted(joined):
        for second in joined[start]:
            if frozenset((start, second)) not in used:
                found.append(_walk(start, second, joined, used))
    long = [each for each in found if len(each.points) >= _FEWEST]
    return tuple(sorted(long, key=lambda each: min(each.points)))


def _walk(
    start: int, second: int, joined: dict[int, list[int]], used: set[frozenset[int]]
) -> Contour:
    """From a point along its edges to the end of the chain, or round to the point itself."""
    chain = [start, second]
    used.add(frozenset((start, second)))
    while len(joined[chain[-1]]) == 2 and chain[-1] != start:
        here = chain[-1]
        following = [p for p in joined[here] if frozenset((here, p)) not in used]
        if not following:
            break
        used.add(frozenset((here, following[0])))
        chain.append(following[0])
    closed = len(chain) > 3 and chain[-1] == start
    return Contour(tuple(chain[:-1] if closed else chain), closed)
