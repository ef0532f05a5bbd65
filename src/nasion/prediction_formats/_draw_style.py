"""What is drawn of each face, and into which kind of image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasion.errors import SettingError, require
from nasion.landmarks.face import Face, ImageResult, PoseAndMeasures

LABELS = ("none", "numbers", "names")
# What can be drawn, with its explanation.
MARKS = {
    "points": "dark to yellow by score, hollow if hidden",
    "lines": "between neighbouring points",
    "fill": "face, brows, eyes, nose and mouth as areas",
    "boxes": "of faces",
    "scores": "of faces",
    "tracks": "numbers of tracked faces",
    "numbers": "of points",
    "names": "of points",
    "axes": "of the head",
    "measures": "yaw, pitch, roll, openness of eyes and mouth",
}
OF_MEASURES = ("axes", "measures")
SUFFIXES = {"jpg": ".jpg", "png": ".png"}


@dataclass(frozen=True)
class DrawStyle:
    """How results are drawn.

    ``marks``: what is drawn, of ``MARKS``. None: points and lines; boxes, scores and numbers of
    tracked faces; ``labels`` (one of ``LABELS``) beside points; what was measured. ``boxes``: True
    for boxes of all faces, False for none, if ``marks`` is None. ``overlay``: on a transparent
    background instead of the image, in its size. ``image_format``: ``jpg`` or ``png``; an overlay
    is ``png``. Raises ``SettingError``.
    """

    marks: tuple[str, ...] | None = None
    labels: str = "none"
    boxes: bool | None = None
    overlay: bool = False
    image_format: str = "jpg"

    def __post_init__(self) -> None:
        unknown = next((mark for mark in self.marks or () if mark not in MARKS), None)
        if unknown is not None or self.marks == ():
            raise SettingError(
                f"{unknown or 'Nothing'!r} cannot be drawn; any of {', '.join(MARKS)} can."
            )
        if {"numbers", "names"} <= set(self.marks or ()):
            raise SettingError("Points have numbers or names beside them, not both; choose one.")
        require(
            self.labels in LABELS,
            f"The labels {self.labels!r} are unknown; one of {', '.join(LABELS)} expected.",
        )
        require(
            self.image_format in SUFFIXES,
            f"The image format {self.image_format!r} is unknown; one of {', '.join(SUFFIXES)} "
            "expected.",
        )
        require(
            not self.overlay or self.image_format == "png",
            "An overlay is transparent, which only PNG files can be; choose png.",
        )

    @property
    def needs_measures(self) -> bool:
        """True if what is to be drawn must be measured first."""
        return not set(OF_MEASURES).isdisjoint(self.marks or ())

    @property
    def suffix(self) -> str:
        return SUFFIXES[self.image_format]

    def marked_faces(self, result: ImageResult) -> list[MarkedFace]:
        """A result's faces with what is drawn of each."""
        measured: Sequence[PoseAndMeasures | None] = result.measured or [None] * len(result.faces)
        return [
            MarkedFace(face, self._marks_of(face, own is not None), own)
            for face, own in zip(result.faces, measured, strict=True)
        ]

    def _marks_of(self, face: Face, is_measured: bool) -> frozenset[str]:
        if self.marks is not None:
            return frozenset(self.marks)
        marks = {"points", "lines"}
        if self.boxes is True or (self.boxes is None and face.track is not None):
            marks |= {"boxes", "scores", "tracks"}
        if is_measured:
            marks |= set(OF_MEASURES)
        return frozenset(marks if self.labels == "none" else marks | {self.labels})


USUAL_STYLE = DrawStyle()


@dataclass(frozen=True, eq=False)
class MarkedFace:
    """A face with what is drawn of it, of ``MARKS``, and what was measured."""

    face: Face
    marks: frozenset[str]
    measured: PoseAndMeasures | None = None

    @property
    def side(self) -> float:
        """The longer side of the face's box, in pixels of the image."""
        return max(float((self.face.box[2:] - self.face.box[:2]).max()), 1.0)

    @property
    def labels(self) -> str:
        """What is beside the points: one of ``LABELS``."""
        return next((each for each in LABELS[1:] if each in self.marks), "none")
