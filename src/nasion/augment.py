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

    ``rotate`` in degrees, ``scale`` and ``shift`` as fractions (of 1 and of the input's sides), ``brightness`` as a
    fraction of the grey range, ``contrast`` as a fraction about the picture's own mean.
    """

    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.flip <= 1, f"augment.flip is a probability, 0 to 1; found {self.flip}.")
        require(0 <= self.rotate <= 180, f"augment.rotate must be 0 to 180 degrees; found {self.rotate}.")
        for name in ("scale", "shift", "brightness", "contrast"):
            require(0 <= getattr(self, name) < 1, f"augment.{name} is a fraction, from 0 to below 1; found {getattr(self, name)}.")

    @property
    def moves(self) -> bool:
        """True if points can move at all."""
        return any((self.flip, self.rotate, self.scale, self.shift))

    @property
    def margin(self) -> float:
        """How much of the crop's side the input can reach beyond the crop, for sides up to 2 : 1."""
        angle = np.deg2rad(min(self.rotate, 45.0))
        turned = np.cos(angle) + 2 * np.sin(angle)
        return float((turned / (1 - self.scale) - 1) / 2 + self.shift)

    def draw(self, count: int, size: tuple[int, int], rng: np.random.Generator) -> Draw:
        """Maps from pixels of the (width, height) input to pixels of the crop it shows, and changes of light."""
        width, height = size
        uniform = rng.uniform(-1, 1, size=(6, count))
        turns = geometry.similarity(
            ((width - 1) / 2, (height - 1) / 2),
            self.rotate * uniform[0],
            1 / (1 + self.scale * uniform[1]),
            self.shift * uniform[2:4].T * np.array([width, height]),
        )
        flipped = rng.uniform(size=count) < self.flip
        maps = np.where(flipped[:, None, None], geometry.compose(geometry.flip(width), turns), turns)
        return Draw(maps=maps, flipped=flipped, brightness=self.brightness * uniform[4], contrast=1 + self.contrast * uniform[5])


@dataclass(frozen=True)
class Draw:
    """What was drawn for one batch."""

    maps: Float64[np.ndarray, "B 2 3"]
    flipped: Bool[np.ndarray, " B"]
    brightness: Float64[np.ndarray, " B"]
    contrast: Float64[np.ndarray, " B"]


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
    """Contrast about each picture's mean, then brightness; grey values 0 .. 255, clipped."""
    contrast = torch.from_numpy(draw.contrast).to(images).view(-1, 1, 1, 1)
    brightness = torch.from_numpy(255 * draw.brightness).to(images).view(-1, 1, 1, 1)
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + mean + brightness).clamp(0, 255)
