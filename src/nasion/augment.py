"""What is drawn anew for each sample of each batch: one affine map and photometric changes, applied to a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from nasion import geometry
from nasion.arrays import Array, functions, like
from nasion.errors import require

_CACHED = 40_000  # pixels whose places and neighbours fit into a core's cache


@dataclass(frozen=True)
class Augment:
    """How far a face may be changed; each value is drawn evenly from -x .. x, the flip with its probability.

    ``rotate`` in degrees, ``scale`` and ``shift`` as fractions (of 1 and of the input's sides), ``shift_px`` in pixels of the
    input, added to it. ``brightness`` as a fraction of the value range, ``contrast`` as a fraction about the picture's mean
    grey, ``saturation`` as a fraction about each pixel's grey, ``hue`` in turns of the colour circle. ``stretch`` as a fraction by which
    a face is made wider and as much less high, or the other way round.
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
    stretch: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.flip <= 1, f"augment.flip is a probability, 0 to 1; found {self.flip}.")
        require(0 <= self.rotate <= 180, f"augment.rotate must be 0 to 180 degrees; found {self.rotate}.")
        require(0 <= self.shift_px < np.inf, f"augment.shift_px is a number of pixels, from 0; found {self.shift_px}.")
        require(0 <= self.hue <= 0.5, f"augment.hue must be 0 to 0.5 turns of the colour circle; found {self.hue}.")
        for name in ("scale", "shift", "brightness", "contrast", "saturation", "stretch"):
            require(0 <= getattr(self, name) < 1, f"augment.{name} is a fraction, from 0 to below 1; found {getattr(self, name)}.")

    @property
    def moves(self) -> bool:
        """True if points can move at all."""
        return any((self.flip, self.rotate, self.scale, self.shift, self.shift_px, self.stretch))

    @property
    def relights(self) -> bool:
        """True if pixel values can change at all."""
        return any((self.brightness, self.contrast, self.in_colour))

    @property
    def in_colour(self) -> bool:
        """True if pictures must still be in colour when they are changed."""
        return any((self.saturation, self.hue))

    def less(self, share: float) -> Augment:
        """Everything times ``share``, but mirrored as often."""
        return Augment(flip=self.flip, **{item.name: share * getattr(self, item.name) for item in fields(self) if item.name != "flip"})

    def margin(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many pixels (x, y) the (width, height) input can reach beyond the crop that it shows."""
        sides = np.array(size, dtype=np.float64)
        # A corner is turned outwards most at the angle of its diagonal.
        angle = np.deg2rad(self.rotate)
        reach = np.hypot(*sides) * np.cos(np.maximum(np.arctan2(sides[::-1], sides) - angle, 0))
        x, y = (
            np.ceil((np.maximum(reach, sides) * (1 + self.stretch) / (1 - self.scale) - sides) / 2 + self.shift * sides + self.shift_px)
            .astype(int)
            .tolist()
        )
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
        if self.stretch:
            turns = geometry.compose(geometry.stretched(size, 1 + self.stretch * rng.uniform(-1, 1, count)), turns)
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


def warp(images: Float[Array, "B C H W"], maps: Float64[np.ndarray, "B 2 3"], size: tuple[int, int]) -> Float32[Array, "B C h w"]:
    """Pictures of ``size`` (width, height) whose pixel p shows the given one at ``maps`` of p; bilinear, edges repeated."""
    if isinstance(images, np.ndarray):
        warped = np.empty((*images.shape[:2], size[1], size[0]), np.float32)
        # As many at once as stay in the processor's cache: half the time of all at once, or of PyTorch's grid (benchmarks/warp.py).
        some = max(1, _CACHED // (size[0] * size[1]))
        for start in range(0, len(images), some):
            part = slice(start, start + some)
            warped[part] = _gathered(images[part].astype(np.float32, copy=False), maps[part], size)
        return warped
    import torch
    import torch.nn.functional as F

    unit = geometry.compose(geometry.invert(geometry.to_unit_square(size)), maps, geometry.to_unit_square((images.shape[-1], images.shape[-2])))
    theta = torch.from_numpy(unit).to(images.device, torch.float32)
    grid = F.affine_grid(theta, [len(images), images.shape[1], size[1], size[0]], align_corners=False)
    return F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def _gathered(images: Float32[np.ndarray, "B C H W"], maps: Float64[np.ndarray, "B 2 3"], size: tuple[int, int]) -> Float32[np.ndarray, "B C h w"]:
    """The warp of a few pictures on the CPU."""
    height, width = images.shape[2:]
    affine = maps.astype(np.float32)[..., None, None]
    columns, rows = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    x, y = (affine[:, i, 0] * columns + (affine[:, i, 1] * rows + affine[:, i, 2]) for i in (0, 1))
    x, y = np.clip(x, 0, width - 1, out=x), np.clip(y, 0, height - 1, out=y)
    left, top = np.minimum(x.astype(np.int64), max(width - 2, 0)), np.minimum(y.astype(np.int64), max(height - 2, 0))
    x -= left
    y -= top
    first = left + width * top + height * width * np.arange(len(images))[:, None, None] * images.shape[1]
    warped = np.empty((*images.shape[:2], size[1], size[0]), np.float32)
    for channel in range(images.shape[1]):
        pixels = images.reshape(-1)[channel * height * width :]
        upper = _between(pixels, first, min(width - 1, 1), x)
        lower = _between(pixels[min(height - 1, 1) * width :], first, min(width - 1, 1), x)
        lower -= upper
        lower *= y
        warped[:, channel] = upper + lower
    return warped


def _between(
    pixels: Float32[np.ndarray, " P"], at: Int64[np.ndarray, "B h w"], step: int, part: Float32[np.ndarray, "B h w"]
) -> Float32[np.ndarray, "B h w"]:
    """Values between each pixel and the one ``step`` further."""
    here, there = pixels.take(at), pixels[step:].take(at)
    there -= here
    there *= part
    return np.add(here, there, out=here)


def relight(images: Float32[Array, "B C H W"], draw: Draw) -> Float32[Array, "B C H W"]:
    """Contrast, brightness, saturation, hue, in this order; values 0 .. 255, clipped after each, as colour jitter usually is.

    Grey pictures have neither saturation nor hue.
    """
    contrast, brightness, saturation, hue = (_column(values, images) for values in (draw.contrast, 255 * draw.brightness, draw.saturation, draw.hue))
    mean = grey(images).mean((1, 2, 3), keepdims=True)
    images = images * contrast
    images += mean * (1 - contrast) + brightness
    images = _clipped(images)
    if images.shape[1] == 1:
        return images
    if (draw.saturation != 1).any():
        flat = grey(images)
        images = _clipped(flat + (images - flat) * saturation)
    return _turned_hue(images, hue) if draw.hue.any() else images


def grey(images: Float32[Array, "B C H W"]) -> Float32[Array, "B 1 H W"]:
    """Luma of red, green, blue (ITU-R BT.601, as Pillow's ``L``); grey stays as it is."""
    if images.shape[1] == 1:
        return images
    return 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]


def _turned_hue(images: Float32[Array, "B 3 H W"], turns: Float32[Array, "B 1 1 1"]) -> Float32[Array, "B 3 H W"]:
    """The hue of hue, saturation, value turned; the other two stay."""
    xp = functions(images)
    red, green, blue = images[:, 0], images[:, 1], images[:, 2]
    value, low = xp.amax(images, 1), xp.amin(images, 1)
    chroma = value - low
    safe = xp.where(chroma > 0, chroma, 1.0)
    # Sixths of the circle, counted from red.
    hue = xp.where(value == red, (green - blue) / safe, xp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe))
    hue = hue + 6 * turns[:, 0]
    parts = []
    for offset in (5, 3, 1):
        place = (offset + hue) % 6
        parts.append(value - chroma * xp.minimum(place, 4 - place).clip(0, 1))
    return xp.stack(parts, 1)


def _clipped(images: Float32[Array, "B C H W"]) -> Float32[Array, "B C H W"]:
    return functions(images).clip(images, 0, 255, out=images)


def _column(values: Float64[np.ndarray, " B"], images: Float32[Array, "B C H W"]) -> Float32[Array, "B 1 1 1"]:
    return like(values.reshape(-1, 1, 1, 1), images)
