"""Formulas that NumPy, PyTorch and Keras share are written once, with the functions that go by one name in all three."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any  # a NumPy array, a PyTorch tensor, or whatever Keras computes with


def functions(array: Array) -> Any:
    """The module whose functions compute with such an array: ``numpy``, ``torch`` or ``keras.ops``."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    return sys.modules["keras"].ops


def like(values: np.ndarray, array: Array) -> Array:
    """Values as an array of the other's kind and number type, on its device."""
    if isinstance(array, (np.ndarray, np.generic)):
        return values.astype(array.dtype)
    return functions(array).from_numpy(values).to(array)


def as_float32(array: Array) -> Array:
    """A float32 copy, where the array lies."""
    return array.astype(np.float32) if isinstance(array, np.ndarray) else array.float()


def as_numpy(array: Array) -> np.ndarray:
    """The values as a NumPy array."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


def as_constant(array: Array) -> Array:
    """The same values, through which no gradient flows."""
    if isinstance(array, (np.ndarray, np.generic)):
        return array
    found = functions(array)
    return array.detach() if found is sys.modules.get("torch") else found.stop_gradient(array)
