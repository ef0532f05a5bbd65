"""A run folder: what was trained (``run.json``), its weights, its checkpoint, its history. All writes are atomic.

``run.json`` names classes and functions, but only nasion's own (or those of a recipe file that the user hands over) are
ever looked up, and weights are safetensors or, of Keras networks, arrays in HDF5: opening a stranger's run executes nothing of theirs.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open

import nasion
from nasion.arrays import Array
from nasion.errors import MissingExtra, RunError, needing
from nasion.files import write_text, written_beside
from nasion.recipe import Recipe

FORMAT = 1
SETTINGS, CHECKPOINT, HISTORY = "run.json", "checkpoint.safetensors", "history.json"
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance")
WEIGHTS, KERAS_WEIGHTS = "model.safetensors", "model.keras"


def create(folder: Path, name: str, recipe: Recipe, facts: Mapping[str, Any]) -> None:
    """Start a run folder. Raises ``RunError`` where one is already that has saved something to go on from."""
    if (folder / CHECKPOINT).exists():
        raise RunError(f"{folder} already holds a run; go on with it by --resume, or name another folder by --run.")
    record = {"format": FORMAT, "nasion": nasion.__version__, "name": name, "recipe": to_json(recipe), **facts}
    write_text(folder / SETTINGS, json.dumps(record, indent=1))


def opened(folder: Path) -> dict[str, Any]:
    """What ``run.json`` says. Raises ``RunError`` for what is no run, or one of another format."""
    path = folder / SETTINGS
    if not path.is_file():
        raise RunError(f"{folder} is no run folder: it has no {SETTINGS}. `nasion train` makes one.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = record["format"]
        if found == FORMAT and not {"name", "recipe", "faces_key"} <= record.keys():
            raise ValueError("its name, recipe or faces_key is missing")
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); train again.") from error
    if found != FORMAT:
        raise RunError(
            f"{folder} was made by nasion {record.get('nasion')} in run format {found}; this is nasion {nasion.__version__}, format {FORMAT}. "
            f"Open it with that version (pip install nasion=={record.get('nasion')}), or train again."
        )
    return record


def recipe_of(folder: Path, parts: ModuleType | None = None) -> Recipe:
    """The recipe that a run was made from; ``parts``: the recipe file, when it defines parts of its own."""
    return from_json(opened(folder)["recipe"], parts)


def settings_of(folder: Path) -> dict[str, str]:
    """A run's settings by the names that ``--set`` takes; a part is shown by its name, and then its numbers."""

    def flat(value: dict[str, Any], prefix: str) -> dict[str, str]:
        found = {}
        for name, item in value.items():
            if isinstance(item, dict) and "function" in item:
                found[prefix + name] = item["function"].rpartition(".")[2]
            elif isinstance(item, dict) and name == "scheme":
                found[prefix + name] = item["name"]
            elif isinstance(item, dict):
                found |= {prefix + name: item["is"].rpartition(".")[2], **flat(item, f"{prefix}{name}.")}
            elif name != "is":
                found[prefix + name] = str(item)
        return found

    return flat(opened(folder)["recipe"], "")


def settings_text(folder: Path) -> str:
    """A run's settings, one line each."""
    return "\n".join(f"{name} = {value}" for name, value in settings_of(folder).items())


def parameters(folder: Path) -> int:
    """How many numbers a run's network learnt: all of its weights but the running statistics of its norms."""
    with safe_open(folder / CHECKPOINT, "np") as file:
        kept = [name for name in file.keys() if name.startswith("model.")]  # noqa: SIM118
        return sum(math.prod(file.get_slice(name).get_shape()) for name in kept if not name.endswith(_STATISTICS))


def save_tensors(path: Path, tensors: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
    """PyTorch tensors or NumPy arrays, and a JSON value, in one safetensors file."""
    with written_beside(path) as beside:
        try:
            _save_file(tensors)(beside, metadata={"facts": json.dumps(facts)})
        except SafetensorError as error:
            raise OSError(f"{path} could not be written ({error}); the older file is unharmed.") from error


def _save_file(tensors: Mapping[str, Array]) -> Callable[..., None]:
    if all(isinstance(value, np.ndarray) for value in tensors.values()):
        from safetensors.numpy import save_file

        return partial(save_file, {name: np.array(value, order="C") for name, value in tensors.items()})
    from safetensors.torch import save_file

    return partial(save_file, {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def load_tensors(path: Path, kind: Literal["pt", "np"] = "pt") -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors (``np``: as NumPy arrays) and the JSON value of ``save_tensors``. Raises ``RunError`` if there are none, or the file is damaged."""
    if not path.is_file():
        raise RunError(f"{path} is not there: the run has not saved anything yet.")
    try:
        with safe_open(path, kind) as file:
            return {name: file.get_tensor(name) for name in list(file.keys())}, json.loads(file.metadata()["facts"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}).") from error


def write_history(folder: Path, history: list[dict[str, float]]) -> None:
    write_text(folder / HISTORY, json.dumps(history, indent=1))


def history(folder: Path) -> list[dict[str, float]]:
    """One entry per finished epoch; empty before the first."""
    path = folder / HISTORY
    try:
        return json.loads(path.read_text()) if path.is_file() else []
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); delete it, --resume writes it anew.") from error


def to_json(value: Any) -> Any:
    """A recipe or part of one as JSON: dataclasses and functions by their full name, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        fields = {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
        return {"is": f"{kind.__module__}.{kind.__qualname__}", **fields}
    if callable(value):
        return {"function": f"{value.__module__}.{value.__qualname__}"}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def from_json(value: Any, parts: ModuleType | None = None) -> Any:
    """The inverse of ``to_json``."""
    if isinstance(value, list):
        return tuple(from_json(item, parts) for item in value)
    if not isinstance(value, dict):
        return value
    if "function" in value:
        return _looked_up(value["function"], parts)
    kind = _looked_up(value["is"], parts)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise RunError(f"{value['is']} is no part of a recipe; the run file was tampered with or is of another version.")
    try:
        return kind(**{name: from_json(item, parts) for name, item in value.items() if name != "is"})
    except TypeError as error:
        raise RunError(
            f"{value['is']} of this run has other settings than this version's ({error}); open it with the version that made it."
        ) from error


def _looked_up(name: str, parts: ModuleType | None) -> Any:
    module_name, _, attribute = name.rpartition(".")
    if module_name == "nasion" or module_name.startswith("nasion."):
        try:
            with needing("This run", "pytorch"):
                module = import_module(module_name)
        except MissingExtra:
            raise
        except ImportError as error:
            raise RunError(f"This version has no {module_name}, which the run needs ({error}).") from error
    elif parts is not None and parts.__name__ == module_name:
        module = parts
    else:
        raise RunError(f"The run uses {name}, which is not nasion's own; hand over the recipe file that defines it (--recipe FILE).")
    found = getattr(module, attribute, None)
    if found is None or getattr(found, "__module__", None) != module_name:
        raise RunError(f"There is no {attribute} in {module_name} in this version; open the run with the version that made it.")
    return found
