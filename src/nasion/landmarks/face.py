"""A face that was found, and the faces of one image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasion.array_types import Bool, Float32
from nasion.landmarks.eyes_and_mouth import FaceMeasures, measure_eyes_and_mouth
from nasion.landmarks.head_pose import HeadPose, HeadPoses, fit_weighted
from nasion.landmarks.scheme import Scheme

VISIBLE = 0.5  # the chance of being seen below which a point counts as hidden


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found, in pixels of the upright image, pixel centres at integers.

    ``box``: x0 y0 x1 y1 around the points. ``scores``: for each point the chance that it is off by
    at most 5 % of the face's size. ``expected``: its expected error in pixels. Both are None if the
    network does not predict its own error. ``visible``: for each point the chance that it can be
    seen, so is not behind the head, covered, or outside the image; None if the network does not
    predict it. ``score``: 0 to 1, how certain it is that this is a face: by the chance of a face
    and ``scores``, by ``scores`` alone if the network does not predict that chance, else the
    detector's score. ``track``: in video, a number that the face keeps.
    """

    scheme: Scheme
    points: Float32[np.ndarray, "K 2"]
    box: Float32[np.ndarray, 4]
    score: float
    scores: Float32[np.ndarray, " K"] | None = None
    expected: Float32[np.ndarray, " K"] | None = None
    visible: Float32[np.ndarray, " K"] | None = None
    track: int | None = None

    def __repr__(self) -> str:
        box = ", ".join(f"{edge:.0f}" for edge in self.box.tolist())
        track = "" if self.track is None else f", track {self.track}"
        return (
            f"Face({self.scheme.name}, {len(self.points)} points, score {self.score:.2f}, "
            f"box ({box}){track})"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of ``points``, in order."""
        return self.scheme.points

    @property
    def hidden(self) -> Bool[np.ndarray, " K"]:
        """True for points whose ``visible`` is below 0.5; False for all if it is None."""
        if self.visible is None:
            return np.zeros(len(self.points), dtype=bool)
        return self.visible < VISIBLE

    def without_hidden(self) -> Face:
        """The same face with NaN for the points that are hidden; its box does not change."""
        hidden = self.hidden
        if not hidden.any():
            return self
        return replace(self, points=np.where(hidden[:, None], np.float32(np.nan), self.points))

    def pose(self) -> HeadPose:
        """How the head is turned, from the points that are not hidden; NaN if they are too few.

        The mean face is fitted by least squares, weighted by expected errors or else by scores.
        """
        return self._poses()[0]

    def measures(self) -> FaceMeasures:
        """How far eyes and mouth are open, and how left and right differ, whatever the pose."""
        return measure_eyes_and_mouth(
            self.points[None], self.scheme, self._poses(), self.hidden[None]
        )[0]

    def _poses(self) -> HeadPoses:
        return fit_weighted(
            self.points[None],
            self.scheme,
            scores=None if self.scores is None else self.scores[None],
            expected=None if self.expected is None else self.expected[None],
            hidden=self.hidden[None],
        )

    def __getitem__(self, name: str) -> Float32[np.ndarray, 2]:
        """One point by its name. Raises ``SettingError`` for an unknown name."""
        return self.points[self.scheme.index([name])[0]]


@dataclass(frozen=True, eq=False)
class PoseAndMeasures:
    """How one face's head is turned, and how far its eyes and mouth are open.

    ``pixel_aspect``: width over height of the image's pixels; ``pose`` is in square pixels of their
    height.
    """

    pose: HeadPose
    measures: FaceMeasures
    pixel_aspect: float = 1.0


@dataclass(frozen=True, eq=False)
class ImageResult:
    """The faces found in one image or video frame.

    ``stem``: the name of output files for this image, without suffix. ``size``: (width, height).
    ``image``: the pixels or the file, for formats that draw on it. ``seconds``: a frame's time.
    ``dropped``: scores of candidates that were not sure enough to be faces, best first.
    ``measured``: of each of ``faces``; None if they were not measured.
    """

    name: str
    stem: str
    size: tuple[int, int]
    faces: tuple[Face, ...]
    image: Path | np.ndarray | None = None
    seconds: float | None = None
    dropped: tuple[float, ...] = ()
    measured: tuple[PoseAndMeasures, ...] | None = None

    def without_hidden(self) -> ImageResult:
        """The same result with NaN for the points of its faces that are hidden."""
        return replace(self, faces=tuple(face.without_hidden() for face in self.faces))
