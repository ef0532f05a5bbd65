"""Whether a scheme's mirror pairs mirror: wrong or missing ones would train on wrong labels.

A flipped face takes its labels by the pairs. On a median face the mirrored shape then falls onto
the shape itself; with wrong pairs left and right labels change places by tens of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasion.array_types import Float64
from nasion.data.mirror_proposal import mirror_partners
from nasion.errors import SettingError
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

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
# How much nearer another partner must be; between right pairs and the best ones it is 0.005.
_CLEARLY = 0.04
_ALONE = 0.08  # from its mirror image, a point that mirrors itself is not on the midline
_SHOWN = 5  # points that the message names


def check_mirror(faces: Faces) -> None:
    """Raise ``SettingError`` if points lie far from where their mirror partners say.

    Sets of fewer than ten faces, and of heads that are all turned to one side, are not checked.
    """
    found = _aligned_faces(faces, _LEAST_FACES)
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
    told = {fault.point: str(fault) for fault in _faults(scheme, shape, error)}
    names = [scheme.points[i] for i in wrong]
    shown = "; ".join(told.get(name, name) for name in names[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    raise SettingError(
        f"Scheme {scheme.name} {pairs}: a flipped face would have wrong labels at {shown}{more}. "
        "Correct the pairs (nasion scheme init DATA proposes them in a scheme.toml; in Python "
        "mirror=...), or train without flips (--set augment.flip=0 --set spec.tta=none)."
    )


@dataclass(frozen=True)
class MirrorFault:
    """A point whose partner is not the one on which its mirror image falls.

    ``partner``, ``better``: as the scheme says, and as the labels do; the point itself for none.
    Distances from the mirror image, as fractions of the face's size.
    """

    point: str
    partner: str
    better: str
    distance: float
    better_distance: float

    def __str__(self) -> str:
        now = "is paired with itself" if self.partner == self.point else f"with {self.partner}"
        if self.better == self.partner:
            return f"{self.point} ({now}; its mirror image falls on no point)"
        right = "itself" if self.better == self.point else self.better
        return f"{self.point} ({now}; its mirror image falls on {right})"


def propose_mirror(faces: Faces) -> tuple[tuple[str, str], ...] | None:
    """(left, right) pairs of points, by the mirrored median shape of the labels.

    The scheme's own pairs are kept unless others are clearly nearer. None if labels cannot tell:
    of fewer than ten faces, or of heads that are all turned to one side.
    """
    found = median_shape(faces)
    if found is None or _asymmetry(found[0]) > _TURNED:
        return None
    scheme, shape = faces.scheme, found[0]
    partner, _ = mirror_partners(shape, scheme.flip)
    pairs = []
    for i, j in enumerate(partner.tolist()):
        # The subject's left is on the right of the image.
        if i != j and (shape[i, 0], i) > (shape[j, 0], j):
            pairs.append((scheme.points[i], scheme.points[j]))
    return tuple(pairs)


def mirror_faults(faces: Faces) -> list[MirrorFault]:
    """Points whose partner by the scheme is clearly not the one that the labels show.

    Finer than ``check_mirror``: also neighbours on a contour that are paired crosswise, and points
    beside the midline without a partner. Empty if labels cannot tell.
    """
    found = median_shape(faces)
    if found is None or _asymmetry(found[0]) > _TURNED:
        return []
    return _faults(faces.scheme, *found)


def _faults(
    scheme: Scheme, shape: Float64[np.ndarray, "K 2"], error: Float64[np.ndarray, " K"]
) -> list[MirrorFault]:
    partner, distance = mirror_partners(shape, scheme.flip)
    faults: list[MirrorFault] = []
    for i, (now, better) in enumerate(zip(scheme.flip.tolist(), partner.tolist(), strict=True)):
        far, near = float(distance[i, now]), float(distance[i, better])
        # NaN, of a point that no face has, is no fault.
        is_alone = now == better == i and far > _ALONE + _DEVIATIONS * error[i]
        if (now != better and far - near > _CLEARLY) or is_alone:
            point, partner_now, wanted = (scheme.points[k] for k in (i, now, better))
            faults.append(MirrorFault(point, partner_now, wanted, far, near))
    return faults


def median_shape(
    faces: Faces, least: int = _LEAST_FACES
) -> tuple[Float64[np.ndarray, "K 2"], Float64[np.ndarray, " K"]] | None:
    """The median of all faces, each moved and scaled onto it, and the error of each point.

    None for fewer than ``least`` faces with most of their points.
    """
    found = _aligned_faces(faces, least)
    return None if found is None else found[:2]


def _aligned_faces(
    faces: Faces, least: int
) -> tuple[Float64[np.ndarray, "K 2"], Float64[np.ndarray, " K"], np.ndarray] | None:
    """As ``median_shape``, and the faces as they were moved and scaled."""
    points = faces.points.astype(np.float64)
    mostly = faces.labelled.mean(axis=1) >= 0.5
    if mostly.sum() < least:
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
