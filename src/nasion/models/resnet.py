"""Residual networks of basic blocks (He et al., CVPR 2016) that end in one linear layer.

The convolutions run under autocast if it is on; the last layer always in float32, since bfloat16 knows only every
quarter or half of a pixel at 60.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nasion.errors import require

_TINY_MAP = 9  # output pixels


@dataclass(frozen=True)
class ResNet:
    """Stem (convolution, norm, ReLU, max-pool by 2), then stages of ``blocks`` basic blocks, average pool, linear.

    Every stage but the first halves the picture. Convolutions have a bias, as in the published Kaggle code.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    blocks: int = 2
    stem_kernel: int = 7
    stem_stride: int = 1
    stem_pool: int = 2
    channels: int = 1

    def __post_init__(self) -> None:
        sizes = (*self.widths, self.blocks, self.stem_kernel, self.stem_stride, self.stem_pool)
        require(len(self.widths) > 0 and min(sizes) > 0, f"Widths, blocks, kernel, stride and pool must be from 1; found {self}.")
        require(self.stem_kernel % 2 == 1, f"model.stem_kernel must be odd; found {self.stem_kernel}.")
        require(self.channels in (1, 3), f"model.channels must be 1 (grey) or 3 (colour); found {self.channels}.")

    def build(self, outputs: int) -> nn.Module:
        """A fresh network with ``outputs`` numbers per picture."""
        return _Network(self, outputs)


class _Network(nn.Module):
    def __init__(self, shape: ResNet, outputs: int) -> None:
        super().__init__()
        width = shape.widths[0]
        self.stem = nn.Conv2d(shape.channels, width, shape.stem_kernel, shape.stem_stride, shape.stem_kernel // 2)
        self.norm = nn.BatchNorm2d(width)
        self.pool = shape.stem_pool
        stages = []
        for i, wider in enumerate(shape.widths):
            first = BasicBlock(width, wider, stride=1 if i == 0 else 2)
            stages.append(nn.Sequential(first, *(BasicBlock(wider, wider) for _ in range(shape.blocks - 1))))
            width = wider
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(width, outputs)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        # With one channel the layout is lost, and pooling the other one takes ten times as long on CPU.
        stem = self.stem(images).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.norm(stem)), self.pool, stride=2, padding=(self.pool - 1) // 2)
        features = self.stages(x).mean((2, 3))
        with torch.autocast(images.device.type, enabled=False):
            return self.head(features.float())


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; a 1x1 convolution on the shortcut where the shape changes."""

    def __init__(self, width: int, wider: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width, wider, 3, stride, 1), nn.BatchNorm2d(wider)
        self.conv2, self.norm2 = nn.Conv2d(wider, wider, 3, 1, 1), nn.BatchNorm2d(wider)
        same = width == wider and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(width, wider, 1, stride)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        y = F.relu(self.norm1(_convolved(self.conv1, x)))
        return F.relu(self.norm2(_convolved(self.conv2, y)) + self.shortcut(x))


def _convolved(layer: nn.Conv2d, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
    """``layer(x)``, as one matrix product where a map is tiny.

    Training on CPU only: there oneDNN's backward pass over a 2 x 2 map takes 4 times as long as a product with all weights.
    Gathering the inputs of each output pixel is a product too, with ones and zeros: exact, and faster than ``F.unfold``.
    """
    size, stride = (x.shape[-2], x.shape[-1]), layer.stride[0]
    height, width = (-(-side // stride) for side in size)
    if not layer.training or x.device.type != "cpu" or height * width > _TINY_MAP:
        return layer(x)
    gathered = x.flatten(2) @ _taps(size, layer.kernel_size[0], stride, x.dtype)
    columns = gathered.unflatten(2, (-1, height * width)).flatten(1, 2).transpose(1, 2)
    return F.linear(columns, layer.weight.flatten(1), layer.bias).unflatten(1, (height, width)).permute(0, 3, 1, 2)


@cache
def _taps(size: tuple[int, int], kernel: int, stride: int, dtype: torch.dtype) -> Float[Tensor, "HW taps"]:
    """Ones where a pixel of a (height, width) map is what a tap of the kernel sees at an output pixel, taps before outputs."""
    pixels = torch.eye(size[0] * size[1]).unflatten(1, size)[:, None]
    return F.unfold(pixels, kernel, padding=kernel // 2, stride=stride).flatten(1).to(dtype)
