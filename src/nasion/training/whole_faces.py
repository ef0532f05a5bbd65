"""Where whole faces are whose labels may be of a part of them only, as of two eyes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from nasion.inference import detectors
from nasion.inference.detectors import Detections, Detector
from nasion.landmarks.faces import Faces
from nasion.media.images import as_pixels

_INSIDE = 0.5  # of a face's labelled points that its box must hold
_LEAST_FOUND = 3  # faces, from which the boxes of those not found are estimated
_IMAGES = 1024  # whose detections are kept: one image may have many faces


def whole_face_boxes(faces: Faces, *, only_face: bool = False) -> Float64[np.ndarray, "N 4"]:
    """The box of each whole face by the detector; NaN where it finds none that fits the labels.

    If it finds some, the others' follow from their own boxes as those of the found ones do.
    ``only_face``: where image files have one face, labelled and found, it counts wherever its
    labels are.
    """
    find = _keeping(detectors.load(detectors.DEFAULT))
    shown = Counter(image for image in faces.images if isinstance(image, Path))
    boxes = []
    for image, points in zip(faces.images, faces.points, strict=True):
        detections = find(image)
        box = _holding(detections, points)
        if (
            only_face
            and np.isnan(box).any()
            and len(detections[0]) == 1
            and _is_alone(image, shown)
        ):
            box = detections[0][0].astype(np.float64)
        boxes.append(box)
    found = np.array(boxes).reshape(-1, 4)
    if faces.boxes is None:
        return found
    own = faces.boxes.astype(np.float64)
    # Mean sides: points on a line have a box without height.
    size = np.maximum((own[:, 2:] - own[:, :2]).mean(axis=1, keepdims=True), 1)
    change = (found - own) / size
    known = np.asarray(np.isfinite(change).all(axis=1))
    if known.sum() >= _LEAST_FOUND:
        found = np.where(known[:, None], found, own + np.median(change[known], axis=0) * size)
    return found


def _is_alone(image: Path | np.ndarray, shown: Counter[Path]) -> bool:
    return not isinstance(image, Path) or shown[image] == 1


def _keeping(detector: Detector) -> Callable[[Path | np.ndarray], Detections]:
    """The detector of an image or its file; a file that has many faces is processed once."""

    def detect(image: Path | np.ndarray) -> Detections:
        return detector(as_pixels(image, colour=True))

    of_file = lru_cache(_IMAGES)(detect)
    return lambda image: of_file(image) if isinstance(image, Path) else detect(image)


def _holding(
    detections: Detections, points: Float32[np.ndarray, "K 2"]
) -> Float64[np.ndarray, " 4"]:
    """The box that holds most of the labelled points; of several such, the surest."""
    boxes, labelled = detections[0].astype(np.float64), points[~np.isnan(points[:, 0])]
    if not len(boxes) or not len(labelled):
        return np.full(4, np.nan)
    left_top, right_bottom = boxes[:, None, :2], boxes[:, None, 2:]
    inside = ((labelled >= left_top) & (labelled <= right_bottom)).all(axis=2).mean(axis=1)
    # The first of the largest ones: detectors give their surest first.
    best = int(np.argmax(inside))
    return boxes[best] if inside[best] >= _INSIDE else np.full(4, np.nan)
