"""Whether a scheme's mirror pairs mirror: wrong or missing ones would train on wrong labels.

A flipped face takes its labels by the pairs. On a median face the mirrored shape then falls onto
the shape itself; with wrong pairs left and right labels change places by tens of pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nasion.errors import SettingError
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces

_LEAST_FACES = 10  # whose median shape says something
# As fractions of the median face's longer side. Right pairs of frontal faces are 0.05 off or less,
# a swapped eye or corner of the mouth 0.3 and more.
_FAR = 0.15
# The mean distance from a mirrored point to the nearest point of any name: 0.03 at most for frontal
# sets, 0.07 and more for sets whose heads are all turned to one side, which no pairs can mirror.
_TURNED = 0.05
_SHOWN = 5  # points that the message names


def check_mirror(faces: Faces) -> None:
    """Raise ``SettingError`` if points lie far from where their mirror partners say.

    Sets of fewer than ten faces, and of heads that are all turned to one side, are not checked.
    """
    shape = _median_shape(faces)
    if shape is None or _asymmetry(shape) > _TURNED:
        return
    scheme = faces.scheme
    # About the middle of the face; a point that no face has is NaN and never wrong.
    mirrored = (shape * [-1, 1])[scheme.flip]
    offset = np.nanmedian(mirrored - shape, axis=0)
    distance = np.linalg.norm(mirrored - offset - shape, axis=1)
    wrong = np.flatnonzero(distance > _FAR)
    if not len(wrong):
        return
    pairs = "has no mirror pairs" if not scheme.mirror else "has mirror pairs that do not mirror"
    names = ", ".join(scheme.points[i] for i in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    raise SettingError(
        f"Scheme {scheme.name} {pairs}: a flipped face would have wrong labels at {names}{more}. "
        "Give the scheme its pairs (mirror=...), or train without flips "
        "(--set augment.flip=0 --set spec.tta=none)."
    )


def _median_shape(faces: Faces) -> Float64[np.ndarray, "K 2"] | None:
    """The median of all faces in the frames of their boxes; None if there are too few."""
    points = faces.points.astype(np.float64)
    mostly = faces.labelled.mean(axis=1) >= 0.5
    if mostly.sum() < _LEAST_FACES:
        return None
    boxes = geometry.points_box(points[mostly])
    size = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-9)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    normalised = (points[mostly] - center[:, None]) / size[:, None, None]
    shape = np.full(points.shape[1:], np.nan)
    known = ~np.isnan(normalised).all(axis=(0, 2))
    # Not the mean, which a single wrong label could move anywhere.
    shape[known] = np.nanmedian(normalised[:, known], axis=0)
    return shape


def _asymmetry(shape: Float64[np.ndarray, "K 2"]) -> float:
    """The mean distance from a point's mirror image to the nearest point, whatever their names."""
    points = shape[~np.isnan(shape).any(axis=1)]
    mirrored = points * [-1, 1]
    # About the middle of the shape's box, so that the box falls onto itself.
    mirrored = mirrored + [points[:, 0].min() + points[:, 0].max(), 0]
    distances = np.linalg.norm(mirrored[:, None] - points[None], axis=2)
    return float(distances.min(axis=0).mean())
