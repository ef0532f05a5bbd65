"""Mirror pairs whose left and right are exchanged in single faces, as a hand does that clicks.

From right to left all pairs of a face point the same way, however it is turned or tilted; a pair
with exchanged labels points the other way. No shape is needed, so that a few faces are enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces

LEAST_PAIRS = 3  # of two that differ, either may be the wrong one
_AGREED = 0.5  # length of the mean direction of the other pairs, 1 if all point the same way
_OPPOSITE = -0.7  # cosine between a pair's direction and the others'
_LONG = 0.25  # of the pair's usual length; a short one may point anywhere
_SHORTEST = 0.03  # of the face's size, that a pair is long
_SCHEME = 0.5  # of the faces: so many point the other way by the scheme's names, not by a hand
_SHOWN = 3  # pairs in a message


def swapped_pairs(faces: Faces) -> Mapping[int, list[tuple[str, str]]]:
    """(left, right) names of the exchanged pairs, by the position of the face."""
    scheme, points = faces.scheme, faces.points.astype(np.float64)
    if len(scheme.mirror) < LEAST_PAIRS or not len(faces):
        return {}
    left = scheme.index([pair[0] for pair in scheme.mirror])
    right = scheme.index([pair[1] for pair in scheme.mirror])
    across = points[:, left] - points[:, right]
    length = np.linalg.norm(across, axis=2)
    labelled = ~np.isnan(length)
    direction = np.where(labelled[..., None], across, 0) / np.fmax(length, 1e-9)[..., None]
    count = labelled.sum(axis=1)[:, None]
    others = (direction.sum(axis=1)[:, None] - direction) / np.maximum(count - 1, 1)[..., None]
    agreed = np.linalg.norm(others, axis=2)
    cosine = (direction * others).sum(axis=2) / np.maximum(agreed, 1e-9)

    boxes = geometry.points_box(points)
    relative = length / np.fmax((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-9)[:, None]
    used = labelled.any(axis=0)
    usual = np.full(len(left), np.inf)
    usual[used] = np.nanmedian(relative[:, used], axis=0)
    is_long = np.nan_to_num(relative) > np.maximum(_LONG * usual, _SHORTEST)
    opposite = is_long & (count >= LEAST_PAIRS) & (agreed > _AGREED) & (cosine < _OPPOSITE)
    # In most faces: check_mirror speaks of the scheme.
    opposite &= opposite.sum(axis=0) <= _SCHEME * labelled.sum(axis=0)
    return {
        i: [scheme.mirror[k] for k in np.flatnonzero(opposite[i]).tolist()]
        for i in np.flatnonzero(opposite.any(axis=1)).tolist()
    }


def told_pairs(found: Mapping[int, list[tuple[str, str]]]) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) of each face."""
    for i, pairs in found.items():
        shown = ", ".join(f"{a} and {b}" for a, b in pairs[:_SHOWN])
        more = f" and {len(pairs) - _SHOWN} more pairs" if len(pairs) > _SHOWN else ""
        yield (
            i,
            f"left and right seem to be swapped at {shown}{more}, which lie the other way round "
            "than the face's other pairs; exchange their labels.",
        )
