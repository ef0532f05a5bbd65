"""How a head is turned, from its points: a mean face in three dimensions, laid onto each face.

The camera is far away (weak perspective): a point is ``scale`` times the first two coordinates of
the rotated place, plus ``shift``. Places are those of ``mean_face.py``: x to the subject's left
(the image's right), y down, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme

LEAST_POINTS = 8  # with a known place, from which a pose is fitted
_STARTS = (-70.0, 0.0, 70.0)  # degrees of yaw: from elsewhere a fit may end in the wrong half
_STEPS, _LONGEST_STEP, _DAMPING = 25, 0.4, 1e-6  # of Gauss-Newton; the step is in radians


@dataclass(frozen=True, eq=False)
class HeadPoses:
    """Poses of N heads; NaN for faces with too few points.

    ``rotation``: from places to the camera. ``scale``: pixels per distance of the outer eye
    corners. ``shift``: the point between the eyes, in pixels. ``residual``: root mean square
    distance of the points from the mean face, in units of ``scale``.
    """

    rotation: Float64[np.ndarray, "N 3 3"]
    scale: Float64[np.ndarray, " N"]
    shift: Float64[np.ndarray, "N 2"]
    residual: Float64[np.ndarray, " N"]

    @property
    def yaw(self) -> Float64[np.ndarray, " N"]:
        """Degrees, positive if the head is turned to the subject's left (the image's right)."""
        return np.degrees(np.arctan2(self.rotation[:, 0, 2], self.rotation[:, 2, 2]))

    @property
    def pitch(self) -> Float64[np.ndarray, " N"]:
        """Degrees, positive if the head looks down."""
        return np.degrees(np.arcsin(np.clip(self.rotation[:, 1, 2], -1, 1)))

    @property
    def roll(self) -> Float64[np.ndarray, " N"]:
        """Degrees, positive if the head is tilted clockwise in the image."""
        return np.degrees(np.arctan2(self.rotation[:, 1, 0], self.rotation[:, 1, 1]))

    def project(self, places: Float64[np.ndarray, "K 3"]) -> Float64[np.ndarray, "N K 2"]:
        """Where these places lie in the images."""
        turned = np.einsum("nij,kj->nki", self.rotation[:, :2], places)
        return self.scale[:, None, None] * turned + self.shift[:, None]


def fit_head_poses(points: Float[np.ndarray, "N K 2"], scheme: Scheme) -> HeadPoses:
    """The pose of each face, by least squares over its labelled points with a known place."""
    places = mean_face(scheme)
    points = np.asarray(points, dtype=np.float64)
    used = ~np.isnan(points[..., 0]) & ~np.isnan(places[:, 0])
    enough = used.sum(axis=1) >= LEAST_POINTS
    places = np.nan_to_num(places)
    best = HeadPoses(
        rotation=np.full((len(points), 3, 3), np.nan),
        scale=np.full(len(points), np.nan),
        shift=np.full((len(points), 2), np.nan),
        residual=np.full(len(points), np.inf),
    )
    at = np.flatnonzero(enough)
    for start in _STARTS if len(at) else ():
        found = _fit(points[at], places, used[at], start)
        better = found.residual < best.residual[at]
        for name in ("rotation", "scale", "shift", "residual"):
            getattr(best, name)[at[better]] = getattr(found, name)[better]
    best.residual[~np.isfinite(best.scale)] = np.nan
    return best


def _fit(
    points: Float64[np.ndarray, "N K 2"],
    places: Float64[np.ndarray, "K 3"],
    used: Bool[np.ndarray, "N K"],
    start: float,
) -> HeadPoses:
    """Gauss-Newton over rotation and scale; the shift follows from the means."""
    weight = used[..., None].astype(np.float64)
    count = weight.sum(axis=1)
    middle = (weight * places).sum(axis=1) / count
    seen = np.where(used[..., None], points, 0)
    seen_middle = seen.sum(axis=1) / count
    place = weight * (places - middle[:, None])
    seen = weight * (seen - seen_middle[:, None])
    rotation = np.broadcast_to(rotation_about((0.0, np.radians(start), 0.0)), (len(points), 3, 3))
    for _ in range(_STEPS):
        turned = place @ rotation.swapaxes(1, 2)
        scale = _scale(turned, seen)
        rest = seen - scale[:, None, None] * turned[..., :2]
        # Derivatives of the seen place by a further small rotation, and by the scale.
        x, y, z = turned[..., 0], turned[..., 1], turned[..., 2]
        none = np.zeros_like(x)
        rows = [[none, z, -y, x], [-z, none, x, y]]
        slope = np.stack([np.stack(row, axis=-1) for row in rows], axis=2)
        slope[..., :3] *= scale[:, None, None, None]
        normal = np.einsum("nkip,nkiq->npq", slope, slope)
        size = np.trace(normal, axis1=1, axis2=2)[:, None, None]
        step = np.linalg.solve(
            normal + _DAMPING * size * np.eye(4), np.einsum("nkip,nki->np", slope, rest)[..., None]
        )[:, :3, 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step = step * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-12))
        rotation = np.stack([rotation_about(each) for each in step]) @ rotation
    turned = place @ rotation.swapaxes(1, 2)
    scale = _scale(turned, seen)
    rest = (seen - scale[:, None, None] * turned[..., :2]) ** 2
    # A mirrored face is no face: its scale is negative.
    safe = np.where(scale > 0, scale, np.nan)
    residual = np.sqrt(rest.sum(axis=(1, 2)) / count[:, 0]) / safe
    shift = seen_middle - scale[:, None] * np.einsum("nij,nj->ni", rotation[:, :2], middle)
    return HeadPoses(rotation, scale, shift, np.where(np.isnan(residual), np.inf, residual))


def _scale(
    turned: Float64[np.ndarray, "N K 3"], seen: Float64[np.ndarray, "N K 2"]
) -> Float64[np.ndarray, " N"]:
    power = (turned[..., :2] ** 2).sum(axis=(1, 2))
    return (turned[..., :2] * seen).sum(axis=(1, 2)) / np.maximum(power, 1e-12)


def rotation_about(axis: Float64[np.ndarray, " 3"] | tuple[float, float, float]) -> np.ndarray:
    """The rotation about an axis by its length in radians (Rodrigues' formula)."""
    x, y, z = axis
    angle = float(np.linalg.norm(axis))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # sin(a) / a and (1 - cos(a)) / a^2, exact at 0 too.
    first = np.sinc(angle / np.pi)
    second = np.sinc(angle / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + first * cross + second * cross @ cross
