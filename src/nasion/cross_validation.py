"""Cross-validation: a recipe trained once for each fold, each run evaluated on what it held out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from nasion.data.label_reading import AS_IT_SEEMS, LabelReading
from nasion.data.pool import load_pool
from nasion.data.splits import honest_folds
from nasion.data.suspects import Audit
from nasion.errors import RunError, SettingError, require
from nasion.evaluation.evaluate import EvaluationResult, evaluate
from nasion.evaluation.reported_metrics import METRICS, rounded
from nasion.inference import run_folder as runs
from nasion.inference.fold_runs import (
    SUMMARY,
    Folds,
    fold_folder,
    is_fold_folder,
    predict_held_out,
    read_folds,
    write_folds,
)
from nasion.inference.run_folder_lock import locked
from nasion.landmarks.faces import Faces, Predictions
from nasion.media.files import write_text
from nasion.recipe import Recipe
from nasion.recipe_settings import override
from nasion.recipes import load_recipe, recipe_module
from nasion.training.processes import process_count
from nasion.training.state import Observer
from nasion.training.train import requested_settings, train
from nasion.training.training_faces import Data, faces_key, paths_of, scheme_of


@dataclass(frozen=True, eq=False)
class CrossValidationResult:
    """``folds``: the evaluation of each run on the faces that it held out.

    ``pooled``: of all faces, each predicted by the run that held it out.
    """

    folder: Path
    folds: tuple[EvaluationResult, ...]
    pooled: EvaluationResult

    def spread(self, metric: str) -> tuple[float, float]:
        """(mean, standard deviation) of a metric over the folds, as ``spread("nme")``.

        The deviation is that of a sample: n - 1 folds. NaN if a fold has no such number.
        """
        values = np.array([each.overall.metrics[metric] for each in self.folds])
        return float(values.mean()), float(values.std(ddof=1))

    def to_json(self) -> dict[str, Any]:
        """Scores of each fold, mean and deviation, pooled; relative numbers in per cent."""
        spread: dict[str, Mapping[str, float | None]] = {}
        for metric in METRICS:
            mean, deviation = (metric.scale * value for value in self.spread(metric.key))
            spread[metric.key] = {
                "mean": rounded(mean, metric.digits),
                "deviation": rounded(deviation, metric.digits),
            }
        return {
            "folds": [each.overall.to_json() for each in self.folds],
            "over_folds": spread,
            "pooled": self.pooled.to_json(),
        }


def cross_validate(  # noqa: PLR0913 - as nasion.train
    recipe: str | Path | Recipe,
    data: Data,
    *,
    folds: int = 5,
    run_folder: str | Path | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    reading: LabelReading = AS_IT_SEEMS,
    audits: Sequence[Audit] = (),
    observers: Callable[[Path], tuple[Observer, ...]] = lambda run: (),
) -> CrossValidationResult:
    """Train a recipe once for each fold, validated on it; evaluate every face by its own run.

    Faces that share a photograph, a person or nearly the same image are in one fold. The runs are
    ``run_folder/fold-1`` and so on; ``cross_validation.json`` there has the scores. ``data``,
    ``changes``, ``resume``, ``reading`` and ``audits`` are as in ``nasion.train``; finished folds
    are not trained again. ``observers``: those of the run in this folder.
    """
    require(
        process_count() == 1,
        "Cross-validation trains in one process; start it without torchrun.",
    )
    name = recipe.data if isinstance(recipe, Recipe) else Path(recipe).stem
    folder = Path(run_folder) if run_folder else Path("runs") / name
    with locked(folder):
        # Without --set, a resumed cross-validation goes on with its own.
        changes = tuple(changes) or (read_folds(folder).changes if resume else ())
        value = override(recipe if isinstance(recipe, Recipe) else load_recipe(recipe), changes)
        if value.points_from == "data":
            spec = replace(value.spec, scheme=scheme_of(data, reading))
            value = replace(value, spec=spec)
        require(value.hold_out, "hold_out=false trains on all faces, but folds are held out.")
        if resume:
            _check_settings(folder, value, recipe, changes)
        faces, number = _folds(value, data, folds, folder, changes, resume, reading)
        for k in range(folds):
            run = fold_folder(folder, k + 1)
            train(
                recipe,
                (faces[number != k], faces[number == k]),
                run_folder=run,
                changes=changes,
                # Killed before its first checkpoint, a fold begins anew.
                resume=resume and (run / runs.CHECKPOINT).is_file(),
                audits=audits,
                observers=observers(run),
            )
        result = _evaluate(folder, faces, number, recipe)
        record = {"command": sys.argv, "data": " ".join(paths_of(data)), **result.to_json()}
        write_text(folder / SUMMARY, json.dumps(record, indent=1))
    return result


def _check_settings(
    folder: Path, value: Recipe, recipe: str | Path | Recipe, changes: Sequence[str]
) -> None:
    """Raise ``SettingError`` if the folds so far were trained with other settings."""
    first = fold_folder(folder, 1)
    if not (first / runs.SETTINGS).is_file():
        return
    own = runs.read_recipe(first, _module(recipe))
    if own != requested_settings(value, own, changes):
        raise SettingError(
            f"{folder} was started with other settings, or the recipe was changed since; continue "
            "with the recipe as it was and --resume alone, or start anew with --run FOLDER."
        )


def _folds(
    recipe: Recipe,
    data: Data,
    count: int,
    folder: Path,
    changes: Sequence[str],
    resume: bool,
    reading: LabelReading,
) -> tuple[Faces, np.ndarray]:
    """All labelled faces and the fold of each, recorded in the folder or compared with it."""
    if is_fold_folder(folder) and not resume:
        raise RunError(
            f"{folder} already holds a cross-validation; continue it with --resume, "
            "or name another folder with --run."
        )
    if (folder / runs.SETTINGS).exists():
        raise RunError(f"{folder} holds a single run; name another folder with --run.")
    if isinstance(data, Faces):
        faces = data.to(recipe.spec.scheme)
        pairs = None
    elif paths := paths_of(data):
        whole_images = recipe.spec.whole
        pool = load_pool(paths, recipe.spec.scheme, whole_images=whole_images, reading=reading)
        faces, pairs = pool.faces, pool.similar_pairs()
    else:
        raise SettingError("Folds divide one set of faces; give it undivided, not as two sides.")
    labelled = faces.labelled.any(axis=1)
    number = honest_folds(faces, count, pairs)[labelled]
    # Nothing is learnt from the others, and nothing evaluated on them.
    faces = faces[labelled]
    ids = tuple(tuple(faces.ids[i] for i in np.flatnonzero(number == k)) for k in range(count))
    found = Folds(ids, faces_key(faces, faces[:0]), tuple(changes))
    if not resume:
        write_folds(folder, found)
    elif read_folds(folder) != found:
        raise RunError(
            f"{folder} was begun with other faces or another number of folds "
            f"({len(read_folds(folder).ids)}); continue with those, or name another folder with "
            "--run."
        )
    return faces, number


def _evaluate(
    folder: Path, faces: Faces, number: np.ndarray, recipe: str | Path | Recipe
) -> CrossValidationResult:
    predictions = predict_held_out(folder, faces, _module(recipe))
    parts = []
    for k in range(number.max() + 1):
        at = np.flatnonzero(number == k)
        ids = tuple(faces.ids[i] for i in at)
        own = Predictions(scheme=predictions.scheme, ids=ids, points=predictions.points[at])
        parts.append(evaluate(own, faces[at]))
    return CrossValidationResult(folder, tuple(parts), evaluate(predictions, faces))


def _module(recipe: str | Path | Recipe) -> ModuleType | None:
    """The module of a recipe file, whose parts nasion does not know."""
    is_file = not isinstance(recipe, Recipe) and str(recipe).endswith(".py")
    return recipe_module(str(recipe)) if is_file else None
