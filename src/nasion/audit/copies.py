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


def copies_that_disagree(
    faces: Faces, residuals: Residuals, model: FaultModel, explained: list[Explained]
) -> dict[int, Explained]:
    """By the position of the face that fits its image less: what its copy says of it.

    Only where that says more than the predicted points alone.
    """
    found: dict[int, Explained] = {}
    for pair in similar_pairs(faces, DUPLICATE):
        between = model.explain(_difference(residuals, model, pair.first, pair.second))
        odds = explained[pair.first].log_odds - explained[pair.second].log_odds
        worse = pair.first if odds > 0 else pair.second
        chance = between.chance / (1 + np.exp(-min(abs(odds), 700.0)))
        if chance > max(explained[worse].chance, found[worse].chance if worse in found else 0):
            found[worse] = replace(between, chance=chance, kind=COPIES)
    return found


def _difference(residuals: Residuals, model: FaultModel, a: int, b: int) -> FaceResiduals:
    """The difference of two copies' labels, as that of labels and predicted points.

    The noise of a difference is that of two labels.
    """
    first, second = residuals.face(a), residuals.face(b)
    mean = model.noise.mean.reshape(-1, 2)
    apart = (first.relative() - second.relative()) / np.sqrt(2)
    labels = first.predicted + (apart + mean) * first.expected[:, None]
    return FaceResiduals(labels, first.predicted, first.expected)
