"""Which split of a dataset a model is judged on, where nobody says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasion.data import datasets
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.evaluation.evaluate import WARN_FRACTION
from nasion.inference.predictor import Predictor
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

_LOOKED_AT = 200  # faces, evenly spaced: fingerprints of all images would take long


def default_split(
    model: Predictor, path: str | Path, scheme: Scheme | None, reading: LabelReading
) -> str:
    """``all``, if the model has seen none of the faces; else ``val``.

    It is ``val`` too for datasets with splits of their own, and where it cannot be told whether the
    model has seen the faces. ``scheme`` and ``reading``: as in ``load_faces``.
    """
    module = datasets.module_at(path, reading.dataset)
    if model.trained_on is None or datasets.splits_of(module, path) != ("all",):
        return "val"
    faces = load_faces(None, path, scheme=scheme, whole_images=model.spec.whole, reading=reading)
    chosen = np.unique(np.linspace(0, len(faces) - 1, min(len(faces), _LOOKED_AT)).astype(int))
    some = faces[chosen]
    if not _has_images(some):
        return "val"
    return "val" if model.trained_on.seen(some).mean() > WARN_FRACTION else "all"


def _has_images(faces: Faces) -> bool:
    return all(not isinstance(image, Path) or image.is_file() for image in faces.images)
