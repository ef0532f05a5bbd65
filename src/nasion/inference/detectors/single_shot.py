"""nasion's own detector: a small network, in the manner of FCOS (Tian et al., ICCV 2019).

It looks once at a small copy of the image, and once more at a larger one if small faces may be in a
large image. Made by benchmarks/detector.py; training data and accuracy: single_shot.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nasion.array_types import Float32, Float64, UInt8
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
_TOGETHER = 150_000  # pixels of looks that go through the network together: four of 224 x 160
_MOST_AVERAGED = 4  # pixels to one: the saving is small for large images
_ABOUT_SCALE = (0.96, 1.08)  # times a scale: what a look may have instead
_SAME_FACE = 0.4  # IoU from which boxes are of one face
_MIN_SCORE = 0.25  # low: the landmark network drops false alarms (single_shot.md)


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
        return self.each([image])[0]

    def each(self, images: Sequence[UInt8[np.ndarray, "_ _ ..."]]) -> list[Detections]:
        """What is found in each image; looks of one size go through the network together."""
        looks = [look for number, image in enumerate(images) for look in self._looks(number, image)]
        found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in images]
        for together in _batches(looks):
            for look, (boxes, scores) in zip(together, self._run(together), strict=True):
                in_image = (boxes + 0.5) * look.pixels_per_pixel - 0.5
                found[look.image].append((in_image, scores))
        return [
            _merge(*(np.concatenate(parts) for parts in zip(*each, strict=True))) for each in found
        ]

    def _looks(self, number: int, image: UInt8[np.ndarray, "H W ..."]) -> list[_Look]:
        from PIL import Image

        grey = Image.fromarray(np.ascontiguousarray(image))
        if grey.mode != "L":
            grey = grey.convert("L")
        # The scale at which the smallest face has _MIN_SIDE pixels.
        fine = _MIN_SIDE / min_face_in(*grey.size, self.min_face, _FRACTION)
        coarse = min(_COARSE / max(grey.size), _MAX_ENLARGE)
        # If the first look shows small faces well enough, it is the only one.
        scales = [coarse] if fine < 1.1 * coarse else [coarse, fine]
        return [_Look(number, *_shrink(grey, scale)) for scale in scales]

    def _run(self, looks: Sequence[_Look]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes in pixels of each look and their scores, several per face."""
        height, width = looks[0].padded_size
        # What is added is grey.
        padded = np.full((len(looks), 1, height, width), 128, dtype=np.float32)
        for row, look in zip(padded, looks, strict=True):
            row[0, : look.pixels.shape[0], : look.pixels.shape[1]] = look.pixels
        session, input_name = _session(self.file)
        return _decode(session.run(None, {input_name: padded}), self.min_score)


@dataclass(frozen=True, eq=False)
class _Look:
    """An image at one scale. ``image``: its number. ``pixels_per_pixel``: of the image, x y x y."""

    image: int
    pixels: UInt8[np.ndarray, "H W"]
    pixels_per_pixel: Float64[np.ndarray, " 4"]

    @property
    def padded_size(self) -> tuple[int, int]:
        """(height, width): multiples of the coarsest stride."""
        step = STRIDES[-1]
        height, width = (-(-side // step) * step for side in self.pixels.shape)
        return height, width


def _batches(looks: Sequence[_Look]) -> Iterator[list[_Look]]:
    """Looks of one size, as many as are fastest together."""
    of_size: dict[tuple[int, int], list[_Look]] = {}
    for look in looks:
        of_size.setdefault(look.padded_size, []).append(look)
    for (height, width), same in of_size.items():
        count = max(1, _TOGETHER // (height * width))
        yield from (same[i : i + count] for i in range(0, len(same), count))


def _shrink(grey: Any, scale: float) -> tuple[UInt8[np.ndarray, "H W"], Float64[np.ndarray, " 4"]]:
    """A Pillow image at about this scale, and how many of its pixels are one: x y x y."""
    from PIL import Image

    factor = round(1 / scale)
    if 1 < factor <= _MOST_AVERAGED and _ABOUT_SCALE[0] < 1 / (factor * scale) < _ABOUT_SCALE[1]:
        # Means of whole pixels take a quarter of the time of resizing.
        return np.asarray(grey.reduce(factor)), np.full(4, float(factor))
    size = tuple(max(1, round(side * scale)) for side in grey.size)
    # reducing_gap: a large image is first shrunk by a whole factor, which is faster.
    small = grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)
    # Rounding `size` makes the two axes' factors differ a little, so `scale` itself would be wrong.
    return np.asarray(small), np.array(grey.size * 2) / (size * 2)


def _decode(
    maps: list[Float32[np.ndarray, "B 5 _ _"]], min_score: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes (N, 4) in pixels of the input and their scores, of all cells that are sure enough."""
    centers, unit = _cells(tuple(output.shape[2:] for output in maps))
    count = len(maps[0])
    cells = np.concatenate([output.reshape(count, 5, -1) for output in maps], axis=2)
    # Logits are compared, so that only the cells that remain need a sigmoid.
    image, sure = np.nonzero(cells[:, 0] > np.log(min_score / (1 - min_score)))
    unit, values = unit[sure], cells[image, :, sure].T.astype(np.float64)
    middle = centers[:, sure] + unit * values[1:3]
    # At most exp(5): a wild log size must not overflow.
    half = unit * np.exp(np.minimum(values[3:], 5)) / 2
    boxes = np.concatenate([middle - half, middle + half]).T
    scores = 1 / (1 + np.exp(-values[0]))
    ends = np.searchsorted(image, np.arange(count + 1))
    return [(boxes[a:b], scores[a:b]) for a, b in pairwise(ends.tolist())]


@lru_cache(maxsize=8)
def _cells(
    shapes: tuple[tuple[int, int], ...],
) -> tuple[Float64[np.ndarray, "2 C"], Float64[np.ndarray, " C"]]:
    """The centre x y of each cell of these maps, and the unit of its numbers, in pixels."""
    strides = np.repeat(STRIDES, [height * width for height, width in shapes])
    rows, columns = np.concatenate([np.indices(shape).reshape(2, -1) for shape in shapes], axis=1)
    return (np.stack([columns, rows]) + 0.5) * strides - 0.5, SCALE * strides


def _merge(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """One box per face: the mean, weighted by score, of those that overlap its best box."""
    left = np.argsort(-scores, kind="stable")
    merged, best = [], []
    while len(left):
        same = iou(boxes[left[0]], boxes[left]) > _SAME_FACE
        # A box without area does not overlap even itself; without this the loop would not end.
        same[0] = True
        weights = scores[left[same]]
        merged.append(weights @ boxes[left[same]] / weights.sum())
        best.append(scores[left[0]])
        left = left[~same]
    return best_first(np.array(merged, dtype=np.float64), np.array(best, dtype=np.float64))


@cache
def _session(path: Path) -> tuple[Any, str]:
    """The network and the name of its input."""
    session = open_session(path)
    if session.get_modelmeta().custom_metadata_map.get("nasion_detector") != FORMAT:
        raise RunError(
            f"{path} is not a face detector of this version; make one with benchmarks/detector.py."
        )
    return session, session.get_inputs()[0].name
