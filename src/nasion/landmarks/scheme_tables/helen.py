"""The 194 points of HELEN (Le et al., 2012), in names of their own.

Order and mirror pairs as in the table that Stasm (Milborrow) has of them. No labels were at hand to
compare places, so no name is shared with other schemes.
"""

from __future__ import annotations

from nasion.landmarks.scheme import Scheme
from nasion.landmarks.table_names import line, mirror_pairs, numbered


def _across(name: str, count: int, middle: bool = True, first: str = "right") -> tuple[str, ...]:
    """A line from one side to the other: numbers count from its ends."""
    other = "left" if first == "right" else "right"
    return (
        *numbered(f"{name}_{first}", 1, count),
        *((f"{name}_middle",) if middle else ()),
        *numbered(f"{name}_{other}", count, 1),
    )


_JAW = _across("helen_jaw", 20)
_NOSE = _across("helen_nose", 8)
_OUTER_LIP = (
    *_across("helen_lip_outer_upper", 7),
    *_across("helen_lip_outer_lower", 7, middle=False, first="left"),
)
_INNER_LIP = (
    *_across("helen_lip_inner_upper", 7, middle=False),
    *_across("helen_lip_inner_lower", 6, first="left"),
)
# From the inner corner over the outer one and back; brows along the upper edge first.
_LEFT_EYE, _RIGHT_EYE = (numbered(f"helen_eye_{side}", 1, 20) for side in ("left", "right"))
_LEFT_BROW, _RIGHT_BROW = (numbered(f"helen_brow_{side}", 1, 20) for side in ("left", "right"))
_POINTS = (
    *_JAW, *_NOSE, *_OUTER_LIP, *_INNER_LIP, *_LEFT_EYE, *_RIGHT_EYE, *_LEFT_BROW, *_RIGHT_BROW,
)  # fmt: skip

helen194: Scheme = Scheme(
    name="helen194",
    points=_POINTS,
    mirror=mirror_pairs(_POINTS),
    edges=(
        *line(*_JAW), *line(*_NOSE),
        *(edge for ring in (_OUTER_LIP, _INNER_LIP, _LEFT_EYE, _RIGHT_EYE, _LEFT_BROW, _RIGHT_BROW)
          for edge in line(*ring, closed=True)),
    ),
    norm=(_RIGHT_EYE, _LEFT_EYE),
)  # fmt: skip
