"""A run folder: what was trained (``run.json``), weights, checkpoint, history. Writes are atomic.

``run.json`` names parts of a recipe by class name. Only nasion's own parts are looked up, and those
of a recipe file that the user gives; weights are safetensors, or arrays in Keras' HDF5. So opening
a stranger's run executes nothing of theirs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from safetensors import safe_open

import nasion
from nasion.errors import RunError, refusing_damage
from nasion.inference import run_folder_v1
from nasion.inference.recipe_json import from_json, to_json
from nasion.media.files import write_text
from nasion.media.json_document import Document, read_document
from nasion.recipe import Recipe

FORMAT = 2
SETTINGS, CHECKPOINT, HISTORY = "run.json", "checkpoint.safetensors", "history.json"
FOLDS = "folds.json"  # of a folder of several runs (fold_runs.py)
WEIGHTS, KERAS_WEIGHTS = "model.safetensors", "model.keras"
FACE_HEAD = "face_head.safetensors"  # models/face_head.py
MODEL_FILES = (SETTINGS, WEIGHTS, KERAS_WEIGHTS, FACE_HEAD, "calibration.json")  # what predicts
_EPOCH_NUMBERS = ("epoch", "loss", "val", "seconds")
# PyTorch's names, then Keras'.
_NORM_STATISTICS = (
    "running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance",
)  # fmt: skip


def create(folder: Path, name: str, recipe: Recipe, facts: Mapping[str, Any]) -> None:
    """Start a run folder. Raises ``RunError`` if it holds a run that can be resumed, or folds."""
    check_unused(folder)
    record = {"format": FORMAT, "nasion": nasion.__version__, "name": name}
    record |= {"recipe": to_json(recipe), **facts}
    write_text(folder / SETTINGS, json.dumps(record, indent=1))


def check_unused(folder: Path) -> None:
    """Raise ``RunError`` if the folder holds a run that can be resumed, or folds."""
    if (folder / FOLDS).exists():
        # A run beside the folds would be evaluated in their place.
        raise RunError(
            f"{folder} already holds a cross-validation; continue it with --folds and --resume, "
            "or name another folder with --run."
        )
    if (folder / CHECKPOINT).exists():
        raise RunError(
            f"{folder} already holds a run; continue it with --resume, "
            "or name another folder with --run."
        )


def missing_weights(path: Path) -> RunError:
    """What to say of weights that are not there: no run, or one that has saved none."""
    folder = path.parent
    if not (folder / SETTINGS).is_file():
        return RunError(f"{folder} is not a run folder: it has no {SETTINGS} and no {path.name}.")
    return RunError(f"{path} does not exist: the run has not saved anything yet.")


def read_settings(folder: Path) -> dict[str, Any]:
    """The contents of ``run.json``, in today's format.

    Raises ``RunError`` for a folder that is not a run, or is of an unknown format.
    """
    path = folder / SETTINGS
    if not path.is_file():
        if (folder / "fold-1").is_dir():
            raise RunError(
                f"{folder} is a cross-validation of several runs; name one of them, as "
                f"{folder / 'fold-1'}."
            )
        raise RunError(
            f"{folder} is not a run folder: it has no {SETTINGS}. `nasion train` makes one."
        )
    document = read_document(path, kind=RunError, remedy="it is damaged; train again.")
    record, version = document.object(), document["format"].value
    if version in (1, FORMAT):
        for key in ("name", "faces_key"):
            document[key].text()
        recipe = document["recipe"].object()
        if version == 1:
            with refusing_damage(path, RunError, "train again."):
                record = {**record, "recipe": run_folder_v1.upgrade(recipe, str(path))}
    if version not in (1, FORMAT):
        made_by = record.get("nasion")
        raise RunError(
            f"{folder} was made by nasion {made_by} in run format {version}; this is nasion "
            f"{nasion.__version__}, format {FORMAT}. Open it with that version "
            f"(pip install nasion=={made_by}), or train again."
        )
    return record


def read_recipe(folder: Path, recipe_file: ModuleType | None = None) -> Recipe:
    """The recipe of a run. ``recipe_file``: its module, if it defines parts of its own."""
    path = folder / SETTINGS
    saved = read_settings(folder)["recipe"]
    # The parts of a recipe file of one's own raise what they like.
    with refusing_damage(path, RunError, "train again."):
        recipe = from_json(saved, recipe_file, f"{path} recipe")
    if not isinstance(recipe, Recipe):
        raise RunError(f"{path} is damaged (it holds no recipe); train again.")
    return recipe


def settings_of(folder: Path) -> dict[str, str]:
    """A run's settings by the names that ``--set`` takes; parts by their class names."""
    path = folder / SETTINGS
    saved = read_settings(folder)["recipe"]
    with refusing_damage(path, RunError, "train again."):
        return _flatten(saved, "", path)


def _flatten(part: dict[str, Any], prefix: str, path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in part.items():
        if name in ("class", "recipe_file"):
            continue
        if not isinstance(value, dict):
            found[prefix + name] = str(value)
            continue
        shown = "name" if value.get("class") == "Scheme" else "class"
        word = value.get("function", value.get(shown))
        if not isinstance(word, str):
            raise RunError(f"{path} recipe.{prefix}{name}: a part without {shown}; train again.")
        found[prefix + name] = word
        if "function" not in value and shown == "class":
            found |= _flatten(value, f"{prefix}{name}.", path)
    return found


def settings_text(folder: Path) -> str:
    """A run's settings, one per line."""
    return "\n".join(f"{name} = {value}" for name, value in settings_of(folder).items())


def count_parameters(folder: Path) -> int:
    """How many weights a run's network learnt, without the running statistics of its norms."""
    path = folder / CHECKPOINT
    remedy = "train again, or copy the file again from where it was trained."
    with refusing_damage(path, RunError, remedy), safe_open(path, "np") as file:
        names = [name for name in file.keys() if name.startswith("model.")]  # noqa: SIM118
        learnt = [name for name in names if not name.endswith(_NORM_STATISTICS)]
        # Shapes are in the file's header; no weight is read.
        return sum(math.prod(file.get_slice(name).get_shape()) for name in learnt)


def write_history(folder: Path, history: list[dict[str, float]]) -> None:
    write_text(folder / HISTORY, json.dumps(history, indent=1))


def read_history(folder: Path) -> list[dict[str, float]]:
    """One entry per finished epoch; empty before the first."""
    path = folder / HISTORY
    if not path.is_file():
        return []
    remedy = "delete it, --resume writes it again."
    return history_rows(read_document(path, kind=RunError, remedy=remedy))


def history_rows(document: Document) -> list[dict[str, float]]:
    """The epochs of a history, each with the numbers that every training writes."""
    rows = []
    for epoch in document.elements():
        for name in _EPOCH_NUMBERS:
            epoch[name].number()
        # Others may be NaN: nothing was measured.
        rows.append({name: epoch[name].number(nan=True) for name in epoch.object()})
    return rows
