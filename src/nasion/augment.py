"""What is drawn anew for each sample of each batch: one affine map and photometric changes, applied to a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, UInt8
from torch import Tensor

from nasion import geometry
from nasion.errors import require


@dataclass(frozen=True)
class Augment:
    """How far a face may be changed; each value is drawn evenly from -x .. x, the flip with its probability.

    ``rotate`` in degrees, ``scale`` and ``shift`` as fractions (of 1 and of the input's sides), ``shift_px`` in pixels of the
    input, added to it. ``brightness`` as a fraction of the value range, ``contrast`` as a fraction about the picture's mean
    grey, ``saturation`` as a fraction about each pixel's grey, ``hue`` in turns of the colour circle.
    """

    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shift_px: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.flip <= 1, f"augment.flip is a probability, 0 to 1; found {self.flip}.")
        require(0 <= self.rotate <= 180, f"augment.rotate must be 0 to 180 degrees; found {self.rotate}.")
        require(0 <= self.shift_px < np.inf, f"augment.shift_px is a number of pixels, from 0; found {self.shift_px}.")
        require(0 <= self.hue <= 0.5, f"augment.hue must be 0 to 0.5 turns of the colour circle; found {self.hue}.")
        for name in ("scale", "shift", "brightness", "contrast", "saturation"):
            require(0 <= getattr(self, name) < 1, f"augment.{name} is a fraction, from 0 to below 1; found {getattr(self, name)}.")

    @property
    def moves(self) -> bool:
        """True if points can move at all."""
        return any((self.flip, self.rotate, self.scale, self.shift, self.shift_px))

    @property
    def relights(self) -> bool:
        """True if pixel values can change at all."""
        return any((self.brightness, self.contrast, self.in_colour))

    @property
    def in_colour(self) -> bool:
        """True if pictures must still be in colour when they are changed."""
        return any((self.saturation, self.hue))

    def margin(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many pixels (x, y) the (width, height) input can reach beyond the crop that it shows."""
        sides = np.array(size, dtype=np.float64)
        # A corner is turned outwards most at the angle of its diagonal.
        angle = np.deg2rad(self.rotate)
        reach = np.hypot(*sides) * np.cos(np.maximum(np.arctan2(sides[::-1], sides) - angle, 0))
        x, y = np.ceil((np.maximum(reach, sides) / (1 - self.scale) - sides) / 2 + self.shift * sides + self.shift_px).astype(int).tolist()
        return (x, y) if self.moves else (0, 0)

    def draw(self, count: int, size: tuple[int, int], rng: np.random.Generator) -> Draw:
        """Maps from pixels of the (width, height) input to pixels of the crop it shows, and changes of light and colour."""
        width, height = size
        uniform = rng.uniform(-1, 1, size=(6, count))
        turns = geometry.similarity(
            ((width - 1) / 2, (height - 1) / 2),
            self.rotate * uniform[0],
            1 / (1 + self.scale * uniform[1]),
            uniform[2:4].T * (self.shift * np.array([width, height]) + self.shift_px),
        )
        flipped = rng.uniform(size=count) < self.flip
        maps = np.where(flipped[:, None, None], geometry.compose(geometry.flip(width), turns), turns)
        colour = rng.uniform(-1, 1, size=(2, count)) if self.in_colour else np.zeros((2, count))
        return Draw(
            maps=maps,
            flipped=flipped,
            brightness=self.brightness * uniform[4],
            contrast=1 + self.contrast * uniform[5],
            saturation=1 + self.saturation * colour[0],
            hue=self.hue * colour[1],
        )


@dataclass(frozen=True)
class Draw:
    """What was drawn for one batch."""

    maps: Float64[np.ndarray, "B 2 3"]
    flipped: Bool[np.ndarray, " B"]
    brightness: Float64[np.ndarray, " B"]
    contrast: Float64[np.ndarray, " B"]
    saturation: Float64[np.ndarray, " B"]
    hue: Float64[np.ndarray, " B"]


def warp(
    canvases: UInt8[Tensor, "B C H W"] | Float[Tensor, "B C H W"], maps: Float64[np.ndarray, "B 2 3"], size: tuple[int, int]
) -> Float[Tensor, "B C h w"]:
    """Pictures of ``size`` (width, height) whose pixel p shows the canvas at ``maps`` of p; float32, edges repeated.

    Bilinear, on the canvases' device.
    """
    canvas_size = (canvases.shape[-1], canvases.shape[-2])
    unit = geometry.compose(geometry.invert(geometry.to_unit_square(size)), maps, geometry.to_unit_square(canvas_size))
    theta = torch.from_numpy(unit).to(canvases.device, torch.float32)
    grid = F.affine_grid(theta, [len(canvases), canvases.shape[1], size[1], size[0]], align_corners=False)
    return F.grid_sample(canvases.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def relight(images: Float[Tensor, "B C H W"], draw: Draw) -> Float[Tensor, "B C H W"]:
    """Contrast, brightness, saturation, hue, in this order; values 0 .. 255, clipped after each, as colour jitter usually is.

    Grey pictures have neither saturation nor hue.
    """
    contrast, brightness, saturation = (_column(values, images) for values in (draw.contrast, 255 * draw.brightness, draw.saturation))
    mean = grey(images).mean((1, 2, 3), keepdim=True)
    images = (images * contrast).add_(mean * (1 - contrast) + brightness).clamp_(0, 255)
    if images.shape[1] == 1:
        return images
    if (draw.saturation != 1).any():
        images = torch.lerp(grey(images), images, saturation).clamp_(0, 255)
    return _turned_hue(images, _column(draw.hue, images)) if draw.hue.any() else images


def grey(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 1 H W"]:
    """Luma of red, green, blue (ITU-R BT.601, as Pillow's ``L``); grey stays as it is."""
    if images.shape[1] == 1:
        return images
    return 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]


def _turned_hue(images: Float[Tensor, "B 3 H W"], turns: Float[Tensor, "B 1 1 1"]) -> Float[Tensor, "B 3 H W"]:
    """The hue of hue, saturation, value turned; the other two stay."""
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    safe = torch.where(chroma > 0, chroma, 1)
    # Sixths of the circle, counted from red.
    hue = torch.where(value == red, (green - blue) / safe, torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe))
    hue = hue + 6 * turns[:, 0]
    parts = []
    for offset in (5, 3, 1):
        place = (offset + hue) % 6
        parts.append(value - chroma * torch.minimum(place, 4 - place).clamp(0, 1))
    return torch.stack(parts, 1)


def _column(values: Float64[np.ndarray, " B"], like: Tensor) -> Float[Tensor, "B 1 1 1"]:
    return torch.from_numpy(values).to(like).view(-1, 1, 1, 1)
