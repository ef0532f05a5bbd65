"""The mean face in three dimensions, measured on labels (``benchmarks/mean_face.py``).

Unit: the distance of the outer eye corners. Origin: between them. x points to the subject's left
(the image's right), y down, z towards the viewer. From 2,012 faces of iBUG and 6,298 of CFP, 1,800
of them profiles; both halves are one. ``face_model.py`` is drawn by hand, knows more points and has
expressions; this face has the depths of real heads.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nasion.array_types import Float64
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import mirror_name

# The subject's right half and the midline.
_PLACES: dict[str, tuple[float, float, float]] = {
    "jaw_right_1": (-0.835, 0.067, -0.667),
    "jaw_right_2": (-0.823, 0.274, -0.631),
    "jaw_right_3": (-0.796, 0.482, -0.602),
    "jaw_right_4": (-0.751, 0.685, -0.539),
    "jaw_right_5": (-0.670, 0.874, -0.427),
    "jaw_right_6": (-0.543, 1.036, -0.294),
    "jaw_right_7": (-0.385, 1.167, -0.153),
    "jaw_right_8": (-0.205, 1.265, -0.011),
    "chin": (0.000, 1.293, 0.148),
    "right_eyebrow_outer_end": (-0.664, -0.155, -0.025),
    "right_eyebrow_outer_quarter": (-0.567, -0.241, 0.019),
    "right_eyebrow_middle": (-0.428, -0.263, 0.120),
    "right_eyebrow_inner_quarter": (-0.278, -0.260, 0.202),
    "right_eyebrow_inner_end": (-0.137, -0.211, 0.264),
    "nasion": (0.000, -0.026, 0.236),
    "nose_bridge_upper": (0.000, 0.107, 0.307),
    "nose_bridge_lower": (0.000, 0.237, 0.388),
    "nose_tip": (0.000, 0.376, 0.467),
    "nose_base_right_end": (-0.156, 0.470, 0.210),
    "nose_base_right": (-0.081, 0.499, 0.270),
    "nose_base": (0.000, 0.512, 0.317),
    "right_eye_outer_corner": (-0.500, 0.000, 0.000),
    "right_eye_upper_outer_third": (-0.413, -0.055, 0.058),
    "right_eye_upper_inner_third": (-0.308, -0.057, 0.101),
    "right_eye_inner_corner": (-0.222, 0.003, 0.123),
    "right_eye_lower_inner_third": (-0.317, 0.031, 0.101),
    "right_eye_lower_outer_third": (-0.415, 0.032, 0.065),
    "mouth_right_corner": (-0.319, 0.753, 0.035),
    "lip_upper_right_1": (-0.202, 0.693, 0.199),
    "lip_upper_right_2": (-0.082, 0.662, 0.293),
    "mouth_center_top_lip": (0.000, 0.664, 0.301),
    "mouth_center_bottom_lip": (0.000, 0.906, 0.256),
    "lip_lower_right_2": (-0.090, 0.899, 0.234),
    "lip_lower_right_1": (-0.207, 0.856, 0.152),
    "inner_lip_right_corner": (-0.270, 0.757, 0.058),
    "inner_lip_upper_right": (-0.084, 0.733, 0.271),
    "inner_lip_upper_center": (0.000, 0.734, 0.284),
    "inner_lip_lower_center": (0.000, 0.801, 0.250),
    "inner_lip_lower_right": (-0.085, 0.793, 0.241),
    "cfp_brow_right_inner_end": (-0.171, -0.200, 0.218),
    "cfp_mouth_right_corner": (-0.299, 0.746, 0.111),
}
# How much these places differ from face to face and with the expression, after a weighted fit of
# the pose: standard deviation along x or y, on the same faces.
_SPREAD: dict[str, float] = {
    "jaw_right_1": 0.056,
    "jaw_right_2": 0.047,
    "jaw_right_3": 0.046,
    "jaw_right_4": 0.046,
    "jaw_right_5": 0.045,
    "jaw_right_6": 0.045,
    "jaw_right_7": 0.046,
    "jaw_right_8": 0.047,
    "chin": 0.048,
    "right_eyebrow_outer_end": 0.046,
    "right_eyebrow_outer_quarter": 0.043,
    "right_eyebrow_middle": 0.035,
    "right_eyebrow_inner_quarter": 0.039,
    "right_eyebrow_inner_end": 0.042,
    "nasion": 0.019,
    "nose_bridge_upper": 0.014,
    "nose_bridge_lower": 0.017,
    "nose_tip": 0.023,
    "nose_base_right_end": 0.029,
    "nose_base_right": 0.021,
    "nose_base": 0.017,
    "right_eye_outer_corner": 0.023,
    "right_eye_upper_outer_third": 0.022,
    "right_eye_upper_inner_third": 0.022,
    "right_eye_inner_corner": 0.023,
    "right_eye_lower_inner_third": 0.021,
    "right_eye_lower_outer_third": 0.021,
    "mouth_right_corner": 0.049,
    "lip_upper_right_1": 0.037,
    "lip_upper_right_2": 0.029,
    "mouth_center_top_lip": 0.023,
    "mouth_center_bottom_lip": 0.041,
    "lip_lower_right_2": 0.046,
    "lip_lower_right_1": 0.043,
    "inner_lip_right_corner": 0.047,
    "inner_lip_upper_right": 0.031,
    "inner_lip_upper_center": 0.022,
    "inner_lip_lower_center": 0.039,
    "inner_lip_lower_right": 0.041,
    "cfp_brow_right_inner_end": 0.033,
    "cfp_mouth_right_corner": 0.044,
}


@cache
def mean_face(scheme: Scheme) -> Float64[np.ndarray, "K 3"]:
    """The places of a scheme's points; NaN for names that were not measured."""
    places = np.full((len(scheme), 3), np.nan)
    for i, name in enumerate(scheme.known_as):
        mirrored = _PLACES.get(mirror_name(name))
        if name in _PLACES:
            places[i] = _PLACES[name]
        elif mirrored is not None:
            places[i] = np.array(mirrored) * [-1, 1, 1]
    places.setflags(write=False)
    return places


@cache
def spread_of_places(scheme: Scheme) -> Float64[np.ndarray, " K"]:
    """How much the places differ from face to face, in the same unit; NaN as in ``mean_face``."""
    named = ((name, mirror_name(name)) for name in scheme.known_as)
    spread = np.array([_SPREAD.get(a, _SPREAD.get(b, np.nan)) for a, b in named])
    spread.setflags(write=False)
    return spread
