"""A trained network as one file that needs no nasion: ONNX, or Keras' own format.

Both take crops of faces as pixel values 0 .. 255 and output points in pixels of the crop, pixel
centres at integers. A file is kept only after it was compared with the run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

import nasion
from nasion.array_types import Float32
from nasion.arrays import as_numpy
from nasion.errors import MissingExtra, RunError, SettingError, reason_of
from nasion.inference import quantize, run_folder
from nasion.inference.backends.onnx import FORMAT, open_file
from nasion.inference.crops import crop_faces
from nasion.inference.predictor import Predictor, load_model
from nasion.inference.recipe_json import to_json
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme_file import definition
from nasion.media.files import move_into_place
from nasion.media.temporary_files import temporary_folder
from nasion.models.keras_backend import keras

MAX_DIFFERENCE = 0.05  # pixels of the input, between the file and the run in float32
MAX_SIGMA_DIFFERENCE = 0.05  # of the expected error that the run says
Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_CALIBRATION_FACES = 256  # about as many, for the value ranges of 8-bit layers
_TEST_IMAGES = 32  # that file and run are compared on
_FACE_HEAD = "face_head."  # how the names of its weights begin


def export_model(
    model: Predictor,
    path: Path,
    precision: Precision = "float32",
    faces: Faces | None = None,
    licence: str = "not stated",
) -> float:
    """Write ``.onnx`` (NCHW) or ``.keras`` (NHWC, Keras networks only).

    Returns the largest difference to the run's network in float32 on 32 images, in pixels of the
    input. ``precision``: of an ONNX file's weights; ``int8`` also computes convolutions in 8 bits,
    with ranges from ``faces``, keeps the face head in float16, and is compared before it is
    quantized: evaluate it on faces. Raises
    ``SettingError`` for another suffix, and ``RunError`` if the difference exceeds
    ``MAX_DIFFERENCE``, or that of expected errors ``MAX_SIGMA_DIFFERENCE``; then no file is left.
    """
    _check(model, path, precision, faces)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the finished file can be renamed to it.
    with temporary_folder(path.parent) as folder:
        temporary = folder / f"model{path.suffix}"
        try:
            model.network.export(temporary)
            if path.suffix == ".onnx":
                _write_metadata(temporary, metadata(model, licence))
            if precision == "float16":
                quantize.to_float16(temporary)
            difference = _checked_difference(model, temporary, path)
        except ImportError as error:
            raise MissingExtra(f"Writing {path.suffix} files", error, "export") from error
        if precision == "int8" and faces is not None:
            # Evenly from all faces: datasets are often sorted by subset or person.
            some = faces[:: max(1, len(faces) // _CALIBRATION_FACES)].to(model.spec.scheme)
            images = crop_faces(some, model.spec).images.astype(np.float32)
            quantize.to_int8(temporary, images)
            # 8 bits move chances by up to 0.006, float16 by 0.0006.
            quantize.to_float16(temporary, only=_FACE_HEAD)
        move_into_place(temporary, path)
    return difference


def with_calibration_of(model: Predictor, run: Path, other: Path) -> Predictor:
    """The model of ``run`` with the calibration of another run of the same network and spec.

    For a run that trained on all faces: the other run held faces out.
    """
    recipes = [run_folder.read_recipe(folder) for folder in (run, other)]
    known = load_model(other).calibration
    same = recipes[0].spec == recipes[1].spec
    same = same and recipes[0].architecture == recipes[1].architecture
    if known is None or not same:
        raise SettingError(
            f"Scores are taken from a run of the same network and points that held faces out; "
            f"{other} is another network, or has no scores."
        )
    return replace(model, calibration=known)


def metadata(model: Predictor, licence: str) -> dict[str, str]:
    """What an ONNX file says about itself: all that is needed to use it."""
    spec, record = model.spec, model.trained_on
    width, height = spec.input_size
    values = {
        "producer": f"nasion {nasion.__version__}",
        "nasion_format": FORMAT,
        "licence": licence,
        "data": record.data if record else "not stated",
        "codec": str(spec.codec),
        "scheme": spec.scheme.name,
        "points": json.dumps(spec.scheme.points),
        "input": f"images: float32 (faces, {spec.channels}, {height}, {width}), "
        f"{'RGB' if spec.colour else 'grey'} values 0 to 255",
        "output": f"points: float32 (faces, {len(spec.scheme)}, 2), "
        "x and y in pixels of the input, pixel centres at integers",
        "box_scale": str(spec.box_scale),
        "square": str(spec.square),
        "whole_images": str(spec.whole_images),
        "tight_boxes": str(spec.tight_boxes),
        "refine_steps": str(spec.refine_steps),
        "tta": model.tta_mode,
    }
    if any(spec.box_shift):
        values["box_shift"] = json.dumps(spec.box_shift)
    if spec.face_margins:
        values["face_margins"] = json.dumps(spec.face_margins)
    if spec.detected_boxes:
        values["detected_boxes"] = "True"
    # For training further; an architecture of a recipe file cannot be named here.
    architecture = getattr(model.network, "architecture", None)
    if type(architecture).__module__.startswith("nasion."):
        network = {"spec": to_json(spec), "architecture": to_json(architecture)}
        values["network"] = json.dumps(network)
    own = definition(spec.scheme)
    if own is not None:
        values["scheme_definition"] = json.dumps(own)
    if spec.codec.predicts_sigma:
        values["sigma"] = "sigma: float32 (faces, points), error scale in pixels of the input"
    if model.calibration:
        values["calibration"] = json.dumps(asdict(model.calibration))
    if record:
        values["trained_on"] = json.dumps(record.to_json())
    return values


def _check(model: Predictor, path: Path, precision: Precision, faces: Faces | None) -> None:
    if path.suffix not in (".onnx", ".keras"):
        raise SettingError(f"{path}: a file name ending in .onnx or .keras expected.")
    if precision != "float32" and path.suffix != ".onnx":
        raise SettingError(f"{path}: only .onnx files can have {precision} weights.")
    if precision == "int8" and faces is None:
        raise SettingError("int8 needs faces to find value ranges on; name a dataset (--data DIR).")
    if path.suffix == ".keras" and not hasattr(model.network, "in_pixels"):
        raise SettingError(
            f"{path}: only Keras networks have that format; this one is not. "
            "Name a file ending in .onnx."
        )
    if path.is_dir():
        raise SettingError(f"{path} is a folder; name a file in it.")


def _write_metadata(path: Path, values: dict[str, str]) -> None:
    """Write what nasion needs to know about the file, and remove what exporters leave in it.

    torch notes at each node the lines of Python it came from, with this machine's paths.
    """
    import onnx

    model = onnx.load(path)
    graph = model.graph
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for function in model.functions:
        for node in function.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
    onnx.helper.set_model_props(model, values)
    onnx.save(model, path)


def _checked_difference(model: Predictor, file: Path, path: Path) -> float:
    """The largest difference between the file and the run, in pixels of the input.

    ``path``: what the file will be called. Raises ``RunError`` if they differ too much.
    """
    spec, images = model.spec, _smooth_noise(model)
    low, high = spec.pixel_range
    # The run takes its own pixel range, the file 0 .. 255.
    scaled = images * np.float32((high - low) / 255) + np.float32(low)
    # In float32: a run in bfloat16 differs by its own rounding, which is not the file's fault.
    output = model.network.in_float32()(scaled)
    points = as_numpy(spec.codec.decode(output, spec.input_size))[:, : len(spec.scheme)]
    found, found_sigma = _run_file(file, path, images)
    difference = float(np.abs(found - points).max())
    # Written as "not <=": NaN is refused too.
    if not difference <= MAX_DIFFERENCE:
        raise RunError(
            f"The exported network differs from the run by {difference:.3g} pixels; "
            f"{MAX_DIFFERENCE} are allowed. {path} was not written."
        )
    sigma = spec.codec.sigma(output, spec.input_size)
    if sigma is not None and found_sigma is not None:
        expected = as_numpy(sigma)[:, : len(spec.scheme)]
        part = float(np.abs(found_sigma / expected - 1).max())
        if not part <= MAX_SIGMA_DIFFERENCE:
            raise RunError(
                f"The errors that the exported network expects differ from the run's by {part:.1%};"
                f" {MAX_SIGMA_DIFFERENCE:.0%} are allowed. {path} was not written."
            )
    return difference


def _smooth_noise(model: Predictor) -> Float32[np.ndarray, "B C H W"]:
    """Random clouds: smooth enough to be like photographs, and each different."""
    width, height = model.spec.input_size
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (_TEST_IMAGES, model.spec.channels, 8, 8))
    # Bilinear interpolation from 8 x 8 random knots: each row of `rows` and `columns` holds the
    # weights of a pixel's two nearest knots.
    knots = np.arange(8)
    rows, columns = (
        np.maximum(1 - np.abs(knots - np.linspace(0, 7, side)[:, None]), 0)
        for side in (height, width)
    )
    fine = np.einsum("hr,wc,bkrc->bkhw", rows, columns, coarse, optimize=True)
    return fine.astype(np.float32)


def _run_file(
    file: Path, path: Path, images: Float32[np.ndarray, "B C H W"]
) -> tuple[Float32[np.ndarray, "B K 2"], Float32[np.ndarray, "B K"] | None]:
    """The file's points and sigmas, as users will read them."""
    if file.suffix == ".keras":
        model: Any = keras().saving.load_model(file)
        return model.predict_on_batch(np.moveaxis(images, 1, -1)), None
    exported = open_file(file)
    codec, size = exported.spec.codec, exported.spec.input_size
    try:
        output = exported.network(images)
    except Exception as error:  # ONNX Runtime's error classes are not public
        raise RunError(
            f"ONNX Runtime cannot run the exported network on {len(images)} faces "
            f"({reason_of(error).splitlines()[0][:200]}). {path} was not written; an "
            "operation of the network or of its codec cannot be exported: choose others, or other "
            "versions of the packages (pip install -U 'nasion[export]')."
        ) from error
    return codec.decode(output, size), codec.sigma(output, size)
