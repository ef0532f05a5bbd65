"""How faces are cropped for fine-tuning: as the starting network has learnt to see them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.data.missing_boxes import estimate_boxes
from nasion.inference.whole_faces import detected_boxes, tell_size
from nasion.landmarks.boxes import iou
from nasion.landmarks.face_extent import margins
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import points_box, shift_box
from nasion.training.starting_network import StartingNetwork, evenly, predicted_points

_FACES = 256  # that are looked at
_LEAST_SCALE = 1.05  # of boxes, so that all of a scheme's points are seen
# Times the sides of the network's input. At most, since training takes longer.
_LARGER, _LARGEST = 1.25, 2.0
_LEAST_SHIFT = 0.05  # of a box's mean side; less is left to training
_FARTHEST = 9.0  # mean sides of a box that a face reaches beyond it
_TIGHT = 0.8  # overlap (intersection over union) of a box with the one around its points
_log = logging.getLogger(__name__)


def fitting_crops(start: StartingNetwork, faces: Faces) -> dict[str, Any]:
    """Settings of ``ModelSpec`` with which faces fill the network's input as it has learnt.

    Boxes are around a scheme's own points, which may span less of the face, or more: hair and
    neck. ``box_scale`` and ``box_shift`` say where the face is, and ``face_margins`` where boxes
    lie in a detector's. A network that outputs maps gets a larger ``input_size``, as few labels say
    more about larger faces, and where crops of the old size would show faces smaller than it has
    learnt. Faces are cropped again around their points (``refine_steps``) only if that is what
    their boxes are. Where labels do not tell how large a face is, boxes are the detector's; if it
    does not find most of the faces either, whole images are seen, and seen once.
    """
    spec, some = start.spec, evenly(faces, _FACES)
    is_detected = not tell_size(some)
    if is_detected:
        own = detected_boxes(some)
        _log.info(
            "Labels at one place do not tell how large a face is: faces are cropped in the boxes "
            "that the detector gives."
        )
    elif some.boxes is None or np.isnan(some.boxes).any(axis=1).mean() > 0.5:
        return {"refine_steps": 1}
    else:
        own = some.boxes.astype(np.float64)
    known = points_box(predicted_points(start, some).astype(np.float64))
    size, known_size = (_mean_side(box) for box in (own, known))
    wanted = spec.box_scale * float(np.nanmedian(known_size / size))
    scale = round(max(wanted, _LEAST_SCALE), 3)
    # From the middle of a box to that of what the network has learnt to see.
    middle, seen = (
        box.reshape(-1, 2, 2).mean(axis=1) for box in (own, shift_box(known, spec.box_shift))
    )
    shift = np.nanmedian((seen - middle) / size[:, None], axis=0)
    room = max((scale - _LEAST_SCALE) / 2, 0)  # in which all points stay seen
    shift = np.where(np.abs(shift) < _LEAST_SHIFT, 0, np.clip(shift, -room, room))
    found: dict[str, Any] = {
        "box_scale": scale,
        "box_shift": tuple(shift.round(3).tolist()),
        "face_margins": _face_margins(start, known, own),
    }
    if is_detected:
        found |= {"detected_boxes": True, "face_margins": (0.0, 0.0, 0.0, 0.0)}
    if is_detected or not _are_tight(some):
        found["refine_steps"] = 1
    step = getattr(start.architecture, "size_step", None)
    if step is not None:
        larger = min(max(scale / wanted, _LARGER), _LARGEST)
        width, height = (max(side, round(side * larger / step) * step) for side in spec.input_size)
        found["input_size"] = (width, height)
    return found


def _mean_side(boxes: Float64[np.ndarray, "N 4"]) -> Float64[np.ndarray, " N"]:
    return (boxes[:, 2:] - boxes[:, :2]).mean(axis=1)


def _face_margins(
    start: StartingNetwork,
    known: Float64[np.ndarray, "N 4"],
    own: Float64[np.ndarray, "N 4"],
) -> tuple[float, ...]:
    """How far whole faces reach beyond their own boxes, by the known points of the start."""
    spec, sides = start.spec, known[:, 2:] - known[:, :2]
    if spec.face_margins is None:
        left_top, right_bottom = (part * sides for part in margins(spec.scheme))
    else:
        parts = np.reshape(spec.face_margins, (2, 2))
        left_top, right_bottom = (part * _mean_side(known)[:, None] for part in parts)
    whole = np.concatenate([known[:, :2] - left_top, known[:, 2:] + right_bottom], axis=1)
    beyond = np.concatenate([own[:, :2] - whole[:, :2], whole[:, 2:] - own[:, 2:]], axis=1)
    fractions = np.nanmedian(beyond / _mean_side(own)[:, None], axis=0)
    return tuple(np.clip(fractions, -_FARTHEST, _FARTHEST).round(3).tolist())


def _are_tight(faces: Faces) -> bool:
    """Whether boxes are those of the points: the middle one of all faces, by their overlap."""
    assert faces.boxes is not None
    tight = estimate_boxes(faces.points, faces.scheme)
    usable = ~np.isnan(tight + faces.boxes).any(axis=1)
    overlap = [iou(tight[i], faces.boxes[i : i + 1])[0] for i in np.flatnonzero(usable)]
    return bool(overlap) and bool(np.median(overlap) > _TIGHT)
