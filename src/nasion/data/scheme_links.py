"""Which points of one's own are points of a scheme of the catalog: by their names, and by labels.

Names are linked; whether their sides are the subject's or the viewer's, labels say. Where names say
nothing, places do: points near one of the catalog's on a mean face are proposed, not linked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Float64
from nasion.data.label_shapes import LEAST_POINTS, fit
from nasion.data.mirror_check import median_shape
from nasion.landmarks.catalog import mirror_name
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.faces import Faces
from nasion.landmarks.point_names import catalog_names, mirror_pairs_of_names
from nasion.landmarks.scheme import Scheme

# As fractions of the size of the scheme's mean face. Points of one name are off by up to 0.09 there
# (IMM, iBUG: an open mouth's lower lip), different places that share a name by more.
_ELSEWHERE = 0.15
_NEAR = 0.035  # of a place that is proposed; neighbours on a contour are 0.05 to 0.1 apart
_ROUNDS = 20  # of finding the nearest places, then the fit
_LEAST_SHARE = 0.5  # of the points that must be near a place before places are proposed by shape


@dataclass(frozen=True)
class Links:
    """``aliases``: own points with the catalog's names. ``doubtful``: links by name whose labels
    lie elsewhere. ``proposed``: (own point, catalog's name, distance as a fraction of the face).
    ``viewers_sides``: left and right in the own names are those of the image.
    """

    aliases: tuple[tuple[str, str], ...]
    doubtful: tuple[tuple[str, str], ...] = ()
    proposed: tuple[tuple[str, str, float], ...] = ()
    viewers_sides: bool = False


def link(faces: Faces, like: Scheme) -> Links:
    """The links of the faces' scheme to another one, as ``ibug68``."""
    own = faces.scheme
    named = catalog_names(own.points, like.points)
    found = median_shape(replace(faces, scheme=replace(own, mirror=())), least=1)
    shape = np.full((len(own), 2), np.nan) if found is None else found[0]
    viewers = names_are_viewers(own, shape)
    if viewers:
        named = {point: mirror_name(name) for point, name in named.items()}
        named = {point: name for point, name in named.items() if name in like}
    reference = _normalised(mean_shape(like))
    named, doubtful = _confirmed(own, shape, like, reference, named)
    proposed = _by_places(own, shape, like, reference, named)
    aliases = tuple((point, name) for point, name in named.items() if point != name)
    return Links(aliases, tuple(doubtful.items()), proposed, viewers)


def names_are_viewers(scheme: Scheme, shape: Float64[np.ndarray, "K 2"]) -> bool:
    """True if most points that are called left lie left of their partners in the image."""
    pairs = mirror_pairs_of_names(scheme.points)
    if not pairs:
        return False
    left, right = (scheme.index(names) for names in zip(*pairs, strict=True))
    across = shape[left, 0] - shape[right, 0]
    across = across[~np.isnan(across)]
    return bool(len(across)) and bool((across < 0).mean() > 0.5)


def _confirmed(
    own: Scheme,
    shape: Float64[np.ndarray, "K 2"],
    like: Scheme,
    reference: Float64[np.ndarray, "R 2"],
    named: dict[str, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """(links, links whose labels lie elsewhere)."""
    target = np.full_like(shape, np.nan)
    target[own.index(named)] = reference[like.index(named.values())]
    fitted = fit(shape, target)
    if fitted is None:
        return named, {}
    placed = _placed(shape, fitted)
    distance = np.linalg.norm(placed - target, axis=1)
    far = {own.points[i] for i in np.flatnonzero(distance > _ELSEWHERE)}
    doubtful = {point: name for point, name in named.items() if point in far}
    return {point: name for point, name in named.items() if point not in far}, doubtful


def _by_places(
    own: Scheme,
    shape: Float64[np.ndarray, "K 2"],
    like: Scheme,
    reference: Float64[np.ndarray, "R 2"],
    named: dict[str, str],
) -> tuple[tuple[str, str, float], ...]:
    """Points without a link that are each other's nearest with a place that has none."""
    target = np.full_like(shape, np.nan)
    target[own.index(named)] = reference[like.index(named.values())]
    fitted = fit(shape, target) or _fit_without_names(shape, reference)
    if fitted is None:
        return ()
    apart = np.linalg.norm(_placed(shape, fitted)[:, None] - reference[None], axis=2)
    apart[np.isnan(apart)] = np.inf
    apart[own.index(named)] = np.inf
    apart[:, like.index(named.values())] = np.inf
    found = []
    for i in range(len(own)):
        j = int(np.argmin(apart[i]))
        if apart[i, j] <= _NEAR and int(np.argmin(apart[:, j])) == i:
            found.append((own.points[i], like.points[j], round(float(apart[i, j]), 3)))
    return tuple(found)


def _fit_without_names(
    shape: Float64[np.ndarray, "K 2"], reference: Float64[np.ndarray, "R 2"]
) -> tuple[complex, complex] | None:
    """The fit onto the nearest places, from several guesses of which part of a face these are."""
    known = ~np.isnan(shape).any(axis=1)
    places = reference[~np.isnan(reference).any(axis=1)]
    if known.sum() < LEAST_POINTS or not len(places):
        return None
    points, tried = shape[known], []
    # The whole, or without what lies lowest (the jaw), or without what lies outmost.
    height = places[:, 1] - places[:, 1].min()
    outwards = np.abs(places[:, 0] - places[:, 0].mean())
    for part in (places, places[height < 0.85 * height.max()], places[outwards < 0.35]):
        scale = np.ptp(part, axis=0).max() / max(float(np.ptp(points, axis=0).max()), 1e-9)
        placed = (points - _middle(points)) * scale + _middle(part)
        for _ in range(_ROUNDS):
            apart = np.linalg.norm(placed[:, None] - places[None], axis=2)
            fitted = fit(points, places[apart.argmin(axis=1)])
            if fitted is None:
                break
            placed = _placed(points, fitted)
        apart = np.linalg.norm(placed[:, None] - places[None], axis=2).min(axis=1)
        tried.append((float((apart <= _NEAR).mean()), fitted))
    share, best = max(tried, key=lambda each: each[0])
    return best if share >= _LEAST_SHARE else None


def _placed(
    points: Float64[np.ndarray, "K 2"], fitted: tuple[complex, complex]
) -> Float64[np.ndarray, "K 2"]:
    """Points moved onto the reference, which the fit moves onto them."""
    z = (points[:, 0] + 1j * points[:, 1] - fitted[1]) / (fitted[0] or 1e-9)
    return np.stack([z.real, z.imag], axis=1)


def _middle(points: Float64[np.ndarray, "K 2"]) -> Float64[np.ndarray, 2]:
    return (points.min(axis=0) + points.max(axis=0)) / 2


def _normalised(shape: Float64[np.ndarray, "K 2"]) -> Float64[np.ndarray, "K 2"]:
    """The shape with the larger side of its box as unit."""
    known = shape[~np.isnan(shape).any(axis=1)]
    return shape / np.ptp(known, axis=0).max() if len(known) > 1 else shape
