"""One experiment from start to end: a recipe by name, faces by path, a run folder, training, and going on with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasion import recipes, run, splits
from nasion.errors import RunError, SettingError
from nasion.faces import Faces
from nasion.load import load_sides
from nasion.recipe import Recipe, override
from nasion.training import State, Watch, fit


@dataclass(frozen=True)
class Trained:
    """Where a run lies and how its training went."""

    folder: Path
    state: State


def train(
    recipe: str | Path | Recipe,
    faces: Faces | tuple[Faces, Faces] | str | Path,
    *,
    run_folder: str | Path | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    skip_faults: bool = False,
    watchers: tuple[Watch, ...] = (),
) -> Trained:
    """Train a recipe (name, ``.py`` file or value) into ``run_folder`` (``runs/<name>``).

    ``faces``: a data set's path, (training, validation) faces, or faces of which an honest split makes both.
    ``changes``: as ``--set``, ``"optim.lr=1e-4"``. ``resume``: go on where the run stopped, with the settings it has.
    """
    name, value = _value(recipe)
    value = override(value, changes)
    folder = Path(run_folder) if run_folder else Path("runs") / name
    if resume:
        value = _resumed(folder, value, changes, recipe)
    train_faces, val_faces = _sides(value, faces, skip_faults)
    if not resume and first_process():
        facts = {"command": sys.argv, "data": str(faces) if isinstance(faces, (str, Path)) else "", "faces": [len(train_faces), len(val_faces)]}
        run.create(folder, name, value, facts)
    return Trained(folder, fit(value, train_faces, val_faces, folder, resume=resume, watchers=watchers))


def first_process() -> bool:
    """True unless torchrun started this process beside a first one, which does what is to be done once."""
    return os.environ.get("RANK", "0") == "0"


def _value(recipe: str | Path | Recipe) -> tuple[str, Recipe]:
    if isinstance(recipe, Recipe):
        return recipe.data, recipe
    return Path(recipe).stem, recipes.module(recipe).RECIPE


def _resumed(folder: Path, asked: Recipe, changes: Sequence[str], recipe: str | Path | Recipe) -> Recipe:
    """The run's own recipe; settings that were asked for and differ are refused, since they would make it another run."""
    parts = recipes.module(recipe) if not isinstance(recipe, Recipe) and str(recipe).endswith(".py") else None
    own = run.recipe_of(folder, parts)
    if changes and own != asked:
        raise SettingError(f"{folder} was started with other settings; go on with --resume alone, or start anew with --run FOLDER.")
    if not (folder / run.CHECKPOINT).is_file():
        raise RunError(f"{folder} has no checkpoint yet; delete it and start anew.")
    return own


def _sides(recipe: Recipe, faces: Faces | tuple[Faces, Faces] | str | Path, skip_faults: bool) -> tuple[Faces, Faces]:
    if isinstance(faces, (str, Path)):
        return load_sides(recipe.data, faces, scheme=recipe.scheme, skip_faults=skip_faults)
    return splits.honest_split(faces) if isinstance(faces, Faces) else faces
