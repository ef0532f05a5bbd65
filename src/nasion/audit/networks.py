"""Points that networks predict for faces whose labels they have not seen.

The faces are divided into folds that share no person, photograph or duplicate. For each fold a
small network is trained on the others, from the weights of a shipped one. Crops come from a
detector and the shipped network, since boxes around labels would repeat their faults.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasion.array_types import Float32
from nasion.cross_validation import cross_validate
from nasion.data.annotators import GROUP, SeparateHeads, merge_heads, split_heads
from nasion.data.missing_boxes import with_boxes
from nasion.data.splits import linked_clusters
from nasion.errors import RunError, require
from nasion.inference.fold_runs import is_fold_folder, predict_held_out
from nasion.inference.whole_faces import whole_face_boxes
from nasion.landmarks.face_extent import boxes_of_points
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.geometry import points_box
from nasion.media.counted import counted
from nasion.media.images import image_size
from nasion.recipe import Recipe
from nasion.recipes import face68_light, finetune
from nasion.training.few_faces import quiet
from nasion.training.starting_network import (
    StartingNetwork,
    open_starting_network,
    predicted_points,
)
from nasion.training.state import Observer

START = "face68_light"
FOLDS = 3
_FEWEST, _PER_FACE, _MOST = 3000, 50, 16_000  # faces shown in a training
_EPOCHS = (5, 20)  # fewest and most
_FROM_NOTHING = 4  # times as many from random weights
_SMALL = 128  # pixels: images up to this size are cut-outs, for which inputs of 96 are enough
_HEADS = 200  # faces of a source, from which it gets outputs of its own
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """``predictions``: of each face, by the network that has not seen it, in its source's habits.

    ``shared``: in those of the largest source. ``seen``: the part of the photographs that the
    starting network has learnt from.
    """

    predictions: Predictions
    shared: Predictions
    seen: float


def held_out_predictions(
    faces: Faces,
    folder: Path,
    *,
    folds: int = FOLDS,
    start: str | None = START,
    observers: Callable[[Path], tuple[Observer, ...]] = lambda run: (),
) -> HeldOut:
    """Train the networks in ``folder``, which is removed in the end, and predict every face.

    ``faces``: each with a label. ``start``: a shipped network, run or exported file; None: random
    weights. A killed call is continued by the next one. Raises ``SettingError`` for faces that
    cannot be divided into folds.
    """
    parts = len(np.unique(linked_clusters(faces)))
    require(
        parts >= 2,
        f"{counted(len(faces), 'face is', 'faces are')} of one person or photograph; an audit "
        "trains on some and looks at others: label faces of two or more.",
    )
    network = open_starting_network(start or START)
    placed = replace(faces, boxes=face_boxes(network, faces))
    heads = _separate_heads(placed)
    wide = split_heads(placed, heads)
    recipe = _recipe(wide, network, from_nothing=start is None, folds=folds)
    _log.info(
        "%d small networks are trained on %d faces, each without the part that it looks at.",
        *(min(folds, parts), len(faces)),
    )
    with quiet():
        found = _trained(recipe, wide, folder, min(folds, parts), observers)
    record = network.predictor.trained_on
    seen = 0.0 if record is None or start is None else float(record.seen(faces).mean())
    shutil.rmtree(folder, ignore_errors=True)
    own = _narrowed(found, faces, lambda wide: merge_heads(wide, faces, heads))
    shared = _narrowed(found, faces, lambda wide: wide[:, : len(faces.scheme)])
    return HeldOut(own, shared, seen)


def _narrowed(
    found: Predictions, faces: Faces, of_points: Callable[[np.ndarray], np.ndarray]
) -> Predictions:
    """Predictions of the faces' own points, of those that separate outputs make."""
    expected = None if found.expected is None else of_points(found.expected)
    return Predictions(
        scheme=faces.scheme, ids=faces.ids, points=of_points(found.points), expected=expected
    )


def face_boxes(start: StartingNetwork, faces: Faces) -> Float32[np.ndarray, "N 4"]:
    """Boxes around the points that the starting network predicts where a detector finds faces.

    Of several faces in an image, the one that its labels or its box are in; without any, the box
    around the labels counts.
    """
    if _are_small(faces):
        # Cut-outs of faces already, in which detectors find less.
        faces = replace(faces, boxes=None)
    else:
        own = with_boxes(faces)
        assert own.boxes is not None
        whole = whole_face_boxes(own, only_face=True)
        found = boxes_of_points(whole, start.spec.scheme, start.spec.face_margins)
        boxes = np.where(np.isnan(found), own.boxes, found)
        faces = replace(faces, boxes=boxes.astype(np.float32))
    return points_box(predicted_points(start, faces)).astype(np.float32)


def _recipe(faces: Faces, start: StartingNetwork, *, from_nothing: bool, folds: int) -> Recipe:
    """A training of a few minutes, for faces in boxes of the starting network's points."""
    training = max(1, round(len(faces) * (folds - 1) / folds))
    shown = min(_FEWEST + _PER_FACE * training, _MOST)
    if from_nothing:
        shown *= _FROM_NOTHING
    fewest, most = _EPOCHS
    epochs = int(np.clip(round(shown / training), fewest, most))
    spec = replace(start.spec, scheme=faces.scheme, separate_heads=(), refine_steps=1, tta="none")
    if _are_small(faces):
        spec = replace(spec, input_size=(96, 96))
    return replace(
        face68_light.RECIPE if from_nothing else finetune.RECIPE,
        data="audit",
        points_from="data",
        init_from=None if from_nothing else start.source,
        spec=replace(spec, whole_images=False, tight_boxes=False),
        architecture=start.architecture,
        batch_size=32,
        epochs=epochs,
        repeats=max(1, round(shown / (epochs * training))),
        keep="last",
    )


def _are_small(faces: Faces) -> bool:
    some = faces.images[: min(len(faces), 50)]
    return all(max(image_size(image)) <= _SMALL for image in some)


def _separate_heads(faces: Faces) -> tuple[SeparateHeads, ...]:
    """Every source but the largest, of enough faces: annotators have habits."""
    counts = Counter(faces.groups.get(GROUP, ()))
    heads = []
    for value, count in counts.most_common()[1:]:
        if value and count >= _HEADS:
            labelled = faces.labelled[faces.group(GROUP) == value].sum(axis=0) >= _HEADS / 4
            # A head holds both points of a mirror pair.
            labelled |= labelled[faces.scheme.flip]
            points = [faces.scheme.points[k] for k in np.flatnonzero(labelled)]
            if points:
                heads.append(SeparateHeads(value, tuple(points)))
    return tuple(heads)


def _trained(
    recipe: Recipe,
    faces: Faces,
    folder: Path,
    folds: int,
    observers: Callable[[Path], tuple[Observer, ...]],
) -> Predictions:
    resume = is_fold_folder(folder)
    try:
        cross_validate(
            recipe, faces, folds=folds, run_folder=folder, resume=resume, observers=observers
        )
    except RunError:
        if not resume:
            raise
        # It was begun with other faces, or by another version.
        shutil.rmtree(folder)
        cross_validate(recipe, faces, folds=folds, run_folder=folder, observers=observers)
    return predict_held_out(folder, faces, tta="flip")
