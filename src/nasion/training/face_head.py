"""Training of the face head (``models/face_head.py``) on a network that has learnt its points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nasion.array_types import Float32
from nasion.inference import checkpoint, run_folder
from nasion.inference.backends import pytorch
from nasion.inference.backends.pytorch import TorchNetwork, features_of, head_inputs, to_device
from nasion.landmarks.faces import Faces
from nasion.models.face_head import FaceHead
from nasion.recipe import Recipe
from nasion.training.face_examples import FaceExamples, face_examples

_POSITIVES, _VALIDATED = 6000, 1500  # crops of faces to train on and to calibrate on
_BATCH = 64
_STEPS, _RATE, _DECAY, _DROPPED, _SHOWN = 3000, 1e-3, 0.2, 0.2, 384
_FACE_SHARE = 1 / 2  # of the loss; the rest is for the points


def add_face_head(folder: Path, recipe: Recipe, sides: tuple[Faces, Faces]) -> None:
    """Train a face head for the network of this run, on (training, validation) faces, and keep it.

    The chances are calibrated on the validation faces.
    """
    network = pytorch.load(folder, recipe)
    train, val = (side.to(recipe.spec.scheme) for side in sides)
    head = fit_face_head(network, train, val, recipe.seed)
    checkpoint.save_tensors(folder / run_folder.FACE_HEAD, head.state_dict(), {})


def fit_face_head(network: TorchNetwork, train: Faces, val: Faces, seed: int = 0) -> FaceHead:
    """A calibrated face head for this network."""
    rng = np.random.default_rng(seed)
    shown = face_examples(train, network.spec, network, _POSITIVES, rng)
    inputs = _head_inputs(network, shown.images)
    coarse, log_scale, features = inputs
    torch.manual_seed(seed)
    head = FaceHead(coarse.shape[1], features.shape[2], log_scale.shape[1])
    # On numbers of equal size; the scale goes into the weights afterwards.
    middles = [coarse.mean(0), log_scale.mean(0), features.mean((0, 1))]
    sizes = [coarse.std(0) + 0.01, log_scale.std(0) + 0.01, features.std((0, 1)) + 0.01]
    parts = zip(inputs, middles, sizes, strict=True)
    _train(head, [(part - middle) / size for part, middle, size in parts], shown)
    _unscale(head, middles, sizes)
    unseen = face_examples(val, network.spec, network, _VALIDATED, rng)
    _calibrate(head, _head_inputs(network, unseen.images), unseen)
    return head


def _train(head: FaceHead, inputs: list[Tensor], shown: FaceExamples) -> None:
    coarse, log_scale, features = inputs
    face, visible = torch.from_numpy(shown.face), torch.from_numpy(shown.visible)
    optimizer = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=_DECAY)
    head.train()
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / _STEPS)
        at = torch.randint(0, len(coarse), (_SHOWN,))
        says = head(F.dropout(coarse[at], _DROPPED), log_scale[at], features[at])
        loss = _FACE_SHARE * _cross_entropy(says[0], face[at])
        loss = loss + (1 - _FACE_SHARE) * _cross_entropy(says[1], visible[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head.eval()


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    known = ~torch.isnan(target)
    return F.binary_cross_entropy_with_logits(logits[known], target[known])


@torch.no_grad()
def _unscale(head: FaceHead, middles: list[Tensor], sizes: list[Tensor]) -> None:
    """From a head of standardised numbers to one of the network's own."""
    head.hidden.weight.div_(torch.cat(sizes[:2]))
    head.hidden.bias.sub_(head.hidden.weight @ torch.cat(middles[:2]))
    head.seen.div_(sizes[2])
    head.visible.bias.sub_(head.seen @ middles[2])


def _calibrate(head: FaceHead, inputs: list[Tensor], unseen: FaceExamples) -> None:
    """Scale and shift the logits so that chances are frequencies (Platt, 1999)."""
    with torch.no_grad():
        says = head(*inputs)
    targets = (torch.from_numpy(unseen.face), torch.from_numpy(unseen.visible))
    for logits, target, linear in zip(says, targets, (head.face, head.visible), strict=True):
        scale, shift = _platt(logits, target)
        with torch.no_grad():
            linear.weight.mul_(scale)
            linear.bias.mul_(scale).add_(shift)
            if linear is head.visible:
                head.seen.mul_(scale)


def _platt(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and shift of the logits for which the targets are most likely."""
    scale, shift = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    # Without a line search a first step from far-apart logits may overshoot to a negative scale.
    optimizer = torch.optim.LBFGS([scale, shift], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = _cross_entropy(logits * scale + shift, target)
        value.backward()
        return value

    optimizer.step(loss)
    return scale.detach(), shift.detach()


@torch.no_grad()
def _head_inputs(network: TorchNetwork, images: Float32[np.ndarray, "N C H W"]) -> list[Tensor]:
    """What a face head sees of these images, as ``FaceHead.forward`` takes it."""
    batches, module = [], network.module.eval()
    for start in range(0, len(images), _BATCH):
        batch = to_device(images[start : start + _BATCH], network.device)
        inputs = head_inputs(module, network.spec, *features_of(module, batch))
        batches.append([part.cpu() for part in inputs[1:]])
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]
