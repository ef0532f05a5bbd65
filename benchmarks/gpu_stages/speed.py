"""Faces per second of training steps: nasion's own, and the bare step in its variants.

The bare step is forward, loss, backward and optimizer on one random batch that stays on the device.
``nasion`` is ``nasion train`` itself on faces of the bundle, by the clock, without validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from nasion.inference.backends.pytorch import to_device
from nasion.landmarks.faces import Faces
from nasion.models.losses import squared_error
from nasion.recipe import Recipe
from nasion.recipe_settings import override
from nasion.recipes import load_recipe
from nasion.training.torch_loop import _optimizer

from .stage import (
    Context,
    Outcome,
    Row,
    card,
    fit_briefly,
    measure_rate,
    seconds_of,
    tiny_changes,
    write_result,
)

# One recipe of every family and size of network, and the dataset of the bundle it trains on.
FAMILIES = {
    "fkd_resnet": "fkd",
    "fkd_best": "fkd",
    "face68": "ibug68",
    "ibug_resnet18": "ibug68",
    "ibug_blur_resnet50": "ibug68",
    "ibug_wide_resnet50": "ibug68",
}
COMPILED = ("face68",)  # compiling takes up to a minute
BATCHES = (1, 4, 16)  # times the recipe's own batch size
# Dense bfloat16 FLOP/s that the makers state.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12, "RTX 4090": 165e12}


@dataclass(frozen=True)
class Variant:
    """How a bare step is run. ``how``: ``eager``, ``compile`` or ``graph`` (CUDA graphs)."""

    bfloat16: bool = True
    tf32: bool = True
    channels_last: bool = True
    how: str = "eager"
    batches: int = 1

    @property
    def name(self) -> str:
        number = "bfloat16" if self.bfloat16 else "TF32" if self.tf32 else "float32"
        layout = "" if self.channels_last else ", NCHW"
        how = {"eager": "", "compile": ", compiled", "graph": ", CUDA graph"}[self.how]
        return f"bare, {number}{layout}{how}"


def run(context: Context) -> Outcome:
    outcome = Outcome(facts={"peak": _peak(), "flops": "2 per multiply-add, forward and backward"})
    for name, dataset in FAMILIES.items():
        recipe = load_recipe(name)
        if context.tiny:
            recipe = override(recipe, tiny_changes(recipe))
        faces = context.faces(dataset, "train")
        flops = _flops_per_face(recipe)
        variants = [Variant(batches=times) for times in BATCHES]
        variants += [Variant(channels_last=False), Variant(bfloat16=False)]
        variants += [Variant(bfloat16=False, tf32=False)]
        if context.on_gpu:
            variants.append(Variant(how="graph"))
            variants += [Variant(how="compile")] if name in COMPILED else []
        rows = [_nasion_row(context, recipe, faces)]
        rows += [_bare_row(context, recipe, each) for each in variants[: 2 if context.tiny else 99]]
        for row in rows:
            row["TFLOP/s"] = row["faces/s"] * flops / 1e12 if row["faces/s"] else None
            if row["faces/s"] and _peak():
                row["% of peak"] = 100 * row["faces/s"] * flops / _peak()
            outcome.rows.append({"recipe": name, **row})
            context.log(f"{name}, {row['what']}: {row['faces/s'] or row.get('error')}")
        outcome.facts[f"profile of {name}"] = _profile(context, recipe, faces)
        outcome.finished = name == list(FAMILIES)[-1]
        write_result(context, outcome)
        if context.seconds_left < 20:
            break
    return outcome


def _peak() -> float | None:
    return next((peak for part, peak in PEAKS.items() if part in card()), None)


def _images(recipe: Recipe, batch: int, device: torch.device) -> torch.Tensor:
    width, height = recipe.spec.input_size
    return torch.rand(batch, recipe.spec.channels, height, width, device=device)


def _flops_per_face(recipe: Recipe) -> float:
    """Of a forward and a backward pass, counted on the CPU."""
    network = recipe.build_network()
    with FlopCounterMode(display=False) as counter:
        network(_images(recipe, 2, torch.device("cpu"))).square().mean().backward()
    return counter.get_total_flops() / 2


def _bare_row(context: Context, recipe: Recipe, variant: Variant) -> Row:
    batch = recipe.batch_size * variant.batches
    row: Row = {"what": variant.name, "batch": batch, "faces/s": None}
    try:
        with _tf32(variant.tf32):
            step = _bare_step(context, recipe, variant, batch)
            count = 1 if context.tiny else 20
            seconds = seconds_of(step, context, count, warm_up=1 if context.tiny else 5)
    except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
        # A variant that does not run here is a result too.
        row["error"] = str(error).splitlines()[0][:80]
        return row
    row |= {"faces/s": batch / seconds, "ms/step": 1000 * seconds}
    if context.on_gpu:
        row["peak MiB"] = torch.cuda.max_memory_allocated() / 2**20
        torch.cuda.reset_peak_memory_stats()
    return row


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def _bare_step(
    context: Context, recipe: Recipe, variant: Variant, batch: int
) -> Callable[[], None]:
    """A function that trains once on a random batch."""
    torch.manual_seed(0)
    network: Any = recipe.build_network().to(context.device).train()
    optimizer = _optimizer(recipe, network)
    images = _images(recipe, batch, context.device)
    images = to_device(images, context.device) if variant.channels_last else images
    kind = context.device.type
    # A graph replays fixed addresses, so autocast must not cache weights between its passes.
    settings = {"enabled": variant.bfloat16, "cache_enabled": variant.how != "graph"}
    if variant.how == "compile":
        network = torch.compile(network)
    elif variant.how == "graph":
        with torch.autocast(kind, torch.bfloat16, **settings):
            network = torch.cuda.make_graphed_callables(network, (images,))
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, **settings):
        target = torch.rand_like(network(images).float())

    def step() -> None:
        with torch.autocast(kind, torch.bfloat16, **settings):
            output = network(images)
        loss = squared_error(output.float(), target).mean()
        optimizer.zero_grad(set_to_none=variant.how != "graph")
        loss.backward()
        optimizer.step()

    return step


def _nasion_row(context: Context, recipe: Recipe, faces: Faces) -> Row:
    rate = measure_rate(recipe, faces, 2 if context.tiny else 4)
    # The last batch of an epoch may be smaller.
    batches = -(-len(faces) // recipe.batch_size)
    return {
        "what": "nasion, whole epochs",
        "batch": recipe.batch_size,
        "faces/s": rate,
        "ms/step": 1000 * len(faces) / rate / batches,
    }


def _profile(context: Context, recipe: Recipe, faces: Faces) -> list[Row]:
    """Where the time of ``nasion train`` goes: the ten costliest operations of an epoch."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU]
    activities += [ProfilerActivity.CUDA] if context.on_gpu else []
    some = faces[: 8 * recipe.batch_size]
    with profile(activities=activities) as found:
        fit_briefly(recipe, some, 1, ())
        context.synchronise()
    on_device = "self_device_time_total" if context.on_gpu else "self_cpu_time_total"
    events = sorted(found.key_averages(), key=lambda event: -getattr(event, on_device))
    return [
        {
            "operation": event.key[:60],
            "calls": event.count,
            "ms, host": event.self_cpu_time_total / 1000,
            "ms, device": getattr(event, on_device) / 1000,
        }
        for event in events[:10]
    ]
