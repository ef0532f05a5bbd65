"""What moving a batch of faces costs: nasion's warp on NumPy arrays and on PyTorch tensors, Keras'
own of maps, Keras' layers.

Usage: python benchmarks/warp.py [--faces 64] [--side 96] [--rounds 30] [--channels 1]
All in one process, in turn. Keras' preprocessing layers move pictures but not the points in them,
so they could not be used
alone; they are timed for comparison. Differences are from NumPy's result, in grey values, at the
median and at most.
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
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    keras, size = keras_backend.keras(), (options.side, options.side)
    rng = np.random.default_rng(0)
    pictures = rng.uniform(0, 255, (options.faces, options.channels, *size)).astype(np.float32)
    maps = Augment(flip=0.5, rotate=10, scale=0.1, shift=0.04).draw(options.faces, size, rng).maps
    tensors, last = torch.from_numpy(pictures), np.ascontiguousarray(np.moveaxis(pictures, 1, -1))
    eight = np.concatenate([maps.reshape(-1, 6), np.zeros((options.faces, 2))], axis=1).astype(
        np.float32
    )
    layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(10 / 360),
            keras.layers.RandomZoom(0.1),
            keras.layers.RandomTranslation(0.04, 0.04),
        ]
    )
    name = keras_backend.backend()
    subjects = {
        "warp, NumPy": lambda: warp(pictures, maps, size),
        "warp, PyTorch": lambda: warp(tensors, maps, size).numpy(),
        f"keras.ops.image.affine_transform, {name}": lambda: np.moveaxis(
            np.asarray(
                keras.ops.image.affine_transform(
                    last, eight, fill_mode="nearest", data_format="channels_last"
                )
            ),
            -1,
            1,
        ),
        f"Keras' Random layers, {name}": lambda: np.moveaxis(
            np.asarray(layers(last, training=True)), -1, 1
        ),
    }
    expected = subjects["warp, NumPy"]()
    seconds = {what: [] for what in subjects}
    for turn in range(options.rounds + 1):
        for what, subject in subjects.items():
            started = time.perf_counter()
            subject()
            if turn:  # the first warms up
                seconds[what].append(time.perf_counter() - started)
    for what, subject in subjects.items():
        apart = np.abs(subject() - expected)
        differs = (
            ""
            if "Random" in what
            else f"   differs by {np.median(apart):.2g}, at most {apart.max():.2g}"
        )
        print(
            f"{what:48}{1000 * statistics.median(seconds[what]):7.1f} ms for "
            f"{options.faces}{differs}"
        )


if __name__ == "__main__":
    main()
