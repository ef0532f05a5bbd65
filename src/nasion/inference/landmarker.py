"""Landmarks of every face in an image or video: detect faces, predict points, drop false alarms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nasion.array_types import Float32, Float64, UInt8
from nasion.errors import DataError, require
from nasion.inference import detectors, pretrained
from nasion.inference.detectors import Detector
from nasion.inference.predictor import Predictor, load_model
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.landmarks import geometry
from nasion.landmarks.boxes import best_rotations, face_boxes, nms, overlaps_any
from nasion.landmarks.face import Face
from nasion.landmarks.face_extent import boxes_of_points
from nasion.media.addresses import is_stream, is_url
from nasion.media.image_values import array_pixels, pixels_of
from nasion.media.inputs import map_in_order
from nasion.model_spec import TTA

if TYPE_CHECKING:
    from PIL import Image

    from nasion.media.video import Frame

    ImageLike = str | os.PathLike[str] | bytes | BinaryIO | np.ndarray | Image.Image

MIN_SCORE = 0.6  # of 184 held-out profiles 2 score less, of false alarms nearly all (LOG.md)
BATCH = 8  # images whose faces go through the network together
_HELD = 4_000_000  # bytes of opened images from which on their faces are looked for
_SAME_FACE = 0.4  # IoU from which two faces are one
# The share of points in the box of a better face from which a face of another rotation is the same:
# false ones have 0.35 or more, neighbours in group photographs at most 0.07 (LOG.md).
_SAME_POINTS = 0.25
# With ``max_faces`` the network also scores up to so many more boxes, of at least this part of the
# detector's score of the last one. In 100 photographs of IMM with one face there are none.
_SPARE, _LIKELY = 3, 0.5
_RIGHT_ANGLES = (0, 90, -90, 180)  # degrees
_HALF_RIGHT_ANGLES = (0, 45, -45, 90, -90, 135, -135, 180)


class Found(NamedTuple):
    """What was found in an image. ``dropped``: the scores of dropped candidates."""

    pixels: UInt8[np.ndarray, "_ _ ..."]
    faces: list[Face]
    dropped: tuple[float, ...]


class Landmarker:
    """Finds the points of every face in an image.

    ``model``: a pretrained model's name, an exported file, a run folder, or a ``Predictor``.
    ``detector``: a name of ``discovery.DETECTORS`` or any ``Detector``; None: every image is one
    face from edge to edge. ``min_score``: drop faces with a lower score. ``any_rotation``: also
    find faces on their side or upside down; four times the time. ``max_faces``: of each image, the
    best. ``tta``: as in ``Predictor``. Several threads may use one Landmarker; other processes may
    have a pickled one, which opens its files there.

    >>> faces = Landmarker()("photo.jpg")
    >>> faces[0].points, faces[0]["nose_tip"], faces[0].scores
    """

    def __init__(
        self,
        model: str | Path | Predictor = pretrained.DEFAULT,
        *,
        detector: str | Detector | None = detectors.DEFAULT,
        min_score: float = MIN_SCORE,
        any_rotation: bool = False,
        max_faces: int | None = None,
        tta: TTA | None = None,
    ) -> None:
        require(0 <= min_score <= 1, f"min_score is 0 to 1; found {min_score}.")
        require(max_faces is None or max_faces > 0, f"max_faces is 1 or more; found {max_faces}.")
        self.predictor: Predictor = (
            model if isinstance(model, Predictor) else load_model(model, tta=tta)
        )
        found = detectors.load(detector) if isinstance(detector, str) else detector
        self.detector: Detector | None = found
        self.min_score: float = min_score
        self.max_faces: int | None = max_faces
        self.any_rotation: bool = any_rotation
        self.rotations: tuple[int, ...] = _rotations(self.detector) if any_rotation else (0,)

    def with_settings(
        self,
        *,
        detect: bool = True,
        min_score: float | None = None,
        any_rotation: bool | None = None,
        max_faces: int | None = None,
    ) -> Landmarker:
        """The same model and detector with other settings; None leaves a setting as it is."""
        return Landmarker(
            self.predictor,
            detector=self.detector if detect else None,
            min_score=self.min_score if min_score is None else min_score,
            any_rotation=self.any_rotation if any_rotation is None else any_rotation,
            max_faces=self.max_faces if max_faces is None else max_faces,
        )

    def __call__(self, image: ImageLike, boxes: ArrayLike | None = None) -> list[Face]:
        """The faces of one image, best first.

        ``image``: a path or URL, a file's contents (``bytes``) or an open file, a Pillow image, or
        an array (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA: uint8, floats 0 to 1 or 0 to 255, or
        whole numbers of more bits (``nasion.media.sample_depth`` says what is white then). OpenCV
        gives BGR: hand over ``image[..., ::-1]``. ``boxes``: x0 y0 x1 y1 of known faces, so that
        none are searched for; then the order is theirs. Raises ``DataError`` for an unreadable
        image, or one whose meaning is not clear.
        """
        return self.find(image, boxes)[0]

    def find(
        self, image: ImageLike, boxes: ArrayLike | None = None
    ) -> tuple[list[Face], tuple[float, ...]]:
        """The faces as above, and the scores of dropped candidates, best first.

        A candidate is what the detector proposed and ``min_score`` dropped, where no face is.
        """
        pixels = pixels_of(image, self.predictor.spec.colour)
        if boxes is not None:
            return self.predictor.faces_in(pixels, _known_boxes(boxes, pixels)), ()
        if self.detector is None:
            whole_image = np.full((1, 4), np.nan, dtype=np.float32)
            return self.predictor.faces_in(pixels, whole_image), ()
        return self._search([pixels])[0]

    def _search(
        self, images: Sequence[UInt8[np.ndarray, "_ _ ..."]]
    ) -> list[tuple[list[Face], tuple[float, ...]]]:
        """What ``find`` says of each image; all their faces go through the network together."""
        seen, boxes, scores = [], [], []
        owners: list[tuple[int, int, Float64[np.ndarray, "2 3"]]] = []
        for degrees in self.rotations:
            views = [_rotate(pixels, degrees) for pixels in images]
            detections = self.detect_each([rotated for rotated, _ in views])
            for number, ((rotated, back), (found, sure)) in enumerate(
                zip(views, detections, strict=True)
            ):
                count = self._candidates(sure)
                boxes.append(found[:count])
                scores.append(sure[:count])
                seen += [rotated] * count
                owners += [(number, degrees, back)] * count
        faces: list[list[Face]] = [[] for _ in images]
        rotations: list[list[int]] = [[] for _ in images]
        if owners:
            every = self.predictor.face_of_each(seen, np.concatenate(boxes), np.concatenate(scores))
            for face, (number, degrees, back) in zip(every, owners, strict=True):
                faces[number].append(face if len(self.rotations) == 1 else _map_back(face, back))
                rotations[number].append(degrees)
        return list(map(self._best, faces, rotations))

    def _candidates(self, scores: Float32[np.ndarray, " N"]) -> int:
        """How many of the detector's boxes, best first, the network scores.

        A few more than ``max_faces``, as false alarms may be among them.
        """
        if self.max_faces is None or len(scores) <= self.max_faces:
            return len(scores)
        last, spare = scores[self.max_faces - 1], scores[self.max_faces :][:_SPARE]
        # Scores are on the detector's own scale: of one that goes below 0 no part can be taken.
        likely = spare >= _LIKELY * last if last > 0 else np.ones(len(spare), dtype=bool)
        return self.max_faces + int(likely.sum())

    def _best(
        self, faces: list[Face], rotations: list[int]
    ) -> tuple[list[Face], tuple[float, ...]]:
        """The faces of an image that are sure, each once, and the scores of the others."""
        if len(self.rotations) > 1:
            faces = best_rotations(faces, rotations, _SAME_POINTS)
        sure = [face for face in faces if face.score >= self.min_score]
        return nms(sure, _SAME_FACE)[: self.max_faces], self.dropped_scores(faces, sure)

    def dropped_scores(self, faces: list[Face], sure: list[Face]) -> tuple[float, ...]:
        """The scores of ``faces`` below ``min_score`` that are none of the sure ones."""
        unsure = nms([face for face in faces if face.score < self.min_score], _SAME_FACE)
        others = [face for face in unsure if not overlaps_any(face.box, sure, _SAME_FACE)]
        return tuple(face.score for face in others)

    @property
    def predicts_visible(self) -> bool:
        """Whether the network predicts which points can be seen, as ``Face.visible`` says."""
        nothing = pixels_of(np.zeros((64, 64, 3), dtype=np.uint8), self.predictor.spec.colour)
        whole_image = np.full((1, 4), np.nan, dtype=np.float32)
        return self.predictor.faces_in(nothing, whole_image)[0].visible is not None

    def detect(
        self, pixels: UInt8[np.ndarray, "H W ..."]
    ) -> tuple[Float32[np.ndarray, "N 4"], Float32[np.ndarray, " N"]]:
        """(boxes, scores) of the faces in an image, best first; without a detector the whole image.

        The boxes are those of the model's points, as in its training.
        """
        return self.detect_each([pixels])[0]

    def detect_each(
        self, images: Sequence[UInt8[np.ndarray, "_ _ ..."]]
    ) -> list[tuple[Float32[np.ndarray, "N 4"], Float32[np.ndarray, " N"]]]:
        """The same for each image."""
        if self.detector is None:
            whole_image = np.full((1, 4), np.nan, dtype=np.float32)
            return [(whole_image, np.ones(1, dtype=np.float32)) for _ in images]
        found = detectors.detect_each(self.detector, list(map(array_pixels, images)))
        spec = self.predictor.spec
        if spec.whole_images:
            return found
        return [
            (boxes_of_points(boxes, spec.scheme, spec.face_margins).astype(np.float32), scores)
            for boxes, scores in found
        ]

    def video(
        self,
        source: str | Path | int,
        smoothing: OneEuro | None = DEFAULT_SMOOTHING,
        detect_every: int = 5,
        patience: float = DEFAULT_PATIENCE,
    ) -> Iterator[tuple[Frame, list[Face]]]:
        """Each frame of a video file, a stream (URL) or a camera (number), with its faces.

        Each face keeps its ``track``, and its points are smoothed (None: not).
        ``detect_every``: run the detector on every n-th frame. ``patience``: seconds for which a
        face may be out of sight and keep its number.
        """
        from nasion.inference.tracking import Tracker
        from nasion.media.video import VideoInput

        tracker = Tracker(self, smoothing, detect_every, patience)
        if isinstance(source, str) and not (is_url(source) or is_stream(source)):
            source = Path(source)
        video = VideoInput(source)
        for frame in video.frames():
            yield frame, tracker(frame.pixels, frame.seconds)

    def each(
        self, images: Iterable[ImageLike], threads: int = 1, batch: int = BATCH
    ) -> Iterator[list[Face]]:
        """The faces of each image, in their order; ``threads`` work on as many images at once.

        The faces of up to ``batch`` images go through the network together, which is up to 1.3
        times as fast as one image after the other; 1 answers each image at once, as a camera's.
        """
        require(threads > 0, f"threads must be 1 or more; found {threads}.")
        require(batch > 0, f"batch must be 1 or more; found {batch}.")
        rest = iter(images)
        groups = iter(lambda: list(islice(rest, batch)), [])
        for group in map_in_order(self._faces_of_group, groups, threads):
            for faces in group:
                if isinstance(faces, Exception):
                    raise faces
                yield faces

    def _faces_of_group(self, images: list[ImageLike]) -> list[list[Face] | Exception]:
        """The faces of each image, up to one that cannot be read: there is the error instead."""
        results: list[list[Face] | Exception] = []
        opens = (partial(pixels_of, image, self.predictor.spec.colour) for image in images)
        for found in self.find_opened(opens):
            if isinstance(found, Exception):  # raised where its image is reached
                return [*results, found]
            results.append(found.faces)
        return results

    def find_opened(
        self, opens: Iterable[Callable[[], UInt8[np.ndarray, "_ _ ..."]]]
    ) -> Iterator[Found | Exception]:
        """What ``find`` says of each image, in order, or why it could not be opened or searched.

        ``opens``: functions that open an image each. Up to ``BATCH`` small images are held, and all
        their faces go through the network together.
        """
        pending: list[np.ndarray | Exception] = []
        size = 0
        for open_image in opens:
            try:
                pixels = open_image()
                size += pixels.size
                pending.append(pixels)
            except Exception as error:  # told in its image's place
                pending.append(error)
            if size > _HELD or len(pending) == BATCH:
                yield from self._find_pending(pending)
                pending, size = [], 0
        yield from self._find_pending(pending)

    def _find_pending(self, pending: list[np.ndarray | Exception]) -> Iterator[Found | Exception]:
        images = [each for each in pending if isinstance(each, np.ndarray)]
        found = iter(self._find_together(images))
        for each in pending:
            yield each if isinstance(each, Exception) else next(found)

    def _find_together(self, images: list[np.ndarray]) -> list[Found | Exception]:
        try:
            if self.detector is None or len(images) == 1:
                return [Found(pixels, *self.find(pixels)) for pixels in images]
            colour = self.predictor.spec.colour
            found = self._search([pixels_of(pixels, colour) for pixels in images])
            return [Found(*each) for each in zip(images, *zip(*found, strict=True), strict=True)]
        except Exception as error:
            if len(images) == 1:
                return [error]
            # One of them is the cause; the others have faces.
            return [self._find_together([pixels])[0] for pixels in images]


def _rotations(detector: Detector | None) -> tuple[int, ...]:
    """By how many degrees an image is rotated so that one rotation shows each face upright."""
    # Four rotations leave at most 45 degrees from upright, eight 22.5.
    reach = getattr(detector, "max_tilt", 0)
    return _RIGHT_ANGLES if reach >= 45 else _HALF_RIGHT_ANGLES


def _known_boxes(
    boxes: ArrayLike, pixels: UInt8[np.ndarray, "H W ..."]
) -> Float32[np.ndarray, "N 4"]:
    """(N, 4) boxes, or one as four numbers; a box of NaN is the whole image.

    Raises ``DataError`` for what is no box, or has no part in the image.
    """
    try:
        known = np.asarray(boxes, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"boxes are N x 4 numbers, x0 y0 x1 y1 of each face ({error}).") from error
    if known.size == 0:
        return known.reshape(0, 4)
    known = known[None] if known.ndim == 1 else known
    if known.shape[1:] != (4,):
        shape = " x ".join(map(str, known.shape))
        raise DataError(f"boxes are N x 4 numbers, x0 y0 x1 y1 of each face; found {shape}.")
    for number, box in enumerate(known):
        good = np.isnan(box).all() or (np.isfinite(box).all() and (box[2:] > box[:2]).all())
        if not good:
            text = " ".join(f"{value:g}" for value in box)
            raise DataError(f"boxes[{number}] is {text}; x0 < x1 and y0 < y1, in pixels, expected.")
        height, width = pixels.shape[:2]
        if (box[:2] >= (width, height)).any() or (box[2:] <= 0).any():
            text = ",".join(f"{value:g}" for value in box)
            raise DataError(f"The box {text} is outside of its {width} x {height} pixels.")
    return known


def _rotate(
    pixels: UInt8[np.ndarray, "H W ..."], degrees: int
) -> tuple[UInt8[np.ndarray, "H2 W2 ..."], Float64[np.ndarray, "2 3"]]:
    """The image rotated clockwise, grown so that nothing is lost, and the map from it back."""
    if not degrees:
        return pixels, geometry.identity()
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    # Pillow counts counter-clockwise.
    rotated = image.rotate(-degrees, Image.Resampling.BILINEAR, expand=True)
    centers = [np.array([(side - 1) / 2 for side in size]) for size in (rotated.size, image.size)]
    angle = np.deg2rad(-degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Back about the centres, which show the same place in both images.
    offset = (centers[1] - linear @ centers[0])[:, None]
    return np.asarray(rotated), np.concatenate([linear, offset], axis=1)


def _map_back(face: Face, back: Float64[np.ndarray, "2 3"]) -> Face:
    points = geometry.apply(back, face.points.astype(np.float64)).astype(np.float32)
    x0, y0, x1, y1 = face.box.astype(np.float64)
    corners = geometry.apply(back, np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]))
    box = face_boxes(points[None], geometry.points_box(corners[None]))[0]
    return replace(face, points=points, box=box)
