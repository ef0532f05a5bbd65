"""Small plain networks: a few convolutions, then dense layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class SmallNet:
    """For each width a 3x3 convolution with batch norm, ReLU and max-pool 2; then one hidden dense layer."""

    widths: tuple[int, ...] = (16, 32, 64, 128)
    hidden: int = 256
    input_size: tuple[int, int] = (64, 64)
    channels: int = 1

    def build(self, outputs: int) -> nn.Module:
        """A fresh network with ``outputs`` numbers per picture."""
        return _Network(self, outputs)


class _Network(nn.Module):
    def __init__(self, shape: SmallNet, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = shape.channels
        for wider in shape.widths:
            layers += [nn.Conv2d(width, wider, 3, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU(), nn.MaxPool2d(2)]
            width = wider
        pooled = [side >> len(shape.widths) for side in shape.input_size]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(width * pooled[0] * pooled[1], shape.hidden), nn.ReLU())
        self.head = nn.Linear(shape.hidden, outputs)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        features = self.hidden(self.features(images))
        with torch.autocast(images.device.type, enabled=False):
            return self.head(features.float())
