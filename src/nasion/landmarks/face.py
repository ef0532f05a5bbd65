"""A face that was found, and the faces of one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from nasion.landmarks.scheme import Scheme


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found, in pixels of the upright image, pixel centres at integers.

    ``box``: x0 y0 x1 y1 around the points. ``scores``: for each point the chance that it is off by
    at most 5 % of the face's size. ``expected``: its expected error in pixels. Both are None if the
    network does not predict its own error. ``score``: 0 to 1, that this is a face: the mean of
    ``scores``, else the detector's score. ``track``: in video, a number that the face keeps.
    """

    scheme: Scheme
    points: Float32[np.ndarray, "K 2"]
    box: Float32[np.ndarray, 4]
    score: float
    scores: Float32[np.ndarray, " K"] | None = None
    expected: Float32[np.ndarray, " K"] | None = None
    track: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of ``points``, in order."""
        return self.scheme.points

    def __getitem__(self, name: str) -> Float32[np.ndarray, 2]:
        """One point by its name. Raises ``SettingError`` for an unknown name."""
        return self.points[self.scheme.index([name])[0]]


@dataclass(frozen=True, eq=False)
class ImageResult:
    """The faces found in one image or video frame.

    ``stem``: the name of output files for this image, without suffix. ``size``: (width, height).
    ``image``: the pixels or the file, for formats that draw on it. ``seconds``: a frame's time.
    ``dropped``: scores of candidates that were not sure enough to be faces, best first.
    """

    name: str
    stem: str
    size: tuple[int, int]
    faces: tuple[Face, ...]
    image: Path | np.ndarray | None = None
    seconds: float | None = None
    dropped: tuple[float, ...] = ()
