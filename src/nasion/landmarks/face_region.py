"""Which part of an image is a face: from the jaw line to the hairline, or a band over the eyes.

No scheme of the catalog has points on the whole forehead, so it is extrapolated: from brows to
hairline is about as far as from brows to the base of the nose, which is about as far as from eyes
to mouth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasion.array_types import Float64, Int64
from nasion.errors import DataError, SettingError
from nasion.landmarks import geometry
from nasion.landmarks.alignment import eye_groups, fit_similarity, five_points
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face
from nasion.landmarks.face_extent import margins, mean_shape
from nasion.landmarks.scheme import Scheme

GROW = 0.1  # of the region's size, on all sides
# In distances of eyes and mouth: the forehead above the brows, in the middle and at the temples.
_FOREHEAD, _TEMPLE = 1.0, 0.6
_EYE_LEVEL = -0.2  # points from here upwards, measured from between the eyes, are lifted
_BAND_HALF, _BAND_END = 0.32, 0.25  # of the band over the eyes: half its height, beyond the eyes
_INNER = 0.1  # of their box: points that leave so much of a face outside are inner points only
_BOX_HEIGHT = 0.4  # of a face's box, by which eyes and mouth are apart if no point tells
_MEAN_DOWN = 0.78  # the same on the mean face, in distances of the outer eye corners
_CORNERS_OF_ELLIPSE = 24


def face_region(face: Face, grow: float = GROW) -> Float64[np.ndarray, "N 2"]:
    """A convex polygon in pixels around the whole face: jaw line, temples and forehead.

    Of schemes without a jaw line the rest is that of a mean face. ``grow``: how much further it
    reaches on all sides, as a share of its size. A face without any point has an ellipse around its
    box.
    """
    points = face.points.astype(np.float64)
    points = points[np.isfinite(points[:, 0])]
    up, middle = _up(face)
    outline = _mean_outline(face)
    if outline is None and len(points) < 3:
        return _grown(_ellipse(face.box.astype(np.float64)), grow)
    points = points if outline is None else np.concatenate([points, outline])
    length = max(float(np.hypot(*up)), 1e-6)
    upward = up / length
    across = np.array([-upward[1], upward[0]])
    high = (points - middle) @ upward / length > _EYE_LEVEL
    top = points[high]
    if len(top):
        aside = (top - middle) @ across
        centre, half = (aside.max() + aside.min()) / 2, max(float(np.ptp(aside)) / 2, 1e-6)
        far = ((aside - centre) / half) ** 2
        # An arc from temple to temple.
        lift = _TEMPLE + (_FOREHEAD - _TEMPLE) * np.sqrt(np.maximum(1 - far, 0))
        points = np.concatenate([points, top + lift[:, None] * up])
    hull = _convex_hull(points)
    return _grown(hull if len(hull) >= 3 else _ellipse(face.box.astype(np.float64)), grow)


def eye_band(face: Face, grow: float = GROW) -> Float64[np.ndarray, "4 2"]:
    """The corners of a band over both eyes, along the line through them.

    Raises ``SettingError`` for a scheme without eyes, ``DataError`` if they are missing.
    """
    points = face.points.astype(np.float64)
    centres = np.stack([_mean(points[at]) for at in _eyes_of(face.scheme)])
    eyes = _mean(centres)
    up, _ = _up(face)
    names = enumerate(face.scheme.known_as)
    at = [i for i, name in names if name.startswith(("right_eye_", "left_eye_"))]
    around = np.concatenate([centres, points[at]])
    around = around[np.isfinite(around[:, 0])]
    if not len(around):
        raise DataError("The face has no points of its eyes.")
    length = max(float(np.hypot(*up)), 1e-6)
    upward = up / length
    across = np.array([-upward[1], upward[0]])
    aside = (around - eyes) @ across
    low, high = aside.min() - _BAND_END * length, aside.max() + _BAND_END * length
    half = _BAND_HALF * length
    corners = [(low, -half), (high, -half), (high, half), (low, half)]
    return _grown(np.array([eyes + x * across + y * upward for x, y in corners]), grow)


def require_eyes(scheme: Scheme) -> None:
    """Raise ``SettingError`` for a scheme that tells nothing of the eyes."""
    _eyes_of(scheme)


def _eyes_of(scheme: Scheme) -> list[Int64[np.ndarray, " n"]]:
    groups = eye_groups(scheme)
    if groups is None:
        raise SettingError(f"Scheme {scheme.name} has no eyes; hide the whole face instead.")
    return [scheme.index(group) for group in groups]


def _up(face: Face) -> tuple[Float64[np.ndarray, 2], Float64[np.ndarray, 2]]:
    """(the way from the mouth to between the eyes, the place between the eyes)."""
    points = face.points.astype(np.float64)
    try:
        five = five_points(points, face.scheme)
        eyes, mouth = (_mean(five[:2]), _mean(five[3:]))
        if np.isfinite(eyes - mouth).all() and np.hypot(*(eyes - mouth)) > 1e-6:
            # In profile, eyes and mouth are one above the other too; their distance holds.
            return eyes - mouth, eyes
    except SettingError:
        pass  # the mean face tells where they would be
    to_image = _mean_face_map(face)
    if to_image is not None:
        eyes, mouth = geometry.apply(to_image, np.array([[0.0, 0.0], [0.0, _MEAN_DOWN]]))
        return eyes - mouth, eyes
    x0, y0, x1, y1 = face.box.astype(np.float64)
    height = y1 - y0
    return np.array([0.0, -_BOX_HEIGHT * height]), np.array([(x0 + x1) / 2, y0 + 0.2 * height])


def _mean(points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, 2]:
    there = points[np.isfinite(points[:, 0])]
    return there.mean(axis=0) if len(there) else np.full(2, np.nan)


def _mean_face_map(face: Face) -> Float64[np.ndarray, "2 3"] | None:
    """From the mean face to the image; None if too few points have a known place."""
    mean = mean_shape(face.scheme)
    try:
        return fit_similarity(mean, face.points)
    except DataError:
        return None


def _mean_outline(face: Face) -> Float64[np.ndarray, "K 2"] | None:
    """The mean face's points laid onto a face whose own points are inner ones only, else None."""
    before, behind = margins(face.scheme)
    if max(*before, *behind) <= _INNER and not _most_are_missing(face):
        return None
    to_image = _mean_face_map(face)
    return None if to_image is None else geometry.apply(to_image, mean_shape(ibug68))


def _most_are_missing(face: Face) -> bool:
    """Whether more than half of the points are NaN, so that a face's own outline is not there."""
    return bool(np.isnan(face.points[:, 0]).mean() > 0.5)


def _ellipse(box: Float64[np.ndarray, 4]) -> Float64[np.ndarray, "N 2"]:
    """Around a box, through its corners."""
    angles = np.linspace(0, 2 * np.pi, _CORNERS_OF_ELLIPSE, endpoint=False)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return middle + np.sqrt(2) * half * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _grown(polygon: Float64[np.ndarray, "N 2"], grow: float) -> Float64[np.ndarray, "N 2"]:
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    middle = (low + high) / 2
    return middle + (1 + 2 * grow) * (polygon - middle)


def _convex_hull(points: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "M 2"]:
    """The corners of the hull, in order (Andrew's monotone chain, 1979)."""
    ordered = np.unique(points, axis=0).tolist()
    if len(ordered) < 3:
        return np.array(ordered, dtype=np.float64).reshape(-1, 2)
    halves = []
    for chain in (ordered, ordered[::-1]):
        half: list[list[float]] = []
        for point in chain:
            while len(half) > 1 and _turn(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves.append(half[:-1])
    return np.array(halves[0] + halves[1], dtype=np.float64)


def _turn(a: list[float], b: list[float], c: list[float]) -> float:
    """Above 0 if the way from a by b to c turns the same way as x turns to y."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def between(before: Face, after: Face, share: float) -> Face:
    """A face on the way from one to the other, ``share`` 0 to 1; NaN points stay NaN."""
    points = before.points + np.float32(share) * (after.points - before.points)
    box = before.box + np.float32(share) * (after.box - before.box)
    return replace(before, points=points, box=box)
