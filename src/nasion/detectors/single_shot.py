"""nasion's own detector: a small network that looks once at a small picture (single shot; boxes from the cells near a face's
middle, as FCOS, Tian et al., ICCV 2019), and once more at a larger one where small faces may be in a large picture.

Made by benchmarks/detector.py; what it learnt from and how good it is: single_shot.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float32, UInt8

from nasion.detectors import Detections, smallest_in, surest_first
from nasion.errors import RunError

FORMAT = "1"
STRIDES = (8, 16, 32)  # pixels of the input that a cell of each map stands for
SCALE = 4.0  # strides that a 1 in a map means
_FILE = Path(__file__).with_suffix(".onnx")
_FINE = 10  # pixels of the input: the side of the smallest face that is found well
_COARSE = 208  # pixels: the longer side of the picture at the first look
_ENLARGED = 3.0  # times: tiny pictures are enlarged no more
_SAME = 0.4  # boxes that share more of their union are of one face
_NOT_SURE = 0.2  # boxes of a lower score are left out


def detector(smallest: int | None) -> SingleShot:
    return SingleShot(smallest)


@dataclass(frozen=True)
class SingleShot:
    """``smallest``: the side in pixels of the smallest face searched for; ``least``: boxes of a lower score, 0 to 1, are left out."""

    smallest: int | None = None
    least: float = _NOT_SURE
    file: Path = _FILE
    reach: ClassVar[int] = 60

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections:
        from PIL import Image

        grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        fine = _FINE / smallest_in(*grey.size, self.smallest)
        coarse = min(_COARSE / max(grey.size), _ENLARGED)
        # Where small faces are seen well enough at the first look, it is the only one.
        found = [self._seen(grey, scale) for scale in ([coarse] if fine < 1.1 * coarse else [coarse, fine])]
        return _joined(np.concatenate([boxes for boxes, _ in found]), np.concatenate([scores for _, scores in found]))

    def _seen(self, grey: Any, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in the picture's pixels and scores, several of each face, of one look."""
        from PIL import Image

        size = tuple(max(1, round(side * scale)) for side in grey.size)
        small = np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5))
        step = STRIDES[-1]
        seen = np.full((1, 1, -(-size[1] // step) * step, -(-size[0] // step) * step), 128, dtype=np.float32)
        seen[0, 0, : size[1], : size[0]] = small
        boxes, scores = _read(_session(self.file).run(None, {"pictures": seen}), self.least)
        return (boxes + 0.5) / (np.array(size * 2) / (grey.size * 2)) - 0.5, scores


def _read(maps: list[Float32[np.ndarray, "1 5 _ _"]], least: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) in pixels of the input and their scores, of all cells that are sure enough."""
    boxes, scores = [], []
    for stride, said in zip(STRIDES, maps, strict=True):
        row, column = np.nonzero(said[0, 0] > np.log(least / (1 - least)))
        logit, x, y, wide, high = said[0][:, row, column].astype(np.float64)
        x, y = ((at + 0.5) * stride - 0.5 + SCALE * stride * off for at, off in ((column, x), (row, y)))
        wide, high = (SCALE * stride * np.exp(np.minimum(side, 5)) / 2 for side in (wide, high))
        boxes.append(np.stack([x - wide, y - high, x + wide, y + high], 1))
        scores.append(1 / (1 + np.exp(-logit)))
    return np.concatenate(boxes), np.concatenate(scores)


def _joined(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """One box for each face: the mean, by score, of those that share much with its surest."""
    left = np.argsort(-scores, kind="stable")
    kept, sure = [], []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    while len(left):
        first, others = boxes[left[0]], boxes[left]
        both = np.prod(np.maximum(np.minimum(first[2:], others[:, 2:]) - np.maximum(first[:2], others[:, :2]), 0), axis=1)
        same = both > _SAME * (areas[left[0]] + areas[left] - both)
        same[0] = True
        kept.append(np.average(others[same], axis=0, weights=scores[left][same]))
        sure.append(scores[left[0]])
        left = left[~same]
    return surest_first(np.array(kept, dtype=np.float64), np.array(sure, dtype=np.float64))


@cache
def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes of errors are not public
        raise RunError(f"{path} is no network that ONNX Runtime can read ({str(error).splitlines()[0][:200]}).") from error
    if session.get_modelmeta().custom_metadata_map.get("nasion_detector") != FORMAT:
        raise RunError(f"{path} is no face detector of this version; make it with benchmarks/detector.py.")
    return session
