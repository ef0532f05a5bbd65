"""Keras networks: built and loaded, run in float32 under any backend, looked into, exported."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from nasion import run
from nasion.arrays import Array, as_numpy
from nasion.errors import RunError, SettingError
from nasion.keras_backend import backend, computes_in_bfloat16, keras
from nasion.recipe import Recipe


@dataclass(frozen=True, eq=False)
class KerasNetwork:
    """A float32 model, whatever it was trained in: so that on a CPU it says the same under every backend."""

    model: Any
    recipe: Recipe

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B outputs"]:
        return np.asarray(self.model.predict_on_batch(channels_last(images)), dtype=np.float32)

    def in_float32(self) -> KerasNetwork:
        return self

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        kernel = keras().ops.convert_to_numpy(self._first_layer().kernel)
        return np.transpose(kernel, (3, 2, 0, 1))

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        first = keras().Model(self.model.input, self._first_layer().output)
        return np.moveaxis(first.predict_on_batch(channels_last(images)), -1, 1)

    def export(self, path: Path) -> None:
        """``.keras``: from (B, H, W, C), of built-in layers only; ``.onnx``: from (B, C, H, W). Both as ``export.py`` says."""
        if path.suffix == ".onnx" and backend() == "jax":
            raise SettingError("Keras writes no ONNX under JAX; the same run does it under KERAS_BACKEND=tensorflow or torch.")
        with settings(), warnings.catch_warnings():
            model = self.in_pixels(channels_first=path.suffix == ".onnx")
            if path.suffix == ".keras":
                model.save(path)
                return
            model.predict_on_batch(np.zeros((1, *model.input.shape[1:]), np.float32))  # Keras exports only what has been called
            warnings.simplefilter("ignore")  # of the tracers, about things that do not change here
            model.export(path, format="onnx", verbose=False)

    def in_pixels(self, channels_first: bool = False) -> Any:
        """The model from pixel values 0 .. 255 to (K, 2) points in pixels of its input."""
        recipe, layers = self.recipe, keras().layers
        (width, height), (low, high) = recipe.input_size, recipe.pixel_range
        channels = 3 if recipe.colour else 1
        count = self.model.output.shape[1]
        zero, one = (recipe.codec.decode(np.full((1, count), value), recipe.input_size)[0] for value in (0.0, 1.0))
        x = images = keras().Input((channels, height, width) if channels_first else (height, width, channels), name="pictures")
        if channels_first:
            x = layers.Permute((2, 3, 1))(x)
        x = self.model(layers.Rescaling((high - low) / 255, offset=low)(x))
        # A dense layer, since what Rescaling does with a scale per axis depends on the reader's image_data_format.
        to_pixels = layers.Dense(count, name="to_pixels")
        model = keras().Model(images, layers.Reshape(zero.shape, name="points")(to_pixels(x)))
        to_pixels.set_weights([np.diag((one - zero).reshape(-1)), zero.reshape(-1)])
        return model

    def _first_layer(self) -> Any:
        found = next((layer for layer in self.model.layers if isinstance(layer, keras().layers.Conv2D)), None)
        if found is None:
            raise RunError("This network has no convolution, so it has no filters to look at.")
        return found


def channels_last(images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B H W C"]:
    """Pictures in the order of axes that Keras has."""
    return np.ascontiguousarray(np.moveaxis(as_numpy(images), 1, -1))


@contextmanager
def settings(policy: str = "float32") -> Iterator[None]:
    """Keras' global settings as networks here need them, whatever the caller has, and the caller's again afterwards."""
    config = keras().config
    before = config.dtype_policy(), config.floatx(), config.image_data_format()
    _set(policy, "float32", "channels_last")
    try:
        yield
    finally:
        _set(*before)


def _set(policy: Any, floatx: str, image_data_format: str) -> None:
    config = keras().config
    config.set_dtype_policy(policy)
    config.set_floatx(floatx)
    config.set_image_data_format(image_data_format)


def built(recipe: Recipe, policy: str = "float32") -> Any:
    """A fresh model that computes by this Keras policy, as ``mixed_bfloat16``."""
    with settings(policy):
        return recipe.network()


def policy(recipe: Recipe) -> str:
    """The Keras policy that the recipe's precision means on this machine."""
    in_bfloat16 = computes_in_bfloat16() if recipe.precision == "auto" else recipe.precision == "bfloat16"
    return "mixed_bfloat16" if in_bfloat16 else "float32"


def load(folder: Path, recipe: Recipe, device: str | None = None) -> KerasNetwork:
    """The best weights of a run. Raises ``RunError`` when there are none, or they do not fit."""
    path = folder / run.KERAS_WEIGHTS
    if not path.is_file():
        raise RunError(f"{path} is not there: the run has not saved anything yet.")
    model = built(recipe)
    try:
        model.load_weights(path)
    except Exception as error:  # zipfile, h5py and Keras each have errors of their own
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"{path} is damaged, or does not fit the recipe in {run.SETTINGS} ({why}).") from error
    return KerasNetwork(model, recipe)
