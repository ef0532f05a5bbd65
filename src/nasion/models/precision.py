"""Whether a device computes in bfloat16, and what a recipe's ``precision`` means there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
# x86 only; /proc/cpuinfo and PyTorch spell them alike.
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}


@cache
def cpu_has_bfloat16() -> bool:
    """True if the processor has bfloat16 instructions."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        return bool(_CPU_FLAGS & set(info.read_text().split()))
    try:
        import torch
    except ImportError:
        return False
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(flag, False) for flag in _CPU_FLAGS)


def cuda_has_bfloat16() -> bool:
    """True if PyTorch's CUDA device computes in bfloat16 without emulation."""
    import torch

    return torch.cuda.is_bf16_supported(including_emulation=False)


def torch_uses_bfloat16(precision: Precision, device: str) -> bool:
    """True if a PyTorch network runs in bfloat16 on ``cpu`` or ``cuda``."""
    if precision != "auto":
        return precision == "bfloat16"
    return cuda_has_bfloat16() if device == "cuda" else cpu_has_bfloat16()


def keras_uses_bfloat16(precision: Precision, backend: str) -> bool:
    """True if a Keras network trains in mixed bfloat16 under this backend."""
    if precision != "auto":
        return precision == "bfloat16"
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            details = tf.config.experimental.get_device_details(gpus[0])
            # Ampere, the first generation of NVIDIA GPUs that computes in bfloat16.
            return details.get("compute_capability", (0, 0)) >= (8, 0)
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            return cuda_has_bfloat16()
    else:
        import jax

        # JAX computes bfloat16 on CPUs by way of float32.
        return jax.default_backend() != "cpu"
    return cpu_has_bfloat16()
