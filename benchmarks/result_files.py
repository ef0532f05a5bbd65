"""What the benchmarks that train recipes share: a run that is trained or found, and its numbers in
results/<recipe>.json.
"""

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
from nasion.inference import run_folder
from nasion.media.files import write_text
from nasion.model_spec import ModelSpec
from nasion.models import keras_backend
from nasion.training.train import train

RESULTS = Path(__file__).resolve().parents[1] / "results"


SPEC_FIELDS = {item.name for item in fields(ModelSpec)}


def changed(recipe, **changes):
    """A recipe with other settings, its own or its spec's."""
    spec = {name: changes.pop(name) for name in list(changes) if name in SPEC_FIELDS}
    return replace(recipe, spec=replace(recipe.spec, **spec), **changes)


class Lines:
    """A line per epoch, or per tenth of them."""

    def __init__(self, every=1):
        self.every = every

    def step(self, state, faces_per_second):
        pass

    def epoch(self, state, row):
        if row["epoch"] % self.every == 0:
            losses = f"loss {row['loss']:.3e}, val loss {row['val_loss']:.3e}, val {row['val']:.3f}"
            print(f"  epoch {row['epoch']:.0f}: {losses}, {row['seconds']:.1f} s", flush=True)


class Clock:
    """Notes when each epoch ended."""

    def __init__(self):
        self.ends = []

    def step(self, state, faces_per_second):
        pass

    def epoch(self, state, row):
        self.ends.append(time.perf_counter())


def trained(recipe, data, folder, changes, every=1):
    """The history of a run: gone on with if it is there, not trained again if it is finished."""
    if not (folder / "done").exists():
        resume = (folder / run_folder.CHECKPOINT).exists()
        data = data if isinstance(data, tuple) else Path(data)
        train(
            recipe,
            data,
            run_folder=folder,
            changes=changes,
            resume=resume,
            observers=(Lines(every),),
        )
        (folder / "done").touch()
    return run_folder.read_history(folder)


def spent(history):
    """Epochs and seconds of a run, and of each of its phases if it has some."""
    best = min(history, key=lambda row: row["val"])["epoch"]
    phases = {str(int(row["phase"])): [] for row in history if "phase" in row}
    for row in history if phases else []:
        phases[str(int(row["phase"]))].append(row)
    return {
        "best_epoch": best,
        **_time(history),
        **({"phases": {name: _time(rows) for name, rows in phases.items()}} if phases else {}),
    }


def _time(history):
    seconds = sum(row["seconds"] for row in history)
    val = round(min(row["val"] for row in history), 4)
    return {
        "val": val,
        "epochs": len(history),
        "seconds": round(seconds, 1),
        "seconds_per_epoch": round(seconds / len(history), 1),
    }


def _framework(recipe):
    """The framework and its version."""
    if recipes.load_recipe(recipe).framework == "keras":
        under = keras_backend.backend()
        return (
            f"Keras {keras_backend.keras().__version__}, {under} {import_module(under).__version__}"
        )
    return f"torch {import_module('torch').__version__}"


def record(recipe, variant, seed, found, facts):
    """Put one run into the recipe's result file, which another process may be writing as well."""
    out = RESULTS / f"{recipe}.json"
    whole = json.loads(out.read_text()) if out.exists() else {"runs": {}}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True
    ).stdout.strip()
    used = f"{os.cpu_count()} cores, {os.environ.get('OMP_NUM_THREADS', 'all')} used"
    whole |= {
        "commit": commit,
        "date": str(date.today()),
        "machine": f"{platform.processor() or platform.machine()}, {used}, {_framework(recipe)}",
        **facts,
    }
    whole["runs"].setdefault(variant, {})[str(seed)] = found
    first = next(iter(whole["runs"].values()))
    whole["seconds"] = next(iter(first.values()))["seconds"]
    write_text(out, json.dumps(whole, indent=1) + "\n")
