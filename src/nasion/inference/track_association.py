"""Tracks of faces, and which newly found face belongs to which: by expected place and by size.

A face that is out of sight may have stopped or moved on, so it may come back anywhere between the
place where it was seen last and the place where its speed would have taken it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nasion.array_types import Float, Float64
from nasion.inference.smoothing import SmoothedFace
from nasion.landmarks.face import Face

DEFAULT_PATIENCE = 0.7  # seconds for which a face may be out of sight and keep its number
_DAMPING = 0.5  # seconds in which an unseen face is expected to lose most of its speed
_MEASURE_SPEED = 0.1  # seconds over which speed is measured: one frame's jitter is not a movement
# How far from where it is expected a face may be, in sides of its box. Neighbours sit further
# apart than one side.
_REACH, _REACH_PER_SECOND, _MAX_REACH = 0.6, 0.5, 1.0
_MAX_SIZE_RATIO = 2.0  # a box that is larger or smaller by more is another face's


@dataclass(frozen=True, eq=False)
class Track:
    """A tracked face as it was seen last.

    ``trail``: (seconds, centre) of the last moments. ``lost_at``: time of the first frame without
    it; None while it is in view.
    """

    number: int
    face: Face
    seconds: float
    smoothed: SmoothedFace | None
    trail: tuple[tuple[float, Float64[np.ndarray, 2]], ...]
    lost_at: float | None = None
    speed: Float64[np.ndarray, 2] = field(init=False)

    def __post_init__(self) -> None:
        (start, before), (end, now) = self.trail[0], self.trail[-1]
        speed = (now - before) / (end - start) if end > start else np.zeros(2)
        object.__setattr__(self, "speed", speed)

    @property
    def side(self) -> float:
        return box_side(self.face.box)

    def box_at(self, seconds: float) -> Float64[np.ndarray, 4]:
        """Where its box is expected at that time: its speed fades."""
        elapsed = seconds - self.seconds
        moved = self.speed * _DAMPING * (1 - np.exp(-elapsed / _DAMPING))
        # Both corners move alike.
        return self.face.box.astype(np.float64) + np.tile(moved, 2)

    def distance(self, box: Float[np.ndarray, 4], seconds: float) -> float:
        """From its expected place to a box's, in sides; infinite if the box cannot be its own."""
        sides = (self.side, box_side(box))
        mean_side = sum(sides) / 2
        if max(sides) > _MAX_SIZE_RATIO * min(sides):
            return float("inf")
        elapsed = seconds - self.seconds
        path = (self.trail[-1][1], self.trail[-1][1] + self.speed * elapsed)
        reach = min(_REACH + _REACH_PER_SECOND * elapsed, _MAX_REACH)
        if _distance_to_segment(box_center(box), *path) > reach * mean_side:
            return float("inf")
        apart = box_center(box) - box_center(self.box_at(seconds))
        return float(np.hypot(*apart)) / mean_side

    def has_left(self, width: int, height: int, seconds: float) -> bool:
        """True if it is expected outside the image."""
        x, y = box_center(self.box_at(seconds))
        return not (0 <= x < width and 0 <= y < height)


def trail_after(
    track: Track | None, face: Face, seconds: float
) -> tuple[tuple[float, Float64[np.ndarray, 2]], ...]:
    """The trail of a track that goes on with this face; None: of a new one."""
    now = (seconds, box_center(face.box))
    before = () if track is None else tuple(step for step in track.trail if step[0] < seconds)
    # At low frame rates the frame before is older than the window, and still the best to measure.
    recent = [step for step in before[:-1] if seconds - step[0] <= _MEASURE_SPEED]
    return (*recent, *before[-1:], now)


def associate(faces: Sequence[Face], tracks: Sequence[Track], seconds: float) -> list[Track | None]:
    """For each face the track that it continues, or None; the nearest pairs first."""
    pairs = []
    for f, face in enumerate(faces):
        for t, track in enumerate(tracks):
            distance = track.distance(face.box, seconds)
            if np.isfinite(distance):
                pairs.append((distance, f, t))
    of_face: dict[int, int] = {}
    for _, f, t in sorted(pairs):
        if f not in of_face and t not in of_face.values():
            of_face[f] = t
    return [tracks[of_face[f]] if f in of_face else None for f in range(len(faces))]


def box_side(box: Float[np.ndarray, 4]) -> float:
    """The longer side of a box, at least a pixel."""
    return max(float((box[2:] - box[:2]).max()), 1.0)


def box_center(box: Float[np.ndarray, 4]) -> Float64[np.ndarray, 2]:
    return box.reshape(2, 2).mean(0, dtype=np.float64)


def _distance_to_segment(
    point: Float64[np.ndarray, 2], start: Float64[np.ndarray, 2], end: Float64[np.ndarray, 2]
) -> float:
    along = end - start
    length = float(along @ along)
    # The nearest place on the segment: 0 at its start, 1 at its end.
    at = float(np.clip((point - start) @ along / length, 0, 1)) if length > 0 else 0.0
    return float(np.hypot(*(point - start - at * along)))
