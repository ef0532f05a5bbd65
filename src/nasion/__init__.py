"""Train, judge and run facial keypoint detectors from whatever labels there are.

What is named here is public; importing it costs no torch until something that needs it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasion.errors import DataError, NasionError, RunError, SettingError
    from nasion.evaluation import evaluate
    from nasion.experiment import train
    from nasion.faces import Faces, Predictions, join
    from nasion.landmarker import Face, Landmarker
    from nasion.load import load_faces
    from nasion.predict import Model, load_model
    from nasion.scheme import Scheme
    from nasion.schemes import scheme_named

__version__ = "0.1.0"

_HOMES = {
    "Scheme": "scheme",
    "scheme_named": "schemes",
    "Faces": "faces",
    "Predictions": "faces",
    "join": "faces",
    "Landmarker": "landmarker",
    "Face": "landmarker",
    "load_faces": "load",
    "train": "experiment",
    "evaluate": "evaluation",
    "load_model": "predict",
    "Model": "predict",
    "NasionError": "errors",
    "DataError": "errors",
    "SettingError": "errors",
    "RunError": "errors",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nasion' has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"nasion.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
