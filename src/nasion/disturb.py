"""What happens to pictures on their way to a network: noise, blur, compression, things in front of the face. Points stay where they are.

Whole batches at once; only JPEG goes picture by picture, for those few that are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import Float32

from nasion.arrays import Array, as_numpy, functions, like
from nasion.errors import require

_PATCHES = 2


@dataclass(frozen=True)
class Disturb:
    """How much a picture may suffer; what is drawn for each lies evenly between nothing and this.

    ``blur``: standard deviation in pixels of the input. ``noise``: standard deviation as a fraction of the value range.
    ``jpeg``: the part of pictures that is compressed, at a quality of 10 to 60. ``occlude``: the part of pictures with up to two
    rectangles in front, of one grey or of another face of the batch; ``patch``: their largest side as a fraction of the picture's.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    occlude: float = 0.0
    patch: float = 0.4

    def __post_init__(self) -> None:
        require(0 <= self.blur <= 4, f"disturb.blur is a number of pixels, 0 to 4; found {self.blur}.")
        for name in ("noise", "jpeg", "occlude", "patch"):
            require(0 <= getattr(self, name) <= 1, f"disturb.{name} is a fraction, 0 to 1; found {getattr(self, name)}.")

    def less(self, share: float) -> Disturb:
        """Everything times ``share``, but what is in front of faces as large."""
        return Disturb(*(share * value for value in (self.blur, self.noise, self.jpeg, self.occlude)), patch=self.patch)

    def __call__(self, images: Float32[Array, "B C H W"], rng: np.random.Generator) -> Float32[Array, "B C H W"]:
        """Pictures with values 0 .. 255, disturbed anew by what the generator draws."""
        if self.occlude:
            images = self._occluded(images, rng)
        if self.blur:
            images = _blurred(images, rng.uniform(0, self.blur, len(images)))
        if self.noise:
            strength = rng.uniform(0, 255 * self.noise, len(images)).astype(np.float32).reshape(-1, 1, 1, 1)
            grain = rng.standard_normal(tuple(images.shape), dtype=np.float32) * strength
            images = functions(images).clip(images + like(grain, images), 0, 255)
        return self._compressed(images, rng) if self.jpeg else images

    def _occluded(self, images: Float32[Array, "B C H W"], rng: np.random.Generator) -> Float32[Array, "B C H W"]:
        count, (height, width) = len(images), images.shape[2:]
        # Another face's texture at the same place is harder to tell from the face than a grey.
        others, xp = images[np.roll(np.arange(count), 1)], functions(images)
        covered = rng.uniform(size=count) < self.occlude
        for _ in range(_PATCHES):
            sides = rng.uniform(0.1, 1, (2, count)) * self.patch / 2
            x, y = rng.uniform(size=(2, count, 1, 1)) * np.array([width, height]).reshape(2, 1, 1, 1)
            inside = (abs(np.arange(width) - x) < sides[0, :, None, None] * width) & (
                abs(np.arange(height)[:, None] - y) < sides[1, :, None, None] * height
            )
            inside &= (covered & (rng.uniform(size=count) < 0.7))[:, None, None]
            flat = rng.uniform(0, 255, (count, 1, 1, 1)).astype(np.float32)
            textured = (rng.uniform(size=count) < 0.5).reshape(-1, 1, 1, 1)
            front = xp.where(_mask(textured, images), others, like(flat, images))
            images = xp.where(_mask(inside[:, None], images), front, images)
        return images

    def _compressed(self, images: Float32[Array, "B C H W"], rng: np.random.Generator) -> Float32[Array, "B C H W"]:
        from PIL import Image

        chosen = np.flatnonzero(rng.uniform(size=len(images)) < self.jpeg)
        quality = rng.integers(10, 61, len(chosen))
        for i, value in zip(chosen.tolist(), quality.tolist(), strict=True):
            pixels = np.moveaxis(np.rint(as_numpy(images[i])).astype(np.uint8), 0, -1)
            stream = BytesIO()
            Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "JPEG", quality=value)
            back = np.asarray(Image.open(stream), dtype=np.float32).reshape(pixels.shape)
            images[i] = like(np.moveaxis(back, -1, 0), images)
        return images


def _mask(values: np.ndarray, images: Array) -> Array:
    return values if isinstance(images, np.ndarray) else functions(images).from_numpy(values).to(images.device)


def _blurred(images: Float32[Array, "B C H W"], sigma: np.ndarray) -> Float32[Array, "B C H W"]:
    """Binomial filters 1 2 1 of variance 1/2, one after the other, each picture's last one in part; edges are repeated."""
    passes = 2 * sigma**2
    for number in range(int(np.ceil(passes.max(initial=0)))):
        left = np.flatnonzero(passes > number)
        part = images[left]
        share = like(np.clip(passes[left] - number, 0, 1).astype(np.float32).reshape(-1, 1, 1, 1), part)
        soft = part
        for axis in (2, 3):
            length = soft.shape[axis]
            before, after = (_taken(soft, np.clip(np.arange(length) + way, 0, length - 1), axis) for way in (-1, 1))
            soft = soft / 2 + (before + after) / 4
        images[left] = part + share * (soft - part)
    return images


def _taken(images: Array, at: np.ndarray, axis: int) -> Array:
    return images[:, :, at] if axis == 2 else images[:, :, :, at]
