"""From points to what a network learns, and from what it says back to points, side by side. NumPy arrays and PyTorch tensors alike.

Every codec has ``outputs`` (how many numbers or maps the network must give), ``stride`` (of its maps in pixels of the input;
None: no maps, a row of numbers), ``encode`` (points in pixels of the (width, height) input to targets, NaN stays NaN),
``said`` (what of the output the loss compares with the targets), ``decode`` (points in pixels of the input, the inverse of
``encode``) and ``spread`` (how far off, in pixels of the input, the network expects to be; None where it does not say). The
last two take the output, or what ``said`` made of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from nasion.arrays import Array, functions, like
from nasion.errors import require
from nasion.scheme import Scheme

_LOG_SCALE = (-4.0, 3.0)  # beyond these a learnt scale says nothing more


@runtime_checkable
class Codec(Protocol):
    """What every codec has; see the head of this file."""

    @property
    def stride(self) -> int | None: ...
    def outputs(self, scheme: Scheme) -> int: ...
    def encode(self, points: Float[Array, "B K 2"], size: tuple[int, int]) -> Float[Array, "B ..."]: ...
    def said(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B ..."]: ...
    def decode(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K 2"]: ...
    def spread(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K"] | None: ...


@dataclass(frozen=True)
class Coordinates:
    """The network says x and y of each point directly, and with ``scale`` the logarithm of how far off it may be.

    ``unit``: ``pixels`` of the network's input, or ``relative`` to its width and height (0 .. 1 from edge to edge).
    Exact to the rounding of float32.
    """

    unit: Literal["pixels", "relative"] = "pixels"
    scale: bool = False

    @property
    def stride(self) -> None:
        return None

    def outputs(self, scheme: Scheme) -> int:
        return (3 if self.scale else 2) * len(scheme)

    def encode(self, points: Float[Array, "B K 2"], size: tuple[int, int]) -> Float[Array, "B ..."]:
        if self.unit == "relative":
            points = (points + 0.5) / like(np.array(size), points)
        return points if self.scale else points.reshape(-1, 2 * points.shape[1])

    def said(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B ..."]:
        return _with_scale(output.reshape(output.shape[0], -1, 3)) if self.scale and len(output.shape) == 2 else output

    def decode(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K 2"]:
        said = self.said(output, size)
        # Targets have two numbers a point, whatever the network says of its scale.
        points = said[..., :2] if len(said.shape) == 3 else said.reshape(said.shape[0], -1, 2)
        return points * like(np.array(size), points) - 0.5 if self.unit == "relative" else points

    def spread(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K"] | None:
        if not self.scale:
            return None
        pixels = (size[0] * size[1]) ** 0.5 if self.unit == "relative" else 1.0
        return functions(output).exp(self.said(output, size)[..., 2]) * pixels


@dataclass(frozen=True)
class Heatmaps:
    """A map per point with a Gaussian of height 1 about it; decoded to a fraction of a cell by a parabola through the logarithms.

    ``sigma``: of the Gaussian, in cells of ``stride`` pixels. The three values about a peak lie on a parabola exactly if the
    map is a Gaussian (Zhang et al., CVPR 2020), so what was encoded comes back to 0.01 pixels, up to a cell beyond the edge.
    """

    stride: int = 4
    sigma: float = 1.5

    def __post_init__(self) -> None:
        require(self.stride >= 1 and self.sigma > 0, f"codec.stride must be from 1, codec.sigma above 0; found {self}.")

    def outputs(self, scheme: Scheme) -> int:
        return len(scheme)

    def encode(self, points: Float[Array, "B K 2"], size: tuple[int, int]) -> Float[Array, "B K h w"]:
        cells = to_cells(points, self.stride)
        x, y = (like(np.arange(side // self.stride), cells) for side in size)
        across = (x - cells[..., :1]) ** 2
        down = (y - cells[..., 1:]) ** 2
        return functions(cells).exp(-(across[..., None, :] + down[..., :, None]) / (2 * self.sigma**2))

    def said(self, output: Float[Array, "B K h w"], size: tuple[int, int]) -> Float[Array, "B K h w"]:
        return output

    def decode(self, output: Float[Array, "B K h w"], size: tuple[int, int]) -> Float[Array, "B K 2"]:
        xp, (height, width) = functions(output), output.shape[-2:]
        # A network may say 0 or less.
        flat = xp.log(xp.where(output < 1e-12, 1e-12, output)).reshape(*output.shape[:2], -1)
        peak = xp.argmax(flat, -1)
        # One cell from the edge at the nearest, so that it has neighbours.
        column, row = (xp.clip(at, 1, side - 2) for at, side in ((peak % width, width), (peak // width, height)))
        middle = _at(flat, row * width + column)
        places = []
        for at, step in ((column, 1), (row, width)):
            before, after = (_at(flat, row * width + column + way * step) for way in (-1, 1))
            bend = before - 2 * middle + after
            part = (before - after) / xp.where(abs(bend) < 1e-6, 1e-6, 2 * bend)
            # NumPy, unlike PyTorch, would make float64 of whole numbers and float32.
            places.append((at.astype(part.dtype) if xp is np else at) + xp.clip(part, -2.5, 2.5))
        missing = output[..., 0, 0] * 0  # NaN where nothing was encoded
        return from_cells(xp.stack(places, -1) + missing[..., None], self.stride)

    def spread(self, output: Float[Array, "B K h w"], size: tuple[int, int]) -> Float[Array, "B K"]:
        """The lower the peak, the less sure: the Gaussian's width where it is as high as asked, more below."""
        xp = functions(output)
        peak = xp.amax(output, (-2, -1))
        return self.sigma * self.stride / xp.clip(peak, 1e-3, 1.0)


@dataclass(frozen=True)
class Anchors:
    """Every cell of a coarse map says how far each point is from it, how sure that is, and how much it should count (A2J, Xiong et al., ICCV 2019).

    Four maps per point: the weight's logit, the way to the point in x and y in cells of ``stride`` pixels, and the logarithm of
    the scale. A point is the weighted mean of what all cells say, so no fine map is needed, and it may lie outside the picture.
    The targets are cells' coordinates: exact to the rounding of float32.

    ``guide``: in training the weights, too, are told where to look: a Gaussian about the point of this many cells, as of a
    heatmap (0: not told). It needs a loss that takes it, ``GuidedLikelihood``; predicting is the same.
    """

    stride: int = 8
    guide: float = 0.0

    def __post_init__(self) -> None:
        require(self.stride >= 1 and self.guide >= 0, f"codec.stride must be from 1, codec.guide from 0; found {self}.")

    def outputs(self, scheme: Scheme) -> int:
        return 4 * len(scheme)

    def encode(self, points: Float[Array, "B K 2"], size: tuple[int, int]) -> Float[Array, "B K ..."]:
        """x and y in cells; if guided, also the part of the weight that each cell should have, row by row."""
        cells = to_cells(points, self.stride)
        if not self.guide:
            return cells
        xp = functions(cells)
        places = (like(np.arange(side // self.stride), cells) for side in size)
        x, y = (_softmax(-((place - cells[..., axis, None]) ** 2) / (2 * self.guide**2)) for axis, place in enumerate(places))
        parts = y[..., :, None] * x[..., None, :]
        return xp.concatenate([cells, parts.reshape(*cells.shape[:2], -1)], -1)

    def said(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K ..."]:
        """x, y and log scale of each point, in cells; if guided, also the logarithm of each cell's weight."""
        if len(output.shape) == 3:
            return output
        height, width = output.shape[-2:]
        maps = output.reshape(output.shape[0], 4, -1, height * width)
        weight = _softmax(maps[:, 0])
        places = maps[:, 1:3] + like(_cells(width, height)[:, None], output)
        x, y, scale = ((weight * values).sum(-1) for values in (places[:, 0], places[:, 1], maps[:, 3]))
        xp = functions(output)
        found = _with_scale(xp.stack([x, y, scale], -1))
        return xp.concatenate([found, xp.log(xp.clip(weight, 1e-9, 1.0))], -1) if self.guide else found

    def said_of(self, features: Float[Array, "B C h w"], kernel: Float[Array, "outputs C"], bias: Float[Array, " outputs"]) -> Float[Array, "B K 3"]:
        """x, y and log scale where the maps are this linear function of these features.

        The weighted mean of a linear function is the function of the weighted mean, so three of the four maps need not be made.
        """
        (batch, channels, height, width), points = features.shape, len(bias) // 4
        flat = features.reshape(batch, channels, height * width)
        weight = _softmax(kernel[:points] @ flat + bias[:points, None])
        mean = weight @ flat.swapaxes(1, 2)
        x, y, scale = ((mean * kernel[i * points : (i + 1) * points]).sum(-1) + bias[i * points : (i + 1) * points] for i in (1, 2, 3))
        at = weight @ like(_cells(width, height).T, features)
        return _with_scale(functions(features).stack([x + at[..., 0], y + at[..., 1], scale], -1))

    def decode(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K 2"]:
        return from_cells(self.said(output, size)[..., :2], self.stride)

    def spread(self, output: Float[Array, "B ..."], size: tuple[int, int]) -> Float[Array, "B K"]:
        return functions(output).exp(self.said(output, size)[..., 2]) * self.stride


def for_prediction(codec: Codec) -> Codec:
    """The codec without what only training needs: it decodes the same from less."""
    return replace(codec, guide=0.0) if isinstance(codec, Anchors) else codec


def tells_spread(codec: Codec) -> bool:
    """True if networks with this codec say how far off they expect to be."""
    return codec.stride is not None or getattr(codec, "scale", False)


def to_cells(points: Float[Array, "*batch 2"], stride: int) -> Float[Array, "*batch 2"]:
    """Pixels of the input as cells of a map of that stride, cells' centres at integers."""
    return (points + 0.5) / stride - 0.5


def from_cells(cells: Float[Array, "*batch 2"], stride: int) -> Float[Array, "*batch 2"]:
    return (cells + 0.5) * stride - 0.5


def _cells(width: int, height: int) -> Float32[np.ndarray, "2 n"]:
    """x and y of all cells of a map, row by row."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), 0).reshape(2, -1).astype(np.float32)


def _with_scale(said: Float[Array, "B K 3"]) -> Float[Array, "B K 3"]:
    """The logarithm of the scale held within what can be meant."""
    xp = functions(said)
    return xp.stack([said[..., 0], said[..., 1], xp.clip(said[..., 2], *_LOG_SCALE)], -1)


def _softmax(logits: Array) -> Array:
    xp = functions(logits)
    if xp is np:
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)
    return xp.softmax(logits, -1)


def _at(flat: Float[Array, "B K n"], at: Array) -> Float[Array, "B K"]:
    """The value of each map at one position of its own."""
    gather = np.take_along_axis if isinstance(flat, np.ndarray) else functions(flat).take_along_dim
    return gather(flat, at[..., None], -1)[..., 0]
