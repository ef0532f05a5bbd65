"""Train one recipe from start to end: load data, make or resume a run folder, train, calibrate."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from nasion.data.label_reading import AS_IT_SEEMS, LabelReading
from nasion.data.mirror_check import check_mirror
from nasion.data.suspects import Audit, without_suspects
from nasion.errors import RunError, SettingError, requires_extra
from nasion.inference import backends, calibration, run_folder
from nasion.inference.predictor import Predictor, calibrate, load_model
from nasion.inference.run_folder import check_unused
from nasion.inference.run_folder_lock import locked
from nasion.inference.training_record import TrainingRecord
from nasion.landmarks.faces import Faces, join
from nasion.media.counted import counted
from nasion.recipe import Recipe
from nasion.recipe_settings import override
from nasion.recipes import load_recipe, recipe_module
from nasion.training import few_faces
from nasion.training.prepare import prepare_faces
from nasion.training.processes import process_count
from nasion.training.state import Observer, TrainingState
from nasion.training.training_faces import (
    Data,
    Validation,
    faces_key,
    load_sides,
    paths_of,
    scheme_of,
    warn_of_few,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """Where a run is, the recipe as it was trained, and how that went."""

    folder: Path
    recipe: Recipe
    state: TrainingState


def train(  # noqa: PLR0913 - what trains a recipe is one call
    recipe: str | Path | Recipe,
    data: Data,
    *,
    validation: Validation | None = None,
    run_folder: str | Path | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    reading: LabelReading = AS_IT_SEEMS,
    audits: Sequence[Audit] = (),
    observers: tuple[Observer, ...] = (),
) -> TrainingResult:
    """Train a recipe (name, ``.py`` file or value) into ``run_folder`` (``runs/<name>``).

    ``data``: a dataset's path or those of several, (training, validation) faces, or faces that are
    split without leakage. ``validation``: path or faces to validate on; then all of ``data`` is
    trained on. ``changes``: as ``--set``, ``"optim.lr=1e-4"``. ``resume``: continue where the run
    stopped, with its own settings. ``reading``: what labels mean where files leave it open.
    ``audits``: of the labels; training goes without those that they call wrong. Raises
    ``DataError`` for bad data, ``SettingError`` for bad settings, and ``RunError`` for a run folder
    that cannot be used or is in use. With few faces, cross-validation decides whether the recipe
    ``finetune`` trains at all (``training/few_faces.py``). A recipe file is Python and is run:
    train only files that you trust.
    """
    name, value = _named(recipe)
    value = override(value, changes)
    fit = _loop(value)  # first, since it says what is not installed
    folder = Path(run_folder) if run_folder else Path("runs") / name
    # The processes that torchrun started beside the first train with it, in its folder.
    with locked(folder) if is_first_process() else nullcontext():
        if resume:
            value = _resumed(folder, name, value, changes, recipe)
        elif value.points_from == "data":
            scheme = scheme_of(data, reading)
            value = replace(value, spec=replace(value.spec, scheme=scheme))
        sides = load_sides(value, data, validation, reading)
        if audits:
            # Validation keeps all labels, so that runs with and without an audit compare.
            sides = without_suspects(sides[0], audits), sides[1]
        if value.points_from == "data" and not resume:
            value = override(_adapted(recipe, value, sides[0]), changes)
        if value.augment.flip > 0 or value.spec.tta != "none":
            check_mirror(sides[0].to(value.spec.scheme))
        if not value.hold_out:
            # Validation goes on with the same faces, but its scores then say nothing.
            sides = join(*sides), sides[1]
        elif not isinstance(data, tuple):
            warn_of_few(sides[1])
        as_given = resume or isinstance(recipe, Recipe)
        if not as_given and few_faces.is_undecided(value, sides[0], changes):
            check_unused(folder)
            value = few_faces.trained_or_not(value, sides[0], fit)
        sources = {"data": " ".join(paths_of(data)), "validation": " ".join(paths_of(validation))}
        _check_or_create(folder, name, value, sources, sides, resume)
        # A training that was killed before its first checkpoint may have been of other faces.
        if is_first_process() and not (resume and TrainingRecord.read(folder)):
            _training_record(value, sides[0]).write(folder)
        state = fit(value, *sides, folder, resume=resume, observers=observers)
        if is_first_process():
            _calibrate(folder, value, sides[1])
            if value.face_head:
                from nasion.training.face_head import add_face_head

                _log.info("Learning what is a face, and which points can be seen.")
                add_face_head(folder, value, sides)
    return TrainingResult(folder, value, state)


def requested_settings(requested: Recipe, own: Recipe, changes: Sequence[str]) -> Recipe:
    """What a run would have been started with: ``own``, if nothing else is asked for.

    A recipe that follows the data is known only with the data, so just its changes are compared.
    """
    return override(own, changes) if requested.points_from == "data" else requested


def is_first_process() -> bool:
    """False in processes that torchrun started beside the first, which does what is done once."""
    return os.environ.get("RANK", "0") == "0"


def _named(recipe: str | Path | Recipe) -> tuple[str, Recipe]:
    if isinstance(recipe, Recipe):
        return recipe.data, recipe
    return Path(recipe).stem, load_recipe(recipe)


def _recipe_file(recipe: str | Path | Recipe) -> ModuleType | None:
    """The module of a recipe file, whose parts nasion does not know."""
    if isinstance(recipe, Recipe) or not str(recipe).endswith(".py"):
        return None
    return recipe_module(recipe)


def _adapted(recipe: str | Path | Recipe, value: Recipe, faces: Faces) -> Recipe:
    """The recipe for the points of these training faces, and for the network it starts from."""
    adapt = None if isinstance(recipe, Recipe) else getattr(recipe_module(recipe), "adapt", None)
    if adapt is None:
        return value
    if value.init_from is None:
        return adapt(value, len(faces), value.spec, value.architecture)
    from nasion.training.fitting_crops import fitting_crops
    from nasion.training.starting_network import open_starting_network

    start = open_starting_network(value.init_from)
    spec = replace(
        start.spec,
        scheme=faces.scheme,
        separate_heads=(),
        whole_images=value.spec.whole_images,
        tight_boxes=value.spec.tight_boxes,
        **fitting_crops(start, faces),
    )
    return adapt(value, len(faces), spec, start.architecture)


def _loop(recipe: Recipe) -> Callable[..., TrainingState]:
    """The training loop of the recipe's framework, imported only now."""
    if recipe.framework == "keras":
        if process_count() > 1:
            raise RunError("Keras networks train in one process; start it without torchrun.")
        with requires_extra("Training a Keras network", "tensorflow"):
            from nasion.training.keras_loop import fit
    else:
        with requires_extra("Training a PyTorch network", "pytorch"):
            from nasion.training.torch_loop import fit
    return fit


def _resumed(
    folder: Path,
    name: str,
    requested: Recipe,
    changes: Sequence[str],
    recipe: str | Path | Recipe,
) -> Recipe:
    """The run's own recipe. Other settings are refused: they would make it another run."""
    record = run_folder.read_settings(folder)
    if record["format"] != run_folder.FORMAT:
        raise RunError(
            f"{folder} was started by nasion {record['nasion']}; resume it with that version, "
            f"or start anew from its weights (--set init_from={folder})."
        )
    own = run_folder.read_recipe(folder, _recipe_file(recipe))
    if record["name"] != name:
        raise SettingError(
            f"{folder} holds a run of {record['name']}, not of {name}; resume it by its own name."
        )
    if changes and own != requested_settings(requested, own, changes):
        raise SettingError(
            f"{folder} was started with other settings; continue with --resume alone, "
            "or start anew with --run FOLDER."
        )
    if not (folder / run_folder.CHECKPOINT).is_file():
        raise RunError(f"{folder} has no checkpoint yet; delete it and start anew.")
    return own


def _check_or_create(
    folder: Path,
    name: str,
    recipe: Recipe,
    sources: dict[str, str],
    sides: tuple[Faces, Faces],
    resume: bool,
) -> None:
    """Create the run folder; when resuming, check that the faces are the same."""
    key = faces_key(*sides)
    if resume:
        if run_folder.read_settings(folder)["faces_key"] != key:
            raise RunError(
                f"{folder} was trained on other faces; continue with the data it was started "
                "with, or start anew with --run FOLDER."
            )
        return
    if is_first_process():
        counts = [len(side) for side in sides]
        facts = {"command": sys.argv, **sources, "faces": counts, "faces_key": key}
        run_folder.create(folder, name, recipe, facts)


def _training_record(recipe: Recipe, faces: Faces) -> TrainingRecord:
    """The faces learnt from, with those that the starting network had learnt from before."""
    own = TrainingRecord.of(recipe.data, prepare_faces(recipe, faces))
    return own.joined(load_model(recipe.init_from).trained_on) if recipe.init_from else own


def _calibrate(folder: Path, recipe: Recipe, val_faces: Faces) -> None:
    """Measure how reliable the network's own error estimate is, and keep that in the run."""
    if not recipe.spec.codec.predicts_sigma:
        return
    labels = int(val_faces.to(recipe.spec.scheme).labelled.sum())
    if recipe.hold_out and labels >= calibration.MIN_POINTS:
        network = backends.load(recipe.framework).load(folder, recipe, None)
        found = calibrate(Predictor(spec=recipe.spec, network=network), val_faces)
    else:
        # Errors on training faces are too small to calibrate by; the network that this one started
        # from may have held faces out.
        found = load_model(recipe.init_from).calibration if recipe.init_from else None
        if recipe.hold_out:
            _log.warning(
                "Scores are not calibrated by %s (it takes %d); %s.",
                counted(labels, "labelled validation point"),
                calibration.MIN_POINTS,
                f"those of {recipe.init_from} are taken" if found else "predictions have none",
            )
    if found is not None:
        calibration.write(found, folder)
