"""Train, evaluate and run facial landmark models from whatever labels there are.

What is named here is public. Importing it loads no framework until something that needs one is
used.
"""

from __future__ import annotations

from importlib import import_module

# Not from typing: with `python -m nasion` the working folder is still first on the path here, and
# may hold a file of that name. Type checkers know the variable by its name.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from nasion.audit.audit import audit_labels
    from nasion.cross_validation import CrossValidationResult, cross_validate
    from nasion.data.label_reading import LabelReading
    from nasion.data.load import load_faces
    from nasion.data.suspects import Audit, Suspect, read_audit
    from nasion.errors import DataError, NasionError, RunError, SettingError
    from nasion.evaluation.evaluate import EvaluationResult, evaluate
    from nasion.inference.landmarker import Landmarker
    from nasion.inference.predictor import Predictor, load_model
    from nasion.landmarks.aligned_crops import AlignedCrop, aligned_crop
    from nasion.landmarks.blinks import Blink, find_blinks
    from nasion.landmarks.catalog import scheme_named
    from nasion.landmarks.eyes_and_mouth import FaceMeasures, MeasuredFaces
    from nasion.landmarks.face import Face
    from nasion.landmarks.faces import Faces, Predictions, join
    from nasion.landmarks.head_pose import HeadPose, HeadPoses
    from nasion.landmarks.measures import head_poses, measure_faces
    from nasion.landmarks.scheme import Scheme
    from nasion.media.video import Frame
    from nasion.model_spec import ModelSpec
    from nasion.recipe import Recipe
    from nasion.training.train import TrainingResult, train

__version__ = "0.2.0"
__all__ = [
    "AlignedCrop",
    "Audit",
    "Blink",
    "CrossValidationResult",
    "DataError",
    "EvaluationResult",
    "Face",
    "FaceMeasures",
    "Faces",
    "Frame",
    "HeadPose",
    "HeadPoses",
    "LabelReading",
    "Landmarker",
    "MeasuredFaces",
    "ModelSpec",
    "NasionError",
    "Predictions",
    "Predictor",
    "Recipe",
    "RunError",
    "Scheme",
    "SettingError",
    "Suspect",
    "TrainingResult",
    "__version__",
    "aligned_crop",
    "audit_labels",
    "cross_validate",
    "evaluate",
    "find_blinks",
    "head_poses",
    "join",
    "load_faces",
    "load_model",
    "measure_faces",
    "read_audit",
    "scheme_named",
    "train",
]

# Where each public name is defined; imported at its first use (PEP 562).
_MODULES = {
    "AlignedCrop": "landmarks.aligned_crops",
    "Audit": "data.suspects",
    "Blink": "landmarks.blinks",
    "CrossValidationResult": "cross_validation",
    "DataError": "errors",
    "EvaluationResult": "evaluation.evaluate",
    "Face": "landmarks.face",
    "FaceMeasures": "landmarks.eyes_and_mouth",
    "Faces": "landmarks.faces",
    "Frame": "media.video",
    "HeadPose": "landmarks.head_pose",
    "HeadPoses": "landmarks.head_pose",
    "LabelReading": "data.label_reading",
    "Landmarker": "inference.landmarker",
    "MeasuredFaces": "landmarks.eyes_and_mouth",
    "ModelSpec": "model_spec",
    "NasionError": "errors",
    "Predictions": "landmarks.faces",
    "Predictor": "inference.predictor",
    "Recipe": "recipe",
    "RunError": "errors",
    "Scheme": "landmarks.scheme",
    "SettingError": "errors",
    "Suspect": "data.suspects",
    "TrainingResult": "training.train",
    "aligned_crop": "landmarks.aligned_crops",
    "audit_labels": "audit.audit",
    "cross_validate": "cross_validation",
    "evaluate": "evaluation.evaluate",
    "find_blinks": "landmarks.blinks",
    "head_poses": "landmarks.measures",
    "join": "landmarks.faces",
    "load_faces": "data.load",
    "load_model": "inference.predictor",
    "measure_faces": "landmarks.measures",
    "read_audit": "data.suspects",
    "scheme_named": "landmarks.catalog",
    "train": "training.train",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'nasion' has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"nasion.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
