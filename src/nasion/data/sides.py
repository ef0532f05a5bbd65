"""Which clusters of faces go to which side of a split, or to which fold.

A cluster is drawn by the hash of its smallest id, so that a face keeps its side when a set grows.
Chance alone would send 17 of 40 faces to validation, or none of ten. So clusters change sides, in
the order of their hashes, as long as the count of a side is off by more than ``TOLERANCE``: in each
stratum (``source``, ``subset``), then in the whole set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from nasion.array_types import Bool, Int64
from nasion.landmarks.faces import Faces
from nasion.media.file_names import name_bytes

# Of the wanted count. Published splits, drawn by hash alone, are off by less (fkd, 300-W, YouTube
# Faces and their subsets: 0.10 at most), so this rule leaves them as they are.
TOLERANCE = 0.15
STRATA = ("source", "subset")  # groups whose values are split by count, each on its own
_LEAST_STRATUM = 10  # faces; of fewer, too few go to validation to be counted


@dataclass(frozen=True)
class Cluster:
    """Faces that stay together: by position; ``draw``, 0 to 1, is the hash of the smallest id."""

    faces: tuple[int, ...]
    draw: float
    stratum: str

    def __len__(self) -> int:
        return len(self.faces)


def clusters_of(faces: Faces, roots: Int64[np.ndarray, " N"]) -> list[Cluster]:
    """The clusters of faces that share a root, ordered by their draws."""
    members: dict[int, list[int]] = {}
    for i, root in enumerate(roots.tolist()):
        members.setdefault(root, []).append(i)
    groups = [faces.groups[name] for name in STRATA if name in faces.groups]
    found = []
    for positions in members.values():
        # The smallest id, so that the order of the faces does not matter.
        first = min(positions, key=lambda i: faces.ids[i])
        stratum = "\0".join(values[first] for values in groups)
        found.append(Cluster(tuple(positions), hash_fraction(faces.ids[first]), stratum))
    return sorted(found, key=lambda cluster: cluster.draw)


def validation_side(clusters: Sequence[Cluster], fraction: float) -> Bool[np.ndarray, " N"]:
    """True for faces of the validation side, about ``fraction`` of all.

    No side is empty if there are two clusters or more.
    """
    held_out = {cluster for cluster in clusters if cluster.draw < fraction}
    strata = {cluster.stratum for cluster in clusters}
    if len(strata) > 1:
        for stratum in sorted(strata):
            inside = [cluster for cluster in clusters if cluster.stratum == stratum]
            if _count(inside) >= _LEAST_STRATUM:
                held_out = _balanced(inside, held_out, fraction, least=1.0)
    held_out = _balanced(clusters, held_out, fraction, least=0.5)
    if not held_out and len(clusters) > 1:
        held_out = {min(clusters, key=len)}
    side = np.zeros(_count(clusters), dtype=bool)
    for cluster in held_out:
        side[list(cluster.faces)] = True
    return side


def fold_numbers(clusters: Sequence[Cluster], count: int) -> Int64[np.ndarray, " N"]:
    """The fold of each face, 0 to ``count - 1``, of about equal counts in all and in each stratum.

    No fold is empty if there are as many clusters.
    """
    fold = np.zeros(_count(clusters), dtype=np.int64)
    total = np.zeros(count, dtype=np.int64)
    for stratum in sorted({cluster.stratum for cluster in clusters}):
        own = np.zeros(count, dtype=np.int64)
        inside = [cluster for cluster in clusters if cluster.stratum == stratum]
        # Large clusters first: small ones then even out. Sorting keeps the order of equal ones.
        for cluster in sorted(inside, key=len, reverse=True):
            # The fold that has fewest of this stratum; of several such, the smallest one.
            at = np.lexsort((total, own))[0]
            fold[list(cluster.faces)] = at
            own[at] += len(cluster)
            total[at] += len(cluster)
    return fold


def hash_fraction(name: str) -> float:
    """A number in 0 .. 1 that depends on the name alone."""
    # Python's own hash() of a string differs from process to process.
    return int.from_bytes(blake2b(name_bytes(name), digest_size=8).digest(), "big") / 2**64


def _balanced(
    clusters: Sequence[Cluster], held_out: set[Cluster], fraction: float, least: float
) -> set[Cluster]:
    """``held_out`` with as few changes as bring its count within the tolerance.

    ``least``: faces by which the count may be off at any rate.
    """
    wanted = fraction * _count(clusters)
    slack = max(TOLERANCE * wanted, least)
    chosen = [cluster for cluster in clusters if cluster in held_out]
    count, result = _count(chosen), set(held_out)
    # Those drawn last would have been on the other side first.
    for cluster in reversed(chosen):
        if count > wanted + slack and abs(count - len(cluster) - wanted) < count - wanted:
            result.remove(cluster)
            count -= len(cluster)
    for cluster in clusters:
        if cluster in result or count >= wanted - slack:
            continue
        if abs(count + len(cluster) - wanted) < wanted - count:
            result.add(cluster)
            count += len(cluster)
    return result


def _count(clusters: Sequence[Cluster]) -> int:
    return sum(map(len, clusters))
