"""One face's labels and predicted points, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np

from nasion.array_types import Bool, Float64


@dataclass(frozen=True, eq=False)
class FaceResiduals:
    """One face: labels and predicted points in parts of its size, upright, and expected errors.

    NaN where a point has no label.
    """

    labels: Float64[np.ndarray, "K 2"]
    predicted: Float64[np.ndarray, "K 2"]
    expected: Float64[np.ndarray, " K"]

    @property
    def seen(self) -> Bool[np.ndarray, " K"]:
        return ~np.isnan(self.labels[:, 0])

    def relative(self) -> Float64[np.ndarray, "K 2"]:
        """Differences in units of the expected errors."""
        return (self.labels - self.predicted) / self.expected[:, None]


def density_2(offset: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Normal log densities of offsets (K, 2) with covariances (K, 2, 2)."""
    distance = np.einsum("ki,kij,kj->k", offset, np.linalg.inv(spread), offset)
    return -log(2 * pi) - np.log(np.linalg.det(spread)) / 2 - distance / 2
