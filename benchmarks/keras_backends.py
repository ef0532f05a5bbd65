"""Training speed of a Keras recipe under each backend: `nasion train`, and plain Keras on the same
network and arrays.

Usage: python benchmarks/keras_backends.py [--recipe fkd_cnn] [--data DIR] [--backends tensorflow
       torch jax] [--faces 1024] [--rounds 3]
       [--set batch_size=64 ...]
Each backend in a process of its own; in it nasion and plain `model.fit(pictures, targets)` in
float32 and in mixed bfloat16 take
turns, so that a machine that slows down slows all. The first epoch of each, which compiles, is not
counted. Without --data on
toy faces. `whole epochs` is nasion with validation on 256 faces and checkpoints.
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
from result_files import Clock

from nasion import recipes
from nasion.data.datasets import toy
from nasion.data.load import load_train_val
from nasion.inference import run_folder
from nasion.inference.crops import crop_faces, plain_batch
from nasion.models import keras_backend
from nasion.recipe_settings import override

PLAIN = {"plain Keras, float32": "float32", "plain Keras, mixed bfloat16": "mixed_bfloat16"}


def nasion_speeds(recipe, sides):
    """Faces per second of the second epoch's steps, and of a whole epoch."""
    from nasion.training.keras_loop import fit

    with tempfile.TemporaryDirectory() as folder:
        run_folder.create(Path(folder), "benchmark", recipe, {})
        clock = Clock()
        state = fit(recipe, *sides, Path(folder), observers=(clock,))
    return len(sides[0]) / state.history[1]["seconds"], len(sides[0]) / (
        clock.ends[1] - clock.ends[0]
    )


def plain_model(recipe, policy):
    """The network compiled as a notebook does it."""
    from nasion.inference.backends.keras import build_model

    model = build_model(recipe, policy)
    model.compile(optimizer=keras_backend.keras().optimizers.Adam(recipe.optim.lr), loss="huber")
    return model


def plain_speed(model, pictures, targets, batch_size):
    """Of an epoch's steps, as nasion's seconds are."""
    times = []
    clock = keras_backend.keras().callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()),
    )
    model.fit(pictures, targets, batch_size=batch_size, epochs=1, verbose=0, callbacks=[clock])
    return len(pictures) / (times[-1] - times[0])


def one_backend(options):
    """A line per subject."""
    recipe = override(recipes.load_recipe(options.recipe), options.set)
    recipe = replace(
        recipe, epochs=2, patience=None, second_phase=None, missing="mask", suspect_labels="keep"
    )
    if options.data:
        train_faces, val_faces = load_train_val(None, options.data, scheme=recipe.spec.scheme)
        sides = train_faces[: options.faces], val_faces[:256]
    else:
        sides = (
            toy.draw(options.faces, recipe.spec.scheme, size=max(recipe.spec.input_size)),
            toy.draw(256, recipe.spec.scheme, seed=1, size=max(recipe.spec.input_size)),
        )
    seen = plain_batch(crop_faces(sides[0], recipe.spec), np.arange(len(sides[0])), recipe.spec)
    pictures = np.ascontiguousarray(np.moveaxis(seen.images, 1, -1))
    targets = np.nan_to_num(recipe.spec.codec.encode(seen.points, recipe.spec.input_size))
    models = {name: plain_model(recipe, policy) for name, policy in PLAIN.items()}
    for model in models.values():
        plain_speed(
            model,
            pictures[: 2 * recipe.batch_size],
            targets[: 2 * recipe.batch_size],
            recipe.batch_size,
        )
    speeds = {"nasion train": [], "nasion train, whole epochs": [], **{name: [] for name in PLAIN}}
    for _ in range(options.rounds):
        steps, whole = nasion_speeds(recipe, sides)
        found = {"nasion train": steps, "nasion train, whole epochs": whole}
        found |= {
            name: plain_speed(model, pictures, targets, recipe.batch_size)
            for name, model in models.items()
        }
        for name, speed in found.items():
            speeds[name].append(speed)
    best = [max(pair) for pair in zip(*(speeds[name] for name in PLAIN), strict=True)]
    from nasion.inference.backends.keras import training_policy

    keras = keras_backend.keras()
    print(
        (
            f"{keras_backend.backend()}, Keras {keras.__version__}, batch {recipe.batch_size}, "
            f"nasion in {training_policy(recipe)}"
        ),
        flush=True,
    )
    for name, found in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(found, best, strict=True))
        print(
            (
                f"  {name:30}{statistics.median(found):8.0f} faces/s   {ratio:5.2f} of the best "
                f"plain one"
            ),
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="fkd_cnn")
    parser.add_argument("--data")
    parser.add_argument(
        "--backends",
        nargs="+",
        default=[name for name in keras_backend.BACKENDS if find_spec(name)],
        choices=keras_backend.BACKENDS,
    )
    parser.add_argument("--faces", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", nargs="+", default=[], help="changes of the recipe")
    options = parser.parse_args()
    if len(options.backends) == 1 and os.environ.get("KERAS_BACKEND") == options.backends[0]:
        one_backend(options)
        return
    words = [sys.executable, __file__, *sys.argv[1:], "--backends"]
    for name in options.backends:
        subprocess.run([*words, name], check=True, env={**os.environ, "KERAS_BACKEND": name})


if __name__ == "__main__":
    main()
