"""A folder of cross-validation: ``folds.json``, and a run folder for each fold, ``fold-1`` on.

Every face was held out by one of the runs, and is predicted by that one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shlex import quote
from types import ModuleType

import numpy as np

from nasion.errors import RunError, SettingError
from nasion.inference.predictor import load_model
from nasion.inference.run_folder import FOLDS, KERAS_WEIGHTS, WEIGHTS
from nasion.landmarks.faces import Faces, Predictions
from nasion.media.counted import part_of
from nasion.media.files import write_text
from nasion.media.json_document import read_document
from nasion.model_spec import TTA

FORMAT = 1
SUMMARY = "cross_validation.json"  # written when all folds are trained and evaluated


def is_fold_folder(folder: Path) -> bool:
    return (folder / FOLDS).is_file()


def fold_folder(folder: Path, number: int) -> Path:
    """The run folder of a fold, counted from 1."""
    return folder / f"fold-{number}"


@dataclass(frozen=True)
class Folds:
    """``ids``: of the faces that each fold holds out. ``faces_key``: of all faces and labels.

    ``changes``: of the recipe's settings, which all folds were started with.
    """

    ids: tuple[tuple[str, ...], ...]
    faces_key: str
    changes: tuple[str, ...] = ()


def write_folds(folder: Path, folds: Folds) -> None:
    """Record which faces each fold holds out."""
    write_text(folder / FOLDS, json.dumps({"format": FORMAT, **asdict(folds)}, indent=1))


def read_folds(folder: Path) -> Folds:
    """The record of a folder. Raises ``RunError`` if it has none, or a damaged one."""
    path = folder / FOLDS
    if not path.is_file():
        raise RunError(
            f"{folder} is no cross-validation: it has no {FOLDS}. `nasion train --folds` makes one."
        )
    document = read_document(path, kind=RunError, remedy="train the folds again.")
    if document["format"].value != FORMAT:
        raise document["format"].error(f"format {document['format'].value}, not {FORMAT}")
    folds = document["ids"].elements()
    if len(folds) < 2:
        raise document["ids"].error("two folds or more expected")
    return Folds(
        ids=tuple(tuple(face.text() for face in fold.elements()) for fold in folds),
        faces_key=document["faces_key"].text(),
        changes=tuple(change.text() for change in document["changes"].elements()),
    )


def check_finished(folder: Path) -> None:
    """Raise ``RunError`` if folds are still to be trained, or are gone."""
    count = len(read_folds(folder).ids)
    runs = [fold_folder(folder, k) for k in range(1, count + 1)]
    trained = [run.name for run in runs if _has_weights(run)]
    lacking = [run.name for run in runs if run.name not in trained]
    if (folder / SUMMARY).is_file() and not lacking:
        return
    state = f"no network in {', '.join(lacking)}" if lacking else f"{trained[-1]} was stopped"
    raise RunError(
        f"{folder}: the cross-validation is unfinished ({state}), so not every face has a network "
        "that held it out. Continue it with the recipe, data and options that it was begun with: "
        f"nasion train RECIPE --data DATA --folds {count} --run {quote(str(folder))} --resume"
    )


def _has_weights(run: Path) -> bool:
    return any((run / name).is_file() for name in (WEIGHTS, KERAS_WEIGHTS))


def predict_held_out(
    folder: Path, faces: Faces, recipe: ModuleType | None = None, tta: TTA | None = None
) -> Predictions:
    """Each face predicted by the run that held it out.

    ``recipe``: the recipe file's module, if it defines parts of its own. Raises ``SettingError``
    for a face that is in no fold.
    """
    number = {face: k for k, ids in enumerate(read_folds(folder).ids) for face in ids}
    unknown = [face for face in faces.ids if face not in number]
    if unknown:
        raise SettingError(
            f"{part_of(len(unknown), len(faces), 'face', 'is', 'are')} in no fold of {folder}, "
            f"{unknown[0]!r} first; evaluate on the data that it was trained on, or one run of it "
            f"({fold_folder(folder, 1)})."
        )
    fold = np.array([number[face] for face in faces.ids], dtype=np.int64)
    parts: list[tuple[np.ndarray, Predictions]] = []
    for k in sorted(set(fold.tolist())):
        at = np.flatnonzero(fold == k)
        model = load_model(fold_folder(folder, k + 1), recipe=recipe, tta=tta)
        parts.append((at, model.predict(faces[at])))
    return _in_order(faces, parts)


def _in_order(faces: Faces, parts: list[tuple[np.ndarray, Predictions]]) -> Predictions:
    """The predictions of all parts, in the order of the faces."""
    order = np.argsort(np.concatenate([at for at, _ in parts]))
    predicted = [each for _, each in parts]

    def column(values: list[np.ndarray | None]) -> np.ndarray | None:
        there = [value for value in values if value is not None]
        return np.concatenate(there)[order] if len(there) == len(values) else None

    return replace(
        predicted[0],
        ids=faces.ids,
        points=np.concatenate([each.points for each in predicted])[order],
        scores=column([each.scores for each in predicted]),
        expected=column([each.expected for each in predicted]),
        visible=column([each.visible for each in predicted]),
    )
