"""Where training is, what is recorded of it, and who observes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nasion.array_types import Int64
from nasion.errors import RunError
from nasion.inference.run_folder import history_rows
from nasion.landmarks.faces import Faces
from nasion.media.json_document import Document


@dataclass
class TrainingState:
    """Where training is; all of it is in the checkpoint.

    ``epoch``, ``step``: the next ones, from 0. ``losses``: of the epoch's steps (Keras: their mean
    so far). ``last``: how many epochs there are at most, up to the end of the current phase.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    best: float = float("inf")
    best_epoch: int = -1
    history: list[dict[str, float]] = field(default_factory=list)
    last: int = 0
    phase: int = 1


def saved_state(facts: Mapping[str, Any], path: Path) -> TrainingState:
    """The state in a checkpoint's facts. Raises ``RunError`` for values that no training saves."""
    document = Document(facts, f"{path} facts", kind=RunError, remedy="start anew.")
    return TrainingState(
        epoch=document["epoch"].whole(),
        step=document["step"].whole(),
        steps=document["steps"].whole(),
        losses=document["losses"].numbers(),
        seconds=document["seconds"].number(low=0),
        # Infinite before the first epoch has ended.
        best=document["best"].number(infinite=True),
        best_epoch=document["best_epoch"].whole(low=-1),
        history=history_rows(document["history"]),
        last=document["last"].whole(),
        phase=document["phase"].whole(low=1),
    )


@runtime_checkable
class Observer(Protocol):
    """Called after every step and every epoch, as by a progress bar."""

    def step(self, state: TrainingState, faces_per_second: float) -> None: ...
    def epoch(self, state: TrainingState, row: dict[str, float]) -> None: ...


class Interrupted(RunError):
    """Training was stopped by a signal, and everything is saved."""

    def __init__(self, state: TrainingState, folder: Path) -> None:
        where = f"after epoch {state.epoch}"
        if state.step:
            where = f"in epoch {state.epoch + 1} after step {state.step} of {state.steps}"
        super().__init__(f"Stopped {where}; everything is saved in {folder}.")


def record_losses(
    state: TrainingState,
    losses: list[float],
    at: list[Int64[np.ndarray, " _"]],
    faces: Faces,
    first_step: int,
) -> None:
    """Record the losses of steps on the faces ``at``.

    Raises ``RunError`` at one that is not finite, naming step and faces.
    """
    for step, (value, positions) in enumerate(zip(losses, at, strict=True), start=first_step):
        if not np.isfinite(value):
            more = " ..." if len(positions) > 8 else ""
            names = ", ".join(faces.ids[i] for i in positions[:8]) + more
            setting = "second_phase.optim.lr" if state.phase > 1 else "optim.lr"
            raise RunError(
                f"The loss is {value} in epoch {state.epoch + 1}, step {step + 1}, "
                f"on faces {names}. The last checkpoint is unharmed; lower the learning rate "
                f"(--set {setting}=...) or check these faces (nasion data check)."
            )
        state.losses.append(value)


def record_epoch(
    state: TrainingState, row: dict[str, float], observers: tuple[Observer, ...]
) -> bool:
    """Record a finished epoch and start the next; True if it was the best so far."""
    best = row["val"] < state.best
    state.history.append(row)
    if best:
        state.best, state.best_epoch = row["val"], state.epoch
    state.epoch, state.step, state.losses, state.seconds = state.epoch + 1, 0, [], 0.0
    for observer in observers:
        observer.epoch(state, row)
    return best
