"""Suspect labels: faces whose labelled points lie together as those of no other face.

For each annotator a Gaussian of all coordinates is fitted, with missing labels left out and
outliers trimmed. A face's outlier score is its squared Mahalanobis distance per labelled value,
relative to the median face's. Swapped sides and shifted, shrunken or duplicated points stand out.
No image is looked at, so a rare pose may be suspected as well.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import Bool, Float64
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces

THRESHOLD = 8.0  # times the median face's distance; chosen on Kaggle's set (LOG.md)
MIN_FACES = 100  # of a source, the fewest that a shape can be learnt from
_MIN_VARIANCE = 1e-4  # of the mean variance: points that always move together have almost none
_ROUNDS = 4  # of fitting and trimming


def outlier_scores(faces: Faces) -> Float64[np.ndarray, " N"]:
    """One score per face, about 1 for a usual one.

    NaN for faces without labels, from sources of fewer than ``MIN_FACES``, and without boxes in
    images of different sizes. Each value of the group ``source`` has its own shape model, since
    annotators have habits.
    """
    scores = np.full(len(faces), np.nan)
    points = _normalised(faces)
    sources = np.array(faces.groups.get("source", ("",) * len(faces)), dtype=object)
    for source in dict.fromkeys(sources.tolist()):
        at = np.flatnonzero((sources == source) & ~np.isnan(points).all(axis=(1, 2)))
        if len(at) >= MIN_FACES:
            scores[at] = _relative_distances(points[at].reshape(len(at), -1))
    return scores


def suspect_labels(faces: Faces) -> Bool[np.ndarray, " N"]:
    """True for faces whose outlier score reaches ``THRESHOLD``."""
    return np.nan_to_num(outlier_scores(faces)) >= THRESHOLD


def _normalised(faces: Faces) -> Float64[np.ndarray, "N K 2"]:
    """Points relative to their boxes, or as they are in images of one size; else NaN."""
    points = faces.points.astype(np.float64)
    if faces.boxes is None:
        return points if isinstance(faces.images, np.ndarray) else np.full_like(points, np.nan)
    usable = np.all(faces.boxes[:, 2:] > faces.boxes[:, :2], axis=1)
    # A stand-in where there is no box, since its map would have no inverse; NaN in the end.
    boxes = np.where(np.expand_dims(usable, 1), faces.boxes, [0.0, 0.0, 1.0, 1.0])
    in_box = geometry.apply(geometry.box_to_frame(boxes, (100, 100)), points)
    return np.where(np.expand_dims(usable, (1, 2)), in_box, np.nan)


def _relative_distances(values: Float64[np.ndarray, "n D"]) -> Float64[np.ndarray, " n"]:
    # Points that this source never labels have no variance to speak of.
    values = values[:, ~np.isnan(values).all(axis=0)]
    labelled = ~np.isnan(values)
    # Faces with the same labels share a system of equations.
    patterns, which = np.unique(labelled, axis=0, return_inverse=True)
    relative = _robust_distances(values)
    for _ in range(_ROUNDS):
        # Never trim more than a tenth: a fit to ever fewer faces would find ever more outliers.
        kept = relative <= max(THRESHOLD, np.quantile(relative, 0.9))
        mean, covariance = _gaussian(values[kept])
        distance = np.zeros(len(values))
        for i, seen in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == i)
            # The marginal Gaussian of the labelled values: rows and columns of the others are left
            # out.
            offset = values[np.ix_(rows, seen)] - mean[seen]
            solved = np.linalg.solve(covariance[np.ix_(seen, seen)], offset.T).T
            # Squared Mahalanobis distance per value, so that faces with few labels compare.
            distance[rows] = (offset * solved).sum(1) / seen.sum()
        median = np.median(distance)
        relative = distance / median if median > 0 else np.ones(len(values))
    return relative


def _robust_distances(values: Float64[np.ndarray, "n D"]) -> Float64[np.ndarray, " n"]:
    """Distances from medians, each value alone: gross outliers must not shape the first fit."""
    offset = np.abs(values - np.nanmedian(values, axis=0))
    # The median absolute deviation; 1e-9 for values that never change.
    scale = np.maximum(np.nanmedian(offset, axis=0), 1e-9)
    distance = np.nanmean((offset / scale) ** 2, axis=1)
    return distance / np.median(distance)


def _gaussian(values: Float64[np.ndarray, "n D"]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance from the pairs that are labelled together, made positive definite."""
    labelled = ~np.isnan(values)
    count = np.maximum(labelled.sum(0), 1)
    mean = np.where(labelled, values, 0).sum(0) / count
    offset = np.where(labelled, values - mean, 0)
    # How many faces label both of a pair of values.
    together = labelled.astype(float).T @ labelled
    covariance = offset.T @ offset / np.maximum(together, 1)
    # Shrink towards independence where few faces label both (after Ledoit and Wolf, 2004).
    # Only off the diagonal: variances stay as measured.
    trust = together / (together + values.shape[1])
    covariance = np.where(np.eye(len(covariance), dtype=bool), covariance, covariance * trust)
    # Made of pairs from different faces, it may have negative eigenvalues; they are raised.
    variances, axes = np.linalg.eigh(covariance)
    least = max(variances.mean() * _MIN_VARIANCE, 1e-9)
    return mean, (axes * np.maximum(variances, least)) @ axes.T
