"""Boxes for labelled faces that have none, or loose ones: around their points, missing ones
estimated.

Recipes crop a box, and detectors give one; only datasets whose images are published as crops are
shown whole. Estimating a missing point keeps the box of a half-labelled face as large as others'.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from nasion.array_types import Float, Float64
from nasion.landmarks import geometry
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.faces import Faces
from nasion.landmarks.half_faces import is_half, with_other_half
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted, part_of

_LEAST_LABELLED = 2  # points that fix position, size and rotation of a face
_MOSTLY = 0.5  # of a scheme's points with catalog names, from which the mean face is used
_COMPLETE = 0.9  # of a scheme's points, whose box is that of all
_LOOSE = 0.05  # of a box's side: more is said
_log = logging.getLogger(__name__)


def with_boxes(faces: Faces, source: str = "", scheme: Scheme | None = None) -> Faces:
    """The faces, each with a box: its own, or the one around its points.

    ``scheme``: whose points the box should hold too. So of a face whose eyes alone are labelled,
    the box for a network of the whole face is as large as that of any other.

    A face with fewer than two labelled points stays without (NaN: the whole image, or the box of a
    detector, ``inference/whole_faces.py``). ``source``: named in the log, which says how many boxes
    were estimated.
    """
    faces, message = _estimated(faces, scheme)
    if message:
        _log.info("%s%s", f"{source}: " if source else "", message)
    return faces


def _estimated(faces: Faces, scheme: Scheme | None) -> tuple[Faces, str]:
    """(the faces with boxes, what to say of those that had none)."""
    own = np.full((len(faces), 4), np.nan) if faces.boxes is None else faces.boxes
    without = np.asarray(np.isnan(own).any(axis=1))
    lacking = without & faces.labelled.any(axis=1)
    if not lacking.any():
        return faces, ""
    estimated = estimate_boxes(faces.points, faces.scheme)
    if scheme is not None:
        estimated = _larger(estimated, estimate_boxes(faces.to(scheme).points, scheme))
    boxes = np.where(lacking[:, None], estimated, own)
    found = lacking & ~np.isnan(boxes).any(axis=1)
    if found.all():
        what = counted(len(faces), "face without a box is", "faces without boxes are")
        message = f"{what} cropped around the labelled points."
    else:
        cropped = counted(int(found.sum()), "is", "are")
        parts = [f"{cropped} cropped around the labelled points"] if found.any() else []
        count, rest = faces.labelled.sum(axis=1), without & ~found
        kinds = {
            "with a single label": rest & (count == 1),
            "with labels at one place": rest & (count > 1),
            "without a label": rest & (count == 0),
        }
        shown = [f"{those.sum()} {kind}" for kind, those in kinds.items() if those.any()]
        if shown:
            parts.append(f"{', '.join(shown)} {'gets' if rest.sum() == 1 else 'get'} none")
        lead = part_of(int(without.sum()), len(faces), "face", "has", "have")
        message = f"{lead} no box: {'; '.join(parts)}."
    return replace(faces, boxes=boxes.astype(np.float32)) if found.any() else faces, message


def _larger(
    first: Float64[np.ndarray, "N 4"], second: Float64[np.ndarray, "N 4"]
) -> Float64[np.ndarray, "N 4"]:
    """Of each two boxes the one with the longer side; if one is NaN, the other."""
    sides = [(boxes[:, 2:] - boxes[:, :2]).max(axis=1) for boxes in (first, second)]
    is_larger = np.isnan(sides[0]) | (sides[1] > sides[0])
    return np.where(is_larger[:, None], second, first)


def with_tight_boxes(faces: Faces, source: str = "", scheme: Scheme | None = None) -> Faces:
    """The faces, each with the box around its points, also where it has another.

    The own box of a face with missing points is changed as those of complete faces are.
    ``scheme``: whose points are meant; None: that of the faces.
    """
    # Which faces have no box was said when they were read.
    faces = _estimated(faces, scheme)[0]
    if faces.boxes is None:
        return faces
    meant = faces if scheme is None else faces.to(scheme)
    own, tight = faces.boxes.astype(np.float64), estimate_boxes(meant.points, meant.scheme)
    enough = meant.labelled.mean(axis=1) >= _COMPLETE
    sure = enough & ~np.isnan(own + tight).any(axis=1)
    if not sure.any():
        return faces
    size = np.tile(np.maximum(own[:, 2:] - own[:, :2], 1), 2)
    change = np.median((tight - own)[sure] / size[sure], axis=0)
    if np.abs(change).max() > _LOOSE:
        _log.info(
            "%sthe boxes of %s are not tight around the points (their sides are %.2f times "
            "as long); they are cropped around their points.",
            f"{source}: " if source else "",
            counted(int(sure.sum()), "face"),
            1 / np.mean(1 + change[2:] - change[:2]),
        )
    boxes = np.where(sure[:, None], tight, own + change * size)
    return replace(faces, boxes=boxes.astype(np.float32))


def estimate_boxes(
    points: Float[np.ndarray, "N K 2"], scheme: Scheme
) -> Float64[np.ndarray, "N 4"]:
    """The box of each face by its labelled points; NaN where these do not fix one."""
    points = points.astype(np.float64)
    whole = complete(points, reference_shape(points, scheme))
    half = is_half(points, scheme)
    if half.any():
        # A flat mean face, laid on a profile's half, would reach far beyond it.
        whole[half] = with_other_half(points[half], scheme)[0]
    boxes = geometry.points_box(whole)
    labelled = (~np.isnan(points).any(axis=2)).sum(axis=1)
    # Level eyes lie in a row of pixels; their box is one pixel high, as that of nearly level ones.
    sides = boxes[:, 2:] - boxes[:, :2]
    thin = np.tile((sides < 1) & (sides.max(axis=1, keepdims=True) > 1), 2)
    middle = np.tile((boxes[:, :2] + boxes[:, 2:]) / 2, 2)
    boxes = np.where(thin, middle + np.array([-0.5, -0.5, 0.5, 0.5]), boxes)
    boxes[(labelled < _LEAST_LABELLED) | ~geometry.has_area(boxes)] = np.nan
    return boxes


def reference_shape(
    points: Float64[np.ndarray, "N K 2"], scheme: Scheme
) -> Float64[np.ndarray, "K 2"]:
    """A shape to estimate missing points by: the mean face, or the mean of these faces.

    NaN for points that neither has.
    """
    shape = mean_shape(scheme)
    if (~np.isnan(shape).any(axis=1)).mean() >= _MOSTLY:
        return shape
    whole = points[~np.isnan(points).any(axis=(1, 2))]
    if not len(whole):
        return np.full((len(scheme), 2), np.nan)
    # In the frame of each face's own box, where shapes of any size can be averaged.
    boxes = geometry.points_box(whole)
    size = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-9)
    return ((whole - boxes[:, None, :2]) / size[:, None, None]).mean(axis=0)


def complete(
    points: Float64[np.ndarray, "N K 2"], shape: Float64[np.ndarray, "K 2"]
) -> Float64[np.ndarray, "N K 2"]:
    """Missing points from the shape, moved, scaled and rotated onto the labelled ones."""
    # A similarity is one multiplication and one addition of complex numbers: z = a * shape + b.
    z: np.ndarray = points[..., 0] + 1j * points[..., 1]
    reference = shape[:, 0] + 1j * shape[:, 1]
    usable = ~np.isnan(z) & ~np.isnan(reference)
    count = np.maximum(usable.sum(axis=1, keepdims=True), 1)
    z_used = np.where(usable, z, 0)
    reference_used = np.where(usable, reference, 0)
    z_mean = z_used.sum(axis=1, keepdims=True) / count
    reference_mean = reference_used.sum(axis=1, keepdims=True) / count
    centred = np.where(usable, reference - reference_mean, 0)
    power = (np.abs(centred) ** 2).sum(axis=1, keepdims=True)
    # Least squares: the projection of the points onto the shape.
    product = (np.conj(centred) * np.where(usable, z - z_mean, 0)).sum(axis=1, keepdims=True)
    a = np.where(power > 0, product / np.maximum(power, 1e-12), np.nan)
    estimated = a * (reference - reference_mean) + z_mean
    filled = np.where(np.isnan(z), estimated, z)
    return np.stack([np.real(filled), np.imag(filled)], axis=-1)
