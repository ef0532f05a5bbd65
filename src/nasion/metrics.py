"""Errors of predicted points. All skip unlabelled points, and say how many they counted.

Distances are in pixels of the source picture; everything relative is a fraction (not per cent). A face that has labels
but no prediction has an infinite error, so it counts as a failure; the pooled errors leave it out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from nasion.errors import SettingError
from nasion.scheme import Scheme


class Measure(NamedTuple):
    """A number and how many it is the mean of (NaN of none)."""

    value: float
    count: int


def _mean(values: np.ndarray) -> Measure:
    counted = values[~np.isnan(values)]
    return Measure(float(counted.mean()) if counted.size else float("nan"), int(counted.size))


def distances(truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"]) -> Float[np.ndarray, "N K"]:
    """Pixels between truth and prediction; NaN where unlabelled, infinite where labelled but not predicted."""
    apart = np.linalg.norm(predicted.astype(np.float64) - truth, axis=-1)
    unlabelled = np.isnan(truth).any(-1)
    return np.where(unlabelled, np.nan, np.where(np.isnan(apart), np.inf, apart))


def rmse(truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"]) -> Measure:
    """Root of the mean squared error over all labelled and predicted x and y values pooled, as Kaggle's board counts."""
    square = (predicted.astype(np.float64) - truth) ** 2
    mean, count = _mean(square)
    return Measure(float(np.sqrt(mean)), count)


def mae(truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"]) -> Measure:
    """Mean absolute error over all labelled and predicted x and y values pooled, as the Berkeley course's board counts."""
    return _mean(np.abs(predicted.astype(np.float64) - truth))


def relative_mse(truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"], sizes: Shaped[np.ndarray, "N 2"]) -> Measure:
    """Mean squared error of x / width and y / height of the pictures, over all labelled and predicted values pooled."""
    return _mean(((predicted.astype(np.float64) - truth) / sizes[:, None]) ** 2)


def norms(
    scheme: Scheme, truth: Shaped[np.ndarray, "N K 2"], boxes: Shaped[np.ndarray, "N 4"] | None, norm: str | None = None
) -> Float[np.ndarray, " N"]:
    """For each face what its errors are divided by (see ``Scheme.norm_groups``); NaN where its points are not labelled.

    The box norm is sqrt(width * height). Raises ``SettingError`` when boxes are asked for and there are none.
    """
    groups = scheme.norm_groups(norm)
    if groups is None:
        if boxes is None:
            raise SettingError("The norm 'box' needs boxes, and these faces have none; take another norm (--norm).")
        sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
        return np.sqrt(sides.prod(axis=1))
    first, second = (truth[:, scheme.index(group)].astype(np.float64).mean(axis=1) for group in groups)
    length = np.linalg.norm(first - second, axis=-1)
    return np.where(length > 0, length, np.nan)


def face_nme(apart: Float[np.ndarray, "N K"], norm: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Each face's mean error over its labelled points, divided by its norm; NaN without labels or norm."""
    labelled = ~np.isnan(apart)
    total = np.where(labelled, apart, 0).sum(axis=1)
    count = labelled.sum(axis=1)
    return np.divide(total, count * norm, out=np.full(len(apart), np.nan), where=(count > 0) & ~np.isnan(norm))


def nme(faces: Float[np.ndarray, " N"]) -> Measure:
    """Mean of the faces' normalised errors, over those that were predicted."""
    return _mean(np.where(np.isinf(faces), np.nan, faces))


def failure_rate(faces: Float[np.ndarray, " N"], threshold: float) -> Measure:
    """Fraction of faces whose normalised error is above the threshold."""
    counted = faces[~np.isnan(faces)]
    return _mean((counted > threshold).astype(float))


def auc(faces: Float[np.ndarray, " N"], threshold: float) -> Measure:
    """Area under the cumulative error curve up to the threshold, divided by the threshold; 1 is perfect.

    Exact: a face of error e adds the stretch of the curve from e to the threshold.
    """
    return _mean(np.clip(1 - faces / threshold, 0, None))


def percentile(faces: Float[np.ndarray, " N"], percent: float) -> Measure:
    """The normalised error that ``percent`` of the faces stay below (linear between faces)."""
    counted = np.sort(faces[~np.isnan(faces)])
    if not counted.size:
        return Measure(float("nan"), 0)
    place = percent / 100 * (counted.size - 1)
    low, high = counted[int(np.floor(place))], counted[int(np.ceil(place))]
    # Not low + (high - low) * part, which is NaN where both are infinite.
    return Measure(float(low if low == high else low + (high - low) * (place % 1)), int(counted.size))


def cumulative_errors(faces: Float[np.ndarray, " N"]) -> tuple[np.ndarray, np.ndarray]:
    """The cumulative error curve: sorted errors, and the fraction of faces that have at most that error."""
    counted = np.sort(faces[~np.isnan(faces)])
    return counted, np.arange(1, counted.size + 1) / max(counted.size, 1)
