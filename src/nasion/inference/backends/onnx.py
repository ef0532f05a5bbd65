"""Exported networks: an ONNX file without the framework that trained it, run by ONNX Runtime.

On one core, since crops are small. What the file's metadata holds is described in ``export.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nasion
from nasion.array_types import Float32
from nasion.arrays import Array, as_numpy
from nasion.errors import RunError, refusing_damage, requires_extra
from nasion.inference import calibration
from nasion.inference.backends import Chances
from nasion.inference.calibration import Calibration
from nasion.inference.training_record import TrainingRecord
from nasion.landmarks.catalog import scheme_of_points
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import from_document
from nasion.media.counted import counted
from nasion.media.json_document import Document, parse_document
from nasion.media.number_text import parse_number, parse_whole
from nasion.model_spec import ModelSpec
from nasion.models.codecs import Coordinates

FORMAT = "2"
_BOOLEANS = {"True": True, "False": False}
_REMEDY = "export the run again."
# What files of format 1 (nasion 0.1) call the settings that have other names today.
_RENAMED = {"1": {"refine_steps": "passes", "tta": "views"}, "2": {}}


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """Pixel values 0 .. 255 in; x, y and log sigma of each point out, in pixels of the input.

    ``file``: what the session is of. A pickled network is this file, opened again where it is
    unpickled; each process has one session for it.
    """

    session: Any
    input_name: str
    file: Path

    def __reduce__(self) -> tuple[Any, ...]:
        file = self.file.absolute()
        return _unpickled, (str(file), _stamp(file))

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B ..."]:
        return self.with_chances(images)[0]

    def with_chances(
        self, images: Float32[Array, "B C H W"]
    ) -> tuple[Float32[np.ndarray, "B ..."], Chances | None]:
        """The output, and the chances that the face head predicts; None without one."""
        points, *more = self.session.run(None, {self.input_name: as_numpy(images)})
        if not more:
            return points.reshape(len(points), -1), None
        # What `Coordinates` with a scale makes of a network's row. Not the row itself: its scale
        # would be clipped to the range of a learnt one, but this one is in pixels already.
        log_sigma = np.log(np.maximum(more[0], 1e-6))[..., None]
        active = np.concatenate([points, log_sigma], -1)
        return active, Chances(more[1], more[2]) if len(more) > 1 else None

    def in_float32(self) -> OnnxNetwork:
        return self

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        raise RunError("An exported network has no layers to inspect; inspect the run it is from.")

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        raise RunError("An exported network has no layers to inspect; inspect the run it is from.")

    def export(self, path: Path) -> None:
        raise RunError("This network is an exported file already.")


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """What an exported file holds."""

    spec: ModelSpec
    network: OnnxNetwork
    calibration: Calibration | None
    trained_on: TrainingRecord | None


def open_session(path: Path, threads: int = 1) -> Any:
    """An ONNX Runtime session. Raises ``RunError`` for an unreadable file."""
    if not path.is_file():
        raise RunError(f"{path}: no such file.")
    with requires_extra("Exported networks", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its error classes are not public
        reason = str(error).splitlines()[0][:200]
        raise RunError(f"{path} is not a network that ONNX Runtime can read ({reason}).") from error


def _stamp(path: Path) -> tuple[int, int]:
    """What tells that a file is not the one that it was: its size and time."""
    try:
        status = path.stat()
    except OSError as error:
        raise RunError(f"{path}: the network's file is gone; it is needed here too.") from error
    return status.st_size, status.st_mtime_ns


@cache
def _unpickled(file: str, stamp: tuple[int, int]) -> OnnxNetwork:
    path = Path(file)
    if _stamp(path) != stamp:
        raise RunError(f"{path} has changed since its network was pickled; open it again.")
    session = open_session(path)
    return OnnxNetwork(session, session.get_inputs()[0].name, path)


def open_file(path: Path) -> ExportedModel:
    """Open a file that ``nasion export`` wrote. Raises ``RunError`` for any other."""
    # The runtime reads text of the file again whenever it is asked for it.
    with refusing_damage(path, RunError, _REMEDY):
        return _open_file(path)


def metadata_of(path: Path) -> dict[str, str]:
    """What a file says about itself. Raises ``RunError`` for an unreadable file."""
    with refusing_damage(path, RunError, _REMEDY):
        return open_session(path).get_modelmeta().custom_metadata_map


def _open_file(path: Path) -> ExportedModel:
    session = open_session(path)
    metadata = session.get_modelmeta().custom_metadata_map
    version = metadata.get("nasion_format")
    if version not in _RENAMED:
        producer = metadata.get("producer", "another program")
        raise RunError(
            f"{path} was written by {producer}, not in a format that nasion {nasion.__version__} "
            "reads; export the run again."
        )
    values, record = (_document(path, metadata, name) for name in ("calibration", "trained_on"))
    return ExportedModel(
        spec=_spec(session, path, metadata, _RENAMED[version]),
        network=OnnxNetwork(session, session.get_inputs()[0].name, path),
        calibration=None if values.value is None else calibration.from_json(values),
        trained_on=None if record.value is None else TrainingRecord.from_json(record),
    )


def _document(path: Path, metadata: Mapping[str, str], name: str) -> Document:
    """A JSON value of the metadata; null if it is not there."""
    place = f"{path} metadata {name}"
    return parse_document(metadata.get(name, "null"), place, kind=RunError, remedy=_REMEDY)


def _scheme(path: Path, metadata: Mapping[str, str], points: tuple[str, ...]) -> Scheme:
    """The whole scheme, if it is none of the catalog; older files say only its points."""
    given = _document(path, metadata, "scheme_definition")
    if given.value is None:
        return scheme_of_points(metadata["scheme"], points)
    scheme = from_document(given)
    if scheme.points != points:
        raise given["points"].error(f"{len(scheme)} points, others than those of the network")
    return scheme


def _placement(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Where crops and whole faces lie beside boxes, if the file says it."""
    found: dict[str, Any] = {}
    for name, count in (("box_shift", 2), ("face_margins", 4)):
        value = _document(path, metadata, name)
        if value.value is None:
            continue
        if len(value.numbers()) != count:
            raise value.error(f"{len(value.numbers())} numbers, {count} expected")
        found[name] = tuple(value.numbers())
    return found


def _spec(
    session: Any, path: Path, metadata: Mapping[str, str], renamed: Mapping[str, str]
) -> ModelSpec:
    def value(name: str) -> str:
        return metadata[renamed.get(name, name)]

    names = _document(path, metadata, "points")
    points = tuple(name.text() for name in names.elements())
    outputs = session.get_outputs()[0].shape[1:]
    if outputs != [len(points), 2]:
        raise names.error(
            f"{counted(len(points), 'point is', 'points are')} named, the network outputs {outputs}"
        )
    _, channels, height, width = session.get_inputs()[0].shape
    try:
        return ModelSpec(
            scheme=_scheme(path, metadata, points),
            input_size=(width, height),
            # The file outputs pixels, whatever codec it was trained with.
            codec=Coordinates(unit="pixels", scale=len(session.get_outputs()) > 1),
            colour={1: False, 3: True}[channels],
            pixel_range=(0.0, 255.0),
            box_scale=parse_number(value("box_scale")),
            square=_BOOLEANS[value("square")],
            # Older files do not say.
            whole_images=_BOOLEANS[metadata.get("whole_images", "False")],
            tight_boxes=_BOOLEANS[metadata.get("tight_boxes", "False")],
            detected_boxes=_BOOLEANS[metadata.get("detected_boxes", "False")],
            refine_steps=parse_whole(value("refine_steps")),
            tta=value("tta"),  # pyright: ignore[reportArgumentType]
            **_placement(path, metadata),
        )
    # A missing key, a number that is none, or a rule of the spec that is broken.
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path}: its metadata is damaged ({error}); {_REMEDY}") from error
