"""The 106 points of LaPa (Liu et al., 2020): brows as WFLW's, else much of its own.

Other sets of 106 points (InsightFace's among them) have another order.
"""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import line, mirror_pairs, numbered

# It begins higher at the ear than iBUG's jaw, so its points lie elsewhere along the same line.
_JAW = (*numbered("lapa_jaw_right", 1, 16), "chin", *numbered("lapa_jaw_left", 16, 1))
_RIGHT_BROW = (
    "right_eyebrow_outer_end", "right_eyebrow_upper_outer_quarter", "right_eyebrow_upper_middle",
    "right_eyebrow_upper_inner_quarter", "right_eyebrow_upper_inner_end",
    "right_eyebrow_lower_inner_end", "right_eyebrow_lower_inner_quarter",
    "right_eyebrow_lower_middle", "right_eyebrow_lower_outer_quarter",
)  # fmt: skip
_LEFT_BROW = (
    "left_eyebrow_upper_inner_end", "left_eyebrow_upper_inner_quarter",
    "left_eyebrow_upper_middle", "left_eyebrow_upper_outer_quarter", "left_eyebrow_outer_end",
    "left_eyebrow_lower_outer_quarter", "left_eyebrow_lower_middle",
    "left_eyebrow_lower_inner_quarter", "left_eyebrow_lower_inner_end",
)  # fmt: skip
_BRIDGE = ("nasion", "nose_bridge_upper", "nose_bridge_lower", "nose_tip")
# From beside the bridge around the base.
_NOSE = (
    *numbered("lapa_nose_right", 1, 3), "nose_base_right_end", "nose_base_right", "nose_base",
    "nose_base_left", "nose_base_left_end", *numbered("lapa_nose_left", 3, 1),
)  # fmt: skip
_RIGHT_EYE = (
    "right_eye_outer_corner", "right_eye_upper_outer_quarter", "right_eye_upper_middle",
    "right_eye_upper_inner_quarter", "right_eye_inner_corner", "right_eye_lower_inner_quarter",
    "right_eye_lower_middle", "right_eye_lower_outer_quarter",
)  # fmt: skip
_LEFT_EYE = (
    "left_eye_inner_corner", "left_eye_upper_inner_quarter", "left_eye_upper_middle",
    "left_eye_upper_outer_quarter", "left_eye_outer_corner", "left_eye_lower_outer_quarter",
    "left_eye_lower_middle", "left_eye_lower_inner_quarter",
)  # fmt: skip
_OUTER_LIP = (
    "mouth_right_corner", "lip_upper_right_1", "lip_upper_right_2", "mouth_center_top_lip",
    "lip_upper_left_2", "lip_upper_left_1",
    "mouth_left_corner", "lapa_lip_lower_left_1", "lapa_lip_lower_left_2",
    "mouth_center_bottom_lip", "lapa_lip_lower_right_2", "lapa_lip_lower_right_1",
)  # fmt: skip
_INNER_LIP = (
    "inner_lip_right_corner", "lapa_inner_lip_upper_right", "inner_lip_upper_center",
    "lapa_inner_lip_upper_left", "inner_lip_left_corner", "lapa_inner_lip_lower_left",
    "inner_lip_lower_center", "lapa_inner_lip_lower_right",
)  # fmt: skip
_POINTS = (
    *_JAW, *_RIGHT_BROW, *_LEFT_BROW, *_BRIDGE, *_NOSE,
    *_RIGHT_EYE, "right_eye_center", *_LEFT_EYE, "left_eye_center",
    *_OUTER_LIP, *_INNER_LIP, "right_pupil", "left_pupil",
)  # fmt: skip

lapa106: Scheme = Scheme(
    name="lapa106",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(
        *line(*_JAW), *line(*_RIGHT_BROW, closed=True), *line(*_LEFT_BROW, closed=True),
        *line(*_BRIDGE), *line(*_NOSE),
        *line(*_RIGHT_EYE, closed=True), *line(*_LEFT_EYE, closed=True),
        *line(*_OUTER_LIP, closed=True), *line(*_INNER_LIP, closed=True),
    ),
    norm=(("right_eye_outer_corner",), ("left_eye_outer_corner",)),
)  # fmt: skip
