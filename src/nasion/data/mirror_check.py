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
# The box of a face without some points is another: rounds in which faces are aligned by all points.
_ALIGNMENTS = 3
# How far faces agree on where a point lies beside its mirror image: 0 if as many heads are turned
# to one side as to the other, 1 if it lies there in all faces, as with wrong pairs.
_AGREEING = 0.5
_DEVIATIONS = 3.0  # by which a distance may exceed the limit where few faces have a point
_SHOWN = 5  # points that the message names


def check_mirror(faces: Faces) -> None:
    """Raise ``SettingError`` if points lie far from where their mirror partners say.

    Sets of fewer than ten faces, and of heads that are all turned to one side, are not checked.
    """
    found = _median_shape(faces)
    if found is None or _asymmetry(found[0]) > _TURNED:
        return
    shape, error, aligned = found
    scheme = faces.scheme
    # About the middle of the face; a point that no face has is NaN and never wrong.
    mirrored = (shape * [-1, 1])[scheme.flip]
    offset = np.nanmedian(mirrored - shape, axis=0)
    distance = np.linalg.norm(mirrored - offset - shape, axis=1)
    # A point that few faces have is not known well, and neither is its partner.
    far = distance > _FAR + _DEVIATIONS * np.hypot(error, error[scheme.flip])
    wrong = np.flatnonzero(far & (_agreement(aligned, scheme.flip, far) > _AGREEING))
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


def _median_shape(
    faces: Faces,
) -> tuple[Float64[np.ndarray, "K 2"], Float64[np.ndarray, " K"], np.ndarray] | None:
    """(median of all faces, the error of each of its points, each face moved and scaled onto it).

    None if there are too few faces.
    """
    points = faces.points.astype(np.float64)
    mostly = faces.labelled.mean(axis=1) >= 0.5
    if mostly.sum() < _LEAST_FACES:
        return None
    boxes = geometry.points_box(points[mostly])
    size = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-9)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    aligned = (points[mostly] - center[:, None]) / size[:, None, None]
    known = ~np.isnan(aligned).all(axis=(0, 2))
    shape = np.full(points.shape[1:], np.nan)
    for _ in range(_ALIGNMENTS):
        # Not the mean, which a single wrong label could move anywhere.
        shape[known] = np.nanmedian(aligned[:, known], axis=0)
        aligned = _aligned(aligned, shape)
    error = np.full(len(shape), np.nan)
    offsets = np.linalg.norm(aligned[:, known] - shape[known], axis=-1)
    error[known] = np.nanmedian(offsets, axis=0) / np.sqrt((~np.isnan(offsets)).sum(axis=0))
    return shape, error, aligned


def _agreement(
    aligned: Float64[np.ndarray, "N K 2"], flip: np.ndarray, asked: np.ndarray
) -> Float64[np.ndarray, " K"]:
    """The mean direction from each point to its mirror image, 0 to 1 long; 0 where not asked."""
    mirrored = (aligned * [-1, 1])[:, flip] - aligned
    middle = np.nanmedian(mirrored, axis=1, keepdims=True)
    offsets = mirrored[:, asked] - middle
    with np.errstate(invalid="ignore"):
        directions = offsets / np.linalg.norm(offsets, axis=-1, keepdims=True)
    found = np.zeros(len(flip))
    if asked.any():
        found[asked] = np.linalg.norm(np.nanmean(directions, axis=0), axis=-1)
    return found


def _aligned(points: Float64[np.ndarray, "N K 2"], shape: Float64[np.ndarray, "K 2"]) -> np.ndarray:
    """The faces moved and scaled onto the shape, by the points that each has (least squares)."""
    has = ~np.isnan(points)
    count = has.sum(axis=1, keepdims=True)
    centred = []
    for values in (points, np.where(has, shape, np.nan)):
        centred.append(values - np.nansum(values, axis=1, keepdims=True) / count)
    own, wanted = centred
    scale = np.nansum(own * wanted, axis=(1, 2)) / np.maximum(np.nansum(own**2, axis=(1, 2)), 1e-9)
    center = np.nansum(np.where(has, shape, np.nan), axis=1, keepdims=True) / count
    return own * scale[:, None, None] + center


def _asymmetry(shape: Float64[np.ndarray, "K 2"]) -> float:
    """The mean distance from a point's mirror image to the nearest point, whatever their names."""
    points = shape[~np.isnan(shape).any(axis=1)]
    mirrored = points * [-1, 1]
    # About the middle of the shape's box, so that the box falls onto itself.
    mirrored = mirrored + [points[:, 0].min() + points[:, 0].max(), 0]
    distances = np.linalg.norm(mirrored[:, None] - points[None], axis=2)
    return float(distances.min(axis=0).mean())
