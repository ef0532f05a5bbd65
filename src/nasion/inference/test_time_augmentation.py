"""Test-time augmentation: the views of a crop whose predictions are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from nasion.arrays import as_float32, as_numpy
from nasion.data.augment import warp
from nasion.inference.crops import Crops
from nasion.landmarks import geometry
from nasion.model_spec import TTA

_SHIFTS = ((0.0, 0.0), (0.02, 0.02), (-0.02, 0.02))  # of the input's sides
# (mirrored, shift) of each view beside the crop itself
_VIEWS = {
    "none": [],
    "flip": [(True, _SHIFTS[0])],
    "flip+shift": list(product((False, True), _SHIFTS))[1:],
}


def other_views(crops: Crops, mode: TTA) -> Iterator[tuple[Crops, bool]]:
    """(crops, is mirrored) of every other view. Crops must be as large as the input."""
    for mirrored, shift in _VIEWS[mode]:
        yield _changed(crops, shift, mirrored), mirrored


def _changed(crops: Crops, shift: tuple[float, float], mirrored: bool) -> Crops:
    width, height = crops.input_size
    # From the view's pixels to the crop's; the way back to the source follows from it.
    view = geometry.shift(shift[0] * width, shift[1] * height)
    if mirrored:
        view = geometry.compose(geometry.flip(width), view)
    to_source = geometry.compose(view, crops.to_source)
    if shift == (0.0, 0.0):
        # The columns change places, so nothing is interpolated.
        return replace(crops, images=crops.images[..., ::-1], to_source=to_source)
    maps = np.broadcast_to(geometry.compose(view, crops.to_canvas), (len(crops), 2, 3))
    warped = as_numpy(warp(as_float32(crops.images), maps, crops.input_size))
    images = np.rint(warped).astype(np.uint8)
    return replace(crops, images=images, to_source=to_source, to_canvas=geometry.identity())
