"""How far heads are turned to their left or right, by which points lie in front of the others.

A nose lies before the eyes and the mouth, so it moves sideways when the head turns; a chin does
not, and jaws move the other way. The catalog's face in three dimensions is laid onto the labels, by
an affine map (a camera far away). Points that it does not know are taken as flat, but for those on
the midline among the others, which are noses.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import Float64
from nasion.data.label_shapes import KNOWN_SHARE
from nasion.data.mirror_check import median_shape
from nasion.landmarks.face_extent import known_places
from nasion.landmarks.faces import Faces

_NOSE = 0.35  # how far a nose is before the eyes, of the widest pair
_MIDLINE = 0.1  # of the widest pair, from the middle of the pairs
_USUAL = 0.5  # of the faces, that have a point of the midline
# Of the widest pair: how far points must be out of one plane, for a turn to show (a nose among
# seven other points: 0.13; eyes, mouth and chin: 0.02).
_DEPTH = 0.05
_LEAST_POINTS = 5  # of a face: the map has four numbers in each direction


def head_turns(faces: Faces) -> Float64[np.ndarray, " N"]:
    """Degrees, positive to the subject's left (the image's right).

    NaN where too few points are labelled, or none lies before the others.
    """
    turns = np.full(len(faces), np.nan)
    model = _model(faces)
    if model is None:
        return turns
    for i, points in enumerate(faces.points.astype(np.float64)):
        used = ~np.isnan(points[:, 0]) & ~np.isnan(model[:, 0])
        if used.sum() >= _LEAST_POINTS:
            turns[i] = _turn(points[used], model[used])
    return turns


def _turn(points: Float64[np.ndarray, "n 2"], model: Float64[np.ndarray, "n 3"]) -> float:
    """Degrees by which the model is turned, as the affine map shows that takes it to the points."""
    flat = np.column_stack([model[:, :2], np.ones(len(model))])
    depth = model[:, 2] - flat @ np.linalg.lstsq(flat, model[:, 2], rcond=None)[0]
    if np.sqrt(np.mean(depth**2)) < _DEPTH:
        return np.nan
    full = np.column_stack([model, np.ones(len(model))])
    right, _, near, _ = np.linalg.lstsq(full, points, rcond=None)[0]
    # Turned by t, what is to the right moves by cos t to the image's right, what is near by sin t.
    length = float(np.linalg.norm(right))
    return float(np.degrees(np.arctan2(near @ right / max(length, 1e-9), length)))


def _model(faces: Faces) -> Float64[np.ndarray, "K 3"] | None:
    """Places of the scheme's points in three dimensions, NaN where unknown; None if all are."""
    known = known_places(faces.scheme)
    if (~np.isnan(known[:, 0])).mean() >= KNOWN_SHARE:
        return known
    found = median_shape(faces)
    pairs = [faces.scheme.index(pair) for pair in faces.scheme.mirror]
    if found is None or not pairs:
        return None
    shape = found[0]
    left, right = shape[[pair[0] for pair in pairs]], shape[[pair[1] for pair in pairs]]
    width = np.nanmax(left[:, 0] - right[:, 0], initial=0)
    if width <= 0:
        return None
    middle = (left + right) / 2
    place = (shape - [np.nanmean(middle[:, 0]), 0]) / width
    model = np.column_stack([place, np.zeros(len(place))])
    rows = (middle[:, 1] / width)[~np.isnan(middle[:, 1])]
    usual = faces.labelled.sum(axis=0) >= _USUAL * faces.labelled.any(axis=1).sum()
    for k in np.flatnonzero(faces.scheme.flip == np.arange(len(place))).tolist():
        among = rows.min() < place[k, 1] < rows.max() and abs(place[k, 0]) < _MIDLINE
        model[k] = (*place[k], _NOSE) if among and usual[k] else np.nan
    return model
