"""Labels of images that an EXIF tag turns: of the upright image, or of the image as it is stored.

nasion shows images upright, as browsers and phones do. Some programs do not turn them, so labels
made there are of the stored image. Faces tell: in one of the two readings they stand upright.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from nasion.array_types import Float64, Int
from nasion.data.missing_boxes import reference_shape
from nasion.data.stated_sizes import StatedSizes
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted, part_of
from nasion.media.images import stored_orientation

ExifReading = Literal["apply", "ignore"]
_CLEARLY = 0.5  # by which one reading's uprightness exceeds the other's, of 2 at most
_MOSTLY = 0.9  # of the faces that tell
_WHY = {
    "size": ", since the file states its size; the other reading: --exif apply",
    "vote": ", since so the faces stand upright; the other reading: --exif apply",
    "option": ", as --exif says",
}
_log = logging.getLogger(__name__)

Points = Float64[np.ndarray, "N K 2"]


def upright_labels(
    faces: Faces,
    reading: ExifReading | None,
    source: str,
    stated: Callable[[], StatedSizes] | None = None,
) -> Faces:
    """The faces with their labels on upright images.

    ``reading``: "apply" if they are so already, "ignore" if they were made on the stored images;
    None: by the images' sizes as the label file states them, else by which faces stand upright,
    and said. ``stated``: those sizes. Raises ``DataError`` if faces disagree.
    """
    turned = {} if reading == "apply" else _turned(faces)
    if not turned:
        return faces
    moved = _turned_labels(faces, turned)
    at = list(turned)
    by_size = _by_stated_size(faces, turned, stated()) if stated and reading is None else None
    if by_size == "apply":
        return faces
    if reading is None and by_size is None:
        side = _votes(faces, moved, at)
        stored, upright = int((side > 0).sum()), int((side < 0).sum())
        if stored <= (1 - _MOSTLY) * (stored + upright):
            return faces
        if stored < _MOSTLY * (stored + upright):
            raise DataError(
                f"{source}: {counted(len(at), 'image is', 'images are')} turned by an EXIF tag; "
                f"{stored} of their faces stand upright if the labels are of the image as it is "
                f"stored, as "
                f"{faces.ids[at[int(np.argmax(side))]]}, {upright} if they "
                f"are of the turned one, as {faces.ids[at[int(np.argmin(side))]]}. Say which: "
                "--exif ignore (as stored) or --exif apply."
            )
    _log.info(
        "%s: %s turned by an EXIF tag; their labels are taken as made on the image as it is "
        "stored%s.",
        source,
        part_of(len(at), len(faces), "image", "is", "are"),
        _WHY["size" if by_size else "vote" if reading is None else "option"],
    )
    return moved


def to_upright(
    points: Float64[np.ndarray, "*n 2"], orientation: int, size: tuple[int, int]
) -> Float64[np.ndarray, "*n 2"]:
    """Pixels of a stored image of this size (width, height) as those of the upright image."""
    x, y = points[..., 0], points[..., 1]
    # The eight orientations of EXIF 2.3: what is shown in x and in y.
    right, down = size[0] - 1 - x, size[1] - 1 - y
    shown = {
        1: (x, y), 2: (right, y), 3: (right, down), 4: (x, down),
        5: (y, x), 6: (down, x), 7: (down, right), 8: (y, right),
    }[orientation]  # fmt: skip
    return np.stack(shown, axis=-1)


def _turned(faces: Faces) -> dict[int, tuple[int, tuple[int, int]]]:
    """By face: the orientation and stored size of the images that are not stored upright."""
    found: dict[int, tuple[int, tuple[int, int]]] = {}
    known: dict[Path, tuple[int, tuple[int, int]]] = {}
    for i, image in enumerate(faces.images):
        if not isinstance(image, Path):
            continue
        if image not in known:
            known[image] = stored_orientation(image)
        if known[image][0] != 1:
            found[i] = known[image]
    return found


def _by_stated_size(
    faces: Faces, turned: dict[int, tuple[int, tuple[int, int]]], stated: StatedSizes
) -> ExifReading | None:
    """What the sizes in the label file say; None if they do not tell, or not alike."""
    found: set[ExifReading] = set()
    for i, (orientation, size) in turned.items():
        told = stated.of(Path(str(faces.images[i])))
        # Only images that lie on their side have another size than the upright one.
        if orientation < 5 or told is None or size[0] == size[1] or set(told) != set(size):
            continue
        found.add("ignore" if tuple(told) == tuple(size) else "apply")
    return found.pop() if len(found) == 1 else None


def _turned_labels(faces: Faces, turned: dict[int, tuple[int, tuple[int, int]]]) -> Faces:
    points = faces.points.astype(np.float64)
    boxes = None if faces.boxes is None else faces.boxes.astype(np.float64)
    for i, (orientation, size) in turned.items():
        points[i] = to_upright(points[i], orientation, size)
        if boxes is not None:
            corners = to_upright(boxes[i].reshape(2, 2), orientation, size)
            boxes[i] = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    boxes = None if boxes is None else boxes.astype(np.float32)
    return replace(faces, points=points.astype(np.float32), boxes=boxes)


def _votes(faces: Faces, moved: Faces, at: list[int]) -> Int[np.ndarray, " n"]:
    """Of each face 1 if it stands upright with labels of the stored image, -1 of the turned one.

    0 if nothing tells.
    """
    as_given, as_stored = (side.points[at].astype(np.float64) for side in (faces, moved))
    others = np.delete(faces.points, at, axis=0).astype(np.float64)
    shape = reference_shape(others, faces.scheme)
    gain = _uprightness(as_stored, shape) - _uprightness(as_given, shape)
    if np.isnan(gain).all():
        gain = _share_inside(moved, at) - _share_inside(faces, at)
    return np.where(np.abs(gain) > _CLEARLY, np.sign(gain), 0).astype(int)


def _uprightness(points: Points, shape: np.ndarray) -> Float64[np.ndarray, " N"]:
    """1 for faces as the shape in any place and size, -1 upside down, about 0 on the side.

    NaN for faces of fewer than two points that the shape has.
    """
    difference = points - np.where(np.isnan(points), np.nan, shape)
    known = ~np.isnan(difference)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = []
    for values in (points, np.broadcast_to(shape, points.shape)):
        used = np.where(known, values, 0)
        centred.append(np.where(known, values - used.sum(axis=1, keepdims=True) / count, 0))
    product = (centred[0] * centred[1]).sum(axis=(1, 2))
    lengths = [np.sqrt((values**2).sum(axis=(1, 2))) for values in centred]
    length = lengths[0] * lengths[1]
    return np.where(length > 0, product / np.maximum(length, 1e-12), np.nan)


def _share_inside(faces: Faces, at: list[int]) -> Float64[np.ndarray, " N"]:
    """The share of each face's labelled points that are in its upright image."""
    shares = []
    for i in at:
        image = faces.images[i]
        orientation, (width, height) = stored_orientation(Path(str(image)))
        size = (height, width) if orientation > 4 else (width, height)
        points = faces.points[i][faces.labelled[i]]
        inside = ((points > -1) & (points < np.array(size))).all(axis=1)
        shares.append(inside.mean() if len(points) else np.nan)
    return np.array(shares, dtype=np.float64)
