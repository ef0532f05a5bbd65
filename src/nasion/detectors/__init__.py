"""Where faces are in a picture: one small interface, ``image -> boxes, scores``, and one file per detector behind it.

Each file has ``detector(smallest) -> Detector``: ``smallest`` is the side in pixels of the smallest face to find, None what suits the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from nasion.errors import SettingError, require

DEFAULT = "single_shot"
FEWEST = 36  # pixels: the side of the smallest face that is searched for by default
_PARTS = 45  # in large pictures it is this part of the side of a square of their area


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in a picture, the surest first.

    ``boxes``: x0 y0 x1 y1 in the picture's pixels, about tight around the points of a face; ``scores``: on the detector's own scale.
    """

    boxes: Float32[np.ndarray, "N 4"]
    scores: Float32[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.boxes)


@runtime_checkable
class Detector(Protocol):
    """What finds faces in a picture, uint8 (H, W) grey or (H, W, 3) red green blue.

    It may say by ``reach`` up to how many degrees from upright it finds faces; else 25 are taken for granted.
    """

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections: ...


def names() -> list[str]:
    """The detectors there are, told by their files."""
    return [module.name for module in iter_modules(__path__) if not module.name.startswith("_")]


def named(name: str, smallest: int | None = None) -> Detector:
    """The detector of that name. Raises ``SettingError`` for a name that is none, or when what it needs is not installed."""
    if name not in names():
        raise SettingError(f"No detector {name!r}; there is {', '.join(names())}.")
    require(smallest is None or smallest >= 8, f"The smallest face is a number of pixels, from 8; found {smallest}.")
    return import_module(f"nasion.detectors.{name}").detector(smallest)


def smallest_in(width: int, height: int, asked: int | None) -> float:
    """The side in pixels of the smallest face to find in a picture of this size."""
    return asked or max(FEWEST, (width * height) ** 0.5 / _PARTS)


def surest_first(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """Detections of boxes (N, 4) and their scores, in any order and type."""
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes.reshape(-1, 4)[order].astype(np.float32), scores[order].astype(np.float32))
