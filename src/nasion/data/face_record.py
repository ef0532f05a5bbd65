"""One face as a file of labels or predictions lists it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasion.array_types import Bool, Float64


@dataclass(frozen=True, eq=False)
class FaceRecord:
    """One face of a file. ``place``: where a person finds it in that file.

    ``visible``: for each point the chance that it can be seen, as predictions state it.
    """

    image: str
    points: Float64[np.ndarray, "K 2"]
    place: str
    scores: list[float] | None = None
    box: tuple[float, float, float, float] | None = None
    occluded: Bool[np.ndarray, " K"] | None = None
    visible: list[float] | None = None
