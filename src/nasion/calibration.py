"""From how far off a network expects to be to how sure one may be: measured on validation faces.

The errors of all validation points are divided by what the network expected of each; the distribution of these ratios, kept as
its quantiles, turns any later expectation into a chance. A score is the chance that a point is off by no more than
``TOLERANCE`` of the face's size, so points with score 0.9 should be that near nine times of ten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from nasion import geometry
from nasion.errors import DataError
from nasion.faces import Faces, crop_boxes

TOLERANCE = 0.05  # of the mean side of the box around the face's points
_QUANTILES = np.concatenate([[0.0, 0.002, 0.005], np.linspace(0.01, 0.99, 99), [0.995, 0.998, 1.0]])
_FEWEST = 30
_SPANNING = 10  # fewer points span no face


@dataclass(frozen=True)
class Calibration:
    """``ratios``: quantiles of error / expected error; ``mean``: their mean, which makes expectations true on average."""

    ratios: tuple[float, ...]
    mean: float
    points: int

    def scores(self, spread: Float[np.ndarray, "*batch"], tolerance: float) -> Float64[np.ndarray, "*batch"]:
        """The chance of being off by ``tolerance`` at most, where ``spread`` is expected, both in one unit; NaN stays NaN."""
        spread = np.asarray(spread, dtype=np.float64)
        return np.interp(tolerance / np.maximum(spread, 1e-9), self.ratios, _QUANTILES) + 0 * spread

    def expected(self, spread: Float[np.ndarray, "*batch"]) -> Float64[np.ndarray, "*batch"]:
        """The error that is to be expected, in the unit of ``spread``."""
        return np.asarray(spread, dtype=np.float64) * self.mean


def face_sizes(points: Float[np.ndarray, "N K 2"], faces: Faces) -> Float64[np.ndarray, " N"]:
    """The mean side of the box around each face's points; of the box that was looked at where the points are too few to span a face."""
    boxes = geometry.points_box(points) if points.shape[1] > _SPANNING else crop_boxes(faces)
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).mean(1), 1e-9)


def fit(apart: Float[np.ndarray, "*batch"], spread: Float[np.ndarray, "*batch"]) -> Calibration:
    """From errors and what was expected of them, both in one unit; NaN (no label) is left out. ``DataError`` with too few."""
    counted = np.isfinite(apart) & np.isfinite(spread)
    if counted.sum() < _FEWEST:
        raise DataError(f"Scores are calibrated on labelled validation points; {counted.sum()} are too few ({_FEWEST} at least).")
    ratios = np.asarray(apart[counted], dtype=np.float64) / np.maximum(spread[counted], 1e-9)
    # Ties would make the way from ratio to chance ambiguous.
    found = np.maximum.accumulate(np.quantile(ratios, _QUANTILES) + 1e-9 * np.arange(len(_QUANTILES)))
    mean = float(np.mean(apart[counted]) / np.mean(spread[counted]))
    return Calibration(ratios=tuple(float(f"{ratio:.5g}") for ratio in found), mean=mean, points=int(counted.sum()))
