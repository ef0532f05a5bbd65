"""A Keras network of unpadded convolutions and dense layers, as Kaggle notebooks build it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nasion.array_types import Float32
from nasion.errors import require
from nasion.models.keras_backend import keras


@dataclass(frozen=True)
class KerasCNN:
    """Convolutions, each with LeakyReLU, max-pool 2 and dropout; dense layers; linear ``head``.

    The dense layers have LeakyReLU and dropout too. ``slope``: of LeakyReLU below zero. Images are
    (B, H, W, C), Keras' own order, which is also the fastest on CPUs. After LeNet (LeCun et al.,
    1998).
    """

    filters: tuple[int, ...] = (32, 64, 128)
    kernel: int = 3
    dropout: tuple[float, ...] = (0.05, 0.01, 0.15)
    dense: tuple[int, ...] = (500, 500)
    dense_dropout: float = 0.5
    slope: float = 0.3
    framework: ClassVar[str] = "keras"

    def __post_init__(self) -> None:
        count = len(self.filters)
        require(
            len(self.dropout) == count,
            f"architecture.dropout needs {count} numbers, one per convolution; "
            f"found {self.dropout}.",
        )
        require(
            min(*self.filters, self.kernel, *self.dense, 1) > 0,
            f"Filters, kernel and dense sizes must be 1 or more; found {self}.",
        )
        require(
            all(0 <= part < 1 for part in (*self.dropout, self.dense_dropout)),
            f"Dropouts are fractions, 0 to below 1; found {self}.",
        )

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> Any:
        """A new functional model with ``outputs`` numbers per image."""
        left = size
        for _ in self.filters:
            # Unpadded: a convolution takes kernel - 1 pixels, the pool halves.
            left = tuple((side - self.kernel + 1) // 2 for side in left)
        require(
            min(left) > 0,
            f"input_size {size} is too small for {len(self.filters)} convolutions and pools: "
            "no pixel is left.",
        )
        layers = keras().layers
        shape = (size[1], size[0], channels)
        x = images = keras().Input(shape, name="images", dtype="float32")
        order = "channels_last"
        for i, (filters, dropout) in enumerate(
            zip(self.filters, self.dropout, strict=True), start=1
        ):
            x = layers.Conv2D(filters, self.kernel, data_format=order, name=f"conv{i}")(x)
            x = layers.LeakyReLU(self.slope, name=f"relu{i}")(x)
            x = layers.MaxPooling2D(2, data_format=order, name=f"maxpool{i}")(x)
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
        x = layers.Flatten(name="flatten")(x)
        for i, units in enumerate(self.dense, start=1):
            x = layers.Dense(units, name=f"fc{i}")(x)
            x = layers.LeakyReLU(self.slope, name=f"fc_relu{i}")(x)
            x = layers.Dropout(self.dense_dropout, name=f"fc_dropout{i}")(x)
        # In float32 whatever the policy: bfloat16 has only 128 steps between 1/2 and 1.
        head = layers.Dense(outputs, dtype="float32", name="head")
        return keras().Model(images, head(x), name="keras_cnn")

    def head_bias(self, outputs: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        return outputs
