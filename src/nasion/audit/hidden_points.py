"""Points marked visible that look hidden, where labels say which points are hidden."""

from __future__ import annotations

import numpy as np

from nasion.array_types import Bool, Float64
from nasion.data.suspects import Suspect, suspect_of
from nasion.landmarks.faces import Faces, Predictions

HIDDEN = "hidden, marked visible"
_FEWEST = 30  # points of either kind, from which the chance is learnt
_LEAST_CHANCE = 0.5
_ROUNDS = 30


def hidden_points(faces: Faces, predictions: Predictions) -> tuple[list[Suspect], str]:
    """Suspects, or the reason why there are none: how often a point is hidden of which the network
    is as unsure as of this one (logistic regression over all labelled points).
    """
    if faces.occluded is None or not faces.occluded.any():
        return [], "no point is marked as hidden"
    if predictions.expected is None:
        return [], "the network does not say how sure it is"
    usual = np.median(predictions.expected, axis=0)
    unsure = np.log(predictions.expected / np.maximum(usual, 1e-9)).astype(np.float64)
    labelled, hidden = faces.labelled, faces.occluded & faces.labelled
    if min(hidden.sum(), (labelled & ~hidden).sum()) < _FEWEST:
        return [], f"fewer than {_FEWEST} points are marked as hidden, or as visible"
    chances = _chances(unsure, hidden, labelled)
    suspects = []
    for i in range(len(faces)):
        concerned = np.flatnonzero((chances[i] >= _LEAST_CHANCE) & labelled[i] & ~hidden[i])
        if len(concerned):
            chance = float(chances[i][concerned].max())
            wrong = np.zeros(len(faces.scheme))  # the places may be right
            suspects.append(suspect_of(faces, predictions, i, HIDDEN, chance, concerned, wrong))
    return suspects, ""


def _chances(
    unsure: Float64[np.ndarray, "N K"],
    hidden: Bool[np.ndarray, "N K"],
    labelled: Bool[np.ndarray, "N K"],
) -> Float64[np.ndarray, "N K"]:
    """Logistic regression on one variable, by Newton's method."""
    x, y = unsure[labelled], hidden[labelled].astype(np.float64)
    design = np.stack([np.ones_like(x), x], axis=1)
    weights = np.array([np.log(y.mean() / (1 - y.mean())), 0.0])
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (y - chance)
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-9 * np.eye(2)
        weights = weights + np.linalg.solve(curve, slope)
    return 1 / (1 + np.exp(-(weights[0] + weights[1] * unsure)))
