"""The demo: toy faces, a small network, a report; the same parts as a real experiment."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from nasion import experiment, look, report, run
from nasion.errors import RunError
from nasion.evaluation import Judgement, evaluate
from nasion.load import load_sides
from nasion.predict import load_model
from nasion.progress import TerminalBar
from nasion.recipe import override
from nasion.recipes.toy_demo import RECIPE


def run_demo(folder: Path, count: int, epochs: int, console: Console) -> tuple[Judgement, Path]:
    """Draw, train, judge on faces held back, write the report. An older demo in the folder is replaced, nothing else is."""
    marker = folder / ".nasion-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise RunError(f"{folder} exists and is no earlier demo; name another folder by --out.")
    data = f"toy:{count}"
    console.print(f"Drawing {count} toy faces, two thirds of them with about half of their labels missing ...")
    train_faces, val_faces = load_sides("toy", data)
    console.print(f"{len(train_faces)} to train on, {len(val_faces)} to judge by; {train_faces.labelled.mean():.0%} of the points are labelled.")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    marker.touch()
    recipe = override(RECIPE, [f"epochs={epochs}"])
    with TerminalBar(console) as bar:
        experiment.train(recipe, (train_faces, val_faces), run_folder=folder, watchers=(bar,))
    result = evaluate(folder, val_faces)
    shown = report.Background(run.history(folder), run.settings_text(folder), look.for_report(load_model(folder), val_faces))
    page = report.write(result, folder, title=f"nasion demo: {count} toy faces", background=shown)
    return result, page
