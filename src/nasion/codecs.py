"""From points to what a network learns, and from what it says back to points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from nasion.arrays import Array, like
from nasion.scheme import Scheme


@dataclass(frozen=True)
class Coordinates:
    """The network says x and y of each point directly. Takes NumPy arrays and PyTorch tensors.

    ``unit``: ``pixels`` of the network's input, or ``relative`` to its width and height (0 .. 1 from edge to edge).
    """

    unit: Literal["pixels", "relative"] = "pixels"

    def outputs(self, scheme: Scheme) -> int:
        """How many numbers the network must give for a face."""
        return 2 * len(scheme)

    def encode(self, points: Float[Array, "B K 2"], size: tuple[int, int]) -> Float[Array, "B C"]:
        """Targets for points in pixels of the (width, height) input; NaN stays NaN."""
        if self.unit == "relative":
            points = (points + 0.5) / like(np.array(size), points)
        return points.reshape(-1, 2 * points.shape[1])

    def decode(self, output: Float[Array, "B C"], size: tuple[int, int]) -> Float[Array, "B K 2"]:
        """Points in pixels of the input, the inverse of ``encode``."""
        points = output.reshape(-1, output.shape[1] // 2, 2)
        return points * like(np.array(size), points) - 0.5 if self.unit == "relative" else points
