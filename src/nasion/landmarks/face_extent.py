"""How far a face reaches beyond the points of a scheme, and so what a face's box is for a model.

Boxes of faces are tight around the points of a scheme in training, evaluation and refinement.
Detectors give boxes of whole faces, tight around the 68 points; for a scheme of inner points (eyes,
nose, mouth) these are reduced as the catalog's names say, by a mean face. A fine-tuned network
knows the margins from the faces that it was trained on.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nasion.array_types import Float, Float64
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face_model import Expression, known_points, points_of
from nasion.landmarks.scheme import Scheme

_LEAST_KNOWN = 3  # points with a catalog name, from which the margins are taken


def boxes_of_points(
    face_boxes: Float[np.ndarray, "N 4"],
    scheme: Scheme,
    known: tuple[float, float, float, float] | None = None,
) -> Float64[np.ndarray, "N 4"]:
    """The boxes that the scheme's points have in faces with these boxes (x0 y0 x1 y1).

    ``known``: the margins on the left, top, right and bottom, in mean sides of those boxes (None:
    by the scheme's names).
    """
    boxes = np.asarray(face_boxes, dtype=np.float64)
    if known is not None:
        # The mean side of a face's box is that of the other one and half of all margins.
        whole = (boxes[:, 2:] - boxes[:, :2]).mean(axis=1, keepdims=True)
        size = whole / (1 + sum(known) / 2)
        inward = np.array([1, 1, -1, -1]) * np.array(known)
        inner = boxes + inward * size
        # Points on a line have a box without height.
        middle = (inner[:, :2] + inner[:, 2:]) / 2
        half = np.maximum(inner[:, 2:] - inner[:, :2], 1) / 2
        return np.concatenate([middle - half, middle + half], axis=1)
    left_top, right_bottom = margins(scheme)
    # The margins are fractions of the inner box, so the whole one is 1 + both as large.
    inner = (boxes[:, 2:] - boxes[:, :2]) / (1 + left_top + right_bottom)
    return np.concatenate(
        [boxes[:, :2] + left_top * inner, boxes[:, 2:] - right_bottom * inner], axis=1
    )


@cache
def margins(scheme: Scheme) -> tuple[Float64[np.ndarray, 2], Float64[np.ndarray, 2]]:
    """(left and top, right and bottom) of a face beyond its points, as fractions of their box.

    0 for schemes of other names than the catalog's.
    """
    mean = mean_shape(scheme)
    known = ~np.isnan(mean).any(axis=1)
    if known.sum() < _LEAST_KNOWN:
        return np.zeros(2), np.zeros(2)
    inner, whole = (geometry.points_box(shape) for shape in (mean[known], mean_shape(ibug68)))
    size = np.maximum(inner[2:] - inner[:2], 1e-9)
    # A scheme may reach further than the 68 points, as to the hairline; then nothing is added.
    beyond = np.concatenate([inner[:2] - whole[:2], whole[2:] - inner[2:]])
    fractions = np.maximum(beyond, 0) / np.concatenate([size, size])
    return fractions[:2], fractions[2:]


def mean_shape(scheme: Scheme) -> Float64[np.ndarray, "K 2"]:
    """The scheme's points on a mean frontal face, NaN for names that the catalog does not know."""
    return known_places(scheme)[:, :2]


def known_places(scheme: Scheme) -> Float64[np.ndarray, "K 3"]:
    """The same in three dimensions, as ``face_model`` has them."""
    places = np.full((len(scheme), 3), np.nan)
    at = [i for i, name in enumerate(scheme.known_as) if name in known_points()]
    if at:
        places[at] = points_of(tuple(scheme.known_as[i] for i in at), Expression())
    return places
