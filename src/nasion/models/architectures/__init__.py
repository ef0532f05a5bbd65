"""Network architectures, one family per file, found by class name (``discovery.ARCHITECTURES``).

An architecture is a frozen dataclass of settings with ``build(outputs, size, channels)``. Its last
layer is a linear ``head`` that runs in float32. It may have ``framework = "keras"`` (else PyTorch),
and ``stride`` and ``size_step`` if it outputs maps instead of numbers: such a network takes inputs
of any size that ``size_step`` divides. ``has_features``: its network's ``features(images)`` are the
maps before the head and the coarsest maps, of which a face head can be trained.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from nasion.array_types import Float32


@runtime_checkable
class Architecture(Protocol):
    """What every architecture has; see the head of this file."""

    def build(self, outputs: int, size: tuple[int, int], channels: int) -> Any:
        """A new network for images of (width, height) ``size``.

        A PyTorch module, or a Keras model if ``framework`` says so.
        """
        ...

    def head_bias(self, outputs: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        """The bias of ``head`` for which a network with zero features gives these outputs."""
        ...


def framework_of(architecture: Architecture) -> str:
    """``pytorch`` or ``keras``."""
    return getattr(architecture, "framework", "pytorch")


def stride_of(architecture: Architecture) -> int | None:
    """The stride of the maps that the network outputs; None if it outputs numbers."""
    return getattr(architecture, "stride", None)


def has_features(architecture: Architecture) -> bool:
    """Whether a face head can be trained on the network."""
    return getattr(architecture, "has_features", False)
