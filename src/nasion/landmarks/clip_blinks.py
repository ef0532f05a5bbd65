"""Blinks of the faces that are tracked through clips, collected frame by frame."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

from nasion.landmarks.blinks import Blink, find_blinks
from nasion.landmarks.face import ImageResult


@dataclass
class _Openness:
    """Of one face's eyes over time. 16 bytes per frame: an hour at 25 a second is 1.4 MB."""

    seconds: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))


class ClipBlinks:
    """Add each measured frame's result; ``found`` tells the blinks of each face."""

    def __init__(self) -> None:
        self._openness: dict[tuple[str, int], _Openness] = {}

    def add(self, result: ImageResult) -> None:
        """Images, frames that are not measured, and eyes that are not known count for nothing."""
        if result.seconds is None or result.measured is None:
            return
        video = result.name.rpartition("@")[0]
        for face, measured in zip(result.faces, result.measured, strict=True):
            eyes = measured.measures.eyes
            if face.track is None or not math.isfinite(eyes):
                continue
            own = self._openness.setdefault((video, face.track), _Openness())
            # Damaged clips may go back in time.
            if not own.seconds or result.seconds > own.seconds[-1]:
                own.seconds.append(result.seconds)
                own.values.append(eyes)

    def found(self) -> dict[tuple[str, int], tuple[Blink, ...]]:
        """The blinks by video and track, of every face whose eyes were measured."""
        return {key: find_blinks(own.values, own.seconds) for key, own in self._openness.items()}
