"""PyTorch networks: load a run, run in the recipe's precision, look inside, export."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from nasion.arrays import Array, upload
from nasion.errors import RunError, refusing_damage
from nasion.inference import checkpoint, run_folder
from nasion.model_spec import ModelSpec
from nasion.models.architectures import Architecture
from nasion.models.precision import torch_uses_bfloat16
from nasion.recipe import Recipe


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A module that runs in the precision it was trained in.

    ``architecture``: of a run, so that an exported file can say what it is.
    """

    module: nn.Module
    spec: ModelSpec
    device: torch.device
    bfloat16: bool = False
    architecture: Architecture | None = None

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[Tensor, "B ..."]:
        # Validation uses the module that is being trained: its mode is put back.
        was_training = self.module.training
        self.module.eval()
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)
        try:
            with torch.inference_mode(), autocast:
                return self.module(to_device(images, self.device)).float()
        finally:
            self.module.train(was_training)

    def in_float32(self) -> TorchNetwork:
        return replace(self, bfloat16=False)

    def first_filters(self) -> Float32[np.ndarray, "F C h w"]:
        return self._first_convolution().weight.detach().float().cpu().numpy()

    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]:
        with torch.inference_mode():
            output = self._first_convolution()(to_device(images, self.device))
            return output.float().cpu().numpy()

    def export(self, path: Path) -> None:
        """Write ONNX with (B, C, H, W) input, as ``export.py`` describes."""
        width, height = self.spec.input_size
        # Two faces: torch.export takes a size of 1 for a constant.
        example = torch.zeros(2, self.spec.channels, height, width)
        in_pixels = _InPixels(self.module, self.spec).cpu().eval()
        names = ["points", "sigma"][: len(in_pixels(example))]
        # The exporter lists what it might have optimised.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of PyTorch about itself
                torch.onnx.export(
                    in_pixels,
                    (example,),
                    path,
                    input_names=["images"],
                    output_names=names,
                    dynamic_shapes=({0: torch.export.Dim("faces")},),
                    dynamo=True,
                    external_data=False,
                    verbose=False,
                )
        finally:
            # _InPixels shares the module, so .cpu() has moved it.
            self.module.to(self.device)

    def _first_convolution(self) -> nn.Conv2d:
        convolutions = (layer for layer in self.module.modules() if isinstance(layer, nn.Conv2d))
        first = next(convolutions, None)
        if first is None:
            raise RunError("This network has no convolution, so it has no filters to show.")
        return first


class _InPixels(nn.Module):
    """From pixel values 0 .. 255 to points in pixels of the input, and sigma if predicted."""

    def __init__(self, module: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.module, self._spec = module, spec

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        spec = self._spec
        (low, high), size = spec.pixel_range, spec.input_size
        # Without the guide: its log weights would be computed and thrown away.
        codec = spec.codec.for_inference()
        scaled = images * ((high - low) / 255) + low
        before_head = getattr(self.module, "before_head", None)
        activate_linear = getattr(codec, "activate_linear", None)
        if activate_linear is not None and before_head is not None:
            # In two thirds of the head's time.
            kernel, bias = (self.module.get_parameter(f"head.{p}") for p in ("weight", "bias"))
            active = activate_linear(before_head(scaled), kernel.flatten(1), bias)
        else:
            active = codec.activate(self.module(scaled), size)
        sigma, shared = codec.sigma(active, size), len(spec.scheme)  # without separate heads
        points = codec.decode(active, size)[:, :shared]
        return (points,) if sigma is None else (points, sigma[:, :shared])


def load(folder: Path, recipe: Recipe, device: str | None = None) -> TorchNetwork:
    """A run's kept weights. Raises ``RunError`` if there are none or they do not fit."""
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    _check_shapes(folder, recipe)
    module = recipe.build_network(weights_follow=True)
    # Not in the block below: errors of a damaged file are RuntimeErrors too.
    tensors = checkpoint.load_tensors(folder / run_folder.WEIGHTS)[0]
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunError(
            f"{folder}: the weights do not fit the recipe in {run_folder.SETTINGS} ({reason})."
        ) from error
    bfloat16 = torch_uses_bfloat16(recipe.precision, where.type)
    return TorchNetwork(module.to(where).eval(), recipe.spec, where, bfloat16, recipe.architecture)


def _check_shapes(folder: Path, recipe: Recipe) -> None:
    """Raise ``RunError`` unless the network has the shapes of the weights.

    It is built without memory first: a changed run file may ask for more than there is.
    """
    found = checkpoint.tensor_shapes(folder / run_folder.WEIGHTS)
    place = folder / run_folder.SETTINGS
    with refusing_damage(place, RunError, "train again."), torch.device("meta"):
        network = recipe.build_network(weights_follow=True)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    names = sorted(expected.keys() | found.keys())
    wrong = next((name for name in names if expected.get(name) != found.get(name)), None)
    if wrong is not None:
        raise RunError(
            f"{folder}: the weights do not fit the recipe in {run_folder.SETTINGS} "
            f"({wrong} has shape {found.get(wrong)}, {expected.get(wrong)} expected)."
        )


def to_device(
    images: Float32[Array, "B C H W"], device: torch.device
) -> Float32[Tensor, "B C H W"]:
    """Images as a tensor on this device, channels-last, which is fastest."""
    tensor = upload(torch.from_numpy(images), device) if isinstance(images, np.ndarray) else images
    return tensor.to(device).contiguous(memory_format=torch.channels_last)
