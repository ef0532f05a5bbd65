"""From points to what a network learns, and from what it says back to points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from nasion.scheme import Scheme


@dataclass(frozen=True)
class Coordinates:
    """The network says x and y of each point directly.

    ``unit``: ``pixels`` of the network's input, or ``relative`` to its width and height (0 .. 1 from edge to edge).
    """

    unit: Literal["pixels", "relative"] = "pixels"

    def outputs(self, scheme: Scheme) -> int:
        """How many numbers the network must give for a face."""
        return 2 * len(scheme)

    def encode(self, points: Float[Tensor, "B K 2"], size: tuple[int, int]) -> Float[Tensor, "B C"]:
        """Targets for points in pixels of the (width, height) input; NaN stays NaN."""
        if self.unit == "relative":
            points = (points + 0.5) / points.new_tensor(size)
        return points.flatten(1)

    def decode(self, output: Float[Tensor, "B C"], size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
        """Points in pixels of the input, the inverse of ``encode``."""
        points = output.float().unflatten(1, (-1, 2))
        return points * points.new_tensor(size) - 0.5 if self.unit == "relative" else points
