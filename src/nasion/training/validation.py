"""The validation score after an epoch."""

from __future__ import annotations

import numpy as np

from nasion.arrays import as_numpy, like
from nasion.data.annotators import merge_heads
from nasion.errors import DataError, RunError
from nasion.inference.backends import Network
from nasion.inference.crops import Crops, plain_batch
from nasion.inference.predictor import BATCH, to_source_points
from nasion.landmarks import metrics
from nasion.landmarks.faces import Faces
from nasion.models.losses import masked_mean
from nasion.recipe import Recipe


def validate(network: Network, crops: Crops, faces: Faces, recipe: Recipe) -> dict[str, float]:
    """``val``, the RMSE of the validation faces in their own pixels, and ``val_loss``.

    ``crops``: of the faces in the output scheme; each is predicted once, without refinement or
    test-time augmentation.
    """
    spec, points, total, count = recipe.spec, [], 0.0, 0.0
    for start in range(0, len(crops), BATCH):
        at = np.arange(start, min(start + BATCH, len(crops)))
        batch = plain_batch(crops, at, spec)
        output = network(batch.images)
        points.append(to_source_points(output, crops, at, spec))
        # The same arrays that the loss sees in training.
        target = like(as_numpy(spec.codec.encode(batch.points, spec.input_size)), output)
        active = spec.codec.activate(output, spec.input_size)
        loss, labels = masked_mean(recipe.loss, active, target)
        # Weighted by labels, so that the result does not depend on how faces fall into batches.
        total, count = total + float(loss * labels), count + float(labels)
    predicted = merge_heads(np.concatenate(points), faces, spec.separate_heads)
    # Before the RMSE, which would leave NaN out as "not predicted".
    if not np.isfinite(predicted).all():
        value = predicted[~np.isfinite(predicted)][0]
        raise RunError(f"The network predicts {value} after this epoch; lower the learning rate.")
    rmse = metrics.rmse(faces.points, predicted)
    if not np.isfinite(rmse.value):
        raise DataError("The validation faces have no labels; give a validation set that has some.")
    return {"val": float(rmse.value), "val_loss": total / max(count, 1)}
