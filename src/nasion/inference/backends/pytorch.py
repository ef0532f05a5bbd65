"""PyTorch networks: load a run, run in the recipe's precision, look inside, export."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasion.array_types import Float32
from nasion.arrays import Array, as_numpy, upload
from nasion.errors import RunError, refusing_damage
from nasion.inference import checkpoint, run_folder
from nasion.inference.backends import Chances
from nasion.model_spec import ModelSpec
from nasion.models.architectures import Architecture
from nasion.models.face_head import FaceHead
from nasion.models.precision import torch_uses_bfloat16
from nasion.recipe import Recipe

OUTPUTS = ("points", "sigma", "face", "visible")  # of an exported file, in this order


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A module that runs in the precision it was trained in.

    ``architecture``: of a run, so that an exported file can say what it is. ``face_head``: of a run
    that has one.
    """

    module: nn.Module
    spec: ModelSpec
    device: torch.device
    bfloat16: bool = False
    architecture: Architecture | None = None
    face_head: FaceHead | None = None

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[Tensor, "B ..."]:
        with torch.inference_mode(), _evaluating(self.module), self._autocast():
            return self.module(to_device(images, self.device)).float()

    def with_chances(
        self, images: Float32[Array, "B C H W"]
    ) -> tuple[Float32[Tensor, "B ..."], Chances | None]:
        """The output, and the chances that the face head predicts; None without one."""
        if self.face_head is None:
            return self(images), None
        with torch.inference_mode(), _evaluating(self.module):
            with self._autocast():
                maps, coarse = features_of(self.module, to_device(images, self.device))
            active, *inputs = head_inputs(self.module, self.spec, maps.float(), coarse.float())
            face, visible = map(torch.sigmoid, self.face_head(*inputs))
        return active, Chances(as_numpy(face), as_numpy(visible))

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
        # The exporter lists what it might have optimised.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            with _evaluating(self.module), warnings.catch_warnings():
                in_pixels = _InPixels(self.module, self.spec, self.face_head).cpu().eval()
                names = OUTPUTS[: len(in_pixels(example))]
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

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    def _first_convolution(self) -> nn.Conv2d:
        convolutions = (layer for layer in self.module.modules() if isinstance(layer, nn.Conv2d))
        first = next(convolutions, None)
        if first is None:
            raise RunError("This network has no convolution, so it has no filters to show.")
        return first


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode; then in its own again, as it may be in training."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


class _InPixels(nn.Module):
    """From pixel values 0 .. 255 to points in pixels of the input, and what else is predicted."""

    def __init__(self, module: nn.Module, spec: ModelSpec, face_head: FaceHead | None) -> None:
        super().__init__()
        self.module, self.face_head, self._spec = module, face_head, spec

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        spec = self._spec
        (low, high), size = spec.pixel_range, spec.input_size
        # Without the guide: its log weights would be computed and thrown away.
        codec: Any = spec.codec.for_inference()
        scaled = images * ((high - low) / 255) + low
        chances: tuple[Tensor, ...] = ()
        if self.face_head is not None:
            active, *inputs = head_inputs(self.module, spec, *features_of(self.module, scaled))
            chances = tuple(map(torch.sigmoid, self.face_head(*inputs)))
        elif hasattr(codec, "activate_linear") and hasattr(self.module, "features"):
            # In two thirds of the head's time.
            maps = features_of(self.module, scaled)[0]
            active = codec.activate_linear(maps, *_head(self.module))
        else:
            active = codec.activate(self.module(scaled), size)
        sigma, shared = codec.sigma(active, size), len(spec.scheme)  # without separate heads
        points = codec.decode(active, size)[:, :shared]
        return (points,) if sigma is None else (points, sigma[:, :shared], *chances)


def features_of(module: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """A pyramid's maps before its head, and its coarsest maps."""
    return module.features(images)


def _head(module: nn.Module) -> tuple[Tensor, Tensor]:
    """The kernel (outputs, C) and bias of a pyramid's head."""
    return module.get_parameter("head.weight").flatten(1), module.get_parameter("head.bias")


def head_inputs(
    module: nn.Module,
    spec: ModelSpec,
    maps: Float32[Tensor, "B C h w"],
    coarse: Float32[Tensor, "B wide y x"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The codec's active output (B, W, 3), and what a face head takes (``models/face_head.py``).

    ``maps`` and ``coarse``: the network's ``features``.
    """
    codec: Any = spec.codec.for_inference()
    kernel, bias = _head(module)
    mean, center = codec.point_features(maps, kernel, bias)
    active = codec.of_point_features(mean, center, kernel, bias)
    shared = len(spec.scheme)  # without separate heads
    return active, coarse.flatten(1), active[:, :shared, 2], mean[:, :shared]


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
    path = folder / run_folder.FACE_HEAD
    head = None
    if path.is_file():
        with refusing_damage(path, RunError, "train again, or delete it."):
            head = FaceHead.of_tensors(checkpoint.load_tensors(path)[0]).to(where)
    module = module.to(where).eval()
    return TorchNetwork(module, recipe.spec, where, bfloat16, recipe.architecture, head)


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
