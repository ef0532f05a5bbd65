"""The 68 points of FG-NET (Cootes and Lanitis, 2004), in an order of its own."""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import line, mirror_pairs, numbered

# From the subject's right ear over the chin; the ends are at the height of the eyes.
_JAW = (
    "jaw_right_1", *numbered("fgnet_jaw_right", 2, 7),
    "chin",
    *numbered("fgnet_jaw_left", 7, 2), "jaw_left_1",
)  # fmt: skip
# Along the upper edge to the inner end, which is point 4, and back along the lower one.
_LEFT_BROW = ("left_eyebrow_outer_end", *numbered("fgnet_brow_left", 2, 6))
_RIGHT_BROW = ("right_eyebrow_outer_end", *numbered("fgnet_brow_right", 2, 6))
_RIGHT_EYE = (
    "right_eye_outer_corner", "right_eye_upper_middle", "right_eye_inner_corner",
    "right_eye_lower_middle",
)  # fmt: skip
_LEFT_EYE = (
    "left_eye_outer_corner", "left_eye_upper_middle", "left_eye_inner_corner",
    "left_eye_lower_middle",
)  # fmt: skip
# From beside the bridge around the base.
_NOSE = (
    *numbered("fgnet_nose_right", 1, 3), "nose_base_right_end", "nose_base", "nose_base_left_end",
    *numbered("fgnet_nose_left", 3, 1),
)  # fmt: skip
_OUTER_LIP = (
    "mouth_right_corner", "lip_upper_right_1", "lip_upper_right_2", "mouth_center_top_lip",
    "lip_upper_left_2", "lip_upper_left_1",
    "mouth_left_corner", "fgnet_lip_lower_left_1", "fgnet_lip_lower_left_2",
    "mouth_center_bottom_lip", "fgnet_lip_lower_right_2", "fgnet_lip_lower_right_1",
)  # fmt: skip
_INNER_LIP = (
    "fgnet_inner_lip_lower_right", "inner_lip_lower_center", "fgnet_inner_lip_lower_left",
    "fgnet_inner_lip_upper_left", "inner_lip_upper_center", "fgnet_inner_lip_upper_right",
)  # fmt: skip
_POINTS = (
    *_JAW, *_LEFT_BROW, *_RIGHT_BROW, *_RIGHT_EYE, "right_pupil", *_LEFT_EYE, "left_pupil",
    *_NOSE, "fgnet_nostril_right", "fgnet_nostril_left",
    *_OUTER_LIP, *_INNER_LIP, "fgnet_mouth_middle", "nose_tip",
)  # fmt: skip

fgnet68: Scheme = Scheme(
    name="fgnet68",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(
        *line(*_JAW),
        *line(*_LEFT_BROW, closed=True), *line(*_RIGHT_BROW, closed=True),
        *line(*_RIGHT_EYE, closed=True), *line(*_LEFT_EYE, closed=True),
        *line(*_NOSE),
        *line(*_OUTER_LIP, closed=True),
        *line("mouth_right_corner", *_INNER_LIP[:3], "mouth_left_corner", *_INNER_LIP[3:],
              closed=True),
    ),
    norm=(("right_eye_outer_corner",), ("left_eye_outer_corner",)),
)  # fmt: skip
