"""Losses: one value per number that the network says; ``masked_mean`` is the only place that drops missing labels.

Written for NumPy, PyTorch and Keras under any of its backends alike (``arrays.functions``), compiled or not.
"""

from __future__ import annotations

from collections.abc import Callable

from nasion.arrays import Array, functions

Loss = Callable[[Array, Array], Array]


def squared_error(output: Array, target: Array) -> Array:
    return (output - target) ** 2


def absolute_error(output: Array, target: Array) -> Array:
    return abs(output - target)


def huber(output: Array, target: Array) -> Array:
    """Half the squared error up to 1, from there on the absolute error less a half (Huber, 1964; PyTorch's and Keras' default)."""
    far = abs(output - target)
    return functions(far).where(far <= 1, far**2 / 2, far - 0.5)


def masked_mean(loss: Loss, output: Array, target: Array) -> tuple[Array, Array]:
    """Mean loss over the labelled targets (those that are not NaN), and how many they are; both of any one shape.

    A missing target gives exactly no gradient; without any label the mean is 0, still with a (zero) gradient.
    """
    xp = functions(output)
    labelled = xp.logical_not(xp.isnan(target))
    # The NaN goes before the loss sees it: masking only the result would leave NaN * 0 = NaN in the gradient.
    values = loss(xp.where(labelled, output, 0.0), xp.where(labelled, target, 0.0))
    count = xp.sum(xp.where(labelled, 1.0, 0.0))
    return xp.sum(xp.where(labelled, values, 0.0)) / xp.where(count > 0, count, 1.0), count
