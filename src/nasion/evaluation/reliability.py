"""Reliability of confidence scores: of points with score 0.9, nine of ten should be close."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from nasion.array_types import Float
from nasion.inference.calibration import TOLERANCE, face_sizes
from nasion.landmarks import metrics
from nasion.landmarks.faces import Faces, Predictions

# Narrower towards 1, where most scores are. The last limit lies above 1, as bins are half-open.
BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0 + 1e-9)


@dataclass(frozen=True)
class Bin:
    """Points with scores from ``low`` to ``high``.

    ``within``: the fraction within the tolerance. ``expected``, ``error``: mean expected and
    measured error in pixels.
    """

    low: float
    high: float
    points: int
    score: float
    within: float
    expected: float
    error: float


@dataclass(frozen=True)
class Reliability:
    """Bins that have points, and how far scores and errors are off.

    ``gap``: the mean of |score - fraction within| over all points (expected calibration error, Guo
    et al., ICML 2017). ``ranking``: rank correlation of expected and measured errors. ``expected``,
    ``error``: their means in pixels.
    """

    bins: tuple[Bin, ...]
    gap: float
    ranking: float
    expected: float
    error: float


def reliability(faces: Faces, predictions: Predictions) -> Reliability | None:
    """Of predictions in the order of the faces; None without scores or labels.

    Predictions are in the scheme that they were made in, since scores are of the size of a face by
    all of its points; they are compared with labels of the points that both have.
    """
    if predictions.scores is None or predictions.expected is None:
        return None
    made, predictions = predictions, predictions.to(faces.scheme)
    assert predictions.scores is not None and predictions.expected is not None
    distances = metrics.distances(faces.points, predictions.points)
    known = np.isfinite(distances) & np.isfinite(predictions.scores)
    if not known.any():
        return None
    sizes = face_sizes(made.points, faces.images, faces.boxes)
    within = distances / sizes[:, None] <= TOLERANCE
    columns = (predictions.scores, within, predictions.expected, distances)
    scores, within, expected, errors = (
        np.asarray(values, dtype=np.float64)[known] for values in columns
    )
    bins = []
    for low, high in itertools.pairwise(BINS):
        inside = (scores >= low) & (scores < high)
        if inside.any():
            values = (scores, within, expected, errors)
            means = (float(column[inside].mean()) for column in values)
            bins.append(Bin(low, min(high, 1.0), int(inside.sum()), *means))
    gap = sum(part.points * abs(part.score - part.within) for part in bins) / len(scores)
    return Reliability(
        bins=tuple(bins),
        gap=gap,
        ranking=_rank_correlation(expected, errors),
        expected=float(expected.mean()),
        error=float(errors.mean()),
    )


def _rank_correlation(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation, ties in any order."""
    if len(a) < 2:
        return float("nan")
    # argsort of argsort is each value's rank.
    first, second = (np.argsort(np.argsort(values)).astype(np.float64) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])
