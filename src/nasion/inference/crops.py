"""Faces cut out of images once (crops), and crops to batches; no workers, no per-sample Python.

A crop shows the face's box (or the whole image) at the network's input resolution. For training it
is cut with a margin that augmentation can reach: the canvas. ``to_source`` is the only way back to
the source image. Arrays are NumPy's; crops moved ``to`` an accelerator are PyTorch's, and so are
their batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float32, Float64, Int64, UInt8
from nasion.arrays import Array, as_float32, like, on_device_of
from nasion.data import cache
from nasion.data.augment import Augment, grey, relight, warp
from nasion.data.corrupt import Corrupt
from nasion.data.image_faults import require_images
from nasion.errors import DataError
from nasion.inference.whole_faces import in_seen_boxes
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces, Image, Images, crop_boxes
from nasion.media.images import as_pixels
from nasion.model_spec import ModelSpec

# In units of the image's longer side. If padding the image to hold a box would make it larger, the
# box is averaged instead, since the padded copy might not fit into memory.
_FAR = 8
_MANY = 64  # images from which on it pays to start threads; predicting in one image does not
_LINE = 4  # pixels: boxes less wide or high are as good as a line


@dataclass(frozen=True, eq=False)
class Crops:
    """Decoded faces.

    ``images``: the canvases. ``to_source``: from pixels of the input to pixels of the source image.
    ``to_canvas``: from pixels of the (width, height) input to pixels of the canvas. ``points``: the
    labels in pixels of the input; None at inference. ``flip``: the scheme's mirror index.
    """

    images: UInt8[Array, "N C H W"]
    to_source: Float64[np.ndarray, "N 2 3"]
    to_canvas: Float64[np.ndarray, "2 3"]
    input_size: tuple[int, int]
    points: Float64[np.ndarray, "N K 2"] | None = None
    flip: Int64[np.ndarray, " K"] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def with_others(self, at: Int64[np.ndarray, " n"], others: Crops) -> Crops:
        """These crops, with those at the given positions replaced."""
        # np.array copies: crops are values, and others may hold these arrays.
        images, to_source = np.array(self.images), np.array(self.to_source)
        images[at], to_source[at] = others.images, others.to_source
        return replace(self, images=images, to_source=to_source)

    def to(self, device: Any) -> Crops:
        """These crops with their images on a PyTorch device; on the CPU they stay NumPy arrays."""
        if str(device) == "cpu":
            return self
        import torch

        return replace(self, images=torch.from_numpy(self.images).to(device))


@dataclass(frozen=True, eq=False)
class Batch:
    """Images in the spec's pixel range, and points in pixels of the input (NaN: not labelled)."""

    images: Float32[Array, "B C H W"]
    points: Float32[Array, "B K 2"]


def crop_faces(faces: Faces, spec: ModelSpec, augment: Augment | None = None) -> Crops:
    """Crop labelled faces. ``augment``: with the margin and colour that it needs."""
    require_images(faces)
    faces = in_seen_boxes(faces, spec, to_learn=True)
    margin, colour = (0, 0), spec.colour
    if augment is not None:
        if faces.boxes is not None:
            # A whole image has no surroundings to show; there the warp repeats the edge instead.
            margin = augment.margin(spec.input_size)
        # Without colour in any image there is none to change.
        all_grey = isinstance(faces.images, np.ndarray) and faces.images.ndim == 3
        colour = colour or (augment.needs_colour and not all_grey)
    boxes = crop_boxes(faces.images, faces.boxes, spec.box_scale, spec.box_shift)
    crops = crop_images(faces.images, boxes, spec, margin=margin, colour=colour)
    # Unlabelled points are NaN and stay NaN through the map.
    points = geometry.apply(geometry.invert(crops.to_source), faces.points)
    return replace(crops, points=points, flip=faces.scheme.flip)


def crop_images(
    images: Images,
    boxes: Float64[np.ndarray, "N 4"],
    spec: ModelSpec,
    *,
    margin: tuple[int, int] = (0, 0),
    colour: bool | None = None,
) -> Crops:
    """Crop one box of each image, already scaled; ``margin``: pixels (x, y) around the input."""
    (width, height), (pad_x, pad_y) = spec.input_size, margin
    if spec.square:
        boxes = geometry.square_box(boxes)
    to_source = geometry.frame_to_box(spec.input_size, boxes)
    # The canvas in pixels of the input, from outer edge to outer edge. Two opposite corners
    # describe it, since the map is axis-aligned. Box and size grow alike, so the canvas has the
    # input's scale.
    corners = np.array([[-0.5 - pad_x, -0.5 - pad_y], [width - 0.5 + pad_x, height - 0.5 + pad_y]])
    canvas_boxes = geometry.apply(to_source, corners).reshape(-1, 4) if any(margin) else boxes
    canvas_size = (width + 2 * pad_x, height + 2 * pad_y)
    in_colour = spec.colour if colour is None else colour
    return Crops(
        images=_cut_all(images, canvas_boxes, canvas_size, in_colour),
        to_source=to_source,
        # Whole pixels, so cutting the margin off again interpolates nothing.
        to_canvas=geometry.shift(pad_x, pad_y),
        input_size=spec.input_size,
    )


def crop_through(
    images: Sequence[Image], to_source: Float64[np.ndarray, "N 2 3"], spec: ModelSpec
) -> Crops:
    """Crop through any maps from the input's pixels to the source images', also rotated ones."""
    width, height = spec.input_size
    # x0 y0 x1 y1 indexed to four corners (4, 2). Of their box only the centre is needed.
    corners = geometry.image_box(width, height)[[[0, 1], [2, 1], [0, 3], [2, 3]]]
    corners = np.broadcast_to(corners, (len(images), 4, 2))
    around = geometry.points_box(geometry.apply(to_source, corners))
    # A square of the diagonal holds any rotation of the input. It is cut at the input's resolution,
    # then rotated by the warp.
    side = int(np.ceil(np.hypot(width, height)))
    # Half of the square's side in source pixels.
    half = geometry.map_scale(to_source)[:, None] * side / 2
    center, size = (around[:, :2] + around[:, 2:]) / 2, (side, side)
    boxes = np.concatenate([center - half, center + half], axis=1)
    pairs = zip(images, boxes, strict=True)
    square = np.stack([_cut(image, box, size, spec.colour) for image, box in pairs])
    # From the input by way of the source to the square that was cut, as the warp needs it.
    maps = geometry.compose(to_source, geometry.box_to_frame(boxes, size))
    warped = warp(square.astype(np.float32), maps, spec.input_size)
    return Crops(
        images=np.rint(warped).astype(np.uint8),
        to_source=to_source,
        to_canvas=geometry.identity(),
        input_size=spec.input_size,
    )


def input_images(
    crops: Crops, at: Int64[np.ndarray, " B"], spec: ModelSpec
) -> Float32[Array, "B C H W"]:
    """The crops at these positions as network input, unchanged."""
    images = as_float32(crops.images[on_device_of(at, crops.images)])
    images = images if spec.colour else grey(images)
    # shape[:1:-1] is the last axis, then the one before: (W, H) of (N, C, H, W). A canvas with a
    # margin is larger than the input.
    if tuple(images.shape[:1:-1]) != crops.input_size:
        maps = np.broadcast_to(crops.to_canvas, (len(at), 2, 3))
        images = warp(images, maps, crops.input_size)
    return _to_range(images, spec)


def plain_batch(crops: Crops, at: Int64[np.ndarray, " B"], spec: ModelSpec) -> Batch:
    """The faces at these positions with their labels, unchanged."""
    images = input_images(crops, at, spec)
    return Batch(images=images, points=like(_labels(crops)[at], images))


def augmented_batch(
    crops: Crops,
    at: Int64[np.ndarray, " B"],
    spec: ModelSpec,
    augment: Augment,
    corrupt: Corrupt,
    rng: np.random.Generator,
) -> Batch:
    """The faces at these positions, augmented and corrupted: one warp for all of them."""
    images = as_float32(crops.images[on_device_of(at, crops.images)])
    # In this order: light needs colour, the warp is cheaper in grey, and corruption is measured in
    # pixels of the input, so it comes after the warp.
    drawn = augment.draw(len(at), crops.input_size, rng)
    if augment.relights:
        images = relight(images, drawn)
    if not spec.colour:
        # Before the warp, which then has one channel to move instead of three.
        images = grey(images)
    points = _labels(crops)[at]
    # Even if nothing moves the canvas may have a margin: augmentation can decay to none in
    # training.
    if augment.moves or tuple(images.shape[:1:-1]) != crops.input_size:
        images = warp(images, geometry.compose(drawn.maps, crops.to_canvas), crops.input_size)
        # The maps take the input's pixels to what they show, so labels go the other way.
        points = geometry.apply(geometry.invert(drawn.maps), points)
        # A mirrored left eye is a right eye: names change places too.
        points = np.where(drawn.flipped[:, None, None], points[:, crops.flip], points)
    images = _to_range(corrupt(images, rng), spec)
    return Batch(images=images, points=like(points, images))


def epoch_order(
    count: int, batch_size: int, seed: int, epoch: int, processes: int = 1, repeats: int = 1
) -> list[Int64[np.ndarray, " B"]]:
    """Positions of each batch of an epoch, shuffled by (seed, epoch) alone.

    ``repeats``: how often each face occurs.

    A last batch that would leave a process a single face, or none, joins the one before: batch
    norm has no variance over a single face.
    """
    shown = count * repeats
    order = np.random.default_rng([seed, epoch]).permutation(shown) % count
    batches = np.split(order, range(batch_size, shown, batch_size))
    smallest = min(batch_size, 2 * processes)
    if len(batches) > 1 and len(batches[-1]) < smallest:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def _labels(crops: Crops) -> Float64[np.ndarray, "N K 2"]:
    if crops.points is None:
        raise DataError("These crops were made for inference and have no labels; use crop_faces.")
    return crops.points


def _to_range(images: Float32[Array, "B C H W"], spec: ModelSpec) -> Float32[Array, "B C H W"]:
    # In place: the callers made these arrays.
    low, high = spec.pixel_range
    images *= (high - low) / 255
    images += low
    return images


def _cut_all(
    images: Images, boxes: Float64[np.ndarray, "N 4"], size: tuple[int, int], colour: bool
) -> UInt8[np.ndarray, "N C H W"]:
    """All canvases; kept in the cache if they come from image files."""
    # Grey images that are shown whole at their own size are the canvases already (Kaggle's set).
    if isinstance(images, np.ndarray) and images.ndim == 3 and not colour:
        whole = images.shape[:0:-1] == size and (boxes == geometry.image_box(*size)).all()
        if whole:
            return np.array(images)[:, None]

    def make() -> cache.Entry:
        cut = partial(_cut, size=size, colour=colour)
        if len(images) < _MANY:
            return {"canvases": np.stack(list(map(cut, images, boxes)))}, {}
        # Decoding and resizing release Python's lock.
        with ThreadPoolExecutor() as pool:
            return {"canvases": np.stack(list(pool.map(cut, images, boxes)))}, {}

    paths = [image for image in images if isinstance(image, Path)]
    if len(paths) < len(images):
        return make()[0]["canvases"]
    # Boxes are part of the key: they hold scale, squareness and margin.
    key = cache.content_key(paths, "canvases", str(size), str(colour), cache.digest_of(boxes))
    # The cache's array is a read-only map of a file; this is a writable copy in memory.
    return np.array(cache.cached(key, make)[0]["canvases"])


def _cut(
    source: Image, box: Float64[np.ndarray, " 4"], size: tuple[int, int], colour: bool
) -> UInt8[np.ndarray, "C H W"]:
    """The box of an image at ``size``; edges are repeated beyond it. Shrinking averages pixels."""
    from PIL import Image

    image = as_pixels(source, colour)
    mode = "RGB" if colour else "L"
    # Pillow counts from the outer edge of the first pixel, half a pixel before its centre.
    x0, y0, x1, y1 = (box + 0.5).tolist()
    height, width = image.shape[:2]
    # The longest side of an image that is padded until it holds the box.
    reach = max(x1 - x0, y1 - y0, width - x0, x1, height - y0, y1)
    if reach > _FAR * max(width, height):
        # An area average is separable: one matrix per axis.
        columns, rows = _weights((x0, x1), size[0], width), _weights((y0, y1), size[1], height)
        averaged = np.einsum("yh,xw,hw...->yx...", rows, columns, image, optimize=True)
        part = Image.fromarray(np.rint(averaged).astype(np.uint8)).convert(mode)
    else:
        # Only what the filter reaches: photographs may be large, and faces in them small.
        left, right = _filter_reach((x0, x1), size[0], width)
        top, bottom = _filter_reach((y0, y1), size[1], height)
        # A box apart from the image shows the edge's pixels alone.
        rows = slice(min(max(top, 0), height - 1), max(bottom, 1))
        columns = slice(min(max(left, 0), width - 1), max(right, 1))
        image = image[rows, columns]
        beyond = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)))
        if np.any(beyond):
            # Pillow refuses a box that leaves the image, so edge pixels are repeated.
            image = np.pad(image, (*beyond, *[(0, 0)] * (image.ndim - 2)), mode="edge")
        whole = Image.fromarray(np.ascontiguousarray(image))
        whole = whole if whole.mode == mode else whole.convert(mode)
        # The box in pixels of the part; it may be fractional.
        inside = (x0 - left, y0 - top, x1 - left, y1 - top)
        # Pillow's bilinear filter widens when it shrinks, so fine detail does not alias.
        # Large faces are first shrunk by a whole factor, which is several times as fast. Of a line
        # of pixels Pillow would lose those beside it, which the filter reads.
        gap = 3.0 if min(x1 - x0, y1 - y0) >= _LINE else None
        part = whole.resize(size, Image.Resampling.BILINEAR, box=inside, reducing_gap=gap)
    canvas = np.asarray(part)
    return np.moveaxis(canvas, -1, 0) if colour else canvas[None]


def _filter_reach(side: tuple[float, float], count: int, length: int) -> tuple[int, int]:
    """The first pixel, and the one after the last, that resizing side[0] .. side[1] to ``count``
    reads: one canvas pixel beyond it.

    ``length``: of the image; if the side leaves it, the image counts as padded that far.
    """
    # The triangle filter is as wide as a canvas pixel on each side, in source pixels; and one more,
    # since the side's ends are fractional.
    beyond = math.ceil((side[1] - side[0]) / count) + 1
    # Where the padded image would end: there the filter must end too, so that a part is resized
    # exactly as the whole image would be.
    first, last = min(0, math.floor(side[0])), max(length, math.ceil(side[1]))
    return max(math.floor(side[0]) - beyond, first), min(math.ceil(side[1]) + beyond, last)


def _weights(
    side: tuple[float, float], count: int, length: int
) -> Float64[np.ndarray, "count length"]:
    """The weight of each of ``length`` pixels in each of ``count`` equal parts of a side.

    Edges are repeated. For boxes that leave the image so far that padding would not fit in memory.
    """
    # Borders of the canvas pixels, and of the image's pixels from outer edge to outer edge. The
    # first and the last pixel reach to infinity: that is what repeats them.
    ends = np.linspace(*side, count + 1)
    edges = np.concatenate([[-np.inf], np.arange(1, length), [np.inf]])
    # Overlap of each canvas pixel (rows) with each image pixel (columns); negative: apart.
    overlap = np.minimum(ends[1:, None], edges[1:]) - np.maximum(ends[:-1, None], edges[:-1])
    overlap = np.maximum(overlap, 0)
    return overlap / overlap.sum(1, keepdims=True)
