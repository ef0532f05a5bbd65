"""Residual networks (He et al., CVPR 2016): basic or bottleneck blocks, wide, blur-pooled.

The convolutions run under autocast if it is on. The head always runs in float32, since bfloat16
resolves only a quarter or half of a pixel at 60.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasion.array_types import Float, Float32
from nasion.errors import require
from nasion.models.architectures._head import logit

_TINY_MAP = 9  # output pixels: up to 3 x 3; over 6 x 6 a matrix product is slower (LOG.md)
_BINOMIAL = (1.0, 3.0, 3.0, 1.0)  # even: centred between two pixels, as a pixel of half the size


@dataclass(frozen=True)
class ResNet:
    """Stem, stages of blocks, average pool, linear ``head``; the defaults are ResNet18.

    The stem is convolution, norm, ReLU and max-pool by 2. Every stage but the first halves the
    image. ``widths``: channels of each stage. ``blocks``: how many, one number per stage or for
    all. ``bottleneck``: blocks of 1x1, 3x3, 1x1 convolutions with 1 / ``bottleneck`` of the stage's
    width inside (None: basic blocks, 3x3, 3x3). ``stem_width``: None for the first stage's.
    ``blur``: blur before every second pixel is dropped (Zhang, ICML 2019). ``bias``: in all
    convolutions. ``shortcut_norm``: a norm after the shortcut's 1x1 convolution. ``sigmoid``:
    outputs between 0 and 1.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (2,)
    bottleneck: int | None = None
    stem_width: int | None = None
    stem_kernel: int = 7
    stem_stride: int = 2
    stem_pool: int = 3
    stem_bias: bool = False
    bias: bool = False
    shortcut_norm: bool = True
    blur: bool = False
    sigmoid: bool = False

    def __post_init__(self) -> None:
        stem = (self.stem_kernel, self.stem_stride, self.stem_pool, self.stem_width or 1)
        require(
            len(self.widths) > 0 and min(*self.widths, *self.blocks, *stem) > 0,
            f"Widths, blocks, kernel, stride and pool must be 1 or more; found {self}.",
        )
        require(
            len(self.blocks) in (1, len(self.widths)),
            f"architecture.blocks needs one number, or {len(self.widths)}, one per stage; "
            f"found {self.blocks}.",
        )
        require(
            self.stem_kernel % 2 == 1,
            f"architecture.stem_kernel must be odd; found {self.stem_kernel}.",
        )
        parts = self.bottleneck or 1
        require(
            parts > 0 and all(width % parts == 0 for width in self.widths),
            f"architecture.bottleneck must divide the widths {self.widths}; found {parts}.",
        )

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> nn.Module:
        """A new network with ``outputs`` numbers per image of any size."""
        return _Network(self, outputs, channels)

    def head_bias(self, outputs: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        return logit(outputs) if self.sigmoid else outputs


resnet18: ResNet = ResNet()
resnet50: ResNet = ResNet(
    widths=(256, 512, 1024, 2048), blocks=(3, 4, 6, 3), bottleneck=4, stem_width=64
)
# Zagoruyko and Komodakis, BMVC 2016: twice as wide inside the blocks.
wide_resnet50_2: ResNet = ResNet(
    widths=(256, 512, 1024, 2048), blocks=(3, 4, 6, 3), bottleneck=2, stem_width=64
)


class _Network(nn.Module):
    def __init__(self, shape: ResNet, outputs: int, channels: int) -> None:
        super().__init__()
        width = shape.stem_width or shape.widths[0]
        self.stem = nn.Conv2d(
            channels,
            width,
            shape.stem_kernel,
            shape.stem_stride,
            shape.stem_kernel // 2,
            bias=shape.stem_bias or shape.bias,
        )
        self.norm = nn.BatchNorm2d(width)
        padding = (shape.stem_pool - 1) // 2
        self.pool: nn.Module = nn.MaxPool2d(shape.stem_pool, stride=2, padding=padding)
        if shape.blur:
            # The maximum at every pixel first; only the blurred result drops every second one.
            self.pool = nn.Sequential(nn.MaxPool2d(2, stride=1), BlurPool(width))
        stages = []
        counts = shape.blocks * len(shape.widths) if len(shape.blocks) == 1 else shape.blocks
        for i, (wider, count) in enumerate(zip(shape.widths, counts, strict=True)):
            first = Block(shape, width, wider, stride=1 if i == 0 else 2)
            rest = (Block(shape, wider, wider, stride=1) for _ in range(count - 1))
            stages.append(nn.Sequential(first, *rest))
            width = wider
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(width, outputs)
        self.limit = nn.Sigmoid() if shape.sigmoid else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        # One input channel loses the channels-last layout, and pooling the other layout takes ten
        # times as long on a CPU.
        stem = self.stem(images).contiguous(memory_format=torch.channels_last)
        features = self.stages(self.pool(F.relu(self.norm(stem)))).mean((2, 3))
        with torch.autocast(images.device.type, enabled=False):
            return self.limit(self.head(features.float()))


class Block(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1, with a shortcut around them.

    The shortcut is a 1x1 convolution where the shape changes.
    """

    def __init__(self, shape: ResNet, width: int, wider: int, stride: int) -> None:
        super().__init__()
        inner = wider // shape.bottleneck if shape.bottleneck else wider
        # With blur, the convolution keeps the size and the blur after it halves.
        step, bias = 1 if shape.blur else stride, shape.bias
        if shape.bottleneck:
            kernels, strides, widths = (1, 3, 1), (1, step, 1), (width, inner, inner, wider)
        else:
            kernels, strides, widths = (3, 3), (step, 1), (width, wider, wider)
        self.steps: nn.ModuleList = nn.ModuleList()
        for a, b, kernel, s in zip(widths[:-1], widths[1:], kernels, strides, strict=True):
            conv = nn.Conv2d(a, b, kernel, s, kernel // 2, bias=bias)
            self.steps.append(nn.ModuleList((conv, nn.BatchNorm2d(b))))
        blurred = shape.blur and stride > 1
        self.blur: nn.Module = BlurPool(inner) if blurred else nn.Identity()
        # The step after the first 3x3 convolution, which is the one that would have halved.
        self.blur_before: int = kernels.index(3) + 1
        self.shortcut: nn.Module = nn.Identity()
        if width != wider or stride > 1:
            before = [BlurPool(width)] if blurred else []
            after = [nn.BatchNorm2d(wider)] if shape.shortcut_norm else []
            conv = nn.Conv2d(width, wider, 1, step, bias=bias)
            self.shortcut = nn.Sequential(*before, conv, *after)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        y = x
        steps = cast(list[tuple[nn.Conv2d, nn.BatchNorm2d]], self.steps)
        for i, (conv, norm) in enumerate(steps):
            if i == self.blur_before:
                y = self.blur(y)
            y = norm(_convolve(conv, y))
            if i + 1 < len(steps):
                y = F.relu(y)
        return F.relu(y + self.shortcut(x))


class BlurPool(nn.Module):
    """Every second pixel of each channel after the binomial filter 1 3 3 1; edges mirrored."""

    def __init__(self, width: int) -> None:
        super().__init__()
        line = torch.tensor(_BINOMIAL) / sum(_BINOMIAL)
        kernel = torch.outer(line, line).expand(width, 1, -1, -1).contiguous()
        # Moves with the module, but is no weight, so it is not saved.
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        # PyTorch reflects only fewer pixels than there are, and two are needed.
        edges = "reflect" if min(x.shape[-2:]) > 2 else "replicate"
        # 1 before and 2 after: n pixels become ceil(n / 2) with four taps and stride 2.
        padded = F.pad(x, (1, 2, 1, 2), mode=edges)
        kernel = self.get_buffer("kernel").to(x.dtype)
        return F.conv2d(padded, kernel, stride=2, groups=x.shape[1])


def _convolve(layer: nn.Conv2d, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
    """``layer(x)``, in CPU training as one matrix product if the output map is tiny.

    There oneDNN's backward pass over a 2 x 2 map takes 4 times as long as a product with all
    weights. Gathering the inputs of each output pixel is a product too, with ones and zeros: exact,
    and faster than ``F.unfold``.
    """
    size, stride = (x.shape[-2], x.shape[-1]), layer.stride[0]
    kernel = layer.kernel_size[0]
    # -(-a // b) rounds up: with padding kernel // 2 the output has ceil(side / stride) pixels.
    height, width = (-(-side // stride) for side in size)
    in_cpu_training = layer.training and x.device.type == "cpu"
    if not in_cpu_training or height * width > _TINY_MAP or kernel == 1:
        return layer(x)
    # (B, C, HW) @ (HW, taps * outputs): every tap of every output pixel, by channel.
    gathered = x.flatten(2) @ _taps(size, kernel, stride, x.dtype)
    # (B, outputs, C * taps), in the order of the convolution's flattened weights.
    columns = gathered.unflatten(2, (-1, height * width)).flatten(1, 2).transpose(1, 2)
    output = F.linear(columns, layer.weight.flatten(1), layer.bias)
    return output.unflatten(1, (height, width)).permute(0, 3, 1, 2)


@cache
def _taps(
    size: tuple[int, int], kernel: int, stride: int, dtype: torch.dtype
) -> Float[Tensor, "HW taps"]:
    """One where a tap of the kernel at an output pixel sees a pixel; taps before outputs."""
    # One image per pixel, with a 1 there: unfolding it shows which taps see that pixel.
    pixels = torch.eye(size[0] * size[1]).unflatten(1, size)[:, None]
    taps = F.unfold(pixels, kernel, padding=kernel // 2, stride=stride)
    return taps.flatten(1).to(dtype)
