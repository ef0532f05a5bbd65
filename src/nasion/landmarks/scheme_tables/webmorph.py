"""The 189 points of WebMorph's template "FRL" (DeBruine), also of hair line, ears and neck.

The template has no names. Here a point is named after its region and side, numbered from the top or
from the outer end. Edges are the template's lines.
"""

from __future__ import annotations

from itertools import pairwise

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import mirror_pairs, numbered


def _own(*names: str) -> tuple[str, ...]:
    return tuple(f"webmorph_{name}" for name in names)


def _row(name: str, first: int, last: int) -> tuple[str, ...]:
    return numbered(f"webmorph_{name}", first, last)


# Both irises are clockwise for the subject: seen in the image, counter-clockwise from the top.
_RIGHT_IRIS = ("top", "upper_outer", "outer", "lower_outer", "bottom", "lower_inner", "inner",
               "upper_inner")  # fmt: skip
_LEFT_IRIS = ("top", "upper_inner", "inner", "lower_inner", "bottom", "lower_outer", "outer",
              "upper_outer")  # fmt: skip
_POINTS = (
    "right_pupil", "left_pupil",  # 0
    *(f"webmorph_iris_right_{part}" for part in _RIGHT_IRIS),  # 2
    *(f"webmorph_iris_left_{part}" for part in _LEFT_IRIS),  # 10
    "right_eye_outer_corner", "webmorph_lid_right_upper_outer", "right_eye_upper_middle",  # 18
    "webmorph_lid_right_upper_inner", "right_eye_inner_corner",
    "left_eye_inner_corner", "webmorph_lid_left_upper_inner", "left_eye_upper_middle",  # 23
    "webmorph_lid_left_upper_outer", "left_eye_outer_corner",
    "webmorph_lid_right_lower_outer", "right_eye_lower_middle",  # 28
    "webmorph_lid_right_lower_inner",
    "webmorph_lid_left_lower_inner", "left_eye_lower_middle",  # 31
    "webmorph_lid_left_lower_outer",
    *_row("crease_right", 1, 5), *_row("crease_left", 5, 1),  # 34: above the upper lid
    *_row("under_eye_right", 1, 3), *_row("under_eye_left", 3, 1),  # 44
    *_row("nose_right", 1, 5), "nose_base", *_row("nose_left", 1, 5),  # 50
    *_row("wing_right", 1, 3), "nose_base_right_end", "webmorph_wing_right_4",  # 61
    *_row("wing_left", 1, 3), "nose_base_left_end", "webmorph_wing_left_4",  # 66
    "right_eyebrow_outer_end", *_row("brow_right_upper", 1, 4),  # 71
    "webmorph_brow_right_inner_end",
    "webmorph_brow_left_inner_end", *_row("brow_left_upper", 4, 1),  # 77
    "left_eyebrow_outer_end",
    *_row("brow_right_lower", 1, 2), *_row("brow_left_lower", 2, 1),  # 83
    "mouth_right_corner", "lip_upper_right_1", "lip_upper_right_2", "mouth_center_top_lip",  # 87
    "lip_upper_left_2", "lip_upper_left_1", "mouth_left_corner",
    *_row("inner_lip_upper_right", 1, 2), "inner_lip_upper_center",  # 94
    *_row("inner_lip_upper_left", 2, 1),
    *_row("inner_lip_lower_right", 1, 2), "inner_lip_lower_center",  # 99
    *_row("inner_lip_lower_left", 2, 1),
    *_row("lip_lower_right", 1, 2), "mouth_center_bottom_lip",  # 104
    *_row("lip_lower_left", 2, 1),
    "webmorph_side_right_1", "webmorph_side_right_3", "webmorph_side_right_5",  # 109: at the ear
    "webmorph_side_left_1", "webmorph_side_left_3", "webmorph_side_left_5",  # 112
    *_row("ear_right", 1, 5), *_row("ear_left", 1, 5),  # 115
    *_row("jaw_right", 1, 4), "chin", *_row("jaw_left", 4, 1),  # 125
    *_row("hairline_right", 1, 5), "webmorph_hairline_middle",  # 134
    *_row("hairline_left", 5, 1),
    *_row("head_right", 1, 6), "webmorph_head_top", *_row("head_left", 6, 1),  # 145: from the neck
    *_row("nasolabial_right", 1, 3), *_row("nasolabial_left", 1, 3),  # 158
    *_row("cheek_right", 1, 3), *_row("cheek_left", 1, 3),  # 164
    *_row("philtrum_right", 1, 2), *_row("philtrum_left", 1, 2),  # 170
    *_own("chin_upper", "chin_lower"),  # 174
    *_own("under_lip_right", "under_lip", "under_lip_left"),  # 176
    *_row("nostril_right", 1, 2), *_row("nostril_left", 2, 1),  # 179
    *_own("neck_right", "neck_left"),  # 183
    *_own("side_right_2", "side_right_4", "side_left_2", "side_left_4"),  # 185
)  # fmt: skip

# The lines of the template, in its order. A ring names its first point at its end as well.
LINES = (
    (0, 0), (1, 1), (2, 3, 4, 5, 6, 7, 8, 9, 2), (10, 11, 12, 13, 14, 15, 16, 17, 10),
    (18, 19, 20, 21, 22), (23, 24, 25, 26, 27), (18, 28, 29, 30, 22), (23, 31, 32, 33, 27),
    (34, 35, 36, 37, 38), (39, 40, 41, 42, 43), (44, 45, 46), (47, 48, 49),
    (50, 51, 52, 53, 54, 55), (56, 57, 58, 59, 60, 55),
    (61, 62, 63, 64, 65, 179, 180, 55), (66, 67, 68, 69, 70, 182, 181, 55),
    (71, 72, 73, 74, 75, 76), (77, 78, 79, 80, 81, 82), (71, 83, 84, 76), (77, 85, 86, 82),
    (87, 88, 89, 90, 91, 92, 93), (87, 94, 95, 96, 97, 98, 93), (87, 99, 100, 101, 102, 103, 93),
    (87, 104, 105, 106, 107, 108, 93),
    (109, 185, 110, 186, 111), (112, 187, 113, 188, 114),
    (109, 115, 116, 117, 118, 119, 111), (112, 120, 121, 122, 123, 124, 114),
    (109, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 112),
    (145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157),
    (158, 159, 160), (161, 162, 163), (164, 165, 166), (167, 168, 169), (170, 171), (172, 173),
    (174, 175), (176, 177, 178), (126, 145), (132, 157), (145, 183, 184, 157),
    (111, 125, 126), (126, 127, 128, 129, 130, 131, 132), (132, 133, 114),
)  # fmt: skip

webmorph189: Scheme = Scheme(
    name="webmorph189",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=tuple(
        (_POINTS[a], _POINTS[b]) for points in LINES for a, b in pairwise(points) if a != b
    ),
    norm=(("right_pupil",), ("left_pupil",)),
)
