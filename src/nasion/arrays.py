"""One formula for NumPy, PyTorch and Keras: find the module that computes with a given array."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any  # a NumPy array, a PyTorch tensor, or a tensor of the Keras backend


def array_namespace(array: Array) -> Any:
    """The module whose functions take this array: ``numpy``, ``torch`` or ``keras.ops``."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    # Whoever holds a tensor has imported its framework, so nothing is imported here.
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    # Not a NumPy array and not PyTorch's, so it belongs to Keras' backend. Under the PyTorch
    # backend Keras' tensors are PyTorch's own, and were found above.
    return sys.modules["keras"].ops


def like(values: np.ndarray, array: Array) -> Array:
    """``values`` as an array of the same kind, dtype and device as ``array``."""
    if isinstance(array, (np.ndarray, np.generic)):
        return values.astype(array.dtype)
    tensor = array_namespace(array).from_numpy(values)
    return upload(tensor.to(array.dtype), array.device)


def on_device_of(values: np.ndarray, array: Array) -> Array:
    """``values`` in their own dtype, as an array of the same kind and device as ``array``."""
    if isinstance(array, (np.ndarray, np.generic)):
        return values
    return upload(array_namespace(array).from_numpy(values), array.device)


def upload(tensor: Array, device: Any) -> Array:
    """A PyTorch tensor on another device; the CPU does not wait for the copy."""
    # From pageable memory PyTorch waits until the device has done all work before the copy; from
    # pinned memory it need not.
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def on_accelerator(array: Array) -> bool:
    """True for a tensor that is not in the CPU's memory."""
    return not isinstance(array, (np.ndarray, np.generic)) and array.device.type != "cpu"


def as_float32(array: Array) -> Array:
    """A float32 copy on the same device."""
    return array.astype(np.float32) if isinstance(array, np.ndarray) else array.float()


def as_numpy(array: Array) -> np.ndarray:
    """The values as a NumPy array."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


def stop_gradient(array: Array) -> Array:
    """The same values without a gradient."""
    if isinstance(array, (np.ndarray, np.generic)):
        return array
    xp = array_namespace(array)
    return array.detach() if xp is sys.modules.get("torch") else xp.stop_gradient(array)
