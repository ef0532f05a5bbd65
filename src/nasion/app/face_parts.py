"""The parts of the face that a scheme's points belong to, as pages show them."""

from __future__ import annotations

from nasion.data.own_schemes import parts_of_names
from nasion.landmarks.scheme import Scheme

OTHER = "other"
_WORDS = {
    "jaw": ("jaw", "chin", "cheek", "contour"),
    "brows": ("brow", "eyebrow"),
    "eyes": ("eye", "pupil"),
    "nose": ("nose", "nostril", "nasion"),
    "mouth": ("mouth", "lip", "lips"),
}


def face_parts(scheme: Scheme) -> list[str]:
    """The part of the face that each point belongs to, by its name."""
    found = []
    for point in scheme.points:
        words = set(point.split("_"))
        parts = (part for part, names in _WORDS.items() if words & set(names))
        found.append(next(parts, OTHER))
    return found


def parts_of(scheme: Scheme) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Parts with their points: the scheme's own, else by what points are called."""
    if scheme.parts:
        return scheme.parts
    found: dict[str, list[str]] = {}
    for point, part in zip(scheme.points, face_parts(scheme), strict=True):
        found.setdefault(part, []).append(point)
    if len(found.get(OTHER, ())) > len(scheme) // 2:
        return parts_of_names(scheme.points)
    return tuple((part, tuple(points)) for part, points in found.items())
