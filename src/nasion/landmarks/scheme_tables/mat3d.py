"""The 68 points of 300-W-LP and AFLW2000-3D (Zhu et al., 2016): a fitted head's, in iBUG's order.

The jaw is the head's own, also where it is hidden, while iBUG's follows what is visible. So its
points have names of their own.
"""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import line, mirror_pairs, numbered

_JAW = (*numbered("jaw3d_right", 1, 8), "jaw3d_chin", *numbered("jaw3d_left", 8, 1))
_RIGHT_BROW = (
    "right_eyebrow_outer_end", "right_eyebrow_outer_quarter", "right_eyebrow_middle",
    "right_eyebrow_inner_quarter", "right_eyebrow_inner_end",
)  # fmt: skip
_LEFT_BROW = (
    "left_eyebrow_inner_end", "left_eyebrow_inner_quarter", "left_eyebrow_middle",
    "left_eyebrow_outer_quarter", "left_eyebrow_outer_end",
)  # fmt: skip
_BRIDGE = ("nasion", "nose_bridge_upper", "nose_bridge_lower", "nose_tip")
_BASE = (
    "nose_base_right_end", "nose_base_right", "nose_base", "nose_base_left", "nose_base_left_end",
)  # fmt: skip
_RIGHT_EYE = (
    "right_eye_outer_corner", "right_eye_upper_outer_third", "right_eye_upper_inner_third",
    "right_eye_inner_corner", "right_eye_lower_inner_third", "right_eye_lower_outer_third",
)  # fmt: skip
_LEFT_EYE = (
    "left_eye_inner_corner", "left_eye_upper_inner_third", "left_eye_upper_outer_third",
    "left_eye_outer_corner", "left_eye_lower_outer_third", "left_eye_lower_inner_third",
)  # fmt: skip
_OUTER_LIP = (
    "mouth_right_corner", "lip_upper_right_1", "lip_upper_right_2", "mouth_center_top_lip",
    "lip_upper_left_2", "lip_upper_left_1",
    "mouth_left_corner", "lip_lower_left_1", "lip_lower_left_2", "mouth_center_bottom_lip",
    "lip_lower_right_2", "lip_lower_right_1",
)  # fmt: skip
_INNER_LIP = (
    "inner_lip_right_corner", "inner_lip_upper_right", "inner_lip_upper_center",
    "inner_lip_upper_left", "inner_lip_left_corner", "inner_lip_lower_left",
    "inner_lip_lower_center", "inner_lip_lower_right",
)  # fmt: skip
_POINTS = (
    *_JAW, *_RIGHT_BROW, *_LEFT_BROW, *_BRIDGE, *_BASE, *_RIGHT_EYE, *_LEFT_EYE, *_OUTER_LIP,
    *_INNER_LIP,
)  # fmt: skip

mat3d68: Scheme = Scheme(
    name="mat3d68",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(
        *line(*_JAW), *line(*_RIGHT_BROW), *line(*_LEFT_BROW), *line(*_BRIDGE), *line(*_BASE),
        *line(*_RIGHT_EYE, closed=True), *line(*_LEFT_EYE, closed=True),
        *line(*_OUTER_LIP, closed=True), *line(*_INNER_LIP, closed=True),
    ),
    norm=(("right_eye_outer_corner",), ("left_eye_outer_corner",)),
)  # fmt: skip
