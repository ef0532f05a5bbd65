"""Where whole faces are whose labels may be of a part of them only, as of two eyes or one point."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from nasion.array_types import Float, Float32, Float64
from nasion.data.image_faults import require_images
from nasion.data.missing_boxes import estimate_boxes
from nasion.inference import detectors
from nasion.inference.detectors import Detections, Detector
from nasion.landmarks.faces import Faces
from nasion.media.images import as_pixels, image_size
from nasion.model_spec import ModelSpec

_INSIDE = 0.5  # of a face's labelled points that its box must hold
_LEAST_FOUND = 3  # faces, from which the boxes of those not found are estimated
_SAMPLE = 32  # faces that tell whether boxes tell the size of faces
_WHOLE_FACE = 30  # labelled points, which reach over the whole face
_MOST_LARGER = 4.0  # times a box, that a face may be for the box to tell its size
_IMAGES = 4096  # files whose detections are kept: the same faces are cropped several times


def in_seen_boxes(faces: Faces, spec: ModelSpec, *, to_learn: bool = False) -> Faces:
    """The faces in the boxes that a network is shown: their own, or those of the detector.

    Faces without labels, of which the right one cannot be chosen, keep their own. A face that the
    detector does not find is shown in its whole image, since a box by its label would tell where
    the point is; only to learn (``to_learn``) it has one.
    """
    if not spec.detected_boxes:
        return faces
    labelled = faces.labelled.any(axis=1)
    boxes = np.full((len(faces), 4), np.nan) if faces.boxes is None else np.array(faces.boxes)
    if labelled.any():
        boxes_of = detected_boxes if to_learn else _detected
        boxes[labelled] = boxes_of(faces[labelled])
    return replace(faces, boxes=boxes.astype(np.float32))


def tell_size(faces: Faces) -> bool:
    """Whether boxes, or else labels, tell how large faces are. Some of the faces are looked at.

    A single point says nothing of the face, and the box around a few at one place little. True also
    if the detector does not find most faces, and so cannot say it either.
    """
    some = faces[np.unique(np.linspace(0, len(faces) - 1, _SAMPLE).astype(int))]
    some = some[some.labelled.any(axis=1)]
    if not len(some) or np.median(some.labelled.sum(axis=1)) >= _WHOLE_FACE:
        return True
    whole = _detected(some)
    if np.isnan(whole).any(axis=1).mean() >= 1 / 2:
        return True
    own = estimate_boxes(some.points, some.scheme)
    if some.boxes is not None:
        own = np.where(np.isnan(some.boxes), own, some.boxes)
    # A single point has no box, or one of a pixel that a tool has written.
    larger = _mean_side(whole) / np.maximum(_mean_side(np.where(np.isnan(own), 0, own)), 1)
    return bool(np.nanmedian(larger) <= _MOST_LARGER)


def _mean_side(boxes: Float[np.ndarray, "N 4"]) -> Float64[np.ndarray, " N"]:
    return (boxes[:, 2:].astype(np.float64) - boxes[:, :2]).mean(axis=1)


def detected_boxes(faces: Faces) -> Float64[np.ndarray, "N 4"]:
    """The box of each face by the detector, of labels that do not tell how large a face is.

    A face that is not found gets a box as large a part of its image as the others', with its points
    at the same place in it; NaN if fewer than three are found.
    """
    require_images(faces)
    found = _detected(faces)
    known = np.asarray(np.isfinite(found).all(axis=1))
    if known.all() or known.sum() < _LEAST_FOUND:
        return found
    sides = np.array([sum(image_size(image)) / 2 for image in faces.images])
    labelled = faces.labelled[..., None]
    total = np.where(labelled, faces.points, 0).sum(axis=1, dtype=np.float64)
    place = np.where(labelled.any(axis=1), total / np.maximum(labelled.sum(axis=1), 1), np.nan)
    beyond = (found - np.tile(place, 2)) / sides[:, None]
    estimated = np.tile(place, 2) + np.nanmedian(beyond, axis=0) * sides[:, None]
    return np.where(known[:, None], found, estimated)


def whole_face_boxes(faces: Faces, *, only_face: bool = False) -> Float64[np.ndarray, "N 4"]:
    """The box of each whole face by the detector; NaN where it finds none that fits the labels.

    If it finds some, the others' follow from their own boxes as those of the found ones do.
    ``only_face``: where image files have one face, labelled and found, it counts wherever its
    labels are.
    """
    found = _detected(faces, only_face=only_face)
    if faces.boxes is None:
        return found
    own = faces.boxes.astype(np.float64)
    # Mean sides: points on a line have a box without height.
    size = np.maximum(_mean_side(own), 1)[:, None]
    change = (found - own) / size
    known = np.asarray(np.isfinite(change).all(axis=1))
    if known.sum() >= _LEAST_FOUND:
        found = np.where(known[:, None], found, own + np.median(change[known], axis=0) * size)
    return found


def _detected(faces: Faces, *, only_face: bool = False) -> Float64[np.ndarray, "N 4"]:
    """The detector's box of each face; NaN where none holds its labels, as ``whole_face_boxes``."""
    detector = detectors.load(detectors.DEFAULT)
    shown = Counter(image for image in faces.images if isinstance(image, Path))
    boxes = []
    for image, points in zip(faces.images, faces.points, strict=True):
        detections = _detections(image, detector)
        box = _holding(detections, points)
        if (
            only_face
            and np.isnan(box).any()
            and len(detections[0]) == 1
            and _is_alone(image, shown)
        ):
            box = detections[0][0].astype(np.float64)
        boxes.append(box)
    return np.array(boxes).reshape(-1, 4)


def _is_alone(image: Path | np.ndarray, shown: Counter[Path]) -> bool:
    return not isinstance(image, Path) or shown[image] == 1


def _detections(image: Path | np.ndarray, detector: Detector) -> Detections:
    if not isinstance(image, Path) or not image.is_file():
        return detector(as_pixels(image, colour=True))
    stat = image.stat()
    return _detections_in_file(image, (stat.st_size, stat.st_mtime_ns), detector)


@lru_cache(_IMAGES)
def _detections_in_file(image: Path, version: tuple[int, int], detector: Detector) -> Detections:
    return detector(as_pixels(image, colour=True))


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
