"""Points that no face has, and points that are another one's, misspelt.

Formats that name each point make a new point of a misspelt name. It is in few faces, these lack the
point that is meant, and it lies where that one would.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

import numpy as np

from nasion.array_types import Bool, Float64
from nasion.data.label_shapes import fit
from nasion.data.mirror_check import median_shape
from nasion.landmarks.faces import Faces
from nasion.media.quoted import quoted

_RARE = 0.1  # of the faces at most have a misspelt point
_USUAL = 0.5  # of the faces at least have the point that is meant
_LEAST_FACES = 4
_SIMILAR = 0.7  # of two names' letters, which are the same in the same order
_SAME_PLACE = 0.15  # of the face's size; a chin moves by 0.1 when a mouth opens
_SHOWN = 5  # names in a message


def never_labelled(faces: Faces) -> str:
    """What to say of the points that no face has; empty if there are none."""
    counts = faces.labelled.sum(axis=0)
    names = [faces.scheme.points[k] for k in np.flatnonzero(counts == 0).tolist()]
    if not names or not counts.any():
        return ""
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    noun = "the point" if len(names) == 1 else "the points"
    return f"no face has {noun} {shown}{more}: nothing can be learnt of what has no label."


def misspelt_points(faces: Faces) -> Iterator[tuple[int, str]]:
    """(position of the first face, what is wrong) of each point that seems to be another one."""
    labelled = faces.labelled
    total, counts = int(labelled.any(axis=1).sum()), labelled.sum(axis=0)
    if total < _LEAST_FACES:
        return
    found = median_shape(faces)
    for k in np.flatnonzero((counts > 0) & (counts <= max(1, _RARE * total))).tolist():
        having = labelled[:, k]
        lacked = ~labelled[having].any(axis=0) & (counts >= _USUAL * total)
        meant = _meant(
            faces, k, np.flatnonzero(lacked).tolist(), None if found is None else found[0]
        )
        if meant is None:
            continue
        yield (
            int(np.flatnonzero(having)[0]),
            f"point {quoted(faces.scheme.points[k])} is labelled in {counts[k]} of {total} faces "
            f"only, where {quoted(faces.scheme.points[meant])} is missing; is that meant? Then "
            "correct the name.",
        )


def _meant(
    faces: Faces, k: int, candidates: list[int], shape: Float64[np.ndarray, "K 2"] | None
) -> int | None:
    """The one of the candidates that a point seems to be: by its place, and by its name.

    The only candidate may have any name.
    """
    names = faces.scheme.points
    having = faces.labelled[:, k]
    alike = {each: _likeness(names[k], names[each]) for each in candidates}
    possible = [each for each in candidates if alike[each] >= _SIMILAR]
    if shape is not None:
        possible = possible or (candidates if len(candidates) == 1 else [])
        possible = [each for each in possible if _lies_there(faces, k, each, having, shape)]
    return max(possible, key=lambda each: alike[each], default=None)


def _likeness(a: str, b: str) -> float:
    a, b = ("".join(filter(str.isalnum, name.casefold())) for name in (a, b))
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


def _lies_there(
    faces: Faces,
    k: int,
    other: int,
    having: Bool[np.ndarray, " N"],
    shape: Float64[np.ndarray, "K 2"],
) -> bool:
    """Whether the labels of a point lie where the median face has another one."""
    distances: list[float] = []
    for points in faces.points[having].astype(np.float64):
        place = complex(*points[k])
        points[k] = np.nan
        fitted = fit(points, shape)
        if fitted is not None and abs(fitted[0]) > 0:
            # The median face is of size 1.
            expected = fitted[0] * complex(*shape[other]) + fitted[1]
            distances.append(abs(place - expected) / abs(fitted[0]))
    return bool(distances) and float(np.median(distances)) <= _SAME_PLACE
