"""Where the other points of a face are expected once some have been corrected by hand."""

from __future__ import annotations

import numpy as np

from nasion.array_types import Float, Float64

# Of a network's errors: how far that of one point tells those of others, in parts of the face's
# size. Half of the variance is shared in this way, the other half is each point's own. With these
# values the fewest moves were left on IMM (benchmarks/annotate.py).
_REACH = 0.12


def refit(
    proposed: Float[np.ndarray, "K 2"],
    placed: Float[np.ndarray, "K 2"],
    expected: Float[np.ndarray, " K"] | None = None,
) -> Float64[np.ndarray, "K 2"]:
    """The proposed points, moved as those placed by hand say; placed ones where they were placed.

    Errors of a network are alike in neighbouring points: they are taken as a Gaussian process over
    the face, of which the corrections are samples (kriging; Rasmussen and Williams, 2006, chapter
    2). ``placed``: NaN for points that nobody placed. ``expected``: the network's expected error
    of each point, in pixels; of an unsure point more of the correction is believed. Points without
    a proposal stay NaN.
    """
    points = np.array(proposed, dtype=np.float64)
    known = ~np.isnan(placed).any(axis=-1)
    told = known & ~np.isnan(points).any(axis=-1)
    others = ~known & ~np.isnan(points).any(axis=-1)
    if told.any() and others.any():
        covariance = _covariance(points, expected)
        among = covariance[np.ix_(told, told)]
        among += np.diag(np.diag(among))
        corrections = np.asarray(placed, np.float64)[told] - points[told]
        points[others] += covariance[np.ix_(others, told)] @ np.linalg.solve(among, corrections)
    points[known] = placed[known]
    return points


def _covariance(
    points: Float64[np.ndarray, "K 2"], expected: Float[np.ndarray, " K"] | None
) -> Float64[np.ndarray, "K K"]:
    """The shared part, up to a factor. NaN for points without a proposal."""
    span = np.nanmax(points, axis=0) - np.nanmin(points, axis=0)
    reach = _REACH * max(float(np.sqrt(span.prod())), 1e-6)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    alike = np.exp(-0.5 * (distances / reach) ** 2)
    if expected is None:
        return alike
    errors = np.asarray(expected, np.float64)
    middle = np.nanmedian(errors) if np.isfinite(errors).any() else 1.0
    errors = np.where(np.isfinite(errors) & (errors > 0), errors, middle)
    return alike * errors[:, None] * errors[None]
