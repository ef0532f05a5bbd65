"""A trained network as one file that needs no nasion: ONNX, or Keras' own format; checked against the run before it is kept.

Both take pictures of the face's box as pixel values 0 .. 255 and give points in pixels of that picture, centres at integers.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32

import nasion
from nasion import shrink
from nasion.arrays import as_numpy
from nasion.batches import canvases
from nasion.codecs import tells_spread
from nasion.errors import MissingExtra, RunError, SettingError
from nasion.faces import Faces
from nasion.files import put
from nasion.keras_backend import keras
from nasion.networks.onnx import FORMAT
from nasion.predict import Model

ALLOWED = 0.05  # pixels
Numbers = Literal["float32", "float16", "int8"]
NUMBERS: tuple[Numbers, ...] = get_args(Numbers)
_CALIBRATED_ON = 256  # faces


def export(model: Model, path: Path, numbers: Numbers = "float32", faces: Faces | None = None, licence: str = "not stated") -> float:
    """Write ``.onnx`` (NCHW) or ``.keras`` (NHWC, Keras networks only); how far it is from the run's network in float32.

    That is the largest difference on 32 pictures, in pixels of the input. ``numbers``: what the weights of an ONNX file are kept in;
    ``int8`` also computes in it, with ranges from ``faces``, and is checked before it is shrunk: judge it on faces. Raises
    ``SettingError`` for another ending, ``RunError`` where the difference is more than ``ALLOWED``: then no file is left.
    """
    if numbers != "float32" and path.suffix != ".onnx":
        raise SettingError(f"{path}: only .onnx files are kept in {numbers}.")
    if numbers == "int8" and faces is None:
        raise SettingError("int8 needs faces to find the ranges of values on; name the data set (--data DIR).")
    if path.suffix not in (".onnx", ".keras"):
        raise SettingError(f"{path}: a file name ending in .onnx or .keras expected.")
    if path.suffix == ".keras" and model.recipe.framework != "keras":
        raise SettingError(f"{path}: only networks made with Keras have that format; this one is PyTorch's. Name a file ending in .onnx.")
    if path.is_dir():
        raise SettingError(f"{path} is a folder; name a file in it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        beside = Path(folder) / f"model{path.suffix}"
        try:
            model.network.export(beside)
            if path.suffix == ".onnx":
                _described(beside, model, licence)
            pictures = _pictures(model)
            low, high = model.recipe.pixel_range
            # A run in bfloat16 differs from the file by its own rounding, which is not the file's fault.
            said = model.network.in_float32()(pictures * np.float32((high - low) / 255) + np.float32(low))
            expected = as_numpy(model.recipe.codec.decode(said, model.recipe.input_size))[:, : len(model.recipe.scheme)]
            if numbers == "float16":
                shrink.to_float16(beside)
            difference = float(np.abs(_answers(beside, pictures) - expected).max())
        except ImportError as error:
            raise MissingExtra(f"Writing {path.suffix} files", error, "export") from error
        if not difference <= ALLOWED:
            raise RunError(f"The exported network differs from the run by {difference:.3g} pixels; {ALLOWED} are allowed. {path} was not written.")
        if numbers == "int8" and faces is not None:
            some = faces[:: max(1, len(faces) // _CALIBRATED_ON)].to(model.recipe.scheme)
            shrink.to_int8(beside, canvases(some, model.recipe).images.astype(np.float32))
        put(beside, path)
    return difference


def described(model: Model, licence: str) -> dict[str, str]:
    """What an ONNX file says of itself: all that is needed to use it."""
    recipe = model.recipe
    width, height = recipe.input_size
    told = tells_spread(recipe.codec)
    return {
        "producer": f"nasion {nasion.__version__}",
        "nasion_format": FORMAT,
        "licence": licence,
        "data": recipe.data,
        "codec": str(recipe.codec),
        "scheme": recipe.scheme.name,
        "points": json.dumps(recipe.scheme.points),
        "input": f"pictures: float32 (faces, {3 if recipe.colour else 1}, {height}, {width}), "
        + ("red green blue" if recipe.colour else "grey")
        + " values 0 to 255",
        "output": f"points: float32 (faces, {len(recipe.scheme)}, 2), x and y in pixels of the input, pixel centres at integers",
        "box_scale": str(recipe.box_scale),
        "square": str(recipe.square),
        "passes": str(recipe.passes),
        "views": model.views,
        "hold_out": str(recipe.hold_out),
        **({"spread": "spread: float32 (faces, points), how far off each may be, in pixels of the input"} if told else {}),
        **({"calibration": json.dumps(asdict(model.calibration))} if model.calibration else {}),
    }


def _described(path: Path, model: Model, licence: str) -> None:
    import onnx

    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, described(model, licence))
    onnx.save(graph, path)


def _pictures(model: Model, count: int = 32) -> Float32[np.ndarray, "B C H W"]:
    """Clouds of grey: smooth enough to be like pictures, and each different."""
    width, height = model.recipe.input_size
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 3 if model.recipe.colour else 1, 8, 8))
    rows, columns = (np.abs(np.arange(8) - np.linspace(0, 7, side)[:, None]) for side in (height, width))
    weights = [np.maximum(1 - far, 0) for far in (rows, columns)]
    return np.einsum("hr,wc,bkrc->bkhw", *weights, coarse, optimize=True).astype(np.float32)


def _answers(path: Path, pictures: Float32[np.ndarray, "B C H W"]) -> Float32[np.ndarray, "B K 2"]:
    """What the file alone says, read by what will read it."""
    if path.suffix == ".onnx":
        import onnxruntime

        session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: pictures})[0]
    return keras().saving.load_model(path).predict_on_batch(np.moveaxis(pictures, 1, -1))
