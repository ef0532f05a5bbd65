"""Keras networks: build, load, run in float32 under any backend, look inside, export."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from nasion.array_types import Float32
from nasion.arrays import Array, as_numpy
from nasion.errors import RunError, SettingError
from nasion.inference import run_folder
from nasion.model_spec import ModelSpec
from nasion.models.keras_backend import backend, keras
from nasion.models.precision import keras_uses_bfloat16
from nasion.recipe import Recipe


@dataclass(frozen=True, eq=False)
class KerasNetwork:
    """A float32 model, whatever it was trained in: on a CPU, the same under every backend."""

    model: Any
    spec: ModelSpec

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B outputs"]:
        return np.asarray(self.model.predict_on_batch(channels_last(images)), dtype=np.float32)

    def in_float32(self) -> KerasNetwork:
        return self

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        kernel = keras().ops.convert_to_numpy(self._first_convolution().kernel)
        # Keras: height, width, input, output; here as in PyTorch: output, input, height, width.
        return np.transpose(kernel, (3, 2, 0, 1))

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        first = keras().Model(self.model.input, self._first_convolution().output)
        return np.moveaxis(first.predict_on_batch(channels_last(images)), -1, 1)

    def export(self, path: Path) -> None:
        """Write ``.keras`` with (B, H, W, C) input, of built-in layers only, or ``.onnx`` (NCHW).

        As ``export.py`` describes.
        """
        if path.suffix == ".onnx" and backend() == "jax":
            raise SettingError(
                "Keras writes no ONNX under JAX; "
                "export the same run under KERAS_BACKEND=tensorflow or torch."
            )
        with keras_settings(), warnings.catch_warnings():
            model = self.in_pixels(channels_first=path.suffix == ".onnx")
            if path.suffix == ".keras":
                model.save(path)
                return
            # Keras exports only what has been called.
            model.predict_on_batch(np.zeros((1, *model.input.shape[1:]), np.float32))
            warnings.simplefilter("ignore")  # of the tracers, about things that do not change here
            model.export(path, format="onnx", verbose=False)

    def in_pixels(self, channels_first: bool = False) -> Any:
        """The model from pixel values 0 .. 255 to (K, 2) points in pixels of its input."""
        spec, layers = self.spec, keras().layers
        (width, height), (low, high) = spec.input_size, spec.pixel_range
        count = self.model.output.shape[1]
        # Decoding is linear, so its values at 0 and 1 describe it.
        zero, one = (
            spec.codec.decode(np.full((1, count), value), spec.input_size)[0]
            for value in (0.0, 1.0)
        )
        first, last = (spec.channels, height, width), (height, width, spec.channels)
        x = images = keras().Input(first if channels_first else last, name="images")
        if channels_first:
            x = layers.Permute((2, 3, 1))(x)
        x = self.model(layers.Rescaling((high - low) / 255, offset=low)(x))
        # A dense layer: what Rescaling does with a scale per axis depends on the reader's settings.
        to_pixels = layers.Dense(count, name="to_pixels")
        points = layers.Reshape(zero.shape, name="points")(to_pixels(x))
        model = keras().Model(images, points)
        # points = zero + x * (one - zero), each output by itself.
        to_pixels.set_weights([np.diag((one - zero).reshape(-1)), zero.reshape(-1)])
        return model

    def _first_convolution(self) -> Any:
        kind = keras().layers.Conv2D
        first = next((layer for layer in self.model.layers if isinstance(layer, kind)), None)
        if first is None:
            raise RunError("This network has no convolution, so it has no filters to show.")
        return first


def channels_last(images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B H W C"]:
    """Images in Keras' order of axes."""
    return np.ascontiguousarray(np.moveaxis(as_numpy(images), 1, -1))


@contextmanager
def keras_settings(policy: str = "float32") -> Iterator[None]:
    """Keras' global settings as networks here need them, and the caller's again afterwards."""
    config = keras().config
    before = config.dtype_policy(), config.floatx(), config.image_data_format()
    _apply(policy, "float32", "channels_last")
    try:
        yield
    finally:
        _apply(*before)


def _apply(policy: Any, floatx: str, image_data_format: str) -> None:
    config = keras().config
    config.set_dtype_policy(policy)
    config.set_floatx(floatx)
    config.set_image_data_format(image_data_format)


def build_model(recipe: Recipe, policy: str = "float32") -> Any:
    """A new model that computes by this Keras policy, as ``mixed_bfloat16``."""
    with keras_settings(policy):
        return recipe.build_network()


def training_policy(recipe: Recipe) -> str:
    """The Keras policy that the recipe's precision means on this machine."""
    in_bfloat16 = keras_uses_bfloat16(recipe.precision, backend())
    return "mixed_bfloat16" if in_bfloat16 else "float32"


def load(folder: Path, recipe: Recipe, device: str | None = None) -> KerasNetwork:
    """A run's kept weights. Raises ``RunError`` if there are none or they do not fit."""
    path = folder / run_folder.KERAS_WEIGHTS
    if not path.is_file():
        raise run_folder.missing_weights(path)
    model = build_model(recipe)
    try:
        # Keras reads in the archive without comparing its checksums.
        with ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} in it is damaged")
        model.load_weights(path)
    except Exception as error:  # zipfile, h5py and Keras have errors of their own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(
            f"{path} is damaged, or does not fit the recipe in {run_folder.SETTINGS} ({reason})."
        ) from error
    for weight in model.weights:
        if not np.isfinite(keras().ops.convert_to_numpy(weight)).all():
            raise RunError(f"{path}: {weight.path} holds NaN or infinity; train again.")
    return KerasNetwork(model, recipe.spec)
