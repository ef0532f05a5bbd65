"""Losses: one value per number that the network says; ``masked_mean`` is the only place that drops missing labels.

Written for NumPy, PyTorch and Keras under any of its backends alike (``arrays.functions``), compiled or not. A loss with
settings is a frozen dataclass. Likelihoods take one number more per point than there are targets: x, y and the logarithm of
the scale that the network claims for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nasion.arrays import Array, as_constant, functions
from nasion.errors import require

Loss = Callable[[Array, Array], Array]


def squared_error(output: Array, target: Array) -> Array:
    return (output - target) ** 2


def absolute_error(output: Array, target: Array) -> Array:
    return abs(output - target)


def huber(output: Array, target: Array) -> Array:
    """Half the squared error up to 1, from there on the absolute error less a half (Huber, 1964; PyTorch's and Keras' default)."""
    far = abs(output - target)
    return functions(far).where(far <= 1, far**2 / 2, far - 0.5)


@dataclass(frozen=True)
class SmoothL1:
    """Huber's loss divided by where it turns straight, so that its slope there is 1 (Girshick, ICCV 2015)."""

    beta: float = 1.0

    def __post_init__(self) -> None:
        require(self.beta > 0, f"loss.beta must be above 0; found {self.beta}.")

    def __call__(self, output: Array, target: Array) -> Array:
        return self.beta * huber(output / self.beta, target / self.beta)


@dataclass(frozen=True)
class Wing:
    """Logarithmic up to ``width``, which makes much of small errors, then straight (Feng et al., CVPR 2018); for pixels."""

    width: float = 10.0
    curvature: float = 2.0

    def __post_init__(self) -> None:
        require(min(self.width, self.curvature) > 0, f"loss.width and loss.curvature must be above 0; found {self}.")

    def __call__(self, output: Array, target: Array) -> Array:
        xp, far = functions(output), abs(output - target)
        end = self.width * math.log1p(self.width / self.curvature)
        return xp.where(far < self.width, self.width * xp.log1p(far / self.curvature), far - (self.width - end))


@dataclass(frozen=True)
class AdaptiveWing:
    """Wing whose steepness grows with the target, for heatmaps of 0 to 1 (Wang et al., ICCV 2019).

    Like a squared error on the background, where the target is 0, like Wing on the peaks.
    """

    omega: float = 14.0
    theta: float = 0.5
    epsilon: float = 1.0
    alpha: float = 2.1

    def __post_init__(self) -> None:
        require(min(self.omega, self.theta, self.epsilon) > 0 and self.alpha > 1, f"Adaptive Wing needs values above 0, alpha above 1; found {self}.")

    def __call__(self, output: Array, target: Array) -> Array:
        xp, far = functions(output), abs(output - target)
        power, ratio = self.alpha - target, self.theta / self.epsilon
        # At 0 the slope of a power below 2 is computed as infinity times 0.
        near = self.omega * xp.log1p((xp.where(far > 1e-7, far, 1e-7) / self.epsilon) ** power)
        slope = self.omega * power * ratio ** (power - 1) / ((1 + ratio**power) * self.epsilon)
        straight = slope * (far - self.theta) + self.omega * xp.log1p(ratio**power)
        return xp.where(far < self.theta, xp.where(far > 1e-7, near, far), straight)


@dataclass(frozen=True)
class LaplaceLikelihood:
    """Negative log likelihood of a Laplace distribution with learnt scale b (Kendall and Gal, NeurIPS 2017; of points: Kumar et al., CVPR 2020).

    ``even``: each value is weighted by its own scale to this power (beta-NLL, Seitzer et al., ICLR 2022); at 0 points that are
    sure count most, at 1 the places learn as by the absolute error.
    """

    even: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.even <= 1, f"loss.even must be from 0 to 1; found {self.even}.")

    def __call__(self, output: Array, target: Array) -> Array:
        xp, log_scale = functions(output), output[..., 2:]
        value = abs(output[..., :2] - target) / xp.exp(log_scale) + log_scale + math.log(2)
        return value * as_constant(xp.exp(log_scale * self.even)) if self.even else value


@dataclass(frozen=True)
class GuidedLikelihood:
    """``LaplaceLikelihood`` of a point, plus ``share`` times the divergence (Kullback and Leibler) of its cells' weights from those asked for.

    For ``Anchors`` with a guide: x, y, log scale and the weights' logarithms against x, y and weights. Points and maps learnt
    together: Sun et al., ECCV 2018; Nibali et al., 2018.
    """

    share: float = 0.1
    even: float = 0.0

    def __post_init__(self) -> None:
        require(self.share >= 0, f"loss.share must be from 0; found {self.share}.")
        LaplaceLikelihood(self.even)

    def __call__(self, output: Array, target: Array) -> Array:
        xp, numbers = functions(output), target.shape[-1]
        places = LaplaceLikelihood(self.even)(output[..., :3], target[..., :2])
        wanted = target[..., 2:]
        apart = wanted * (xp.log(xp.clip(wanted, 1e-9, 1.0)) - output[..., 3:])
        # What is averaged later are all numbers of a point: x, y and the weights.
        return xp.concatenate([places * (numbers / 2), apart * (numbers * self.share)], -1)


@dataclass(frozen=True)
class GaussianLikelihood:
    """Negative log likelihood of a normal distribution with learnt standard deviation (Nix and Weigend, 1994); ``even`` as there."""

    even: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.even <= 1, f"loss.even must be from 0 to 1; found {self.even}.")

    def __call__(self, output: Array, target: Array) -> Array:
        xp, log_scale = functions(output), output[..., 2:]
        value = ((output[..., :2] - target) / xp.exp(log_scale)) ** 2 / 2 + log_scale + math.log(2 * math.pi) / 2
        return value * as_constant(xp.exp(2 * log_scale * self.even)) if self.even else value


def masked_mean(loss: Loss, output: Array, target: Array) -> tuple[Array, Array]:
    """Mean loss over the labelled targets (those that are not NaN), and how many they are.

    Both are of any one shape, or the output has a number more per point, as likelihoods want. A missing target gives exactly
    no gradient; without any label the mean is 0, still with a (zero) gradient.
    """
    xp = functions(output)
    labelled = xp.logical_not(xp.isnan(target))
    of_output = labelled if tuple(output.shape) == tuple(target.shape) else labelled[..., :1]
    # The NaN goes before the loss sees it: masking only the result would leave NaN * 0 = NaN in the gradient.
    values = loss(xp.where(of_output, output, 0.0), xp.where(labelled, target, 0.0))
    count = xp.sum(xp.where(labelled, 1.0, 0.0))
    return xp.sum(xp.where(labelled, values, 0.0)) / xp.where(count > 0, count, 1.0), count
