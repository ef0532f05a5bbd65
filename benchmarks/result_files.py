"""Shared by the benchmarks that train: run or resume a training, add its scores to results/."""

import json
import os
import platform
import subprocess
import time
from dataclasses import fields, replace
from datetime import date
from importlib import import_module
from pathlib import Path

from nasion import recipes
from nasion.discovery import RECIPES
from nasion.inference import run_folder
from nasion.media.files import write_text
from nasion.model_spec import ModelSpec
from nasion.models import keras_backend
from nasion.training.train import train

RESULTS = Path(__file__).resolve().parents[1] / "results"
SPEC_FIELDS = {item.name for item in fields(ModelSpec)}


def with_settings(recipe, **changes):
    """The recipe with other settings, whether they belong to it or to its model spec."""
    spec = {name: changes.pop(name) for name in list(changes) if name in SPEC_FIELDS}
    return replace(recipe, spec=replace(recipe.spec, **spec), **changes)


class EpochPrinter:
    """Training observer: prints a line for every n-th epoch."""

    def __init__(self, every=1):
        self.every = every

    def step(self, state, faces_per_second):
        pass

    def epoch(self, state, row):
        if row["epoch"] % self.every == 0:
            losses = f"loss {row['loss']:.3e}, val loss {row['val_loss']:.3e}, val {row['val']:.3f}"
            print(f"  epoch {row['epoch']:.0f}: {losses}, {row['seconds']:.1f} s", flush=True)


class EpochClock:
    """Training observer: records the time at which each epoch ended."""

    def __init__(self):
        self.ends = []

    def step(self, state, faces_per_second):
        pass

    def epoch(self, state, row):
        self.ends.append(time.perf_counter())


def train_or_resume(recipe, data, folder, changes, every=1):
    """Train a run, resume it if it was interrupted, or reuse it if it is finished; its history.

    ``data``: a dataset's path or (training, validation) faces. ``changes``: as for ``--set``.
    ``every``: print every n-th epoch.
    """
    if not is_finished(folder):
        resume = (folder / run_folder.CHECKPOINT).exists()
        data = data if isinstance(data, tuple) else Path(data)
        train(
            recipe,
            data,
            run_folder=folder,
            changes=changes,
            resume=resume,
            observers=(EpochPrinter(every),),
        )
        (folder / "done").touch()
    return run_folder.read_history(folder)


def is_finished(folder):
    """Whether ``train_or_resume`` has finished this run."""
    return (folder / "done").exists()


def training_summary(history):
    """Best epoch, validation score, epochs and seconds of a run, also of each of its phases."""
    best = min(history, key=lambda row: row["val"])["epoch"]
    summary = {"best_epoch": best, **_score_and_time(history)}
    phases = {}
    for row in history:
        if "phase" in row:
            phases.setdefault(str(int(row["phase"])), []).append(row)
    if phases:
        summary["phases"] = {name: _score_and_time(rows) for name, rows in phases.items()}
    return summary


def _score_and_time(history):
    seconds = sum(row["seconds"] for row in history)
    val = round(min(row["val"] for row in history), 4)
    return {
        "val": val,
        "epochs": len(history),
        "seconds": round(seconds, 1),
        "seconds_per_epoch": round(seconds / len(history), 1),
    }


def _framework_version(recipe):
    """The recipe's framework and its version; for Keras also the backend's."""
    is_recipe = recipe in RECIPES.names()
    if is_recipe and recipes.load_recipe(recipe).framework == "keras":
        backend = keras_backend.backend()
        version = import_module(backend).__version__
        return f"Keras {keras_backend.keras().__version__}, {backend} {version}"
    return f"torch {import_module('torch').__version__}"


def read_result(recipe, variant, seed):
    """One run's scores in results/<recipe>.json; None if it has none."""
    path = RESULTS / f"{recipe}.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else {}
    return runs.get(variant, {}).get(str(seed))


def has_result(recipe, variant, seed):
    """Whether results/<recipe>.json has this run."""
    return read_result(recipe, variant, seed) is not None


def origin(*software):
    """Where numbers come from: commit, date, machine."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True
    ).stdout.strip()
    processor = platform.processor() or platform.machine()
    cores = f"{os.cpu_count()} cores, {os.environ.get('OMP_NUM_THREADS', 'all')} used"
    machine = ", ".join([processor, cores, *software])
    return {"commit": commit, "date": str(date.today()), "machine": machine}


def add_result(recipe, variant, seed, scores, facts):
    """Add one run's scores to results/<recipe>.json, with commit, date and machine.

    The file is read again each time, since another process may add runs to it. ``facts``: other
    top-level entries, such as the command.
    """
    path = RESULTS / f"{recipe}.json"
    content = json.loads(path.read_text()) if path.exists() else {"runs": {}}
    content |= origin(_framework_version(recipe)) | facts
    content["runs"].setdefault(variant, {})[str(seed)] = scores
    first = next(iter(content["runs"].values()))
    content["seconds"] = next(iter(first.values()))["seconds"]
    write_text(path, json.dumps(content, indent=1) + "\n")
