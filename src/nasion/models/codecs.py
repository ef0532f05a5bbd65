"""Codecs: points to training targets and network outputs back to points, side by side.

For NumPy arrays and PyTorch or Keras tensors alike. Every codec has
- ``outputs``: how many numbers or maps the network must output;
- ``rows``: which of them belong to each point;
- ``stride``: of its maps in pixels of the input (None: no maps, a row of numbers);
- ``encode``: points in pixels of the (width, height) input to targets; NaN stays NaN;
- ``activate``: the part of the raw output that the loss compares with the targets;
- ``decode``: points in pixels of the input, the inverse of ``encode``;
- ``predicts_sigma`` and ``sigma``: the error that the network expects, in pixels of the input;
- ``for_inference``: the same codec without what only training needs.
``decode`` and ``sigma`` take the raw output or what ``activate`` returned. A codec with
``guided = True`` has cell weights among its targets, for losses that are guided too. One that needs
maps of some size has ``check_size``, which raises ``SettingError`` for inputs that are too small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from nasion.array_types import Float, Float32, Int64
from nasion.arrays import Array, array_namespace, like
from nasion.errors import require
from nasion.landmarks.scheme import Scheme

Size = tuple[int, int]  # width, height
# Natural logarithm of a learnt scale in the codec's unit (pixels, sides or cells): 0.02 to 20.
# Beyond these a learnt scale carries no information.
_LOG_SCALE_RANGE = (-4.0, 3.0)
_MIN_CELLS = 3  # a side of a heatmap: a parabola goes through a peak and its two neighbours


@runtime_checkable
class Codec(Protocol):
    """What every codec has; see the head of this file."""

    @property
    def stride(self) -> int | None: ...
    @property
    def predicts_sigma(self) -> bool: ...
    def outputs(self, scheme: Scheme) -> int: ...
    def rows(self, count: int) -> Int64[np.ndarray, "rows K"]: ...
    def encode(self, points: Float[Array, "B K 2"], size: Size) -> Float[Array, "B ..."]: ...
    def activate(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B ..."]: ...
    def decode(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K 2"]: ...
    def sigma(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K"] | None: ...
    def for_inference(self) -> Codec: ...


@dataclass(frozen=True)
class Coordinates:
    """The network outputs x and y of each point, and with ``scale`` the log of its error scale.

    ``unit``: ``pixels`` of the network's input, or ``relative`` to its width and height (0 .. 1
    from edge to edge). Exact to the rounding of float32.
    """

    unit: Literal["pixels", "relative"] = "pixels"
    scale: bool = False

    @property
    def stride(self) -> None:
        return None

    @property
    def predicts_sigma(self) -> bool:
        return self.scale

    def outputs(self, scheme: Scheme) -> int:
        return len(self.rows(len(scheme)).reshape(-1))

    def rows(self, count: int) -> Int64[np.ndarray, "rows K"]:
        numbers = 3 if self.scale else 2
        return np.arange(numbers * count).reshape(count, numbers).T

    def encode(self, points: Float[Array, "B K 2"], size: Size) -> Float[Array, "B ..."]:
        if self.unit == "relative":
            points = (points + 0.5) / like(np.array(size), points)
        # With a scale, outputs are (B, K, 3), and masked_mean needs targets with the same axis of
        # points.
        return points if self.scale else points.reshape(-1, 2 * points.shape[1])

    def activate(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B ..."]:
        # Three axes: active already, as `decode` and `sigma` may be given it.
        if not self.scale or len(output.shape) != 2:
            return output
        return _clip_log_scale(output.reshape(output.shape[0], -1, 3))

    def decode(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K 2"]:
        active = self.activate(output, size)
        # Targets have two numbers per point, whether or not the network outputs a scale.
        is_grouped = len(active.shape) == 3
        points = active[..., :2] if is_grouped else active.reshape(active.shape[0], -1, 2)
        if self.unit == "relative":
            return points * like(np.array(size), points) - 0.5
        return points

    def sigma(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K"] | None:
        if not self.scale:
            return None
        log_scale = self.activate(output, size)[..., 2]
        # One scale for both axes: of relative coordinates, the geometric mean of the sides.
        pixels = (size[0] * size[1]) ** 0.5 if self.unit == "relative" else 1.0
        return array_namespace(output).exp(log_scale) * pixels

    def for_inference(self) -> Coordinates:
        return self


@dataclass(frozen=True)
class Heatmaps:
    """A map per point with a Gaussian of height 1 around it.

    Decoded to a fraction of a cell by a parabola through the logarithms (Zhang et al., CVPR 2020):
    exact for a Gaussian, so points come back to 0.01 pixels, up to a cell beyond the edge.
    ``sigma_cells``: of the Gaussian, in cells of ``stride`` pixels.
    """

    stride: int = 4
    sigma_cells: float = 1.5

    def __post_init__(self) -> None:
        require(
            self.stride >= 1 and self.sigma_cells > 0,
            f"codec.stride must be 1 or more, codec.sigma_cells above 0; found {self}.",
        )

    @property
    def predicts_sigma(self) -> bool:
        return True

    def check_size(self, size: Size) -> None:
        """Raise ``SettingError`` if a map of this input has too few cells to decode."""
        width, height = (side // self.stride for side in size)
        require(
            min(width, height) >= _MIN_CELLS,
            f"Heatmaps of stride {self.stride} have {width} x {height} cells on an input of "
            f"{size[0]},{size[1]} pixels; at least {_MIN_CELLS} a side are needed. Take an "
            f"input_size of {_MIN_CELLS * self.stride} or more a side, or a smaller stride.",
        )

    def outputs(self, scheme: Scheme) -> int:
        return len(scheme)

    def rows(self, count: int) -> Int64[np.ndarray, "rows K"]:
        return np.arange(count)[None]

    def encode(self, points: Float[Array, "B K 2"], size: Size) -> Float[Array, "B K h w"]:
        self.check_size(size)
        cells = to_cells(points, self.stride)
        x, y = (like(np.arange(side // self.stride), cells) for side in size)
        # The squared distance is a sum over axes: (B, K, w) and (B, K, h) broadcast to (B, K, h,
        # w). A missing point makes its whole map NaN.
        across = (x - cells[..., :1]) ** 2
        down = (y - cells[..., 1:]) ** 2
        squared = across[..., None, :] + down[..., :, None]
        return array_namespace(cells).exp(-squared / (2 * self.sigma_cells**2))

    def activate(self, output: Float[Array, "B K h w"], size: Size) -> Float[Array, "B K h w"]:
        return output

    def decode(self, output: Float[Array, "B K h w"], size: Size) -> Float[Array, "B K 2"]:
        xp, (height, width) = array_namespace(output), output.shape[-2:]
        # A network may output 0 or less.
        positive = xp.where(output < 1e-12, 1e-12, output)
        flat = xp.log(positive).reshape(*output.shape[:2], -1)
        # Flat index = row * width + column.
        peak = xp.argmax(flat, -1)
        # At least one cell from the edge, so that it has neighbours.
        column = xp.clip(peak % width, 1, width - 2)
        row = xp.clip(peak // width, 1, height - 2)
        middle = _at(flat, row * width + column)
        coordinates = []
        for at, step in ((column, 1), (row, width)):
            # The log of a Gaussian is a parabola. Through its values a, b, c at -1, 0, 1 the vertex
            # is at -f' / f'' = (a - c) / (2 (a - 2b + c)).
            before, after = (_at(flat, row * width + column + s * step) for s in (-1, 1))
            bend = before - 2 * middle + after
            # A flat map has no vertex; it stays near its first cell.
            offset = (before - after) / xp.where(abs(bend) < 1e-6, 1e-6, 2 * bend)
            # NumPy, unlike PyTorch, would make float64 of integers and float32.
            whole = at.astype(offset.dtype) if xp is np else at
            # A point one cell beyond the edge is two cells from the outermost cell that has
            # neighbours.
            coordinates.append(whole + xp.clip(offset, -2.5, 2.5))
        missing = output[..., 0, 0] * 0  # NaN where nothing was encoded
        return from_cells(xp.stack(coordinates, -1) + missing[..., None], self.stride)

    def sigma(self, output: Float[Array, "B K h w"], size: Size) -> Float[Array, "B K"]:
        """The Gaussian's width if the peak is as high as trained, more if it is lower."""
        xp = array_namespace(output)
        # 1e-3 keeps a map without a peak finite.
        peak = xp.amax(output, (-2, -1))
        return self.sigma_cells * self.stride / xp.clip(peak, 1e-3, 1.0)

    def for_inference(self) -> Heatmaps:
        return self


@dataclass(frozen=True)
class Anchors:
    """Every cell of a coarse map votes for each point (A2J, Xiong et al., ICCV 2019).

    Four maps per point: the logit of the vote's weight, the offset to the point in x and y in cells
    of ``stride`` pixels, and the log of the error scale. A point is the weighted mean of all votes,
    so no fine map is needed and it may lie outside the image. Targets are coordinates in cells,
    exact to the rounding of float32.

    ``guide``: in training the weights get a target too: a Gaussian of this many cells around the
    point, as in a heatmap (0: none). It needs a guided loss; inference is the same.
    """

    stride: int = 8
    guide: float = 0.0

    def __post_init__(self) -> None:
        require(
            self.stride >= 1 and self.guide >= 0,
            f"codec.stride must be 1 or more, codec.guide 0 or more; found {self}.",
        )

    @property
    def guided(self) -> bool:
        return self.guide > 0

    @property
    def predicts_sigma(self) -> bool:
        return True

    def outputs(self, scheme: Scheme) -> int:
        return 4 * len(scheme)

    def rows(self, count: int) -> Int64[np.ndarray, "rows K"]:
        return np.arange(4 * count).reshape(4, count)

    def encode(self, points: Float[Array, "B K 2"], size: Size) -> Float[Array, "B K ..."]:
        """x and y in cells; if guided, also each cell's target weight, row by row."""
        cells = to_cells(points, self.stride)
        if not self.guided:
            return cells
        xp = array_namespace(cells)
        weights = []
        for axis, side in enumerate(size):
            centers = like(np.arange(side // self.stride), cells)
            squared = (centers - cells[..., axis, None]) ** 2
            # A softmax instead of exp(): the Gaussian sums to 1 over the cells that there are, also
            # if the point lies beyond the edge.
            weights.append(_softmax(-squared / (2 * self.guide**2)))
        x, y = weights
        # The joint weight is the product of the axes', (B, K, h, w), and sums to 1 too.
        product = y[..., :, None] * x[..., None, :]
        return xp.concatenate([cells, product.reshape(*cells.shape[:2], -1)], -1)

    def activate(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K ..."]:
        """x, y and log scale of each point, in cells; if guided, also the log of each weight."""
        # Active already, as `decode` and `sigma` may be given it.
        if len(output.shape) == 3:
            return output
        height, width = output.shape[-2:]
        # All weights first, then all x, all y, all scales: maps[:, i] is (B, K, cells).
        maps = output.reshape(output.shape[0], 4, -1, height * width)
        weight = _softmax(maps[:, 0])
        votes = maps[:, 1:3] + like(_cell_centers(width, height)[:, None], output)
        x = (weight * votes[:, 0]).sum(-1)
        y = (weight * votes[:, 1]).sum(-1)
        log_scale = (weight * maps[:, 3]).sum(-1)
        xp = array_namespace(output)
        active = _clip_log_scale(xp.stack([x, y, log_scale], -1))
        if not self.guided:
            return active
        # A far cell's weight may underflow to 0, whose log would be infinite.
        return xp.concatenate([active, xp.log(xp.clip(weight, 1e-9, 1.0))], -1)

    def activate_linear(
        self,
        features: Float[Array, "B C h w"],
        kernel: Float[Array, "outputs C"],
        bias: Float[Array, " outputs"],
    ) -> Float[Array, "B K 3"]:
        """``activate`` of maps that are this linear function of these features.

        The weighted mean of a linear function is the function of the weighted mean, so three of the
        four maps need not be computed.
        """
        return self.of_point_features(*self.point_features(features, kernel, bias), kernel, bias)

    def point_features(
        self,
        features: Float[Array, "B C h w"],
        kernel: Float[Array, "outputs C"],
        bias: Float[Array, " outputs"],
    ) -> tuple[Float[Array, "B K C"], Float[Array, "B K 2"]]:
        """The weighted means of the features and of the cells, by each point's own weights."""
        # Rows of the kernel as in `activate`: logits of all points, then x, y and log scale of all.
        (batch, channels, height, width), points = features.shape, len(bias) // 4
        flat = features.reshape(batch, channels, height * width)
        weight = _softmax(kernel[:points] @ flat + bias[:points, None])
        # The votes are offsets from their cells, so the mean cell is added to them later.
        center = weight @ like(_cell_centers(width, height).T, features)
        return weight @ flat.swapaxes(1, 2), center

    def of_point_features(
        self,
        mean: Float[Array, "B K C"],
        center: Float[Array, "B K 2"],
        kernel: Float[Array, "outputs C"],
        bias: Float[Array, " outputs"],
    ) -> Float[Array, "B K 3"]:
        """``activate_linear`` of what ``point_features`` returned."""
        points = len(bias) // 4
        # Row by row, not a matrix product: a point's mean meets that point's row only. The weights
        # sum to 1, so the bias passes through the mean as it is.
        x, y, log_scale = (
            (mean * kernel[i * points : (i + 1) * points]).sum(-1)
            + bias[i * points : (i + 1) * points]
            for i in (1, 2, 3)
        )
        stacked = [x + center[..., 0], y + center[..., 1], log_scale]
        return _clip_log_scale(array_namespace(mean).stack(stacked, -1))

    def decode(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K 2"]:
        return from_cells(self.activate(output, size)[..., :2], self.stride)

    def sigma(self, output: Float[Array, "B ..."], size: Size) -> Float[Array, "B K"]:
        return array_namespace(output).exp(self.activate(output, size)[..., 2]) * self.stride

    def for_inference(self) -> Anchors:
        return replace(self, guide=0.0)


def to_cells(points: Float[Array, "*batch 2"], stride: int) -> Float[Array, "*batch 2"]:
    """Pixels of the input as cells of a map of that stride, cell centres at integers."""
    return (points + 0.5) / stride - 0.5


def from_cells(cells: Float[Array, "*batch 2"], stride: int) -> Float[Array, "*batch 2"]:
    """The inverse of ``to_cells``."""
    return (cells + 0.5) * stride - 0.5


def _cell_centers(width: int, height: int) -> Float32[np.ndarray, "2 n"]:
    """x and y of all cells of a map, row by row."""
    grid = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack(grid, 0).reshape(2, -1).astype(np.float32)


def _clip_log_scale(active: Float[Array, "B K 3"]) -> Float[Array, "B K 3"]:
    xp = array_namespace(active)
    log_scale = xp.clip(active[..., 2], *_LOG_SCALE_RANGE)
    return xp.stack([active[..., 0], active[..., 1], log_scale], -1)


def _softmax(logits: Array) -> Array:
    xp = array_namespace(logits)
    if xp is np:
        # Without the largest logit exp() would overflow; the quotient is the same.
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)
    return xp.softmax(logits, -1)


def _at(flat: Float[Array, "B K n"], at: Array) -> Float[Array, "B K"]:
    """The value of each map at a position of its own."""
    if isinstance(flat, np.ndarray):
        return np.take_along_axis(flat, at[..., None], -1)[..., 0]
    # Not take_along_dim: with it torch.export takes the number of faces for a constant.
    return array_namespace(flat).gather(flat, -1, at[..., None])[..., 0]
