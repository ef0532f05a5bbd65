"""Training speed of a recipe: `nasion train` itself, the bare step on random tensors, and a plain
loop as it is published.

Usage: python benchmarks/train_step.py [--recipe fkd_resnet] [--data DIR] [--steps 40] [--rounds 4]
       [--published]
All in one process, in turn, so that a machine that slows down slows all. Without --data on toy
faces; with it on the data
set's own training faces, of which "whole epochs" is all that a run's epoch costs: steps,
validation, checkpoint.
The plain loop (--published) is the usual one:
float32, stem stride 1, a Dataset that turns one face at a time into a tensor, a DataLoader, Adam
without fusing.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from result_files import Clock
from torch.utils.data import DataLoader, Dataset

from nasion import recipes
from nasion.data.datasets import toy
from nasion.data.load import load_train_val
from nasion.inference import run_folder
from nasion.models.losses import masked_mean, squared_error
from nasion.models.precision import torch_uses_bfloat16
from nasion.training.torch_loop import _optimizer, fit


def nasion_speeds(recipe, sides, epochs):
    """Faces per second of the real loop: of its steps, from the seconds that it notes, and of whole
    epochs by the clock.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_folder.create(Path(folder) / "run", "benchmark", recipe, {})
        clock = Clock()
        state = fit(
            replace(recipe, epochs=epochs, patience=None),
            *sides,
            Path(folder) / "run",
            observers=(clock,),
        )
    seen = len(sides[0]) * epochs
    whole = (
        len(sides[0]) * (epochs - 1) / (clock.ends[-1] - clock.ends[0])
        if epochs > 1
        else float("nan")
    )
    return seen / sum(row["seconds"] for row in state.history), whole


def bare_speed(recipe, steps):
    """Faces per second of forward, loss, backward and optimizer on one random batch that never
    changes.
    """
    width, height = recipe.spec.input_size
    network = recipe.build_network()
    optimizer = _optimizer(recipe, network)
    images = torch.rand(
        recipe.batch_size, 3 if recipe.spec.colour else 1, height, width
    ).contiguous(memory_format=torch.channels_last)
    target = torch.rand(recipe.batch_size, recipe.spec.codec.outputs(recipe.spec.scheme))
    started = time.perf_counter()
    for _ in range(steps):
        with torch.autocast(
            "cpu", torch.bfloat16, enabled=torch_uses_bfloat16(recipe.precision, "cpu")
        ):
            output = network(images)
        loss = squared_error(output.float(), target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps * recipe.batch_size / (time.perf_counter() - started)


class OneByOne(Dataset):
    def __init__(self, faces):
        self.faces = faces

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, i):
        return torch.from_numpy(self.faces.images[i].astype(np.float32) / 255)[
            None
        ], torch.from_numpy(self.faces.points[i].reshape(-1))


def published_speed(recipe, faces):
    """Faces per second of the plain loop."""
    architecture = replace(recipe.architecture, stem_stride=1, stem_kernel=3, stem_pool=2)
    network = replace(recipe, architecture=architecture).build_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    started = time.perf_counter()
    for images, target in DataLoader(OneByOne(faces), recipe.batch_size, shuffle=True):
        loss, _ = masked_mean(squared_error, network(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return len(faces) / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="fkd_resnet")
    parser.add_argument("--data", help="a data set's folder, for its own faces instead of toy ones")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    recipe = recipes.load_recipe(options.recipe)
    if options.data:
        sides = load_train_val(None, options.data, scheme=recipe.spec.scheme)
    else:
        faces = toy.draw(200, recipe.spec.scheme, size=max(recipe.spec.input_size))
        faces = repeated(faces, options.steps * recipe.batch_size)
        sides = faces, faces[: recipe.batch_size]
    epochs = max(2, round(options.steps * recipe.batch_size / len(sides[0]))) if options.data else 1
    names = ["nasion train", *(["nasion train, whole epochs"] if options.data else []), "bare step"]
    speeds = {
        name: [] for name in [*names, *(["plain loop, as published"] if options.published else [])]
    }
    for turn in range(options.rounds + 1):
        steps, whole = nasion_speeds(recipe, sides, epochs)
        found = {
            "nasion train": steps,
            "nasion train, whole epochs": whole,
            "bare step": bare_speed(recipe, options.steps),
        }
        if options.published:
            found["plain loop, as published"] = published_speed(
                recipe, sides[0][: 6 * recipe.batch_size]
            )
        for name in speeds:
            speeds[name] += [found[name]] * (turn > 0)  # the first turn warms up
    precision = "bfloat16" if torch_uses_bfloat16(recipe.precision, "cpu") else "float32"
    print(
        f"{options.recipe}, batch {recipe.batch_size}, {precision}, {torch.get_num_threads()} "
        f"threads"
    )
    for name, found in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(speeds["nasion train"], found, strict=True))
        print(
            f"{name:28}{statistics.median(found):8.0f} faces/s   nasion train is {ratio:.2f} "
            f"times as fast"
        )


def repeated(faces, count):
    """Faces over and over, each with an id of its own."""
    at = np.arange(count) % len(faces)
    points = np.where(
        np.random.default_rng(0).uniform(size=(count, len(faces.scheme), 1)) < 0.5,
        np.nan,
        faces.points[at],
    ).astype(np.float32)
    return faces.__class__(
        scheme=faces.scheme,
        ids=tuple(map(str, range(count))),
        images=faces.images[at],
        points=points,
    )


if __name__ == "__main__":
    main()
