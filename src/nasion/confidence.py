"""Whether scores keep their promise: of the points with a score of 0.9, nine of ten should be within the tolerance."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nasion import metrics
from nasion.calibration import TOLERANCE, face_sizes
from nasion.faces import Faces, Predictions

BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0 + 1e-9)


@dataclass(frozen=True)
class Bin:
    """Points with scores from ``low`` to ``high``: how many, their mean score, the part within the tolerance, errors in pixels."""

    low: float
    high: float
    points: int
    score: float
    within: float
    expected: float
    error: float


@dataclass(frozen=True)
class Reliability:
    """Bins that have points; ``gap``: mean of |score - part within| over all points (expected calibration error, Guo et al., ICML 2017).

    ``ranking``: the correlation of ranks of expected and found errors. ``expected`` and ``error``: their means, in pixels.
    """

    bins: tuple[Bin, ...]
    gap: float
    ranking: float
    expected: float
    error: float


def reliability(faces: Faces, predictions: Predictions) -> Reliability | None:
    """Of predictions in the order of the faces; None where they have no scores or nothing is labelled."""
    if predictions.scores is None or predictions.expected is None:
        return None
    apart = metrics.distances(faces.points, predictions.points)
    known = np.isfinite(apart) & np.isfinite(predictions.scores)
    if not known.any():
        return None
    sizes = face_sizes(predictions.points, faces)
    near = apart / sizes[:, None] <= TOLERANCE
    scores, near, apart, expected = (
        np.asarray(values, dtype=np.float64)[known] for values in (predictions.scores, near, apart, predictions.expected)
    )
    found = []
    for low, high in itertools.pairwise(BINS):
        inside = (scores >= low) & (scores < high)
        if inside.any():
            means = (float(values[inside].mean()) for values in (scores, near, expected, apart))
            found.append(Bin(low, min(high, 1.0), int(inside.sum()), *means))
    gap = sum(part.points * abs(part.score - part.within) for part in found) / len(scores)
    return Reliability(tuple(found), gap, _rank_correlation(expected, apart), float(expected.mean()), float(apart.mean()))


def _rank_correlation(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Spearman's, ties in any order."""
    first, second = (np.argsort(np.argsort(values)).astype(np.float64) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1]) if len(a) > 1 else float("nan")
