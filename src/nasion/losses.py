"""Losses: one value per number that the network says; ``masked_mean`` is the only place that drops missing labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def squared_error(output: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return (output - target).square()


def absolute_error(output: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return (output - target).abs()


def masked_mean(loss: Loss, output: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean loss over the labelled targets (those that are not NaN), and how many they are.

    A missing target gives exactly no gradient; without any label the mean is 0, still with a (zero) gradient.
    """
    labelled = ~torch.isnan(target)
    # The NaN goes before the loss sees it: masking only the result would leave NaN * 0 = NaN in the gradient.
    values = loss(output, torch.where(labelled, target, output.detach()))
    count = labelled.sum()
    return torch.where(labelled, values, 0).sum() / count.clamp(min=1), count.float()
