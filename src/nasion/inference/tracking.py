"""Track faces through a video: each keeps its number, and its points and ``visible`` are smoothed.

Where a face was in the frame before tells where to look for it now, so the detector is needed only
now and then, for new faces and for those that come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasion.array_types import UInt8
from nasion.errors import require
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro, smooth
from nasion.inference.track_association import (
    DEFAULT_PATIENCE,
    Track,
    associate,
    box_side,
    trail_after,
)
from nasion.landmarks.boxes import face_boxes, nms, overlaps_any
from nasion.landmarks.face import Face

_SAME_FACE = 0.3  # IoU from which two boxes are one face's
_NMS = 0.4  # IoU from which two newly found faces are one
_MAX_JUMP = 0.5  # of its side: a face that far from where it is expected is another one
# Seconds: after a longer pause a face may be anywhere near, and a crop at its last place would be
# off, so faces are detected anew.
_MAX_PAUSE = 0.15


class Tracker:
    """Call it with a video's frames in order; it keeps what it knows of the faces between them.

    ``detect_every``: run the detector on every n-th frame, and on all frames while a face is
    missing. ``smoothing``: of points and ``visible``; None leaves both as they are found.
    ``patience``: seconds for which a face may be out of sight and keep its number, from the first
    frame without it.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        smoothing: OneEuro | None = DEFAULT_SMOOTHING,
        detect_every: int = 5,
        patience: float = DEFAULT_PATIENCE,
    ) -> None:
        require(detect_every > 0, f"detect_every must be 1 or more; found {detect_every}.")
        require(
            bool(np.isfinite(patience)) and patience >= 0,
            f"patience is 0 seconds or more, and finite; found {patience}.",
        )
        self.landmarker: Landmarker = landmarker
        self.smoothing: OneEuro | None = smoothing
        self.detect_every: int = detect_every
        self.patience: float = patience
        # Rotated faces need the detector, a network without scores does not notice that a face has
        # gone, and a single point does not say where the face's box has moved.
        predictor = landmarker.predictor
        has_scores, has_box = predictor.calibration is not None, len(predictor.spec.scheme) > 1
        self._can_follow = len(landmarker.rotations) == 1 and has_scores and has_box
        # In view in the frame before, and lost within the patience.
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._frames = self._numbers = 0
        # Scores of the candidates that were dropped in the last frame, where no face is.
        self.dropped: tuple[float, ...] = ()

    def __call__(self, pixels: UInt8[np.ndarray, "H W ..."], seconds: float) -> list[Face]:
        """The faces in this frame, each with its ``track``; ``seconds``: the frame's time."""
        self.dropped = ()
        paused = any(seconds - track.seconds > _MAX_PAUSE for track in self._tracks)
        found: list[tuple[Track | None, Face]] = []
        if self._can_follow and not paused:
            found += self._follow(pixels, seconds, self._tracks, [])
        # Lost in this very frame or before: all of them may come back.
        missing = self._missing(found, pixels, seconds)
        if missing or not found or self._frames % self.detect_every == 0:
            fresh = self._detect(pixels, [face for _, face in found])
            found += zip(associate(fresh, missing, seconds), fresh, strict=True)
        if self._can_follow and paused:
            # Faces that the detector missed, as in profile.
            rest = self._missing(found, pixels, seconds, lost=False)
            found += self._follow(pixels, seconds, rest, [face for _, face in found])
        self._frames += 1
        self._keep(found, missing, seconds)
        return [_face_of(track) for track in self._tracks]

    @property
    def unsmoothed(self) -> list[Face]:
        """The faces of the last frame as they were found, in the same order."""
        return [replace(track.face, track=track.number) for track in self._tracks]

    def _follow(
        self,
        pixels: UInt8[np.ndarray, "H W ..."],
        seconds: float,
        tracks: list[Track],
        others: list[Face],
    ) -> list[tuple[Track, Face]]:
        """The tracks whose face is still about where it is expected, and is none of the others."""
        if not tracks:
            return []
        boxes = np.stack([track.box_at(seconds) for track in tracks]).astype(np.float32)
        faces = self.landmarker.predictor.faces_in(pixels, boxes)
        found = []
        for track, face, box in zip(tracks, faces, boxes, strict=True):
            jump = float(np.abs(face.box - box).max()) / track.side
            is_face = face.score >= self.landmarker.min_score and np.isfinite(face.points).all()
            if is_face and jump < _MAX_JUMP:
                found.append((jump, track, face))
        # Where one face hides another, both tracks find the one in front: it is the track's that
        # expected it there.
        kept: list[tuple[Track, Face]] = []
        for _, track, face in sorted(found, key=lambda each: each[0]):
            if not overlaps_any(face.box, others + [other for _, other in kept], _SAME_FACE):
                kept.append((track, face))
        return kept

    def _missing(
        self,
        found: Sequence[tuple[Track | None, Face]],
        pixels: UInt8[np.ndarray, "H W ..."],
        seconds: float,
        lost: bool = True,
    ) -> list[Track]:
        """The tracks that are not found now; ``lost``: also those that were not found before."""
        numbers = {track.number for track, _ in found if track is not None}
        tracks = [track for track in self._tracks if track.number not in numbers]
        missing = [replace(track, lost_at=seconds) for track in tracks]
        height, width = pixels.shape[:2]
        for track in self._lost if lost else []:
            in_time = track.lost_at is not None and seconds - track.lost_at <= self.patience
            if in_time and not track.has_left(width, height, seconds):
                missing.append(track)
        return missing

    def _detect(self, pixels: UInt8[np.ndarray, "H W ..."], followed: list[Face]) -> list[Face]:
        """Faces that the detector finds where none is followed, best first."""
        landmarker = self.landmarker
        if not self._can_follow:
            found, self.dropped = landmarker.find(pixels)
            return found
        if landmarker.detector is None:
            return [] if followed else landmarker(pixels)
        boxes, scores = landmarker.detect(pixels)
        # Before the network, to save its time, and again below, when the points have made a box.
        free = [not overlaps_any(box, followed, _SAME_FACE) for box in boxes]
        at = np.array(free, dtype=bool)
        faces = landmarker.predictor.faces_in(pixels, boxes[at], scores[at])
        sure = nms([face for face in faces if face.score >= landmarker.min_score], _NMS)
        self.dropped = landmarker.dropped_scores(faces, [*sure, *followed])
        return [face for face in sure if not overlaps_any(face.box, followed, _SAME_FACE)]

    def _keep(
        self, found: Sequence[tuple[Track | None, Face]], missing: list[Track], seconds: float
    ) -> None:
        """Remember what was found, in the order of the numbers, and what is missing."""
        known = sorted(
            ((track, face) for track, face in found if track is not None),
            key=lambda pair: pair[0].number,
        )
        # Faces that are tracked already go before new ones.
        new = [(None, face) for track, face in found if track is None]
        kept = [*known, *new][: self.landmarker.max_faces]
        self._tracks = [self._update(track, face, seconds) for track, face in kept]
        numbers = {track.number for track in self._tracks}
        self._lost = [track for track in missing if track.number not in numbers]

    def _update(self, before: Track | None, face: Face, seconds: float) -> Track:
        """The track with this face added; a new one if there was none before."""
        if before is None:
            self._numbers += 1
        number = self._numbers if before is None else before.number
        smoothed = None
        if self.smoothing is not None:
            # Of a face that was out of sight the filter starts anew.
            in_view = before is not None and before.lost_at in (None, seconds)
            state = before.smoothed if before is not None and in_view else None
            points = face.points.astype(np.float64)
            side = box_side(face.box)
            smoothed = smooth(points, seconds, state, self.smoothing, face.visible, side)
        return Track(number, face, seconds, smoothed, trail_after(before, face, seconds))


def _face_of(track: Track) -> Face:
    if track.smoothed is None:
        return replace(track.face, track=track.number)
    points = track.smoothed.points.astype(np.float32)
    box = face_boxes(points[None], track.face.box[None])[0]
    visible = track.smoothed.visible
    return replace(track.face, points=points, box=box, visible=visible, track=track.number)
