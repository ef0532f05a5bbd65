"""New points as weighted means of points that a network already predicts.

Each new point gets one weight per known point; the weights sum to 1 and serve x and y alike, so
moved, turned and scaled faces keep them. A handful of labelled faces is enough: weights start from
where the point lies among the known ones (kriging, Matheron 1963) and move away from there only as
far as the labels tell (ridge regression, its strength chosen by cross-validation over groups).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasion.array_types import Bool, Float64, Int64

_REACH = 0.12  # of the face's size: how far a known point's own movement carries
_NOISE = 0.03  # of the known points, as a part of the variance that kriging explains
_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the ridge, in squared face sizes
_FOLDS = 5
_ROUNDS = 3  # in which a new point's place among the known ones is improved


def combine_points(
    known: Float64[np.ndarray, "N J 2"],
    labels: Float64[np.ndarray, "N K 2"],
    named: Int64[np.ndarray, " K"],
    groups: Sequence[str],
) -> Float64[np.ndarray, "K J"]:
    """Weights with which ``weights @ known`` is closest to the labels on faces not seen.

    ``named``: the known point of the same name, or -1. ``groups``: faces of one group (a person)
    are left out together to choose how far weights may move. A point without any label is taken
    for the known point of its name, else NaN.
    """
    size = _face_size(known)[:, None, None]
    # A face's own centre, so that rounding does not depend on where it lies in the image.
    center = known.mean(axis=1, keepdims=True)
    known, labels = (known - center) / size, (labels - center) / size
    prior = _prior(known, labels, named)
    folds = _folds(groups)
    errors = [_held_out_error(known, labels, prior, folds, strength) for strength in _STRENGTHS]
    return _ridge(known, labels, prior, _STRENGTHS[int(np.argmin(errors))])


def held_out_points(
    known: Float64[np.ndarray, "N J 2"],
    labels: Float64[np.ndarray, "N K 2"],
    named: Int64[np.ndarray, " K"],
    groups: Sequence[str],
) -> Float64[np.ndarray, "N K 2"]:
    """Each face's points by weights that were fitted to the labels of other groups.

    As ``combine_points``. NaN without other groups, and for points that they have no weights for.
    """
    folds, found = _folds(groups), np.full(labels.shape, np.nan)
    for fold in np.unique(folds):
        out = folds == fold
        if not out.all():
            others = [group for group, is_out in zip(groups, out, strict=True) if not is_out]
            weights = combine_points(known[~out], labels[~out], named, others)
            found[out] = np.einsum("kj,njd->nkd", weights, known[out])
    return found


def _face_size(points: Float64[np.ndarray, "N J 2"]) -> Float64[np.ndarray, " N"]:
    """The mean side of each face's box."""
    return (points.max(axis=1) - points.min(axis=1)).mean(axis=1)


def _prior(
    known: Float64[np.ndarray, "N J 2"],
    labels: Float64[np.ndarray, "N K 2"],
    named: Int64[np.ndarray, " K"],
) -> Float64[np.ndarray, "K J"]:
    """The named point alone, else weights by where the point lies among the known ones."""
    reference, count = known.mean(axis=0), labels.shape[1]
    labelled = ~np.isnan(labels[..., 0])
    # From each face's own place to the place on the reference face.
    places = np.full(labels.shape, np.nan)
    for points, own, at, found in zip(known, labels, labelled, places, strict=True):
        found[at] = _kriging(points, own[at]) @ reference
    weights = np.full((count, known.shape[1]), np.nan)
    free = np.flatnonzero(labelled.any(axis=0) & (named < 0))
    if len(free):
        place = np.nanmean(places[:, free], axis=0)
        for _ in range(_ROUNDS):
            weights[free] = _kriging(reference, place)
            rest = labels[:, free] - np.einsum("kj,njd->nkd", weights[free], known)
            place = place + np.nanmean(rest, axis=0)
        weights[free] = _kriging(reference, place)
    linked = np.flatnonzero(named >= 0)
    weights[linked] = np.eye(known.shape[1])[named[linked]]
    return weights


def _kriging(
    points: Float64[np.ndarray, "J 2"], places: Float64[np.ndarray, "M 2"]
) -> Float64[np.ndarray, "M J"]:
    """Universal kriging with a linear trend: exact for affine maps of the points."""
    count = len(points)
    trend = np.concatenate([np.ones((count, 1)), points], axis=1)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _covariance(points, points) + _NOISE * np.eye(count)
    system[:count, count:], system[count:, :count] = trend, trend.T
    wanted = np.concatenate([_covariance(points, places), np.ones((1, len(places))), places.T])
    # Least squares: three points in a line have no trend across it.
    return np.linalg.lstsq(system, wanted, rcond=None)[0][:count].T


def _covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    return np.exp(-squared / (2 * _REACH**2))


def _ridge(
    known: Float64[np.ndarray, "N J 2"],
    labels: Float64[np.ndarray, "N K 2"],
    prior: Float64[np.ndarray, "K J"],
    strength: float,
) -> Float64[np.ndarray, "K J"]:
    """The prior, moved by what it leaves of the labels; weights go on to sum to 1."""
    count = known.shape[1]
    # x and y of each face are rows. Without its mean, a change of the weights sums to 0.
    rows = np.moveaxis(known, 1, 2)
    rest = labels - np.einsum("kj,njd->nkd", prior, known)
    labelled = ~np.isnan(rest[..., 0])
    weights = np.array(prior)
    for pattern, columns in _equal_columns(labelled):
        if not pattern.any():
            continue
        at = rows[pattern].reshape(-1, count)
        at = at - at.mean(axis=1, keepdims=True)
        wanted = np.moveaxis(rest[pattern][:, columns], 1, 2).reshape(-1, len(columns))
        gram = at.T @ at + strength * np.eye(count)
        change = np.linalg.solve(gram, at.T @ wanted).T
        weights[columns] += change - change.mean(axis=1, keepdims=True)
    return weights


def _equal_columns(
    labelled: Bool[np.ndarray, "N K"],
) -> list[tuple[Bool[np.ndarray, " N"], Int64[np.ndarray, " n"]]]:
    """The points that the same faces have labels of, so that they are solved for together."""
    patterns, which = np.unique(labelled, axis=1, return_inverse=True)
    which = which.reshape(-1)
    return [(patterns[:, i], np.flatnonzero(which == i)) for i in range(patterns.shape[1])]


def _folds(groups: Sequence[str]) -> Int64[np.ndarray, " N"]:
    """The fold of each face; a group is in one fold, and a single group is split by face."""
    names = list(dict.fromkeys(groups))
    if len(names) < 2:
        return np.arange(len(groups)) % _FOLDS
    number = {name: i % _FOLDS for i, name in enumerate(names)}
    return np.array([number[group] for group in groups])


def _held_out_error(
    known: Float64[np.ndarray, "N J 2"],
    labels: Float64[np.ndarray, "N K 2"],
    prior: Float64[np.ndarray, "K J"],
    folds: Int64[np.ndarray, " N"],
    strength: float,
) -> float:
    """The mean distance on faces that the weights were not fitted to."""
    total, count = 0.0, 0
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():
            continue
        weights = _ridge(known[~out], labels[~out], prior, strength)
        predicted = np.einsum("kj,njd->nkd", weights, known[out])
        distance = np.linalg.norm(predicted - labels[out], axis=-1)
        total, count = total + np.nansum(distance), count + int((~np.isnan(distance)).sum())
    return total / max(count, 1) if count else np.inf
