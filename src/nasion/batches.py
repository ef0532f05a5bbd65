"""Faces to uint8 canvases, cut out and decoded once, and canvases to batches; no workers, no per-sample Python.

Arrays are NumPy's; canvases that were moved ``to`` an accelerator are PyTorch's, and so is what is made of them.

A canvas shows the face's box (or the whole picture) at the input's resolution, grown by what augmentation can reach.
``to_source`` is the only way back to the source picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from nasion import cache, geometry
from nasion.arrays import Array, as_float32, like
from nasion.augment import Augment, grey, relight, warp
from nasion.errors import DataError
from nasion.faces import Faces, Picture, crop_boxes
from nasion.files import open_picture
from nasion.recipe import Recipe

NO_CHANGE = Augment()
_FAR = 8  # times the picture's longer side


@dataclass(frozen=True, eq=False)
class Canvases:
    """Decoded faces: ``images``, ``points`` in pixels of the input crop, ``to_source`` from there back.

    ``crop_to_canvas`` takes pixels of the (width, height) input crop to pixels of the canvas.
    """

    images: UInt8[Array, "N C H W"]
    points: Float64[np.ndarray, "N K 2"]
    to_source: Float64[np.ndarray, "N 2 3"]
    crop_to_canvas: Float64[np.ndarray, "2 3"]
    input_size: tuple[int, int]
    flip: Int64[np.ndarray, " K"]

    def __len__(self) -> int:
        return len(self.images)

    def with_others(self, at: Int64[np.ndarray, " n"], others: Canvases) -> Canvases:
        """The same with other pictures of the faces at these positions."""
        images, points, to_source = np.array(self.images), np.array(self.points), np.array(self.to_source)
        images[at], points[at], to_source[at] = others.images, others.points, others.to_source
        return replace(self, images=images, points=points, to_source=to_source)

    def to(self, device: Any) -> Canvases:
        """The same with its pictures on a PyTorch device; on the CPU they stay NumPy's."""
        if str(device) == "cpu":
            return self
        import torch

        return replace(self, images=torch.from_numpy(self.images).to(device))


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures in the recipe's pixel range, and points in pixels of the input (NaN: not labelled)."""

    images: Float32[Array, "B C H W"]
    points: Float32[Array, "B K 2"]


def canvases(faces: Faces, recipe: Recipe, augmented: bool = False) -> Canvases:
    """Decode faces for a recipe; ``augmented``: with the margin that the recipe's augmentation reaches."""
    width, height = recipe.input_size
    pad_x, pad_y = recipe.augment.margin(recipe.input_size) if augmented and faces.boxes is not None else (0, 0)
    canvas_size = (width + 2 * pad_x, height + 2 * pad_y)
    boxes = crop_boxes(faces, recipe.box_scale)
    if recipe.square:
        boxes = geometry.square_box(boxes)
    to_crop = geometry.box_to_frame(boxes, recipe.input_size)
    crop_to_canvas = geometry.shift(pad_x, pad_y)
    corners = np.array([[-0.5 - pad_x, -0.5 - pad_y], [width - 0.5 + pad_x, height - 0.5 + pad_y]])
    canvas_boxes = geometry.apply(geometry.invert(to_crop), np.broadcast_to(corners, (len(faces), 2, 2))).reshape(-1, 4)
    colour = recipe.colour or (augmented and recipe.augment.in_colour and not _all_grey(faces))
    images = _cut_all(faces, canvas_boxes, canvas_size, colour)
    return Canvases(
        images=images,
        points=geometry.apply(to_crop, faces.points),
        to_source=geometry.invert(to_crop),
        crop_to_canvas=crop_to_canvas,
        input_size=recipe.input_size,
        flip=faces.scheme.flip,
    )


def canvases_through(faces: Faces, to_source: Float64[np.ndarray, "N 2 3"], recipe: Recipe) -> Canvases:
    """Decode faces for prediction through any maps from the input's pixels to the source pictures', turned ones too."""
    width, height = recipe.input_size
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]])
    around = geometry.points_box(geometry.apply(to_source, np.broadcast_to(corners, (len(faces), 4, 2))))
    # A square of the diagonal holds any turn of the input; it is cut at the input's resolution, then turned by the warp.
    side = int(np.ceil(np.hypot(width, height)))
    half = np.sqrt(np.abs(np.linalg.det(to_source[:, :, :2])))[:, None] * side / 2
    middle, size = (around[:, :2] + around[:, 2:]) / 2, (side, side)
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    cut = np.stack([_cut(picture, box, size, recipe.colour) for picture, box in zip(faces.images, boxes, strict=True)])
    images = warp(cut.astype(np.float32), geometry.compose(to_source, geometry.box_to_frame(boxes, size)), recipe.input_size)
    return Canvases(
        images=np.rint(images).astype(np.uint8),
        points=geometry.apply(geometry.invert(to_source), faces.points),
        to_source=to_source,
        crop_to_canvas=geometry.identity(),
        input_size=recipe.input_size,
        flip=faces.scheme.flip,
    )


def batch(source: Canvases, at: Int64[np.ndarray, " B"], recipe: Recipe, rng: np.random.Generator | None = None) -> Batch:
    """The faces at these positions, augmented as the recipe says if a generator is given: one warp for all of them."""
    change = recipe.augment if rng is not None else NO_CHANGE
    images = as_float32(source.images[at])
    if rng is None and tuple(images.shape[:1:-1]) == source.input_size:
        # Nothing changes and nothing moves: one face of a video has no time for more.
        images = _in_range(images if recipe.colour else grey(images), recipe)
        return Batch(images=images, points=like(source.points[at], images))
    draw = change.draw(len(at), source.input_size, rng or np.random.default_rng(0))
    if change.relights:
        images = relight(images, draw)
    if not recipe.colour:
        # Before the warp, which then has one channel to move instead of three.
        images = grey(images)
    points = source.points[at]
    if change.moves or tuple(images.shape[:1:-1]) != source.input_size:
        images = warp(images, geometry.compose(draw.maps, source.crop_to_canvas), source.input_size)
        points = geometry.apply(geometry.invert(draw.maps), points)
        points = np.where(draw.flipped[:, None, None], points[:, source.flip], points)
    if rng is not None:
        images = recipe.disturb(images, rng)
    return Batch(images=_in_range(images, recipe), points=like(points, images))


def _in_range(images: Float32[Array, "B C H W"], recipe: Recipe) -> Float32[Array, "B C H W"]:
    low, high = recipe.pixel_range
    images *= (high - low) / 255
    images += low
    return images


def epoch_order(count: int, batch_size: int, seed: int, epoch: int) -> list[Int64[np.ndarray, " B"]]:
    """Positions of each batch of an epoch, shuffled by (seed, epoch) alone; a last batch of one face joins the one before."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    batches = np.split(order, range(batch_size, count, batch_size))
    if batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        # Batch norm has no variance over a single face.
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def _all_grey(faces: Faces) -> bool:
    """True if no picture can have colour, so that there is none to change."""
    images = faces.images
    return isinstance(images, np.ndarray) and images.ndim == 3


def _cut_all(faces: Faces, boxes: Float64[np.ndarray, "N 4"], size: tuple[int, int], colour: bool) -> UInt8[np.ndarray, "N C H W"]:
    """All canvases; kept in the cache where they come from picture files."""
    images = faces.images
    if isinstance(images, np.ndarray) and images.ndim == 3 and not colour and images.shape[:0:-1] == size:
        if (boxes == geometry.whole_picture(*size)).all():
            return np.array(images)[:, None]

    def make() -> tuple[dict[str, np.ndarray], dict]:
        cut = np.stack([_cut(picture, box, size, colour) for picture, box in zip(images, boxes, strict=True)])
        return {"canvases": cut}, {}

    for name, picture in zip(faces.ids, images, strict=True):
        if isinstance(picture, Path) and not picture.is_file():
            raise DataError(f"The picture of face {name!r} is not at {picture}; put it there, or leave its record out of the data set.")
    if not all(isinstance(picture, Path) for picture in images):
        return make()[0]["canvases"]
    where = blake2b(boxes.tobytes(), digest_size=16).hexdigest()
    key = cache.content_key([Path(str(picture)) for picture in images], "canvases", str(size), str(colour), where)
    return np.array(cache.kept(key, make)[0]["canvases"])


def _cut(picture: Picture, box: Float64[np.ndarray, " 4"], size: tuple[int, int], colour: bool) -> UInt8[np.ndarray, "C H W"]:
    """The box of a picture at ``size``; beyond the picture its edge is repeated. Shrinking averages over all pixels."""
    from PIL import Image

    image = open_picture(picture, colour) if isinstance(picture, Path) else np.asarray(picture)
    # Pillow counts from the outer edge of the first pixel, half a pixel before its centre.
    x0, y0, x1, y1 = (box + 0.5).tolist()
    height, width = image.shape[:2]
    if max(x1 - x0, y1 - y0, width - x0, x1, height - y0, y1) > _FAR * max(width, height):
        columns, rows = _shares((x0, x1), size[0], width), _shares((y0, y1), size[1], height)
        averaged = np.einsum("yh,xw,hw...->yx...", rows, columns, image, optimize=True)
        part = Image.fromarray(np.rint(averaged).astype(np.uint8)).convert("RGB" if colour else "L")
    else:
        # Only what the filter reaches, one pixel of the canvas beyond the box: photographs may be large, and faces in them small.
        columns, rows = _reached((x0, x1), size[0], width), _reached((y0, y1), size[1], height)
        if columns[0] < 0 or columns[-1] >= width or rows[0] < 0 or rows[-1] >= height:
            image = image[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]
        else:
            image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        whole = Image.fromarray(np.ascontiguousarray(image)).convert("RGB" if colour else "L")
        inside = (x0 - columns[0], y0 - rows[0], x1 - columns[0], y1 - rows[0])
        part = whole.resize(size, Image.Resampling.BILINEAR, box=inside)
    canvas = np.asarray(part)
    return np.moveaxis(canvas, -1, 0) if colour else canvas[None]


def _reached(side: tuple[float, float], count: int, length: int) -> Int64[np.ndarray, " n"]:
    """The pixels that shrinking side[0] to side[1] to ``count`` looks at, of a picture of ``length`` that is longer where the side leaves it."""
    beyond = int(np.ceil((side[1] - side[0]) / count)) + 1
    first, last = min(0, int(np.floor(side[0]))), max(length, int(np.ceil(side[1])))
    return np.arange(max(int(np.floor(side[0])) - beyond, first), min(int(np.ceil(side[1])) + beyond, last))


def _shares(side: tuple[float, float], count: int, length: int) -> Float64[np.ndarray, "count length"]:
    """How much each of ``length`` pixels counts in each of ``count`` equal stretches from side[0] to side[1], edges repeated.

    For boxes that leave the picture so far that padding it would not fit into memory.
    """
    ends = np.linspace(*side, count + 1)
    edges = np.concatenate([[-np.inf], np.arange(1, length), [np.inf]])
    overlap = np.minimum(ends[1:, None], edges[1:]) - np.maximum(ends[:-1, None], edges[:-1])
    overlap = np.maximum(overlap, 0)
    return overlap / overlap.sum(1, keepdims=True)
