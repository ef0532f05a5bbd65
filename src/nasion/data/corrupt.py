"""Image corruptions for training: blur, noise, JPEG compression, occlusion. Points stay in place.

Whole batches at once; only JPEG works image by image on the CPU, for the few that are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np

from nasion.array_types import Float32
from nasion.arrays import (
    Array,
    array_namespace,
    as_numpy,
    like,
    on_accelerator,
    on_device_of,
)
from nasion.data.jpeg import jpeg_round_trip
from nasion.errors import require

_PATCHES = 2  # rectangles at most; each is there with a chance of 0.7


@dataclass(frozen=True)
class Corrupt:
    """The strongest corruption; each image draws evenly between none and this.

    ``blur``: standard deviation in pixels of the input. ``noise``: standard deviation as a fraction
    of the value range. ``jpeg``: the fraction of images that are compressed, at quality 10 to 60.
    ``occlude``: the fraction of images behind up to two rectangles, of one grey value or of another
    face in the batch. ``patch``: a rectangle's longest side as a fraction of the image's.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    occlude: float = 0.0
    patch: float = 0.4

    def __post_init__(self) -> None:
        require(0 <= self.blur <= 4, f"corrupt.blur is 0 to 4 pixels; found {self.blur}.")
        for name in ("noise", "jpeg", "occlude", "patch"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"corrupt.{name} is a fraction, 0 to 1; found {value}.")

    def scaled(self, factor: float) -> Corrupt:
        """Everything times ``factor``, but patches as large."""
        values = (self.blur, self.noise, self.jpeg, self.occlude)
        return Corrupt(*(factor * value for value in values), patch=self.patch)

    def __call__(
        self, images: Float32[Array, "B C H W"], rng: np.random.Generator
    ) -> Float32[Array, "B C H W"]:
        """Corrupt images with values 0 .. 255."""
        if self.occlude:
            images = self._occlude(images, rng)
        if self.blur:
            images = _blur(images, rng.uniform(0, self.blur, len(images)))
        if self.noise:
            strength = rng.uniform(0, 255 * self.noise, len(images)).astype(np.float32)
            grain = _normal(images, rng)
            grain *= like(strength.reshape(-1, 1, 1, 1), images)
            images = array_namespace(images).clip(images + grain, 0, 255)
        return self._compress(images, rng) if self.jpeg else images

    def _occlude(
        self, images: Float32[Array, "B C H W"], rng: np.random.Generator
    ) -> Float32[Array, "B C H W"]:
        count, (height, width) = len(images), images.shape[2:]
        # Another face's texture is harder to tell from the face than a flat grey.
        xp, before = array_namespace(images), np.roll(np.arange(count), 1)
        others = images[on_device_of(before, images)]
        covered = rng.uniform(size=count) < self.occlude
        for _ in range(_PATCHES):
            # Half of each side, as a fraction of the image's.
            sides = rng.uniform(0.1, 1, (2, count)) * self.patch / 2
            size = np.array([width, height]).reshape(2, 1, 1, 1)
            centers = rng.uniform(size=(2, count, 1, 1)) * size
            reach = sides[:, :, None, None] * size
            # Drawn for every image, covered or not: what is drawn for one does not depend on
            # another.
            shown = covered & (rng.uniform(size=count) < 0.7)
            # Images that show no patch get one of no size.
            reach *= shown[:, None, None]
            x, y = on_device_of(centers, images)
            reach_x, reach_y = on_device_of(reach, images)
            columns = on_device_of(np.arange(width), images)
            rows = on_device_of(np.arange(height)[:, None], images)
            inside = (abs(columns - x) < reach_x) & (abs(rows - y) < reach_y)
            flat = rng.uniform(0, 255, (count, 1, 1, 1)).astype(np.float32)
            textured = (rng.uniform(size=count) < 0.5).reshape(-1, 1, 1, 1)
            front = xp.where(on_device_of(textured, images), others, like(flat, images))
            images = xp.where(inside[:, None], front, images)
        return images

    def _compress(
        self, images: Float32[Array, "B C H W"], rng: np.random.Generator
    ) -> Float32[Array, "B C H W"]:
        from PIL import Image

        chosen = np.flatnonzero(rng.uniform(size=len(images)) < self.jpeg)
        quality = rng.integers(10, 61, len(chosen))
        if on_accelerator(images):
            # Pillow would have to wait for the device, and the device for Pillow.
            at = on_device_of(chosen, images)
            images[at] = jpeg_round_trip(images[at], quality)
            return images
        for i, value in zip(chosen.tolist(), quality.tolist(), strict=True):
            # Pillow takes (H, W, C), or (H, W) for grey.
            pixels = np.moveaxis(np.rint(as_numpy(images[i])).astype(np.uint8), 0, -1)
            flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
            stream = BytesIO()
            Image.fromarray(flat).save(stream, "JPEG", quality=value)
            decoded = np.asarray(Image.open(stream), dtype=np.float32).reshape(pixels.shape)
            images[i] = like(np.moveaxis(decoded, -1, 0), images)
        return images


def _normal(
    images: Float32[Array, "B C H W"], rng: np.random.Generator
) -> Float32[Array, "B C H W"]:
    """Standard normal noise for every value, drawn where the images are."""
    if on_accelerator(images):
        import torch

        generator = torch.Generator(images.device).manual_seed(int(rng.integers(2**63)))
        return torch.randn(images.shape, generator=generator, device=images.device)
    return like(rng.standard_normal(tuple(images.shape), dtype=np.float32), images)


def _blur(images: Float32[Array, "B C H W"], sigma: np.ndarray) -> Float32[Array, "B C H W"]:
    """Gaussian blur as repeated binomial filters 1 2 1 (variance 1/2), the last one in part."""
    # Variances add: n passes of 1/2 make sigma squared = n / 2.
    passes = 2 * sigma**2
    for number in range(int(np.ceil(passes.max(initial=0)))):
        left = np.flatnonzero(passes > number)
        at_left = on_device_of(left, images)
        part = images[at_left]
        # 1 until the last pass. A mixture of the image and its blur with weight w adds w / 2.
        weight = np.clip(passes[left] - number, 0, 1).astype(np.float32).reshape(-1, 1, 1, 1)
        soft = part
        for axis in (2, 3):
            at = np.arange(soft.shape[axis])
            # Edges are repeated.
            before, after = (
                _take(soft, np.clip(at + step, 0, len(at) - 1), axis) for step in (-1, 1)
            )
            soft = soft / 2 + (before + after) / 4
        images[at_left] = part + like(weight, part) * (soft - part)
    return images


def _take(images: Array, at: np.ndarray, axis: int) -> Array:
    index = on_device_of(at, images)
    return images[:, :, index] if axis == 2 else images[:, :, :, index]
