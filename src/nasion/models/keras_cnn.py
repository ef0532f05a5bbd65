"""A Keras network of unpadded convolutions and dense layers, as Kaggle notebooks build it (LeNet's form, LeCun et al., 1998)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nasion.errors import require
from nasion.keras_backend import keras


@dataclass(frozen=True)
class KerasCNN:
    """Per convolution: LeakyReLU, max-pool 2, dropout; then dense layers with LeakyReLU and dropout; then the linear ``head``.

    ``slope``: of LeakyReLU below zero. Pictures go in as Keras has them, (B, H, W, C), which is also the fastest on CPUs.
    """

    filters: tuple[int, ...] = (32, 64, 128)
    kernel: int = 3
    dropout: tuple[float, ...] = (0.05, 0.01, 0.15)
    dense: tuple[int, ...] = (500, 500)
    dense_dropout: float = 0.5
    slope: float = 0.3
    framework: ClassVar[str] = "keras"

    def __post_init__(self) -> None:
        require(
            len(self.dropout) == len(self.filters), f"model.dropout needs {len(self.filters)} numbers, one per convolution; found {self.dropout}."
        )
        require(min(*self.filters, self.kernel, *self.dense, 1) > 0, f"Filters, kernel and dense sizes must be from 1; found {self}.")
        require(all(0 <= part < 1 for part in (*self.dropout, self.dense_dropout)), f"Dropouts are fractions, from 0 to below 1; found {self}.")

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> Any:
        """A fresh functional model with ``outputs`` numbers per picture of ``channels`` and (width, height) ``size``."""
        left = size
        for _ in self.filters:
            left = tuple((side - self.kernel + 1) // 2 for side in left)
        require(min(left) > 0, f"input_size {size} is too small for {len(self.filters)} convolutions and pools: nothing is left of the picture.")
        layers = keras().layers
        x = images = keras().Input((size[1], size[0], channels), name="images", dtype="float32")
        for i, (filters, dropout) in enumerate(zip(self.filters, self.dropout, strict=True), start=1):
            x = layers.Conv2D(filters, self.kernel, data_format="channels_last", name=f"conv{i}")(x)
            x = layers.LeakyReLU(self.slope, name=f"relu{i}")(x)
            x = layers.MaxPooling2D(2, data_format="channels_last", name=f"maxpool{i}")(x)
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
        x = layers.Flatten(name="flatten")(x)
        for i, units in enumerate(self.dense, start=1):
            x = layers.Dense(units, name=f"fc{i}")(x)
            x = layers.LeakyReLU(self.slope, name=f"fc_relu{i}")(x)
            x = layers.Dropout(self.dense_dropout, name=f"fc_dropout{i}")(x)
        # In float32 whatever the policy: bfloat16 knows only 256 steps between 1/2 and 1.
        return keras().Model(images, layers.Dense(outputs, dtype="float32", name="head")(x), name="keras_cnn")
