"""Losses: one value per number of the output; ``masked_mean`` alone drops missing labels.

Written once for NumPy, PyTorch and Keras under any backend (``arrays.array_namespace``). A loss is
a function, or a frozen dataclass if it has settings. Class variables say what it takes:
``predicts_sigma``, a log scale after x and y of each point (likelihoods); ``guided``, the log of
each cell's weight after that, from a guided codec.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from nasion.arrays import Array, array_namespace, stop_gradient
from nasion.errors import require

Loss = Callable[[Array, Array], Array]


def squared_error(output: Array, target: Array) -> Array:
    return (output - target) ** 2


def huber(output: Array, target: Array) -> Array:
    """Half the squared error up to 1, beyond that linear (Huber, 1964; the frameworks' default)."""
    error = abs(output - target)
    return array_namespace(error).where(error <= 1, error**2 / 2, error - 0.5)


@dataclass(frozen=True)
class Wing:
    """Logarithmic up to ``width``, then linear (Feng et al., CVPR 2018); for pixels."""

    width: float = 10.0
    curvature: float = 2.0

    def __post_init__(self) -> None:
        require(
            min(self.width, self.curvature) > 0,
            f"loss.width and loss.curvature must be above 0; found {self}.",
        )

    def __call__(self, output: Array, target: Array) -> Array:
        xp, error = array_namespace(output), abs(output - target)
        # The linear part is moved to where the logarithmic part ends, so that the two meet at
        # `width`.
        at_width = self.width * math.log1p(self.width / self.curvature)
        near = self.width * xp.log1p(error / self.curvature)
        return xp.where(error < self.width, near, error - (self.width - at_width))


@dataclass(frozen=True)
class AdaptiveWing:
    """Wing whose exponent depends on the target, for heatmaps of 0 to 1 (Wang et al., ICCV 2019).

    Like a squared error on the background, where the target is 0; like Wing on the peaks.
    """

    omega: float = 14.0
    theta: float = 0.5
    epsilon: float = 1.0
    alpha: float = 2.1

    def __post_init__(self) -> None:
        require(
            min(self.omega, self.theta, self.epsilon) > 0 and self.alpha > 1,
            f"Adaptive Wing needs values above 0, alpha above 1; found {self}.",
        )

    def __call__(self, output: Array, target: Array) -> Array:
        xp, error = array_namespace(output), abs(output - target)
        # 2.1 on the background, 1.1 on a peak.
        power, ratio = self.alpha - target, self.theta / self.epsilon
        # With alpha below 2 the power falls below 1 on a peak. Its slope at 0 is infinite, and
        # times the zero slope of |error| there it would be NaN.
        is_tiny = error <= 1e-7
        safe = xp.where(is_tiny, 1e-7, error)
        near = self.omega * xp.log1p((safe / self.epsilon) ** power)
        # The near part's slope at theta: value and slope go on without a step.
        slope = self.omega * power * ratio ** (power - 1) / ((1 + ratio**power) * self.epsilon)
        far = slope * (error - self.theta) + self.omega * xp.log1p(ratio**power)
        return xp.where(error < self.theta, xp.where(is_tiny, error, near), far)


@dataclass(frozen=True)
class LaplaceLikelihood:
    """Negative log likelihood of a Laplace distribution with learnt scale.

    Kendall and Gal, NeurIPS 2017; for landmarks Kumar et al., CVPR 2020. ``even``: each value is
    weighted by its own scale to this power (beta-NLL, Seitzer et al., ICLR 2022). At 0 confident
    points count most; at 1 the coordinates learn as by the absolute error.
    """

    even: float = 0.0
    predicts_sigma: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 <= self.even <= 1, f"loss.even must be 0 to 1; found {self.even}.")

    def __call__(self, output: Array, target: Array) -> Array:
        xp, log_scale = array_namespace(output), output[..., 2:]
        # -log of exp(-|e| / b) / 2b. One scale b for x and y: [..., 2:] keeps the axis to
        # broadcast.
        value = abs(output[..., :2] - target) / xp.exp(log_scale) + log_scale + math.log(2)
        # The gradient in x is 1 / b; times b to the power of `even` it is 1 at even = 1.
        return value * stop_gradient(xp.exp(log_scale * self.even)) if self.even else value


@dataclass(frozen=True)
class GuidedLikelihood:
    """``LaplaceLikelihood`` plus ``share`` times the KL divergence of the cells' weights.

    For ``Anchors`` with a guide: x, y, log scale and log weights against x, y and weights.
    Coordinates and maps learnt together: Sun et al., ECCV 2018; Nibali et al., 2018.
    """

    share: float = 0.1
    even: float = 0.0
    predicts_sigma: ClassVar[bool] = True
    guided: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.share >= 0, f"loss.share must be 0 or more; found {self.share}.")
        LaplaceLikelihood(self.even)  # checks it

    def __call__(self, output: Array, target: Array) -> Array:
        xp, numbers = array_namespace(output), target.shape[-1]
        likelihood = LaplaceLikelihood(self.even)(output[..., :3], target[..., :2])
        # Sum of w (log w - log p): the output has log p already. log w makes it 0 at the truth;
        # where w is 0 the term is 0, as long as its log is finite.
        wanted = target[..., 2:]
        divergence = wanted * (xp.log(xp.clip(wanted, 1e-9, 1.0)) - output[..., 3:])
        # masked_mean averages over all numbers of a point: x, y and the weights. These factors make
        # it the mean over x and y of the likelihood, plus `share` times the sum over cells.
        weighted = [likelihood * (numbers / 2), divergence * (numbers * self.share)]
        return xp.concatenate(weighted, -1)


@dataclass(frozen=True)
class GaussianLikelihood:
    """Negative log likelihood of a normal distribution with learnt sigma (Nix and Weigend, 1994).

    ``even``: as in ``LaplaceLikelihood``.
    """

    even: float = 0.0
    predicts_sigma: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 <= self.even <= 1, f"loss.even must be 0 to 1; found {self.even}.")

    def __call__(self, output: Array, target: Array) -> Array:
        xp, log_scale = array_namespace(output), output[..., 2:]
        standardised = (output[..., :2] - target) / xp.exp(log_scale)
        # -log of the normal density; again one sigma for both axes.
        value = standardised**2 / 2 + log_scale + math.log(2 * math.pi) / 2
        # Twice, since the gradient in x is error / sigma squared.
        return value * stop_gradient(xp.exp(2 * log_scale * self.even)) if self.even else value


def masked_mean(loss: Loss, output: Array, target: Array) -> tuple[Array, Array]:
    """Mean loss over the labelled targets (those that are not NaN), and how many there are.

    Both are of one shape, or the output has more numbers per point, as likelihoods want. A missing
    target gets exactly zero gradient; without any label the mean is 0, with a zero gradient.
    """
    xp = array_namespace(output)
    labelled = xp.logical_not(xp.isnan(target))
    same_shape = tuple(output.shape) == tuple(target.shape)
    # A point lacks both coordinates or none, so x's mask also covers the scale.
    output_mask = labelled if same_shape else labelled[..., :1]
    # Replace NaN before the loss: masking its result would leave NaN * 0 = NaN in the gradient.
    values = loss(xp.where(output_mask, output, 0.0), xp.where(labelled, target, 0.0))
    count = xp.sum(xp.where(labelled, 1.0, 0.0))
    total = xp.sum(xp.where(labelled, values, 0.0))
    # Dividing by max(count, 1) instead of skipping the batch: 0 / 1 still has a (zero) gradient.
    return total / xp.where(count > 0, count, 1.0), count
