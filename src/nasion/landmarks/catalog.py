"""The catalog of schemes, in one vocabulary: a name means the same place on a face in every scheme.

Sources: the tables of each dataset's authors; more schemes are in ``scheme_tables``. Names are
shared only where the places agree on real labels. Where two datasets mark nearly the same line
differently (IMM's jaw, brows and nose), the names differ.
"""

from __future__ import annotations

from collections.abc import Mapping

from nasion.errors import SettingError
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.aflw import aflw19
from nasion.landmarks.scheme_tables.cfp import cfp50
from nasion.landmarks.scheme_tables.fgnet import fgnet68
from nasion.landmarks.scheme_tables.helen import helen194
from nasion.landmarks.scheme_tables.lapa import lapa106
from nasion.landmarks.scheme_tables.mat3d import mat3d68
from nasion.landmarks.scheme_tables.mtfl import mtfl5
from nasion.landmarks.scheme_tables.webmorph import webmorph189
from nasion.landmarks.table_names import both_sides, line, mirror_name, mirror_pairs

OUTER_CORNERS = (("right_eye_outer_corner",), ("left_eye_outer_corner",))
EYE_CENTERS = (("right_eye_center",), ("left_eye_center",))

_FKD_POINTS = (
    "left_eye_center", "right_eye_center",
    "left_eye_inner_corner", "left_eye_outer_corner", "right_eye_inner_corner",
    "right_eye_outer_corner",
    "left_eyebrow_inner_end", "left_eyebrow_outer_end", "right_eyebrow_inner_end",
    "right_eyebrow_outer_end",
    "nose_tip",
    "mouth_left_corner", "mouth_right_corner", "mouth_center_top_lip", "mouth_center_bottom_lip",
)  # fmt: skip

fkd15: Scheme = Scheme(
    name="fkd15",
    points=_FKD_POINTS,
    mirror=mirror_pairs(_FKD_POINTS),
    edges=(
        *line("left_eyebrow_inner_end", "left_eyebrow_outer_end"),
        *line("right_eyebrow_inner_end", "right_eyebrow_outer_end"),
        *line("left_eye_inner_corner", "left_eye_center", "left_eye_outer_corner"),
        *line("right_eye_inner_corner", "right_eye_center", "right_eye_outer_corner"),
        *line(
            "mouth_left_corner",
            "mouth_center_top_lip",
            "mouth_right_corner",
            "mouth_center_bottom_lip",
            closed=True,
        ),
    ),
    norm=EYE_CENTERS,
)

# From the subject's right ear over the chin to the left ear.
_JAW_17 = (
    *(f"jaw_right_{i}" for i in range(1, 9)),
    "chin",
    *(f"jaw_left_{i}" for i in range(8, 0, -1)),
)
_BROWS_5 = (
    "right_eyebrow_outer_end", "right_eyebrow_outer_quarter", "right_eyebrow_middle",
    "right_eyebrow_inner_quarter", "right_eyebrow_inner_end",
    "left_eyebrow_inner_end", "left_eyebrow_inner_quarter", "left_eyebrow_middle",
    "left_eyebrow_outer_quarter", "left_eyebrow_outer_end",
)  # fmt: skip
_NOSE_BRIDGE = ("nasion", "nose_bridge_upper", "nose_bridge_lower", "nose_tip")
_NOSE_BASE = (
    "nose_base_right_end",
    "nose_base_right",
    "nose_base",
    "nose_base_left",
    "nose_base_left_end",
)
_RIGHT_EYE_6 = (
    "right_eye_outer_corner", "right_eye_upper_outer_third", "right_eye_upper_inner_third",
    "right_eye_inner_corner", "right_eye_lower_inner_third", "right_eye_lower_outer_third",
)  # fmt: skip
_LEFT_EYE_6 = (
    "left_eye_inner_corner", "left_eye_upper_inner_third", "left_eye_upper_outer_third",
    "left_eye_outer_corner", "left_eye_lower_outer_third", "left_eye_lower_inner_third",
)  # fmt: skip
# Clockwise in the image, from the subject's right corner; _1 is the point beside the corner.
_OUTER_LIP_12 = (
    "mouth_right_corner", "lip_upper_right_1", "lip_upper_right_2", "mouth_center_top_lip",
    "lip_upper_left_2", "lip_upper_left_1",
    "mouth_left_corner", "lip_lower_left_1", "lip_lower_left_2", "mouth_center_bottom_lip",
    "lip_lower_right_2", "lip_lower_right_1",
)  # fmt: skip
_INNER_LIP_8 = (
    "inner_lip_right_corner", "inner_lip_upper_right", "inner_lip_upper_center",
    "inner_lip_upper_left",
    "inner_lip_left_corner", "inner_lip_lower_left", "inner_lip_lower_center",
    "inner_lip_lower_right",
)  # fmt: skip
_IBUG_POINTS = (
    *_JAW_17,
    *_BROWS_5,
    *_NOSE_BRIDGE,
    *_NOSE_BASE,
    *_RIGHT_EYE_6,
    *_LEFT_EYE_6,
    *_OUTER_LIP_12,
    *_INNER_LIP_8,
)

ibug68: Scheme = Scheme(
    name="ibug68",
    points=_IBUG_POINTS,
    mirror=mirror_pairs(_IBUG_POINTS),
    edges=(
        *line(*_JAW_17), *line(*_BROWS_5[:5]), *line(*_BROWS_5[5:]), *line(*_NOSE_BRIDGE),
        *line(*_NOSE_BASE),
        *line(*_RIGHT_EYE_6, closed=True), *line(*_LEFT_EYE_6, closed=True),
        *line(*_OUTER_LIP_12, closed=True), *line(*_INNER_LIP_8, closed=True),
    ),
    norm=OUTER_CORNERS,
)  # fmt: skip

# WFLW's jaw has a point of its own between each two of ibug68's. It is named after the one nearer
# the ear, so that left and right names mirror.
_JAW_33 = tuple(
    name
    for a, b in zip(_JAW_17, (*_JAW_17[1:], None), strict=True)
    for name in ((a,) if b is None else (a, f"{a}_half" if "right" in a else f"{b}_half"))
)
_RIGHT_BROW_9 = (
    "right_eyebrow_outer_end", "right_eyebrow_upper_outer_quarter", "right_eyebrow_upper_middle",
    "right_eyebrow_upper_inner_quarter",
    "right_eyebrow_upper_inner_end",
    "right_eyebrow_lower_inner_end", "right_eyebrow_lower_inner_quarter",
    "right_eyebrow_lower_middle", "right_eyebrow_lower_outer_quarter",
)  # fmt: skip
_LEFT_BROW_9 = (
    "left_eyebrow_upper_inner_end", "left_eyebrow_upper_inner_quarter",
    "left_eyebrow_upper_middle", "left_eyebrow_upper_outer_quarter",
    "left_eyebrow_outer_end",
    "left_eyebrow_lower_outer_quarter", "left_eyebrow_lower_middle",
    "left_eyebrow_lower_inner_quarter", "left_eyebrow_lower_inner_end",
)  # fmt: skip
_RIGHT_EYE_8 = (
    "right_eye_outer_corner", "right_eye_upper_outer_quarter", "right_eye_upper_middle",
    "right_eye_upper_inner_quarter",
    "right_eye_inner_corner", "right_eye_lower_inner_quarter", "right_eye_lower_middle",
    "right_eye_lower_outer_quarter",
)  # fmt: skip
_LEFT_EYE_8 = (
    "left_eye_inner_corner", "left_eye_upper_inner_quarter", "left_eye_upper_middle",
    "left_eye_upper_outer_quarter",
    "left_eye_outer_corner", "left_eye_lower_outer_quarter", "left_eye_lower_middle",
    "left_eye_lower_inner_quarter",
)  # fmt: skip
_WFLW_POINTS = (
    *_JAW_33, *_RIGHT_BROW_9, *_LEFT_BROW_9, *_NOSE_BRIDGE, *_NOSE_BASE, *_RIGHT_EYE_8,
    *_LEFT_EYE_8,
    *_OUTER_LIP_12, *_INNER_LIP_8, "right_pupil", "left_pupil",
)  # fmt: skip

wflw98: Scheme = Scheme(
    name="wflw98",
    points=_WFLW_POINTS,
    mirror=mirror_pairs(_WFLW_POINTS),
    edges=(
        *line(*_JAW_33), *line(*_RIGHT_BROW_9, closed=True), *line(*_LEFT_BROW_9, closed=True),
        *line(*_NOSE_BRIDGE), *line(*_NOSE_BASE), *line(*_RIGHT_EYE_8, closed=True),
        *line(*_LEFT_EYE_8, closed=True),
        *line(*_OUTER_LIP_12, closed=True), *line(*_INNER_LIP_8, closed=True),
    ),
    norm=OUTER_CORNERS,
)  # fmt: skip

_COFW_POINTS = (
    "right_eyebrow_outer_end", "left_eyebrow_outer_end", "right_eyebrow_inner_end",
    "left_eyebrow_inner_end",
    "right_eyebrow_upper_middle", "right_eyebrow_lower_middle", "left_eyebrow_upper_middle",
    "left_eyebrow_lower_middle",
    "right_eye_outer_corner", "left_eye_outer_corner", "right_eye_inner_corner",
    "left_eye_inner_corner",
    "right_eye_upper_middle", "right_eye_lower_middle", "left_eye_upper_middle",
    "left_eye_lower_middle",
    "right_pupil", "left_pupil",
    "nose_right_wing", "nose_left_wing", "nose_tip", "nose_base",
    "mouth_right_corner", "mouth_left_corner",
    "mouth_center_top_lip", "inner_lip_upper_center", "inner_lip_lower_center",
    "mouth_center_bottom_lip",
    "chin",
)  # fmt: skip

_COFW_BROWS = tuple(
    (f"{side}_eyebrow_outer_end", f"{side}_eyebrow_upper_middle", f"{side}_eyebrow_inner_end",
     f"{side}_eyebrow_lower_middle")
    for side in ("right", "left")
)  # fmt: skip
_COFW_EYES = tuple(
    (f"{side}_eye_outer_corner", f"{side}_eye_upper_middle", f"{side}_eye_inner_corner",
     f"{side}_eye_lower_middle")
    for side in ("right", "left")
)  # fmt: skip
_COFW_LIPS = (
    ("mouth_right_corner", "mouth_center_top_lip", "mouth_left_corner", "mouth_center_bottom_lip"),
    ("mouth_right_corner", "inner_lip_upper_center", "mouth_left_corner", "inner_lip_lower_center"),
)

cofw29: Scheme = Scheme(
    name="cofw29",
    points=_COFW_POINTS,
    mirror=mirror_pairs(_COFW_POINTS),
    edges=(
        *(edge for ring in (*_COFW_BROWS, *_COFW_EYES) for edge in line(*ring, closed=True)),
        *line("nose_right_wing", "nose_base", "nose_left_wing"),
        *(edge for ring in _COFW_LIPS for edge in line(*ring, closed=True)),
    ),
    norm=OUTER_CORNERS,
)

_IMM_JAW = (
    *(f"imm_jaw_right_{i}" for i in range(1, 7)),
    "chin",
    *(f"imm_jaw_left_{i}" for i in range(6, 0, -1)),
)
_IMM_LEFT_EYE = (
    "left_eye_outer_corner", "left_eye_upper_outer_quarter", "left_eye_upper_middle",
    "left_eye_upper_inner_quarter",
    "left_eye_inner_corner", "left_eye_lower_inner_quarter", "left_eye_lower_middle",
    "left_eye_lower_outer_quarter",
)  # fmt: skip
_IMM_RIGHT_EYE = tuple(map(mirror_name, _IMM_LEFT_EYE))
_IMM_BROWS = both_sides(*(f"imm_brow_*_{i}" for i in range(1, 6)))  # _1 is the inner end
_IMM_LEFT_BROW, _IMM_RIGHT_BROW = _IMM_BROWS[5:], _IMM_BROWS[:5]
_IMM_MOUTH = (
    "mouth_right_corner", "imm_lip_upper_right", "mouth_center_top_lip", "imm_lip_upper_left",
    "mouth_left_corner", "imm_lip_lower_left", "mouth_center_bottom_lip", "imm_lip_lower_right",
)  # fmt: skip
_IMM_NOSE = (
    *(f"imm_nose_right_{i}" for i in range(1, 6)),
    "nose_base",
    *(f"imm_nose_left_{i}" for i in range(5, 0, -1)),
)
_IMM_POINTS = (
    *_IMM_JAW,
    *_IMM_LEFT_EYE,
    *_IMM_RIGHT_EYE,
    *_IMM_LEFT_BROW,
    *_IMM_RIGHT_BROW,
    *_IMM_MOUTH,
    *_IMM_NOSE,
)

imm58: Scheme = Scheme(
    name="imm58",
    points=_IMM_POINTS,
    mirror=mirror_pairs(_IMM_POINTS),
    edges=(
        *line(*_IMM_JAW), *line(*_IMM_LEFT_EYE, closed=True),
        *line(*_IMM_RIGHT_EYE, closed=True),
        *line(*_IMM_LEFT_BROW), *line(*_IMM_RIGHT_BROW), *line(*_IMM_MOUTH, closed=True),
        *line(*_IMM_NOSE),
    ),
    norm=OUTER_CORNERS,
)  # fmt: skip

# The "nose tip" of the Berkeley course: IMM's point 52.
imm_nose: Scheme = Scheme(name="imm_nose", points=("nose_base",), mirror=())


def union(name: str, *schemes: Scheme) -> Scheme:
    """All points of several schemes, each once, for a network that learns from all of them.

    Points with aliases take the catalog's names. Edges and parts are those of all schemes; the norm
    is the first one's. ``Predictions.to`` selects one.
    """
    schemes = tuple(map(_by_catalog_names, schemes))
    points = tuple(dict.fromkeys(point for scheme in schemes for point in scheme.points))
    pairs = {frozenset(pair): pair for scheme in schemes for pair in scheme.mirror}
    edges = tuple(dict.fromkeys(edge for scheme in schemes for edge in scheme.edges))
    parts = {part: names for scheme in reversed(schemes) for part, names in scheme.parts}
    return Scheme(
        name=name,
        points=points,
        mirror=tuple(pairs.values()),
        edges=edges,
        norm=schemes[0].norm,
        parts=tuple(parts.items()),
    )


def _by_catalog_names(scheme: Scheme) -> Scheme:
    """The scheme with its aliases as the points' names."""
    if not scheme.aliases:
        return scheme
    return renamed(scheme, dict(scheme.aliases), aliases=())


def renamed(
    scheme: Scheme, names: Mapping[str, str], aliases: tuple[tuple[str, str], ...] | None = None
) -> Scheme:
    """The scheme with other names of some points. ``aliases``: None to keep them."""

    def of(points: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(point, point) for point in points)

    kept = tuple((names.get(own, own), known) for own, known in scheme.aliases)
    return Scheme(
        name=scheme.name,
        points=of(scheme.points),
        mirror=tuple((names.get(a, a), names.get(b, b)) for a, b in scheme.mirror),
        edges=tuple((names.get(a, a), names.get(b, b)) for a, b in scheme.edges),
        norm=scheme.norm and (of(scheme.norm[0]), of(scheme.norm[1])),
        parts=tuple((part, of(points)) for part, points in scheme.parts),
        aliases=kept if aliases is None else aliases,
    )


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        fkd15, imm58, ibug68, wflw98, cofw29, imm_nose,
        fgnet68, cfp50, mtfl5, webmorph189, aflw19, lapa106, helen194, mat3d68,
    )
}  # fmt: skip
# Other orders of as many points are common: 68 numbered points are iBUG's, and 5 or 106 could be
# those of several tools.
_NOT_BY_COUNT = (fgnet68, mat3d68, mtfl5, lapa106)


def scheme_by_count(count: int, requested: Scheme | None = None) -> Scheme | None:
    """The scheme of ``count`` numbered points.

    ``requested`` if it has as many, else the catalog's only scheme that has. None otherwise: five
    numbered points are not the first five of 68, and some counts are ambiguous.
    """
    if requested is not None and len(requested) == count:
        return requested
    # A chained comparison: `count` points, and more than one.
    usual = [scheme for scheme in SCHEMES.values() if scheme not in _NOT_BY_COUNT]
    fitting = [scheme for scheme in usual if len(scheme) == count > 1]
    return fitting[0] if len(fitting) == 1 else None


def scheme_of_points(name: str, points: tuple[str, ...]) -> Scheme:
    """The catalog's scheme with exactly these points, else a new one with pairs from the names."""
    for scheme in SCHEMES.values():
        if scheme.points == points:
            return scheme
    return Scheme(name=name, points=points, mirror=mirror_pairs(points))


def scheme_named(name: str) -> Scheme:
    """The scheme of that name. Raises ``SettingError`` that lists the names."""
    if name not in SCHEMES:
        raise SettingError(f"No scheme {name!r}; there are {', '.join(SCHEMES)}.")
    return SCHEMES[name]
