"""dlib's frontal face detector: gradient histograms (Dalal and Triggs, CVPR 2005; King, 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

import numpy as np

from nasion.array_types import UInt8
from nasion.errors import requires_extra
from nasion.inference.detectors import Detections, best_first, min_face_in

_FRACTION = 45  # in large images: the smallest face is 1 / 45 of their side
_WINDOW = 80  # pixels: the side of the smallest face that dlib's detector sees
# Tight boxes of ibug68 faces relative to the side of dlib's box: centre shift downwards, and side.
_DOWN, _SIDE = 0.088, 0.93
_LOCK = Lock()  # dlib's detector crashes when two threads use it


def detector(min_face: int | None) -> Dlib:
    _frontal_detector()  # raises if dlib is not installed
    return Dlib(min_face)


@dataclass(frozen=True)
class Dlib:
    """``min_face``: side of the smallest face in pixels. ``min_score``: drop boxes below."""

    min_face: int | None = None
    min_score: float = 0.0

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections:
        from PIL import Image

        grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        # dlib finds faces of 80 pixels and more: the smallest face is scaled to that.
        factor = _WINDOW / min_face_in(*grey.size, self.min_face, _FRACTION)
        width, height = (max(1, round(side * factor)) for side in grey.size)
        scaled = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
        with _LOCK:
            found, scores, _ = _frontal_detector().run(scaled, 0, self.min_score)
        edges = [[box.left(), box.top(), box.right(), box.bottom()] for box in found]
        boxes = np.array(edges, dtype=np.float64).reshape(-1, 4)
        # Both count pixel centres from 0.
        boxes = (boxes + 0.5) / ([width / grey.width, height / grey.height] * 2) - 0.5
        center, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        center[:, 1] += _DOWN * side[:, 1]
        half = _SIDE * side / 2
        tight = np.concatenate([center - half, center + half], axis=1)
        return best_first(tight, np.array(scores, dtype=np.float64))


@cache
def _frontal_detector() -> Any:
    with requires_extra("dlib's detector", "dlib"):
        dlib = import_module("dlib")
    return dlib.get_frontal_face_detector()
