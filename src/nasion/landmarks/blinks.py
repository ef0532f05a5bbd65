"""Blinks in clips, from how far eyes are open over time.

A blink is a short dip of the openness below 0.6 of its usual level. The level is a high percentile
of the seconds around, so slow changes of the light, of the pose or of where a person looks do not
matter, and no threshold has to be set for a person. Times are used as they are: frames may be
missing and the frame rate may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasion.array_types import Float64
from nasion.errors import SettingError, require

_WINDOW = 5.0  # seconds before and after, in which the level of open eyes is taken
_OPEN = 70  # percentile of the openness that is the level of open eyes
CLOSED, _REOPENED = 0.6, 0.8  # of the level: a dip is a blink below, and has ended above
_LEAST_LEVEL = 0.5  # of the clip's own level: in long sleep the eyes count as closed
_NOISE = 5.0  # standard deviations of the noise that a dip is deeper than
_LONGEST_GAP = 0.25  # seconds without openness, across which nothing is known


@dataclass(frozen=True)
class Blink:
    """``start``, ``end``: seconds at which the eye begins to close and is open again. ``lowest``:
    the time of the smallest openness. ``openness``: that, as a fraction of the open eye's.
    """

    start: float
    end: float
    lowest: float
    openness: float

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.end - self.start


def find_blinks(
    openness: Sequence[float] | np.ndarray,
    seconds: Sequence[float] | np.ndarray,
    longest: float = 0.8,
    closed: float = CLOSED,
) -> tuple[Blink, ...]:
    """The blinks in a sequence of openness values and their times, in order.

    ``openness``: (T,), of one eye or of both, such as ``MeasuredFaces.eyes``; NaN where it is not
    known. ``seconds``: (T,) the time of each value, growing. ``longest``: seconds; eyes that stay
    closed for longer do not blink. ``closed``: a dip that goes below this part of the level of open
    eyes is a blink; above 0, below 0.8. Start and end lie between frames, where the openness
    crosses 80 % of the level. A dip that begins or ends in a gap of more than 0.25 s is left out.
    Raises ``SettingError`` for unequal lengths, times that do not grow, or another ``closed``.
    """
    require(0 < closed < _REOPENED, f"closed is above 0 and below {_REOPENED}; found {closed}.")
    values, times = _checked(openness, seconds)
    if len(values) < 3:
        return ()
    level = _open_level(values, times)
    relative = values / np.maximum(level, 1e-9)
    noise = _noise(relative, closed)
    shut = (relative < closed) & (1 - relative > _NOISE * noise)
    found: list[Blink] = []
    for first in np.flatnonzero(shut & ~np.r_[False, shut[:-1]]).tolist():
        if found and times[first] < found[-1].end:
            continue
        blink = _blink_at(first, relative, times)
        if blink is not None and blink.seconds <= longest:
            found.append(blink)
    return tuple(found)


def _checked(
    openness: Sequence[float] | np.ndarray, seconds: Sequence[float] | np.ndarray
) -> tuple[Float64[np.ndarray, " L"], Float64[np.ndarray, " L"]]:
    """The values that are known, and their times."""
    values, times = np.asarray(openness, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    if values.ndim != 1 or values.shape != times.shape:
        raise SettingError(
            f"Openness of shape {values.shape} with times of shape {times.shape}; one time for "
            "each value expected."
        )
    wrong = np.flatnonzero(~np.isfinite(times) | np.r_[False, ~(np.diff(times) > 0)])
    if len(wrong):
        at = int(wrong[0])
        raise SettingError(
            f"seconds[{at}] is {times[at]}; times are finite numbers, each larger than the one "
            "before."
        )
    known = np.isfinite(values)
    return values[known], times[known]


def _open_level(
    values: Float64[np.ndarray, " L"], times: Float64[np.ndarray, " L"]
) -> Float64[np.ndarray, " L"]:
    """The openness of the open eye at each time."""
    grid = _whole_seconds(times)
    first = np.searchsorted(times, grid - _WINDOW)
    last = np.searchsorted(times, grid + _WINDOW, side="right")
    levels = [
        np.percentile(values[a:b], _OPEN) if b > a else np.nan
        for a, b in zip(first, last, strict=True)
    ]
    known = ~np.isnan(levels)
    level = np.interp(times, grid[known], np.array(levels)[known])
    return np.maximum(level, _LEAST_LEVEL * np.percentile(values, _OPEN))


def _whole_seconds(times: Float64[np.ndarray, " L"]) -> Float64[np.ndarray, " G"]:
    """Once per second, since the level changes slowly; only where values are within the window."""
    passed = np.unique(np.floor(times - times[0]))
    around = np.arange(-_WINDOW, _WINDOW + 2)
    seconds = np.unique(passed[:, None] + around)
    return times[0] + seconds[(seconds >= 0) & (seconds < times[-1] + 1 - times[0])]


def _noise(relative: Float64[np.ndarray, " L"], closed: float) -> float:
    """Standard deviation of a frame's error, from second differences where the eye is open."""
    around = np.stack([relative[:-2], relative[1:-1], relative[2:]])
    bend = np.abs(around[1] - (around[0] + around[2]) / 2)[(around > closed).all(axis=0)]
    # The median of |x| is 0.674 standard deviations; a bend adds half of the neighbours' variance.
    return float(np.median(bend) / 0.674 / np.sqrt(1.5)) if len(bend) else 0.0


def _blink_at(
    first: int, relative: Float64[np.ndarray, " L"], times: Float64[np.ndarray, " L"]
) -> Blink | None:
    """The dip that this closed frame belongs to; None if its beginning or end is not seen."""
    before = first
    while before >= 0 and relative[before] < _REOPENED:
        before -= 1
    after = first
    while after < len(relative) and relative[after] < _REOPENED:
        after += 1
    if before < 0 or after == len(relative):
        return None
    if np.diff(times[before : after + 1]).max() > _LONGEST_GAP:
        return None
    lowest = before + int(np.argmin(relative[before : after + 1]))
    start = _crossing(before, before + 1, relative, times)
    end = _crossing(after - 1, after, relative, times)
    return Blink(start, end, float(times[lowest]), float(relative[lowest]))


def _crossing(
    a: int, b: int, relative: Float64[np.ndarray, " L"], times: Float64[np.ndarray, " L"]
) -> float:
    """When the openness crosses ``_REOPENED`` between two neighbouring frames."""
    part = (_REOPENED - relative[a]) / (relative[b] - relative[a])
    return float(times[a] + part * (times[b] - times[a]))
