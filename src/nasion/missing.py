"""The ways of treating missing labels before training, as one setting, so that their claims can be compared.

``mask`` keeps every face and lets the loss skip what is missing; ``drop`` keeps the complete faces only;
``forward_fill`` gives a missing point the place it has in the last face before that has it (as pandas' ``ffill`` does,
and as published Kaggle notebooks do): wrong by design, kept to show the difference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float32

from nasion.errors import DataError
from nasion.faces import Faces

Missing = Literal["mask", "drop", "forward_fill"]


def treat(faces: Faces, how: Missing) -> Faces:
    """Training faces with their missing labels treated. Raises ``DataError`` when no face is left."""
    if how == "forward_fill":
        return replace(faces, points=forward_filled(faces.points))
    kept = faces[faces.complete] if how == "drop" else faces[faces.labelled.any(axis=1)]
    if len(kept) == 0:
        raise DataError(f"No face is left of {len(faces)} to train on: " + ("none is complete." if how == "drop" else "none has a label."))
    return kept


def forward_filled(points: Float32[np.ndarray, "N K 2"]) -> Float32[np.ndarray, "N K 2"]:
    """Each missing point at the place it has in the nearest face before; still NaN where there is none before."""
    labelled = ~np.isnan(points[..., 0])
    rows = np.where(labelled, np.arange(len(points))[:, None], -1)
    last = np.maximum.accumulate(rows, axis=0)
    filled = np.take_along_axis(points, np.maximum(last, 0)[..., None], axis=0)
    return np.where((last >= 0)[..., None], filled, np.float32(np.nan))
