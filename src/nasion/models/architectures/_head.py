"""The head's bias before a sigmoid."""

from __future__ import annotations

import numpy as np

from nasion.array_types import Float32


def logit(values: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """The inverse of the sigmoid, for values kept within 0.001 .. 0.999."""
    # The logits of 0 and 1 are infinite.
    clipped = np.clip(values.astype(np.float32), np.float32(1e-3), np.float32(1 - 1e-3))
    return np.log(clipped / (1 - clipped)).astype(np.float32)
