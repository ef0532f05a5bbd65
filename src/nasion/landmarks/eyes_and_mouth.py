"""How far eyes and mouth are open, and how left and right differ, whatever the head's pose.

All are heights in the face's own frame. The fitted pose says where the face's vertical axis points
in the image, how much it is foreshortened, and how far a difference in depth or across the face
shows along it; depths and widths are those of the mean face. Lengths are divided by the head's
scale and so do not change with the camera's distance or when a head turns.

Lids are taken as arches, so that gaps at different places along them give one height. Points are
looked up by their names in the catalog's vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from nasion.array_types import Bool, Float, Float64
from nasion.landmarks.head_pose import HeadPoses
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme

EYE_WIDTH, MOUTH_WIDTH = 0.278, 0.638  # of the mean face, in distances of the outer eye corners
_LEAST_AXIS = 0.25  # seen length of the face's vertical axis, below which heights are not measured
# (upper, lower, height there for a height of 1 in the middle); * stands for the side.
_LIDS = tuple(
    (f"*_eye_upper_{place}", f"*_eye_lower_{place}", height)
    for place, height in (
        ("middle", 1.0),
        ("outer_third", 0.83),
        ("inner_third", 0.83),
        ("outer_quarter", 0.71),
        ("inner_quarter", 0.71),
    )
)
_LIPS = (
    ("inner_lip_upper_center", "inner_lip_lower_center", 1.0),
    ("inner_lip_upper_right", "inner_lip_lower_right", 0.9),
    ("inner_lip_upper_left", "inner_lip_lower_left", 0.9),
)
_BROW = (
    "outer_end", "outer_quarter", "middle", "inner_quarter", "inner_end",
    "upper_outer_quarter", "upper_middle", "upper_inner_quarter", "upper_inner_end",
    "lower_outer_quarter", "lower_middle", "lower_inner_quarter", "lower_inner_end",
)  # fmt: skip
_EYE_CORNERS = ("outer_corner", "inner_corner")

Pairs = tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class FaceMeasures:
    """Eyes and mouth of one face; NaN where points are missing or hidden, or there is no pose.

    The fields are those of ``MeasuredFaces``.
    """

    left_eye: float
    right_eye: float
    mouth: float
    eye_asymmetry: float
    brow_asymmetry: float
    mouth_asymmetry: float

    @property
    def eyes(self) -> float:
        """The mean of both eyes' openness; that of one eye if the other's is not known."""
        return float(_mean(np.array([self.left_eye]), np.array([self.right_eye]))[0])


@dataclass(frozen=True, eq=False)
class MeasuredFaces:
    """Eyes and mouths of N faces, each (N,); NaN where points are missing or hidden, or there is no
    pose. ``measures[i]`` is one ``FaceMeasures``.

    ``left_eye``, ``right_eye``: the largest gap between the lids, as a fraction of the width of an
    average eye of a head of this size: 0 closed, about 0.3 to 0.4 open. ``mouth``: the gap between
    the inner lips, as a fraction of the width of an average mouth: 0 shut. Asymmetries are positive
    if the subject's left is larger or higher: ``eye_asymmetry`` is left openness minus right, in
    the same unit; ``brow_asymmetry`` (height above the eye's corners) and ``mouth_asymmetry``
    (height of the corner) are fractions of the distance of the outer eye corners.
    """

    left_eye: Float64[np.ndarray, " N"]
    right_eye: Float64[np.ndarray, " N"]
    mouth: Float64[np.ndarray, " N"]
    eye_asymmetry: Float64[np.ndarray, " N"]
    brow_asymmetry: Float64[np.ndarray, " N"]
    mouth_asymmetry: Float64[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.mouth)

    def __getitem__(self, i: int) -> FaceMeasures:
        return FaceMeasures(**{name: float(values[i]) for name, values in vars(self).items()})

    @property
    def eyes(self) -> Float64[np.ndarray, " N"]:
        """The mean of both eyes' openness; that of one eye if the other's is not known."""
        return _mean(self.left_eye, self.right_eye)


def measure_eyes_and_mouth(
    points: Float[np.ndarray, "N K 2"],
    scheme: Scheme,
    poses: HeadPoses,
    hidden: Bool[np.ndarray, "N K"] | None = None,
) -> MeasuredFaces:
    """The measures of faces with these poses."""
    points = np.asarray(points, dtype=np.float64)
    if hidden is not None:
        points = np.where(hidden[..., None], np.nan, points)
    face = _FaceFrame(points, scheme, poses)
    left, right = (face.gap(_on_side(_LIDS, side)) / EYE_WIDTH for side in ("left", "right"))
    brows = [
        face.height(side, "eyebrow", _BROW) - face.height(side, "eye", _EYE_CORNERS)
        for side in ("left", "right")
    ]
    corners = face.heights(("mouth_left_corner", "mouth_right_corner"))
    return MeasuredFaces(
        left_eye=left,
        right_eye=right,
        mouth=face.gap(_LIPS) / MOUTH_WIDTH,
        eye_asymmetry=left - right,
        brow_asymmetry=brows[0] - brows[1],
        mouth_asymmetry=corners[:, 0] - corners[:, 1],
    )


@dataclass(frozen=True, eq=False)
class _FaceFrame:
    """Heights in the faces' own frames, in distances of the outer eye corners."""

    points: Float64[np.ndarray, "N K 2"]
    scheme: Scheme
    poses: HeadPoses

    def heights(self, names: tuple[str, ...]) -> Float64[np.ndarray, "N n"]:
        """Of these points above the eyes' corners; NaN for names that the scheme lacks."""
        position = {name: i for i, name in enumerate(self.scheme.known_as)}
        at = np.array([position.get(name, -1) for name in names])
        across_and_depth = _places(names)[:, [0, 2]]
        camera = self.poses.rotation[:, :2]
        seen = (self.points[:, at] - self.poses.shift[:, None]) / self.poses.scale[:, None, None]
        rest = seen - np.einsum("nij,kj->nki", camera[..., [0, 2]], across_and_depth)
        down = camera[..., 1]
        length = (down**2).sum(axis=1)
        length = np.where(length >= _LEAST_AXIS**2, length, np.nan)
        found = -np.einsum("ni,nki->nk", down, rest) / length[:, None]
        return np.where(at >= 0, found, np.nan)

    def gap(self, pairs: Pairs) -> Float64[np.ndarray, " N"]:
        """The height in the middle of an opening, by least squares over these pairs, 0 at least."""
        upper, lower, shape = zip(*pairs, strict=True)
        gaps = self.heights(upper) - self.heights(lower)
        known = ~np.isnan(gaps)
        arch = np.array(shape) * known
        power = (arch**2).sum(axis=1)
        fitted = (arch * np.nan_to_num(gaps)).sum(axis=1) / np.where(known.any(axis=1), power, 1)
        return np.where(known.any(axis=1), np.maximum(fitted, 0), np.nan)

    def height(self, side: str, part: str, places: tuple[str, ...]) -> Float64[np.ndarray, " N"]:
        """The mean height of a part's points on one side, of those that both sides have."""
        left, right = (
            self.heights(tuple(f"{each}_{part}_{place}" for place in places))
            for each in ("left", "right")
        )
        own = left if side == "left" else right
        both = ~np.isnan(left + right)
        count = both.sum(axis=1)
        total = np.where(both, own, 0).sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@cache
def _places(names: tuple[str, ...]) -> Float64[np.ndarray, "n 3"]:
    """On the mean face. Edges of the brow lie above and below its middle line; lids that were not
    measured count as in the eye's middle, above each other.
    """
    near = tuple(
        f"{name.split('_')[0]}_eye_upper_inner_third"
        if "_eye_" in name and name.endswith(("middle", "quarter"))
        else name.replace("eyebrow_upper", "eyebrow").replace("eyebrow_lower", "eyebrow")
        for name in names
    )
    known = tuple(dict.fromkeys(near))
    places = mean_face(Scheme(name="measured", points=known, mirror=()))
    return places[[known.index(name) for name in near]]


def _on_side(pairs: Pairs, side: str) -> Pairs:
    return tuple((a.replace("*", side), b.replace("*", side), height) for a, b, height in pairs)


def _mean(
    left: Float64[np.ndarray, " N"], right: Float64[np.ndarray, " N"]
) -> Float64[np.ndarray, " N"]:
    left, right = np.where(np.isnan(left), right, left), np.where(np.isnan(right), left, right)
    return (left + right) / 2
