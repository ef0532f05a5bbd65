"""The points of CFP (Sengupta et al., 2016), 30 of one half of the face, for both halves."""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import both_sides, line, mirror_pairs, numbered, on_side

_JAW = (*numbered("jaw_*", 1, 8), "chin")
_BROW = ("*_eyebrow_outer_end", "*_eyebrow_middle", "cfp_brow_*_inner_end")
_EYE = (
    "*_eye_outer_corner", "*_eye_upper_outer_third", "*_eye_upper_inner_third",
    "*_eye_inner_corner", "*_eye_lower_inner_third", "*_eye_lower_outer_third",
)  # fmt: skip
_BRIDGE = ("nasion", "nose_bridge_upper", "nose_bridge_lower", "nose_tip")
_BASE = ("nose_base", "nose_base_*", "nose_base_*_end")
_LIPS = (
    "cfp_mouth_*_corner", "mouth_center_top_lip", "inner_lip_upper_center",
    "mouth_center_bottom_lip", "inner_lip_lower_center",
)  # fmt: skip
# The file's order; * stands for the side that it labels.
HALF = (*_JAW, *_BROW, *_EYE, *_BRIDGE, *_BASE, *_LIPS)
_POINTS = tuple(dict.fromkeys(both_sides(*HALF)))


def _edges(side: str) -> tuple[tuple[str, str], ...]:
    corner, top, inner_top, bottom, inner_bottom = on_side(side, _LIPS)
    return (
        *line(*on_side(side, _JAW)),
        *line(*on_side(side, _BROW)),
        *line(*on_side(side, _EYE), closed=True),
        *line(*on_side(side, _BASE)),
        *line(top, corner, bottom),
        *line(inner_top, corner, inner_bottom),
    )


cfp50: Scheme = Scheme(
    name="cfp50",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(*_edges("right"), *_edges("left"), *line(*_BRIDGE)),
    # No face has both of its eyes labelled.
    norm=None,
)
