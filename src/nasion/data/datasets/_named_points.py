"""Faces whose points a labelling tool names one by one, as records of one scheme.

These tools count from the outer corner of the first pixel, nasion from its centre: half a pixel
less (``from_corner``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nasion.data.datasets._face_records import faces_of, is_numbered
from nasion.data.face_record import FaceRecord
from nasion.data.own_schemes import scheme_from_data
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import SCHEMES, scheme_by_count
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import from_relative, has_area, to_relative
from nasion.landmarks.scheme import Scheme
from nasion.media.quoted import quoted

Box = tuple[float, float, float, float]
_LAST_NUMBER = re.compile(r"(\d{1,5})$", re.ASCII)


@dataclass(frozen=True)
class Skeleton:
    """The points that a file declares, in its order, and the edges that draw them."""

    points: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False)
class NamedFace:
    """One face of a file: its points by name, those that are hidden, and its box."""

    image: str
    place: str
    points: dict[str, tuple[float, float]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    box: Box | None = None

    def add(self, name: str, xy: tuple[float, float], is_hidden: bool = False) -> None:
        """Raises ``ValueError`` for a name that the face has already."""
        if name in self.points:
            raise ValueError(
                f"point {quoted(name)} occurs twice in one face; each point may occur once. If "
                "these are two faces, group each one's points"
            )
        self.points[name] = xy
        if is_hidden:
            self.hidden.add(name)


def from_corner(xy: tuple[float, float]) -> tuple[float, float]:
    """Pixels from the image's corner as nasion counts them."""
    x, y = from_relative(np.array(xy), np.ones(2)).tolist()
    return x, y


def to_corner(xy: Sequence[float]) -> tuple[float, float]:
    """The inverse of ``from_corner``."""
    x, y = to_relative(np.array(xy), np.ones(2)).tolist()
    return x, y


def box_from_corner(x0: float, y0: float, x1: float, y1: float) -> Box:
    """A box of two corners in any order, as tools write it. ``ValueError`` if it has no area."""
    low, high = from_corner((min(x0, x1), min(y0, y1))), from_corner((max(x0, x1), max(y0, y1)))
    if not has_area(np.array((*low, *high))):
        raise ValueError(f"a box from {x0:g}, {y0:g} to {x1:g}, {y1:g}; an area above 0 expected")
    return *low, *high


def turned_box(box: Box, degrees: float, pivot: tuple[float, float]) -> Box:
    """The upright box around a box that is turned clockwise about ``pivot``."""
    if not degrees % 360:
        return box
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = np.array([(x, y) for x in box[::2] for y in box[1::2]]) - pivot
    found = corners @ np.array([[cos, sin], [-sin, cos]]) + pivot
    x0, y0, x1, y1 = *found.min(axis=0).tolist(), *found.max(axis=0).tolist()
    return x0, y0, x1, y1


def named_faces(
    faces: Sequence[NamedFace],
    path: Path,
    kind: str,
    requested: Scheme | None,
    faults: Faults,
    *,
    declared: Skeleton | None = None,
    images: Path | None = None,
) -> Faces:
    """The faces in the scheme of their points' names.

    ``declared``: the points that the file declares; others follow as they occur. ``kind``: what a
    scheme made from them is called. ``images``: see ``faces_of``. Raises ``DataError``.
    """
    declared = declared or Skeleton()
    used = dict.fromkeys([*declared.points, *(name for face in faces for name in face.points)])
    if not used:
        raise DataError(f"{path}: it has no labelled point.")
    scheme, column = named_scheme(list(used), path, kind, requested, declared.edges)
    records = [_record(face, column, len(scheme)) for face in faces]
    return faces_of(records, scheme, path, faults, images)


def named_scheme(
    names: list[str],
    path: Path,
    kind: str,
    requested: Scheme | None,
    edges: Sequence[tuple[str, str]] = (),
) -> tuple[Scheme, dict[str, int]]:
    """The scheme of these names, and each one's position in it. Raises ``DataError``.

    ``requested`` if it has all of them; numbered points are those of the scheme with as many.
    """
    if all(_LAST_NUMBER.search(name) for name in names):
        by_number = sorted(names, key=lambda name: int(_LAST_NUMBER.findall(name)[0]))
        # Files list numbered points in the order in which they were placed.
        names = by_number if is_numbered(by_number) else names
    meant = requested if requested and set(names) <= set(requested.points) else None
    # In any order: names tell.
    known = (each for each in SCHEMES.values() if set(names) == set(each.points))
    meant = meant or next(known, None)
    if meant is None and is_numbered(names):
        meant = scheme_by_count(len(names), requested)
        if meant is not None:
            return meant, {name: k for k, name in enumerate(names)}
    try:
        scheme = meant or scheme_from_data(kind, names, edges)
        return scheme, dict(zip(names, scheme.index(names).tolist(), strict=True))
    except SettingError as error:
        raise DataError(f"{path}: {error}") from error


def _record(face: NamedFace, column: dict[str, int], count: int) -> FaceRecord:
    points = np.full((count, 2), np.nan)
    occluded = np.zeros(count, dtype=bool)
    for name, xy in face.points.items():
        points[column[name]] = xy
        occluded[column[name]] = name in face.hidden
    return FaceRecord(face.image, points, face.place, None, face.box, occluded)
