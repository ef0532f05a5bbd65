"""Which points mirror each other, from the labels alone: the median shape laid onto its mirror.

Each point's partner is the one on which its mirror image falls, so that all distances together are
least. The mirror's axis is not known: it is found with the pairs, from the upright middle of the
shape on.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import Float64, Int64

_EXPECTED_WORTH = 0.25  # of its squared distance: what an expected pair costs
_ROUNDS = 10  # of finding the partners, then the axis, until nothing changes


def mirror_partners(
    shape: Float64[np.ndarray, "K 2"], expected: Int64[np.ndarray, " K"]
) -> tuple[Int64[np.ndarray, " K"], Float64[np.ndarray, "K K"]]:
    """(partner of each point, distance of each point's mirror image to each point).

    ``expected``: partners that are kept unless others are clearly nearer. A point may be its own
    partner; so are points that are NaN, whose distances are NaN.
    """
    partner = np.arange(len(shape))
    known = np.flatnonzero(~np.isnan(shape).any(axis=1))
    distance = np.full((len(shape), len(shape)), np.nan)
    if not len(known):
        return partner, distance
    points = shape[known]
    worth = np.ones_like(distance)
    is_pair = expected != partner
    worth[partner[is_pair], expected[is_pair]] = _EXPECTED_WORTH
    x = points[:, 0]
    # A head that is turned has its middle elsewhere than its contour.
    middles = ((x.min() + x.max()) / 2, x.mean(), np.median(x))
    tried = [_fitted(points, middle, worth[np.ix_(known, known)]) for middle in middles]
    found, apart = min(tried, key=lambda fit: float((fit[1][np.arange(len(x)), fit[0]] ** 2).sum()))
    partner[known] = known[found]
    distance[np.ix_(known, known)] = apart
    return partner, distance


def _fitted(
    points: Float64[np.ndarray, "K 2"], middle: float, worth: Float64[np.ndarray, "K K"]
) -> tuple[Int64[np.ndarray, " K"], Float64[np.ndarray, "K K"]]:
    """Partners and distances, from the upright axis at ``middle`` on."""
    mirrored = points * [-1, 1] + [2 * middle, 0]
    found = np.arange(len(points))
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(mirrored[:, None] - points[None], axis=2)
        # Squares: one point far off is worse than several slightly off.
        before, found = found, _mutual(assignment(worth * (apart**2 + (apart**2).T)), apart)
        if (found == before).all():
            break
        mirrored = _reflected(points, found)
    return found, np.linalg.norm(mirrored[:, None] - points[None], axis=2)


def _mutual(partner: Int64[np.ndarray, " K"], apart: Float64[np.ndarray, "K K"]) -> np.ndarray:
    """The assignment as pairs: what is not mutual, a ring of three, is paired greedily."""
    result = np.where(partner[partner] == np.arange(len(partner)), partner, -1)
    left = np.flatnonzero(result < 0)
    order = np.argsort(apart[np.ix_(left, left)], axis=None)
    for at in order.tolist():
        i, j = left[at // len(left)], left[at % len(left)]
        if result[i] < 0 and result[j] < 0:
            result[i], result[j] = j, i
    return result


def _reflected(
    points: Float64[np.ndarray, "K 2"], partner: Int64[np.ndarray, " K"]
) -> Float64[np.ndarray, "K 2"]:
    """The points mirrored at the line that lays them best onto their partners."""
    z = points[:, 0] + 1j * points[:, 1]
    z = z - z.mean()
    # The reflection conj(z) * turn that is nearest to the partners, in least squares. The centre
    # of all points lies on the line, as every point's partner is among them.
    turn = (z[partner] * z).sum()
    mirrored = np.conj(z) * turn / max(abs(turn), 1e-12)
    return np.stack([mirrored.real, mirrored.imag], axis=1) + points.mean(axis=0)


def assignment(cost: Float64[np.ndarray, "K K"]) -> Int64[np.ndarray, " K"]:
    """The column of each row, each taken once, whose costs sum to the least.

    By shortest augmenting paths (Jonker and Volgenant, 1987); K squared steps over K columns.
    """
    count = len(cost)
    of_row, of_column = np.zeros(count), np.zeros(count + 1)
    row_of = np.full(count + 1, -1)  # of each column; the last one is where a path starts
    for row in range(count):
        row_of[count] = row
        column, paths = count, np.full(count, np.inf)
        came_from, used = np.full(count, count), np.zeros(count + 1, dtype=bool)
        while row_of[column] >= 0:
            used[column] = True
            here = row_of[column]
            reduced = cost[here] - of_row[here] - of_column[:count]
            better = ~used[:count] & (reduced < paths)
            paths[better], came_from[better] = reduced[better], column
            free = np.where(used[:count], np.inf, paths)
            following = int(np.argmin(free))
            step = free[following]
            of_row[row_of[used]] += step
            of_column[used] -= step
            paths[~used[:count]] -= step
            column = following
        while column != count:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    result = np.zeros(count, dtype=np.int64)
    result[row_of[:count]] = np.arange(count)
    return result
