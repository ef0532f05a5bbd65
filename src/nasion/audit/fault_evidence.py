"""How well each kind of fault explains a face's labels, against labels without a fault.

Labels are compared with the points that a network predicts which has not seen the face. Each kind
is a distribution of their differences: ``label_noise`` where nothing is wrong; the same around
other places where labels are of other points; the same with some more freedom where points, or the
whole face, are displaced. Evidence is a log likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, pi

import numpy as np

from nasion.array_types import Float64
from nasion.audit.face_residuals import FaceResiduals, density_2
from nasion.audit.label_noise import LabelNoise, Marginal
from nasion.audit.moved_evidence import moved_evidence
from nasion.audit.moved_labels import MovedLabels, MoveTable

POINTS, SHIFT, SIZE, OTHER = "single points", "shifted", "another size", "another face"

# Displacements, as standard deviations in parts of the face's size.
_OF_POINTS = np.array([0.03, 0.06, 0.12, 0.25])
_OF_FACES = (0.03, 0.08, 0.2, 0.5)
_OF_SIZE = 0.3  # of the logarithm of the size, and of the angle
_MOST_REMOVED = 0.5  # of a face's points
_UNSURE, _MOST_HARD = 3.0, 0.9  # power of the expected error, and the most that are hard then
_HARD = (0.12, 0.25, 0.5)  # of the differences between faces: those of hard ones


@dataclass(frozen=True)
class Rates:
    """How many faces have a fault of each kind, and how many points are wrong.

    Some faces are hard: networks predict points of another pose or shape, as of a hidden face, and
    the more often, the larger the errors that they expect. ``expected``: of the middle face.

    Points may be imprecise without being wrong: ``loose`` of them, at distances (in usual spreads,
    given the other points) of which each is less likely than the one before by ``decay``.
    """

    kinds: dict[str, float]
    wrong: float
    loose: float
    decay: float
    hard: float
    expected: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log likelihoods, with the rates: of no fault, and of each kind. ``wrong``: for each kind, the
    chance of each point that its label is wrong, if that kind is the right one. ``hard``: the
    chance that the face is hard, if there is no fault.
    """

    fine: float
    kinds: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, Float64[np.ndarray, " K"]] = field(default_factory=dict)
    hard: float = 0.0

    def chance(self) -> float:
        """That there is a fault."""
        values = np.array([self.fine, *self.kinds.values()])
        return float(1 - np.exp(self.fine - np.logaddexp.reduce(values)))


def face_evidence(
    face: FaceResiduals,
    noise: LabelNoise,
    moves: list[MovedLabels],
    table: MoveTable | None,
    shape: Float64[np.ndarray, "D D"],
    rates: Rates,
) -> Evidence:
    """The evidence for each kind of fault in a face. ``shape``: how faces differ in shape."""
    seen = np.repeat(face.seen, 2)
    if not seen.any():
        return Evidence(0.0)
    away = face.relative().reshape(-1)[seen] - noise.mean[seen]
    marginal = noise.marginal(seen)
    distance = float(away @ marginal.precision @ away)
    kinds: dict[str, float] = {}
    wrong: dict[str, np.ndarray] = {}
    fine, points, chances = _points(face, away, marginal, rates)
    kinds[POINTS], wrong[POINTS] = points, chances
    everywhere = np.where(face.seen, 1.0, 0.0)
    is_hard = 0.0
    # Labels that are as near as most are those neither of hard faces nor of others.
    if distance > marginal.size:
        hard, other = _of_other_shape(face, away, marginal, shape)
        unsure = float(np.exp(np.log(face.expected[face.seen]).mean())) / rates.expected
        hard += log(min(rates.hard * unsure**_UNSURE, _MOST_HARD))
        is_hard = float(1 / (1 + np.exp(np.clip(fine - hard, -700, 700))))
        fine = float(np.logaddexp(fine, hard))
        kinds[OTHER], wrong[OTHER] = other + log(rates.kinds[OTHER]), everywhere
    for kind, value in _displaced(face, away, marginal, distance).items():
        kinds[kind], wrong[kind] = value + log(rates.kinds[kind]), everywhere
    moved = {} if table is None else moved_evidence(face, noise, marginal, moves, table)
    for kind, (value, place) in moved.items():
        kinds[kind] = value + log(rates.kinds[kind])
        wrong[kind] = np.where((place != np.arange(len(place))) & face.seen, 1.0, 0.0)
    return Evidence(fine, kinds, wrong, is_hard)


def _points(
    face: FaceResiduals, away: np.ndarray, marginal: Marginal, rates: Rates
) -> tuple[float, float, np.ndarray]:
    """(evidence of no fault, of wrong points, the chance of each that it is wrong).

    Points are taken out one after another, as long as being loose or wrong explains one better
    than being as the others let expect.
    """
    at = np.flatnonzero(face.seen)  # of the points that are still in
    precision, left = marginal.precision, away
    determinant = marginal.log_determinant
    distance = float(left @ precision @ left)
    present = float(marginal.log_density(np.array(distance)))
    chances = np.zeros(len(face.seen))
    out_fine = out_any = 0.0
    for _ in range(int(_MOST_REMOVED * len(at))):
        each = _without_each(
            precision, left, determinant, distance, marginal, face.expected[at], rates.decay
        )
        total = each.rest + np.logaddexp(log(rates.loose) + each.loose, log(rates.wrong) + each.far)
        k = int(np.argmax(total))
        if total[k] <= present:
            break
        loose, far = log(rates.loose) + each.loose[k], log(rates.wrong) + each.far[k]
        chances[at[k]] = 1 / (1 + np.exp(np.clip(loose - far, -700, 700)))
        out_fine += loose
        out_any += float(np.logaddexp(loose, far))
        kept = np.repeat(np.arange(len(at)) != k, 2)
        inner, outer = precision[np.ix_(kept, ~kept)], precision[np.ix_(~kept, ~kept)]
        precision = precision[np.ix_(kept, kept)] - inner @ np.linalg.solve(outer, inner.T)
        left, at = left[kept], np.delete(at, k)
        determinant, distance = each.determinant[k], each.distance[k]
        present = float(each.rest[k])
    fine = present + out_fine
    # At least one wrong: all ways but that in which every one of them is only loose.
    with_any = present + out_any
    gain = with_any - fine
    wrong = with_any + np.log(-np.expm1(-gain)) if gain > 1e-12 else -np.inf
    return fine, float(wrong), chances


@dataclass(frozen=True, eq=False)
class _Without:
    """For each point, log densities: of the others, and of it given them as loose or far off."""

    rest: np.ndarray
    loose: np.ndarray
    far: np.ndarray
    determinant: np.ndarray
    distance: np.ndarray


def _without_each(
    precision: np.ndarray,
    away: np.ndarray,
    determinant: float,
    distance: float,
    marginal: Marginal,
    expected: np.ndarray,
    decay: float,
) -> _Without:
    count = len(away) // 2
    blocks = precision.reshape(count, 2, count, 2)[np.arange(count), :, np.arange(count), :]
    pull = (precision @ away).reshape(count, 2)
    spread = np.linalg.inv(blocks)  # of a point, given the others
    offset = np.einsum("kij,kj->ki", spread, pull)
    without = np.maximum(distance - np.einsum("ki,ki->k", pull, offset), 0)
    determinants = determinant + np.log(np.linalg.det(blocks))
    size = 2 * count - 2
    rest = marginal.log_density(without, determinants, size)
    nu = marginal.freedom
    usual = spread * ((nu + without) / (nu + size))[:, None, None]
    far_off = np.sqrt(np.einsum("ki,kij,kj->k", offset, np.linalg.inv(usual), offset))
    loose = log(decay**2 / (2 * pi)) - np.log(np.linalg.det(usual)) / 2 - decay * far_off
    far = np.logaddexp.reduce(
        [
            density_2(offset, usual + np.eye(2) * ((tau / expected) ** 2)[:, None, None])
            for tau in _OF_POINTS
        ],
        axis=0,
    ) - log(len(_OF_POINTS))
    return _Without(rest, loose, far, determinants, without)


def point_distances(face: FaceResiduals, noise: LabelNoise) -> Float64[np.ndarray, " n"]:
    """How far each labelled point is from where the others let expect it, in usual spreads."""
    seen = np.repeat(face.seen, 2)
    marginal = noise.marginal(seen)
    away = face.relative().reshape(-1)[seen] - noise.mean[seen]
    distance = float(away @ marginal.precision @ away)
    count = len(away) // 2
    blocks = marginal.precision.reshape(count, 2, count, 2)
    blocks = blocks[np.arange(count), :, np.arange(count), :]
    pull = (marginal.precision @ away).reshape(count, 2)
    squares = np.einsum("ki,kij,kj->k", pull, np.linalg.inv(blocks), pull)
    nu = marginal.freedom
    usual = (nu + np.maximum(distance - squares, 0)) / (nu + 2 * count - 2)
    return np.sqrt(np.maximum(squares, 0) / usual)


def _displaced(
    face: FaceResiduals,
    away: np.ndarray,
    marginal: Marginal,
    distance: float,
) -> dict[str, float]:
    """Whole faces: shifted, or of another size or turned."""
    directions = _directions(face)
    shifts = [
        _with_freedom(away, marginal, distance, directions[:, :2] * size) for size in _OF_FACES
    ]
    sizes = [
        _with_freedom(away, marginal, distance, directions * [size, size, _OF_SIZE, _OF_SIZE])
        for size in _OF_FACES
    ]
    return {SHIFT: _mean(shifts), SIZE: _mean(sizes)}


def _directions(face: FaceResiduals) -> Float64[np.ndarray, "d 4"]:
    """How labels change with the face's place (right, down), size and angle, where predicted."""
    weight = np.repeat(1 / face.expected[face.seen], 2)
    here = face.predicted[face.seen]
    centred = here - here.mean(axis=0)
    count = len(centred)
    across, down = np.tile([1.0, 0.0], count), np.tile([0.0, 1.0], count)
    turn = np.stack([-centred[:, 1], centred[:, 0]], axis=1).reshape(-1)
    return np.stack([across, down, centred.reshape(-1), turn], axis=1) * weight[:, None]


def _of_other_shape(
    face: FaceResiduals, away: np.ndarray, marginal: Marginal, shape: np.ndarray
) -> tuple[float, float]:
    """(log density of a hard face, of labels of another face)."""
    part, weight = np.repeat(face.seen, 2), np.repeat(1 / face.expected[face.seen], 2)
    own = np.linalg.inv(marginal.precision)
    between = 2 * shape[np.ix_(part, part)] * np.outer(weight, weight)
    place = _directions(face) * [_OF_FACES[1], _OF_FACES[1], _OF_SIZE, _OF_SIZE]

    def density(scatter: np.ndarray) -> float:
        _, determinant = np.linalg.slogdet(scatter)
        distance = float(away @ np.linalg.solve(scatter, away))
        return float(marginal.log_density(np.array(distance), float(determinant)))

    hard = _mean([density(own + size**2 * between) for size in _HARD])
    return hard, density(own + between + place @ place.T)


def _mean(values: list[float]) -> float:
    return float(np.logaddexp.reduce(values) - log(len(values)))


def _with_freedom(
    away: np.ndarray, marginal: Marginal, distance: float, directions: np.ndarray
) -> float:
    """Density with normal displacements along these columns (Woodbury's identity)."""
    weighted = marginal.precision @ directions
    inner = np.eye(directions.shape[1]) + directions.T @ weighted
    pull = weighted.T @ away
    far = distance - float(pull @ np.linalg.solve(inner, pull))
    determinant = marginal.log_determinant + float(np.linalg.slogdet(inner)[1])
    return float(marginal.log_density(np.array(max(far, 0.0)), determinant))
