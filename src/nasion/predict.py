"""From pictures to points with a trained run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float32, Int64
from numpy.typing import ArrayLike

from nasion import geometry, networks, run
from nasion.arrays import Array, as_numpy
from nasion.batches import Batch, Canvases, batch, canvases
from nasion.faces import Faces, Images, Predictions
from nasion.networks import Network
from nasion.recipe import Recipe

_BATCH = 256


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network that takes pictures and says points."""

    recipe: Recipe
    network: Network

    def __call__(self, images: Images | Sequence[str], boxes: ArrayLike | None = None, ids: Sequence[str] | None = None) -> Predictions:
        """Points of one face per picture, in the picture's pixels.

        ``images``: uint8 (N, H, W[, 3]), or a list of arrays and paths; ``boxes``: where in the picture the face is (None:
        all of it); ``ids``: names for the predictions (None: the position).
        """
        if not isinstance(images, np.ndarray):
            images = tuple(Path(picture) if isinstance(picture, str) else picture for picture in images)
        boxes = None if boxes is None else np.asarray(boxes, dtype=np.float32)
        names = tuple(str(i) for i in range(len(images))) if ids is None else tuple(ids)
        points = np.full((len(images), len(self.recipe.scheme), 2), np.nan, dtype=np.float32)
        faces = Faces(scheme=self.recipe.scheme, ids=names, images=images, points=points, boxes=boxes)
        return self.predict(faces)

    def predict(self, faces: Faces) -> Predictions:
        """Points for faces, by their ids; their labels are not looked at."""
        canvas = canvases(faces.to(self.recipe.scheme), self.recipe)
        points = predicted_points(self.network, canvas, self.recipe)
        return Predictions(scheme=self.recipe.scheme, ids=faces.ids, points=points)


def load_model(folder: str | Path, *, recipe: ModuleType | None = None, device: str | None = None) -> Model:
    """The best weights of a run, ready to predict; ``recipe``: the recipe's module, when it defines parts of its own.

    ``device``: PyTorch's, as ``cpu`` or ``cuda``; Keras chooses its own. Raises ``RunError`` for a folder that is no run, is of
    another version, or has no weights yet.
    """
    value = run.recipe_of(Path(folder), recipe)
    return Model(recipe=value, network=networks.framework(value.framework).load(Path(folder), value, device))


def predicted_points(network: Network, canvas: Canvases, recipe: Recipe) -> Float32[np.ndarray, "N K 2"]:
    """The network's points for all canvases, in pixels of the source pictures."""
    return np.concatenate([source_points(output, canvas, at, recipe) for at, output, _ in outputs(network, canvas, recipe)])


def source_points(output: Float32[Array, "B C"], canvas: Canvases, at: Int64[np.ndarray, " B"], recipe: Recipe) -> Float32[np.ndarray, "B K 2"]:
    """Points in pixels of the source pictures, from what the network said of the canvases at these positions."""
    points = recipe.codec.decode(as_numpy(output), recipe.input_size).astype(np.float64)
    return geometry.apply(canvas.to_source[at], points).astype(np.float32)


def outputs(network: Network, canvas: Canvases, recipe: Recipe) -> Iterator[tuple[Int64[np.ndarray, " B"], Float32[Array, "B C"], Batch]]:
    """(positions, the network's output, the batch it saw) for all canvases, unchanged."""
    for start in range(0, len(canvas), _BATCH):
        at = np.arange(start, min(start + _BATCH, len(canvas)))
        seen = batch(canvas, at, recipe)
        yield at, network(seen.images), seen
