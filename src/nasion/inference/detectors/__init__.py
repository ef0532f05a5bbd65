"""Face detectors behind one interface, ``image -> boxes, scores``, one file each.

Each file has ``detector(min_face) -> Detector``. ``min_face``: the side in pixels of the smallest
face to find; None chooses by the image's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from nasion.array_types import Float32, UInt8
from nasion.discovery import DETECTORS
from nasion.errors import require

DEFAULT = "single_shot"
MIN_FACE = 36  # pixels: the side of the smallest face that is searched for by default
Detections = tuple[Float32[np.ndarray, "N 4"], Float32[np.ndarray, " N"]]


@runtime_checkable
class Detector(Protocol):
    """Finds faces in an image, uint8 (H, W) grey or (H, W, 3) RGB. Several threads may call it.

    Returns boxes x0 y0 x1 y1 in pixels, about tight around a face's points, and scores on the
    detector's own scale, best first. ``max_tilt``: up to how many degrees from upright it finds
    faces (default 25). A detector may have ``each(images) -> list[Detections]``, if it is faster
    with several images at once.
    """

    def __call__(self, image: UInt8[np.ndarray, "H W ..."]) -> Detections: ...


def load(name: str, min_face: int | None = None) -> Detector:
    """The detector of that name. Raises ``SettingError`` for an unknown name or a bad size."""
    DETECTORS.require(name)
    require(
        min_face is None or min_face >= 8,
        f"The smallest face is a number of pixels, 8 or more; found {min_face}.",
    )
    return DETECTORS.load(name).detector(min_face)


def detect_each(
    detector: Detector, images: Sequence[UInt8[np.ndarray, "_ _ ..."]]
) -> list[Detections]:
    """What a detector finds in each image."""
    each = getattr(detector, "each", None)
    return [detector(image) for image in images] if each is None else each(images)


def min_face_in(width: int, height: int, requested: int | None, fraction: float) -> float:
    """The side in pixels of the smallest face to find in an image of this size.

    By default ``MIN_FACE``; in large images 1 / ``fraction`` of the side of a square of their area,
    so that the time for one image is bounded.
    """
    return requested or max(MIN_FACE, (width * height) ** 0.5 / fraction)


def best_first(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """Sort boxes (N, 4) and their scores."""
    order = np.argsort(-scores, kind="stable")
    return boxes.reshape(-1, 4)[order].astype(np.float32), scores[order].astype(np.float32)
