"""Pictures to faces: find them, find their points, drop what is no face."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from nasion import detectors, geometry
from nasion.detectors import Detector
from nasion.errors import require
from nasion.faces import Faces, Picture
from nasion.files import open_picture
from nasion.landmarker.smoothing import CALM, OneEuro
from nasion.pictures import in_turn
from nasion.predict import Model, load_model
from nasion.scheme import Scheme

if TYPE_CHECKING:
    from nasion.video import Frame

_SAME = 0.4  # two faces whose boxes share more of their union are one
_QUARTERS = (0, 90, -90, 180)  # degrees
_EIGHTHS = (0, 45, -45, 90, -90, 135, -135, 180)


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found: points and box in pixels of the upright picture, the centre of its top left pixel at (0, 0).

    ``scores``: how likely each point is to be off by no more than 5 % of the face's size; ``expected``: by how many pixels each is
    expected to be off (both None where the network does not say). ``box``: x0 y0 x1 y1 around the points. ``score``: how sure it is
    that this is a face, the mean of ``scores``; without them the detector's own. ``track``: in a clip, the number that this face keeps.
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
        """The points' names, in the order of ``points``."""
        return self.scheme.points

    def __getitem__(self, name: str) -> Float32[np.ndarray, 2]:
        """The place of a point by its name."""
        return self.points[self.scheme.index([name])[0]]


class Landmarker:
    """Finds the points of every face in a picture.

    ``network``: a shipped network's name, an exported file, a run's folder, or a ``Model``. ``detector``: what finds faces, a name
    of ``detectors.names()`` or any ``Detector``; None: every picture is one face from edge to edge.
    ``least``: faces less sure than this are dropped.
    ``any_rotation``: also faces that lie on their side or head down; four times the time. ``most``: of each picture, the surest so many.
    ``average``: as of ``Model``. Several threads may call one Landmarker.

    >>> faces = Landmarker()("photo.jpg")
    >>> faces[0].points, faces[0]["nose_tip"], faces[0].scores
    """

    def __init__(
        self,
        network: str | Path | Model = "face68",
        *,
        detector: str | Detector | None = detectors.DEFAULT,
        least: float = 0.6,
        any_rotation: bool = False,
        most: int | None = None,
        average: str | None = None,
    ) -> None:
        require(0 <= least <= 1, f"The least score of a face is from 0 to 1; found {least}.")
        self.model = network if isinstance(network, Model) else load_model(network, average=average)
        self.detector = detectors.named(detector) if isinstance(detector, str) else detector
        self.least, self.most, self.turns = least, most, _turns(self.detector) if any_rotation else (0,)

    def changed(self, *, detect: bool, least: float | None, any_rotation: bool, most: int | None) -> Landmarker:
        """The same network and detector, if faces are to be found at all, with other settings; ``least`` None: as it is."""
        kept = self.least if least is None else least
        return Landmarker(self.model, detector=self.detector if detect else None, least=kept, any_rotation=any_rotation, most=most)

    def __call__(self, image: Any, boxes: Any = None) -> list[Face]:
        """The faces of one picture, the surest first: a path, a Pillow picture, or uint8 (H, W) grey or (H, W, 3) red green blue.

        ``boxes``: x0 y0 x1 y1 of faces that are known already, so that none are searched for. Raises ``DataError`` for what is no picture.
        """
        pixels = _pixels(image, colour=self.model.recipe.colour)
        if boxes is not None:
            return self.within(pixels, np.asarray(boxes, dtype=np.float32).reshape(-1, 4))
        if self.detector is None:
            return self.within(pixels, np.full((1, 4), np.nan, dtype=np.float32))
        faces = [face for turn in self.turns for face in self._at(pixels, turn)]
        return apart([face for face in faces if face.score >= self.least])[: self.most]

    def video(self, source: str | Path | int, smoothing: OneEuro | None = CALM, every: int = 5) -> Iterator[tuple[Frame, list[Face]]]:
        """Each frame of a video file, or of a camera by its number, with its faces; each keeps its ``track`` and points are calmed.

        ``smoothing``: None leaves points as they are found. ``every``: the detector looks for new faces in each so-manieth frame.
        """
        from nasion.landmarker.tracking import Tracker
        from nasion.video import Clip

        tracker = Tracker(self, smoothing, every)
        for frame in Clip(source if isinstance(source, int) else Path(source)).frames():
            yield frame, tracker(frame.pixels, frame.seconds)

    def each(self, images: Iterable[Any], threads: int = 1) -> Iterator[list[Face]]:
        """The faces of each picture, in their order; ``threads``: how many are opened and looked at at once, a few ahead of being taken."""
        require(threads > 0, f"There must be a thread; found {threads}.")
        return in_turn(self, images, threads)

    def _at(self, pixels: UInt8[np.ndarray, "H W ..."], turn: int) -> list[Face]:
        """The faces that are upright when the picture is turned by so many degrees."""
        assert self.detector is not None
        turned, back = _turned(pixels, turn)
        found = self.detector(turned)
        if self.most is not None:
            found = replace(found, boxes=found.boxes[: self.most], scores=found.scores[: self.most])
        return [_moved(face, back) for face in self.within(turned, found.boxes, found.scores)]

    def within(self, pixels: UInt8[np.ndarray, "H W ..."], boxes: Float32[np.ndarray, "N 4"], sure: np.ndarray | None = None) -> list[Face]:
        """A face in each of these boxes, in their order; ``sure``: their scores where the network says none of its own."""
        scheme = self.model.recipe.scheme
        nothing = np.full((len(boxes), len(scheme), 2), np.nan, dtype=np.float32)
        if not len(boxes):
            return []
        faces = Faces(scheme=scheme, ids=tuple(map(str, range(len(boxes)))), images=(pixels,) * len(boxes), points=nothing, boxes=boxes)
        found = self.model.predict(faces)
        around = geometry.points_box(found.points.astype(np.float64)).astype(np.float32)
        if found.scores is None or found.expected is None:
            return [Face(scheme, found.points[i], around[i], 1.0 if sure is None else float(sure[i])) for i in range(len(boxes))]
        score = found.scores.mean(1).tolist()
        return [Face(scheme, found.points[i], around[i], score[i], found.scores[i], found.expected[i]) for i in range(len(boxes))]


def _turns(detector: Detector | None) -> tuple[int, ...]:
    """By how many degrees a picture is turned so that every face is upright enough for the detector in one of them."""
    return _QUARTERS if getattr(detector, "reach", 0) >= 45 else _EIGHTHS


def _pixels(image: Any, colour: bool) -> UInt8[np.ndarray, "H W ..."]:
    if isinstance(image, (str, os.PathLike)):
        return open_picture(Path(image), colour)
    return np.asarray(image.convert("RGB")) if hasattr(image, "convert") else np.asarray(image)


def _turned(pixels: Picture, turn: int) -> tuple[UInt8[np.ndarray, "H W ..."], Float64[np.ndarray, "2 3"]]:
    """A picture turned clockwise about its middle, grown so that nothing is lost, and the map from its pixels back."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if not turn:
        return np.asarray(picture), geometry.identity()
    turned = picture.rotate(-turn, Image.Resampling.BILINEAR, expand=True)
    middles = [np.array([(side - 1) / 2 for side in size]) for size in (turned.size, picture.size)]
    angle = np.deg2rad(-turn)
    way = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(turned), np.concatenate([way, (middles[1] - way @ middles[0])[:, None]], axis=1)


def _moved(face: Face, back: Float64[np.ndarray, "2 3"]) -> Face:
    points = geometry.apply(back, face.points.astype(np.float64))
    box = geometry.points_box(points[None])[0]
    return Face(face.scheme, points.astype(np.float32), box.astype(np.float32), face.score, face.scores, face.expected)


def apart(faces: list[Face]) -> list[Face]:
    """The surest of those that are one face, found twice."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(shared(face.box, other.box) <= _SAME for other in kept):
            kept.append(face)
    return kept


def shared(one: Float32[np.ndarray, 4], other: Float32[np.ndarray, 4]) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    return both / max(float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - both, 1e-9)
