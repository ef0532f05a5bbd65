"""Things in front of faces: flat or textured shapes, and which points lie behind them."""

from __future__ import annotations

import numpy as np

from nasion.array_types import Bool, Float, Float32

_COVERED = 0.6  # of the images
_SIDES = (0.12, 0.6)  # of a shape's longer and shorter side, of the image's
_NOISE = 0.1  # at most, of the value range, on flat shapes


def cover(
    images: Float32[np.ndarray, "B 1 H W"],
    points: Float[np.ndarray, "B K 2"],
    value_range: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Float32[np.ndarray, "B 1 H W"], Bool[np.ndarray, "B K"]]:
    """Images of which some have one or two shapes in front of them, and the points behind those.

    A shape is a turned rectangle or ellipse, flat with noise or of another image's texture. NaN
    points are behind none.
    """
    covered = np.zeros(points.shape[:2], dtype=bool)
    images = images.copy()
    others = images.copy()
    height, width = images.shape[2:]
    rows, columns = np.mgrid[:height, :width]
    for i in np.flatnonzero(rng.uniform(size=len(images)) < _COVERED).tolist():
        for _ in range(int(rng.integers(1, 3))):
            shape = _Shape(width, height, rng)
            front = _front(others, value_range, rng)
            images[i, 0] = np.where(shape.holds(columns, rows), front, images[i, 0])
            covered[i] |= shape.holds(points[i, :, 0], points[i, :, 1])
    return images, covered


class _Shape:
    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.half = rng.uniform(*_SIDES, 2) * min(width, height) / 2
        self.center = rng.uniform(size=2) * (width, height)
        angle = rng.uniform(0, np.pi)
        self.cos, self.sin = np.cos(angle), np.sin(angle)
        self.round = rng.uniform() < 1 / 2

    def holds(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x - self.center[0], y - self.center[1]
        across = (x * self.cos + y * self.sin) / self.half[0]
        down = (y * self.cos - x * self.sin) / self.half[1]
        # Comparisons with NaN are False.
        return across**2 + down**2 < 1 if self.round else (abs(across) < 1) & (abs(down) < 1)


def _front(
    images: Float32[np.ndarray, "B 1 H W"],
    value_range: tuple[float, float],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "H W"]:
    low, high = value_range
    height, width = images.shape[2:]
    if rng.uniform() < 1 / 2:
        grain = rng.normal(0, rng.uniform(0, _NOISE) * (high - low), (height, width))
        return np.clip(rng.uniform(low, high) + grain, low, high).astype(np.float32)
    other = images[rng.integers(len(images)), 0]
    shifted = np.roll(other, (rng.integers(height), rng.integers(width)), (0, 1))
    return shifted[::-1] if rng.uniform() < 1 / 2 else shifted
