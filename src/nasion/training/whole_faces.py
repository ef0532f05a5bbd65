"""Where whole faces are whose labels may be of a part of them only, as of two eyes."""

from __future__ import annotations

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


def whole_face_boxes(faces: Faces) -> Float64[np.ndarray, "N 4"]:
    """The box of each whole face by the detector; NaN where it finds none that fits the labels.

    If it finds some, the others' follow from their own boxes as those of the found ones do.
    """
    find = _keeping(detectors.load(detectors.DEFAULT))
    images = zip(faces.images, faces.points, strict=True)
    found = np.array([_holding(find(image), points) for image, points in images]).reshape(-1, 4)
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
