"""Weights to train on from, out of an exported ONNX file of a PyTorch network.

Exporting joins each norm with the convolution before it, and int8 rounds its weights. Here they
become a network again whose norms can be trained: it computes what the file computes, which is
checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasion.array_types import Float32
from nasion.arrays import as_numpy
from nasion.errors import RunError, requires_extra
from nasion.inference.backends.onnx import open_file
from nasion.model_spec import ModelSpec
from nasion.models.codecs import Anchors, Codec

_AGREEMENT = 0.02  # of the input's longer side: mean distance of the points at which both agree
_BATCH = 64
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _File:
    """An ONNX graph's nodes, and its constants by name, in float32."""

    nodes: list[Any]
    constants: Arrays


def load_weights(
    path: Path, module: nn.Module, spec: ModelSpec, images: Float32[np.ndarray, "N C H W"]
) -> None:
    """Fill a new module with the weights of an exported file.

    ``spec``: as it was trained. ``images``: some of the faces to train on, in the spec's pixel
    range; norms get their statistics. Raises ``RunError`` if the module then computes other points
    than the file.
    """
    file, given = _read(path), torch.from_numpy(images)
    _fill_body(path, module.eval(), file.constants, given)
    _fill_head(path, module, spec, file, given[:_BATCH])
    _measure_norms(module, given)


def _read(path: Path) -> _File:
    with requires_extra("Training an exported network further", "export"):
        import onnx
        from onnx import numpy_helper
    graph = onnx.load(path).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    constants = dict(stored)
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values, scale, zero = (stored[name] for name in node.input)
            # Weights have a scale per output channel, biases and single numbers one.
            shape = (-1, *[1] * (values.ndim - 1)) if scale.ndim else ()
            whole = values.astype(np.float32) - zero.astype(np.float32).reshape(shape)
            constants[node.output[0]] = whole * scale.reshape(shape)
            # Its name before quantization.
            constants[node.input[0].removesuffix("_quantized")] = constants[node.output[0]]
        if node.op_type == "Cast" and node.input[0] in stored:
            constants[node.output[0]] = stored[node.input[0]].astype(np.float32)
        if node.op_type in ("Reshape", "Slice") and all(name in constants for name in node.input):
            constants[node.output[0]] = _rearranged(node, constants)
    return _File(list(graph.node), constants)


def _rearranged(node: Any, constants: Arrays) -> np.ndarray:
    """What a node makes of constants, that the exporter did not compute."""
    values, *numbers = (constants[name] for name in node.input)
    if node.op_type == "Reshape":
        return values.reshape(numbers[0])
    axes = [slice(None)] * values.ndim
    for start, end, axis, step in zip(*(each.tolist() for each in numbers), strict=True):
        axes[axis] = slice(start, end, step)
    return values[tuple(axes)]


def _fill_body(path: Path, module: nn.Module, constants: Arrays, images: Tensor) -> None:
    """Convolutions with their norms, and all that is not the head, by the names in the file."""
    norms = _norm_after_convolution(module, images)
    missing = []
    for name, layer in module.named_modules():
        if name == "head" or not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        weight = constants.get(f"module.{name}.weight")
        if weight is None or weight.shape != tuple(layer.weight.shape):
            missing.append(name)
            continue
        _set(layer.weight, weight)
        joined = constants.get(f"module.{name}.weight_bias", constants.get(f"module.{name}.bias"))
        norm = norms.get(name)
        if norm is not None and joined is not None:
            _neutral(norm, joined)
        elif layer.bias is not None and joined is not None:
            _set(layer.bias, joined)
        elif norm is not None or layer.bias is not None:
            missing.append(name)
    if missing:
        raise _not_readable(path, f"it has no weights for {missing[0]}")


def _norm_after_convolution(module: nn.Module, images: Tensor) -> dict[str, nn.BatchNorm2d]:
    """The norm whose input is what a convolution outputs, by the convolution's name."""
    made_by: dict[int, str] = {}
    found: dict[str, nn.BatchNorm2d] = {}
    alive: list[Tensor] = []  # so that no address is used twice
    hooks = []
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):

            def made(_: Any, __: Any, output: Tensor, name: str = name) -> None:
                alive.append(output)
                made_by[id(output)] = name

            hooks.append(layer.register_forward_hook(made))
        if isinstance(layer, nn.BatchNorm2d):

            def used(layer: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
                if id(inputs[0]) in made_by:
                    found[made_by[id(inputs[0])]] = layer

            hooks.append(layer.register_forward_pre_hook(used))
    with torch.no_grad():
        module(images[:1])
    for hook in hooks:
        hook.remove()
    return found


@torch.no_grad()
def _neutral(norm: nn.BatchNorm2d, bias: np.ndarray) -> None:
    """Make a norm add this bias and nothing else."""
    running_mean, running_var = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    running_mean.zero_()
    running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1.0)
    _set(norm.bias, bias)


def _fill_head(path: Path, module: nn.Module, spec: ModelSpec, file: _File, images: Tensor) -> None:
    """The head, whose rows of an anchor network are apart in the file; the order that agrees."""
    head: Any = module.get_submodule("head")
    expected = _points_of_file(path, spec, images)
    best, kept = np.inf, None
    for weight, bias in _heads(spec.codec, file, head.weight.numel()):
        if weight.size != head.weight.numel():
            continue
        _set(head.weight, weight.reshape(tuple(head.weight.shape)))
        _set(head.bias, bias)
        with torch.no_grad():
            points = spec.codec.decode(module(images).float(), spec.input_size)
        shared = as_numpy(points)[:, : expected.shape[1]]
        distance = float(np.linalg.norm(shared - expected, axis=-1).mean())
        if distance < best:
            best, kept = distance, (head.weight.clone(), head.bias.clone())
    # Written as "not <=": NaN is refused too.
    if kept is None or not best <= _AGREEMENT * max(spec.input_size):
        raise _not_readable(path, f"its points would be {best:.3g} pixels off")
    with torch.no_grad():
        head.weight.copy_(kept[0])
        head.bias.copy_(kept[1])


def _heads(codec: Codec, file: _File, numbers: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of the head, of so many numbers, in every order that is possible."""
    if not isinstance(codec, Anchors):
        weight, bias = (file.constants.get(f"module.head.{part}") for part in ("weight", "bias"))
        return [] if weight is None or bias is None else [(weight, bias)]
    logits, others = None, []
    for node in file.nodes:
        constants = [file.constants[name] for name in node.input if name in file.constants]
        # A quarter of the numbers each; others are of the face head.
        constants = [each for each in constants if each.ndim == 2 and 4 * each.size == numbers]
        bias = _added_after(node, file) if constants else None
        if bias is None:
            continue
        if node.op_type == "MatMul" and logits is None:
            logits = constants[0], bias
        if node.op_type == "Mul":
            others.append((constants[0], bias))
    if logits is None:
        return []
    # x, y and log scale: the file does not say which is which.
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for order in permutations(others):
        weights, biases = zip(logits, *order, strict=True)
        found.append((np.concatenate(weights), np.concatenate(biases)))
    return found


def _added_after(node: Any, file: _File) -> np.ndarray | None:
    """The constant that is added to what a node computes, at once or after a sum."""
    output = node.output[0]
    for other in file.nodes:
        if output not in other.input:
            continue
        if other.op_type == "Add":
            found = [file.constants[name] for name in other.input if name in file.constants]
            return found[0].reshape(-1) if found else None
        if other.op_type == "ReduceSum":
            return _added_after(other, file)
    return None


def _points_of_file(path: Path, spec: ModelSpec, images: Tensor) -> Float32[np.ndarray, "B K 2"]:
    exported, (low, high) = open_file(path), spec.pixel_range
    # The file takes pixel values 0 to 255.
    output = exported.network((images.numpy() - low) * np.float32(255 / (high - low)))
    return as_numpy(exported.spec.codec.decode(output, exported.spec.input_size))


@torch.no_grad()
def _measure_norms(module: nn.Module, images: Tensor) -> None:
    """Give norms the statistics of these images; what the network computes stays the same."""
    sums: dict[nn.BatchNorm2d, list[Any]] = {}

    def add(norm: nn.Module, inputs: tuple[Tensor], _: Tensor) -> None:
        values = inputs[0].double()
        assert isinstance(norm, nn.BatchNorm2d)
        count, total, squares = sums.setdefault(norm, [0, 0.0, 0.0])
        count += values.numel() // values.shape[1]
        sums[norm] = [count, total + values.sum((0, 2, 3)), squares + (values**2).sum((0, 2, 3))]

    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(add) for norm in norms]
    module.eval()
    for some in images.split(_BATCH):
        module(some)
    for hook in hooks:
        hook.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares / count - mean**2).clamp(min=1e-6)
        running_mean, running_var = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        # y = gain * x + offset before and after.
        gain = norm.weight.double() / (running_var.double() + norm.eps).sqrt()
        offset = norm.bias.double() - gain * running_mean.double()
        running_mean.copy_(mean)
        running_var.copy_(variance)
        norm.weight.copy_(gain * (variance + norm.eps).sqrt())
        norm.bias.copy_(offset + gain * mean)


@torch.no_grad()
def _set(parameter: Tensor, values: np.ndarray) -> None:
    parameter.copy_(torch.from_numpy(np.array(values, dtype=np.float32)))


def _not_readable(path: Path, reason: str) -> RunError:
    return RunError(
        f"{path}: its weights cannot be trained further ({reason}); start from the run folder that "
        "it was exported from."
    )
