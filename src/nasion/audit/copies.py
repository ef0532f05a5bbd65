"""Copies of one photograph whose labels disagree: one of them is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasion.audit.face_residuals import FaceResiduals
from nasion.audit.fault_rates import Explained, FaultModel
from nasion.audit.residuals import Residuals
from nasion.data.splits import DUPLICATE, similar_pairs
from nasion.landmarks.faces import Faces

COPIES = "copies disagree"
_FEWEST = 8  # pairs, from which it is known how far apart labels of one image are
_CLOSEST = 0.1  # that at least, as a part of how far labels are from predicted points


def copies_that_disagree(
    faces: Faces, residuals: Residuals, model: FaultModel, explained: list[Explained]
) -> dict[int, Explained]:
    """By the position of the face that fits its image less: what its copy says of it.

    Only where that says more than the predicted points alone.
    """
    pairs = [(pair.first, pair.second) for pair in similar_pairs(faces, DUPLICATE)]
    # Copied with their labels, they tell nothing.
    relabelled = [(a, b) for a, b in pairs if not _same_labels(faces, a, b)]
    apart = _usual_distance(residuals, model, relabelled)
    found: dict[int, Explained] = {}
    for a, b in relabelled:
        between = model.explain(_difference(residuals, model, a, b, apart))
        odds = explained[a].log_odds - explained[b].log_odds
        worse = a if odds > 0 else b
        chance = between.chance / (1 + np.exp(-min(abs(odds), 700.0)))
        if chance > max(explained[worse].chance, found[worse].chance if worse in found else 0):
            found[worse] = replace(between, chance=chance, kind=COPIES)
    return found


def _same_labels(faces: Faces, a: int, b: int) -> bool:
    return bool(np.allclose(faces.points[a], faces.points[b], atol=0.01, equal_nan=True))


def _usual_distance(residuals: Residuals, model: FaultModel, pairs: list[tuple[int, int]]) -> float:
    """How far apart labels of one image are, times as far as labels are from predicted points."""
    if len(pairs) < _FEWEST:
        return 1.0
    relative = np.stack(
        [_difference(residuals, model, a, b, 1.0).relative().reshape(-1) for a, b in pairs]
    )
    squares = []
    for row in relative:
        seen = ~np.isnan(row)
        if seen.any():
            away = row[seen] - model.noise.mean[seen]
            squares.append(float(away @ model.noise.marginal(seen).precision @ away) / seen.sum())
    return float(np.clip(np.sqrt(np.median(squares)), _CLOSEST, 1.0)) if squares else 1.0


def _difference(
    residuals: Residuals, model: FaultModel, a: int, b: int, apart: float
) -> FaceResiduals:
    """The difference of two copies' labels, as that of labels and predicted points.

    ``apart``: how far apart two labels are, times that difference.
    """
    first, second = residuals.face(a), residuals.face(b)
    mean = model.noise.mean.reshape(-1, 2)
    # The variance of a difference is that of two labels.
    between = (first.relative() - second.relative()) / (np.sqrt(2) * apart)
    labels = first.predicted + (between + mean) * first.expected[:, None]
    return FaceResiduals(labels, first.predicted, first.expected)
