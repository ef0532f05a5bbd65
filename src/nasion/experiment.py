"""One experiment from start to end: a recipe by name, faces by path, a run folder, training, and going on with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

from nasion import networks, recipes, run, splits
from nasion.codecs import tells_spread
from nasion.errors import RunError, SettingError, needing
from nasion.faces import Faces, join
from nasion.load import load_joint_sides, load_sides
from nasion.loop import State, Watch
from nasion.predict import Model, calibrated, calibration_of, write_calibration
from nasion.recipe import Recipe, override

_Faces = Faces | tuple[Faces, Faces] | str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Trained:
    """Where a run lies and how its training went."""

    folder: Path
    state: State


def train(
    recipe: str | Path | Recipe,
    faces: _Faces,
    *,
    run_folder: str | Path | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    skip_faults: bool = False,
    watchers: tuple[Watch, ...] = (),
) -> Trained:
    """Train a recipe (name, ``.py`` file or value) into ``run_folder`` (``runs/<name>``).

    ``faces``: a data set's path or those of several, (training, validation) faces, or faces of which an honest split makes both.
    ``changes``: as ``--set``, ``"optim.lr=1e-4"``. ``resume``: go on where the run stopped, with the settings it has.
    """
    name, value = _value(recipe)
    value = override(value, changes)
    fit = _loop(value)  # first, since it says what is not installed
    folder = Path(run_folder) if run_folder else Path("runs") / name
    if resume:
        value = _resumed(folder, name, value, changes, recipe)
    sides = _sides(value, faces, skip_faults)
    if not value.hold_out:
        sides = join(*sides), sides[1]
    key = _faces_key(*sides)
    if resume and run.opened(folder)["faces_key"] != key:
        raise RunError(f"{folder} was trained on other faces; go on with the data it was started with, or start anew with --run FOLDER.")
    if not resume and first_process():
        facts = {"command": sys.argv, "data": _named(faces), "faces": list(map(len, sides)), "faces_key": key}
        run.create(folder, name, value, facts)
    state = fit(value, *sides, folder, resume=resume, watchers=watchers)
    if first_process() and tells_spread(value.codec):
        if value.hold_out:
            network = networks.framework(value.framework).load(folder, value, None)
            found = calibrated(Model(recipe=value, network=network), sides[1])
        else:
            # Faces that were learnt cannot say how sure it may be; those of the run that it started from can.
            found = calibration_of(Path(value.start)) if value.start else None
        if found is not None:
            write_calibration(found, folder)
    return Trained(folder, state)


def _parts(recipe: str | Path | Recipe) -> ModuleType | None:
    """The module of a recipe file, whose parts nasion would not look up by itself."""
    return recipes.module(recipe) if not isinstance(recipe, Recipe) and str(recipe).endswith(".py") else None


def _loop(recipe: Recipe) -> Callable[..., State]:
    """The training loop of the recipe's framework, imported only now."""
    if recipe.framework == "keras":
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise RunError("Keras networks train in one process here; start it without torchrun.")
        with needing("Training a Keras network", "tensorflow"):
            from nasion.keras_train import fit
    else:
        with needing("Training a PyTorch network", "pytorch"):
            from nasion.training import fit
    return fit


def first_process() -> bool:
    """True unless torchrun started this process beside a first one, which does what is to be done once."""
    return os.environ.get("RANK", "0") == "0"


def _value(recipe: str | Path | Recipe) -> tuple[str, Recipe]:
    if isinstance(recipe, Recipe):
        return recipe.data, recipe
    return Path(recipe).stem, recipes.module(recipe).RECIPE


def _resumed(folder: Path, name: str, asked: Recipe, changes: Sequence[str], recipe: str | Path | Recipe) -> Recipe:
    """The run's own recipe; settings that were asked for and differ are refused, since they would make it another run."""
    own, own_name = run.recipe_of(folder, _parts(recipe)), run.opened(folder)["name"]
    if own_name != name:
        raise SettingError(f"{folder} holds a run of {own_name}, not of {name}; resume it by its own name.")
    if changes and own != asked:
        raise SettingError(f"{folder} was started with other settings; go on with --resume alone, or start anew with --run FOLDER.")
    if not (folder / run.CHECKPOINT).is_file():
        raise RunError(f"{folder} has no checkpoint yet; delete it and start anew.")
    return own


def _named(faces: _Faces) -> str:
    """The paths that the faces are from, as far as they are from paths."""
    several = [faces] if isinstance(faces, (str, Path)) else [] if isinstance(faces, Faces) else faces
    return " ".join(str(path) for path in several if isinstance(path, (str, Path)))


def _faces_key(train_faces: Faces, val_faces: Faces) -> str:
    """A name for just these faces and labels, so that a run is not resumed on others."""
    digest = blake2b(digest_size=16)
    for faces in (train_faces, val_faces):
        digest.update("\0".join(faces.ids).encode() + faces.points.tobytes())
    return digest.hexdigest()


def _sides(recipe: Recipe, faces: _Faces, skip_faults: bool) -> tuple[Faces, Faces]:
    if isinstance(faces, (str, Path)):
        return load_sides(None, faces, scheme=recipe.scheme, skip_faults=skip_faults)
    if isinstance(faces, Faces):
        return splits.honest_split(faces)
    paths = [path for path in faces if isinstance(path, (str, Path))]
    if paths:
        return load_joint_sides(paths, recipe.scheme, skip_faults=skip_faults)
    train_faces, val_faces = (side for side in faces if isinstance(side, Faces))
    return train_faces, val_faces
