"""Points as the numbers that their file has: from another origin, or in parts of the image.

What stands for a missing point (-1 -1, 0 0) is a number of the file, whatever pixels it becomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from nasion.array_types import Float64
from nasion.data.label_places import image_sizes
from nasion.landmarks.faces import Faces

_DIGITS = 6  # of a part of the image's size: float32 pixels tell no more


@dataclass(frozen=True)
class FileNumbers:
    """``origin``: what a file calls the centre of the first pixel.

    ``image_side``: the number of the image's right and lower edge in every file, as 1 or 100 where
    these are fractions or percent; None: pixels.
    """

    origin: float = 0.0
    image_side: float | None = None

    def of(self, faces: Faces) -> Float64[np.ndarray, "N K 2"]:
        """The points as the file has them; NaN where an image that tells them cannot be read."""
        points = self.from_its_origin(faces)
        if self.image_side is None:
            return points
        parts = np.round(points / image_sizes(faces)[:, None], _DIGITS)
        return np.asarray(parts * self.image_side)

    def from_its_origin(self, faces: Faces) -> Float64[np.ndarray, "N K 2"]:
        """The points in pixels, 0 where the file's numbers are 0."""
        return faces.points.astype(np.float64) + self.origin


def file_numbers_of(module: ModuleType, root: Path) -> FileNumbers:
    """How a dataset's file or folder counts, as its module says."""
    if hasattr(module, "pixel_origin"):
        return FileNumbers(module.pixel_origin(root))
    return FileNumbers(getattr(module, "PIXEL_ORIGIN", 0), getattr(module, "IMAGE_SIDE", None))
