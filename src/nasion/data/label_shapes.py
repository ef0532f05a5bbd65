"""Suspect labels of few faces: each face by itself, against a mean face moved onto it.

With a hundred faces ``label_outliers.py`` learns how faces vary. With fewer, a face is compared
with the catalog's mean face (or with the median face of the set, if the scheme has other names): a
point far from its place, or labels that fit much better with left and right swapped, stand out all
the same. Finer faults do not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nasion.array_types import Bool, Complex, Float64
from nasion.data.mirror_check import median_shape
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.faces import Faces

LEAST_FACES = 10  # whose median face can stand for the catalog's
LEAST_POINTS = 4  # of a face: fewer can be moved onto any face
FAR = 0.5  # of the face's size, from a point to its place; turned heads reach 0.4 (LOG.md)
_SWAPPED = 0.5  # of the misfit is left if swapping left and right explains it
_MISFIT = 0.1  # of the face's size, on average, below which nothing is swapped
KNOWN_SHARE = 0.5  # of a scheme's points with catalog names, from which the mean face is used
_ROUNDS = 3  # of fitting without the points that fit worst


def reference_face(faces: Faces) -> Float64[np.ndarray, "K 2"] | None:
    """The catalog's mean face, or the median of these faces; None if there are too few.

    NaN for points of neither. Faces count that have most of their points.
    """
    shape = mean_shape(faces.scheme)
    if (~np.isnan(shape).any(axis=1)).mean() >= KNOWN_SHARE:
        return shape
    found = median_shape(faces, LEAST_FACES)
    return None if found is None else found[0]


def misplaced_labels(
    faces: Faces, reference: Float64[np.ndarray, "K 2"], which: Bool[np.ndarray, " N"]
) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) of the faces of ``which`` whose labels do not form a face."""
    flip = faces.scheme.flip if faces.scheme.mirror else None
    for i in np.flatnonzero(which).tolist():
        points = faces.points[i].astype(np.float64)
        distance = misfit(points, reference)
        if np.isnan(distance).all():
            continue
        if flip is not None and _is_swapped(points, distance, reference, flip):
            yield i, "left and right seem to be swapped in its labels."
            continue
        k = int(np.nanargmax(distance))
        if distance[k] > FAR:
            yield (
                i,
                (
                    f"its point {faces.scheme.points[k]} is far from where the others put it "
                    f"({distance[k]:.1f} of the face's size); look at its labels."
                ),
            )


def swapped_faces(faces: Faces) -> list[int]:
    """Positions of faces whose labels fit much better with left and right swapped."""
    reference, flip = reference_face(faces), faces.scheme.flip
    if reference is None or not faces.scheme.mirror:
        return []
    found = []
    for i, points in enumerate(faces.points.astype(np.float64)):
        distance = misfit(points, reference)
        if not np.isnan(distance).all() and _is_swapped(points, distance, reference, flip):
            found.append(i)
    return found


def _is_swapped(
    points: Float64[np.ndarray, "K 2"],
    distance: Float64[np.ndarray, " K"],
    reference: Float64[np.ndarray, "K 2"],
    flip: np.ndarray,
) -> bool:
    """Whether most of the distance from the reference is due to swapped sides."""
    mean = float(np.nanmean(distance))
    if mean <= _MISFIT:
        return False
    swapped = misfit(points[flip], reference)
    return not np.isnan(swapped).all() and float(np.nanmean(swapped)) < _SWAPPED * mean


def misfit(
    points: Float64[np.ndarray, "K 2"], reference: Float64[np.ndarray, "K 2"]
) -> Float64[np.ndarray, " K"]:
    """How far each point is from the reference moved onto the face, in the face's size.

    NaN for points that either lacks, and for all if they are too few.
    """
    fitted = fit(points, reference)
    if fitted is None:
        return np.full(len(points), np.nan)
    scale, offset = fitted
    shape: np.ndarray = reference[:, 0] + 1j * reference[:, 1]
    extent = np.ptp(reference[~np.isnan(reference).any(axis=1)], axis=0).max()
    return np.abs(_complex(points) - (scale * shape + offset)) / max(abs(scale) * extent, 1e-9)


def fit(
    points: Float64[np.ndarray, "K 2"], reference: Float64[np.ndarray, "K 2"]
) -> tuple[complex, complex] | None:
    """The similarity z = scale * reference + offset onto the points; None if they are too few.

    A complex scale turns as well. Points that fit far worse than most are left out.
    """
    z, shape = _complex(points), _complex(reference)
    used = ~np.isnan(z) & ~np.isnan(shape)
    if used.sum() < LEAST_POINTS:
        return None
    found = _least_squares(z[used], shape[used])
    for _ in range(_ROUNDS):
        distance = np.abs(z - (found[0] * shape + found[1]))
        kept = used & (np.nan_to_num(distance, nan=np.inf) <= 3 * np.nanmedian(distance[used]))
        if kept.sum() < LEAST_POINTS:
            break
        found = _least_squares(z[kept], shape[kept])
    return found


def _least_squares(
    z: Complex[np.ndarray, " n"], shape: Complex[np.ndarray, " n"]
) -> tuple[complex, complex]:
    centred = shape - shape.mean()
    power = (np.abs(centred) ** 2).sum()
    scale = complex((np.conj(centred) * (z - z.mean())).sum() / max(power, 1e-12))
    return scale, complex(z.mean() - scale * shape.mean())


def _complex(points: Float64[np.ndarray, "K 2"]) -> Complex[np.ndarray, " K"]:
    """Points as x + iy, so that scaling and turning is one multiplication."""
    return points[:, 0] + 1j * points[:, 1]
