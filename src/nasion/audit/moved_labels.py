"""Labels that are right places under wrong names: which point each label may really be of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nasion.array_types import Int64
from nasion.landmarks.contours import Contour, contours
from nasion.landmarks.scheme import Scheme

SIDES, PAIR, BACKWARDS, OFF_BY_ONE, SLID = (
    "sides exchanged",
    "points exchanged",
    "contour backwards",
    "contour off by one",
    "part of a contour slid",
)
_FEWEST_SLID = 2  # points; one alone is a wrong point


@dataclass(frozen=True, eq=False)
class MovedLabels:
    """``place``: for each label, the point that it is of; NOWHERE for one beyond a contour's end.

    ``needs``: points that must be labelled for it.
    """

    kind: str
    place: Int64[np.ndarray, " K"]
    needs: Int64[np.ndarray, " n"]


NOWHERE = -1


@dataclass(frozen=True, eq=False)
class MoveTable:
    """Moves by place, for all at once. ``source``: whose label each place gets; NOWHERE for none.

    ``doubles``: (move, label, place) where a place has one already. ``beyond``: (move, label) of
    labels beyond the end of a contour. ``empty``: the place without a label, or NOWHERE.
    """

    source: Int64[np.ndarray, "H K"]
    doubles: Int64[np.ndarray, "n 3"]
    beyond: Int64[np.ndarray, "m 2"]
    empty: Int64[np.ndarray, " H"]


def move_table(moves: list[MovedLabels]) -> MoveTable:
    """The moves by place. At most one place of each is empty."""
    size = len(moves[0].place)
    source = np.full((len(moves), size), NOWHERE)
    doubles, beyond = [], []
    for h, move in enumerate(moves):
        for label, place in enumerate(move.place.tolist()):
            if place == NOWHERE:
                beyond.append((h, label))
            elif source[h, place] == NOWHERE:
                source[h, place] = label
            else:
                doubles.append((h, label, place))
    empty = np.where((source == NOWHERE).any(axis=1), (source == NOWHERE).argmax(axis=1), NOWHERE)
    return MoveTable(
        source,
        np.array(doubles, dtype=np.int64).reshape(-1, 3),
        np.array(beyond, dtype=np.int64).reshape(-1, 2),
        empty,
    )


def moved_labels(scheme: Scheme) -> list[MovedLabels]:
    """All that are looked for in faces of this scheme."""
    chains, own = contours(scheme), np.arange(len(scheme))
    found: list[MovedLabels] = []
    if scheme.mirror:
        found.append(_of(SIDES, own, scheme.flip))
    for i, j in enumerate(scheme.flip.tolist()):
        if i < j:
            found.append(_exchanged(own, np.array([i]), np.array([j])))
    for chain in chains:
        there = np.array(chain.points)
        mirrored = scheme.flip[there]
        if set(mirrored.tolist()).isdisjoint(chain.points) and there.min() < mirrored.min():
            found.append(_exchanged(own, there, mirrored))
    for chain in chains:
        found += _of_contour(own, chain)
    return found


def _of(kind: str, own: np.ndarray, place: np.ndarray) -> MovedLabels:
    return MovedLabels(kind, place, np.flatnonzero(place != own))


def _exchanged(own: np.ndarray, first: np.ndarray, second: np.ndarray) -> MovedLabels:
    place = own.copy()
    place[first], place[second] = second, first
    return _of(PAIR, own, place)


def _of_contour(own: np.ndarray, chain: Contour) -> Iterator[MovedLabels]:
    there, count = np.array(chain.points), len(chain.points)

    def moved(kind: str, places: np.ndarray) -> MovedLabels:
        place = own.copy()
        place[there] = places
        return MovedLabels(kind, place, there)

    if chain.closed:
        for start in range(count):
            # The other way round, from any of its points; three points turned are those of below.
            backwards = np.roll(there[::-1], start)
            if (backwards != there).any():
                yield moved(BACKWARDS, backwards)
        if count > 3:
            yield moved(OFF_BY_ONE, np.roll(there, 1))
            yield moved(OFF_BY_ONE, np.roll(there, -1))
    else:
        yield moved(BACKWARDS, there[::-1])
        yield moved(OFF_BY_ONE, np.append(there[1:], NOWHERE))
        yield moved(OFF_BY_ONE, np.insert(there[:-1], 0, NOWHERE))
    for length in range(_FEWEST_SLID, count - 1):
        for start in range(count - length):
            forth, back = there.copy(), there.copy()
            forth[start : start + length] = there[start + 1 : start + length + 1]
            back[start + 1 : start + length + 1] = there[start : start + length]
            yield moved(SLID, forth)
            yield moved(SLID, back)
