"""How labels differ from what a network predicts where nothing is wrong: a Student t distribution.

Over all coordinates of a face at once, since points slide along contours together, and with heavy
tails, since some faces are hard. Missing labels are left out: the marginal distribution of those
that are there. Fitted by expectation maximisation (Liu and Rubin, 1995), in which a face counts
less the farther it is from the others. A first fit leaves out the farthest: a few faces that are
wrong in one direction would otherwise make it usual (Rousseeuw's trimming, 1985).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import lgamma, log, pi

import numpy as np

from nasion.array_types import Bool, Float64

_FREEDOM = (3.0, 5.0, 8.0, 15.0, 30.0)  # degrees of freedom that are tried
# How far correlations are drawn towards 0, which few faces need.
_SHRINKAGE = (0.05, 0.15, 0.3, 0.6, 0.9)
_ROUNDS, _FEW_ROUNDS = 12, 6
TRIMMED = 0.1  # of the faces, in a first fit
_KEPT = 4096  # marginal distributions
_LEAST_VARIANCE = 1e-6  # of the mean variance


@dataclass(frozen=True, eq=False)
class Marginal:
    """The distribution of some of the coordinates. ``precision``: the inverse of the scatter."""

    precision: Float64[np.ndarray, "d d"]
    log_determinant: float  # of the scatter
    freedom: float

    @property
    def size(self) -> int:
        return len(self.precision)

    def log_density(
        self,
        distance: Float64[np.ndarray, "*n"],
        log_determinant: Float64[np.ndarray, "*n"] | float | None = None,
        size: int | None = None,
    ) -> Float64[np.ndarray, "*n"]:
        """By squared Mahalanobis distances; with another scatter's determinant and size."""
        d, nu = self.size if size is None else size, self.freedom
        determinant = self.log_determinant if log_determinant is None else log_determinant
        constant = lgamma((nu + d) / 2) - lgamma(nu / 2) - d / 2 * log(nu * pi)
        return np.asarray(constant - determinant / 2 - (nu + d) / 2 * np.log1p(distance / nu))


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """``mean`` and ``scatter`` of all coordinates, and the t distribution's degrees of freedom."""

    mean: Float64[np.ndarray, " D"]
    scatter: Float64[np.ndarray, "D D"]
    freedom: float
    _marginals: dict[bytes, Marginal] = field(default_factory=dict, repr=False)

    def marginal(self, seen: Bool[np.ndarray, " D"]) -> Marginal:
        """The distribution of these coordinates."""
        key = seen.tobytes()
        if key not in self._marginals:
            part = self.scatter[np.ix_(seen, seen)]
            _, determinant = np.linalg.slogdet(part)
            found = Marginal(np.linalg.inv(part), float(determinant), self.freedom)
            if len(self._marginals) < _KEPT:
                self._marginals[key] = found
            return found
        return self._marginals[key]

    def scaled(self, factor: float) -> LabelNoise:
        """With variances this many times as large."""
        return LabelNoise(self.mean, self.scatter * max(factor, _LEAST_VARIANCE), self.freedom)

    def relative_distances(self, values: Float64[np.ndarray, "N D"]) -> Float64[np.ndarray, " N"]:
        """Squared distances of rows, in units of this distribution's median; 1 without values."""
        found = np.ones(len(values))
        for marginal, rows, distance in self._distances(values):
            found[rows] = distance / (marginal.size * _median_distance(marginal.size, self.freedom))
        return found

    def log_density(self, values: Float64[np.ndarray, "N D"]) -> Float64[np.ndarray, " N"]:
        """Of each row's coordinates that are not NaN; 0 for a row without any."""
        density = np.zeros(len(values))
        for marginal, rows, distance in self._distances(values):
            density[rows] = marginal.log_density(distance)
        return density

    def _distances(
        self, values: Float64[np.ndarray, "N D"]
    ) -> Iterator[tuple[Marginal, np.ndarray, np.ndarray]]:
        """For each pattern of values: its distribution, the rows, their squared distances."""
        for seen, rows in _patterns(~np.isnan(values)):
            if seen.any():
                marginal = self.marginal(seen)
                away = values[np.ix_(rows, seen)] - self.mean[seen]
                yield (
                    marginal,
                    rows,
                    np.einsum("nd,de,ne->n", away, marginal.precision, away, optimize=True),
                )


def fit_noise(values: Float64[np.ndarray, "N D"], trimmed: float = 0.0) -> LabelNoise:
    """The noise of these rows; NaN is missing. ``trimmed``: the part of the rows, the farthest,
    that is left out. Shrinkage, freedom and scale are those that rows held out ask for.
    """
    values = values[~np.isnan(values).all(axis=1)]
    first = np.arange(len(values)) % 2 == 0
    sides = (values[first], values[~first])

    def held_out(freedom: float, shrinkage: float) -> tuple[float, float]:
        """(log density of the likelier rows, the scale of their distances)."""
        fits = [_fit(side, freedom, shrinkage, _FEW_ROUNDS, trimmed) for side in sides]
        scale = float(
            np.median(
                np.concatenate(
                    [
                        fit.relative_distances(other)
                        for fit, other in zip(fits, sides[::-1], strict=True)
                    ]
                )
            )
        )
        densities = np.concatenate(
            [
                fit.scaled(scale).log_density(other)
                for fit, other in zip(fits, sides[::-1], strict=True)
            ]
        )
        kept = np.sort(densities)[int(trimmed * len(densities)) :]
        return float(kept.sum()), scale

    shrinkage = max(_SHRINKAGE, key=lambda each: held_out(5.0, each)[0])
    tried = {freedom: held_out(freedom, shrinkage) for freedom in _FREEDOM}
    freedom = max(tried, key=lambda each: tried[each][0])
    found = _fit(values, freedom, shrinkage, _ROUNDS, trimmed)
    # Of many rows, those of the fit are as good as others; of few, they are fitted too well.
    own = float(np.median(found.relative_distances(values)))
    return found.scaled(max(own, tried[freedom][1]) if len(values) < 5 * values.shape[1] else own)


def _fit(
    values: Float64[np.ndarray, "N D"],
    freedom: float,
    shrinkage: float,
    rounds: int,
    trimmed: float,
) -> LabelNoise:
    seen = ~np.isnan(values)
    never = ~seen.any(axis=0)
    filled = np.where(never, 0.0, values)
    mean = np.nanmedian(filled, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(filled - mean), axis=0)
    usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    noise = LabelNoise(mean, np.diag(np.where(spread > 0, spread, usual) ** 2), freedom)
    patterns = _patterns(seen)
    for _ in range(rounds):
        noise = _step(noise, values, patterns, shrinkage, trimmed)
    return noise


def _step(
    noise: LabelNoise,
    values: Float64[np.ndarray, "N D"],
    patterns: list[tuple[np.ndarray, np.ndarray]],
    shrinkage: float,
    trimmed: float,
) -> LabelNoise:
    """One round: missing values by the seen ones, weights by distance, then moments anew."""
    count, size = values.shape
    filled = np.tile(noise.mean, (count, 1))
    weights, missing = np.zeros(count), np.zeros((size, size))
    relative = np.zeros(count)
    for seen, rows in patterns:
        if not seen.any():
            continue
        marginal = noise.marginal(seen)
        away = values[np.ix_(rows, seen)] - noise.mean[seen]
        solved = away @ marginal.precision
        distance = (away * solved).sum(axis=1)
        weights[rows] = (noise.freedom + marginal.size) / (noise.freedom + distance)
        relative[rows] = distance / marginal.size
        filled[np.ix_(rows, seen)] = values[np.ix_(rows, seen)]
        if not seen.all():
            other = noise.scatter[np.ix_(~seen, seen)]
            filled[np.ix_(rows, ~seen)] = noise.mean[~seen] + solved @ other.T
            left = noise.scatter[np.ix_(~seen, ~seen)] - other @ marginal.precision @ other.T
            missing[np.ix_(~seen, ~seen)] += left * len(rows)
    weights[relative > np.quantile(relative, 1 - trimmed)] = 0
    mean = weights @ filled / weights.sum()
    away = filled - mean
    used = max(int((weights > 0).sum()), 1)
    scatter = ((weights[:, None] * away).T @ away + missing) / used
    diagonal = np.diag(np.diag(scatter))
    scatter = (1 - shrinkage) * scatter + shrinkage * diagonal
    least = _LEAST_VARIANCE * np.trace(scatter) / size
    return LabelNoise(mean, scatter + least * np.eye(size), noise.freedom)


def _patterns(seen: Bool[np.ndarray, "N D"]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each pattern of values that are there, and the rows that have it."""
    if not len(seen):
        return []
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return [(pattern, np.flatnonzero(which == i)) for i, pattern in enumerate(patterns)]


@lru_cache(maxsize=256)
def _median_distance(size: int, freedom: float) -> float:
    """The median of a squared distance by its dimensions: of the F distribution."""
    rng = np.random.default_rng(0)
    draws = rng.chisquare(size, 20_001) / size, rng.chisquare(freedom, 20_001) / freedom
    return float(np.median(draws[0] / draws[1]))
