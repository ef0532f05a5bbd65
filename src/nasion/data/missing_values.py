"""Numbers that stand for missing points (-1 -1, 0 0), and negative ones for occluded points.

A place is impossible if the face's other points put the point elsewhere. Values that occur at an
impossible place stand for missing points everywhere in a dataset; so does a value in x or y alone
(-1 57), at impossible places. MERL-RAV (Kumar et al., 2020)
marks occluded points by negative coordinates: then the absolute value fits the face.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Bool, Float64
from nasion.data.file_numbers import FileNumbers
from nasion.data.missing_boxes import complete, estimate_boxes, reference_shape
from nasion.errors import DataError, SettingError
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.number_text import parse_number

_USUAL = (0.0, -1.0)  # stand-ins that people use; a single one is looked at
_LARGE = -99.0  # from here down too, as -999 and -9999
_POSITIVE = (999.0, 9999.0, 99999.0, 32767.0, 65535.0)  # the same, of tools without signs
_FAR = 0.25  # of the face's size: a point so far from where the face expects it is impossible
_FAR_HALF = 0.5  # the same, for a stand-in in x or y alone; turned heads reach 0.4 (LOG.md)
_SAME_BOX = 1e-2  # pixels, between a box and the tight one around all points
_log = logging.getLogger(__name__)

_WORDS = {
    True: {"are": "is", "labels": "a missing label", "places": "a place that fits"},
    False: {"are": "are", "labels": "missing labels", "places": "places that fit"},
}

Points = Float64[np.ndarray, "N K 2"]
Chosen = Bool[np.ndarray, "N K"]


@dataclass(frozen=True)
class _Meaning:
    """What the user says: numbers that stand for missing points, and what negative ones mean."""

    numbers: tuple[float, ...]
    negative_is_occluded: bool


def parse_missing(text: str | None) -> _Meaning | None:
    """The meaning of a setting, as ``-1``, ``-1,occluded`` or ``none``. Raises ``SettingError``."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if words == ["none"]:
        return _Meaning((), False)
    try:
        numbers = tuple(parse_number(word) for word in words if word != "occluded")
    except ValueError as error:
        raise SettingError(
            f"--missing {text}: {error}; give a number, as -1, or occluded, or several with "
            "commas, or none."
        ) from None
    return _Meaning(numbers, "occluded" in words)


def with_missing_values(
    faces: Faces, missing: str | None, numbers: FileNumbers, source: str
) -> Faces:
    """The faces with stand-ins as missing labels, and what is marked as occluded as such.

    ``missing``: see ``parse_missing``; None: by which places are impossible. ``numbers``: how the
    file counts, since stand-ins are the file's numbers. ``source``: for messages, which say what
    was taken as what. Raises ``DataError`` if several readings are possible.
    """
    points = numbers.from_its_origin(faces)
    # Nearly all files: nothing that could stand for anything.
    if not (points <= 0).any() and not np.isin(points, _POSITIVE).any() and missing is None:
        return faces
    written = numbers.of(faces)
    gone = missing_points(points, written, faces.scheme, missing, source)
    meaning = parse_missing(missing)
    negative = _both_negative(points) & ~gone
    if meaning is None:
        how = "with negative coordinates {are} taken as occluded, at the absolute value"
        occluded = _occluded(negative, points, written, faces.scheme, source)
    else:
        how = "{are} occluded, at the absolute value, as --missing says"
        occluded = negative if meaning.negative_is_occluded else np.zeros_like(negative)
    _say(source, occluded, how)
    return _changed(faces, points, gone, occluded, numbers.origin)


def missing_points(
    points: Points, written: Points, scheme: Scheme, missing: str | None, source: str
) -> Chosen:
    """Which points are stand-ins for missing ones; and say so.

    ``points``: in pixels. ``written``: the same as their file has them. ``missing`` and ``source``
    as for ``with_missing_values``. Raises ``DataError``.
    """
    gone = np.zeros(points.shape[:2], dtype=bool)
    meaning = parse_missing(missing)
    if meaning is not None:
        for number in meaning.numbers:
            gone |= np.all(written == number, axis=-1)
        gone |= _halves(points, written, scheme, meaning.numbers)
        _say(source, gone, "{are} {labels}, as --missing says")
        return gone
    stand_ins = _stand_ins(written)
    if stand_ins:
        distance = _Expected.of(points, scheme, np.all(np.isin(written, stand_ins), axis=-1))
        for number in stand_ins:
            at = np.all(written == number, axis=-1)
            if _is_missing(at, distance.from_place(points), number, source):
                _say(source, at, f"at {number:g} {number:g} {{are}} taken as {{labels}}")
                gone |= at
    halves = _halves(points, written, scheme, tuple({*stand_ins, *_USUAL}))
    _say(source, halves, "with a stand-in for x or y alone {are} taken as {labels}")
    return gone | halves


def _halves(points: Points, written: Points, scheme: Scheme, numbers: Sequence[float]) -> Chosen:
    """Points with one of these numbers in x or y alone, far from where their faces expect them.

    Points on an image's edge are places, of whatever number.
    """
    at = np.isin(written, numbers)
    half: np.ndarray = np.asarray(at.any(axis=-1) & ~at.all(axis=-1))
    if not half.any():
        return half
    doubtful = np.asarray(at.any(axis=-1))
    distance = _Expected.of(points, scheme, doubtful).from_place(points)
    found = np.zeros_like(half)
    for number in numbers:
        own = half & np.any(written == number, axis=-1)
        if (own & (distance > _FAR_HALF)).any():
            found |= own & (distance > _FAR)
    return found


def _both_negative(points: Points) -> Chosen:
    return np.all(points < 0, axis=-1)


def _stand_ins(written: Points) -> list[float]:
    """Numbers of which both coordinates of a point are, and which could stand for "missing"."""
    could_be = (written <= 0) | np.isin(written, _POSITIVE)
    both = written[(written[..., 0] == written[..., 1]) & could_be[..., 0], 0]
    numbers, counts = np.unique(both, return_counts=True)
    found = zip(numbers.tolist(), counts.tolist(), strict=True)
    return [
        n
        for n, count in found
        if n in _USUAL or n in _POSITIVE or (n == round(n) and (n <= _LARGE or count > 1))
    ]


@dataclass(frozen=True, eq=False)
class _Expected:
    """Where each face's other points put the doubtful ones, and the face's size; NaN if unknown."""

    points: Points
    size: Float64[np.ndarray, " N"]

    @classmethod
    def of(cls, points: Points, scheme: Scheme, doubtful: Chosen) -> _Expected:
        # Negative ones may mark occluded points.
        unsure = doubtful | _both_negative(points)
        known = np.where(unsure[..., None], np.nan, points)
        expected = complete(known, reference_shape(known, scheme))
        box = geometry.points_box(expected)
        return cls(expected, (box[:, 2:] - box[:, :2]).max(axis=1))

    def from_place(self, points: Points) -> Float64[np.ndarray, "N K"]:
        """How far points are from where they are expected, as a fraction of the face's size."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.linalg.norm(points - self.points, axis=-1) / self.size[:, None]


def _is_missing(at: Chosen, distance: np.ndarray, number: float, source: str) -> bool:
    """Whether a number stands for missing points. Raises ``DataError`` if nothing tells."""
    if (distance[at] > _FAR).any():
        return True
    if (distance[at] <= _FAR).any():
        shown = f"--missing {number:g}"
        _say(source, at, f"at {number:g} {number:g} {{are}} taken as {{places}}", shown)
        return False
    # Nothing is known of the faces. Two points at exactly one place stand for something else.
    if at.sum() > 1:
        return True
    raise DataError(
        f"{source}: a point is at {number:g} {number:g}: a place, or a missing label? Say it with "
        f"--missing none or --missing {number:g}."
    )


def _occluded(
    negative: Chosen, points: Points, written: Points, scheme: Scheme, source: str
) -> Chosen:
    """Points that negative coordinates mark as occluded: all or none of these.

    Raises ``DataError`` if some are and others are not.
    """
    stand_ins = np.all(np.isin(written, _stand_ins(written)), axis=-1)
    expected = _Expected.of(points, scheme, stand_ins)
    place, absolute = expected.from_place(points), expected.from_place(np.abs(points))
    fits = negative & (absolute < place) & (absolute <= _FAR)
    outside = negative & ~fits & ~np.isnan(place)
    if fits.any() and outside.any():
        raise DataError(
            f"{source}: of {negative.sum()} points with negative coordinates {fits.sum()} fit "
            f"their faces at the absolute value, as of occluded points, and {outside.sum()} do not."
            " Say what they are: --missing occluded, or --missing none if they are outside images; "
            "with a number that stands for missing points, --missing -1,occluded."
        )
    return negative if fits.any() else np.zeros_like(negative)


def _changed(faces: Faces, points: Points, gone: Chosen, occluded: Chosen, origin: float) -> Faces:
    """The faces with these points missing and these at their absolute value."""
    either = np.asarray(gone | occluded)
    if not either.any():
        return faces
    changed: np.ndarray = np.where(occluded[..., None], np.abs(points), points) - origin
    changed[gone] = np.nan
    boxes = faces.boxes
    if boxes is not None:
        # A box tight around the numbers as they were holds what is no place.
        before = geometry.points_box(points - origin)
        tight = np.asarray((np.abs(boxes - before) < _SAME_BOX).all(axis=1) & either.any(axis=1))
        boxes = np.where(tight[:, None], estimate_boxes(changed, faces.scheme), boxes)
        boxes = boxes.astype(np.float32)
    hidden = occluded if faces.occluded is None else faces.occluded | occluded
    return replace(
        faces,
        points=changed.astype(np.float32),
        boxes=boxes,
        occluded=hidden if hidden.any() else faces.occluded,
    )


def _say(source: str, which: Chosen, what: str, remedy: str = "--missing none") -> None:
    if which.any():
        points, count = int(which.sum()), int(which.any(axis=1).sum())
        _log.info(
            "%s: %s of %s %s; the other reading: %s.",
            source,
            counted(points, "point"),
            counted(count, "face"),
            what.format(**_WORDS[points == 1]),
            remedy,
        )
