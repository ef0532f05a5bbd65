"""Errors of predicted points. All skip unlabelled points and say how many they counted.

Distances are in pixels of the source image; relative errors are fractions, not per cent. A face
with labels but no prediction has an infinite error: it counts as a failure, and the pooled errors
leave it out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nasion.array_types import Float, Shaped
from nasion.errors import SettingError
from nasion.landmarks.scheme import Scheme


class Measure(NamedTuple):
    """A number and how many it is the mean of (NaN of none)."""

    value: float
    count: int


def _mean(values: np.ndarray) -> Measure:
    counted = values[~np.isnan(values)]
    return Measure(float(counted.mean()) if counted.size else float("nan"), int(counted.size))


def distances(
    truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"]
) -> Float[np.ndarray, "N K"]:
    """Pixels between truth and prediction; NaN if unlabelled, infinite if not predicted."""
    errors = np.linalg.norm(predicted.astype(np.float64) - truth, axis=-1)
    unlabelled = np.isnan(truth).any(-1)
    return np.where(unlabelled, np.nan, np.where(np.isnan(errors), np.inf, errors))


def rmse(truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"]) -> Measure:
    """Root mean squared error over all labelled x and y values pooled, as Kaggle's board counts."""
    square = (predicted.astype(np.float64) - truth) ** 2
    mean, count = _mean(square)
    return Measure(float(np.sqrt(mean)), count)


def mae(truth: Shaped[np.ndarray, "N K 2"], predicted: Shaped[np.ndarray, "N K 2"]) -> Measure:
    """Mean absolute error over all labelled x and y values pooled, as in the Berkeley course."""
    return _mean(np.abs(predicted.astype(np.float64) - truth))


def relative_mse(
    truth: Shaped[np.ndarray, "N K 2"],
    predicted: Shaped[np.ndarray, "N K 2"],
    sizes: Shaped[np.ndarray, "N 2"],
) -> Measure:
    """Mean squared error of x / width and y / height, over all labelled values pooled."""
    # sizes[:, None]: one (width, height) for all points of a face.
    return _mean(((predicted.astype(np.float64) - truth) / sizes[:, None]) ** 2)


def norms(
    scheme: Scheme,
    truth: Shaped[np.ndarray, "N K 2"],
    boxes: Shaped[np.ndarray, "N 4"] | None,
    norm: str | None = None,
) -> Float[np.ndarray, " N"]:
    """What each face's errors are divided by (``Scheme.norm_groups``); NaN if not labelled.

    The box norm is sqrt(width * height). Raises ``SettingError`` for the box norm without boxes.
    """
    groups = scheme.norm_groups(norm)
    if groups is None:
        if boxes is None:
            raise SettingError(
                "The norm 'box' needs boxes, and these faces have none; choose another (--norm)."
            )
        sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
        return np.sqrt(sides.prod(axis=1))
    truth = truth.astype(np.float64)
    # A plain mean: if one point of a group is not labelled, the norm is NaN. The mean of the others
    # would be another length.
    first, second = (truth[:, scheme.index(group)].mean(axis=1) for group in groups)
    length = np.linalg.norm(first - second, axis=-1)
    # Two groups in one place (a broken label) would make the error infinite.
    return np.where(length > 0, length, np.nan)


def face_nme(
    errors: Float[np.ndarray, "N K"], norm: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Each face's mean error over its labelled points, divided by its norm; NaN without either."""
    labelled = ~np.isnan(errors)
    total = np.where(labelled, errors, 0).sum(axis=1)
    count = labelled.sum(axis=1)
    counted = (count > 0) & ~np.isnan(norm)
    return np.divide(total, count * norm, out=np.full(len(errors), np.nan), where=counted)


def nme(faces: Float[np.ndarray, " N"]) -> Measure:
    """Mean of the faces' normalised errors, over those that were predicted."""
    return _mean(np.where(np.isinf(faces), np.nan, faces))


def failure_rate(faces: Float[np.ndarray, " N"], threshold: float) -> Measure:
    """Fraction of faces whose normalised error is above the threshold."""
    counted = faces[~np.isnan(faces)]
    return _mean((counted > threshold).astype(float))


def auc(faces: Float[np.ndarray, " N"], threshold: float) -> Measure:
    """Area under the cumulative error curve up to the threshold, divided by it; 1 is perfect.

    Exact: a face of error e adds the part of the curve from e to the threshold.
    """
    # A failure, also an infinite one, adds 0; NaN stays NaN and is not counted.
    return _mean(np.clip(1 - faces / threshold, 0, None))


def percentile(faces: Float[np.ndarray, " N"], percent: float) -> Measure:
    """The normalised error that ``percent`` of the faces stay below (linear interpolation)."""
    counted = np.sort(faces[~np.isnan(faces)])
    if not counted.size:
        return Measure(float("nan"), 0)
    # Not np.percentile: it subtracts neighbours, and infinity minus infinity is NaN.
    position = percent / 100 * (counted.size - 1)
    low, high = counted[int(np.floor(position))], counted[int(np.ceil(position))]
    # Without the test, two infinite neighbours would give NaN.
    value = low if low == high else low + (high - low) * (position % 1)
    return Measure(float(value), int(counted.size))


def cumulative_errors(faces: Float[np.ndarray, " N"]) -> tuple[np.ndarray, np.ndarray]:
    """The cumulative error distribution: sorted errors, and the fraction of faces up to each."""
    counted = np.sort(faces[~np.isnan(faces)])
    return counted, np.arange(1, counted.size + 1) / max(counted.size, 1)
