"""The PyTorch loop, over Lightning Fabric: step, validate, save.

A stopped run continues as if it had not been stopped. Nothing random is carried along: the order of
an epoch, the augmentation and the noise of a step are drawn from (seed, epoch, step) alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from nasion.arrays import upload
from nasion.errors import RunError, refusing_damage
from nasion.inference import checkpoint, run_folder
from nasion.inference.backends.pytorch import TorchNetwork, to_device
from nasion.inference.crops import Crops, augmented_batch, epoch_order
from nasion.landmarks.faces import Faces
from nasion.models.losses import masked_mean
from nasion.models.optim import Adam
from nasion.models.precision import torch_uses_bfloat16
from nasion.recipe import Recipe
from nasion.training.prepare import mean_head_bias, prepare_data
from nasion.training.processes import process_count
from nasion.training.starting_network import starting_module
from nasion.training.state import (
    Interrupted,
    Observer,
    TrainingState,
    record_epoch,
    record_losses,
    saved_state,
)
from nasion.training.stopping import out_of_patience, stop_signal
from nasion.training.validation import validate

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Session:
    """What stays the same while a run trains.

    ``network`` is what Fabric made of ``module``; they share their weights. ``kept`` is what is
    validated and kept: the moving average of the weights, or ``module`` itself.
    """

    fabric: Fabric
    recipe: Recipe
    folder: Path
    network: nn.Module
    module: nn.Module
    kept: nn.Module
    optimizer: torch.optim.Optimizer
    faces: Faces
    crops: Crops
    val_faces: Faces
    val_crops: Crops
    observers: tuple[Observer, ...]

    @property
    def has_average(self) -> bool:
        return self.kept is not self.module


def fit(
    recipe: Recipe,
    train_faces: Faces,
    val_faces: Faces,
    folder: Path,
    *,
    resume: bool = False,
    observers: tuple[Observer, ...] = (),
) -> TrainingState:
    """Train a recipe into a run folder made by ``run_folder.create``.

    Raises ``RunError`` if the loss is no longer finite, naming step and faces, and ``Interrupted``
    after Ctrl-C.
    """
    session = _start_session(recipe, (train_faces, val_faces), folder, observers, resume)
    state = _restore(session) if resume else TrainingState()
    state.last = recipe.epochs
    if recipe.init_from and not resume:
        _keep_start(session, state)
        _save(session, state)
    with stop_signal() as signalled:
        stopped = _in_any_process(session.fabric, signalled)
        while state.epoch < recipe.epochs and not out_of_patience(state.history, recipe.patience):
            _run_epoch(session, state, stopped)
            if stopped():
                _save(session, state)
                raise Interrupted(state, folder)
            _finish_epoch(session, state)
            _save(session, state)
    return state


def _run_epoch(session: _Session, state: TrainingState, stopped: Callable[[], bool]) -> None:
    """Steps until the epoch's end or a signal."""
    session.network.train()
    recipe = session.recipe
    processes = session.fabric.world_size
    faces, epoch = len(session.crops), (recipe.seed, state.epoch)
    order = epoch_order(faces, recipe.batch_size, *epoch, processes, recipe.repeats)
    state.steps = len(order)
    pending: list[tuple[np.ndarray, Tensor]] = []
    # Reading a loss waits for the device. Within an epoch a GPU is never waited for.
    ahead = 1 if session.fabric.device.type == "cpu" else len(order)
    for step in range(state.step, len(order)):
        started = time.perf_counter()
        pending.append((order[step], _step(session, state.epoch, step, order)))
        # Once a step: a signal after this is for the next one, and no loss stays pending.
        stops = stopped()
        if len(pending) >= ahead or step == len(order) - 1 or stops:
            losses = torch.stack([loss for _, loss in pending]).tolist()
            at = [faces for faces, _ in pending]
            record_losses(state, losses, at, session.faces, step + 1 - len(pending))
            pending.clear()
        seconds = time.perf_counter() - started
        state.step, state.seconds = step + 1, state.seconds + seconds
        for observer in session.observers:
            observer.step(state, len(order[step]) / seconds)
        if stops:
            return


def _step(session: _Session, epoch: int, step: int, order: list[np.ndarray]) -> Tensor:
    """One optimizer step on this process's part of a batch; the whole batch's loss before it."""
    fabric, recipe, spec = session.fabric, session.recipe, session.recipe.spec
    moment = [recipe.seed, epoch, step, fabric.global_rank]
    # For what the network draws itself (dropout). SeedSequence mixes its numbers, so that
    # neighbouring steps and ranks have unrelated seeds.
    torch.manual_seed(int(np.random.SeedSequence(moment).generate_state(1)[0]))
    # Per step: schedules are functions of the fraction of training.
    factor = recipe.schedule(epoch + step / len(order), recipe.epochs)
    for group in session.optimizer.param_groups:
        group["lr"] = recipe.optim.lr * factor
    # Every process draws the whole order and takes its part of the batch.
    at = np.array_split(order[step], fabric.world_size)[fabric.global_rank]
    now, rng = recipe.in_epoch(epoch), np.random.default_rng(moment)
    batch = augmented_batch(session.crops, at, spec, now.augment, now.corrupt, rng)
    output = session.network(to_device(batch.images, fabric.device))
    target = spec.codec.encode(batch.points, spec.input_size)
    target = upload(torch.as_tensor(target), fabric.device)
    active = spec.codec.activate(output, spec.input_size)
    loss, count = masked_mean(recipe.loss, active, target)
    share = loss
    if fabric.world_size > 1:
        # DDP averages gradients over processes. Scaled by its labels' part of the batch and the
        # number of processes, that average is the gradient of the mean over all labels.
        total = _over_processes(fabric, count, "sum").clamp(min=1)
        share = loss * count * fabric.world_size / total
        loss = _over_processes(fabric, share.detach(), "mean")
    session.optimizer.zero_grad()
    fabric.backward(share)
    session.optimizer.step()
    if session.has_average:
        _update_average(session.kept, session.module, recipe.ema_decay, epoch * len(order) + step)
    return loss.detach()


@torch.no_grad()
def _update_average(kept: nn.Module, now: nn.Module, decay: float, steps: int) -> None:
    """Exponential moving average of the weights, faster at first so that the start is forgotten."""
    # After t steps the newest weights count 9 / (10 + t), until that is less than 1 - decay.
    weight = 1 - min(decay, (1 + steps) / (10 + steps))
    # state_dict, not parameters: a norm's running statistics are averaged too. Its counter of
    # batches is a whole number and is copied.
    pairs = list(zip(kept.state_dict().values(), now.state_dict().values(), strict=True))
    average = get_ema_multi_avg_fn(1 - weight)
    averaged = [(old, new) for old, new in pairs if old.is_floating_point()]
    average([old for old, _ in averaged], [new for _, new in averaged], steps)
    for old, new in pairs:
        if not old.is_floating_point():
            old.copy_(new)


def _over_processes(fabric: Fabric, value: Tensor, how: str) -> Tensor:
    # A copy, since some backends reduce in place.
    return torch.as_tensor(fabric.all_reduce(value.clone(), reduce_op=how))


def _in_any_process(fabric: Fabric, stopped: Callable[[], bool]) -> Callable[[], bool]:
    """Whether any process was told to stop, so that all of them stop after the same step.

    All processes call it together.
    """
    if fabric.world_size == 1:
        return stopped
    # Over the CPU, so that no GPU is waited for.
    group = distributed.new_group(backend="gloo")

    def stopped_anywhere() -> bool:
        flag = torch.tensor(int(stopped()))
        distributed.all_reduce(flag, op=distributed.ReduceOp.MAX, group=group)
        return bool(flag)

    return stopped_anywhere


def _share_buffers(session: _Session) -> None:
    """Give every process the first one's buffers.

    Each has the batch-norm statistics of its own part of the last batch. DDP shares them only at
    the next forward pass, and never those of the average.
    """
    if session.fabric.world_size == 1:
        return
    for module in dict.fromkeys((session.module, session.kept)):
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)


def _keep_start(session: _Session, state: TrainingState) -> None:
    """Keep the starting weights until an epoch is better: with very few faces none may be."""
    state.best = _validate(session)["val"]
    _log.info("Before training: val %.4g", state.best)
    _keep(session, state, state.best)


def _validate(session: _Session) -> dict[str, float]:
    """The validation scores, the same in every process: what follows from them is, too."""
    recipe, device = session.recipe, session.fabric.device
    _share_buffers(session)
    bfloat16 = torch_uses_bfloat16(recipe.precision, device.type)
    network = TorchNetwork(session.kept, recipe.spec, device, bfloat16)
    scores = validate(network, session.val_crops, session.val_faces, recipe)
    # The first one's: on unlike devices the last digits may differ.
    return session.fabric.broadcast(scores)


def _keep(session: _Session, state: TrainingState, val: float) -> None:
    # Every process validates and knows the best epoch; one writes.
    if session.fabric.is_global_zero:
        path = session.folder / run_folder.WEIGHTS
        facts = {"epoch": state.epoch, "val": val}
        checkpoint.save_tensors(path, session.kept.state_dict(), facts)


def _finish_epoch(session: _Session, state: TrainingState) -> None:
    """Validate, record the epoch, and keep the weights if they are the best so far."""
    recipe = session.recipe
    row = {
        "epoch": state.epoch + 1,
        "loss": float(np.mean(state.losses)),
        **_validate(session),
        "lr": recipe.optim.lr * recipe.schedule(state.epoch, recipe.epochs),
        "seconds": state.seconds,
    }
    # This moves `state` on to the next epoch.
    best = record_epoch(state, row, session.observers)
    if best or recipe.keep == "last":
        _keep(session, state, row["val"])


def _start_session(
    recipe: Recipe,
    sides: tuple[Faces, Faces],
    folder: Path,
    observers: tuple[Observer, ...],
    resume: bool,
) -> _Session:
    fabric = _fabric(recipe)
    data = prepare_data(recipe, *sides)
    # The first weights follow from the seed, in every process alike.
    torch.manual_seed(recipe.seed)
    # When resuming, _restore fills the network.
    if recipe.init_from and not resume:
        module = starting_module(recipe, data.faces)
    else:
        module = recipe.build_network(weights_follow=resume)
    if recipe.start_at_mean:
        bias = torch.from_numpy(mean_head_bias(recipe, data.crops))
        with torch.no_grad():
            module.get_parameter("head.bias").copy_(bias)
    # Only images are channels-last: fused Adam would copy weights in that layout at every step.
    network, optimizer = fabric.setup(module, _optimizer(recipe, module))
    return _Session(
        fabric=fabric,
        recipe=recipe,
        folder=folder,
        network=network,
        module=module,
        # Without an average both names mean one module.
        kept=deepcopy(module).requires_grad_(False) if recipe.ema_decay else module,
        optimizer=optimizer,
        faces=data.faces,
        crops=data.crops.to(fabric.device),
        val_faces=data.val_faces,
        val_crops=data.val_crops.to(fabric.device),
        observers=observers if fabric.is_global_zero else (),
    )


def _optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    optim, parameters = recipe.optim, list(network.parameters())
    if not isinstance(optim, Adam):
        return torch.optim.SGD(parameters, lr=optim.lr, momentum=optim.momentum, fused=True)
    if not optim.weight_decay:
        return torch.optim.Adam(parameters, lr=optim.lr, betas=optim.betas, fused=True)
    # Norms and biases, which have one axis, are not decayed.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": optim.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas, fused=True)


def _fabric(recipe: Recipe) -> Fabric:
    """Devices from the machine or from torchrun, precision from the recipe."""
    # Set by torchrun: how many processes it started on this machine.
    processes = process_count("LOCAL_WORLD_SIZE")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    in_bfloat16 = torch_uses_bfloat16(recipe.precision, device)
    # It announces the precision, which is in the run's settings.
    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator="auto" if device == "cuda" else "cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        precision="bf16-mixed" if in_bfloat16 else "32-true",
    )
    fabric.launch()
    return fabric


def _save(session: _Session, state: TrainingState) -> None:
    if not session.fabric.is_global_zero:
        return
    # One flat file; prefixes tell the model's tensors from the average's and the optimizer's.
    tensors = {f"model.{name}": t for name, t in session.module.state_dict().items()}
    if session.has_average:
        tensors |= {f"ema.{name}": t for name, t in session.kept.state_dict().items()}
    for index, slots in session.optimizer.state_dict()["state"].items():
        tensors |= {f"optim.{index}.{name}": value for name, value in slots.items()}
    path = session.folder / run_folder.CHECKPOINT
    checkpoint.save_tensors(path, tensors, asdict(state))
    run_folder.write_history(session.folder, state.history)


def _restore(session: _Session) -> TrainingState:
    """Load the checkpoint into network and optimizer; where training was."""
    path = session.folder / run_folder.CHECKPOINT
    tensors, facts = checkpoint.load_tensors(path)
    # A checkpoint of another network or optimizer, as each of them would put it.
    with refusing_damage(path, RunError, "continue with the version that made it."):
        _restore_tensors(session, tensors)
    return saved_state(facts, path)


def _restore_tensors(session: _Session, tensors: dict[str, Tensor]) -> None:
    session.module.load_state_dict(_below(tensors, "model."))
    if session.has_average:
        session.kept.load_state_dict(_below(tensors, "ema."))
    groups = session.optimizer.param_groups
    parameters = [parameter for group in groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in _below(tensors, "optim.").items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.ndim > 0 and value.shape == parameter.shape:
            # In the parameter's own memory layout; else sums run in another order and the last
            # digits differ.
            value = torch.empty_like(parameter).copy_(value)
        slots.setdefault(int(index), {})[name] = value
    # Groups are settings of the recipe, not state: the fresh optimizer's own are used.
    saved_groups = session.optimizer.state_dict()["param_groups"]
    session.optimizer.load_state_dict({"state": slots, "param_groups": saved_groups})


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
