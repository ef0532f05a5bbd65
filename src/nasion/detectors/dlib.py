"""dlib's detector of frontal faces: histograms of gradients (Dalal and Triggs, CVPR 2005), five views (King, 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nasion.detectors import Detections, smallest_in, surest_first
from nasion.errors import needing

_WINDOW = 80  # pixels: the side of the smallest face that dlib's detector sees
# Of ibug68's faces, in parts of the side of dlib's box: how much lower the middle of the points is, and how large their box.
_LOWER, _SIDE = 0.088, 0.93

_ONE_AT_A_TIME = Lock()  # dlib's detector crashes when two threads use it


def detector(smallest: int | None) -> Dlib:
    _frontal()
    return Dlib(smallest)


@dataclass(frozen=True)
class Dlib:
    """``smallest``: the side in pixels of the smallest face searched for; ``least``: boxes of a lower score are left out."""

    smallest: int | None = None
    least: float = 0.0

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections:
        from PIL import Image

        grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        factor = _WINDOW / smallest_in(*grey.size, self.smallest)
        width, height = (max(1, round(side * factor)) for side in grey.size)
        seen = grey.resize((width, height), Image.Resampling.BILINEAR)
        with _ONE_AT_A_TIME:
            found, scores, _ = _frontal().run(np.asarray(seen), 0, self.least)
        edges = np.array([[box.left(), box.top(), box.right(), box.bottom()] for box in found], dtype=np.float64).reshape(-1, 4)
        # Both count pixels' centres from 0.
        edges = (edges + 0.5) / ([width / grey.width, height / grey.height] * 2) - 0.5
        middle, side = (edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]
        middle[:, 1] += _LOWER * side[:, 1]
        boxes = np.concatenate([middle - _SIDE * side / 2, middle + _SIDE * side / 2], axis=1)
        return surest_first(boxes, np.array(scores, dtype=np.float64))


@cache
def _frontal() -> Any:
    with needing("dlib's detector", "dlib"):
        dlib = import_module("dlib")
    return dlib.get_frontal_face_detector()
