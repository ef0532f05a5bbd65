"""What one looks at beside the numbers: what the network is shown, its first filters, and their responses to a face."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nasion import draw, page
from nasion.arrays import as_numpy
from nasion.batches import Batch, batch, canvases
from nasion.errors import RunError, SettingError
from nasion.faces import Faces
from nasion.networks import Network
from nasion.predict import Model
from nasion.recipe import Recipe

_WIDTH = 192


def samples(faces: Faces, recipe: Recipe, count: int = 8, seed: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """Faces with their points as the network is shown them: a row unchanged, below it two as they are changed in training."""
    if len(faces) == 0:
        raise SettingError("There are no faces to draw.")
    faces = faces.to(recipe.scheme)
    there = np.asarray(faces.labelled.any(axis=1))
    # Those with labels first, so that there is something to see.
    order = sorted(np.random.default_rng(seed).permutation(len(faces)).tolist(), key=lambda i: not there[i])
    some = faces[np.sort(order[:count])]
    canvas = canvases(some, recipe, augmented=True)
    at = np.arange(len(some))
    tiles = _tiles(batch(canvas, at, recipe), recipe, some.ids)
    for turn in (1, 2):
        tiles += _tiles(batch(canvas, at, recipe, np.random.default_rng([seed, turn])), recipe, ("augmented",) * len(some))
    return draw.sheet(tiles, columns=len(some))


def _tiles(shown: Batch, recipe: Recipe, captions: tuple[str, ...]) -> list[np.ndarray]:
    pixels = _pixels(shown, recipe)
    width, height = recipe.input_size
    size = (_WIDTH, round(_WIDTH * height / width))
    tiles = []
    for image, points, caption in zip(pixels, as_numpy(shown.points), captions, strict=True):
        picture = Image.fromarray(image.squeeze()).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        placed = (points + 0.5) * (np.array(size) / recipe.input_size) - 0.5
        tiles.append(draw.marked(np.asarray(picture), [(placed, draw.TRUTH)], caption, radius=2.0))
    return tiles


def _pixels(shown: Batch, recipe: Recipe) -> UInt8[np.ndarray, "B H W C"]:
    """What the network sees as pixel values again."""
    low, high = recipe.pixel_range
    values = np.rint((as_numpy(shown.images) - low) * (255 / (high - low)))
    return np.moveaxis(np.clip(values, 0, 255).astype(np.uint8), 1, -1)


def filters(network: Network) -> Any:
    """The first layer's filters as a labelled grid, a figure."""
    weights = network.first_filters()
    maps = [weight[0] if len(weight) == 1 else np.moveaxis(weight, 0, -1) for weight in weights]
    return draw.grid_figure([(str(i), map_) for i, map_ in enumerate(maps, start=1)], f"First layer: {len(maps)} filters")


def responses(model: Model, faces: Faces, face: str | None = None) -> Any:
    """What each filter of the first layer answers to a face (its id; None: the first), a figure."""
    one = faces.subset([face]) if face is not None else faces[:1]
    recipe = model.recipe
    seen = batch(canvases(one.to(recipe.scheme), recipe), np.array([0]), recipe)
    answers = model.network.first_responses(seen.images)[0]
    # About their mean: a bias shifts a whole map and says nothing of the face.
    maps = [(str(i), answer - answer.mean()) for i, answer in enumerate(answers, start=1)]
    return draw.grid_figure([("input", _pixels(seen, recipe)[0].squeeze()), *maps], f"First layer's responses to {one.ids[0]}, about their mean")


def for_report(model: Model, faces: Faces) -> tuple[page.Image, ...]:
    """All of these as pictures of a page."""
    found = [
        page.picture(
            "What the network is shown",
            samples(faces, model.recipe),
            "Top row: faces as they are cut out, with their labels. Below: the same as they are changed in training, drawn anew in every epoch.",
        )
    ]
    try:
        found.append(page.plot("First layer's filters", filters(model.network)))
        found.append(page.plot("First layer's responses", responses(model, faces)))
    except RunError:
        return tuple(found)
    return tuple(found)
