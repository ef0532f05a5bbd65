"""A trained network behind one interface, whatever framework runs it; a module per framework."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

import numpy as np

from nasion.array_types import Float32
from nasion.arrays import Array
from nasion.errors import requires_extra


@dataclass(frozen=True, eq=False)
class Chances:
    """What a face head predicts, from 0 to 1.

    ``face``: that the crop shows a face. ``visible``: that a point can be seen.
    """

    face: Float32[np.ndarray, " B"]
    visible: Float32[np.ndarray, "B K"]


@runtime_checkable
class Network(Protocol):
    """What prediction, inspection and export need. Images: as in ``crops``; outputs: ``codecs``.

    ``in_float32``: the same network in that precision, which exported files have. ``first_filters``
    and ``first_responses``: of the first convolution; ``RunError`` if there is none.
    A network that may have a face head also has ``with_chances(images)``: its output and the
    ``Chances``, or None.
    """

    def __call__(self, images: Float32[Array, "B C H W"]) -> Float32[Array, "B ..."]: ...
    def in_float32(self) -> Network: ...
    def first_filters(self) -> Float32[np.ndarray, "F C h w"]: ...
    def first_responses(
        self, images: Float32[Array, "B C H W"]
    ) -> Float32[np.ndarray, "B F h w"]: ...
    def export(self, path: Path) -> None: ...


def load(framework: str) -> ModuleType:
    """The module of a framework; each has ``load(folder, recipe, device) -> Network``."""
    extra = "tensorflow" if framework == "keras" else framework
    with requires_extra(f"A network made with {framework}", extra):
        return import_module(f"nasion.inference.backends.{framework}")
