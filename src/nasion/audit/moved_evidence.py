"""How well labels fit if some of them are of other points than their names say."""

from __future__ import annotations

from math import log

import numpy as np

from nasion.audit.face_residuals import FaceResiduals, density_2
from nasion.audit.label_noise import LabelNoise, Marginal
from nasion.audit.moved_labels import NOWHERE, PAIR, SIDES, MovedLabels, MoveTable

_BEYOND = 0.12  # of the face's size: how far labels lie beyond the end of a contour


def moved_evidence(
    face: FaceResiduals,
    noise: LabelNoise,
    marginal: Marginal,
    moves: list[MovedLabels],
    table: MoveTable,
) -> dict[str, tuple[float, np.ndarray]]:
    """The best of each kind: (evidence, averaged over all that were looked for; its places)."""
    seen = face.seen
    sides = next((move.place for move in moves if move.kind == SIDES), None)
    which = [
        h
        for h, move in enumerate(moves)
        if seen[move.needs].all()
        # Of one labelled pair, exchanged points are exchanged sides.
        and (move.kind != PAIR or sides is None or (move.place != sides)[seen].any())
    ]
    found: dict[str, tuple[float, np.ndarray]] = {}
    if sides is not None and not any(moves[h].kind == SIDES for h in which):
        found[SIDES] = _exchanged_sides(face, noise, sides), sides
    if not which:
        return found
    values = _moved_densities(face, noise, marginal, table, np.array(which))
    for kind in dict.fromkeys(move.kind for move in moves):
        at = [i for i, h in enumerate(which) if moves[h].kind == kind]
        if at:
            best = max(at, key=lambda i: values[i])
            total = float(np.logaddexp.reduce(values[at])) - log(len(at))
            found[kind] = total, moves[which[best]].place
    return found


def _exchanged_sides(face: FaceResiduals, noise: LabelNoise, place: np.ndarray) -> float:
    """Log density with left and right exchanged, of a face with missing labels."""
    # The exchange is its own inverse: a point has the label of its partner.
    relative = (face.labels[place] - face.predicted) / face.expected[:, None]
    there = face.seen[place]
    units = 2 * float(np.log(face.expected[face.seen]).sum() - np.log(face.expected[there]).sum())
    return float(noise.log_density(relative.reshape(1, -1))[0]) + units


def _moved_densities(
    face: FaceResiduals,
    noise: LabelNoise,
    marginal: Marginal,
    table: MoveTable,
    which: np.ndarray,
) -> np.ndarray:
    """Log densities of the labels, with labels at other points' places by these moves."""
    seen, means = face.seen, noise.mean.reshape(-1, 2)
    source = table.source[which]
    labels = face.labels[source]  # that of the last point where there is none
    # (H, K, 2): each place's label, in units of what is expected there.
    placed = (labels - face.predicted) / face.expected[:, None] - means
    placed = np.where((source == NOWHERE)[..., None], 0.0, placed)
    units = np.where(source == NOWHERE, 0.0, np.log(face.expected))
    extra = -2 * (units - np.log(face.expected))[:, seen].sum(axis=1)
    row = np.full(len(table.source), -1)
    row[which] = np.arange(len(which))
    _add_doubles(extra, row, face, noise, table, placed)
    beyond = table.beyond[row[table.beyond[:, 0]] >= 0]
    if len(beyond):
        lost = _beyond_ends(face, beyond[:, 1]) - 2 * np.log(face.expected[beyond[:, 1]])
        np.add.at(extra, row[beyond[:, 0]], lost)
    full = placed[:, seen].reshape(len(which), -1)
    pull = full @ marginal.precision
    distance = np.einsum("hd,hd->h", full, pull)
    # Of an empty place nothing is known: its coordinates leave the distribution.
    empty = table.empty[which]
    lacking = np.flatnonzero(empty != NOWHERE)
    column = (np.cumsum(seen) - 1)[empty[lacking]]
    count = int(seen.sum())
    blocks = marginal.precision.reshape(count, 2, count, 2)[column, :, column, :]
    own = pull.reshape(len(which), count, 2)[lacking, column]
    determinant = np.full(len(which), marginal.log_determinant)
    distance[lacking] -= np.einsum("hi,hij,hj->h", own, np.linalg.inv(blocks), own)
    determinant[lacking] += np.log(np.linalg.det(blocks))
    density = marginal.log_density(distance, determinant)
    density[lacking] = marginal.log_density(
        np.maximum(distance[lacking], 0), determinant[lacking], 2 * count - 2
    )
    return density + extra


def _add_doubles(
    extra: np.ndarray,
    row: np.ndarray,
    face: FaceResiduals,
    noise: LabelNoise,
    table: MoveTable,
    placed: np.ndarray,
) -> None:
    """A second label of a place is about as far from the first as two labels of it are."""
    doubles = table.doubles[row[table.doubles[:, 0]] >= 0]
    if not len(doubles):
        return
    h, label, place = row[doubles[:, 0]], doubles[:, 1], doubles[:, 2]
    means = noise.mean.reshape(-1, 2)
    here = (face.labels[label] - face.predicted[place]) / face.expected[place][:, None]
    gap = here - means[place] - placed[h, place]
    np.add.at(extra, h, _near(gap, noise, place) - 2 * np.log(face.expected[place]))


def _near(gap: np.ndarray, noise: LabelNoise, at: np.ndarray) -> np.ndarray:
    """Two labels of one place: as far apart as two labels of it are."""
    size = len(noise.mean) // 2
    blocks = noise.scatter.reshape(size, 2, size, 2)[at, :, at, :]
    return density_2(gap, blocks)


def _beyond_ends(face: FaceResiduals, at: np.ndarray) -> np.ndarray:
    """Labels beyond the ends of their contours, by how far they are from the ends."""
    expected = face.expected[at]
    spread = np.eye(2) * ((_BEYOND / expected) ** 2)[:, None, None]
    return density_2((face.labels[at] - face.predicted[at]) / expected[:, None], spread)
