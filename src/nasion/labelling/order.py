"""The order in which faces are best labelled or looked at. All functions return positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasion.array_types import Float, Float64
from nasion.data.suspects import Suspect

_SAMPLE = 2000  # faces that stand for all of them
_CLUSTERS = 20  # that the unsure faces are taken from, one each in turn


def by_correction(suspects: Sequence[Suspect]) -> list[int]:
    """Positions among ``suspects``, the largest expected correction first.

    That is the chance that a label is wrong times the distance to where the network puts it, in
    parts of the labels' size, summed over the points.
    """

    def expected(suspect: Suspect) -> float:
        labels, predicted = np.array(suspect.labels), np.array(suspect.predicted)
        if not len(labels):
            return suspect.chance
        span = float(np.hypot(*(np.ptp(labels, axis=0) + np.ptp(predicted, axis=0)))) or 1.0
        moved = np.linalg.norm(predicted - labels, axis=-1)
        return suspect.chance * float((moved * np.array(suspect.wrong)).sum()) / span

    return sorted(range(len(suspects)), key=lambda i: -expected(suspects[i]))


def by_doubt(doubt: Float[np.ndarray, " N"]) -> list[int]:
    """The most doubtful faces first; those of which nothing is known (NaN) last, in their order."""
    return np.argsort(-np.nan_to_num(doubt, nan=-np.inf), kind="stable").tolist()


def shape_features(points: Float[np.ndarray, "N K 2"]) -> Float64[np.ndarray, "N D"]:
    """Predicted points without place and size of the face: its pose and expression.

    Faces without points get the mean of the others.
    """
    points = np.asarray(points, np.float64)
    known = ~np.isnan(points).any(axis=-1)
    columns = known.mean(axis=0) > 0.5
    points = points[:, columns if columns.any() else slice(None)]
    rows = ~np.isnan(points).any(axis=(1, 2))
    features = np.zeros((len(points), points.shape[1] * 2))
    if rows.any():
        centred = points[rows] - points[rows].mean(axis=1, keepdims=True)
        size = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
        shapes = (centred / np.maximum(size, 1e-9)).reshape(rows.sum(), -1)
        features[rows] = shapes - shapes.mean(axis=0)
    return features


def typical_first(features: Float[np.ndarray, "N D"], number: int) -> list[int]:
    """``number`` faces that stand for all, so that the first few do, too.

    Each next one brings the mean of those chosen closest to the mean of all, as a Gaussian kernel
    sees them (kernel herding; Chen, Welling and Smola, 2010).
    """
    features = np.asarray(features, np.float64)
    number = min(number, len(features))
    sample = features[:: max(1, len(features) // _SAMPLE)]
    reach = _middle_distance(sample)
    typical = _kernel(features, sample, reach).mean(axis=1)
    near, chosen = np.zeros(len(features)), []
    for step in range(number):
        gain = typical - near / (step + 1)
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        near += _kernel(features, features[chosen[-1:]], reach)[:, 0]
    return chosen


def mixed(
    features: Float[np.ndarray, "N D"],
    doubt: Float[np.ndarray, " N"],
    generator: np.random.Generator,
    labelled: Sequence[int] = (),
) -> list[int]:
    """All faces that are not ``labelled``: of every four, two are doubtful, one is unlike those
    before, and one is drawn by lot.

    The doubtful ones come from one cluster of ``features`` after the other.
    """
    left = sorted(set(range(len(features))) - set(labelled))
    features = np.asarray(features, np.float64)
    cluster = _clusters(features, typical_first(features, _CLUSTERS))
    distance = np.full(len(features), np.inf)
    for i in labelled:
        distance = np.minimum(distance, np.linalg.norm(features - features[i], axis=1))
    order: list[int] = []
    waiting = set(left)
    doubtful = iter(_one_of_each(by_doubt(doubt), cluster))
    by_lot = iter(generator.permutation(len(features)).tolist())
    while waiting:
        turn = len(order) % 4
        if turn == 2:
            candidates = np.array(sorted(waiting))
            following = int(candidates[np.argmax(distance[candidates])])
        else:
            following = next(i for i in (by_lot if turn == 3 else doubtful) if i in waiting)
        waiting.remove(following)
        order.append(following)
        distance = np.minimum(distance, np.linalg.norm(features - features[following], axis=1))
    return order


def _middle_distance(features: Float64[np.ndarray, "N D"]) -> float:
    some = features[:: max(1, len(features) // 200)]
    distances = np.linalg.norm(some[:, None] - some[None], axis=-1)
    return float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0


def _kernel(
    a: Float64[np.ndarray, "N D"], b: Float64[np.ndarray, "M D"], reach: float
) -> Float64[np.ndarray, "N M"]:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.exp(-0.5 * np.maximum(squared, 0) / reach**2)


def _clusters(features: Float64[np.ndarray, "N D"], centres: Sequence[int]) -> np.ndarray:
    """The nearest centre of each face."""
    distances = [np.linalg.norm(features - features[centre], axis=1) for centre in centres]
    return np.argmin(distances, axis=0)


def _one_of_each(order: Sequence[int], cluster: np.ndarray) -> list[int]:
    """The first of each cluster, then the second of each, and so on."""
    seen: dict[int, int] = {}
    rounds = []
    for i in order:
        number = seen.get(int(cluster[i]), 0)
        seen[int(cluster[i])] = number + 1
        rounds.append(number)
    return [order[k] for k in np.argsort(rounds, kind="stable")]
