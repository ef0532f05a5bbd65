"""Sources that mean other places by the same names: their labels get points of their own, and with them outputs of their own.

A source's point ``nose_tip`` becomes ``nose_tip@four``; faces of that source leave the shared point unlabelled, all others the
source's own. So keeping sources apart is the same mechanism as missing labels, and a network is asked for any source's habit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from nasion.errors import require
from nasion.faces import Faces
from nasion.scheme import Scheme

GROUP = "source"


@dataclass(frozen=True)
class Apart:
    """The points of faces whose group ``source`` has this value that are learnt apart from all others' (empty: all of them)."""

    source: str
    points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.source), "apart needs the name of a source.")

    def of(self, scheme: Scheme) -> tuple[str, ...]:
        """The names of the points that are kept apart."""
        return self.points or scheme.points


def widened(scheme: Scheme, apart: Sequence[Apart]) -> Scheme:
    """The scheme followed by each source's own points."""
    points, mirror = list(scheme.points), list(scheme.mirror)
    for part in apart:
        own = set(part.of(scheme))
        scheme.index(own)  # says which do not exist
        points += [_own(point, part) for point in scheme.points if point in own]
        mirror += [(_own(a, part), _own(b, part)) for a, b in scheme.mirror if a in own and b in own]
    return replace(scheme, points=tuple(points), mirror=tuple(mirror)) if apart else scheme


def spread(faces: Faces, apart: Sequence[Apart]) -> Faces:
    """Faces in the widened scheme: labels of sources that are kept apart moved to their own points."""
    if not apart:
        return faces
    wide = faces.to(widened(faces.scheme, apart))
    points, sources = wide.points.copy(), _sources(faces)
    for part in apart:
        shared, own = _places(faces.scheme, wide.scheme, part)
        rows = np.flatnonzero(sources == part.source)
        points[np.ix_(rows, own)] = points[np.ix_(rows, shared)]
        points[np.ix_(rows, shared)] = np.nan
    return replace(wide, points=points)


def gathered(wide: Float[np.ndarray, "N W ..."], faces: Faces, apart: Sequence[Apart]) -> Float[np.ndarray, "N K ..."]:
    """Values of each widened point (points, scores) as values of the faces' scheme: for faces of a source kept apart, its own."""
    found = wide[:, : len(faces.scheme)].copy()
    scheme, sources = widened(faces.scheme, apart), _sources(faces)
    for part in apart:
        shared, own = _places(faces.scheme, scheme, part)
        rows = np.flatnonzero(sources == part.source)
        found[np.ix_(rows, shared)] = wide[np.ix_(rows, own)]
    return found


def _own(point: str, part: Apart) -> str:
    return f"{point}@{part.source}"


def _places(scheme: Scheme, wide: Scheme, part: Apart) -> tuple[np.ndarray, np.ndarray]:
    names = part.of(scheme)
    return scheme.index(names), wide.index([_own(name, part) for name in names])


def _sources(faces: Faces) -> np.ndarray:
    return np.array(faces.groups.get(GROUP, ("",) * len(faces)), dtype=object)
