"""Cost of warping a batch of images: nasion's warp on NumPy and PyTorch, and Keras' counterparts.

Usage:
    python benchmarks/warp.py [--faces 64] [--side 96] [--rounds 30] [--channels 1]

All take turns in one process. Keras' affine_transform gets the same maps. Its random layers are
timed for comparison only: they move images but not the points in them, so they cannot be used here.
Differences from the NumPy result are in grey levels, median and maximum.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from nasion.data.augment import Augment, warp
from nasion.models import keras_backend


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=int, default=64, help="images in the batch")
    parser.add_argument("--side", type=int, default=96, help="of an image in pixels")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    keras, size = keras_backend.keras(), (options.side, options.side)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (options.faces, options.channels, *size)).astype(np.float32)
    maps = Augment(flip=0.5, rotate=10, scale=0.1, shift=0.04).draw(options.faces, size, rng).maps
    tensors = torch.from_numpy(images)
    channels_last = np.ascontiguousarray(np.moveaxis(images, 1, -1))
    # Keras takes eight numbers per map: those of a projective map, the last two 0.
    projective = np.concatenate([maps.reshape(-1, 6), np.zeros((options.faces, 2))], axis=1)
    projective = projective.astype(np.float32)
    random_layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(10 / 360),
            keras.layers.RandomZoom(0.1),
            keras.layers.RandomTranslation(0.04, 0.04),
        ]
    )

    def keras_transform():
        warped = keras.ops.image.affine_transform(
            channels_last, projective, fill_mode="nearest", data_format="channels_last"
        )
        return np.moveaxis(np.asarray(warped), -1, 1)

    def keras_random_layers():
        return np.moveaxis(np.asarray(random_layers(channels_last, training=True)), -1, 1)

    backend = keras_backend.backend()
    calls = {
        "warp, NumPy": lambda: warp(images, maps, size),
        "warp, PyTorch": lambda: warp(tensors, maps, size).numpy(),
        f"keras.ops.image.affine_transform, {backend}": keras_transform,
        f"Keras' Random layers, {backend}": keras_random_layers,
    }
    expected = calls["warp, NumPy"]()
    seconds = {name: [] for name in calls}
    for turn in range(options.rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn:  # the first round warms up
                seconds[name].append(time.perf_counter() - started)
    for name, call in calls.items():
        milliseconds = 1000 * statistics.median(seconds[name])
        difference = ""
        if "Random" not in name:
            differences = np.abs(call() - expected)
            difference = (
                f"   differs by {np.median(differences):.2g}, at most {differences.max():.2g}"
            )
        print(f"{name:48}{milliseconds:7.1f} ms per batch of {options.faces}{difference}")


if __name__ == "__main__":
    main()
