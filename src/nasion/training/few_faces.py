"""With few faces, whether to train at all: cross-validation decides, and says what it found.

Outputs for new points start as weighted means of the starting network's points. From a handful of
faces these may be better than what training makes of them, and so small a validation side cannot
tell.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from nasion.data.splits import honest_folds, linked_clusters
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.recipe import Recipe
from nasion.training.state import TrainingState

FEW = 25  # faces, below which cross-validation decides
FOLDS = 3
_DECIDED_BY = ("epochs", "keep")  # settings whose change says how long to train
_log = logging.getLogger(__name__)


def is_undecided(recipe: Recipe, faces: Faces, changes: Sequence[str]) -> bool:
    """True if faces are few and fine-tuned to the data's points, and no change says how long."""
    decided = any(change.partition("=")[0].strip() in _DECIDED_BY for change in changes)
    fine_tunes = recipe.init_from is not None and recipe.points_from == "data"
    return fine_tunes and len(faces) < FEW and not decided


def trained_or_not(recipe: Recipe, faces: Faces, fit: Callable[..., TrainingState]) -> Recipe:
    """The recipe that is better on faces held out: trained to its end, or not at all (0 epochs).

    Folds share no person, photograph or duplicate. Without two such parts the recipe stays as it
    is. ``fit``: the training loop.
    """
    labelled = faces[faces.labelled.any(axis=1)]
    clusters = linked_clusters(labelled)
    count = min(FOLDS, len(np.unique(clusters)))
    if count < 2:
        _log.warning(
            "%s of one person or photograph: whether training helps on others cannot be told.",
            counted(len(labelled), "training face is", "training faces are"),
        )
        return recipe
    whole, untrained = replace(recipe, keep="last"), replace(recipe, epochs=0)
    _log.info(
        "%d training faces are few: %d of them are held out in turn, to see if training helps.",
        len(labelled),
        round(len(labelled) / count),
    )
    number = honest_folds(labelled, count)
    scores, began = np.zeros(2), time.perf_counter()
    for k in range(count):
        sides = labelled[number != k], labelled[number == k]
        found = np.array([_score(fit, each, sides) for each in (whole, untrained)])
        # A root of a mean over points, of which folds have different numbers.
        scores += found**2 * sides[1].labelled.sum()
        left = (time.perf_counter() - began) / (k + 1) * (count - k)
        _log.info(
            "Fold %d of %d: %.4g trained, %.4g untrained; about %.0f s of training left.",
            *(k + 1, count, *found, left),
        )
    trained, not_trained = np.sqrt(scores / labelled.labelled.sum())
    is_better = bool(trained < not_trained)
    _log.info(
        "Held-out faces: RMSE %.4g trained, %.4g untrained. %s",
        trained,
        not_trained,
        "So it is trained."
        if is_better
        else "So points stay weighted means of known ones (epochs=0).",
    )
    return whole if is_better else untrained


def _score(fit: Callable[..., TrainingState], recipe: Recipe, sides: tuple[Faces, Faces]) -> float:
    """The validation score at the end of a training that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="nasion-fold-") as folder, quiet():
        state = fit(recipe, *sides, Path(folder))
    return state.history[-1]["val"] if state.history else state.best


@contextmanager
def quiet() -> Iterator[None]:
    """Without what each fold's training would say again."""
    above = logging.getLogger("nasion.training")
    level = above.level
    above.setLevel(logging.WARNING)
    try:
        yield
    finally:
        above.setLevel(level)
