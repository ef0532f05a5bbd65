"""Smooth points in video: the one-euro filter (Casiez, Roussel and Vogel, CHI 2012).

It smooths what is still and lets through what moves. A face is filtered in two parts: its pose
(position, size and rotation, four numbers that all points share, so they are known well), and its
shape, the points within that pose. So jitter is smoothed strongly without the face lagging behind.
Points without extent (a single one, or all at one place) have no size and no angle; their position
alone is filtered. The chances that points can be seen are filtered alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nasion.array_types import Bool, Float32, Float64
from nasion.errors import require
from nasion.landmarks.face import VISIBLE

# Of beta: points move less within a face than faces do, and are known less well.
_SHAPE_BETA = 1 / 4
# Of beta: chances change by up to 1, points by small parts of a face.
_CHANCE_BETA = 1 / 400
# Hysteresis: by how much a chance must pass VISIBLE before a point turns hidden or visible.
_PAST = 0.05
_JUST_HIDDEN = VISIBLE - 1e-4  # still below VISIBLE with the four digits of files
_MAX_CUTOFF = 1e100  # Hz
_MIN_EXTENT = 1.0  # pixels: points that lie closer together say neither size nor angle


@dataclass(frozen=True)
class OneEuro:
    """The filter's parameters. Lengths are in face sizes, angles in radians.

    Movement slower than ``min_cutoff`` (Hz) passes. The cutoff rises by ``beta`` Hz times the
    squared speed, which is smoothed at ``derivative_cutoff`` (Hz). In the paper it rises with the
    speed itself; with the square, jitter, whose speed is small, hardly raises it and falls half as
    much again at the same lag (benchmarks/jitter.py).
    """

    min_cutoff: float = 0.4
    beta: float = 400.0
    derivative_cutoff: float = 1.5

    def __post_init__(self) -> None:
        for name in ("min_cutoff", "derivative_cutoff"):
            cutoff = getattr(self, name)
            require(
                cutoff > 0 and bool(np.isfinite(cutoff)),
                f"{name} is a frequency above 0 Hz, and finite; found {cutoff}.",
            )
        require(
            self.beta >= 0 and bool(np.isfinite(self.beta)),
            f"beta is 0 or more, and finite; found {self.beta}.",
        )


DEFAULT_SMOOTHING = OneEuro()


@dataclass(frozen=True, eq=False)
class _FilterState:
    """Rows of numbers: smoothed, their smoothed speeds per second, and as they came."""

    value: Float64[np.ndarray, "K D"]
    speed: Float64[np.ndarray, "K D"]
    raw: Float64[np.ndarray, "K D"]


@dataclass(frozen=True, eq=False)
class _Chances:
    state: _FilterState
    hidden: Bool[np.ndarray, " K"]


@dataclass(frozen=True, eq=False)
class SmoothedFace:
    """A face's smoothed points, and the filter's state.

    ``mean``: the face around 0 that pose is measured against; all 0 if its points had no extent.
    ``size``: the unit of lengths, in pixels. ``chances``: that points can be seen; None if the
    network does not predict it.
    """

    points: Float64[np.ndarray, "K 2"]
    seconds: float
    pose: _FilterState
    shape: _FilterState
    mean: Float64[np.ndarray, "K 2"]
    size: float
    chances: _Chances | None = None

    @property
    def visible(self) -> Float32[np.ndarray, " K"] | None:
        """The smoothed chances that points can be seen.

        A point whose chance is near ``VISIBLE`` stays hidden or visible, as it was; then the chance
        is kept on that side.
        """
        if self.chances is None:
            return None
        value, hidden = self.chances.state.value[:, 0], self.chances.hidden
        sided = np.where(hidden, np.minimum(value, _JUST_HIDDEN), np.maximum(value, VISIBLE))
        return sided.astype(np.float32)


def smooth(
    points: Float64[np.ndarray, "K 2"],
    seconds: float,
    before: SmoothedFace | None,
    settings: OneEuro,
    visible: Float32[np.ndarray, " K"] | None = None,
    box_side: float = 1.0,
) -> SmoothedFace:
    """Smooth a face's points at this time, and the chances that they can be seen.

    ``before``: None for the first of a track. ``box_side``: of the face's box, the unit of lengths
    if its first points have no extent.
    """
    mean, size = _reference(points, box_side) if before is None else (before.mean, before.size)
    pose, shape = _split(points, mean, size, None if before is None else before.pose.raw)
    # Without time between two frames there is no speed, so the filter starts anew.
    if before is None or seconds <= before.seconds:
        chances = _smooth_chances(visible, None, 0.0, settings)
        return SmoothedFace(points, seconds, _start(pose), _start(shape), mean, size, chances)
    elapsed = seconds - before.seconds
    poses = _filter(before.pose, _unwrap(pose, before.pose.raw), elapsed, settings)
    slower = replace(settings, beta=settings.beta * _SHAPE_BETA)
    shapes = _filter(before.shape, shape, elapsed, slower)
    chances = _smooth_chances(visible, before.chances, elapsed, settings)
    smoothed = _join(poses.value, shapes.value, size)
    return SmoothedFace(smoothed, seconds, poses, shapes, mean, size, chances)


def _smooth_chances(
    visible: Float32[np.ndarray, " K"] | None,
    before: _Chances | None,
    elapsed: float,
    settings: OneEuro,
) -> _Chances | None:
    if visible is None:
        return None
    value = visible.astype(np.float64)[:, None]
    if before is None:
        return _Chances(_start(value), visible < VISIBLE)
    slower = replace(settings, beta=settings.beta * _CHANCE_BETA)
    state = _filter(before.state, value, elapsed, slower)
    limit = np.where(before.hidden, VISIBLE + _PAST, VISIBLE - _PAST)
    return _Chances(state, state.value[:, 0] < limit)


def _start(value: Float64[np.ndarray, "K D"]) -> _FilterState:
    return _FilterState(value, np.zeros_like(value), value)


def _filter(
    state: _FilterState, value: Float64[np.ndarray, "K D"], elapsed: float, settings: OneEuro
) -> _FilterState:
    weight = _low_pass(settings.derivative_cutoff, elapsed)
    # From the raw values, so that the filter's own lag is not part of the speed.
    speed = state.speed + weight * ((value - state.raw) / elapsed - state.speed)
    # One cutoff for all numbers of a row, so that a movement keeps its direction.
    cutoff = settings.min_cutoff + settings.beta * (speed**2).sum(1, keepdims=True)
    smoothed = state.value + _low_pass(cutoff, elapsed) * (value - state.value)
    return _FilterState(smoothed, speed, value)


def _low_pass(cutoff: Any, elapsed: float) -> Any:
    """The weight of a new value in a low-pass filter of this cutoff."""
    # A first-order filter's time constant is 1 / (2 pi cutoff), and its weight for a value after
    # `elapsed` is elapsed / (elapsed + constant).
    # Far below the largest cutoff it is 1 to the last digit; infinity over infinity is no number.
    ratio = 2 * np.pi * np.minimum(cutoff, _MAX_CUTOFF) * elapsed
    return ratio / (ratio + 1)


def _reference(
    points: Float64[np.ndarray, "K 2"], box_side: float
) -> tuple[Float64[np.ndarray, "K 2"], float]:
    """The face around 0 that a track's pose is measured against, and its longer side."""
    mean = points - points.mean(0)
    extent = float(np.ptp(mean, axis=0).max())
    return (np.zeros_like(mean), box_side) if extent < _MIN_EXTENT else (mean, extent)


def _split(
    points: Float64[np.ndarray, "K 2"],
    mean: Float64[np.ndarray, "K 2"],
    size: float,
    before: Float64[np.ndarray, "1 4"] | None,
) -> tuple[Float64[np.ndarray, "1 4"], Float64[np.ndarray, "K 2"]]:
    """A face as pose (x, y in sizes of ``mean``, log of its size, angle) and shape, in sizes.

    ``before``: the pose before, whose size and angle stay where the points say none.
    """
    center = points.mean(0)
    a, b = _fit(points - center, mean)
    factor = np.hypot(a, b)
    if factor * size >= _MIN_EXTENT:
        log_size, angle = np.log(factor), np.arctan2(b, a)
    else:
        log_size, angle = (0.0, 0.0) if before is None else before[0, 2:]
    # All four in comparable units, as they share a cutoff: face sizes, a log, so that growing and
    # shrinking weigh alike, and radians.
    pose = np.array([[center[0] / size, center[1] / size, log_size, angle]])
    return pose, (points - center) @ _rotation(-angle) / np.exp(log_size) / size


def _unwrap(
    pose: Float64[np.ndarray, "1 4"], before: Float64[np.ndarray, "1 4"]
) -> Float64[np.ndarray, "1 4"]:
    """The same pose with its angle less than half a turn from the one before."""
    unwrapped = pose.copy()
    # The difference brought to -pi .. pi: from 179 to -179 degrees are two degrees, not 358.
    turn = (pose[0, 3] - before[0, 3] + np.pi) % (2 * np.pi) - np.pi
    unwrapped[0, 3] = before[0, 3] + turn
    return unwrapped


def _join(
    pose: Float64[np.ndarray, "1 4"], shape: Float64[np.ndarray, "K 2"], size: float
) -> Float64[np.ndarray, "K 2"]:
    """The inverse of ``_split``."""
    x, y, log_size, angle = pose[0]
    return shape * size * np.exp(log_size) @ _rotation(angle) + np.array([x, y]) * size


def _fit(
    points: Float64[np.ndarray, "K 2"], mean: Float64[np.ndarray, "K 2"]
) -> tuple[float, float]:
    """The rotation and size, as a complex number, that bring ``mean`` nearest to ``points``."""
    # With points as complex numbers x + iy, sum |p - c m|^2 is least for c = sum(p * conj(m)) /
    # sum(|m|^2). Its length is the size, its angle the rotation.
    norm = max(float((mean**2).sum()), 1e-12)
    cross = points[:, 1] * mean[:, 0] - points[:, 0] * mean[:, 1]
    return float((points * mean).sum()) / norm, float(cross.sum()) / norm


def _rotation(angle: float) -> Float64[np.ndarray, "2 2"]:
    """Rotates rows of points clockwise in the image."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
