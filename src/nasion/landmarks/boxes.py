"""Boxes of faces: overlap (IoU), non-maximum suppression, one face found in several rotations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasion.array_types import Float, Float32, Float64
from nasion.landmarks import geometry
from nasion.landmarks.face import Face


def face_boxes(
    points: Float32[np.ndarray, "N K 2"], searched: Float[np.ndarray, "N 4"]
) -> Float32[np.ndarray, "N 4"]:
    """The boxes around faces' points; where points span no area, the boxes they were found in."""
    found = geometry.points_box(points.astype(np.float64))
    no_area = (found[:, 2:] - found[:, :2] < 1).any(axis=1, keepdims=True)
    return np.where(no_area, searched, found).astype(np.float32)


def iou(box: Float[np.ndarray, 4], boxes: Float[np.ndarray, "N 4"]) -> Float64[np.ndarray, " N"]:
    """Intersection over union of one box with each of several."""
    # Areas of large boxes lose digits in float32.
    box, boxes = box.astype(np.float64), boxes.astype(np.float64)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    # A negative side means that the boxes are apart; two negative ones would multiply to an area.
    intersection = np.maximum(sides, 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + areas - intersection
    return intersection / np.maximum(union, 1e-9)


def overlaps_any(box: Float[np.ndarray, 4], faces: list[Face], threshold: float) -> bool:
    """True if a box overlaps one of these faces by more than the threshold (IoU)."""
    return bool(faces) and bool(
        (iou(box, np.stack([face.box for face in faces])) > threshold).any()
    )


def nms(faces: list[Face], threshold: float) -> list[Face]:
    """Non-maximum suppression: by falling score, without faces that overlap a better one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not overlaps_any(face.box, kept, threshold):
            kept.append(face)
    return kept


def best_rotations(faces: Sequence[Face], rotations: Sequence[int], share: float) -> list[Face]:
    """By falling score, without faces that overlap a better one of another rotation.

    ``rotations``: degrees by which the image was rotated where each face was found. A face overlaps
    a better one if more than this share of its points lie in the other's box: an upside-down face
    of the same eyes and forehead does, though their boxes overlap little.
    """
    kept: list[tuple[Face, int]] = []
    for face, degrees in sorted(
        zip(faces, rotations, strict=True), key=lambda pair: -pair[0].score
    ):
        others = [other for other, rotation in kept if rotation != degrees]
        if all(_share_within(face, other) <= share for other in others):
            kept.append((face, degrees))
    return [face for face, _ in kept]


def _share_within(face: Face, other: Face) -> float:
    """The share of a face's points in the box of another one."""
    inside = (face.points >= other.box[:2]) & (face.points <= other.box[2:])
    return float(inside.all(axis=1).mean())
