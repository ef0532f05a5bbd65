"""What the training loops of all frameworks share: where training is, who watches, how an epoch is judged, how it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from nasion import missing
from nasion.arrays import as_numpy, like
from nasion.batches import Canvases
from nasion.doubts import doubtful
from nasion.errors import DataError, RunError
from nasion.faces import Faces
from nasion.losses import masked_mean
from nasion.networks import Network
from nasion.predict import outputs, source_points
from nasion.recipe import Recipe
from nasion.sources import gathered, spread


@dataclass
class State:
    """Where training is; all of it is in the checkpoint.

    ``losses``: of the epoch's steps (Keras: their mean so far). ``last``: the epoch after which training ends at the latest.
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


@runtime_checkable
class Watch(Protocol):
    """What wants to know how training goes."""

    def step(self, state: State, faces_per_second: float) -> None: ...
    def epoch(self, state: State, row: dict[str, float]) -> None: ...


class Interrupted(RunError):
    """Training was stopped by a signal, and saved."""

    def __init__(self, state: State, folder: Any) -> None:
        where = f"in epoch {state.epoch + 1} after step {state.step} of {state.steps}" if state.step else f"after epoch {state.epoch}"
        super().__init__(f"Stopped {where}; everything is saved in {folder}.")


def trained_on(recipe: Recipe, faces: Faces) -> Faces:
    """The training faces that the recipe wants, their missing labels treated as it says, in the scheme that is learnt."""
    sound = faces[~doubtful(faces)] if recipe.doubtful == "drop" else faces
    return spread(missing.treat(sound.to(recipe.scheme), recipe.missing), recipe.apart)


def mean_target(recipe: Recipe, canvas: Canvases) -> Float32[np.ndarray, " C"]:
    """What a network that always says the mean of the labels would say; 0 where there is none."""
    target = recipe.codec.encode(canvas.points, recipe.input_size)
    labels = (~np.isnan(target)).sum(0)
    mean = np.divide(np.nansum(target, axis=0), labels, out=np.zeros(target.shape[1:]), where=labels > 0).astype(np.float32)
    # Where the network says a scale beside x and y, it starts at 1.
    return np.pad(mean, ((0, 0), (0, 1))).reshape(-1) if mean.ndim == 2 else mean


def took_in(state: State, losses: list[float], at: list[Int64[np.ndarray, " B"]], faces: Faces, first_step: int) -> None:
    """Note the losses of steps on the faces ``at``. Raises ``RunError`` at one that is not finite, naming step and faces."""
    for step, (value, positions) in enumerate(zip(losses, at, strict=True), start=first_step):
        if not np.isfinite(value):
            names = ", ".join(faces.ids[i] for i in positions[:8]) + (" ..." if len(positions) > 8 else "")
            raise RunError(
                f"The loss is {value} in epoch {state.epoch + 1}, step {step + 1}, on faces {names}. The last checkpoint is unharmed; "
                f"lower the learning rate (--set {'second_phase.' * (state.phase > 1)}optim.lr=...) or look at these faces (nasion data check)."
            )
        state.losses.append(value)


def validated(network: Network, canvas: Canvases, faces: Faces, recipe: Recipe) -> dict[str, float]:
    """``val``, the recipe's score of the validation faces in their own pixels, and ``val_loss``, the loss over all their labels.

    ``canvas``: of the faces in the scheme that is learnt, each looked at once.
    """
    points, total, count = [], 0.0, 0.0
    for at, output, seen in outputs(network, canvas, recipe):
        points.append(source_points(output, canvas, at, recipe))
        # With the arrays that the loss sees in training.
        target = like(as_numpy(recipe.codec.encode(seen.points, recipe.input_size)), output)
        loss, labels = masked_mean(recipe.loss, recipe.codec.said(output, recipe.input_size), target)
        total, count = total + float(loss * labels), count + float(labels)
    whole = gathered(np.concatenate(points), faces, recipe.apart)
    if not np.isfinite(whole).all():
        raise RunError(f"The network predicts {whole[~np.isfinite(whole)][0]} after this epoch; lower the learning rate.")
    score = float(recipe.score(faces.points, whole).value)
    if not np.isfinite(score):
        raise DataError("The validation faces have no labels to score against; give a validation set that has some.")
    return {"val": score, "val_loss": total / max(count, 1)}


def finished(state: State, row: dict[str, float], watchers: tuple[Watch, ...]) -> bool:
    """Note an epoch that is done, and begin the next; True if it was the best so far."""
    best = row["val"] < state.best
    state.history.append(row)
    if best:
        state.best, state.best_epoch = row["val"], state.epoch
    state.epoch, state.step, state.losses, state.seconds = state.epoch + 1, 0, [], 0.0
    for watch in watchers:
        watch.epoch(state, row)
    return best


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end training after the step; a second one ends it at once."""
    caught: list[int] = []

    def note(number: int, frame: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
