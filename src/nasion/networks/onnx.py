"""Exported networks: an ONNX file alone, without the framework that it was trained with. Read by ONNX Runtime, on one core unless asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

import nasion
from nasion.arrays import Array, as_numpy
from nasion.calibration import Calibration
from nasion.codecs import Coordinates
from nasion.errors import RunError, needing
from nasion.optim import Adam
from nasion.recipe import Recipe
from nasion.scheme import Scheme
from nasion.schemes import SCHEMES, mirror_name

FORMAT = "1"


@dataclass(frozen=True)
class OnnxFile:
    """A network that is a file: nothing can be built or trained."""

    path: str
    framework = "onnx"
    stride = None

    def build(self, outputs: int, size: tuple[int, int], channels: int) -> Any:
        raise RunError(f"{self.path} is an exported network and cannot be trained; train its recipe.")


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """Pixel values 0 .. 255 in; x, y and the logarithm of the spread of each point out, in pixels of the input."""

    session: Any

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B ..."]:
        points, *spread = self.session.run(None, {"pictures": as_numpy(images)})
        if not spread:
            return points.reshape(len(points), -1)
        return np.concatenate([points, np.log(np.maximum(spread[0], 1e-6))[..., None]], -1).reshape(len(points), -1)

    def in_float32(self) -> OnnxNetwork:
        return self

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        raise RunError("An exported network has no layers to look into; look at the run that it is from.")

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        raise RunError("An exported network has no layers to look into; look at the run that it is from.")

    def export(self, path: Path) -> None:
        raise RunError("This network is an exported file already.")


def open_file(path: Path, threads: int = 1) -> tuple[Recipe, OnnxNetwork, Calibration | None]:
    """What a file that ``nasion export`` wrote holds: how faces are shown to it, the network, and how sure it may be.

    Raises ``RunError`` for a file that is none, or of another version.
    """
    if not path.is_file():
        raise RunError(f"{path} is not there.")
    with needing("Exported networks", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes of errors are not public
        raise RunError(f"{path} is no network that ONNX Runtime can read ({str(error).splitlines()[0][:200]}).") from error
    facts = session.get_modelmeta().custom_metadata_map
    if facts.get("nasion_format") != FORMAT:
        found = facts.get("producer", "another program")
        raise RunError(f"{path} was written by {found}, not in the format of nasion {nasion.__version__}; export the run again.")
    _, channels, height, width = session.get_inputs()[0].shape
    told = len(session.get_outputs()) > 1
    recipe = Recipe(
        data=facts["data"], scheme=_scheme(facts), input_size=(width, height), model=OnnxFile(str(path)), optim=Adam(), epochs=1,
        codec=Coordinates(unit="pixels", scale=told), colour=channels == 3, box_scale=float(facts["box_scale"]),
        square=facts["square"] == "True", passes=int(facts["passes"]), views=facts.get("views", "none"),
        hold_out=facts.get("hold_out") != "False", pixel_range=(0.0, 255.0),
    )  # fmt: skip
    values = json.loads(facts.get("calibration", "null"))
    return recipe, OnnxNetwork(session), values and Calibration(ratios=tuple(values["ratios"]), mean=values["mean"], points=values["points"])


def _scheme(facts: dict[str, str]) -> Scheme:
    """nasion's own scheme of that name, or one of the points that the file names."""
    points = tuple(json.loads(facts["points"]))
    own = SCHEMES.get(facts["scheme"])
    if own is not None and own.points == points:
        return own
    pairs = tuple((a, mirror_name(a)) for a in points if "left" in a.split("_") and mirror_name(a) in points)
    return Scheme(name=facts["scheme"], points=points, mirror=pairs)
