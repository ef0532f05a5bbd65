"""The PyTorch loop over Lightning Fabric: step, validate, save. A run that was stopped goes on as if it never had been.

Nothing random is carried along: the order of an epoch, the augmentation and the noise of a step are drawn from
(seed, epoch, step) alone.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32
from lightning_fabric import Fabric
from torch import Tensor, nn

from nasion import missing, run
from nasion.batches import Canvases, batch, canvases, epoch_order
from nasion.doubts import doubtful
from nasion.errors import DataError, RunError
from nasion.faces import Faces
from nasion.losses import masked_mean
from nasion.predict import autocasts, outputs, source_points
from nasion.recipe import Recipe

_UNCHECKED = 16  # steps that an accelerator may run ahead before losses are looked at


@runtime_checkable
class Watch(Protocol):
    """What wants to know how training goes."""

    def step(self, state: State, faces_per_second: float) -> None: ...
    def epoch(self, state: State, row: dict[str, float]) -> None: ...


@dataclass
class State:
    """Where training is; all of it is in the checkpoint."""

    epoch: int = 0
    step: int = 0
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    best: float = float("inf")
    best_epoch: int = -1
    history: list[dict[str, float]] = field(default_factory=list)


class Interrupted(RunError):
    """Training was stopped by a signal, and saved."""


@dataclass(frozen=True, eq=False)
class _Session:
    """What stays the same while a run trains. ``network`` is what Fabric made of ``inner``; they share their weights."""

    fabric: Fabric
    recipe: Recipe
    folder: Path
    network: nn.Module
    inner: nn.Module
    optimizer: torch.optim.Optimizer
    faces: Faces
    canvas: Canvases
    val_faces: Faces
    val_canvas: Canvases
    watchers: tuple[Watch, ...]


def fit(recipe: Recipe, train_faces: Faces, val_faces: Faces, folder: Path, *, resume: bool = False, watchers: tuple[Watch, ...] = ()) -> State:
    """Train a recipe into a run folder that exists already (``run.create``), and tell how it went.

    Raises ``RunError`` when the loss is no longer finite, naming step and faces, and ``Interrupted`` after Ctrl-C.
    """
    session = _prepared(recipe, (train_faces, val_faces), folder, watchers, resume)
    state = _restored(session) if resume else State()
    with _stop_signal() as stopped:
        while state.epoch < recipe.epochs and not _out_of_patience(state, recipe):
            _run_epoch(session, state, stopped)
            if stopped():
                _save(session, state)
                raise Interrupted(f"Stopped in epoch {state.epoch + 1} after step {state.step} of {state.steps}; everything is saved in {folder}.")
            _finish_epoch(session, state)
            _save(session, state)
    return state


def _run_epoch(session: _Session, state: State, stopped: Callable[[], bool]) -> None:
    """Steps until the epoch's end or a signal."""
    session.network.train()
    order = epoch_order(len(session.canvas), session.recipe.batch_size, session.recipe.seed, state.epoch)
    state.steps = len(order)
    waiting: list[tuple[int, np.ndarray, Tensor]] = []
    ahead = 1 if session.fabric.device.type == "cpu" else _UNCHECKED
    for step in range(state.step, len(order)):
        started = time.perf_counter()
        waiting.append((step, order[step], _step(session, state.epoch, step, order)))
        if len(waiting) >= ahead or step == len(order) - 1 or stopped():
            _check(waiting, state, session.faces)
        seconds = time.perf_counter() - started
        state.step, state.seconds = step + 1, state.seconds + seconds
        for watch in session.watchers:
            watch.step(state, len(order[step]) / seconds)
        if stopped():
            return


def _step(session: _Session, epoch: int, step: int, order: list[np.ndarray]) -> Tensor:
    """One step of the optimizer on this process's part of a batch; the whole batch's loss before it."""
    fabric, recipe = session.fabric, session.recipe
    moment = [recipe.seed, epoch, step, fabric.global_rank]
    torch.manual_seed(int(np.random.SeedSequence(moment).generate_state(1)[0]))
    for group in session.optimizer.param_groups:
        group["lr"] = recipe.optim.lr * recipe.schedule(epoch + step / len(order), recipe.epochs)
    at = np.array_split(order[step], fabric.world_size)[fabric.global_rank]
    sample = batch(session.canvas, at, recipe, np.random.default_rng(moment))
    output = session.network(sample.images.contiguous(memory_format=torch.channels_last))
    loss, count = masked_mean(recipe.loss, output, recipe.codec.encode(sample.points, recipe.input_size))
    share = loss
    if fabric.world_size > 1:
        # Weighted by its labels, so that the mean over processes is the mean over the whole batch's labels.
        share = loss * count * fabric.world_size / _over_processes(fabric, count, "sum").clamp(min=1)
        loss = _over_processes(fabric, share.detach(), "mean")
    session.optimizer.zero_grad()
    fabric.backward(share)
    session.optimizer.step()
    return loss.detach()


def _over_processes(fabric: Fabric, value: Tensor, how: str) -> Tensor:
    # A copy, since some backends reduce in place.
    return torch.as_tensor(fabric.all_reduce(value.clone(), reduce_op=how))


def _check(waiting: list[tuple[int, np.ndarray, Tensor]], state: State, faces: Faces) -> None:
    """Take in the losses so far, and stop at one that is not finite."""
    for step, at, loss in waiting:
        value = float(loss)
        if not np.isfinite(value):
            names = ", ".join(faces.ids[i] for i in at[:8]) + (" ..." if len(at) > 8 else "")
            raise RunError(
                f"The loss is {value} in epoch {state.epoch + 1}, step {step + 1}, on faces {names}. The last checkpoint is unharmed; "
                "lower the learning rate (--set optim.lr=...) or look at these faces (nasion data check)."
            )
        state.losses.append(value)
    waiting.clear()


def _finish_epoch(session: _Session, state: State) -> None:
    """Validate, keep the weights if they are the best so far, and note the epoch."""
    recipe, faces = session.recipe, session.val_faces
    points, val_loss = _validated(session)
    if not np.isfinite(points).all():
        raise RunError(
            f"The network predicts {points[~np.isfinite(points)][0]} after epoch {state.epoch + 1}; lower the learning rate (--set optim.lr=...)."
        )
    score = recipe.score(faces.points, points).value
    if not np.isfinite(score):
        raise DataError("The validation faces have no labels to score against; give a validation set that has some.")
    row = {
        "epoch": state.epoch + 1,
        "loss": float(np.mean(state.losses)),
        "val": float(score),
        "val_loss": val_loss,
        "lr": recipe.optim.lr * recipe.schedule(state.epoch, recipe.epochs),
        "seconds": state.seconds,
    }
    state.history.append(row)
    if score < state.best:
        state.best, state.best_epoch = float(score), state.epoch
        if session.fabric.is_global_zero:
            run.save_tensors(session.folder / run.WEIGHTS, session.inner.state_dict(), {"epoch": state.epoch + 1, "val": float(score)})
    state.epoch, state.step, state.losses, state.seconds = state.epoch + 1, 0, [], 0.0
    for watch in session.watchers:
        watch.epoch(state, row)


def _validated(session: _Session) -> tuple[Float32[np.ndarray, "N K 2"], float]:
    """The validation faces' points, in pixels of their pictures, and the loss over all their labels."""
    recipe, canvas = session.recipe, session.val_canvas
    points, total, count = [], 0.0, 0.0
    for at, output, seen in outputs(session.inner, canvas, recipe):
        points.append(source_points(output, canvas, at, recipe))
        loss, labels = masked_mean(recipe.loss, output, recipe.codec.encode(seen.points, recipe.input_size))
        total, count = total + float(loss * labels), count + float(labels)
    return np.concatenate(points), total / max(count, 1)


def _out_of_patience(state: State, recipe: Recipe) -> bool:
    return recipe.patience is not None and state.epoch > 0 and state.epoch - 1 - state.best_epoch >= recipe.patience


def _prepared(recipe: Recipe, sides: tuple[Faces, Faces], folder: Path, watchers: tuple[Watch, ...], resume: bool) -> _Session:
    train_faces, val_faces = sides
    fabric = _fabric(recipe)
    sound = train_faces[~doubtful(train_faces)] if recipe.doubtful == "drop" else train_faces
    faces = missing.treat(sound.to(recipe.scheme), recipe.missing)
    val_faces = val_faces.to(recipe.scheme)
    canvas = canvases(faces, recipe, fabric.device, augmented=True)
    torch.manual_seed(recipe.seed)
    inner = recipe.network(weights_follow=resume)
    if recipe.start_at_mean:
        _start_at_mean(inner, recipe, canvas)
    # Only pictures are channels-last: fused Adam would copy weights in that layout to and fro at every step.
    network, optimizer = fabric.setup(inner, recipe.optim.build(inner))
    return _Session(
        fabric=fabric, recipe=recipe, folder=folder, network=network, inner=inner, optimizer=optimizer, faces=faces, canvas=canvas,
        val_faces=val_faces, val_canvas=canvases(val_faces, recipe, fabric.device), watchers=watchers if fabric.is_global_zero else (),
    )  # fmt: skip


def _start_at_mean(network: nn.Module, recipe: Recipe, canvas: Canvases) -> None:
    target = recipe.codec.encode(torch.from_numpy(canvas.points).float(), recipe.input_size)
    with torch.no_grad():
        mean = torch.nan_to_num(target.nanmean(0))
        ends_in_sigmoid = getattr(recipe.model, "sigmoid", False)
        network.get_parameter("head.bias").copy_(torch.logit(mean.clamp(1e-3, 1 - 1e-3)) if ends_in_sigmoid else mean)


def _fabric(recipe: Recipe) -> Fabric:
    """Devices from the machine or from torchrun, precision from the recipe."""
    workers = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    accelerator = "auto" if torch.cuda.is_available() else "cpu"
    precision = "bf16-mixed" if autocasts(recipe, "cuda" if torch.cuda.is_available() else "cpu") else "32-true"
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # precision is in the run's settings
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    fabric = Fabric(accelerator=accelerator, devices=workers, strategy="ddp" if workers > 1 else "auto", precision=precision)
    fabric.launch()
    return fabric


def _save(session: _Session, state: State) -> None:
    if not session.fabric.is_global_zero:
        return
    tensors = {f"model.{name}": tensor for name, tensor in session.inner.state_dict().items()}
    for index, slots in session.optimizer.state_dict()["state"].items():
        tensors |= {f"optim.{index}.{name}": value for name, value in slots.items()}
    run.save_tensors(session.folder / run.CHECKPOINT, tensors, asdict(state))
    run.write_history(session.folder, state.history)


def _restored(session: _Session) -> State:
    """Load the checkpoint into the network and the optimizer, and tell where training was."""
    tensors, facts = run.load_tensors(session.folder / run.CHECKPOINT)
    session.inner.load_state_dict({name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")})
    parameters = [parameter for group in session.optimizer.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optim."):
            index, name = key.removeprefix("optim.").split(".", 1)
            parameter = parameters[int(index)]
            # In the parameter's own memory layout, else sums run in another order and the last digits differ.
            as_parameter = value.ndim > 0 and value.shape == parameter.shape
            slots.setdefault(int(index), {})[name] = torch.empty_like(parameter).copy_(value) if as_parameter else value
    groups = session.optimizer.state_dict()["param_groups"]
    session.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    return State(**facts)


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
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
