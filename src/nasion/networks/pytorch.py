"""PyTorch networks: loaded from a run, run in the recipe's precision, looked into, exported."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from nasion import run
from nasion.arrays import Array
from nasion.codecs import Anchors, for_prediction
from nasion.errors import RunError
from nasion.recipe import Recipe


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A module that computes outputs as it was trained: in bfloat16 where the recipe's precision says so."""

    module: nn.Module
    recipe: Recipe
    device: torch.device

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[Tensor, "B ..."]:
        was_training = self.module.training
        self.module.eval()
        try:
            with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=autocasts(self.recipe, self.device.type)):
                return self.module(on_device(images, self.device)).float()
        finally:
            self.module.train(was_training)

    def in_float32(self) -> TorchNetwork:
        return replace(self, recipe=replace(self.recipe, precision="float32"))

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        return self._first_layer().weight.detach().float().cpu().numpy()

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        with torch.inference_mode():
            return self._first_layer()(on_device(images, self.device)).float().cpu().numpy()

    def export(self, path: Path) -> None:
        """ONNX from (B, C, H, W), as ``export.py`` says."""
        width, height = self.recipe.input_size
        example = torch.zeros(2, 3 if self.recipe.colour else 1, height, width)
        in_pixels = _InPixels(self.module, self.recipe).cpu().eval()
        names = ["points", "spread"][: len(in_pixels(example))]
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it lists what it might have optimised
        try:
            torch.onnx.export(
                in_pixels, (example,), path, input_names=["pictures"], output_names=names,
                dynamic_shapes=({0: torch.export.Dim("faces")},), dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
        finally:
            self.module.to(self.device)

    def _first_layer(self) -> nn.Conv2d:
        found = next((layer for layer in self.module.modules() if isinstance(layer, nn.Conv2d)), None)
        if found is None:
            raise RunError("This network has no convolution, so it has no filters to look at.")
        return found


class _InPixels(nn.Module):
    """From pixel values 0 .. 255 to points in pixels of the input, and where the network says it, how far off they may be."""

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.module, self._recipe = module, recipe

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        (low, high), codec, size = self._recipe.pixel_range, for_prediction(self._recipe.codec), self._recipe.input_size
        images = pictures * ((high - low) / 255) + low
        before_head = getattr(self.module, "before_head", None)
        if isinstance(codec, Anchors) and before_head is not None:
            kernel, bias = (self.module.get_parameter(f"head.{part}") for part in ("weight", "bias"))
            said = codec.said_of(before_head(images), kernel.flatten(1), bias)  # in two thirds of the head's time
        else:
            said = codec.said(self.module(images), size)
        spread, shared = codec.spread(said, size), len(self._recipe.scheme)  # not the points of sources kept apart
        points = codec.decode(said, size)[:, :shared]
        return (points,) if spread is None else (points, spread[:, :shared])


def load(folder: Path, recipe: Recipe, device: str | None = None) -> TorchNetwork:
    """The best weights of a run. Raises ``RunError`` when there are none, or they do not fit."""
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    module = recipe.network(weights_follow=True)
    try:
        module.load_state_dict(run.load_tensors(folder / run.WEIGHTS)[0])
    except RuntimeError as error:
        raise RunError(f"{folder}: the weights do not fit the recipe in {run.SETTINGS} ({str(error).splitlines()[-1].strip()}).") from error
    return TorchNetwork(module.to(where).eval(), recipe, where)


def on_device(images: Float32[Array, "B C H W"], device: torch.device) -> Float32[Tensor, "B C H W"]:
    """Pictures as a tensor there, channels-last, as networks here are fastest."""
    tensor = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
    return tensor.to(device).contiguous(memory_format=torch.channels_last)


def autocasts(recipe: Recipe, device: str) -> bool:
    """True if the network runs in bfloat16: the recipe insists, or leaves it open and the processor computes in it."""
    if recipe.precision != "auto":
        return recipe.precision == "bfloat16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
