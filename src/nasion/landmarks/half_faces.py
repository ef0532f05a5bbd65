"""Faces of which one half is labelled, as profiles are: where the other half lies.

A face is symmetric: seen in its pose, each missing point lies where its mirror partner's place on
the mean face and that partner's own deviation from it put it.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import Bool, Float, Float64
from nasion.landmarks.head_pose import LEAST_POINTS, fit_head_poses
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme


def is_half(points: Float[np.ndarray, "N K 2"], scheme: Scheme) -> Bool[np.ndarray, " N"]:
    """Faces with enough labels to tell their pose, none of them mirroring another."""
    labelled = ~np.isnan(points[..., 0])
    known = labelled & ~np.isnan(mean_face(scheme)[:, 0])
    off_midline = scheme.flip != np.arange(len(scheme))
    both = (labelled & labelled[:, scheme.flip])[:, off_midline].any(axis=1)
    one = labelled[:, off_midline].any(axis=1)
    return (known.sum(axis=1) >= LEAST_POINTS) & one & ~both


def with_other_half(
    points: Float[np.ndarray, "N K 2"], scheme: Scheme
) -> tuple[Float64[np.ndarray, "N K 2"], Float64[np.ndarray, " N"]]:
    """Half faces with all measured points, and how far each head is turned, in degrees of yaw.

    Labels stay as they are. NaN: points whose place is not known, faces with too few labels.
    """
    points = np.asarray(points, dtype=np.float64)
    poses = fit_head_poses(points, scheme)
    shown = poses.project(mean_face(scheme))
    deviation = points - shown
    partner = deviation[:, scheme.flip]
    deviation = np.where(np.isnan(deviation), np.nan_to_num(partner), deviation)
    return np.where(np.isnan(points), shown + deviation, points), poses.yaw
