"""nasion's own detector: a small network, in the manner of FCOS (Tian et al., ICCV 2019).

It looks once at a small copy of the image, and once more at a larger one if small faces may be in a
large image. Made by benchmarks/detector.py; training data and accuracy: single_shot.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float32, UInt8

from nasion.errors import RunError
from nasion.inference.backends.onnx import open_session
from nasion.inference.detectors import Detections, best_first, min_face_in
from nasion.landmarks.boxes import iou

FORMAT = "1"
STRIDES = (8, 16, 32)  # pixels of the input per cell of each map
SCALE = 4.0  # strides per unit of the maps of offsets and sizes
_FILE = Path(__file__).with_suffix(".onnx")
_MIN_SIDE = 10  # pixels of the input: the smallest face that is found well
_FRACTION = 96  # so faces of 36 pixels in 4000 x 3000; the second look is at 960 x 960 at most
_COARSE = 208  # pixels: the image's longer side at the first look
_MAX_ENLARGE = 3.0  # times, for tiny images
_SAME_FACE = 0.4  # IoU from which boxes are of one face
_MIN_SCORE = 0.2  # low: the landmark network drops false alarms (single_shot.md)


def detector(min_face: int | None) -> SingleShot:
    return SingleShot(min_face)


@dataclass(frozen=True)
class SingleShot:
    """``min_face``: side of the smallest face in pixels. ``min_score``: drop boxes below it."""

    min_face: int | None = None
    min_score: float = _MIN_SCORE
    file: Path = _FILE
    max_tilt: ClassVar[int] = 60

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections:
        from PIL import Image

        grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        # The scale at which the smallest face has _MIN_SIDE pixels.
        fine = _MIN_SIDE / min_face_in(*grey.size, self.min_face, _FRACTION)
        coarse = min(_COARSE / max(grey.size), _MAX_ENLARGE)
        # If the first look shows small faces well enough, it is the only one.
        scales = [coarse] if fine < 1.1 * coarse else [coarse, fine]
        looks = [self._look(grey, scale) for scale in scales]
        boxes = np.concatenate([boxes for boxes, _ in looks])
        return _merge(boxes, np.concatenate([scores for _, scores in looks]))

    def _look(self, grey: Any, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in the image's pixels and scores, several per face, at one scale."""
        from PIL import Image

        size = tuple(max(1, round(side * scale)) for side in grey.size)
        # reducing_gap: a large image is first shrunk by a whole factor, which is faster.
        small = np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5))
        step = STRIDES[-1]
        height, width = (-(-side // step) * step for side in (size[1], size[0]))
        # Sides must be multiples of the coarsest stride; what is added is grey.
        padded = np.full((1, 1, height, width), 128, dtype=np.float32)
        padded[0, 0, : size[1], : size[0]] = small
        session = _session(self.file)
        maps = session.run(None, {session.get_inputs()[0].name: padded})
        boxes, scores = _decode(maps, self.min_score)
        # size * 2 repeats the tuple: width, height, width, height. Rounding `size` makes the two
        # axes' factors differ a little, so `scale` itself would be wrong.
        return (boxes + 0.5) / (np.array(size * 2) / (grey.size * 2)) - 0.5, scores


def _decode(
    maps: list[Float32[np.ndarray, "1 5 _ _"]], min_score: float
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) in pixels of the input and their scores, of all cells that are sure enough."""
    boxes, scores = [], []
    # Logits are compared, so that only the cells that remain need a sigmoid.
    min_logit = np.log(min_score / (1 - min_score))
    for stride, output in zip(STRIDES, maps, strict=True):
        row, column = np.nonzero(output[0, 0] > min_logit)
        logit, dx, dy, wide, high = output[0][:, row, column].astype(np.float64)
        # The cell's centre in pixels, and the offset from it.
        x = (column + 0.5) * stride - 0.5 + SCALE * stride * dx
        y = (row + 0.5) * stride - 0.5 + SCALE * stride * dy
        # At most exp(5): a wild log size must not overflow.
        half_x, half_y = (SCALE * stride * np.exp(np.minimum(s, 5)) / 2 for s in (wide, high))
        boxes.append(np.stack([x - half_x, y - half_y, x + half_x, y + half_y], 1))
        scores.append(1 / (1 + np.exp(-logit)))
    return np.concatenate(boxes), np.concatenate(scores)


def _merge(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """One box per face: the mean, weighted by score, of those that overlap its best box."""
    left = np.argsort(-scores, kind="stable")
    merged, best = [], []
    while len(left):
        same = iou(boxes[left[0]], boxes[left]) > _SAME_FACE
        # A box without area does not overlap even itself; without this the loop would not end.
        same[0] = True
        merged.append(np.average(boxes[left][same], axis=0, weights=scores[left][same]))
        best.append(scores[left[0]])
        left = left[~same]
    return best_first(np.array(merged, dtype=np.float64), np.array(best, dtype=np.float64))


@cache
def _session(path: Path) -> Any:
    session = open_session(path)
    if session.get_modelmeta().custom_metadata_map.get("nasion_detector") != FORMAT:
        raise RunError(
            f"{path} is not a face detector of this version; make one with benchmarks/detector.py."
        )
    return session
