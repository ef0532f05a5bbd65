"""Where an aligned crop lies in its image: a similarity from a face's points to a template.

A template says where points lie in a square frame. Coordinates are pixels with their centres at
integers, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasion.array_types import Float, Float64, Int64
from nasion.errors import DataError, SettingError, require
from nasion.landmarks import geometry
from nasion.landmarks.catalog import SCHEMES, ibug68, scheme_named
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.head_pose import LEAST_POINTS, fit_head_poses
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme

TEMPLATES = ("arcface", "ffhq")  # and the name of any scheme of the catalog
MAX_SIZE = 8192
_MAX_MARGIN = 10.0
_SIZES = {"arcface": 112, "ffhq": 1024}
_SCHEME_SIZE = 256
# Eyes, nose tip, corners of the mouth, from the image's left to its right, in 112 x 112 pixels:
# the places that recognition networks since SphereFace (Liu et al., CVPR 2017; 96 x 112 there) and
# ArcFace (Deng et al., CVPR 2019, `arcface_dst` in InsightFace's face_align.py) are trained on.
_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip
# FFHQ's square (Karras et al., CVPR 2019, appendix A): half its side in distances of the eyes, or
# of eyes and mouth, whichever gives more; its centre lies below the eyes.
_FFHQ_EYES, _FFHQ_MOUTH, _FFHQ_DOWN = 2.0, 1.8, 0.1
_CORNERS = ("mouth_{}_corner", "cfp_mouth_{}_corner")


@dataclass(frozen=True)
class CropFrame:
    """What a crop shows: ``template``, ``size`` in pixels, ``margin`` on each side.

    ``template``: ``arcface``, ``ffhq``, or a scheme of the catalog, whose mean shape fills the
    square. ``size``: None for the template's own (112, 1024, 256). ``margin``: as a share of the
    template's side; the size stays, so the face becomes smaller. Raises ``SettingError``.
    """

    template: str = "arcface"
    size: int | None = None
    margin: float = 0.0

    def __post_init__(self) -> None:
        known = self.template in TEMPLATES or self.template in SCHEMES
        require(
            known,
            f"No template {self.template!r}; there are {', '.join((*TEMPLATES, *SCHEMES))}.",
        )
        require(
            self.size is None or 8 <= self.size <= MAX_SIZE,
            f"The size of a crop is 8 to {MAX_SIZE} pixels; found {self.size}.",
        )
        require(
            -0.4 <= self.margin <= _MAX_MARGIN,
            f"The margin of a crop is -0.4 to {_MAX_MARGIN:g}, a share of its side; "
            f"found {self.margin}.",
        )

    @property
    def side(self) -> int:
        """Pixels of the crop's side."""
        return self.size or _SIZES.get(self.template, _SCHEME_SIZE)

    def check_scheme(self, scheme: Scheme) -> None:
        """Raise ``SettingError`` for a scheme without the points that the template needs."""
        if self.template in TEMPLATES:
            _five_groups(scheme)
        else:
            _shared_points(scheme, self.template)

    def map_for(
        self,
        points: Float[np.ndarray, "K 2"],
        scheme: Scheme,
        weights: Float[np.ndarray, " K"] | None = None,
    ) -> Float64[np.ndarray, "2 3"]:
        """The similarity from the image to the crop; NaN points are left out.

        ``weights``: of each point in the fit to a scheme's mean shape. Raises ``SettingError`` for
        a scheme without the points that the template needs, ``DataError`` if they are missing.
        """
        points = np.asarray(points, dtype=np.float64)
        if self.template == "ffhq":
            unit = _ffhq_square(five_points(points, scheme))
        elif self.template == "arcface":
            target = geometry.to_relative(_ARCFACE, np.array([112, 112]))
            unit = fit_similarity(five_points(points, scheme), target)
        else:
            unit = _to_mean_shape(points, scheme, self.template, weights)
        # From the unit square to pixels, with the margin around it.
        grown = geometry.grow_box(np.array([0.0, 0.0, 1.0, 1.0]), self.margin)
        return geometry.compose(unit, geometry.box_to_frame(grown, (self.side, self.side)))


def five_points(points: Float[np.ndarray, "K 2"], scheme: Scheme) -> Float64[np.ndarray, "5 2"]:
    """Eyes, nose tip, corners of the mouth, from the image's left to its right in an upright face.

    An eye is its pupil, else its labelled centre, else the mean of its contour; of one that is
    labelled on one side only, the place on the mean face in the head's pose. NaN where a point is
    missing. Raises ``SettingError`` for a scheme that does not tell all five.
    """
    points = np.asarray(points, dtype=np.float64)
    found = []
    # Only eyes have several points, of which some may be missing.
    for side, group in zip(("right", "left", "", "", ""), _five_groups(scheme), strict=True):
        at = scheme.index(group)
        at = at[np.isfinite(points[at, 0])]
        there = points[at]
        if side and len(at) and not scheme.spans_eye([scheme.points[i] for i in at]):
            there = there + _to_eye_centre(points, scheme, at, side)
        found.append(there.mean(axis=0) if len(there) else np.full(2, np.nan))
    return np.stack(found)


def _to_eye_centre(
    points: Float64[np.ndarray, "K 2"], scheme: Scheme, at: Int64[np.ndarray, " n"], side: str
) -> Float64[np.ndarray, "n 2"]:
    """The ways from points of an eye to its centre, on the mean face in the head's pose.

    NaN if the face has too few points for a pose.
    """
    eye = tuple(name for name in ibug68.points if name.startswith(f"{side}_eye_"))
    centre = mean_face(ibug68)[ibug68.index(eye)].mean(axis=0)
    pose = fit_head_poses(points[None], scheme)[0]
    return pose.scale * (centre - mean_face(scheme)[at]) @ pose.rotation[:2].T


def _five_groups(scheme: Scheme) -> list[tuple[str, ...]]:
    """The points of each of the five places. Raises ``SettingError`` for a scheme without them."""
    eyes = eye_groups(scheme)
    if eyes is None:
        raise SettingError(_lacks(scheme, "eyes"))
    known = int(np.isfinite(mean_face(scheme)[:, 0]).sum())
    for side, eye in zip(("right", "left"), eyes, strict=True):
        if not scheme.spans_eye(eye) and known < LEAST_POINTS:
            raise SettingError(
                f"Scheme {scheme.name} labels the {side} eye on one side only ({', '.join(eye)}), "
                f"and the mean face has {known} of its points, of which {LEAST_POINTS} would "
                f"tell the eye's centre; the templates {' and '.join(TEMPLATES)} need it. "
                "Label both corners of each eye, or use a scheme's name as the template."
            )
    named = dict(zip(scheme.known_as, scheme.points, strict=True))
    groups = [*eyes, (_own(scheme, named, ("nose_tip",)),)]
    for side in ("right", "left"):
        groups.append((_own(scheme, named, tuple(name.format(side) for name in _CORNERS)),))
    return groups


def _own(scheme: Scheme, named: dict[str, str], known: tuple[str, ...]) -> str:
    for name in known:
        if name in named:
            return named[name]
    raise SettingError(_lacks(scheme, known[0]))


def _lacks(scheme: Scheme, what: str) -> str:
    return (
        f"Scheme {scheme.name} has no {what}, which the templates {' and '.join(TEMPLATES)} need; "
        "use a scheme's name as the template."
    )


def eye_groups(scheme: Scheme) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The points that tell where the right and the left eye are; None if there are none."""
    right, left = scheme.eye_points("right"), scheme.eye_points("left")
    return (right, left) if right and left else None


def fit_similarity(
    source: Float[np.ndarray, "K 2"],
    target: Float[np.ndarray, "K 2"],
    weights: Float[np.ndarray, " K"] | None = None,
) -> Float64[np.ndarray, "2 3"]:
    """Rotation, scale and shift that take ``source`` nearest to ``target`` by least squares.

    Mirroring is not allowed (Umeyama, PAMI 1991; in two dimensions a complex number). NaN points
    are left out. Raises ``DataError`` for fewer than two places.
    """
    source = np.asarray(source, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    used = np.isfinite(source).all(axis=1) & np.isfinite(target).all(axis=1)
    weight = np.ones(len(source)) if weights is None else np.asarray(weights, dtype=np.float64)
    used &= weight > 0
    weight = weight[used] / max(weight[used].sum(), 1e-300)
    a = source[used] @ np.array([1, 1j])
    b = target[used] @ np.array([1, 1j])
    a_mean, b_mean = (weight * a).sum(), (weight * b).sum()
    power = float((weight * np.abs(a - a_mean) ** 2).sum())
    if used.sum() < 2 or power <= 1e-12:
        raise DataError(
            f"{int(used.sum())} of the points that the template needs are there; "
            "two apart from each other, or more, are needed."
        )
    turn = (weight * np.conj(a - a_mean) * (b - b_mean)).sum() / power
    if abs(turn) < 1e-12:
        raise DataError("The face's points do not resemble the template at all.")
    return _as_map(turn, b_mean - turn * a_mean)


def _as_map(turn: complex, shift: complex) -> Float64[np.ndarray, "2 3"]:
    """The map ``z -> turn z + shift`` of complex numbers x + iy."""
    return np.array(
        [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], dtype=np.float64
    )


def _ffhq_square(five: Float64[np.ndarray, "5 2"]) -> Float64[np.ndarray, "2 3"]:
    """From the image to the unit square that FFHQ's rule lays around eyes and mouth."""
    right, left, _, right_corner, left_corner = five @ np.array([1, 1j])
    eyes, mouth = (right + left) / 2, (right_corner + left_corner) / 2
    across, down = left - right, mouth - eyes
    if not (np.isfinite(across) and np.isfinite(down)):
        raise DataError("The template ffhq needs both eyes and both corners of the mouth.")
    # A quarter turn takes the way down to the way right: both say how the head is tilted.
    right_way = across - 1j * down
    half = max(_FFHQ_EYES * abs(across), _FFHQ_MOUTH * abs(down))
    if abs(right_way) < 1e-9 or half < 1e-6:
        raise DataError("Eyes and mouth lie in one place, so the template ffhq has no direction.")
    axis = right_way / abs(right_way) * half
    centre = eyes + _FFHQ_DOWN * down
    # The square's corner at its top left is centre - axis - i axis; the side is 2 axis.
    turn = 1 / (2 * axis)
    return _as_map(turn, 0.5 + 0.5j - turn * centre)


def _to_mean_shape(
    points: Float64[np.ndarray, "K 2"],
    scheme: Scheme,
    template: str,
    weights: Float[np.ndarray, " K"] | None,
) -> Float64[np.ndarray, "2 3"]:
    """From the image to the unit square that the mean shape of a scheme fills."""
    shape = mean_shape(scheme_named(template))
    box = geometry.square_around(geometry.points_box(shape))
    unit = (shape - box[:2]) / (box[2:] - box[:2])
    own, theirs = _shared_points(scheme, template)
    chosen = None if weights is None else np.asarray(weights, dtype=np.float64)[own]
    return fit_similarity(points[own], unit[theirs], chosen)


def _shared_points(
    scheme: Scheme, template: str
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Positions in a scheme, and in the template's scheme, of the points that both have."""
    target = scheme_named(template)
    matches = scheme.matches(target)
    if len(matches) < 2:
        raise SettingError(
            f"Scheme {scheme.name} and the template {template} have {len(matches)} points in "
            "common; 2 or more are needed. Choose another template."
        )
    return scheme.index(matches), target.index(matches.values())
