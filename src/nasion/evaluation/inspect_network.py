"""Look inside: training samples as the network sees them, its first filters, their responses."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from nasion.array_types import UInt8
from nasion.arrays import as_numpy
from nasion.errors import RunError, SettingError
from nasion.evaluation import face_tiles, plots
from nasion.evaluation.html_rendering import Figure, image_figure, plot_figure
from nasion.inference.backends import Network
from nasion.inference.crops import Batch, augmented_batch, crop_faces, input_images, plain_batch
from nasion.inference.predictor import Predictor
from nasion.landmarks.faces import Faces
from nasion.model_spec import ModelSpec
from nasion.recipe import Recipe

_TILE_WIDTH = 192


def samples(
    faces: Faces, recipe: Recipe, count: int = 8, seed: int = 0
) -> UInt8[np.ndarray, "H W 3"]:
    """Training samples with their points: a row unchanged, below it two rows augmented."""
    if len(faces) == 0:
        raise SettingError("There are no faces to draw.")
    spec = recipe.spec
    faces = faces.to(spec.scheme)
    labelled = np.asarray(faces.labelled.any(axis=1))
    # Faces with labels first, so that there are points to see.
    order = np.random.default_rng(seed).permutation(len(faces)).tolist()
    order.sort(key=lambda i: not labelled[i])
    some = faces[np.sort(order[:count])]
    crops, at = crop_faces(some, spec, recipe.augment), np.arange(len(some))
    tiles = _tiles(plain_batch(crops, at, spec), spec, some.ids)
    for turn in (1, 2):
        rng = np.random.default_rng([seed, turn])
        batch = augmented_batch(crops, at, spec, recipe.augment, recipe.corrupt, rng)
        tiles += _tiles(batch, spec, ("augmented",) * len(some))
    return face_tiles.sheet(tiles, columns=len(some))


def filters(network: Network) -> Any:
    """The first layer's filters as a labelled grid; a plot."""
    weights = network.first_filters()
    maps = [each[0] if len(each) == 1 else np.moveaxis(each, 0, -1) for each in weights]
    panels = [(str(i), map_) for i, map_ in enumerate(maps, start=1)]
    return plots.grid_plot(panels, f"First layer: {len(maps)} filters")


def responses(model: Predictor, faces: Faces, face: str | None = None) -> Any:
    """The response of each first-layer filter to a face (its id; None: the first); a plot."""
    one = faces.subset([face]) if face is not None else faces[:1]
    crops = crop_faces(one.to(model.spec.scheme), model.spec)
    images = input_images(crops, np.array([0]), model.spec)
    maps = model.network.first_responses(images)[0]
    # Relative to their mean: a bias shifts a whole map and tells nothing about the face.
    panels = [(str(i), map_ - map_.mean()) for i, map_ in enumerate(maps, start=1)]
    shown = _as_pixels(images, model.spec)[0].squeeze()
    title = f"First layer's responses to {one.ids[0]}, relative to their mean"
    return plots.grid_plot([("input", shown), *panels], title)


def report_figures(model: Predictor, recipe: Recipe, faces: Faces) -> tuple[Figure, ...]:
    """All of these as figures of a page."""
    figures = [
        image_figure(
            "Training samples",
            samples(faces, recipe),
            "Top row: faces as they are cropped, with their labels. "
            "Below: the same, augmented; drawn anew in every epoch.",
        )
    ]
    try:
        figures.append(plot_figure("First layer's filters", filters(model.network)))
        figures.append(plot_figure("First layer's responses", responses(model, faces)))
    except RunError:  # a network without convolutions
        return tuple(figures)
    return tuple(figures)


def _tiles(batch: Batch, spec: ModelSpec, captions: tuple[str, ...]) -> list[np.ndarray]:
    width, height = spec.input_size
    size = (_TILE_WIDTH, round(_TILE_WIDTH * height / width))
    scale = np.array(size) / spec.input_size
    tiles = []
    images, points = _as_pixels(batch.images, spec), as_numpy(batch.points)
    for pixels, xy, caption in zip(images, points, captions, strict=True):
        image = Image.fromarray(pixels.squeeze()).convert("RGB")
        large = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
        # Enlarged about the image's corner, not about its first pixel's centre.
        marks = [((xy + 0.5) * scale - 0.5, face_tiles.TRUTH)]
        tiles.append(face_tiles.draw_points(large, marks, caption, radius=2.0))
    return tiles


def _as_pixels(images: Any, spec: ModelSpec) -> UInt8[np.ndarray, "B H W C"]:
    """Network input as pixel values again."""
    low, high = spec.pixel_range
    values = np.rint((as_numpy(images) - low) * (255 / (high - low)))
    return np.moveaxis(np.clip(values, 0, 255).astype(np.uint8), 1, -1)
