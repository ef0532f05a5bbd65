"""Labels that cannot be right where they are: by the image's size, its EXIF tag, and the box.

A point may lie outside its image, where a face is cut off by the edge; not far outside, though. An
image that EXIF turns is shown turned by most tools but not by all, so its labels may be those of
the image as it is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from nasion.array_types import Float64
from nasion.data.label_shapes import fit
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import points_box
from nasion.media.images import image_size, stored_orientation

_FAR_OUTSIDE = 0.5  # of the image's longer side, beyond its edge
_SCALE_IMAGES = 5  # that show together whether labels are of images of another size
_ALL = 0.95  # of the faces
_MANY_OUTSIDE = 0.25  # of a face's points
_LARGE_BOX = 4.0  # times the image's longer side
_BOX_MARGIN = 0.25  # of a box's sides, by which points may lie outside
_CORNER_GAIN = 0.7  # of a box's area is left, if its width and height are read as a corner
_CORNER_FACES = 3  # of which at least _MOST must be so
_MOST = 0.8
_IN_BOX = 0.5  # of a face's points, that lie in its box at least
# What tools write for a point that is not there, exactly.
_SENTINELS = ((-1.0, -1.0), (0.0, 0.0))
_SIDEWAYS = 5  # orientations from here on change width and height
# Which way down is in the stored image, by the EXIF orientation; mirrored alone (2) it stays.
_DOWN = {3: -1j, 4: -1j, 5: 1 + 0j, 6: 1 + 0j, 7: -1 + 0j, 8: -1 + 0j}
_TURNED = 0.8  # cosine, between the way down in the labels and in the stored image
_EDGE = 0.02  # of the image's longer side, that labels of a turned image may be beyond it


def image_sizes(faces: Faces) -> Float64[np.ndarray, "N 2"]:
    """(width, height) of each image, as EXIF turns it; NaN if it cannot be read."""
    if isinstance(faces.images, np.ndarray):
        height, width = faces.images.shape[1:3]
        return np.tile(np.array([width, height], dtype=np.float64), (len(faces), 1))
    known: dict[Path, tuple[float, float]] = {}
    sizes = np.full((len(faces), 2), np.nan)
    for i, image in enumerate(faces.images):
        if not isinstance(image, Path):
            sizes[i] = image_size(image)
            continue
        if image not in known:
            try:
                known[image] = image_size(image)
            except (DataError, OSError):
                known[image] = (np.nan, np.nan)
        sizes[i] = known[image]
    return sizes


def sentinels(faces: Faces, written: Float64[np.ndarray, "N K 2"]) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) of points that are exactly what tools write for a missing one.

    ``written``: the points as their file has them.
    """
    for value in _SENTINELS:
        here = written == np.array(value)
        face, point = np.nonzero(here.all(axis=2))
        for i in dict.fromkeys(face.tolist()):
            names = [faces.scheme.points[k] for k in point[face == i]]
            shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
            yield (
                i,
                (
                    f"{shown} at {value[0]:g} {value[1]:g}, which tools write for a point that is "
                    "not labelled; leave its cells empty."
                ),
            )


def outside_image(faces: Faces, sizes: Float64[np.ndarray, "N 2"]) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) of faces with points far outside, or with none inside."""
    points, longer = faces.points.astype(np.float64), sizes.max(axis=1)
    beyond = np.maximum(-0.5 - points, points - (sizes[:, None] - 0.5)).max(axis=2)
    far = beyond / longer[:, None]
    inside = (beyond <= 0).any(axis=1)
    for i in np.flatnonzero(faces.labelled.any(axis=1) & ~np.isnan(longer)).tolist():
        k = int(np.nanargmax(far[i]))
        image = f"{sizes[i, 0]:.0f} x {sizes[i, 1]:.0f} pixels"
        x, y = points[i, k]
        if not inside[i]:
            yield (
                i,
                f"none of its points lies in its image of {image}; {_name(faces, k)} {x:g} {y:g}.",
            )
        elif far[i, k] > _FAR_OUTSIDE:
            count = int((far[i] > _FAR_OUTSIDE).sum())
            more = f", and {count - 1} more" if count > 1 else ""
            yield i, f"{_name(faces, k)} {x:g} {y:g}{more}, far outside its image of {image}."


def relative_places(faces: Faces) -> str:
    """What is wrong if coordinates are fractions of the image's size; empty if they are pixels."""
    points = faces.points.astype(np.float64)
    several = faces.labelled.sum(axis=1) > 1
    if not several.any():
        return ""
    low, high = np.nanmin(points[several]), np.nanmax(points[several])
    # One pixel holds no face, and whole numbers are no fractions.
    if low < 0 or high > 1 or not (points[several] % 1 > 0).any():
        return ""
    return (
        f"all coordinates are between 0 and 1 ({low:.3g} to {high:.3g}), so they are relative to "
        "the size of the image, and pixels are expected: multiply x by the image's width and y by "
        "its height, and subtract 0.5 if 0 and 1 are its outer edges."
    )


def other_scale(faces: Faces, sizes: Float64[np.ndarray, "N 2"]) -> str:
    """What is wrong if labels are of smaller or larger images than these; empty if nothing is.

    One image has its face anywhere, but hardly all of a set have theirs in the left upper quarter,
    nor do most reach beyond the right or lower edge.
    """
    points = faces.points.astype(np.float64)
    known = np.flatnonzero(faces.labelled.any(axis=1) & ~np.isnan(sizes).any(axis=1))
    if len({str(faces.images[i]) for i in known.tolist()}) < _SCALE_IMAGES:
        return ""
    places = points[known] / sizes[known, None]  # 0 to 1 from edge to edge
    farthest = np.nanmax(places, axis=(1, 2))
    if np.mean(farthest <= 1 / 2) >= _ALL:
        return (
            f"all points of {int((farthest <= 0.5).sum())} of {len(known)} faces lie in the left "
            "upper quarter of their images: if the faces do not, the labels were made on images of "
            "half the size or smaller; use those, or scale the labels."
        )
    labelled = faces.labelled[known]
    outside = (places > 1).any(axis=2).sum(axis=1) / labelled.sum(axis=1)
    if np.mean(outside >= _MANY_OUTSIDE) >= 1 / 2 and (np.nanmin(places) > -_EDGE):
        return (
            f"{int((outside >= _MANY_OUTSIDE).sum())} of {len(known)} faces have a quarter of "
            "their points or more beyond the right or lower edge of their images: the labels seem "
            f"to be of images at least {farthest.max():.1f} times as large; use those, or scale "
            "the labels."
        )
    return ""


def absurd_boxes(faces: Faces, sizes: Float64[np.ndarray, "N 2"]) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) of boxes that are far too large, or not where the points are."""
    if faces.boxes is None:
        return
    points = faces.points.astype(np.float64)
    for i in np.flatnonzero(~np.isnan(faces.boxes).any(axis=1)).tolist():
        box = faces.boxes[i].astype(np.float64)
        x0, y0, x1, y1 = box.tolist()
        shown = f"its box {x0:g} {y0:g} {x1:g} {y1:g}"
        width, height = sizes[i].tolist()
        image = f"its image of {width:.0f} x {height:.0f} pixels"
        # Comparisons with NaN, an unknown size, are false.
        if max(x1 - x0, y1 - y0) > _LARGE_BOX * max(width, height):
            yield i, f"{shown} is far larger than {image}."
        elif x1 < 0 or y1 < 0 or x0 > width or y0 > height:
            yield i, f"{shown} lies outside {image}."
        else:
            labelled = points[i][~np.isnan(points[i]).any(axis=1)]
            margin = _BOX_MARGIN * (box[2:] - box[:2])
            held = (labelled >= box[:2] - margin) & (labelled <= box[2:] + margin)
            if len(labelled) and held.all(axis=1).mean() < _IN_BOX:
                count = int(held.all(axis=1).sum())
                yield i, f"{shown} holds {count} of its {len(labelled)} points."


def corners_as_sizes(faces: Faces) -> Iterator[tuple[int, str]]:
    """What is wrong with boxes of two corners in a format of a corner and a size (COCO's).

    They begin where the face does and end far beyond it; nearly all faces of a set show it.
    """
    if faces.boxes is None:
        return
    boxes = faces.boxes.astype(np.float64)
    tight = points_box(faces.points.astype(np.float64))
    told = np.flatnonzero(~np.isnan(boxes + tight).any(axis=1))
    if len(told) < _CORNER_FACES:
        return
    boxes, tight = boxes[told], tight[told]
    corner = boxes[:, 2:] - boxes[:, :2]
    size = corner - boxes[:, :2]
    edge = 1 + _EDGE * corner
    holds = (size > 0).all(axis=1) & (tight[:, 2:] <= corner + edge).all(axis=1)
    smaller = size.prod(axis=1) < _CORNER_GAIN * corner.prod(axis=1)
    if (holds & smaller).mean() >= _MOST:
        i = int(told[0])
        x0, y0, width, height = *boxes[0, :2].tolist(), *corner[0].tolist()
        yield (
            i,
            (
                f"its box {x0:g} {y0:g} with width {width:g} and height {height:g} fits as the "
                f"corners {x0:g} {y0:g} and {width:g} {height:g}, as do {int(holds.sum())} of "
                f"{len(told)} boxes; the format has width and height."
            ),
        )


def orientations(faces: Faces) -> Mapping[int, int]:
    """The EXIF orientation of each face whose image is turned by it, by position."""
    found: dict[Path, int] = {}
    turned = {}
    for i, image in enumerate(faces.images):
        if not isinstance(image, Path):
            continue
        if image not in found:
            found[image] = stored_orientation(image)[0]
        if found[image] != 1:
            turned[i] = found[image]
    return turned


def labels_as_stored(
    faces: Faces,
    sizes: Float64[np.ndarray, "N 2"],
    turned: Mapping[int, int],
    reference: Float64[np.ndarray, "K 2"] | None,
) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) of labels made on an image as stored, which EXIF turns.

    ``reference``: an upright face, which tells which way down the labels are; None if unknown.
    """
    for i, orientation in turned.items():
        points = faces.points[i].astype(np.float64)
        labelled = points[~np.isnan(points).any(axis=1)]
        if not len(labelled):
            continue
        slack = _EDGE * sizes[i].max()
        stored = sizes[i][::-1] if orientation >= _SIDEWAYS else sizes[i]
        fits_stored = (labelled >= -slack).all() and (labelled <= stored + slack).all()
        fits_turned = (labelled <= sizes[i] + slack).all()
        down = None if reference is None else fit(points, reference)
        expected = _DOWN.get(orientation)
        lies_as_stored = False
        if down is not None and expected is not None and abs(down[0]) > 0:
            # i is down in the reference; the similarity turns it as the labels are turned.
            way = 1j * down[0] / abs(down[0])
            lies_as_stored = float((way * np.conj(expected)).real) > _TURNED
        if fits_stored and (not fits_turned or lies_as_stored):
            yield (
                i,
                (
                    f"EXIF turns its image (orientation {orientation}), but its labels fit the "
                    "image as it is stored; turn the labels, or save the image without the tag."
                ),
            )


def _name(faces: Faces, k: int) -> str:
    return f"its point {faces.scheme.points[k]} is at"
