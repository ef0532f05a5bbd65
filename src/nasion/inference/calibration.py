"""Calibrate predicted errors into probabilities, measured on validation faces.

The errors of all validation points are divided by the error that the network expected (sigma). The
quantiles of these ratios turn any later sigma into a probability. A score is the probability that a
point is off by at most ``TOLERANCE`` of the face's size: of points with score 0.9, nine of ten
should be that close. ``n`` faces, all of them close, allow scores up to ``(n + 1) / (n + 2)`` only
(Laplace's rule of succession).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nasion.array_types import Float, Float32, Float64
from nasion.errors import DataError, RunError
from nasion.landmarks import geometry
from nasion.landmarks.faces import Images, crop_boxes
from nasion.media.files import write_text
from nasion.media.json_document import Document, read_document

FILE = "calibration.json"
TOLERANCE = 0.05  # of the mean side of the box around the face's points
# Per cents, and finer at both ends.
_QUANTILES = np.concatenate([[0.0, 0.002, 0.005], np.linspace(0.01, 0.99, 99), [0.995, 0.998, 1.0]])
MIN_POINTS = 30  # labelled points, over all validation faces
_MIN_SPAN = 10  # as few points as this do not span a face


@dataclass(frozen=True)
class Calibration:
    """``ratios``: quantiles of error / sigma. ``mean``: the factor that makes sigma unbiased.

    ``points``, ``faces``: how many it was measured on; older files do not say how many faces.
    """

    ratios: tuple[float, ...]
    mean: float
    points: int
    faces: int | None = None

    @property
    def highest(self) -> float:
        """The highest score that so many faces allow."""
        return 1.0 if self.faces is None else (self.faces + 1) / (self.faces + 2)

    def scores(
        self, sigma: Float[np.ndarray, "*batch"], tolerance: float
    ) -> Float64[np.ndarray, "*batch"]:
        """The probability of an error up to ``tolerance``, in the unit of sigma; NaN stays NaN."""
        sigma = np.asarray(sigma, dtype=np.float64)
        ratio = tolerance / np.maximum(sigma, 1e-9)
        # P(error <= tolerance) = P(error / sigma <= tolerance / sigma). Beyond the measured ratios
        # interp gives 0 or 1; 0 * sigma carries NaN.
        return np.minimum(np.interp(ratio, self.ratios, _QUANTILES), self.highest) + 0 * sigma

    def expected(self, sigma: Float[np.ndarray, "*batch"]) -> Float64[np.ndarray, "*batch"]:
        """The expected error, in the unit of sigma."""
        return np.asarray(sigma, dtype=np.float64) * self.mean


def uncalibrated() -> Calibration:
    """A calibration that leaves sigma as it is."""
    # Placeholders: `expected` is what it is made for.
    ratios = tuple(np.linspace(0, 1, len(_QUANTILES)).tolist())
    return Calibration(ratios=ratios, mean=1.0, points=0)


def face_sizes(
    points: Float[np.ndarray, "N K 2"], images: Images, boxes: Float32[np.ndarray, "N 4"] | None
) -> Float64[np.ndarray, " N"]:
    """The mean side of the box around each face's points.

    Of the face's box, or the image without one, if the points are too few to span a face.
    """
    spans_face = points.shape[1] > _MIN_SPAN
    around = geometry.points_box(points) if spans_face else crop_boxes(images, boxes)
    return np.maximum((around[:, 2:] - around[:, :2]).mean(1), 1e-9)


def fit(errors: Float[np.ndarray, "N ..."], sigma: Float[np.ndarray, "N ..."]) -> Calibration:
    """From N faces' errors and sigmas in one unit; NaN (no label) is left out.

    Raises ``DataError`` for too few.
    """
    counted = np.isfinite(errors) & np.isfinite(sigma)
    if counted.sum() < MIN_POINTS:
        raise DataError(
            "Scores are calibrated on labelled validation points; "
            f"{counted.sum()} are too few (at least {MIN_POINTS})."
        )
    ratios = np.asarray(errors[counted], dtype=np.float64) / np.maximum(sigma[counted], 1e-9)
    quantiles = np.quantile(ratios, _QUANTILES)
    # A ratio of means, not the mean of ratios, which points with a tiny sigma would decide.
    mean = float(np.mean(errors[counted]) / np.mean(sigma[counted]))
    rounded = tuple(float(f"{ratio:.5g}") for ratio in quantiles)
    faces = int(counted.reshape(len(counted), -1).any(axis=1).sum())
    return Calibration(rounded, mean, points=int(counted.sum()), faces=faces)


def write(calibration: Calibration, folder: Path) -> None:
    """Keep a calibration in a run folder."""
    write_text(folder / FILE, json.dumps(asdict(calibration)))


def read(folder: Path) -> Calibration | None:
    """A run's calibration, if it has one yet."""
    path = folder / FILE
    if not path.is_file():
        return None
    remedy = "it is damaged; delete it, and predictions have no scores."
    return from_json(read_document(path, kind=RunError, remedy=remedy))


def from_json(document: Document) -> Calibration:
    """The inverse of ``dataclasses.asdict``. Raises the document's error."""
    ratios = document["ratios"].numbers(low=0)
    if len(ratios) != len(_QUANTILES) or ratios != sorted(ratios):
        raise document["ratios"].error(f"{len(_QUANTILES)} numbers that do not fall expected")
    mean, points = document["mean"].number(low=0), document["points"].whole()
    faces = document.get("faces")
    # Older files do not have it, null is theirs when they are written again.
    known = None if faces is None or faces.value is None else faces.whole(low=1)
    return Calibration(ratios=tuple(ratios), mean=mean, points=points, faces=known)
