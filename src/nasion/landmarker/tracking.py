"""Faces of a clip, frame by frame: each keeps its number, and its points are calmed.

Where a face was in the frame before says where to look for it now, so that the detector is needed only now and then, for faces that are new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from nasion.errors import require
from nasion.landmarker import Face, Landmarker, apart, shared
from nasion.landmarker.smoothing import CALM, Calm, OneEuro, smoothed

_SAME = 0.3  # a box that shares more of the union with a tracked face's is that face
_REMEMBERED = 0.7  # seconds after which a face that was lost is a new one
_JUMP = 0.5  # of its side: a face that moved further between two frames is another


@dataclass(frozen=True, eq=False)
class _Track:
    """A face that is followed: as it was seen last, its calmed points, how it moves per second."""

    number: int
    face: Face
    seconds: float
    calm: Calm | None
    pace: Float32[np.ndarray, 2]

    def expected(self, seconds: float) -> Float32[np.ndarray, 4]:
        """Its box at that time."""
        return self.face.box + np.tile(self.pace * np.float32(seconds - self.seconds), 2)


class Tracker:
    """Call it with a clip's frames in their order; it holds what it knows of the faces between them.

    ``every``: the detector looks for new faces in each so-manieth frame, and in all frames while there is no face.
    ``smoothing``: None leaves points as they are found.
    """

    def __init__(self, landmarker: Landmarker, smoothing: OneEuro | None = CALM, every: int = 5) -> None:
        require(every > 0, f"The detector looks in each so-manieth frame, from 1; found {every}.")
        self.landmarker, self.smoothing, self.every = landmarker, smoothing, every
        # A head that is upside down can only be found anew, and a network without scores does not notice that a face is gone.
        self._follows = len(landmarker.turns) == 1 and landmarker.model.calibration is not None
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._frames = self._numbers = 0

    def __call__(self, pixels: UInt8[np.ndarray, "H W ..."], seconds: float) -> list[Face]:
        """The faces in this frame, each with its ``track``; ``seconds``: the frame's time in the clip."""
        if not self._follows:
            found = self._known(self.landmarker(pixels), seconds)
        elif not (found := self._followed(pixels, seconds)) or self._frames % self.every == 0:
            found = sorted(found + self._new(pixels, seconds, found), key=lambda pair: pair[0])[: self.landmarker.most]
        self._frames += 1
        numbers = {number for number, _ in found}
        self._lost = [track for track in self._lost + self._tracks if track.number not in numbers and seconds - track.seconds <= _REMEMBERED]
        known = {track.number: track for track in self._tracks}
        self._tracks = [self._on(known.get(number), number, face, seconds) for number, face in found]
        return [self._said(track) for track in self._tracks]

    def _followed(self, pixels: UInt8[np.ndarray, "H W ..."], seconds: float) -> list[tuple[int, Face]]:
        """The tracked faces that are still there."""
        if not self._tracks:
            return []
        boxes = np.stack([track.expected(seconds) for track in self._tracks])
        found = []
        for track, face in zip(self._tracks, self.landmarker.within(pixels, boxes), strict=True):
            moved = np.abs(face.box - track.face.box).max() / max(float((track.face.box[2:] - track.face.box[:2]).max()), 1.0)
            if face.score >= self.landmarker.least and moved < _JUMP and np.isfinite(face.points).all():
                found.append((track.number, face))
        # Two that came to follow one face: the older stays.
        kept: list[tuple[int, Face]] = []
        for number, face in sorted(found, key=lambda pair: pair[0]):
            if all(shared(face.box, other.box) <= _SAME for _, other in kept):
                kept.append((number, face))
        return kept

    def _known(self, faces: list[Face], seconds: float) -> list[tuple[int, Face]]:
        """Faces that were found anew, with the numbers of those that were there."""
        numbered = []
        free = [*self._tracks, *self._lost]
        for face in faces:
            same = max(free, key=lambda track: shared(track.expected(seconds), face.box), default=None)
            if same is not None and shared(same.expected(seconds), face.box) > _SAME:
                free.remove(same)
                numbered.append((same.number, face))
            else:
                self._numbers += 1
                numbered.append((self._numbers, face))
        return sorted(numbered, key=lambda pair: pair[0])

    def _new(self, pixels: UInt8[np.ndarray, "H W ..."], seconds: float, found: list[tuple[int, Face]]) -> list[tuple[int, Face]]:
        """Faces that the detector sees where none is followed."""
        landmarker = self.landmarker
        if landmarker.detector is None:
            fresh = [] if found else landmarker(pixels)
        else:
            seen = landmarker.detector(pixels)
            free = np.array([all(shared(box, face.box) <= _SAME for _, face in found) for box in seen.boxes], dtype=bool)
            fresh = apart([face for face in landmarker.within(pixels, seen.boxes[free], seen.scores[free]) if face.score >= landmarker.least])
        new = []
        for face in fresh:
            if any(shared(face.box, other.box) > _SAME for _, other in found):
                continue
            back = next((track for track in self._lost if shared(track.face.box, face.box) > _SAME), None)
            if back is None:
                self._numbers += 1
            else:
                self._lost.remove(back)
            new.append((self._numbers if back is None else back.number, face))
        return new

    def _on(self, before: _Track | None, number: int, face: Face, seconds: float) -> _Track:
        calm, pace = None, np.zeros(2, dtype=np.float32)
        if before is not None and seconds > before.seconds:
            pace = ((face.box - before.face.box).reshape(2, 2).mean(0) / np.float32(seconds - before.seconds)).astype(np.float32)
        if self.smoothing is not None:
            calm = smoothed(face.points.astype(np.float64), seconds, None if before is None else before.calm, self.smoothing)
        return _Track(number, face, seconds, calm, pace)

    def _said(self, track: _Track) -> Face:
        if track.calm is None:
            return replace(track.face, track=track.number)
        points = track.calm.points.astype(np.float32)
        return replace(track.face, points=points, box=np.concatenate([points.min(0), points.max(0)]), track=track.number)
