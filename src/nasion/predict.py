"""From pictures to points with a trained run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy.typing import ArrayLike
from torch import Tensor, nn

from nasion import geometry, run
from nasion.batches import Batch, Canvases, batch, canvases
from nasion.errors import RunError
from nasion.faces import Faces, Images, Predictions
from nasion.recipe import Recipe

_BATCH = 256


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network that takes pictures and says points."""

    recipe: Recipe
    network: nn.Module
    device: str = "cpu"

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
        canvas = canvases(faces.to(self.recipe.scheme), self.recipe, self.device)
        points = predicted_points(self.network, canvas, self.recipe)
        return Predictions(scheme=self.recipe.scheme, ids=faces.ids, points=points)


def load_model(folder: str | Path, *, recipe: ModuleType | None = None, device: str | None = None) -> Model:
    """The best weights of a run, ready to predict; ``recipe``: the recipe's module, when it defines parts of its own.

    Raises ``RunError`` for a folder that is no run, is of another version, or has no weights yet.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    values = run.recipe_of(Path(folder), recipe)
    network = values.network(weights_follow=True)
    try:
        network.load_state_dict(run.load_tensors(Path(folder) / run.WEIGHTS)[0])
    except RuntimeError as error:
        raise RunError(f"{folder}: the weights do not fit the recipe in {run.SETTINGS} ({str(error).splitlines()[-1].strip()}).") from error
    return Model(recipe=values, network=network.to(device).eval(), device=device)


def predicted_points(network: nn.Module, canvas: Canvases, recipe: Recipe) -> Float32[np.ndarray, "N K 2"]:
    """The network's points for all canvases, in pixels of the source pictures."""
    return np.concatenate([source_points(output, canvas, at, recipe) for at, output, _ in outputs(network, canvas, recipe)])


def source_points(output: Tensor, canvas: Canvases, at: Int64[np.ndarray, " B"], recipe: Recipe) -> Float32[np.ndarray, "B K 2"]:
    """Points in pixels of the source pictures, from what the network said of the canvases at these positions."""
    points = recipe.codec.decode(output, recipe.input_size).double().cpu().numpy()
    return geometry.apply(canvas.to_source[at], points).astype(np.float32)


def outputs(network: nn.Module, canvas: Canvases, recipe: Recipe) -> Iterator[tuple[Int64[np.ndarray, " B"], Tensor, Batch]]:
    """(positions, the network's output in float32, the batch it saw) for all canvases, unchanged, in inference mode."""
    device = canvas.images.device
    was_training = network.training
    network.eval()
    try:
        for start in range(0, len(canvas), _BATCH):
            at = np.arange(start, min(start + _BATCH, len(canvas)))
            # Not around the yield, else what the caller computes between two batches would run in it as well.
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=autocasts(recipe, device.type)):
                seen = batch(canvas, at, recipe)
                output = network(seen.images.contiguous(memory_format=torch.channels_last)).float()
            yield at, output, seen
    finally:
        network.train(was_training)


def autocasts(recipe: Recipe, device: str) -> bool:
    """True if the network runs in bfloat16: the recipe insists, or leaves it open and the processor computes in it."""
    if recipe.precision != "auto":
        return recipe.precision == "bfloat16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
