"""Residual networks (He et al., CVPR 2016) that end in one linear layer: basic or bottleneck blocks, wide, blur-pooled.

The convolutions run under autocast if it is on; the last layer always in float32, since bfloat16 knows only every
quarter or half of a pixel at 60.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nasion.errors import require

_TINY_MAP = 9  # output pixels
_BINOMIAL = (1.0, 3.0, 3.0, 1.0)


@dataclass(frozen=True)
class ResNet:
    """Stem (convolution, norm, ReLU, max-pool by 2), then stages of blocks, average pool, linear; as it stands, ResNet18.

    Every stage but the first halves the picture. ``widths``: channels of each stage; ``blocks``: how many, of each or of all;
    ``bottleneck``: blocks 1x1, 3x3, 1x1 with this part of the stage's width inside (None: basic blocks, 3x3, 3x3).
    ``blur``: what halves a picture looks at every pixel and is blurred before every other is dropped (Zhang, ICML 2019).
    ``bias``: in all convolutions; ``shortcut_norm``: a norm after the shortcut's 1x1 convolution.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (2,)
    bottleneck: int | None = None
    stem_width: int | None = None  # None: the first stage's
    stem_kernel: int = 7
    stem_stride: int = 2
    stem_pool: int = 3
    stem_bias: bool = False
    bias: bool = False
    shortcut_norm: bool = True
    blur: bool = False
    sigmoid: bool = False

    def __post_init__(self) -> None:
        sizes = (*self.widths, *self.blocks, self.stem_kernel, self.stem_stride, self.stem_pool, self.stem_width or 1)
        require(len(self.widths) > 0 and min(sizes) > 0, f"Widths, blocks, kernel, stride and pool must be from 1; found {self}.")
        fits = len(self.blocks) in (1, len(self.widths))
        require(fits, f"model.blocks needs one number, or {len(self.widths)}, one per stage; found {self.blocks}.")
        require(self.stem_kernel % 2 == 1, f"model.stem_kernel must be odd; found {self.stem_kernel}.")
        parts = self.bottleneck or 1
        require(parts > 0 and all(w % parts == 0 for w in self.widths), f"model.bottleneck must divide the widths {self.widths}; found {parts}.")

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> nn.Module:
        """A fresh network with ``outputs`` numbers per picture of ``channels``, of any size."""
        return _Network(self, outputs, channels)


resnet18 = ResNet()
resnet50 = ResNet(widths=(256, 512, 1024, 2048), blocks=(3, 4, 6, 3), bottleneck=4, stem_width=64)
# Zagoruyko and Komodakis, BMVC 2016: twice as wide inside the blocks.
wide_resnet50_2 = ResNet(widths=(256, 512, 1024, 2048), blocks=(3, 4, 6, 3), bottleneck=2, stem_width=64)


class _Network(nn.Module):
    def __init__(self, shape: ResNet, outputs: int, channels: int) -> None:
        super().__init__()
        width = shape.stem_width or shape.widths[0]
        self.stem = nn.Conv2d(channels, width, shape.stem_kernel, shape.stem_stride, shape.stem_kernel // 2, bias=shape.stem_bias or shape.bias)
        self.norm = nn.BatchNorm2d(width)
        self.pool: nn.Module = nn.MaxPool2d(shape.stem_pool, stride=2, padding=(shape.stem_pool - 1) // 2)
        if shape.blur:
            self.pool = nn.Sequential(nn.MaxPool2d(2, stride=1), BlurPool(width))
        stages = []
        counts = shape.blocks * len(shape.widths) if len(shape.blocks) == 1 else shape.blocks
        for i, (wider, count) in enumerate(zip(shape.widths, counts, strict=True)):
            first = Block(shape, width, wider, stride=1 if i == 0 else 2)
            stages.append(nn.Sequential(first, *(Block(shape, wider, wider, stride=1) for _ in range(count - 1))))
            width = wider
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(width, outputs)
        self.limit = nn.Sigmoid() if shape.sigmoid else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        # With one channel the layout is lost, and pooling the other one takes ten times as long on CPU.
        stem = self.stem(images).contiguous(memory_format=torch.channels_last)
        features = self.stages(self.pool(F.relu(self.norm(stem)))).mean((2, 3))
        with torch.autocast(images.device.type, enabled=False):
            return self.limit(self.head(features.float()))


class Block(nn.Module):
    """Convolutions with a shortcut: two 3x3, or 1x1 to fewer channels, 3x3, 1x1; a 1x1 convolution on the shortcut where the shape changes."""

    def __init__(self, shape: ResNet, width: int, wider: int, stride: int) -> None:
        super().__init__()
        inner = wider // shape.bottleneck if shape.bottleneck else wider
        # Blurred, a convolution keeps the size, and the blur after it halves.
        step, bias = 1 if shape.blur else stride, shape.bias
        if shape.bottleneck:
            kernels, strides, widths = (1, 3, 1), (1, step, 1), (width, inner, inner, wider)
        else:
            kernels, strides, widths = (3, 3), (step, 1), (width, wider, wider)
        layers = zip(widths[:-1], widths[1:], kernels, strides, strict=True)
        pairs = ((nn.Conv2d(a, b, kernel, s, kernel // 2, bias=bias), nn.BatchNorm2d(b)) for a, b, kernel, s in layers)
        self.steps = nn.ModuleList(nn.ModuleList(pair) for pair in pairs)
        blurred = shape.blur and stride > 1
        self.blur = BlurPool(inner) if blurred else nn.Identity()
        self.blur_before = kernels.index(3) + 1
        self.shortcut: nn.Module = nn.Identity()
        if width != wider or stride > 1:
            before = [BlurPool(width)] if blurred else []
            after = [nn.BatchNorm2d(wider)] if shape.shortcut_norm else []
            self.shortcut = nn.Sequential(*before, nn.Conv2d(width, wider, 1, step, bias=bias), *after)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        y = x
        for i, (conv, norm) in enumerate(cast(list[tuple[nn.Conv2d, nn.BatchNorm2d]], self.steps)):
            if i == self.blur_before:
                y = self.blur(y)
            y = norm(_convolved(conv, y))
            if i + 1 < len(self.steps):
                y = F.relu(y)
        return F.relu(y + self.shortcut(x))


class BlurPool(nn.Module):
    """Every other pixel of each channel blurred by the binomial filter 1 3 3 1; edges are mirrored."""

    def __init__(self, width: int) -> None:
        super().__init__()
        line = torch.tensor(_BINOMIAL) / sum(_BINOMIAL)
        self.register_buffer("kernel", torch.outer(line, line).expand(width, 1, -1, -1).contiguous(), persistent=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        edges = "reflect" if min(x.shape[-2:]) > 2 else "replicate"
        return F.conv2d(F.pad(x, (1, 2, 1, 2), mode=edges), self.get_buffer("kernel").to(x.dtype), stride=2, groups=x.shape[1])


def _convolved(layer: nn.Conv2d, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
    """``layer(x)`` of a convolution, as one matrix product where a map is tiny.

    Training on CPU only: there oneDNN's backward pass over a 2 x 2 map takes 4 times as long as a product with all weights.
    Gathering the inputs of each output pixel is a product too, with ones and zeros: exact, and faster than ``F.unfold``.
    """
    size, stride, kernel = (x.shape[-2], x.shape[-1]), layer.stride[0], layer.kernel_size[0]
    height, width = (-(-side // stride) for side in size)
    if not layer.training or x.device.type != "cpu" or height * width > _TINY_MAP or kernel == 1:
        return layer(x)
    gathered = x.flatten(2) @ _taps(size, kernel, stride, x.dtype)
    columns = gathered.unflatten(2, (-1, height * width)).flatten(1, 2).transpose(1, 2)
    return F.linear(columns, layer.weight.flatten(1), layer.bias).unflatten(1, (height, width)).permute(0, 3, 1, 2)


@cache
def _taps(size: tuple[int, int], kernel: int, stride: int, dtype: torch.dtype) -> Float[Tensor, "HW taps"]:
    """Ones where a pixel of a (height, width) map is what a tap of the kernel sees at an output pixel, taps before outputs."""
    pixels = torch.eye(size[0] * size[1]).unflatten(1, size)[:, None]
    return F.unfold(pixels, kernel, padding=kernel // 2, stride=stride).flatten(1).to(dtype)
