"""Smaller ONNX files: weights in float16, or convolutions in 8 bits with ranges from real faces.

float16 halves the file at the same speed, since ONNX Runtime computes in float32 on a CPU. 8 bits
make it a quarter of the size and convolutions 2 to 4 times as fast: unsigned activations and signed
weights with a scale per channel, which x86 multiplies fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nasion.array_types import Float32

_MIN_VALUES = 256  # smaller weights stay in float32: float16 would save nothing
_MAX_FLOAT16 = 6e4  # float16 ends at 65504
_BATCH = 16  # images that ranges are measured on at once


def to_float16(path: Path, only: str = "") -> None:
    """Store the file's large weights in float16; they are cast to float32 when it is opened.

    ``only``: those whose names begin with it.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    kept, casts = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        small = values.dtype != np.float32 or values.size < _MIN_VALUES
        left_out = small or not weight.name.startswith(only)
        if left_out or np.abs(values).max() > _MAX_FLOAT16:
            kept.append(weight)
            continue
        name = f"{weight.name}_float16"
        kept.append(numpy_helper.from_array(values.astype(np.float16), name))
        # The cast's output has the weight's old name, so no other node changes.
        cast = helper.make_node(
            "Cast", [name], [weight.name], f"{weight.name}_float32", to=TensorProto.FLOAT
        )
        casts.append(cast)
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    # ONNX wants each value made before it is used. Repeated fields cannot be assigned, only emptied
    # and extended.
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def to_int8(path: Path, images: Float32[np.ndarray, "N C H W"], heads: int = 1) -> None:
    """Compute all convolutions but the ``heads`` last ones in 8 bits, with ranges from images."""
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(path)
    # Quantizing drops it; it is put back at the end.
    metadata = {item.key: item.value for item in model.metadata_props}
    input_name = model.graph.input[0].name

    class Batches(CalibrationDataReader):
        def __init__(self) -> None:
            parts = np.split(images, range(_BATCH, len(images), _BATCH))
            self._batches: Iterator[Any] = iter(parts)

        def get_next(self) -> Any:
            batch = next(self._batches, None)
            return None if batch is None else {input_name: batch}

    with TemporaryDirectory(dir=path.parent, prefix=".quantize-") as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        quantize_static(
            prepared,
            path,
            Batches(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            # Relu too: otherwise pairs of conversions stay around each one.
            op_types_to_quantize=["Conv", "Add", "Relu", "Resize"],
            nodes_to_exclude=_from_heads_on(graph, heads),
            extra_options={"ActivationSymmetric": False},
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)


def _from_heads_on(graph: Any, heads: int) -> list[str]:
    """The nodes from the heads on: coordinates are computed there, and 8 bits are too coarse."""
    nodes = list(graph.node)
    convolutions = [i for i, node in enumerate(nodes) if node.op_type == "Conv"]
    if not convolutions:
        return []
    last = nodes[convolutions[-1]].output[0]
    # A convolution with a ReLU after it is not a head: then the head is a matrix product.
    relus = [i for i, node in enumerate(nodes) if node.op_type == "Relu" and last in node.input]
    first = relus[0] + 1 if relus else convolutions[-heads]
    return [node.name for node in nodes[first:]]


def stem_to_float32(path: Path) -> None:
    """Compute the first convolution of an 8-bit file in float32, with the same weights.

    On one grey channel an 8-bit convolution copies single bytes: the detector's took 0.14 ms of its
    0.48, in float32 0.05. With more channels, or on small images, it is not worth while.
    """
    import onnx

    model = onnx.load(path)
    graph = model.graph
    made_by = {output: node for node in graph.node for output in node.output}
    stem = next(node for node in graph.node if node.op_type == "Conv")
    values = {weight.name: weight for weight in graph.initializer}
    for i, name in enumerate(stem.input):
        step = made_by[name]  # a DequantizeLinear
        if step.input[0] in values:
            weight = _dequantized(step, values, f"{name}_float32")
            graph.initializer.append(weight)
            stem.input[i] = weight.name
        else:
            stem.input[i] = made_by[step.input[0]].input[0]
    _remove_unused(graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _dequantized(step: Any, values: Mapping[str, Any], name: str) -> Any:
    """The float32 weight that a DequantizeLinear node computes of a stored one."""
    from onnx import numpy_helper

    quantized, scale, zero = (numpy_helper.to_array(values[each]) for each in step.input)
    # A scale for each filter, which is the first axis.
    across = (-1, *[1] * (quantized.ndim - 1)) if scale.ndim else ()
    difference = quantized.astype(np.int64) - zero.astype(np.int64).reshape(across)
    return numpy_helper.from_array((difference * scale.reshape(across)).astype(np.float32), name)


def _remove_unused(graph: Any) -> None:
    """Remove the nodes whose outputs nothing reads, and then the weights that nothing reads."""
    needed = {output.name for output in graph.output}
    kept = []
    # A node comes after those that it reads.
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.node[:]
    graph.node.extend(reversed(kept))
    del graph.initializer[:]
    graph.initializer.extend(weights)
