"""Calmer points in clips: the one-euro filter (Casiez, Roussel and Vogel, CHI 2012), which smooths what is still and lets pass what moves.

A face is filtered in two parts: where it is, how large and how far turned (its pose, four numbers that all points share, so that they
are known well), and the places of its points within that pose. Points that only tremble are smoothed much without the face lagging behind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from nasion.errors import require

_CALMER = 4  # times: points within a face move less than faces do, and each is known less well


@dataclass(frozen=True)
class OneEuro:
    """The filter's parameters; lengths in parts of the face's size, angles in radians.

    What moves slower than ``min_cutoff`` (Hz) passes; the cutoff rises by ``beta`` Hz times the square of the speed per second, which
    is smoothed at ``derivative_cutoff`` (Hz). The paper's cutoff rises with the speed itself: with the square, trembling, whose speed
    is small, raises it hardly, and jitter falls half as much again at the same lag (benchmarks/jitter.py).
    """

    min_cutoff: float = 0.4
    beta: float = 400.0
    derivative_cutoff: float = 1.5

    def __post_init__(self) -> None:
        cutoffs = (self.min_cutoff, self.derivative_cutoff)
        require(min(cutoffs) > 0 and bool(np.isfinite(cutoffs).all()), f"Cutoffs are frequencies above 0 Hz; found {self}.")
        require(self.beta >= 0 and bool(np.isfinite(self.beta)), f"beta must not be below 0, nor infinite; found {self.beta}.")


CALM = OneEuro()


@dataclass(frozen=True, eq=False)
class _Past:
    """What the filter remembers of rows of numbers: smoothed, their smoothed speeds per second, and as they came."""

    value: Float64[np.ndarray, "K D"]
    speed: Float64[np.ndarray, "K D"]
    raw: Float64[np.ndarray, "K D"]


@dataclass(frozen=True, eq=False)
class Calm:
    """A face's smoothed points, and what is needed to go on from them."""

    points: Float64[np.ndarray, "K 2"]
    seconds: float
    pose: _Past
    shape: _Past
    mean: Float64[np.ndarray, "K 2"]  # the face about 0 by which pose is told


def smoothed(points: Float64[np.ndarray, "K 2"], seconds: float, before: Calm | None, how: OneEuro) -> Calm:
    """The points of a face at this time, calmed by what was ``before`` (None: the first of a track)."""
    mean = points - points.mean(0) if before is None else before.mean
    pose, shape = _apart(points, mean)
    if before is None or seconds <= before.seconds:
        return Calm(points, seconds, _first(pose), _first(shape), mean)
    passed = seconds - before.seconds
    poses = _step(before.pose, _unwound(pose, before.pose.raw), passed, how)
    shapes = _step(before.shape, shape, passed, replace(how, beta=how.beta / _CALMER))
    return Calm(_together(poses.value, shapes.value, mean), seconds, poses, shapes, mean)


def _first(value: Float64[np.ndarray, "K D"]) -> _Past:
    return _Past(value, np.zeros_like(value), value)


def _step(past: _Past, value: Float64[np.ndarray, "K D"], passed: float, how: OneEuro) -> _Past:
    speed = past.speed + _share(how.derivative_cutoff, passed) * ((value - past.raw) / passed - past.speed)
    # All of a row's numbers are as fast as the row, so that a movement keeps its direction.
    cutoff = how.min_cutoff + how.beta * (speed**2).sum(1, keepdims=True)
    return _Past(past.value + _share(cutoff, passed) * (value - past.value), speed, value)


def _share(cutoff: Any, passed: float) -> Any:
    """How much of a new value a low-pass filter of this cutoff takes after so many seconds."""
    turn = 2 * np.pi * cutoff * passed
    return turn / (turn + 1)


def _apart(points: Float64[np.ndarray, "K 2"], mean: Float64[np.ndarray, "K 2"]) -> tuple[Float64[np.ndarray, "1 4"], Float64[np.ndarray, "K 2"]]:
    """A face as its pose (x and y in sizes of ``mean``, logarithm of its size, angle) and its shape, in sizes."""
    size = _size(mean)
    middle = points.mean(0)
    a, b = _fitted(points - middle, mean)
    factor, angle = np.hypot(a, b), np.arctan2(b, a)
    pose = np.array([[middle[0] / size, middle[1] / size, np.log(factor), angle]])
    return pose, (points - middle) @ _turn(-angle) / factor / size


def _unwound(pose: Float64[np.ndarray, "1 4"], before: Float64[np.ndarray, "1 4"]) -> Float64[np.ndarray, "1 4"]:
    """The same pose with its angle less than half a turn from the one before."""
    turned = pose.copy()
    turned[0, 3] = before[0, 3] + (pose[0, 3] - before[0, 3] + np.pi) % (2 * np.pi) - np.pi
    return turned


def _together(pose: Float64[np.ndarray, "1 4"], shape: Float64[np.ndarray, "K 2"], mean: Float64[np.ndarray, "K 2"]) -> Float64[np.ndarray, "K 2"]:
    x, y, logarithm, angle = pose[0]
    size = _size(mean)
    return shape * size * np.exp(logarithm) @ _turn(angle) + np.array([x, y]) * size


def _fitted(points: Float64[np.ndarray, "K 2"], mean: Float64[np.ndarray, "K 2"]) -> tuple[float, float]:
    """The turn and size, as a complex number's parts, that bring ``mean`` nearest to ``points`` (both about 0)."""
    norm = max(float((mean**2).sum()), 1e-12)
    return float((points * mean).sum()) / norm, float((points[:, 1] * mean[:, 0] - points[:, 0] * mean[:, 1]).sum()) / norm


def _turn(angle: float) -> Float64[np.ndarray, "2 2"]:
    """Turns rows of points by so much, clockwise in the picture."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _size(mean: Float64[np.ndarray, "K 2"]) -> float:
    """The longer side of a face."""
    return max(float(np.ptp(mean, axis=0).max()), 1e-6)
