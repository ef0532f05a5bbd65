"""Annotators who mean different places by the same names: separate points, and so separate outputs.

A source's point ``nose_tip`` becomes ``nose_tip@four``. Faces of that source leave the shared point
unlabelled, all others leave the source's own unlabelled. So separate heads are the same mechanism
as missing labels, and a network can be asked for any annotator's habit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Float
from nasion.errors import SettingError, require
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

GROUP = "source"


@dataclass(frozen=True)
class SeparateHeads:
    """Points that get their own outputs for faces whose group ``source`` has this value.

    ``points``: which points; empty means all.
    """

    source: str
    points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.source), "separate_heads needs the name of a source.")

    def of(self, scheme: Scheme) -> tuple[str, ...]:
        """The names of the points with their own outputs."""
        return self.points or scheme.points


def add_heads(scheme: Scheme, heads: Sequence[SeparateHeads]) -> Scheme:
    """The scheme followed by each source's own points.

    Raises ``SettingError`` for unknown points, and for one of a mirror pair without the other.
    """
    if not heads:
        return scheme
    points, mirror = list(scheme.points), list(scheme.mirror)
    for head in heads:
        own = set(head.of(scheme))
        scheme.index(own)  # raises for unknown points
        _check_pairs(scheme, head, own)
        points += [_own_name(point, head) for point in scheme.points if point in own]
        mirror += [
            (_own_name(a, head), _own_name(b, head))
            for a, b in scheme.mirror
            if a in own and b in own
        ]
    return replace(scheme, points=tuple(points), mirror=tuple(mirror))


def _check_pairs(scheme: Scheme, head: SeparateHeads, own: set[str]) -> None:
    # In a mirrored face a point is its partner, which would have no output of this source.
    for pair in scheme.mirror:
        inside = [point for point in pair if point in own]
        if len(inside) == 1:
            (point,), (partner,) = inside, [other for other in pair if other not in own]
            raise SettingError(
                f"separate_heads of source {head.source!r} has {point!r} without its mirror "
                f"partner {partner!r} (scheme {scheme.name}); give both or neither."
            )


def split_heads(faces: Faces, heads: Sequence[SeparateHeads]) -> Faces:
    """Faces in the scheme of ``add_heads``: each source's labels moved to its own points."""
    if not heads:
        return faces
    wide = faces.to(add_heads(faces.scheme, heads))
    points, sources = wide.points.copy(), _sources(faces)
    occluded = None if wide.occluded is None else wide.occluded.copy()
    for head in heads:
        shared, own = _positions(faces.scheme, wide.scheme, head)
        rows = np.flatnonzero(sources == head.source)
        # np.ix_: all pairs of these rows and columns; plain indices would pair them up one by one.
        points[np.ix_(rows, own)] = points[np.ix_(rows, shared)]
        points[np.ix_(rows, shared)] = np.nan
        if occluded is not None:
            occluded[np.ix_(rows, own)] = occluded[np.ix_(rows, shared)]
            occluded[np.ix_(rows, shared)] = False
    return replace(wide, points=points, occluded=occluded)


def merge_heads(
    wide: Float[np.ndarray, "N W ..."], faces: Faces, heads: Sequence[SeparateHeads]
) -> Float[np.ndarray, "N K ..."]:
    """Values per output (points, scores) as values per point of the faces' scheme.

    Faces of a source with separate heads get the values of its own outputs.
    """
    # The shared outputs come first (add_heads).
    merged = wide[:, : len(faces.scheme)].copy()
    scheme, sources = add_heads(faces.scheme, heads), _sources(faces)
    for head in heads:
        shared, own = _positions(faces.scheme, scheme, head)
        rows = np.flatnonzero(sources == head.source)
        merged[np.ix_(rows, shared)] = wide[np.ix_(rows, own)]
    return merged


def _own_name(point: str, head: SeparateHeads) -> str:
    return f"{point}@{head.source}"


def _positions(scheme: Scheme, wide: Scheme, head: SeparateHeads) -> tuple[np.ndarray, np.ndarray]:
    names = head.of(scheme)
    return scheme.index(names), wide.index([_own_name(name, head) for name in names])


def _sources(faces: Faces) -> np.ndarray:
    return np.array(faces.groups.get(GROUP, ("",) * len(faces)), dtype=object)
