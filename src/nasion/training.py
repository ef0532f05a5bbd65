"""The PyTorch loop over Lightning Fabric: step, validate, save. A run that was stopped goes on as if it never had been.

Nothing random is carried along: the order of an epoch, the augmentation and the noise of a step are drawn from
(seed, epoch, step) alone.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from nasion import run
from nasion.batches import Canvases, batch, canvases, epoch_order
from nasion.faces import Faces
from nasion.loop import Interrupted, State, Watch, finished, mean_target, stop_signal, took_in, trained_on, validated
from nasion.losses import masked_mean
from nasion.networks.pytorch import TorchNetwork, autocasts, load, on_device
from nasion.optim import Adam
from nasion.recipe import Recipe
from nasion.sources import spread

_UNCHECKED = 16  # steps that an accelerator may run ahead before losses are looked at


@dataclass(frozen=True, eq=False)
class _Session:
    """What stays the same while a run trains. ``network`` is what Fabric made of ``inner``; they share their weights.

    ``kept`` is what is judged and kept: the average of the weights over the steps, or ``inner`` itself.
    """

    fabric: Fabric
    recipe: Recipe
    folder: Path
    network: nn.Module
    inner: nn.Module
    kept: nn.Module
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
    state.last = recipe.epochs
    with stop_signal() as stopped:
        while state.epoch < recipe.epochs and not _out_of_patience(state, recipe):
            _run_epoch(session, state, stopped)
            if stopped():
                _save(session, state)
                raise Interrupted(state, folder)
            _finish_epoch(session, state)
            _save(session, state)
    return state


def _run_epoch(session: _Session, state: State, stopped: Callable[[], bool]) -> None:
    """Steps until the epoch's end or a signal."""
    session.network.train()
    order = epoch_order(len(session.canvas), session.recipe.batch_size, session.recipe.seed, state.epoch)
    state.steps = len(order)
    waiting: list[tuple[np.ndarray, Tensor]] = []
    ahead = 1 if session.fabric.device.type == "cpu" else _UNCHECKED
    for step in range(state.step, len(order)):
        started = time.perf_counter()
        waiting.append((order[step], _step(session, state.epoch, step, order)))
        if len(waiting) >= ahead or step == len(order) - 1 or stopped():
            took_in(state, [float(loss) for _, loss in waiting], [at for at, _ in waiting], session.faces, step + 1 - len(waiting))
            waiting.clear()
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
    sample = batch(session.canvas, at, recipe.in_epoch(epoch), np.random.default_rng(moment))
    output = session.network(on_device(sample.images, fabric.device))
    target = torch.as_tensor(recipe.codec.encode(sample.points, recipe.input_size), device=fabric.device)
    loss, count = masked_mean(recipe.loss, recipe.codec.said(output, recipe.input_size), target)
    share = loss
    if fabric.world_size > 1:
        # Weighted by its labels, so that the mean over processes is the mean over the whole batch's labels.
        share = loss * count * fabric.world_size / _over_processes(fabric, count, "sum").clamp(min=1)
        loss = _over_processes(fabric, share.detach(), "mean")
    session.optimizer.zero_grad()
    fabric.backward(share)
    session.optimizer.step()
    if session.kept is not session.inner:
        _average(session.kept, session.inner, recipe.average, epoch * len(order) + step)
    return loss.detach()


@torch.no_grad()
def _average(kept: nn.Module, now: nn.Module, decay: float, steps: int) -> None:
    """Draw the kept weights towards those of this step, at first faster, so that the start is soon forgotten."""
    share = 1 - min(decay, (1 + steps) / (10 + steps))
    for old, new in zip(kept.state_dict().values(), now.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, share)
        else:
            old.copy_(new)


def _over_processes(fabric: Fabric, value: Tensor, how: str) -> Tensor:
    # A copy, since some backends reduce in place.
    return torch.as_tensor(fabric.all_reduce(value.clone(), reduce_op=how))


def _finish_epoch(session: _Session, state: State) -> None:
    """Validate, note the epoch, and keep the weights if they are the best so far."""
    recipe = session.recipe
    row = {
        "epoch": state.epoch + 1,
        "loss": float(np.mean(state.losses)),
        **validated(TorchNetwork(session.kept, recipe, session.fabric.device), session.val_canvas, session.val_faces, recipe),
        "lr": recipe.optim.lr * recipe.schedule(state.epoch, recipe.epochs),
        "seconds": state.seconds,
    }
    best = finished(state, row, session.watchers)
    if (best or recipe.keep == "last") and session.fabric.is_global_zero:
        run.save_tensors(session.folder / run.WEIGHTS, session.kept.state_dict(), {"epoch": state.epoch, "val": row["val"]})


def _out_of_patience(state: State, recipe: Recipe) -> bool:
    return recipe.patience is not None and state.epoch > 0 and state.epoch - 1 - state.best_epoch >= recipe.patience


def _prepared(recipe: Recipe, sides: tuple[Faces, Faces], folder: Path, watchers: tuple[Watch, ...], resume: bool) -> _Session:
    train_faces, val_faces = sides
    fabric = _fabric(recipe)
    faces = trained_on(recipe, train_faces)
    val_faces = val_faces.to(recipe.scheme)
    canvas = canvases(faces, recipe, augmented=True)
    torch.manual_seed(recipe.seed)
    inner = recipe.network(weights_follow=resume)
    if recipe.start_at_mean:
        _start_at_mean(inner, recipe, canvas)
    if recipe.start and not resume:
        inner.load_state_dict(load(Path(recipe.start), recipe, "cpu").module.state_dict())
    # Only pictures are channels-last: fused Adam would copy weights in that layout to and fro at every step.
    network, optimizer = fabric.setup(inner, _optimizer(recipe, inner))
    kept = deepcopy(inner).requires_grad_(False) if recipe.average else inner
    val_canvas = canvases(spread(val_faces, recipe.apart), recipe)
    return _Session(
        fabric=fabric, recipe=recipe, folder=folder, network=network, inner=inner, kept=kept, optimizer=optimizer, faces=faces,
        canvas=canvas.to(fabric.device), val_faces=val_faces, val_canvas=val_canvas.to(fabric.device),
        watchers=watchers if fabric.is_global_zero else (),
    )  # fmt: skip


def _optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    optim = recipe.optim
    if isinstance(optim, Adam) and optim.weight_decay:
        # Norms and biases, which have one axis, are spared.
        groups = [
            {"params": [p for p in network.parameters() if (p.ndim > 1) == decays], "weight_decay": optim.weight_decay * decays}
            for decays in (True, False)
        ]
        return torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas, fused=True)
    if isinstance(optim, Adam):
        return torch.optim.Adam(network.parameters(), lr=optim.lr, betas=optim.betas, fused=True)
    return torch.optim.SGD(network.parameters(), lr=optim.lr, momentum=optim.momentum, fused=True)


def _start_at_mean(network: nn.Module, recipe: Recipe, canvas: Canvases) -> None:
    mean = torch.from_numpy(mean_target(recipe, canvas))
    with torch.no_grad():
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
    if session.kept is not session.inner:
        tensors |= {f"average.{name}": tensor for name, tensor in session.kept.state_dict().items()}
    for index, slots in session.optimizer.state_dict()["state"].items():
        tensors |= {f"optim.{index}.{name}": value for name, value in slots.items()}
    run.save_tensors(session.folder / run.CHECKPOINT, tensors, asdict(state))
    run.write_history(session.folder, state.history)


def _restored(session: _Session) -> State:
    """Load the checkpoint into the network and the optimizer, and tell where training was."""
    tensors, facts = run.load_tensors(session.folder / run.CHECKPOINT)
    session.inner.load_state_dict({name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")})
    if session.kept is not session.inner:
        session.kept.load_state_dict({name.removeprefix("average."): value for name, value in tensors.items() if name.startswith("average.")})
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
