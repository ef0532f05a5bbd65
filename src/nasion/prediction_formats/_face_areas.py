"""Areas of a face that are filled in drawings: hulls of the points of its parts, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.landmarks.contours import contours
from nasion.landmarks.scheme import Scheme

# Okabe and Ito's colours, from the largest area to the smallest, which covers those below.
_ALPHA = 120
_FACE_COLOUR = (86, 180, 233, 60)
_COLOURS = {
    "nose": (240, 228, 66, _ALPHA),
    "brow": (230, 159, 0, _ALPHA),
    "eye": (0, 158, 115, _ALPHA),
    "mouth": (213, 94, 0, _ALPHA),
    "inner mouth": (80, 0, 60, _ALPHA),
}
_OTHER_COLOUR = (204, 121, 167, _ALPHA)
_FEWEST = 3  # points of an area
_OUTLINE = ("jaw", "chin", "contour", "forehead")


def draw_areas(pen: Any, scheme: Scheme, points: Float64[np.ndarray, "K 2"]) -> None:
    """Fill the parts of a face with a Pillow pen; those of which too few points are known are left
    out.
    """
    for at, colour in _areas(scheme):
        known = points[list(at)]
        known = known[np.isfinite(known[:, 0])]
        if len(known) >= _FEWEST:
            pen.polygon([tuple(point) for point in _hull(known).tolist()], fill=colour)


@cache
def _areas(scheme: Scheme) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """(points, colour) of each area."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, name in enumerate(scheme.known_as):
        for part, side in _parts_of(name):
            groups.setdefault((part, side), []).append(i)
    outline = [i for i, name in enumerate(scheme.known_as) if name.startswith(_OUTLINE)]
    found = []
    if len(outline) >= _FEWEST:
        # With nose and lips, which are the outline of a profile.
        found.append((tuple(outline + [i for at in groups.values() for i in at]), _FACE_COLOUR))
    for part, colour in _COLOURS.items():
        found += [(tuple(at), colour) for (own, _), at in groups.items() if own == part]
    named = {i for at, _ in found for i in at}
    rings = [ring for ring in contours(scheme) if ring.closed and named.isdisjoint(ring.points)]
    found += [(ring.points, _OTHER_COLOUR) for ring in rings]
    return tuple(found)


def _parts_of(name: str) -> Iterator[tuple[str, str]]:
    """(part, side) of the areas that a point of this name is a corner of."""
    side = next((word for word in ("left", "right") if word in name.split("_")), "")
    if "brow" in name:
        yield "brow", side
    elif "eye" in name.split("_"):
        yield "eye", side
    elif "nose" in name or name == "nasion":
        yield "nose", ""
    elif name.startswith("inner_lip"):
        yield "inner mouth", ""
        yield "mouth", ""
    elif "mouth" in name or "lip" in name.split("_"):
        yield "mouth", ""


def _hull(points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "h 2"]:
    """The corners of the convex hull, in order (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points.tolist()))

    def half(rest: list[Any]) -> list[Any]:
        chain: list[Any] = []
        for point in rest:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    corners = half(ordered) + half(ordered[::-1])
    return np.array(corners or ordered[:1], dtype=np.float64)


def _turn(a: Any, b: Any, c: Any) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
