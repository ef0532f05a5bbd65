"""Head poses, eyes and mouths of many faces at once: labelled, predicted, or found in images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasion.errors import SettingError
from nasion.landmarks.eyes_and_mouth import MeasuredFaces, measure_eyes_and_mouth
from nasion.landmarks.face import VISIBLE, Face, PoseAndMeasures
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.head_pose import LEAST_POINTS, HeadPoses, fit_weighted
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme


def head_poses(faces: Faces | Predictions | Sequence[Face]) -> HeadPoses:
    """The pose of each of N faces; NaN for faces with fewer than 8 points of known place.

    The mean face (``landmarks/mean_face.py``) is fitted to the points by weighted least squares. A
    point's weight is the inverse of its variance: of its place among people, and of its expected
    error (without those, times its score). Missing and hidden points are left out; occluded labels
    are used. Several ``Face`` must have one scheme: ``SettingError``.
    """
    scheme, points, columns = _columns(faces)
    return fit_weighted(points, scheme, **columns)


def measure_faces(faces: Faces | Predictions | Sequence[Face]) -> MeasuredFaces:
    """How far eyes and mouths of N faces are open, and how left and right differ.

    Measured in the face's own frame, so that turning the head hardly changes them. NaN where the
    points are missing or hidden, or the face has no pose. Raises as ``head_poses``.
    """
    scheme, points, columns = _columns(faces)
    poses = fit_weighted(points, scheme, **columns)
    return measure_eyes_and_mouth(points, scheme, poses, columns["hidden"])


def measure(
    faces: Sequence[Face],
    unsmoothed: Sequence[Face] | None = None,
    pixel_aspect: float = 1.0,
) -> tuple[PoseAndMeasures, ...]:
    """Poses, eyes and mouths of an image's faces, of one scheme, in one fit for all.

    ``unsmoothed``: the same faces of a video's frame as they were found. Eyes and mouth are then
    measured on these, since smoothing flattens blinks. ``pixel_aspect``: width over height of a
    pixel as it is shown; faces are measured as they are shown.
    """
    if not faces:
        return ()
    count = len(faces)
    every = [*faces, *(unsmoothed or ())]
    scheme, points, columns = _columns(every)
    if pixel_aspect != 1:
        points = points * np.array([pixel_aspect, 1.0], dtype=points.dtype)
    poses = fit_weighted(points, scheme, **columns)
    measures = measure_eyes_and_mouth(points, scheme, poses, columns["hidden"])
    return tuple(
        PoseAndMeasures(poses[i], measures[len(every) - count + i], pixel_aspect)
        for i in range(count)
    )


def require_pose(scheme: Scheme) -> None:
    """Raise ``SettingError`` if no pose can be fitted to faces of this scheme."""
    known = int((~np.isnan(mean_face(scheme)[:, 0])).sum())
    if known < LEAST_POINTS:
        raise SettingError(
            f"Scheme {scheme.name} has {known} points whose place on a head is known by their "
            f"name; {LEAST_POINTS} are needed to measure a head's pose."
        )


def _columns(
    faces: Faces | Predictions | Sequence[Face],
) -> tuple[Scheme, np.ndarray, dict[str, Any]]:
    """(scheme, points, what ``fit_weighted`` takes beside them)"""
    if isinstance(faces, Faces):
        return faces.scheme, faces.points, {"scores": None, "expected": None, "hidden": None}
    if isinstance(faces, Predictions):
        hidden = None if faces.visible is None else faces.visible < VISIBLE
        columns = {"scores": faces.scores, "expected": faces.expected, "hidden": hidden}
        return faces.scheme, faces.points, columns
    if not faces:
        raise SettingError("No faces given, so there is no scheme; one at least expected.")
    scheme = faces[0].scheme
    other = next((face.scheme.name for face in faces if face.scheme != scheme), None)
    if other is not None:
        raise SettingError(
            f"Faces of schemes {scheme.name} and {other} given; give those of one scheme at a time."
        )
    columns = {name: _stacked([getattr(face, name) for face in faces]) for name in _PER_POINT}
    points = np.stack([face.points for face in faces])
    return scheme, points, {**columns, "hidden": np.stack([face.hidden for face in faces])}


_PER_POINT = ("scores", "expected")


def _stacked(values: list[Any]) -> np.ndarray | None:
    return None if any(value is None for value in values) else np.stack(values)
