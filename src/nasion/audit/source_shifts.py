"""Sources (annotators, files, folders) whose labels of a point lie elsewhere than the others'."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasion.array_types import Float64
from nasion.audit.residuals import upright
from nasion.data.annotators import GROUP
from nasion.data.suspects import Shift
from nasion.landmarks.faces import Faces, Predictions

_GROUPS = (GROUP, "annotator", "file")  # that say where labels come from
_FOLDER = "folder"
_FEWEST = 20  # faces of a source with a label of the point
_LEAST = 0.01  # of the face's size
_TIMES = 5.0  # the standard error
_TO_DEVIATION = 1.4826  # from the median of absolute differences, for a normal distribution
_OF_MEDIAN = 1.2533  # times as uncertain as a mean


def shifts_of_sources(faces: Faces, predictions: Predictions) -> tuple[Shift, ...]:
    """The largest first. Each source but the largest is compared with all others."""
    residuals = upright(faces, predictions)
    away = residuals.labels - residuals.predicted
    found: list[Shift] = []
    for group, values in _sources(faces).items():
        names, counts = np.unique(values, return_counts=True)
        for name in names[np.argsort(-counts)][1:]:
            own = values == name
            for k, point in enumerate(faces.scheme.points):
                (here, error), (there, other) = _middle(away[own, k]), _middle(away[~own, k])
                by = here - there
                times = float(np.linalg.norm(by) / max(np.hypot(error, other), 1e-9))
                if np.linalg.norm(by) >= _LEAST and times >= _TIMES:
                    right, down = (round(float(value), 4) for value in by)
                    count = int((~np.isnan(away[own, k, 0])).sum())
                    shift = Shift(group, str(name), point, count, (right, down), round(times, 1))
                    found.append(shift)
    return tuple(sorted(found, key=lambda shift: -float(np.linalg.norm(shift.by))))


def _sources(faces: Faces) -> dict[str, np.ndarray]:
    """Each group's values; the images' folders if no group says where labels come from."""
    known = {name: faces.group(name) for name in _GROUPS if name in faces.groups}
    paths = [image for image in faces.images if isinstance(image, Path)]
    if not known and len(paths) == len(faces):
        known = {_FOLDER: np.array([path.parent.name for path in paths], dtype=object)}
    return known


def _middle(away: Float64[np.ndarray, "n 2"]) -> tuple[Float64[np.ndarray, " 2"], float]:
    """The median difference and its standard error; NaN of too few."""
    there = away[~np.isnan(away[:, 0])]
    if len(there) < _FEWEST:
        return np.full(2, np.nan), np.nan
    middle = np.median(there, axis=0)
    deviation = _TO_DEVIATION * np.median(np.abs(there - middle), axis=0)
    return middle, float(_OF_MEDIAN * np.linalg.norm(deviation) / np.sqrt(len(there)))
