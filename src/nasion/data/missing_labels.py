"""What to do with missing labels in training: ``mask``, ``drop``, ``forward_fill``.

``mask`` keeps every face and the loss skips what is missing. ``drop`` keeps complete faces only.
``forward_fill`` copies the point of the nearest face before, as pandas ``ffill`` in the published
Keras code does: wrong by design, kept to show the difference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from nasion.array_types import Float32
from nasion.errors import DataError
from nasion.landmarks.faces import Faces

MissingLabels = Literal["mask", "drop", "forward_fill"]


def handle_missing(faces: Faces, how: MissingLabels) -> Faces:
    """Training faces with their missing labels handled. ``DataError`` if no face is left."""
    if how == "forward_fill":
        return replace(faces, points=forward_fill(faces.points))
    kept = faces[faces.complete] if how == "drop" else faces[faces.labelled.any(axis=1)]
    if len(kept) == 0:
        reason = "none is complete" if how == "drop" else "none has a label"
        raise DataError(f"No face is left of {len(faces)} to train on: {reason}.")
    return kept


def forward_fill(points: Float32[np.ndarray, "N K 2"]) -> Float32[np.ndarray, "N K 2"]:
    """Each missing point from the nearest face before; NaN if no face before has it."""
    labelled = ~np.isnan(points[..., 0])
    # Each label's own row, -1 where there is none; the running maximum is the last row with a
    # label.
    rows = np.where(labelled, np.arange(len(points))[:, None], -1)
    last = np.maximum.accumulate(rows, axis=0)
    # Row 0 stands in where no row has a label yet, and becomes NaN below.
    filled = np.take_along_axis(points, np.maximum(last, 0)[..., None], axis=0)
    return np.where((last >= 0)[..., None], filled, np.float32(np.nan))
