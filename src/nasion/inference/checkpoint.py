"""Weights and checkpoints: tensors and a JSON value in one safetensors file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
from safetensors import SafetensorError, safe_open

from nasion.arrays import Array
from nasion.errors import RunError, refusing_damage
from nasion.inference.run_folder import CHECKPOINT, missing_weights
from nasion.media.files import atomic_write
from nasion.media.json_document import parse_document

_CHECKSUM = "checksum"  # among the facts in the file
_REMEDY = "train again, or copy the file again from where it was trained."


def save_tensors(path: Path, tensors: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
    """Save PyTorch tensors or NumPy arrays, and a JSON value, in one safetensors file."""
    with atomic_write(path) as temporary:
        try:
            # In one entry: safetensors writes several in any order, and the same training must
            # give the same file.
            text = json.dumps({**facts, _CHECKSUM: _checksum(tensors, facts)})
            _save_file(tensors)(temporary, metadata={"facts": text})
        except SafetensorError as error:
            raise OSError(
                f"{path} could not be written ({error}); the older file is unharmed."
            ) from error


def _save_file(tensors: Mapping[str, Array]) -> Callable[..., None]:
    if all(isinstance(value, np.ndarray) for value in tensors.values()):
        from safetensors.numpy import save_file

        arrays = {name: np.array(value, order="C") for name, value in tensors.items()}
        return partial(save_file, arrays)
    from safetensors.torch import save_file

    # safetensors takes contiguous tensors only.
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return partial(save_file, on_cpu)


def load_tensors(
    path: Path, kind: Literal["pt", "np"] = "pt"
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors (``np``: as NumPy arrays) and the JSON value of ``save_tensors``.

    Raises ``RunError`` if the file is missing or damaged, if its checksum is not that of its
    contents (files of nasion 0.1 have none), or if a tensor holds NaN or infinity.
    """
    if not path.is_file():
        raise missing_weights(path)
    with refusing_damage(path, RunError, _REMEDY), safe_open(path, kind) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = (file.metadata() or {}).get("facts", "")
    facts = parse_document(text, f"{path} facts", kind=RunError, remedy=_REMEDY).object()
    if facts.pop(_CHECKSUM, None) not in (None, _checksum(tensors, facts)):
        raise RunError(f"{path}: damaged (its checksum is not that of its contents); {_REMEDY}")
    for name, tensor in tensors.items():
        # Networks would predict NaN from them, or worse, plausible points from half of them.
        if not _all_finite(tensor):
            raise RunError(f"{path}: {name} holds NaN or infinity; {_REMEDY}")
    return tensors, facts


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a file's tensors by name, from its header. Raises ``RunError``."""
    if not path.is_file():
        raise missing_weights(path)
    with refusing_damage(path, RunError, _REMEDY), safe_open(path, "np") as file:
        names = list(file.keys())
        return {name: tuple(file.get_slice(name).get_shape()) for name in names}


def kept_start(folder: Path) -> float | None:
    """The validation score of a run's starting weights, if no epoch was better; else None.

    From the header of the checkpoint. None as well without one, and before the start is judged.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    with refusing_damage(path, RunError, _REMEDY), safe_open(path, "np") as file:
        text = (file.metadata() or {}).get("facts", "")
    facts = parse_document(text, f"{path} facts", kind=RunError, remedy=_REMEDY)
    best, epoch = facts.get("best"), facts.get("best_epoch")
    if best is None or epoch is None or epoch.whole(low=-1) >= 0:
        return None
    score = best.number(infinite=True)
    return score if math.isfinite(score) else None


def _all_finite(tensor: Any) -> bool:
    if isinstance(tensor, np.ndarray):
        return bool(np.isfinite(tensor).all())
    return bool(tensor.isfinite().all())


def _checksum(tensors: Mapping[str, Array], facts: Mapping[str, Any]) -> str:
    """The CRC-32 of facts, names, types, shapes and bytes: no flipped bit escapes it."""
    value = crc32(json.dumps(facts).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        kind = str(tensor.dtype).removeprefix("torch.")
        value = crc32(f"{name} {kind} {tuple(tensor.shape)}".encode(), value)
        value = crc32(_bytes_of(tensor), value)
    return f"{value:08x}"


def _bytes_of(tensor: Any) -> memoryview:
    if isinstance(tensor, np.ndarray):
        return np.array(tensor, order="C").reshape(-1).view(np.uint8).data
    import torch

    # NumPy has no bfloat16, so bytes are made before the array is.
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
