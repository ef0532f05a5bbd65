"""Small networks of convolutions and dense layers, as course reports print them (LeNet-style)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nasion.array_types import Float, Float32
from nasion.errors import require
from nasion.models.architectures._head import logit


@dataclass(frozen=True)
class ConvNet:
    """Padded convolutions with pool (1: none) and ReLU, dense layers with ReLU, linear ``head``.

    ``kernels``, ``pools``: one size per convolution, or one for all. ``first_pool``: the kind of
    the first pool; all others are max-pools. ``dropout``: the fraction of the last map's channels
    dropped before the dense layers in training. ``sigmoid``: outputs between 0 and 1.
    After LeNet (LeCun et al., 1998).
    """

    filters: tuple[int, ...] = (6, 16, 32, 32)
    kernels: tuple[int, ...] = (3,)
    pools: tuple[int, ...] = (2,)
    dense: tuple[int, ...] = (240,)
    first_pool: Literal["max", "average"] = "max"
    dropout: float = 0.0
    sigmoid: bool = False

    def __post_init__(self) -> None:
        count = len(self.filters)
        for name, sizes in (("kernels", self.kernels), ("pools", self.pools)):
            require(
                len(sizes) in (1, count),
                f"architecture.{name} needs one number, or {count}, one per convolution; "
                f"found {sizes}.",
            )
        sizes = (*self.filters, *self.kernels, *self.pools, *self.dense)
        require(
            count > 0 and min(sizes) > 0,
            f"Filters, kernels, pools and dense sizes must be 1 or more; found {self}.",
        )
        require(
            all(kernel % 2 for kernel in self.kernels),
            f"architecture.kernels must be odd; found {self.kernels}.",
        )
        require(
            0 <= self.dropout < 1,
            f"architecture.dropout is a fraction, 0 to below 1; found {self.dropout}.",
        )

    def layers(self) -> list[tuple[int, int, int]]:
        """(filters, kernel, pool) of each convolution."""
        count = len(self.filters)
        kernels = self.kernels * count if len(self.kernels) == 1 else self.kernels
        pools = self.pools * count if len(self.pools) == 1 else self.pools
        return list(zip(self.filters, kernels, pools, strict=True))

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> nn.Module:
        """A new network with ``outputs`` numbers per image."""
        width, height = size
        for _, _, pool in self.layers():
            width, height = width // pool, height // pool
        require(
            min(width, height) > 0,
            f"input_size {size} is too small for pools {self.pools}: no pixel is left.",
        )
        return _Network(self, outputs, channels, self.filters[-1] * width * height)

    def head_bias(self, outputs: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        return logit(outputs) if self.sigmoid else outputs


class _Network(nn.Module):
    """Layers in the order and with the names in which the reports print them."""

    def __init__(self, shape: ConvNet, outputs: int, channels: int, features: int) -> None:
        super().__init__()
        for i, (filters, kernel, pool) in enumerate(shape.layers(), start=1):
            # With an odd kernel this padding keeps the size; only pools shrink the map.
            conv = nn.Conv2d(channels, filters, kernel, padding=kernel // 2)
            self.add_module(f"conv{i}", conv)
            if pool > 1:
                if shape.first_pool == "average" and i == 1:
                    self.add_module("avgpool", nn.AvgPool2d(pool))
                else:
                    self.add_module(f"maxpool{i}", nn.MaxPool2d(pool))
            self.add_module(f"relu{i}", nn.ReLU())
            channels = filters
        if shape.dropout:
            # Dropout2d drops whole channels.
            self.add_module("dropout", nn.Dropout2d(shape.dropout))
        self.add_module("flatten", nn.Flatten())
        for i, size in enumerate(shape.dense, start=1):
            self.add_module(f"fc{i}", nn.Linear(features, size))
            self.add_module(f"relu{len(shape.filters) + i}", nn.ReLU())
            features = size
        self.head = nn.Linear(features, outputs)
        self.limit = nn.Sigmoid() if shape.sigmoid else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        x = images
        # Children come in the order in which they were added: the constructor is the forward pass.
        for name, layer in self.named_children():
            if name in ("head", "limit"):
                continue
            x = layer(x)
            if name == "conv1":
                # One input channel loses the channels-last layout, and pooling the other layout
                # takes ten times as long on a CPU.
                x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, enabled=False):
            return self.limit(self.head(x.float()))
