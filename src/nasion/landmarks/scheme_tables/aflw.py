"""The 19 points of AFLW (Koestinger et al., 2011) that most papers use, from the image's left.

The 21 points of the database without its two ears.
"""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import line, mirror_pairs

_RIGHT_BROW = (
    "aflw_brow_right_outer_end", "right_eyebrow_middle", "aflw_brow_right_inner_end",
)  # fmt: skip
_LEFT_BROW = ("aflw_brow_left_inner_end", "left_eyebrow_middle", "aflw_brow_left_outer_end")
_RIGHT_EYE = ("right_eye_outer_corner", "right_eye_center", "right_eye_inner_corner")
_LEFT_EYE = ("left_eye_inner_corner", "left_eye_center", "left_eye_outer_corner")
_NOSE = ("aflw_nose_right", "aflw_nose_center", "aflw_nose_left")
_MOUTH = ("mouth_right_corner", "aflw_mouth_center", "mouth_left_corner")
_POINTS = (*_RIGHT_BROW, *_LEFT_BROW, *_RIGHT_EYE, *_LEFT_EYE, *_NOSE, *_MOUTH, "chin")

aflw19: Scheme = Scheme(
    name="aflw19",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(
        *line(*_RIGHT_BROW), *line(*_LEFT_BROW), *line(*_RIGHT_EYE), *line(*_LEFT_EYE),
        *line(*_NOSE), *line(*_MOUTH),
    ),
    # Half of the heads are turned so far that only one eye is labelled.
    norm=None,
)  # fmt: skip
