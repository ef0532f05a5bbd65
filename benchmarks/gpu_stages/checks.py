"""What nasion computes on the GPU against the CPU, in float32: differences beside tolerances.

Without a GPU the same checks compare PyTorch with NumPy where both compute a part, and PyTorch with
itself where not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import nasion
from nasion.arrays import as_numpy
from nasion.data.augment import Augment, warp
from nasion.data.corrupt import Corrupt
from nasion.inference import checkpoint, run_folder
from nasion.inference.backends.pytorch import to_device
from nasion.inference.crops import augmented_batch, crop_faces
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces
from nasion.models import losses
from nasion.models.codecs import Anchors, Codec, Coordinates, Heatmaps
from nasion.recipe import Recipe
from nasion.recipe_settings import override
from nasion.recipes import load_recipe
from nasion.training.state import Interrupted, Observer
from nasion.training.train import train

from .stage import Context, Outcome, tiny_changes

LOSSES: dict[str, losses.Loss] = {
    "squared_error": losses.squared_error,
    "huber": losses.huber,
    "Wing": losses.Wing(),
    "AdaptiveWing": losses.AdaptiveWing(),
    "LaplaceLikelihood": losses.LaplaceLikelihood(),
    "LaplaceLikelihood, even": losses.LaplaceLikelihood(even=0.5),
    "GaussianLikelihood": losses.GaussianLikelihood(),
    "GaussianLikelihood, even": losses.GaussianLikelihood(even=0.5),
    "GuidedLikelihood": losses.GuidedLikelihood(),
}
CODECS: dict[str, Codec] = {
    "Coordinates": Coordinates(),
    "Coordinates, relative, scale": Coordinates(unit="relative", scale=True),
    "Heatmaps": Heatmaps(),
    "Anchors": Anchors(),
    "Anchors, guided": Anchors(guide=0.5),
}
AUGMENTS = {
    "flip": Augment(flip=0.5),
    "rotate, scale, shift, stretch": Augment(rotate=30, scale=0.2, shift=0.1, stretch=0.1),
    "brightness, contrast": Augment(brightness=0.3, contrast=0.4),
    "saturation": Augment(saturation=0.5),
    "hue": Augment(hue=0.2),
}
CORRUPTIONS = {
    "blur": Corrupt(blur=1.5),
    "noise": Corrupt(noise=0.1),
    "jpeg": Corrupt(jpeg=0.5),
    "occlude": Corrupt(occlude=0.8),
}
NETWORKS = (
    "fkd_resnet",
    "fkd_best",
    "face68",
    "face68_light",
    "imm_nose_khwaja_v2",
    "imm_face_guduguntla",
    "ibug_resnet18",
    "ibug_blur_resnet50",
    "ibug_wide_resnet50",
)
SIZE = (64, 48)  # of the input in the checks of codecs and warps
GREY_LEVELS = 2.0  # that two ways to interpolate or round may differ by, of 255


def run(context: Context) -> Outcome:
    outcome = Outcome()
    with _exact_float32():
        _check_losses(context, outcome)
        _check_codecs(context, outcome)
        _check_images(context, outcome)
        _check_networks(context, outcome)
    _check_resume(context, outcome)
    _check_ddp(context, outcome)
    _check_predictions(context, outcome)
    failed = [row["check"] for row in outcome.rows if not row["ok"]]
    outcome.facts = {"failed": failed, "tolerance of images": f"{GREY_LEVELS} of 255"}
    outcome.ok = not failed
    return outcome


def _add(outcome: Outcome, check: str, difference: float, tolerance: float, note: str = "") -> None:
    fine = bool(np.isfinite(difference)) and difference <= tolerance
    outcome.rows.append(
        {
            "check": check,
            "difference": difference,
            "tolerance": tolerance,
            "ok": fine,
            "note": note,
        }
    )


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Matrix products in full float32: TF32 keeps 10 bits of the mantissa."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def _relative(found: Any, wanted: Any) -> float:
    """The largest difference, as a fraction of the largest value (NaN in the same places)."""
    a, b = as_numpy(found).astype(np.float64), as_numpy(wanted).astype(np.float64)
    if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    scale = max(float(np.nanmax(np.abs(b), initial=0)), 1e-6)
    return float(np.nanmax(np.abs(a - b), initial=0)) / scale


def _relative_rms(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The root mean square of the difference as a fraction of that of the values; NaN stays NaN."""
    a, b = as_numpy(found), as_numpy(wanted)
    return float(np.sqrt(((a - b) ** 2).mean() / (b**2).mean()))


def _check_losses(context: Context, outcome: Outcome) -> None:
    rng = np.random.default_rng(0)
    for name, loss in LOSSES.items():
        guided = getattr(loss, "guided", False)
        numbers = 3 if getattr(loss, "predicts_sigma", False) else 2
        cells = 12 if guided else 0
        output = rng.normal(size=(16, 15, numbers + cells)).astype(np.float32)
        target = rng.normal(size=(16, 15, 2 + cells)).astype(np.float32)
        if guided:
            target[..., 2:] = rng.dirichlet(np.ones(cells), (16, 15))
        if name == "AdaptiveWing":
            output, target = abs(output) / 4, np.clip(abs(target) / 4, 0, 1)
        target[rng.uniform(size=(16, 15)) < 0.3] = np.nan
        found = {}
        for device in (torch.device("cpu"), context.device):
            leaf = torch.tensor(output, device=device, requires_grad=True)
            value, _ = losses.masked_mean(loss, leaf, torch.tensor(target, device=device))
            value.backward()
            assert leaf.grad is not None
            found[device.type] = value, leaf.grad
        exact = losses.masked_mean(loss, output.astype(np.float64), target.astype(np.float64))[0]
        value, gradient = found[context.device.type]
        _add(outcome, f"loss {name}, value", _relative(value, np.array(exact)), 1e-5)
        _add(outcome, f"loss {name}, gradient", _relative(gradient, found["cpu"][1]), 1e-5)


def _check_codecs(context: Context, outcome: Outcome) -> None:
    rng = np.random.default_rng(0)
    scheme = nasion.scheme_named("fkd15")
    points = (rng.uniform(4, 44, (6, len(scheme), 2))).astype(np.float32)
    points[rng.uniform(size=points.shape[:2]) < 0.2] = np.nan
    for name, codec in CODECS.items():
        on_device = torch.tensor(points, device=context.device)
        encoded = codec.encode(points, SIZE)
        _add(
            outcome,
            f"codec {name}, encode",
            _relative(codec.encode(on_device, SIZE), encoded),
            1e-5,
        )
        output = rng.normal(size=(6, *_output_shape(codec, len(scheme)))).astype(np.float32)
        raw = torch.tensor(output, device=context.device)
        for step in ("activate", "decode", "sigma"):
            wanted = getattr(codec, step)(output, SIZE)
            if wanted is None:
                continue
            found = getattr(codec, step)(raw, SIZE)
            _add(outcome, f"codec {name}, {step}", _relative(found, wanted), 1e-4)


def _output_shape(codec: Codec, points: int) -> tuple[int, ...]:
    outputs = codec.outputs(nasion.scheme_named("fkd15"))
    if codec.stride is None:
        return (outputs,)
    return (outputs, SIZE[1] // codec.stride, SIZE[0] // codec.stride)


def _check_images(context: Context, outcome: Outcome) -> None:
    """Warp, each augmentation and each corruption, on faces of the bundle."""
    faces = context.faces("ibug68", "val")[:16]
    recipe = load_recipe("face68")
    spec = replace(recipe.spec, colour=True)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 255, (4, 3, 40, 50)).astype(np.float32)
    turn = geometry.similarity(
        (24, 19), np.array([0.0, 20, -75, 180]), np.ones(4), np.zeros((4, 2))
    )
    moved = warp(torch.tensor(pixels, device=context.device), turn, SIZE)
    _add(outcome, "warp, largest", _levels(moved, warp(pixels, turn, SIZE), 100), GREY_LEVELS)
    parts = [(f"augment {n}", a, Corrupt()) for n, a in AUGMENTS.items()]
    parts += [(f"corrupt {n}", Augment(), c) for n, c in CORRUPTIONS.items()]
    for name, augment, corrupt in parts:
        crops = crop_faces(faces, spec, augment)
        found = []
        for some in (crops, _on(crops, context)):
            batch = augmented_batch(
                some, np.arange(len(faces)), spec, augment, corrupt, np.random.default_rng(1)
            )
            found.append(batch)
        on_cpu, on_device = (batch.images * 127.5 for batch in found)
        if name == "corrupt noise":
            # Drawn on the device, so only its strength is the same.
            gap = abs(float(on_device.std()) - float(on_cpu.std()))
            _add(outcome, f"{name}, standard deviation of images", gap, 1.0)
        elif name == "corrupt jpeg":
            # On a GPU nasion's own transform, on the CPU Pillow's.
            mean = float(abs(as_numpy(on_device) - on_cpu).mean())
            _add(outcome, f"{name}, images", mean, GREY_LEVELS, "mean of all values")
        else:
            levels = _levels(on_device, on_cpu, 99.9)
            _add(outcome, f"{name}, images", levels, GREY_LEVELS, "99.9 % of values")
        _add(outcome, f"{name}, points", _relative(found[1].points, found[0].points), 1e-5)


def _on(crops: Any, context: Context) -> Any:
    """Crops as PyTorch's, also on the CPU, where training leaves them NumPy's."""
    return replace(crops, images=torch.from_numpy(np.array(crops.images)).to(context.device))


def _levels(found: Any, wanted: Any, share: float) -> float:
    """The difference in grey levels that this share (in %) of all values stays below."""
    return float(np.percentile(abs(as_numpy(found) - as_numpy(wanted)), share))


def _check_networks(context: Context, outcome: Outcome) -> None:
    """Forward and backward in float32 and bfloat16, and the memory of a training step."""
    for name in NETWORKS:
        recipe = load_recipe(name)
        if context.tiny:
            recipe = override(recipe, tiny_changes(recipe))
        torch.manual_seed(0)
        network = recipe.build_network().train()
        width, height = recipe.spec.input_size
        images = torch.rand(8, recipe.spec.channels, height, width)
        # Dropout draws from each device's own generator.
        for module in network.modules():
            if isinstance(module, (torch.nn.Dropout, torch.nn.Dropout2d)):
                module.p = 0.0
        wanted = _forward_backward(network, images)
        if context.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        network = network.to(context.device)
        found = _forward_backward(network, to_device(images, context.device))
        _add(outcome, f"network {name}, forward", _relative(found[0], wanted[0]), 1e-3)
        # One rounding of the images changes single values by up to 3 % in a new ResNet-50.
        rms = _relative_rms(found[1], wanted[1])
        _add(outcome, f"network {name}, gradient, relative RMS", rms, 1e-2)
        with torch.autocast(context.device.type, torch.bfloat16):
            half = _forward_backward(network, to_device(images, context.device))
        note = ""
        if context.on_gpu:
            note = f"peak {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB, batch 8"
        rms = _relative_rms(half[0], wanted[0])
        _add(outcome, f"network {name}, bfloat16, relative RMS", rms, 0.5, note)


def _forward_backward(
    network: torch.nn.Module, images: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The output, and the gradient of the head's weights and of the first layer's, as one row."""
    network.zero_grad()
    output = network(images).float()
    output.square().mean().backward()
    gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    parts = [part / part.abs().max().clamp(min=1e-12) for part in (gradients[0], gradients[-2])]
    return output.detach(), torch.cat(parts)


class StopAfter:
    """An observer that stops training as Ctrl-C does, after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, state: Any, faces_per_second: float) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, state: Any, row: Any) -> None:
        pass


def _small_recipe() -> Recipe:
    recipe = load_recipe("face68")
    return override(override(recipe, tiny_changes(recipe)), ["epochs=3"])


def _check_resume(context: Context, outcome: Outcome) -> None:
    """Training stopped in the middle of an epoch and resumed against training in one go."""
    sides = context.faces("ibug68", "train")[:40], context.faces("ibug68", "val")[:12]
    with _deterministic():
        whole = _weights(context, "resume-whole", sides, ())
        stopped = _weights(context, "resume-stopped", sides, (StopAfter(7),))
    difference = max(
        float((whole[name].float() - stopped[name].float()).abs().max()) for name in whole
    )
    _add(outcome, "resume in the middle of an epoch, weights", difference, 0.0)


def _weights(
    context: Context, name: str, sides: tuple[Faces, Faces], observers: tuple[Observer, ...]
) -> dict[str, torch.Tensor]:
    folder = context.out / name
    if not (folder / run_folder.SETTINGS).exists():
        try:
            train(_small_recipe(), sides, run_folder=folder, observers=observers)
        except Interrupted:
            train(_small_recipe(), sides, run_folder=folder, resume=True)
    return checkpoint.load_tensors(folder / run_folder.WEIGHTS)[0]


@contextmanager
def _deterministic() -> Iterator[None]:
    """Without atomic additions, whose order changes the last digits from run to run."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


DDP = """
import sys, torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
backend, accelerator = sys.argv[1:]
strategy = DDPStrategy(process_group_backend=backend)
fabric = Fabric(accelerator=accelerator, devices=1, strategy=strategy)
fabric.launch()
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 2))
network, optimizer = fabric.setup(module, torch.optim.SGD(module.parameters(), 0.1))
from nasion.training.torch_loop import _over_processes
loss = network(torch.ones(2, 1, 8, 8, device=fabric.device)).square().mean()
fabric.backward(loss)
optimizer.step()
total = _over_processes(fabric, loss.detach(), "sum")
print(torch.distributed.get_backend(), float(total) - float(loss))
"""


def _check_ddp(context: Context, outcome: Outcome) -> None:
    """One process of distributed data parallel training, with NCCL (gloo without a GPU)."""
    backend, accelerator = ("nccl", "cuda") if context.on_gpu else ("gloo", "cpu")
    command = [sys.executable, "-c", DDP, backend, accelerator]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29511",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    words = done.stdout.split()
    fine = done.returncode == 0 and len(words) >= 2 and words[-2] == backend
    if not fine:
        context.log(f"DDP failed:\n{done.stdout}\n{done.stderr[-2000:]}")
    _add(outcome, f"DDP, one process, {backend}", float(words[-1]) if fine else np.inf, 1e-6)


def _check_predictions(context: Context, outcome: Outcome) -> None:
    """The shipped networks give the points that they gave where the bundle was made."""
    expected = json.loads((context.bundle / "expected.json").read_text())
    faces = context.faces("ibug68", "val")[: len(next(iter(expected.values())))]
    for name, points in expected.items():
        difference = float(
            np.abs(nasion.load_model(name).predict(faces).points - np.array(points)).max()
        )
        # 8-bit sums may round differently from processor to processor.
        _add(outcome, f"ONNX Runtime, {name}, points in pixels", difference, 1.0)
