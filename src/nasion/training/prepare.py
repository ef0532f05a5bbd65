"""Training and validation faces as the recipe wants them, and their crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasion.array_types import Float32
from nasion.data.annotators import split_heads
from nasion.data.label_outliers import suspect_labels
from nasion.data.missing_labels import handle_missing
from nasion.inference.crops import Crops, crop_faces
from nasion.landmarks.faces import Faces
from nasion.recipe import Recipe


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training and validation faces, prepared as the recipe says, and their crops."""

    faces: Faces
    crops: Crops
    val_faces: Faces
    val_crops: Crops


def prepare_data(recipe: Recipe, train_faces: Faces, val_faces: Faces) -> TrainingData:
    """Select and crop faces as the recipe says.

    ``faces`` keep their own labels where the crops get others (``distillation``).
    """
    faces = prepare_faces(recipe, train_faces)
    val_faces = val_faces.to(recipe.spec.scheme)
    val_wide = split_heads(val_faces, recipe.spec.separate_heads)
    return TrainingData(
        faces=faces,
        crops=crop_faces(_as_learnt(recipe, faces), recipe.spec, recipe.augment),
        val_faces=val_faces,
        val_crops=crop_faces(val_wide, recipe.spec),
    )


def _as_learnt(recipe: Recipe, faces: Faces) -> Faces:
    """The faces with the labels that the network is trained to predict."""
    if not recipe.distillation or recipe.init_from is None:
        return faces
    from nasion.training.starting_network import distilled, open_starting_network

    return distilled(open_starting_network(recipe.init_from), faces, recipe.distillation)


def prepare_faces(recipe: Recipe, faces: Faces) -> Faces:
    """The training faces: suspect labels dropped, missing ones handled, in the output scheme."""
    # In this order: suspects are found by all points of the dataset's own scheme, and a suspect's
    # labels must not be copied into other faces by forward_fill.
    kept = faces[~suspect_labels(faces)] if recipe.suspect_labels == "drop" else faces
    labelled = handle_missing(kept.to(recipe.spec.scheme), recipe.missing)
    return split_heads(labelled, recipe.spec.separate_heads)


def mean_head_bias(recipe: Recipe, crops: Crops) -> Float32[np.ndarray, " C"]:
    """The head's bias for which a network always predicts the mean of the labels.

    Outputs without any label get 0; a log scale beside x and y gets 0 too.
    """
    assert crops.points is not None
    target = recipe.spec.codec.encode(crops.points, recipe.spec.input_size)
    count = (~np.isnan(target)).sum(0)
    total, zeros = np.nansum(target, axis=0), np.zeros(target.shape[1:])
    mean = np.divide(total, count, out=zeros, where=count > 0).astype(np.float32)
    # (K, 2) targets belong to outputs x, y, log scale: a third column of 0 is a scale of 1.
    outputs = np.pad(mean, ((0, 0), (0, 1))).reshape(-1) if mean.ndim == 2 else mean
    return recipe.architecture.head_bias(outputs)
