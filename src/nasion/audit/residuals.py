"""Labels and predicted points side by side: upright, in parts of the face's size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Float64
from nasion.audit.face_residuals import FaceResiduals
from nasion.landmarks.faces import Faces, Predictions

_ROUNDS = 4  # of turning faces to their mean
_LEAST_EXPECTED = 0.2  # times the median; networks are not surer than that
_FEWEST = 20  # faces of a value of a group, from which its habits are known
_MANY = 100  # the same, of how precise it is


@dataclass(frozen=True, eq=False)
class Residuals:
    """``labels`` (NaN without), ``predicted``: upright, around the predicted points' middle, in
    parts of the face's size, which is the root of the area of the box around them. ``expected``:
    errors that the network expects, in the same unit. ``size``: in pixels.
    """

    labels: Float64[np.ndarray, "N K 2"]
    predicted: Float64[np.ndarray, "N K 2"]
    expected: Float64[np.ndarray, "N K"]
    size: Float64[np.ndarray, " N"]

    def face(self, i: int) -> FaceResiduals:
        return FaceResiduals(self.labels[i], self.predicted[i], self.expected[i])

    def relative(self) -> Float64[np.ndarray, "N D"]:
        """Differences in units of the expected errors, x and y of all points in a row."""
        away = (self.labels - self.predicted) / self.expected[..., None]
        return away.reshape(len(away), -1)

    def shape(self) -> Float64[np.ndarray, "D D"]:
        """The covariance of the predicted points: how faces differ in pose and shape."""
        flat = self.predicted.reshape(len(self.predicted), -1)
        away = flat - flat.mean(axis=0)
        return away.T @ away / len(away)


def upright(faces: Faces, predictions: Predictions) -> Residuals:
    """The faces' labels against predictions for all of their points."""
    found = predictions.points.astype(np.float64)
    sides = found.max(axis=1) - found.min(axis=1)
    size = np.maximum(np.sqrt(sides[:, 0] * sides[:, 1]), 1e-6)
    middle = found.mean(axis=1, keepdims=True)
    # Complex numbers: a turn is a factor.
    shapes = _as_complex((found - middle) / size[:, None, None])
    turn = _turns(shapes)[:, None]
    labels = _as_complex((faces.points.astype(np.float64) - middle) / size[:, None, None])
    expected = predictions.expected
    if expected is None:
        usual = np.full(found.shape[:2], 1.0)
    else:
        usual = expected.astype(np.float64) / size[:, None]
        usual = np.maximum(usual, _LEAST_EXPECTED * np.median(usual, axis=0))
    return Residuals(_as_points(labels * turn), _as_points(shapes * turn), usual, size)


def without_habits(residuals: Residuals, sources: tuple[str, ...] | None) -> Residuals:
    """Each source's usual difference from the predicted points taken off its labels.

    Where a source's labels of a point usually differ more or less than others', as much more or
    less is expected of them. ``sources``: one per face. Of fewer than 20 labels the difference is
    not known, and stays; of fewer than 100 how large it usually is.
    """
    labels, expected = residuals.labels.copy(), residuals.expected.copy()
    values = np.array(sources if sources is not None else [""] * len(labels), dtype=object)
    for value in dict.fromkeys(values.tolist()):
        rows = values == value
        away = labels[rows] - residuals.predicted[rows]
        known = np.flatnonzero((~np.isnan(away[..., 0])).sum(axis=0) >= _FEWEST)
        if len(known):
            labels[np.ix_(rows, known)] -= np.nanmedian(away[:, known], axis=0)
    _scale_expected(expected, labels - residuals.predicted, values)
    return replace(residuals, labels=labels, expected=expected)


def _scale_expected(expected: np.ndarray, away: np.ndarray, sources: np.ndarray) -> None:
    """Make expected errors proportional to the usual ones of each source and point."""
    relative = np.linalg.norm(away, axis=2) / expected
    for k in range(expected.shape[1]):
        seen = ~np.isnan(relative[:, k])
        for value in dict.fromkeys(sources.tolist()):
            rows = seen & (sources == value)
            if _MANY <= rows.sum() < seen.sum():
                expected[rows, k] *= np.median(relative[rows, k]) / np.median(relative[seen, k])


def _turns(shapes: np.ndarray) -> np.ndarray:
    """Factors that turn shapes (N, K) of complex numbers to their mean."""
    mean = shapes[0]
    turn = np.ones(len(shapes), dtype=complex)
    for _ in range(_ROUNDS):
        pull = (np.conj(shapes) * mean).sum(axis=1)
        turn = pull / np.maximum(np.abs(pull), 1e-12)
        mean = (shapes * turn[:, None]).mean(axis=0)
    # The mean face as it is on average: faces differ in roll, but most stand upright.
    return turn * np.exp(-1j * np.angle(turn.mean()))


def _as_complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0] + 1j * points[..., 1]


def _as_points(numbers: np.ndarray) -> np.ndarray:
    return np.stack([np.real(numbers), np.imag(numbers)], axis=-1)
