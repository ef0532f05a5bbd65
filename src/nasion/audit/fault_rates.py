"""How common each kind of fault is, and the chance of each face: expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Float64
from nasion.audit.face_residuals import FaceResiduals
from nasion.audit.fault_evidence import (
    OTHER,
    POINTS,
    SHIFT,
    SIZE,
    Evidence,
    Rates,
    face_evidence,
    point_distances,
)
from nasion.audit.label_noise import TRIMMED, LabelNoise, fit_noise
from nasion.audit.moved_labels import MovedLabels, MoveTable, move_table, moved_labels
from nasion.audit.residuals import Residuals
from nasion.landmarks.scheme import Scheme

_START, _START_HARD = 0.002, 0.05  # of the faces: each kind of fault, and hard ones
_LEAST_FAULTS = 0.5  # faces of a kind that are expected, where none is found
_ROUNDS = 3  # of noise and faults in turn
_SURE, _HALF = 0.9, 0.5  # chances
_UNUSUAL, _FAULTY = 3.0, 8.0  # distances of points, in usual spreads
_FEWEST_BEYOND = 30  # points, from which looseness is estimated
_DECAYS, _HALVINGS = (0.5, 2.5), 20
_MOST_LOOSE = 0.7  # of the points


@dataclass(frozen=True)
class Explained:
    """What explains a face's labels best. ``kind``: of fault, if there is one.

    ``chance``: that there is a fault. ``wrong``: of each point, that its label is wrong.
    ``hard``: that the face is hard, if there is none.
    """

    chance: float
    log_odds: float
    kind: str
    kind_chances: dict[str, float]
    wrong: Float64[np.ndarray, " K"]
    hard: float = 0.0


@dataclass(frozen=True, eq=False)
class FaultModel:
    """How labels differ from predicted points, with and without each kind of fault."""

    noise: LabelNoise
    moves: list[MovedLabels]
    table: MoveTable | None
    shape: Float64[np.ndarray, "D D"]
    rates: Rates

    def explain(self, face: FaceResiduals) -> Explained:
        """The most likely fault of a face, with its chance."""
        evidence = face_evidence(face, self.noise, self.moves, self.table, self.shape, self.rates)
        return _explained(evidence)

    def explain_all(self, residuals: Residuals) -> list[Explained]:
        return [self.explain(residuals.face(i)) for i in range(len(residuals.labels))]


def fit_faults(residuals: Residuals, scheme: Scheme) -> FaultModel:
    """The noise of these labels, and how common each kind of fault is among them.

    Noise and faults are found in turn: faces with faults that say how their labels came about do
    not count as noise.
    """
    moves = moved_labels(scheme)
    table = move_table(moves) if moves else None
    kinds = [SHIFT, SIZE, OTHER, *dict.fromkeys(move.kind for move in moves)]
    model = None
    values = residuals.relative()
    for _ in range(_ROUNDS):
        noise = fit_noise(values) if model else fit_noise(values, TRIMMED)
        loose, decay = _looseness(residuals, noise)
        if model is None:
            usual = float(np.exp(np.median(np.log(residuals.expected).mean(axis=1))))
            rates = Rates(dict.fromkeys(kinds, _START), _START, loose, decay, _START_HARD, usual)
        else:
            rates = replace(model.rates, loose=loose, decay=decay)
        model = FaultModel(noise, moves, table, residuals.shape(), rates)
        found = model.explain_all(residuals)
        model = replace(model, rates=_rates(found, residuals, rates))
        values = residuals.relative()
        for i, each in enumerate(found):
            # A face of another shape may also be hard: it is noise then, which has wide tails.
            if each.chance > _SURE and each.kind != OTHER:
                values[i, np.repeat(each.wrong > _HALF, 2)] = np.nan
    assert model is not None
    return model


def _explained(evidence: Evidence) -> Explained:
    kinds = list(evidence.kinds)
    if not kinds:
        return Explained(0.0, -np.inf, "", {}, np.zeros(0))
    values = np.array([evidence.kinds[kind] for kind in kinds])
    total = np.logaddexp.reduce(values)
    odds = float(total - evidence.fine)
    chance = float(1 / (1 + np.exp(-odds))) if odds > -700 else 0.0
    parts = chance * np.exp(values - total)
    chances = dict(zip(kinds, parts.tolist(), strict=True))
    wrong = np.sum([part * evidence.wrong[kind] for kind, part in chances.items()], axis=0)
    best = kinds[int(np.argmax(values))]
    return Explained(chance, odds, best, chances, wrong, evidence.hard)


def _rates(found: list[Explained], residuals: Residuals, before: Rates) -> Rates:
    count = len(found)
    kinds = {
        kind: (sum(each.kind_chances.get(kind, 0.0) for each in found) + _LEAST_FAULTS) / count
        for kind in before.kinds
    }
    seen = ~np.isnan(residuals.labels[..., 0])
    points = sum(
        float(each.kind_chances.get(POINTS, 0.0) * (each.wrong > 0.5).sum()) for each in found
    )
    wrong = (points + 1) / max(int(seen.sum()), 1)
    hard = sum((1 - each.chance) * each.hard for each in found) / count
    return replace(before, kinds=kinds, wrong=wrong, hard=max(hard, _START))


def _looseness(residuals: Residuals, noise: LabelNoise) -> tuple[float, float]:
    """(share, decay) of points that are farther off than the noise of most faces says.

    From distances that are neither usual nor those of faults.
    """
    faces = (residuals.face(i) for i in range(len(residuals.labels)))
    distances = np.concatenate([point_distances(face, noise) for face in faces if face.seen.any()])
    beyond = distances[(distances > _UNUSUAL) & (distances < _FAULTY)]
    if len(beyond) < _FEWEST_BEYOND:
        return 0.2, 1.25
    # The median, since faults are among them.
    decay = decay_of(float(np.median(beyond)))
    share = len(beyond) / len(distances)
    return float(np.clip(share / part_beyond(_UNUSUAL, decay), 0.001, _MOST_LOOSE)), decay


def decay_of(median: float) -> float:
    """The decay with which half of the points beyond ``_UNUSUAL`` are within this distance."""
    low, high = _DECAYS
    for _ in range(_HALVINGS):
        decay = (low + high) / 2
        is_too_wide = part_beyond(median, decay) > part_beyond(_UNUSUAL, decay) / 2
        low, high = (decay, high) if is_too_wide else (low, decay)
    return (low + high) / 2


def part_beyond(distance: float, decay: float) -> float:
    """The part farther off than this, of a density that falls by ``decay`` in two dimensions."""
    return float(np.exp(-decay * distance) * (1 + decay * distance))
