"""A trained network behind one interface, whatever framework it is of: a module per framework, found by its name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from nasion.arrays import Array
from nasion.errors import needing


@runtime_checkable
class Network(Protocol):
    """What predicting, looking and exporting need. Pictures and outputs are as in ``batches`` and ``codecs``.

    ``in_float32`` is the same network in that precision, which exported files have. ``first_filters`` and
    ``first_responses`` are of the first convolution and raise ``RunError`` where there is none.
    """

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[Array, "B ..."]: ...
    def in_float32(self) -> Network: ...
    def first_filters(self) -> Float32[np.ndarray, "F C h w"]: ...
    def first_responses(self, images: Float32[Array, "B C H W"]) -> Float32[np.ndarray, "B F h w"]: ...
    def export(self, path: Path) -> None: ...


def framework(name: str) -> ModuleType:
    """The module of a framework; each has ``load(folder, recipe, device) -> Network``."""
    with needing(f"A network made with {name}", "tensorflow" if name == "keras" else name):
        return import_module(f"nasion.networks.{name}")
