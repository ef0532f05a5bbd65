"""Keras networks: built and loaded, run in float32 under any backend, looked into, exported."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from nasion import run
from nasion.arrays import Array, as_numpy
from nasion.errors import RunError, SettingError
from nasion.keras_backend import backend, keras
from nasion.recipe import Recipe


@dataclass(frozen=True, eq=False)
class KerasNetwork:
    """A float32 model, whatever it was trained in: so that it says the same under every backend."""

    model: Any
    recipe: Recipe

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B outputs"]:
        return np.asarray(self.model.predict_on_batch(channels_last(images)), dtype=np.float32)

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        kernel = keras().ops.convert_to_numpy(self._first_layer().kernel)
        return np.transpose(kernel, (3, 2, 0, 1))

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        first = keras().Model(self.model.input, self._first_layer().output)
        return np.moveaxis(first.predict_on_batch(channels_last(images)), -1, 1)

    def export(self, path: Path) -> None:
        """``.keras``: from (B, H, W, C), of built-in layers only; ``.onnx``: from (B, C, H, W). Both as ``export.py`` says."""
        if path.suffix == ".keras":
            self.in_pixels().save(path)
            return
        if backend() == "jax":
            raise SettingError("Keras writes no ONNX under JAX; the same run does it under KERAS_BACKEND=tensorflow or torch.")
        model = self.in_pixels(channels_first=True)
        model.predict_on_batch(np.zeros((1, *model.input.shape[1:]), np.float32))  # Keras exports only what has been called
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracers, about things that do not change here
            model.export(path, format="onnx", verbose=False)

    def in_pixels(self, channels_first: bool = False) -> Any:
        """The model from pixel values 0 .. 255 to (K, 2) points in pixels of its input."""
        recipe, layers = self.recipe, keras().layers
        (width, height), (low, high) = recipe.input_size, recipe.pixel_range
        channels = 3 if recipe.colour else 1
        zero, one = (recipe.codec.decode(np.full((1, self.model.output.shape[1]), value), recipe.input_size)[0] for value in (0.0, 1.0))
        x = images = keras().Input((channels, height, width) if channels_first else (height, width, channels), name="pictures")
        if channels_first:
            x = layers.Permute((2, 3, 1))(x)
        x = self.model(layers.Rescaling((high - low) / 255, offset=low)(x))
        x = layers.Reshape(zero.shape)(x)
        return keras().Model(images, layers.Rescaling((one - zero)[0].tolist(), offset=zero[0].tolist(), name="points")(x))

    def _first_layer(self) -> Any:
        found = next((layer for layer in self.model.layers if isinstance(layer, keras().layers.Conv2D)), None)
        if found is None:
            raise RunError("This network has no convolution, so it has no filters to look at.")
        return found


def channels_last(images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B H W C"]:
    """Pictures in the order of axes that Keras has."""
    return np.ascontiguousarray(np.moveaxis(as_numpy(images), 1, -1))


def built(recipe: Recipe, dtype: str = "float32") -> Any:
    """A fresh model that computes in this number type (a Keras policy, as ``mixed_bfloat16``)."""
    before = keras().config.dtype_policy()
    keras().config.set_dtype_policy(dtype)
    try:
        return recipe.network()
    finally:
        keras().config.set_dtype_policy(before)


def load(folder: Path, recipe: Recipe, device: str | None = None) -> KerasNetwork:
    """The best weights of a run. Raises ``RunError`` when there are none, or they do not fit."""
    path = folder / run.KERAS_WEIGHTS
    if not path.is_file():
        raise RunError(f"{path} is not there: the run has not saved anything yet.")
    model = built(recipe)
    try:
        model.load_weights(path)
    except Exception as error:  # zipfile, h5py and Keras each have errors of their own
        raise RunError(f"{path} is damaged, or does not fit the recipe in {run.SETTINGS} ({str(error).splitlines()[0]}).") from error
    return KerasNetwork(model, recipe)
