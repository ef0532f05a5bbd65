"""Seconds until the fkd recipes reach the RMSE of the published code on plausible labels."""

from __future__ import annotations

import time
from collections.abc import Mapping

from nasion.data.label_outliers import suspect_labels
from nasion.training.state import TrainingState

from .stage import Context, Outcome, train_for

RECIPES = ("fkd_resnet", "fkd_best")
GOAL = 2.63  # pixels: the published code on the plausible labels of the honest split


class TimeTo:
    """An observer that notes when the validation score first was as good as ``goal``."""

    def __init__(self, goal: float) -> None:
        self.goal, self.started = goal, time.perf_counter()
        self.seconds: float | None = None

    def step(self, state: TrainingState, faces_per_second: float) -> None:
        pass

    def epoch(self, state: TrainingState, row: Mapping[str, float]) -> None:
        if self.seconds is None and row["val"] <= self.goal:
            self.seconds = time.perf_counter() - self.started


def run(context: Context) -> Outcome:
    train_faces, val_faces = context.faces("fkd", "train"), context.faces("fkd", "val")
    # The recipes' own score is then the RMSE on plausible labels, epoch by epoch.
    val_faces = val_faces[~suspect_labels(val_faces)]
    outcome = Outcome(facts={"goal": f"RMSE {GOAL} on plausible labels, honest split"})
    for name in RECIPES:
        clock = TimeTo(GOAL)
        state, ended = train_for(context, name, (train_faces, val_faces), observers=(clock,))
        outcome.finished &= ended
        if not state.history:
            continue
        reached = [row["epoch"] for row in state.history if row["val"] <= GOAL]
        outcome.rows.append(
            {
                "recipe": name,
                "epochs": len(state.history),
                "seconds of steps": sum(row["seconds"] for row in state.history),
                "seconds to goal": clock.seconds,
                "epochs to goal": int(reached[0]) if reached else None,
                "best RMSE": min(row["val"] for row in state.history),
                "last RMSE": state.history[-1]["val"],
                "ended": ended,
            }
        )
    return outcome
