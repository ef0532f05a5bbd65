"""The demo: toy faces, a small network, a report, from the same parts as a real experiment."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from nasion.data.load import load_train_val
from nasion.errors import RunError
from nasion.evaluation import inspect_network, report
from nasion.evaluation.evaluate import EvaluationResult, evaluate
from nasion.inference import run_folder
from nasion.inference.predictor import load_model
from nasion.recipe_settings import override
from nasion.recipes.toy_demo import RECIPE
from nasion.training.progress import TerminalBar
from nasion.training.train import train


def run_demo(
    folder: Path, count: int, epochs: int, console: Console
) -> tuple[EvaluationResult, Path]:
    """Draw faces, train, evaluate on held-out faces, write the report.

    An earlier demo in the folder is replaced, nothing else is.
    """
    # Only a folder with this file, or an empty one, is deleted.
    marker = folder / ".nasion-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise RunError(f"{folder} exists and is not an earlier demo; name another with --out.")
    console.print(
        f"Drawing {count} toy faces; two in three are missing about half of their labels ..."
    )
    train_faces, val_faces = load_train_val("toy", f"toy:{count}")
    console.print(
        f"{len(train_faces)} to train on, {len(val_faces)} to evaluate on; "
        f"{train_faces.labelled.mean():.0%} of the points are labelled."
    )
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    marker.touch()
    recipe = override(RECIPE, [f"epochs={epochs}"])
    with TerminalBar(console) as bar:
        train(recipe, (train_faces, val_faces), run_folder=folder, observers=(bar,))
    model = load_model(folder)
    result = evaluate(model, val_faces)
    details = report.RunDetails(
        history=run_folder.read_history(folder),
        settings=run_folder.settings_text(folder),
        figures=inspect_network.report_figures(model, recipe, val_faces),
    )
    title = f"nasion demo: {count} toy faces"
    return result, report.write(result, folder, title=title, run=details)
