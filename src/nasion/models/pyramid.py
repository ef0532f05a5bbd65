"""Residual networks that end in maps: a trunk, a path back up to a finer map (feature pyramid, Lin et al., CVPR 2017), and a head.

What the maps mean is the codec's business. The last layer runs in float32, all before it under autocast if it is on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nasion.errors import require
from nasion.models.resnet import Block, ResNet

_BASIC = ResNet()


@dataclass(frozen=True)
class Pyramid:
    """A stem (3x3, stride 2), stages of basic blocks that each halve the picture, and back up to ``stride``.

    ``widths``: channels at strides 2, 4, 8 and so on, the stem's first; ``blocks``: how many of each stage (0: one convolution
    alone halves). ``neck``: channels of the path back up; coarser maps are doubled and added to the finer ones' 1x1 convolution.
    ``refine``: 3x3 convolutions before the head.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 256)
    blocks: tuple[int, ...] = (0, 1, 2, 2, 2)
    stride: int = 8
    neck: int = 128
    refine: int = 1

    def __post_init__(self) -> None:
        require(len(self.widths) == len(self.blocks) >= 2, f"model.widths and model.blocks need one number per stage, two at least; found {self}.")
        require(min(*self.widths, self.neck) > 0 and min(*self.blocks, self.refine) >= 0, f"Widths must be from 1, blocks from 0; found {self}.")
        strides = [2 ** (i + 1) for i in range(len(self.widths))]
        require(self.stride in strides, f"model.stride must be one of {', '.join(map(str, strides))}; found {self.stride}.")

    def build(self, outputs: int, size: tuple[int, int] = (128, 128), channels: int = 1) -> nn.Module:
        """A fresh network with ``outputs`` maps of 1 / ``stride`` of the picture's size, whose sides the coarsest stride must divide."""
        coarsest = 2 ** len(self.widths)
        require(not any(side % coarsest for side in size), f"input_size {size}: both sides must be multiples of {coarsest} for this network.")
        return _Network(self, outputs, channels)


class _Network(nn.Module):
    def __init__(self, shape: Pyramid, outputs: int, channels: int) -> None:
        super().__init__()
        self.stem = _layers(channels, shape.widths[0], stride=2)
        stages, width = [], shape.widths[0]
        for i, (wider, count) in enumerate(zip(shape.widths, shape.blocks, strict=True)):
            halves = 1 if i == 0 else 2
            first = [] if i == 0 and count == 0 else [Block(_BASIC, width, wider, halves) if count else _layers(width, wider, halves)]
            stages.append(nn.Sequential(*first, *(Block(_BASIC, wider, wider, 1) for _ in range(count - 1))))
            width = wider
        self.stages = nn.ModuleList(stages)
        self.finest = shape.stride.bit_length() - 2  # the stage whose map the head sees
        self.across = nn.ModuleList(nn.Conv2d(wide, shape.neck, 1) for wide in shape.widths[self.finest :])
        self.refine = nn.Sequential(*(_layers(shape.neck, shape.neck, 1) for _ in range(shape.refine)))
        self.head = nn.Conv2d(shape.neck, outputs, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.get_parameter("bias"), 0.0)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs h w"]:
        x = self.before_head(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.head(x.float())

    def before_head(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B neck h w"]:
        """The maps of which the head is a linear function."""
        x = self.stem(images).contiguous(memory_format=torch.channels_last)  # with one channel the layout is lost
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i >= self.finest:
                maps.append(x)
        x = self.across[-1](maps[-1])
        for across, finer in zip(reversed(list(self.across)[:-1]), reversed(maps[:-1]), strict=True):
            x = across(finer) + F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.refine(F.relu(x))


def _layers(width: int, wider: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, wider, 3, stride, 1, bias=False), nn.BatchNorm2d(wider), nn.ReLU())
