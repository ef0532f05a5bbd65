"""Feature pyramids (Lin et al., CVPR 2017): a residual trunk, a path up to a finer map, a head.

What the maps mean is the codec's business. The head runs in float32, all before it under autocast
if it is on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasion.array_types import Float, Float32
from nasion.errors import require
from nasion.models.architectures.resnet import Block, ResNet

_BASIC = ResNet()  # its settings make basic blocks: two 3x3 convolutions, no blur


@dataclass(frozen=True)
class Pyramid:
    """A stem (3x3, stride 2), stages of basic blocks that each halve, and back up to ``stride``.

    ``widths``: channels at strides 2, 4, 8 and so on, the stem's first. ``blocks``: how many in
    each stage (0: one convolution). ``neck``: channels of the path back up, where coarser maps are
    doubled in size and added to a 1x1 convolution of finer ones. ``refine``: 3x3 convolutions
    before the head.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 256)
    blocks: tuple[int, ...] = (0, 1, 2, 2, 2)
    stride: int = 8
    neck: int = 128
    refine: int = 1
    has_features: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(
            len(self.widths) == len(self.blocks) >= 2,
            "architecture.widths and architecture.blocks need one number per stage, at least two; "
            f"found {self}.",
        )
        require(
            min(*self.widths, self.neck) > 0 and min(*self.blocks, self.refine) >= 0,
            f"Widths must be 1 or more, blocks 0 or more; found {self}.",
        )
        strides = [2 ** (i + 1) for i in range(len(self.widths))]
        known = ", ".join(map(str, strides))
        require(
            self.stride in strides,
            f"architecture.stride must be one of {known}; found {self.stride}.",
        )

    def build(
        self, outputs: int, size: tuple[int, int] = (128, 128), channels: int = 1
    ) -> nn.Module:
        """A new network with ``outputs`` maps of 1 / ``stride`` of the image's size.

        The coarsest stride must divide both sides of ``size``.
        """
        coarsest = self.size_step
        require(
            not any(side % coarsest for side in size),
            f"input_size {size}: both sides must be multiples of {coarsest} for this network.",
        )
        return _Network(self, outputs, channels)

    @property
    def size_step(self) -> int:
        """What both sides of an input must be multiples of: the coarsest stride."""
        return 2 ** len(self.widths)

    def head_bias(self, outputs: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        return outputs


class _Network(nn.Module):
    def __init__(self, shape: Pyramid, outputs: int, channels: int) -> None:
        super().__init__()
        self.stem = _conv_norm_relu(channels, shape.widths[0], stride=2)
        stages, width = [], shape.widths[0]
        for i, (wider, count) in enumerate(zip(shape.widths, shape.blocks, strict=True)):
            stages.append(_stage(width, wider, count, is_first=i == 0))
            width = wider
        self.stages = nn.ModuleList(stages)
        # Stage i has stride 2 ** (i + 1), whose bit length is i + 2. Finer maps are not needed.
        self.finest = shape.stride.bit_length() - 2  # the stage whose map the head sees
        lateral = (nn.Conv2d(wide, shape.neck, 1) for wide in shape.widths[self.finest :])
        self.across = nn.ModuleList(lateral)
        refine = (_conv_norm_relu(shape.neck, shape.neck, 1) for _ in range(shape.refine))
        self.refine = nn.Sequential(*refine)
        self.head = nn.Conv2d(shape.neck, outputs, 1)
        # Small weights: at first all cells vote alike, so points start in the middle of the image.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.get_parameter("bias"), 0.0)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs h w"]:
        x = self.before_head(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.head(x.float())

    def before_head(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B neck h w"]:
        """The maps of which the head is a linear function."""
        return self.features(images)[0]

    def features(
        self, images: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, "B neck h w"], Float[Tensor, "B wide y x"]]:
        """The maps before the head, and the coarsest maps, which see the whole crop."""
        # One input channel loses the channels-last layout.
        x = self.stem(images).contiguous(memory_format=torch.channels_last)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i >= self.finest:
                maps.append(x)
        # From the coarsest map up to the finest.
        x = self.across[-1](maps[-1])
        finer_first = zip(reversed(list(self.across)[:-1]), reversed(maps[:-1]), strict=True)
        for across, finer in finer_first:
            x = across(finer) + F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.refine(F.relu(x)), maps[-1]


def _stage(width: int, wider: int, count: int, is_first: bool) -> nn.Sequential:
    stride = 1 if is_first else 2
    if count:
        first = [Block(_BASIC, width, wider, stride)]
    elif is_first:
        first = []
    else:
        first = [_conv_norm_relu(width, wider, stride)]
    return nn.Sequential(*first, *(Block(_BASIC, wider, wider, 1) for _ in range(count - 1)))


def _conv_norm_relu(width: int, wider: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(width, wider, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(wider), nn.ReLU())
