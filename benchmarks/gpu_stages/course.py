"""The three large course systems at their published length, evaluated as the README says.

They are trained side by side: their batches are too small to fill a card.
"""

from __future__ import annotations

from pathlib import Path

import nasion
from nasion.inference import run_folder
from nasion.recipes import load_recipe

from .stage import Context, Outcome, run_side_by_side, train_for

EVALUATION = 20.0  # seconds, at the end
# The published MAE of the blurred network is the worse one, though the network is the better: its
# learning rate is five times the other's.
RUNS = {
    "ibug_resnet18": ("ibug_resnet18", ()),
    "ibug_blur_resnet50": ("ibug_blur_resnet50", ()),
    "ibug_wide_resnet50": ("ibug_wide_resnet50", ()),
    "ibug_blur_resnet50, learning rate 1e-4": ("ibug_blur_resnet50", ("optim.lr=1e-4",)),
}


def run(context: Context) -> Outcome:
    outcome = Outcome()
    run_side_by_side(train_one, [(context, name) for name in RUNS])
    val = context.faces("ibug68", "val")
    for name in RUNS:
        folder = folder_of(context, name)
        ended = (folder / "done").is_file()
        outcome.finished &= ended
        if not (folder / run_folder.WEIGHTS).is_file():
            continue
        history = run_folder.read_history(folder)
        scores = nasion.evaluate(folder, val).overall
        outcome.rows.append(
            {
                "recipe": name,
                "epochs": len(history),
                "seconds": sum(row["seconds"] for row in history),
                "NME %": 100 * scores.nme,
                "MAE px": scores.mae,
                "training loss": history[-1]["loss"],
                "ended": ended,
            }
        )
    return outcome


def train_one(context: Context, name: str) -> None:
    """Train one of ``RUNS``, in a process of its own."""
    sides = context.faces("ibug68", "train"), context.faces("ibug68", "val")
    recipe, changes = RUNS[name]
    within = context.until(context.deadline - EVALUATION)
    train_for(within, folder_of(context, name).name, sides, changes, load_recipe(recipe))


def folder_of(context: Context, name: str) -> Path:
    return context.out / name.replace(", learning rate ", "-lr-")
