"""Schemes of labels whose points nobody has described: from the names in a file."""

from __future__ import annotations

from collections.abc import Sequence

from nasion.landmarks.catalog import SCHEMES, mirror_pairs
from nasion.landmarks.scheme import Scheme


def scheme_from_data(
    name: str, points: Sequence[str], edges: Sequence[tuple[str, str]] = ()
) -> Scheme:
    """The catalog's scheme with exactly these points, else a new one with pairs from the names."""
    points = tuple(points)
    for scheme in SCHEMES.values():
        if scheme.points == points:
            return scheme
    return Scheme(name=name, points=points, mirror=mirror_pairs(points), edges=tuple(edges))
