"""Track faces through a video: each keeps its number, and its points are smoothed.

Where a face was in the frame before tells where to look for it now, so the detector is needed only
now and then, for new faces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from nasion.errors import require
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro, SmoothedFace, smooth
from nasion.landmarks.boxes import iou, nms, overlaps_any
from nasion.landmarks.face import Face

_SAME_FACE = 0.3  # IoU from which a box is the tracked face's
_NMS = 0.4  # IoU from which two newly found faces are one
_REMEMBER = 0.7  # seconds after which a lost face counts as a new one
_MAX_JUMP = 0.5  # of its side: a face that moved further between two frames is another one


@dataclass(frozen=True, eq=False)
class _Track:
    """A tracked face: as it was seen last, its smoothed points, its speed per second."""

    number: int
    face: Face
    seconds: float
    smoothed: SmoothedFace | None
    speed: Float32[np.ndarray, 2]

    def box_at(self, seconds: float) -> Float32[np.ndarray, 4]:
        """Where its box is expected at that time."""
        # Both corners move alike.
        return self.face.box + np.tile(self.speed * np.float32(seconds - self.seconds), 2)


class Tracker:
    """Call it with a video's frames in order; it keeps what it knows of the faces between them.

    ``detect_every``: run the detector on every n-th frame, and on all frames while there is no
    face. ``smoothing``: None leaves points as they are found.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        smoothing: OneEuro | None = DEFAULT_SMOOTHING,
        detect_every: int = 5,
    ) -> None:
        require(detect_every > 0, f"detect_every must be 1 or more; found {detect_every}.")
        self.landmarker: Landmarker = landmarker
        self.smoothing: OneEuro | None = smoothing
        self.detect_every: int = detect_every
        # Rotated faces need the detector, and a network without scores does not notice that a face
        # has gone.
        has_scores = landmarker.predictor.calibration is not None
        self._can_follow = len(landmarker.rotations) == 1 and has_scores
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._frames = self._numbers = 0

    def __call__(self, pixels: UInt8[np.ndarray, "H W ..."], seconds: float) -> list[Face]:
        """The faces in this frame, each with its ``track``; ``seconds``: the frame's time."""
        if not self._can_follow:
            found = self._match(self.landmarker(pixels), seconds)
        else:
            found = self._follow(pixels, seconds)
            if not found or self._frames % self.detect_every == 0:
                found += self._detect(pixels, [face for _, face in found])
                # By number: faces that are tracked already go before new ones.
                found = sorted(found, key=lambda pair: pair[0])[: self.landmarker.max_faces]
        self._frames += 1
        numbers = {number for number, _ in found}
        gone = [track for track in self._lost + self._tracks if track.number not in numbers]
        self._lost = [track for track in gone if seconds - track.seconds <= _REMEMBER]
        # Not of `_lost`: a face that comes back keeps its number, but filter and speed start anew.
        known = {track.number: track for track in self._tracks}
        self._tracks = [self._update(known.get(n), n, face, seconds) for n, face in found]
        return [_face_of(track) for track in self._tracks]

    def _follow(
        self, pixels: UInt8[np.ndarray, "H W ..."], seconds: float
    ) -> list[tuple[int, Face]]:
        """The tracked faces that are still there."""
        if not self._tracks:
            return []
        boxes = np.stack([track.box_at(seconds) for track in self._tracks])
        found = []
        faces = self.landmarker.predictor.faces_in(pixels, boxes)
        for track, face in zip(self._tracks, faces, strict=True):
            side = max(float((track.face.box[2:] - track.face.box[:2]).max()), 1.0)
            jump = np.abs(face.box - track.face.box).max() / side
            is_face = face.score >= self.landmarker.min_score and np.isfinite(face.points).all()
            if is_face and jump < _MAX_JUMP:
                found.append((track.number, face))
        # Of two tracks that follow one face, the older stays.
        kept: list[tuple[int, Face]] = []
        for number, face in sorted(found, key=lambda pair: pair[0]):
            if not overlaps_any(face.box, [other for _, other in kept], _SAME_FACE):
                kept.append((number, face))
        return kept

    def _match(self, faces: list[Face], seconds: float) -> list[tuple[int, Face]]:
        """Newly found faces with the numbers of the tracks that they overlap most."""
        numbered = []
        free = [*self._tracks, *self._lost]
        for face in faces:
            number = None
            if free:
                overlap = iou(face.box, np.stack([track.box_at(seconds) for track in free]))
                best = int(overlap.argmax())
                if overlap[best] > _SAME_FACE:
                    # Each track is given out once, to the first face: the best one, as faces come
                    # best first.
                    number = free.pop(best).number
            numbered.append((self._new_number() if number is None else number, face))
        return sorted(numbered, key=lambda pair: pair[0])

    def _detect(
        self, pixels: UInt8[np.ndarray, "H W ..."], followed: list[Face]
    ) -> list[tuple[int, Face]]:
        """Faces that the detector finds where none is followed."""
        landmarker = self.landmarker
        if landmarker.detector is None:
            fresh = [] if followed else landmarker(pixels)
        else:
            boxes, scores = landmarker.detect(pixels)
            # Before the network, to save its time, and again below, when the points have made a
            # box.
            free = [not overlaps_any(box, followed, _SAME_FACE) for box in boxes]
            at = np.array(free, dtype=bool)
            faces = landmarker.predictor.faces_in(pixels, boxes[at], scores[at])
            fresh = nms([face for face in faces if face.score >= landmarker.min_score], _NMS)
        new = []
        for face in fresh:
            if overlaps_any(face.box, followed, _SAME_FACE):
                continue
            # At the box where it was seen last, not where its speed would have taken it.
            back = [t for t in self._lost if overlaps_any(t.face.box, [face], _SAME_FACE)]
            if back:
                self._lost.remove(back[0])
            new.append((back[0].number if back else self._new_number(), face))
        return new

    def _new_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _update(self, before: _Track | None, number: int, face: Face, seconds: float) -> _Track:
        smoothed, speed = None, np.zeros(2, dtype=np.float32)
        if before is not None and seconds > before.seconds:
            # The mean of both corners' movement is the centre's.
            moved = (face.box - before.face.box).reshape(2, 2).mean(0)
            speed = (moved / np.float32(seconds - before.seconds)).astype(np.float32)
        if self.smoothing is not None:
            state = None if before is None else before.smoothed
            smoothed = smooth(face.points.astype(np.float64), seconds, state, self.smoothing)
        return _Track(number, face, seconds, smoothed, speed)


def _face_of(track: _Track) -> Face:
    if track.smoothed is None:
        return replace(track.face, track=track.number)
    points = track.smoothed.points.astype(np.float32)
    box = np.concatenate([points.min(0), points.max(0)])
    return replace(track.face, points=points, box=box, track=track.number)
