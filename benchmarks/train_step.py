"""Training speed of a recipe: `nasion train`, the bare step, and a plain loop as published.

Usage:
    python benchmarks/train_step.py [--recipe fkd_resnet] [--data DIR] [--steps 40] [--rounds 4]
        [--published]

All take turns in one process, so that a slow phase of the machine affects all of them.
"nasion train" counts the steps of the real loop alone; "whole epochs" (with --data) also includes
validation and checkpoints. The bare step is forward, loss, backward and optimizer on one random
batch. The plain loop (--published) is the usual one: float32, stem stride 1, a Dataset that
converts one face at a time, a DataLoader, Adam without fusing.
Faces are drawn (toy) unless --data names a dataset, whose training split is then used.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from result_files import EpochClock
from torch.utils.data import DataLoader, Dataset

from nasion import recipes
from nasion.data.datasets import toy
from nasion.data.load import load_train_val
from nasion.inference import run_folder
from nasion.models.losses import masked_mean, squared_error
from nasion.models.precision import torch_uses_bfloat16
from nasion.training.torch_loop import _optimizer, fit


def nasion_speeds(recipe, train_faces, val_faces, epochs):
    """Faces per second of the real loop: of its steps alone, and of whole epochs after the first.

    The second is NaN for a single epoch.
    """
    recipe = replace(recipe, epochs=epochs, patience=None)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run_folder.create(run, "benchmark", recipe, {})
        clock = EpochClock()
        state = fit(recipe, train_faces, val_faces, run, observers=(clock,))
    count = len(train_faces)
    steps = count * epochs / sum(row["seconds"] for row in state.history)
    if epochs == 1:
        return steps, float("nan")
    return steps, count * (epochs - 1) / (clock.ends[-1] - clock.ends[0])


def bare_speed(recipe, steps):
    """Faces per second of forward, loss, backward and optimizer on one random batch."""
    width, height = recipe.spec.input_size
    network = recipe.build_network()
    optimizer = _optimizer(recipe, network)
    channels = 3 if recipe.spec.colour else 1
    images = torch.rand(recipe.batch_size, channels, height, width)
    images = images.contiguous(memory_format=torch.channels_last)
    target = torch.rand(recipe.batch_size, recipe.spec.codec.outputs(recipe.spec.scheme))
    bfloat16 = torch_uses_bfloat16(recipe.precision, "cpu")
    started = time.perf_counter()
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            output = network(images)
        loss = squared_error(output.float(), target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps * recipe.batch_size / (time.perf_counter() - started)


class PlainDataset(Dataset):
    """Converts one face at a time, as in the published code."""

    def __init__(self, faces):
        self.faces = faces

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, i):
        image = torch.from_numpy(self.faces.images[i].astype(np.float32) / 255)
        return image[None], torch.from_numpy(self.faces.points[i].reshape(-1))


def published_speed(recipe, faces):
    """Faces per second of the plain loop over these faces."""
    architecture = replace(recipe.architecture, stem_stride=1, stem_kernel=3, stem_pool=2)
    network = replace(recipe, architecture=architecture).build_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    started = time.perf_counter()
    for images, target in DataLoader(PlainDataset(faces), recipe.batch_size, shuffle=True):
        loss, _ = masked_mean(squared_error, network(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return len(faces) / (time.perf_counter() - started)


def repeat_faces(faces, count):
    """These faces repeated up to ``count``, with new ids and half of the labels missing."""
    at = np.arange(count) % len(faces)
    missing = np.random.default_rng(0).uniform(size=(count, len(faces.scheme), 1)) < 0.5
    return faces.__class__(
        scheme=faces.scheme,
        ids=tuple(map(str, range(count))),
        images=faces.images[at],
        points=np.where(missing, np.nan, faces.points[at]).astype(np.float32),
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="fkd_resnet")
    parser.add_argument("--data", help="a dataset's folder; default: toy faces")
    parser.add_argument("--steps", type=int, default=40, help="in each round, about")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--published", action="store_true", help="also time the plain loop")
    options = parser.parse_args()
    recipe = recipes.load_recipe(options.recipe)
    spec, batch_size = recipe.spec, recipe.batch_size
    names = ["nasion train", "bare step"]
    if options.data:
        train_faces, val_faces = load_train_val(None, options.data, scheme=spec.scheme)
        epochs = max(2, round(options.steps * batch_size / len(train_faces)))
        names.insert(1, "nasion train, whole epochs")
    else:
        drawn = toy.draw(200, spec.scheme, size=max(spec.input_size))
        train_faces = repeat_faces(drawn, options.steps * batch_size)
        val_faces, epochs = train_faces[:batch_size], 1
    if options.published:
        names.append("plain loop, as published")
    speeds = {name: [] for name in names}
    for turn in range(options.rounds + 1):
        measured = {}
        measured["nasion train"], measured["nasion train, whole epochs"] = nasion_speeds(
            recipe, train_faces, val_faces, epochs
        )
        measured["bare step"] = bare_speed(recipe, options.steps)
        if options.published:
            some_faces = train_faces[: 6 * batch_size]
            measured["plain loop, as published"] = published_speed(recipe, some_faces)
        if turn:  # the first round warms up
            for name in names:
                speeds[name].append(measured[name])
    precision = "bfloat16" if torch_uses_bfloat16(recipe.precision, "cpu") else "float32"
    print(f"{options.recipe}, batch {batch_size}, {precision}, {torch.get_num_threads()} threads")
    for name, values in speeds.items():
        pairs = zip(speeds["nasion train"], values, strict=True)
        ratio = statistics.median(ours / other for ours, other in pairs)
        print(
            f"{name:28}{statistics.median(values):8.0f} faces/s   "
            f"nasion train is {ratio:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
