"""What all stages share: their context, training until a deadline, tables and result files."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import Any

import torch

import nasion
from nasion import recipes
from nasion.inference import run_folder
from nasion.landmarks.faces import Faces
from nasion.media.files import write_text
from nasion.recipe import Recipe
from nasion.recipe_settings import override
from nasion.training.state import Interrupted, TrainingState
from nasion.training.torch_loop import fit
from nasion.training.train import train

from .bundle import read_faces

RESULTS = Path(__file__).resolve().parents[2] / "results" / "gpu"
# Settings for --tiny: every part runs, nothing learns.
TINY = ("epochs=1", "batch_size=8", "spec.input_size=64,64")
Row = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a stage is given. ``started``, ``deadline``: values of ``time.monotonic()``."""

    stage: str
    bundle: Path
    out: Path
    tiny: bool
    started: float
    deadline: float
    device: torch.device

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def until(self, deadline: float) -> Context:
        return replace(self, deadline=deadline)

    def faces(self, name: str, side: str) -> Faces:
        return read_faces(self.bundle / f"{name}-{side}.npz")

    def log(self, text: str) -> None:
        print(f"[{self.seconds_left:5.0f} s left] {text}", flush=True)

    def synchronise(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()


@dataclass
class Outcome:
    """The numbers of a stage: rows of its table, and facts. ``ok``: False if a check failed."""

    rows: list[Row] = field(default_factory=list)
    facts: Row = field(default_factory=dict)
    ok: bool = True
    finished: bool = True


def run_stages(names: Sequence[str], bundle: Path, out: Path, seconds: float, tiny: bool) -> bool:
    """Run stages one after the other; False if one failed. One that fails stops no other."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fine = True
    for name in names:
        started = time.monotonic()
        context = Context(name, bundle, out, tiny, started, started + seconds, device)
        print(f"\n== {name} on {card()}", flush=True)
        try:
            outcome = import_module(f"{__package__}.{name}").run(context)
        except Exception:
            # Device time is scarce: the other stages still run, and the log says what happened.
            traceback.print_exc()
            outcome = Outcome(facts={"error": traceback.format_exc(limit=4)}, ok=False)
        fine &= outcome.ok
        write_result(context, outcome)
        print_table(outcome.rows)
        if not outcome.finished:
            print(f"{name}: not finished; start it again with the same --out.", flush=True)
    return fine


def train_for(
    context: Context,
    name: str,
    sides: tuple[Faces, Faces],
    changes: Sequence[str] = (),
    recipe: Recipe | str | None = None,
    observers: tuple[Any, ...] = (),
) -> tuple[TrainingState, bool]:
    """Train a recipe in ``out/name`` until it ends or the stage's time is over.

    Returns where it is, and whether it has ended. A run that is there continues.
    """
    folder = context.out / name
    value = recipe if isinstance(recipe, Recipe) else recipes.load_recipe(recipe or name)
    value = override(value, changes)
    value = override(value, tiny_changes(value)) if context.tiny else value
    if (folder / "done").is_file():
        return TrainingState(history=run_folder.read_history(folder)), True
    observers = (EpochLines(context, name), *observers)
    # What Ctrl-C does: stop after this step, with everything saved.
    timer = Timer(max(context.seconds_left, 1), os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
    try:
        resume = (folder / run_folder.CHECKPOINT).is_file()
        done = train(value, sides, run_folder=folder, resume=resume, observers=observers)
    except Interrupted as stop:
        context.log(str(stop))
        return TrainingState(history=run_folder.read_history(folder)), False
    finally:
        timer.cancel()
    (folder / "done").touch()
    return done.state, True


def run_side_by_side(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> None:
    """Call a function once per tuple of arguments, each in a process of its own."""
    # The parent may have used the card already, which forbids a fork.
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def tiny_changes(recipe: Recipe) -> tuple[str, ...]:
    """Settings with which a recipe runs in seconds on a CPU."""
    changes = list(TINY)
    if hasattr(recipe.architecture, "neck"):
        changes += ["architecture.widths=8,16,16,16,16", "architecture.neck=16"]
    elif hasattr(recipe.architecture, "widths"):
        widths = recipe.architecture.widths
        changes.append(f"architecture.widths={','.join(['16'] * len(widths))}")
    return tuple(changes)


class EpochLines:
    """An observer that logs an epoch at most every two seconds."""

    def __init__(self, context: Context, name: str) -> None:
        self._context, self._name, self._last = context, name, 0.0

    def step(self, state: TrainingState, faces_per_second: float) -> None:
        pass

    def epoch(self, state: TrainingState, row: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last > 2 or state.epoch == state.last:
            self._last = now
            self._context.log(
                f"{self._name}: epoch {row['epoch']:.0f} of {state.last}, loss {row['loss']:.4g}, "
                f"val {row['val']:.4g}, {row['seconds']:.2f} s"
            )


class Clock:
    """An observer that notes the time at each epoch's end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def step(self, state: Any, faces_per_second: float) -> None:
        pass

    def epoch(self, state: Any, row: Any) -> None:
        self.ends.append(time.perf_counter())


def measure_rate(recipe: Recipe, faces: Faces, epochs: int = 4) -> float:
    """Faces per second of whole epochs, the first left out, with one batch to validate on."""
    clock = Clock()
    fit_briefly(recipe, faces, epochs, (clock,))
    return len(faces) * (epochs - 1) / (clock.ends[-1] - clock.ends[0])


def fit_briefly(recipe: Recipe, faces: Faces, epochs: int, observers: tuple[Any, ...]) -> None:
    """Train for some epochs in a folder that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp())
    try:
        value = replace(recipe, epochs=epochs, patience=None)
        run_folder.create(folder / "run", "speed", value, {})
        fit(value, faces, faces[: recipe.batch_size], folder / "run", observers=observers)
    finally:
        shutil.rmtree(folder)


def seconds_of(work: Callable[[], Any], context: Context, count: int, warm_up: int = 3) -> float:
    """The mean time of a call, with the device's work done."""
    for _ in range(warm_up):
        work()
    context.synchronise()
    started = time.perf_counter()
    for _ in range(count):
        work()
    context.synchronise()
    return (time.perf_counter() - started) / count


def card() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"the CPU, {torch.get_num_threads()} threads"


def print_table(rows: Sequence[Row]) -> None:
    """Rows as a text table; columns are the keys, in the order in which they first occur."""
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, *([_text(row.get(key, "")) for key in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    sys.stdout.flush()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_result(context: Context, outcome: Outcome) -> None:
    """Write a stage's numbers; also before it ends, lest a machine that is taken away lose them."""
    bundle = json.loads((context.bundle / "bundle.json").read_text())
    result = {
        "stage": context.stage,
        "card": card(),
        "driver": _driver(),
        "torch": torch.__version__,
        "commit": bundle["commit"],
        "date": str(date.today()),
        "command": f"python benchmarks/gpu.py run {context.stage} --bundle BUNDLE --out OUT",
        "data": bundle["data"],
        "tiny": context.tiny,
        "nasion": nasion.__version__,
        "seconds": round(time.monotonic() - context.started, 1),
        "finished": outcome.finished,
        "ok": outcome.ok,
        **outcome.facts,
        "rows": outcome.rows,
    }
    text = json.dumps(result, indent=1) + "\n"
    write_text(context.out / f"{context.stage}.json", text)
    if context.on_gpu and not context.tiny:
        RESULTS.mkdir(parents=True, exist_ok=True)
        write_text(RESULTS / f"{context.stage}.json", text)


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return done.stdout.strip()
