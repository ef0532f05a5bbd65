"""Training speed of a Keras recipe under each backend: `nasion train` against plain Keras.

Usage:
    python benchmarks/keras_backends.py [--recipe fkd_cnn] [--data DIR]
        [--backends tensorflow torch jax] [--faces 1024] [--rounds 3] [--set batch_size=64 ...]

Each backend runs in its own process. There nasion and plain `model.fit(images, targets)`, in
float32 and in mixed bfloat16, take turns, so that a slow phase of the machine affects all of them.
The first epoch of each compiles the model and is not counted.
"nasion train" counts the steps alone; "whole epochs" includes validation on 256 faces and the
checkpoint. Faces are drawn (toy) unless --data names a dataset.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from result_files import EpochClock

from nasion import recipes
from nasion.data.datasets import toy
from nasion.data.load import load_train_val
from nasion.inference import run_folder
from nasion.inference.crops import crop_faces, plain_batch
from nasion.models import keras_backend
from nasion.recipe_settings import override

PLAIN = {"plain Keras, float32": "float32", "plain Keras, mixed bfloat16": "mixed_bfloat16"}


def nasion_speeds(recipe, train_faces, val_faces):
    """Faces per second of the second epoch: of its steps, and of the whole epoch."""
    from nasion.training.keras_loop import fit

    with tempfile.TemporaryDirectory() as folder:
        run_folder.create(Path(folder), "benchmark", recipe, {})
        clock = EpochClock()
        state = fit(recipe, train_faces, val_faces, Path(folder), observers=(clock,))
    count = len(train_faces)
    return count / state.history[1]["seconds"], count / (clock.ends[1] - clock.ends[0])


def plain_model(recipe, policy):
    """The recipe's network, compiled as in a notebook."""
    from nasion.inference.backends.keras import build_model

    model = build_model(recipe, policy)
    model.compile(optimizer=keras_backend.keras().optimizers.Adam(recipe.optim.lr), loss="huber")
    return model


def plain_speed(model, images, targets, batch_size):
    """Faces per second of an epoch's steps, timed as nasion times its own."""
    times = []
    timer = keras_backend.keras().callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()),
    )
    model.fit(images, targets, batch_size=batch_size, epochs=1, verbose=0, callbacks=[timer])
    return len(images) / (times[-1] - times[0])


def measure_backend(options):
    """Measure the backend of this process; print a line for each way of training."""
    recipe = override(recipes.load_recipe(options.recipe), options.set)
    recipe = replace(
        recipe, epochs=2, patience=None, second_phase=None, missing="mask", suspect_labels="keep"
    )
    spec, batch_size = recipe.spec, recipe.batch_size
    if options.data:
        train_faces, val_faces = load_train_val(None, options.data, scheme=spec.scheme)
        train_faces, val_faces = train_faces[: options.faces], val_faces[:256]
    else:
        side = max(spec.input_size)
        train_faces = toy.draw(options.faces, spec.scheme, size=side)
        val_faces = toy.draw(256, spec.scheme, seed=1, size=side)
    batch = plain_batch(crop_faces(train_faces, spec), np.arange(len(train_faces)), spec)
    images = np.ascontiguousarray(np.moveaxis(batch.images, 1, -1))
    targets = np.nan_to_num(spec.codec.encode(batch.points, spec.input_size))
    models = {name: plain_model(recipe, policy) for name, policy in PLAIN.items()}
    for model in models.values():  # compiles
        plain_speed(model, images[: 2 * batch_size], targets[: 2 * batch_size], batch_size)
    speeds = {"nasion train": [], "nasion train, whole epochs": [], **{name: [] for name in PLAIN}}
    for _ in range(options.rounds):
        steps, epochs = nasion_speeds(recipe, train_faces, val_faces)
        speeds["nasion train"].append(steps)
        speeds["nasion train, whole epochs"].append(epochs)
        for name, model in models.items():
            speeds[name].append(plain_speed(model, images, targets, batch_size))
    print_speeds(recipe, speeds)


def print_speeds(recipe, speeds):
    """Medians over rounds, also relative to the faster plain Keras of each round."""
    from nasion.inference.backends.keras import training_policy

    fastest_plain = [max(pair) for pair in zip(*(speeds[name] for name in PLAIN), strict=True)]
    print(
        f"{keras_backend.backend()}, Keras {keras_backend.keras().__version__}, "
        f"batch {recipe.batch_size}, nasion in {training_policy(recipe)}",
        flush=True,
    )
    for name, values in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(values, fastest_plain, strict=True))
        print(
            f"  {name:30}{statistics.median(values):8.0f} faces/s   "
            f"{ratio:5.2f} times the faster plain Keras",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="fkd_cnn")
    parser.add_argument("--data", help="a dataset's folder; default: toy faces")
    parser.add_argument(
        "--backends",
        nargs="+",
        default=[name for name in keras_backend.BACKENDS if find_spec(name)],
        choices=keras_backend.BACKENDS,
        help="default: all that are installed",
    )
    parser.add_argument("--faces", type=int, default=1024, help="in an epoch, at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", nargs="+", default=[], help="changed settings of the recipe")
    options = parser.parse_args()
    if len(options.backends) == 1 and os.environ.get("KERAS_BACKEND") == options.backends[0]:
        measure_backend(options)
        return
    command = [sys.executable, __file__, *sys.argv[1:], "--backends"]
    for name in options.backends:
        environment = {**os.environ, "KERAS_BACKEND": name}
        subprocess.run([*command, name], check=True, env=environment)


if __name__ == "__main__":
    main()
