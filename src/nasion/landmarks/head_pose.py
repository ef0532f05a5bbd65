"""Head pose from points: the mean face in three dimensions, fitted to each face.

The camera is far away (weak perspective): a point is ``scale`` times the first two coordinates of
the rotated place, plus ``shift``. Places are those of ``mean_face.py``: x to the subject's left
(the image's right), y down, z towards the viewer.

Angles. A head that faces the camera has yaw, pitch and roll 0. It is first rolled about its z axis
(positive: clockwise in the image), then pitched about the camera's x axis (positive: it looks
down), then turned about the camera's y axis (positive yaw: to the subject's left, which is the
image's right). So yaw and pitch are the direction in which the face points, and roll is the tilt
about that direction: ``rotation = Ry(yaw) @ Rx(-pitch) @ Rz(roll)``, each right-handed in these
axes. Yaw and roll cover -180 to 180 degrees, pitch -90 to 90.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasion.array_types import Bool, Float, Float64, Int64
from nasion.landmarks.mean_face import mean_face, spread_of_places
from nasion.landmarks.scheme import Scheme

LEAST_POINTS = 8  # with a known place, from which a pose is fitted
_STARTS = (-70.0, 0.0, 70.0)  # degrees of yaw: from elsewhere a fit may end in the wrong half
_STEPS, _LONGEST_STEP, _DAMPING = 40, 0.4, 1e-6  # of Gauss-Newton; the step is in radians
_SHORTEST_STEP = 1e-6  # radians, at which a fit has converged
# Deviations of neighbouring points go together, so standard errors that take them as independent
# are too small. Measured on iBUG's labels: poses from the upper and the lower points of one face,
# or from its two sides, differ by 2.1 to 3.9 times what those say (benchmarks/head_pose.py).
CORRELATION = 2.8
# Heads differ in depth, which one image does not show: deeper by 10 %, a head seems to be turned by
# so much more. The fraction is an assumption.
DEPTH_SPREAD = 0.1
_IDENTITY = np.eye(4)
_PER_AXIS = np.sqrt(2 / np.pi)  # standard deviation along x or y for a mean distance of 1


@dataclass(frozen=True, eq=False)
class HeadPose:
    """The pose of one head; NaN if it has too few points.

    ``yaw``, ``pitch``, ``roll``: degrees, positive to the subject's left, down, and clockwise in
    the image; the order of rotations is that of ``HeadPoses``. ``standard_error``: standard
    deviations of their errors, in degrees, in this order. ``rotation``, ``scale``, ``shift``,
    ``residual``: as of ``HeadPoses``.
    """

    yaw: float
    pitch: float
    roll: float
    standard_error: Float64[np.ndarray, 3]
    rotation: Float64[np.ndarray, "3 3"]
    scale: float
    shift: Float64[np.ndarray, 2]
    residual: float


@dataclass(frozen=True, eq=False)
class HeadPoses:
    """Poses of N heads; NaN for faces with too few points. ``poses[i]`` is one ``HeadPose``.

    ``yaw``, ``pitch``, ``roll``: (N,) degrees. A head is rolled about its own z axis (positive:
    clockwise in the image), then pitched about the camera's x axis (positive: down), then turned
    about the camera's y axis (positive: to the subject's left). ``standard_error``: (N, 3) standard
    deviations of the errors of yaw, pitch and roll, in degrees: from the residual, the Jacobian,
    and how much heads differ in depth. ``rotation``: (N, 3, 3) from the face to the camera; x to
    the image's right, y down, z towards the viewer. ``scale``: (N,) pixels per distance of the
    outer eye corners. ``shift``: (N, 2) the point between the eyes, in pixels. ``residual``: (N,)
    root mean square distance of the points from the mean face, in units of ``scale``.
    """

    rotation: Float64[np.ndarray, "N 3 3"]
    scale: Float64[np.ndarray, " N"]
    shift: Float64[np.ndarray, "N 2"]
    residual: Float64[np.ndarray, " N"]
    standard_error: Float64[np.ndarray, "N 3"]

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, i: int) -> HeadPose:
        return HeadPose(
            yaw=float(self.yaw[i]),
            pitch=float(self.pitch[i]),
            roll=float(self.roll[i]),
            standard_error=self.standard_error[i],
            rotation=self.rotation[i],
            scale=float(self.scale[i]),
            shift=self.shift[i],
            residual=float(self.residual[i]),
        )

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
    return _fit(points, scheme, np.ones(points.shape[:2]))


def fit_weighted(
    points: Float[np.ndarray, "N K 2"],
    scheme: Scheme,
    *,
    scores: Float[np.ndarray, "N K"] | None = None,
    expected: Float[np.ndarray, "N K"] | None = None,
    hidden: Bool[np.ndarray, "N K"] | None = None,
) -> HeadPoses:
    """The same by weighted least squares.

    A point weighs as the inverse of its variance: how much its place differs from person to person
    and with the expression, and the square of its ``expected`` error (pixels). Without ``expected``
    it weighs by its score. Hidden points are left out.
    """
    shown = np.ones(points.shape[:2]) if hidden is None else (~hidden).astype(np.float64)
    spread = np.nan_to_num(spread_of_places(scheme), nan=1.0)
    weights = shown / spread**2
    if scores is not None and expected is None:
        weights = weights * np.nan_to_num(np.clip(scores, 0.01, 1))
    poses = _fit(points, scheme, weights)
    if expected is None:
        return poses
    sigma = _PER_AXIS * np.asarray(expected, dtype=np.float64) / poses.scale[:, None]
    weights = np.nan_to_num(shown / (spread**2 + sigma**2))
    return _fit(points, scheme, weights, start=poses)


def rotation_of(
    yaw: Float[np.ndarray, "*n"] | float,
    pitch: Float[np.ndarray, "*n"] | float,
    roll: Float[np.ndarray, "*n"] | float,
) -> Float64[np.ndarray, "*n 3 3"]:
    """The rotation of a head with these angles, in degrees."""
    yaw, pitch, roll = np.radians(np.broadcast_arrays(yaw, pitch, roll))
    none = np.zeros_like(yaw)
    about = ((none, yaw, none), (-pitch, none, none), (none, none, roll))
    turn, nod, tilt = (rotation_about(np.stack(axis, axis=-1)) for axis in about)
    return turn @ nod @ tilt


def rotation_about(
    axis: Float[np.ndarray, "*n 3"] | tuple[float, float, float],
) -> Float64[np.ndarray, "*n 3 3"]:
    """The rotation about an axis by its length in radians (Rodrigues' formula)."""
    x, y, z = np.moveaxis(np.asarray(axis, dtype=np.float64), -1, 0)
    angle = np.sqrt(x**2 + y**2 + z**2)[..., None, None]
    cross = np.zeros((*x.shape, 3, 3))
    cross[..., 2, 1], cross[..., 0, 2], cross[..., 1, 0] = x, y, z
    cross -= cross.swapaxes(-1, -2).copy()
    # sin(a) / a and (1 - cos(a)) / a^2, exact at 0 too.
    first = np.sinc(angle / np.pi)
    second = np.sinc(angle / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + first * cross + second * cross @ cross


@dataclass(frozen=True, eq=False)
class _Centred:
    """Places and points of M faces relative to their weighted means, and the weights."""

    place: Float64[np.ndarray, "M K 3"]
    seen: Float64[np.ndarray, "M K 2"]
    weight: Float64[np.ndarray, "M K 1"]

    def take(self, at: Int64[np.ndarray, " L"]) -> _Centred:
        return _Centred(self.place[at], self.seen[at], self.weight[at])

    def turned(self, rotation: Float64[np.ndarray, "M 3 3"]) -> Float64[np.ndarray, "M K 3"]:
        return self.place @ rotation.swapaxes(1, 2)

    def scale(self, turned: Float64[np.ndarray, "M K 3"]) -> Float64[np.ndarray, " M"]:
        flat = self.weight * turned[..., :2]
        power = (flat * turned[..., :2]).sum(axis=(1, 2))
        return (flat * self.seen).sum(axis=(1, 2)) / np.maximum(power, 1e-12)


def _fit(
    points: Float[np.ndarray, "N K 2"],
    scheme: Scheme,
    weights: Float64[np.ndarray, "N K"],
    start: HeadPoses | None = None,
) -> HeadPoses:
    """The best fit of those from all starts; from ``start`` alone if it is given."""
    places = mean_face(scheme)
    points = np.asarray(points, dtype=np.float64)
    used = ~np.isnan(points[..., 0]) & ~np.isnan(places[:, 0]) & (weights > 0)
    at = np.flatnonzero(used.sum(axis=1) >= LEAST_POINTS)
    found = _nothing(len(points))
    if not len(at):
        return found
    weight = np.where(used, weights, 0)[at][..., None]
    total = weight.sum(axis=1)
    places, points = np.nan_to_num(places), np.nan_to_num(points[at])
    middle, seen_middle = ((weight * each).sum(axis=1) / total for each in (places, points))
    faces = _Centred(places - middle[:, None], points - seen_middle[:, None], weight)
    if start is None:
        rotation, rest = _best_of_starts(faces)
    else:
        rotation, rest = _refined(faces, np.nan_to_num(start.rotation[at]))
    turned = faces.turned(rotation)
    scale = faces.scale(turned)
    count = used[at].sum(axis=1)
    # A mirrored face is no face: its scale is negative.
    good = (scale > 0) & np.isfinite(rest)
    # 4 parameters and the shift.
    variance = np.where(good, rest, 0) / np.maximum(2 * count - 6, 1)
    filled = {
        "rotation": rotation,
        "scale": scale,
        "shift": seen_middle - scale[:, None] * np.einsum("nij,nj->ni", rotation[:, :2], middle),
        "residual": np.sqrt(rest / total[:, 0]) / np.where(good, scale, 1),
        "standard_error": _standard_errors(faces, rotation, scale, variance),
    }
    for name, values in filled.items():
        getattr(found, name)[at[good]] = values[good]
    return found


def _nothing(count: int) -> HeadPoses:
    return HeadPoses(
        rotation=np.full((count, 3, 3), np.nan),
        scale=np.full(count, np.nan),
        shift=np.full((count, 2), np.nan),
        residual=np.full(count, np.nan),
        standard_error=np.full((count, 3), np.nan),
    )


def _best_of_starts(
    faces: _Centred,
) -> tuple[Float64[np.ndarray, "M 3 3"], Float64[np.ndarray, " M"]]:
    """(rotation, weighted sum of squares) of the best fit of each face."""
    count = len(faces.seen)
    starts = np.concatenate([_upright_start(faces, yaw) for yaw in _STARTS])
    every = np.tile(np.arange(count), len(_STARTS))
    rotation, rest = _refined(faces.take(every), starts)
    best = rest.reshape(len(_STARTS), count).argmin(axis=0) * count + np.arange(count)
    return rotation[best], rest[best]


def _upright_start(faces: _Centred, yaw: float) -> Float64[np.ndarray, "M 3 3"]:
    """A head turned by ``yaw`` degrees, rolled as the points are."""
    turn = np.broadcast_to(rotation_of(yaw, 0.0, 0.0), (len(faces.seen), 3, 3))
    flat, seen = faces.weight * faces.turned(turn)[..., :2], faces.seen
    along = (flat * seen).sum(axis=(1, 2))
    across = (flat[..., 0] * seen[..., 1] - flat[..., 1] * seen[..., 0]).sum(axis=1)
    none = np.zeros_like(along)
    return rotation_about(np.stack([none, none, np.arctan2(across, along)], axis=-1)) @ turn


def _refined(
    faces: _Centred, rotation: Float64[np.ndarray, "M 3 3"]
) -> tuple[Float64[np.ndarray, "M 3 3"], Float64[np.ndarray, " M"]]:
    """(rotation, weighted sum of squares) by Gauss-Newton; the sum is inf for mirrored faces."""
    rotation = rotation.copy()
    moving = np.arange(len(rotation))
    for _ in range(_STEPS):
        some = faces.take(moving)
        turned = some.turned(rotation[moving])
        scale = some.scale(turned)
        slope = _slopes(turned, scale)
        weighted = _weighted_rows(some, slope)
        normal = weighted @ slope
        size = np.trace(normal, axis1=1, axis2=2)[:, None, None]
        rest = some.seen - scale[:, None, None] * turned[..., :2]
        right = weighted @ rest.reshape(len(moving), -1, 1)
        # Damped by its size: a head seen edge on leaves a parameter open.
        damped = normal + (_DAMPING * size + 1e-30) * _IDENTITY
        step = np.linalg.solve(damped, right)[:, :3, 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step = step * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-12))
        rotation[moving] = rotation_about(step) @ rotation[moving]
        moving = moving[length[:, 0] > _SHORTEST_STEP]
        if not len(moving):
            break
    turned = faces.turned(rotation)
    scale = faces.scale(turned)
    rest = faces.weight * (faces.seen - scale[:, None, None] * turned[..., :2]) ** 2
    return rotation, np.where(scale > 0, rest.sum(axis=(1, 2)), np.inf)


def _slopes(
    turned: Float64[np.ndarray, "M K 3"], scale: Float64[np.ndarray, " M"]
) -> Float64[np.ndarray, "M R 4"]:
    """Derivatives of the seen places by a further small rotation, and by the scale.

    Two rows for each point: x and y.
    """
    x, y, z = np.moveaxis(turned, -1, 0)
    slope = np.zeros((*x.shape, 2, 4))
    slope[..., 0, 1], slope[..., 0, 2], slope[..., 1, 0], slope[..., 1, 2] = z, -y, -z, x
    slope *= scale[:, None, None, None]
    slope[..., 3] = turned[..., :2]
    return slope.reshape(len(x), -1, 4)


def _weighted_rows(
    faces: _Centred, slope: Float64[np.ndarray, "M R 4"]
) -> Float64[np.ndarray, "M 4 R"]:
    return (np.repeat(faces.weight, 2, axis=1) * slope).swapaxes(1, 2)


def _standard_errors(
    faces: _Centred,
    rotation: Float64[np.ndarray, "M 3 3"],
    scale: Float64[np.ndarray, " M"],
    variance: Float64[np.ndarray, " M"],
) -> Float64[np.ndarray, "M 3"]:
    """Of yaw, pitch and roll, in degrees. ``variance``: of a point of weight 1, in pixels."""
    slope = _slopes(faces.turned(rotation), scale)
    normal = _weighted_rows(faces, slope) @ slope
    covariance = np.linalg.pinv(normal)[:, :3, :3] * variance[:, None, None]
    # What a small rotation about the camera's axes is in yaw, pitch and roll.
    yaw = np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])
    none, one = np.zeros_like(yaw), np.ones_like(yaw)
    columns = [(none, one, none), (-np.cos(yaw), none, np.sin(yaw)), tuple(rotation[:, :, 2].T)]
    axes = np.stack([np.stack(column, axis=-1) for column in columns], axis=-1)
    angles = np.linalg.pinv(axes)
    of_angles = angles @ covariance @ angles.swapaxes(1, 2)
    of_points = CORRELATION**2 * np.maximum(np.diagonal(of_angles, axis1=1, axis2=2), 0)
    # tan(angle) grows with the depth.
    pitch = np.arcsin(np.clip(rotation[:, 1, 2], -1, 1))
    of_depth = DEPTH_SPREAD / 2 * np.stack([np.sin(2 * yaw), np.sin(2 * pitch), none], axis=-1)
    return np.degrees(np.sqrt(of_points + of_depth**2))
