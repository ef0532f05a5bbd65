"""Label faults of known kinds, planted into copies of labelled faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nasion.landmarks.contours import contours
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme


@dataclass(frozen=True)
class Planted:
    """``face``: its position. ``points``: True for those whose labels are wrong now."""

    face: int
    kind: str
    points: np.ndarray


def face_size(points: np.ndarray) -> float:
    """Root of the area of the box around the labelled points."""
    width, height = np.nanmax(points, axis=0) - np.nanmin(points, axis=0)
    return float(np.sqrt(width * height))


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def point_off(share: float) -> Callable:
    """One point moved by this share of the face's size, in any direction."""

    def change(points, scheme, rng, other):
        k = rng.choice(np.flatnonzero(np.isfinite(points[:, 0])))
        points[k] += share * face_size(points) * _direction(rng)
        return points

    return change


def shifted(least: float, most: float) -> Callable:
    def change(points, scheme, rng, other):
        return points + rng.uniform(least, most) * face_size(points) * _direction(rng)

    return change


def scaled(points, scheme, rng, other):
    """Labels of the image at another size."""
    return points * rng.choice([0.5, 0.75, 1.5, 2.0])


def mirrored(points, scheme, rng, other):
    """Left and right exchanged."""
    return points[scheme.flip]


def other_face(points, scheme, rng, other):
    """The labels of another face, moved to this one's place as a crop's would be."""
    middle = np.nanmean(points, axis=0)
    return (other - np.nanmean(other, axis=0)) * face_size(points) / face_size(other) + middle


def _of_contour(change_contour: Callable) -> Callable:
    def change(points, scheme, rng, other):
        chains = [c for c in contours(scheme) if len(c.points) >= 4]
        chain = chains[rng.integers(len(chains))]
        at = np.array(chain.points)
        points[at] = change_contour(points[at].copy(), chain.closed, rng)
        return points

    return change


def _backwards(values, closed, rng):
    if closed:  # from the same first point
        return np.concatenate([values[:1], values[:0:-1]])
    return values[::-1]


def _half_slid(values, closed, rng):
    """Half of the points each where the next one belongs."""
    half = len(values) // 2
    start = 0 if rng.random() < 0.5 else len(values) - half - 1
    moved = values.copy()
    moved[start : start + half] = values[start + 1 : start + half + 1]
    return moved


def two_swapped(points, scheme, rng, other):
    """The labels of two mirrored points exchanged."""
    pairs = [(i, j) for i, j in enumerate(scheme.flip) if i < j]
    i, j = pairs[rng.integers(len(pairs))]
    points[[i, j]] = points[[j, i]]
    return points


KINDS: dict[str, Callable] = {
    "point 25 %": point_off(0.25),
    "point 10 %": point_off(0.10),
    "point 5 %": point_off(0.05),
    "points swapped": two_swapped,
    "shift 4 %": shifted(0.04, 0.04),
    "shift": shifted(0.10, 0.35),
    "scale": scaled,
    "mirrored": mirrored,
    "other face": other_face,
    "backwards": _of_contour(_backwards),
    "half slid": _of_contour(_half_slid),
}
GROSS = ("point 25 %", "shift", "scale", "mirrored", "other face")
NEEDS_CONTOURS = ("backwards", "half slid")


def kinds_for(scheme: Scheme) -> list[str]:
    long = any(len(c.points) >= 4 for c in contours(scheme))
    return [kind for kind in KINDS if long or kind not in NEEDS_CONTOURS]


def plant(faces: Faces, kinds: list[str], share: float, seed: int) -> tuple[Faces, list[Planted]]:
    """Faces with wrong labels, ``share`` of them in all, equally many of each kind."""
    rng = np.random.default_rng(seed)
    enough = faces.labelled.sum(1) >= max(4, 0.5 * np.median(faces.labelled.sum(1)))
    usable = rng.permutation(np.flatnonzero(enough))
    count = max(len(kinds), round(share * len(faces)))
    points, planted = faces.points.copy(), []
    for i, face in enumerate(usable[:count]):
        kind = kinds[i % len(kinds)]
        other = faces.points[usable[-1 - i]].astype(np.float64)
        own = points[face].astype(np.float64)
        both = np.isfinite(own[:, 0])
        filled = np.where(np.isfinite(other), other, own)
        changed = KINDS[kind](own.copy(), faces.scheme, rng, filled)
        changed[~both] = np.nan
        wrong = both & (np.abs(np.nan_to_num(changed - own)).max(1) > 1e-3)
        points[face] = changed
        if wrong.any():
            planted.append(Planted(int(face), kind, wrong))
    return replace(faces, points=points.astype(np.float32)), planted
