"""A landmark scheme: which points a dataset labels, in which order, and how they mirror.

Schemes are written in point names, so that a person can proof-read them; index arrays are derived.
``left`` and ``right`` are the subject's own: the subject's left is on the right of the image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasion.array_types import Int64
from nasion.errors import SettingError
from nasion.media.quoted import listed, quoted, shortened

NormGroups = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """Named points with mirror pairs, the edges that draw a face, and the usual norm.

    ``norm``: two groups of points; the NME divides by the distance between their means. None means
    the box. ``parts``: names of parts of the face, each with its points. ``aliases``: points whose
    place has another name in the catalog's vocabulary, each with that name; by it they match points
    of other schemes. Raises ``SettingError`` for a duplicate or unknown name, or a point with two
    partners.
    """

    name: str
    points: tuple[str, ...]
    mirror: tuple[tuple[str, str], ...]
    edges: tuple[tuple[str, str], ...] = ()
    norm: NormGroups | None = None
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        self._require_unique(self.points, "point")
        self._require_unique([name for pair in self.mirror for name in pair], "mirror partner")
        norm_names = [name for group in self.norm or () for name in group]
        # Looked up for its error: every name that is used must be a point.
        self.index([name for pair in (*self.mirror, *self.edges) for name in pair] + norm_names)
        self._require_unique([name for name, _ in self.parts], "part")
        self.index([name for _, points in self.parts for name in points])
        self._require_unique([name for name, _ in self.aliases], "point with an alias")
        self.index([name for name, _ in self.aliases])
        # Two points at one place could not both be matched.
        self._require_unique(self.known_as, "place")

    def __repr__(self) -> str:
        return f"Scheme({self.name}, {len(self)} points)"

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.points)}

    def __contains__(self, point: str) -> bool:
        return point in self._position

    def index(self, names: Iterable[str]) -> Int64[np.ndarray, " n"]:
        """Positions of the named points. Raises ``SettingError`` that lists unknown names."""
        names = list(names)
        unknown = [name for name in names if name not in self._position]
        if unknown:
            shown = shortened(", ".join(map(quoted, unknown)), 200)
            raise SettingError(
                f"Scheme {self.name} has no point {shown}; it has {listed(self.points, 600)}."
            )
        return np.array([self._position[name] for name in names], dtype=np.int64)

    @cached_property
    def known_as(self) -> tuple[str, ...]:
        """Each point's name in the catalog's vocabulary: its alias, else its own name."""
        names = dict(self.aliases)
        return tuple(names.get(point, point) for point in self.points)

    def matches(self, other: Scheme) -> dict[str, str]:
        """The points that are also in another scheme, each with its name there.

        Points are the same if they are known by the same name; own names count only between
        versions of one scheme, of which one may lack the aliases.
        """
        theirs = dict(zip(other.known_as, other.points, strict=True))
        own = zip(self.points, self.known_as, strict=True)
        found = {point: theirs[known] for point, known in own if known in theirs}
        if self.name == other.name:
            taken = set(found.values())
            left = [p for p in self.points if p not in found and p in other and p not in taken]
            found |= {point: point for point in left}
        return found

    @cached_property
    def flip(self) -> Int64[np.ndarray, " K"]:
        """Each point's mirror partner (or itself): ``mirrored = points[..., flip, :]``."""
        flip = np.arange(len(self))
        for a, b in self.mirror:
            i, j = self.index((a, b))
            flip[i], flip[j] = j, i
        return flip

    @cached_property
    def edge_index(self) -> Int64[np.ndarray, "E 2"]:
        return self.index([name for edge in self.edges for name in edge]).reshape(-1, 2)

    def norm_groups(self, norm: str | None = None) -> NormGroups | None:
        """The two groups of points whose distance a norm divides by; None for the box.

        ``norm``: None (the scheme's own), ``box``, ``outer_eye_corners``, ``pupils`` (pupils if
        labelled, else eye centres, else the means of the eye contours, if these have points on both
        sides of the eye), or two groups ``a,b:c,d``.
        """
        if norm is None:
            return self.norm
        if norm == "box":
            return None
        if ":" in norm:
            first, _, second = norm.partition(":")
            groups = (tuple(first.split(",")), tuple(second.split(",")))
        elif norm == "outer_eye_corners":
            groups = (self._own("right_eye_outer_corner"), self._own("left_eye_outer_corner"))
        elif norm == "pupils":
            groups = (self._pupil("right"), self._pupil("left"))
        else:
            raise SettingError(
                f"No norm {norm!r}; there are box, outer_eye_corners, pupils, "
                "or two groups of points as 'a,b:c,d'."
            )
        self.index(groups[0] + groups[1])
        return groups

    def _pupil(self, side: str) -> tuple[str, ...]:
        # The contour comes last: its mean is only an estimate of where the pupil is.
        contour = self.eye_points(side)
        if not contour:
            raise SettingError(
                f"Scheme {self.name} labels neither pupils nor eyes, so it has no norm 'pupils'; "
                "use 'box'."
            )
        if not self.spans_eye(contour):
            raise SettingError(
                f"Scheme {self.name} labels the {side} eye on one side only "
                f"({listed(contour, 200)}), so it has no norm 'pupils': that takes pupils, or both "
                "corners of each eye. Use 'outer_eye_corners', 'box', or two groups of points."
            )
        return contour

    def eye_points(self, side: str) -> tuple[str, ...]:
        """The points that tell where the ``right`` or ``left`` eye is; none if it is not labelled.

        Its pupil, else its centre, else all of its points, which may be on one side of it.
        """
        for name in (f"{side}_pupil", f"{side}_eye_center"):
            if name in self.known_as:
                return self._own(name)
        named = zip(self.points, self.known_as, strict=True)
        return tuple(point for point, known in named if known.startswith(f"{side}_eye_"))

    def spans_eye(self, points: Iterable[str]) -> bool:
        """Whether the mean of these points of an eye is its centre.

        They lie on both sides of it, or in its middle.
        """
        names = [self.known_as[i] for i in self.index(points).tolist()]
        inner, outer = (any(side in name for name in names) for side in ("inner", "outer"))
        return inner == outer

    def _own(self, known: str) -> tuple[str]:
        """The point that is known by this name; the name itself if there is none."""
        return (dict(zip(self.known_as, self.points, strict=True)).get(known, known),)

    def _require_unique(self, names: Iterable[str], role: str) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise SettingError(
                    f"Scheme {self.name}: {quoted(name)} is a {role} twice; "
                    "each name may occur once."
                )
            seen.add(name)
