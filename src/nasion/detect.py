"""Where faces are in a picture: one small interface, ``image -> boxes, scores``, and the detectors behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from nasion.errors import needing, require

_WINDOW = 80  # pixels: the side of the smallest face that dlib's detector sees
# Of ibug68's faces, in parts of the side of dlib's box: how much lower the middle of the points is, and how large their box.
_LOWER, _SIDE = 0.088, 0.93
_FEWEST = 36  # pixels: smaller faces are not searched for by default
_PARTS = 45  # nor, in large pictures, those of less than this part of the side of a square of their area


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
    """What finds faces in a picture, uint8 (H, W) grey or (H, W, 3) red green blue."""

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections: ...


@dataclass(frozen=True)
class Dlib:
    """dlib's detector of frontal faces: histograms of gradients (Dalal and Triggs, CVPR 2005), five views (King, 2009).

    ``smallest``: the side in pixels of the smallest face searched for; None: 36, in large pictures a 45th of the side of a square of their area.
    ``least``: boxes of a lower score are left out.
    """

    smallest: int | None = None
    least: float = 0.0

    def __post_init__(self) -> None:
        require(self.smallest is None or self.smallest >= 8, f"The smallest face is a number of pixels, from 8; found {self.smallest}.")

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections:
        from PIL import Image

        grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        factor = _WINDOW / (self.smallest or max(_FEWEST, (grey.width * grey.height) ** 0.5 / _PARTS))
        width, height = (max(1, round(side * factor)) for side in grey.size)
        seen = grey.resize((width, height), Image.Resampling.BILINEAR)
        found, scores, _ = _frontal().run(np.asarray(seen), 0, self.least)
        edges = np.array([[box.left(), box.top(), box.right(), box.bottom()] for box in found], dtype=np.float64).reshape(-1, 4)
        # Both count pixels' centres from 0.
        edges = (edges + 0.5) / ([width / grey.width, height / grey.height] * 2) - 0.5
        middle, side = (edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]
        middle[:, 1] += _LOWER * side[:, 1]
        boxes = np.concatenate([middle - _SIDE * side / 2, middle + _SIDE * side / 2], axis=1)
        order = np.argsort(-np.array(scores, dtype=np.float64), kind="stable")
        return Detections(boxes[order].astype(np.float32), np.array(scores, dtype=np.float32)[order])


@cache
def _frontal() -> Any:
    with needing("Finding faces", "dlib"):
        dlib = import_module("dlib")
    return dlib.get_frontal_face_detector()
