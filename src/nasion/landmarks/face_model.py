"""A simple face in three dimensions: where each named point lies, for any pose and expression.

Unit: the distance of the outer eye corners. Origin: between them. x points to the subject's left
(the image's right), y down, z towards the viewer. Proportions are chosen by hand and symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from nasion.array_types import Float64
from nasion.errors import SettingError
from nasion.landmarks.measured_places import MEASURED_PLACES
from nasion.landmarks.table_names import mirror_name

Curve = Float64[np.ndarray, "*T 3"]
# Where named points lie along a brow, along its edges, and along a lid.
_BROW = {
    "outer_end": 0.0, "outer_quarter": 0.2, "middle": 0.47, "inner_quarter": 0.74, "inner_end": 1.0,
}  # fmt: skip
_BROW_EDGE = {"outer_quarter": 0.25, "middle": 0.5, "inner_quarter": 0.75, "inner_end": 1.0}
_LID = {
    "outer_third": 0.31, "inner_third": 0.69, "outer_quarter": 0.25, "middle": 0.5,
    "inner_quarter": 0.75,
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """``eyes`` 0 closed .. 1 wide, ``mouth`` 0 shut .. 1 open; the others -1 .. 1 or about 1."""

    eyes: float = 0.7
    mouth: float = 0.1
    smile: float = 0.0
    gaze: float = 0.0
    brows: float = 0.0
    width: float = 1.0
    jaw: float = 1.0


def jaw(along: np.ndarray, face: Expression) -> Curve:
    """The subject's right half of the jaw: 0 at the ear, 1 at the chin."""
    angle = np.pi / 2 * np.asarray(along, dtype=float)
    cos, sin = np.clip(np.cos(angle), 0, 1), np.sin(angle)
    drop = face.jaw + 0.12 * face.mouth * sin**2
    x, y, z = -0.83 * face.width * cos**0.65, 0.02 + 1.31 * drop * sin**1.25, -0.55 + 0.6 * sin
    return np.stack([x, y, z], -1)


def brow(along: np.ndarray, side: float, face: Expression) -> Curve:
    """The right brow, outer end (0) to inner (1); ``side``: -1 its upper edge, 1 its lower."""
    s = np.asarray(along, dtype=float)
    y = -0.155 - 0.042 * s - 0.095 * np.sin(np.pi * s**0.85) - 0.06 * face.brows * (0.4 + s)
    thick = 0.035 * side * np.sin(np.pi * (0.15 + 0.75 * s))
    return np.stack([-0.667 + 0.53 * s, y + thick, -0.12 + 0.22 * s**0.5], -1)


def lid(along: np.ndarray, upper: bool, face: Expression) -> Curve:
    """A lid of the right eye, outer corner (0) to inner (1)."""
    u = np.asarray(along, dtype=float)
    height = -0.09 * face.eyes if upper else 0.03 + 0.025 * face.eyes
    y = 0.018 * u + height * np.sin(np.pi * u)
    z = -0.05 + 0.08 * np.sin(np.pi * (0.2 + 0.6 * u))
    return np.stack([-0.5 + 0.284 * u, y, z], -1)


def _mouth(x: float, y: float, face: Expression, lower: float = 0.0) -> list[float]:
    """A point of the right half of the mouth; ``lower``: how much of the opening moves it."""
    corner = (x / 0.317) ** 2
    wide = 1 + 0.12 * face.smile * corner
    opened = y + 0.22 * face.mouth * lower
    smiling = opened - 0.07 * face.smile * corner + 0.02 * face.smile * (1 - corner)
    return [x * wide, smiling, 0.22 - 0.14 * corner]


def _half(face: Expression) -> dict[str, np.ndarray]:
    """The named points of the subject's right half and of the midline."""
    points: dict[str, np.ndarray | list[float]] = {"chin": jaw(np.array(1.0), face)}
    for i in range(1, 9):
        points[f"jaw_right_{i}"] = jaw(np.array((i - 1) / 8), face)
        points[f"jaw3d_right_{i}"] = points[f"jaw_right_{i}"]
        points[f"jaw_right_{i}_half"] = jaw(np.array((i - 0.5) / 8), face)
    for i in range(1, 7):
        points[f"imm_jaw_right_{i}"] = jaw(np.array(0.25 + 0.125 * (i - 1)), face)
    points |= {"jaw3d_chin": points["chin"], **_helen(face)}
    for i in range(1, 17):
        points[f"lapa_jaw_right_{i}"] = jaw(np.array((i - 0.5) / 16.5), face)
    for name, s in _BROW.items():
        points[f"right_eyebrow_{name}"] = brow(np.array(s), 0, face)
    for edge, side in (("upper", -1), ("lower", 1)):
        for name, s in _BROW_EDGE.items():
            points[f"right_eyebrow_{edge}_{name}"] = brow(np.array(s), side, face)
        for name, u in _LID.items():
            points[f"right_eye_{edge}_{name}"] = lid(np.array(u), edge == "upper", face)
    for i, s in enumerate((0.97, 0.74, 0.42, 0.2, 0.04), start=1):
        points[f"imm_brow_right_{i}"] = brow(np.array(s), 0, face)
    points |= {
        "right_eye_outer_corner": lid(np.array(0.0), True, face),
        "right_eye_inner_corner": lid(np.array(1.0), True, face),
        "right_eye_center": (lid(np.array(0.5), True, face) + lid(np.array(0.5), False, face)) / 2,
        "right_pupil": [-0.36 + 0.05 * face.gaze, 0.0, 0.04],
        "nasion": [0, -0.02, 0.12],
        "nose_bridge_upper": [0, 0.12, 0.22],
        "nose_bridge_lower": [0, 0.26, 0.33],
        "nose_tip": [0, 0.4, 0.42],
        "nose_base": [0, 0.557, 0.22],
        "nose_base_right": [-0.085, 0.532, 0.2],
        "nose_base_right_end": [-0.166, 0.503, 0.14],
        "nose_right_wing": [-0.2, 0.44, 0.12],
        "imm_nose_right_1": [-0.097, 0.02, 0.08],
        "imm_nose_right_2": [-0.125, 0.255, 0.12],
        "imm_nose_right_3": [-0.2, 0.34, 0.12],
        "imm_nose_right_4": [-0.21, 0.458, 0.12],
        "imm_nose_right_5": [-0.12, 0.5, 0.18],
        "mouth_right_corner": _mouth(-0.317, 0.775, face, 0.35),
        "mouth_center_top_lip": _mouth(0, 0.717, face),
        "mouth_center_bottom_lip": _mouth(0, 0.925, face, 1),
        "lip_upper_right_1": _mouth(-0.2, 0.724, face, 0.05),
        "lip_upper_right_2": _mouth(-0.082, 0.7, face),
        "lip_lower_right_1": _mouth(-0.205, 0.87, face, 0.8),
        "lip_lower_right_2": _mouth(-0.09, 0.917, face, 1),
        "inner_lip_right_corner": _mouth(-0.268, 0.778, face, 0.35),
        "inner_lip_upper_right": _mouth(-0.085, 0.77, face),
        "inner_lip_upper_center": _mouth(0, 0.776, face),
        "inner_lip_lower_right": _mouth(-0.085, 0.8, face, 1),
        "inner_lip_lower_center": _mouth(0, 0.806, face, 1),
        "imm_lip_upper_right": _mouth(-0.085, 0.698, face),
        "imm_lip_lower_right": _mouth(-0.12, 0.908, face, 0.95),
    }
    # These do not move with the expression.
    points |= {name: np.array(place) for name, place in MEASURED_PLACES.items()}
    return {name: np.asarray(value, dtype=float) for name, value in points.items()}


def _helen(face: Expression) -> dict[str, np.ndarray | list[float]]:
    """HELEN's 194 points: the same curves, more densely."""
    points: dict[str, np.ndarray | list[float]] = {
        "helen_jaw_middle": jaw(np.array(1.0), face),
        "helen_nose_middle": [0, 0.557, 0.22],
        "helen_lip_outer_upper_middle": _mouth(0, 0.717, face),
        "helen_lip_inner_lower_middle": _mouth(0, 0.806, face, 1),
    }
    for i in range(20):
        points[f"helen_jaw_right_{i + 1}"] = jaw(np.array(i / 20), face)
        upper = i < 11
        along = 1 - i / 11 if upper else (i - 11) / 9
        points[f"helen_eye_right_{i + 1}"] = lid(np.array(along), upper, face)
        upper, along = i < 10, (1 - i / 10 if i < 10 else (i - 10) / 10)
        points[f"helen_brow_right_{i + 1}"] = brow(np.array(along), -1 if upper else 1, face)
    for i in range(8):
        down = i / 8
        points[f"helen_nose_right_{i + 1}"] = [
            -0.1 - 0.1 * np.sin(np.pi * down * 0.7), 0.02 + 0.52 * down, 0.08 + 0.12 * down,
        ]  # fmt: skip
    for i in range(7):
        x = -0.317 * (1 - i / 7)
        bulge = 1 - (x / 0.317) ** 2
        points |= {
            f"helen_lip_outer_upper_right_{i + 1}": _mouth(x, 0.775 - 0.06 * bulge, face, 0.1),
            f"helen_lip_outer_lower_right_{i + 1}": _mouth(
                x * 0.97, 0.785 + 0.13 * bulge, face, 0.9
            ),
            f"helen_lip_inner_upper_right_{i + 1}": _mouth(x * 0.85, 0.776, face, 0.1),
        }
    for i in range(6):
        points[f"helen_lip_inner_lower_right_{i + 1}"] = _mouth(-0.25 + i * 0.04, 0.8, face, 0.9)
    return points


@cache
def known_points() -> frozenset[str]:
    """The names of all points that this face has, left ones too."""
    half = _half(Expression())
    return frozenset(half) | {mirror_name(name) for name in half}


def points_of(names: tuple[str, ...], face: Expression) -> Float64[np.ndarray, "K 3"]:
    """The named points; a left one is its right partner mirrored (but both eyes look the same way).

    Raises ``SettingError`` for a name that this face does not have.
    """
    half = _half(face)
    found = []
    for name in names:
        if name in half:
            found.append(half[name])
        elif mirror_name(name) in half:
            found.append(half[mirror_name(name)] * [-1, 1, 1])
        else:
            raise SettingError(
                f"Toy faces have no point {name!r}; they know the names of the catalog's schemes."
            )
        # Mirrored, the right pupil looks the other way; twice its shift of 0.05 turns it back.
        if name == "left_pupil":
            found[-1] = half["right_pupil"] * [-1, 1, 1] + [0.1 * face.gaze, 0, 0]
    return np.stack(found)


def rotate_head(
    points: Float64[np.ndarray, "*n 3"], yaw: float, pitch: float, roll: float
) -> Float64[np.ndarray, "*n 3"]:
    """Rotate the head about a point in the neck, in degrees: left, down, clockwise in the image."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    # Yaw, then pitch, then roll. Points are rows, so the product is transposed.
    pivot = np.array([0, 0.4, -0.4])
    return (points - pivot) @ (about_z @ about_x @ about_y).T + pivot
