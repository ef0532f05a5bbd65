"""Labels that look wrong: faces whose labelled points lie together as those of no other face.

For each annotator a Gaussian of all coordinates is fitted with missing labels left out and outliers trimmed; a face's
implausibility is its squared Mahalanobis distance per labelled value, in units of the median face's. Swapped sides, shifted,
shrunken or doubled points stand out; it looks at no picture, so a rare pose may be named as well.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from nasion import geometry
from nasion.faces import Faces

IMPLAUSIBLE = 8.0
FEWEST = 100  # faces that a shape can be learnt from
_LEAST_SPREAD = 1e-4  # of the mean variance, so that points which always move together do not divide by nothing
_ROUNDS = 4


def implausibility(faces: Faces) -> Float64[np.ndarray, " N"]:
    """One value per face, about 1 for a usual one; NaN for faces without labels or from sources of under ``FEWEST``,
    and for faces without boxes in pictures of different sizes.

    The values of the group ``source``, where there is one, have shapes of their own, since annotators have their habits.
    """
    found = np.full(len(faces), np.nan)
    points = _framed(faces)
    values = np.array(faces.groups.get("source", ("",) * len(faces)), dtype=object)
    for value in dict.fromkeys(values.tolist()):
        at = np.flatnonzero((values == value) & ~np.isnan(points).all(axis=(1, 2)))
        if len(at) >= FEWEST:
            found[at] = _distances(points[at].reshape(len(at), -1))
    return found


def doubtful(faces: Faces) -> Bool[np.ndarray, " N"]:
    """True for faces at least ``IMPLAUSIBLE`` times as implausible as the median one."""
    return np.nan_to_num(implausibility(faces)) >= IMPLAUSIBLE


def _framed(faces: Faces) -> Float64[np.ndarray, "N K 2"]:
    """Points where faces of any size lie alike: in their boxes, or in pictures that are all of one size; else NaN."""
    points = faces.points.astype(np.float64)
    if faces.boxes is None:
        return points if isinstance(faces.images, np.ndarray) else np.full_like(points, np.nan)
    usable = np.all(faces.boxes[:, 2:] > faces.boxes[:, :2], axis=1)
    boxes = np.where(np.expand_dims(usable, 1), faces.boxes, [0.0, 0.0, 1.0, 1.0])
    return np.where(np.expand_dims(usable, (1, 2)), geometry.apply(geometry.box_to_frame(boxes, (100, 100)), points), np.nan)


def _distances(values: Float64[np.ndarray, "n D"]) -> Float64[np.ndarray, " n"]:
    values = values[:, ~np.isnan(values).all(axis=0)]
    labelled = ~np.isnan(values)
    patterns, which = np.unique(labelled, axis=0, return_inverse=True)
    relative = _first_guess(values)
    for _ in range(_ROUNDS):
        # Never more than a tenth is trimmed: a fit to ever fewer faces would find ever more of them odd.
        mean, covariance = _gaussian(values[relative <= max(IMPLAUSIBLE, np.quantile(relative, 0.9))])
        distance = np.zeros(len(values))
        for i, seen in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == i)
            apart = values[np.ix_(rows, seen)] - mean[seen]
            distance[rows] = (apart * np.linalg.solve(covariance[np.ix_(seen, seen)], apart.T).T).sum(1) / seen.sum()
        middle = np.median(distance)
        relative = distance / middle if middle > 0 else np.ones(len(values))
    return relative


def _first_guess(values: Float64[np.ndarray, "n D"]) -> Float64[np.ndarray, " n"]:
    """Distances from medians, each value for itself: gross outliers must not shape the first Gaussian."""
    apart = np.abs(values - np.nanmedian(values, axis=0))
    far = np.nanmean((apart / np.maximum(np.nanmedian(apart, axis=0), 1e-9)) ** 2, axis=1)
    return far / np.median(far)


def _gaussian(values: Float64[np.ndarray, "n D"]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance from whatever pairs are labelled together, made positive."""
    labelled = ~np.isnan(values)
    count = np.maximum(labelled.sum(0), 1)
    mean = np.where(labelled, values, 0).sum(0) / count
    apart = np.where(labelled, values - mean, 0)
    together = labelled.astype(float).T @ labelled
    covariance = apart.T @ apart / np.maximum(together, 1)
    # Drawn towards independence where few faces speak for a pair (in the manner of Ledoit and Wolf, 2004).
    trust = together / (together + values.shape[1])
    covariance = np.where(np.eye(len(covariance), dtype=bool), covariance, covariance * trust)
    spread, axes = np.linalg.eigh(covariance)
    least = max(spread.mean() * _LEAST_SPREAD, 1e-9)
    return mean, (axes * np.maximum(spread, least)) @ axes.T
