"""The 5 points of MTFL (Zhang et al., 2014). Its nose tip lies lower than that of other schemes."""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import line, mirror_pairs

_POINTS = (
    "right_eye_center",
    "left_eye_center",
    "mtfl_nose_tip",
    "mouth_right_corner",
    "mouth_left_corner",
)

mtfl5: Scheme = Scheme(
    name="mtfl5",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(
        *line("right_eye_center", "mtfl_nose_tip", "left_eye_center"),
        *line("mouth_right_corner", "mtfl_nose_tip", "mouth_left_corner"),
    ),
    norm=(("right_eye_center",), ("left_eye_center",)),
)
