"""What all training loops share: state, preparation, validation, patience, stopping."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from nasion.arrays import as_numpy, like
from nasion.data.annotators import merge_heads, split_heads
from nasion.data.label_outliers import suspect_labels
from nasion.data.missing_labels import handle_missing
from nasion.errors import DataError, RunError
from nasion.inference.backends import Network
from nasion.inference.crops import Crops, crop_faces, plain_batch
from nasion.inference.predictor import BATCH, to_source_points
from nasion.landmarks import metrics
from nasion.landmarks.faces import Faces
from nasion.models.losses import masked_mean
from nasion.recipe import Recipe


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


@runtime_checkable
class Observer(Protocol):
    """Is told how training goes."""

    def step(self, state: TrainingState, faces_per_second: float) -> None: ...
    def epoch(self, state: TrainingState, row: dict[str, float]) -> None: ...


class Interrupted(RunError):
    """Training was stopped by a signal, and everything is saved."""

    def __init__(self, state: TrainingState, folder: Path) -> None:
        where = f"after epoch {state.epoch}"
        if state.step:
            where = f"in epoch {state.epoch + 1} after step {state.step} of {state.steps}"
        super().__init__(f"Stopped {where}; everything is saved in {folder}.")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training and validation faces, prepared as the recipe says, and their crops."""

    faces: Faces
    crops: Crops
    val_faces: Faces
    val_crops: Crops


def prepare_data(recipe: Recipe, train_faces: Faces, val_faces: Faces) -> TrainingData:
    """Select and crop faces as the recipe says."""
    faces = prepare_faces(recipe, train_faces)
    val_faces = val_faces.to(recipe.spec.scheme)
    val_wide = split_heads(val_faces, recipe.spec.separate_heads)
    return TrainingData(
        faces=faces,
        crops=crop_faces(faces, recipe.spec, recipe.augment),
        val_faces=val_faces,
        val_crops=crop_faces(val_wide, recipe.spec),
    )


def prepare_faces(recipe: Recipe, faces: Faces) -> Faces:
    """The training faces: suspect labels dropped, missing ones handled, in the output scheme."""
    # In this order: suspects are told from all points of the dataset's own scheme, and a suspect's
    # labels must not be copied into other faces by forward_fill.
    kept = faces[~suspect_labels(faces)] if recipe.suspect_labels == "drop" else faces
    labelled = handle_missing(kept.to(recipe.spec.scheme), recipe.missing)
    return split_heads(labelled, recipe.spec.separate_heads)


def mean_head_bias(recipe: Recipe, crops: Crops) -> Float32[np.ndarray, " C"]:
    """The head's bias for which a network always predicts the mean of the labels.

    Outputs without any label get 0; a log scale beside x and y gets 0 too.
    """
    assert crops.points is not None
    target = recipe.spec.codec.encode(crops.points, recipe.spec.input_size)
    count = (~np.isnan(target)).sum(0)
    total, zeros = np.nansum(target, axis=0), np.zeros(target.shape[1:])
    mean = np.divide(total, count, out=zeros, where=count > 0).astype(np.float32)
    # (K, 2) targets belong to outputs x, y, log scale: a third column of 0 is a scale of 1.
    outputs = np.pad(mean, ((0, 0), (0, 1))).reshape(-1) if mean.ndim == 2 else mean
    return recipe.architecture.head_bias(outputs)


def record_losses(
    state: TrainingState,
    losses: list[float],
    at: list[Int64[np.ndarray, " B"]],
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


def validate(network: Network, crops: Crops, faces: Faces, recipe: Recipe) -> dict[str, float]:
    """``val``, the RMSE of the validation faces in their own pixels, and ``val_loss``.

    ``crops``: of the faces in the output scheme; each is predicted once, without refinement or
    test-time augmentation.
    """
    spec, points, total, count = recipe.spec, [], 0.0, 0.0
    for start in range(0, len(crops), BATCH):
        at = np.arange(start, min(start + BATCH, len(crops)))
        batch = plain_batch(crops, at, spec)
        output = network(batch.images)
        points.append(to_source_points(output, crops, at, spec))
        # The same arrays that the loss sees in training.
        target = like(as_numpy(spec.codec.encode(batch.points, spec.input_size)), output)
        active = spec.codec.activate(output, spec.input_size)
        loss, labels = masked_mean(recipe.loss, active, target)
        # Weighted by labels, so that the result does not depend on how faces fall into batches.
        total, count = total + float(loss * labels), count + float(labels)
    predicted = merge_heads(np.concatenate(points), faces, spec.separate_heads)
    # Before the RMSE, which would leave NaN out as "not predicted".
    if not np.isfinite(predicted).all():
        value = predicted[~np.isfinite(predicted)][0]
        raise RunError(f"The network predicts {value} after this epoch; lower the learning rate.")
    rmse = metrics.rmse(faces.points, predicted)
    if not np.isfinite(rmse.value):
        raise DataError("The validation faces have no labels; give a validation set that has some.")
    return {"val": float(rmse.value), "val_loss": total / max(count, 1)}


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


def out_of_patience(rows: list[dict[str, float]], patience: int | None) -> bool:
    """True if the last ``patience`` of these epochs brought no better score."""
    if patience is None or not rows:
        return False
    best = min(range(len(rows)), key=lambda i: rows[i]["val"])
    return len(rows) - 1 - best >= patience


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM stop training after the current step; a second one stops it at once."""
    caught: list[int] = []

    def on_signal(number: int, frame: Any) -> None:
        # The second signal: raise from wherever the main thread is.
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.signal(number, on_signal) for number in numbers}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
