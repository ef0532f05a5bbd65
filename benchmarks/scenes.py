"""Training scenes for the face detector, composed of face crops.

A scene is tiled with several crops, or is filled by one. Half of the scenes have smaller faces
pasted over the tiles with soft edges.
A crop shows about twice the box of a face's points, so tiles also have hair, clothes and
background. Tiles without a face are negatives: background beside a face, a close-up of a part of
one, or noise.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from nasion.landmarks import geometry
from nasion.media.images import open_image

SIDE = 192  # pixels of a scene
_MAX_CROP_SIDE = 200  # pixels of a stored crop's longer side
_MIN_TILE = 14  # pixels
_MIN_VISIBLE = 0.7  # of a face's box; a face that is cut off more is ignored, not a target
_MIN_IGNORED = 0.15  # of a box; if less of it is visible, the tile is background


@dataclass(frozen=True)
class FaceCrop:
    """A grey crop of one labelled face, as an image pyramid (each level half the one before)."""

    pyramid: tuple[Image.Image, ...]
    points: np.ndarray  # (K, 2) in pixels of the first level
    ignored: np.ndarray  # (M, 4) boxes of possible faces without labels

    @property
    def box(self):
        return geometry.points_box(self.points)


def load_crops(faces, detector):
    """All faces as crops that are small enough to keep in memory.

    What the detector finds beside the labelled face may be a face without labels: it is ignored.
    """
    crops = []
    for path, points in zip(faces.images, faces.points.astype(np.float64), strict=True):
        image = Image.fromarray(open_image(path, colour=False))
        factor = min(1.0, _MAX_CROP_SIDE / max(image.size))
        size = tuple(max(8, round(side * factor)) for side in image.size)
        to_small = geometry.box_to_frame(geometry.image_box(*image.size), size)
        points = geometry.apply(to_small, points)
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
        box = geometry.points_box(points)
        detected = detector(np.asarray(image))[0].astype(np.float64)
        centers = (detected[:, :2] + detected[:, 2:]) / 2
        others = ((centers < box[:2]) | (centers > box[2:])).any(1)
        padded, offset = _pad_by_mirroring(np.asarray(image), box)
        pyramid = [Image.fromarray(padded)]
        while min(pyramid[-1].size) > 24:
            pyramid.append(pyramid[-1].reduce(2))
        ignored = detected[others] + np.tile(offset, 2)
        crops.append(FaceCrop(tuple(pyramid), points + offset, ignored))
    return crops


def _pad_by_mirroring(pixels, box):
    """The crop padded with its mirror image, and the offset (x, y) of its old origin.

    Each side is padded by at most the room beside the face, so that no part of it is mirrored.
    """
    height, width = pixels.shape
    room = [box[0], box[1], width - 1 - box[2], height - 1 - box[3]]
    left, top, right, bottom = (
        int(np.clip(space, 0, side // 2))
        for space, side in zip(room, (width, height) * 2, strict=True)
    )
    padded = np.pad(pixels, ((top, bottom), (left, right)), mode="symmetric")
    return padded, np.array([left, top], dtype=np.float64)


def draw_scene(crops, rng):
    """A random scene, uint8 (SIDE, SIDE), the boxes of its faces (N, 4) and those to ignore (M, 4).

    Ignored are faces that are cut off, and what may be a face without labels.
    """
    pixels = np.full((SIDE, SIDE), rng.integers(256), dtype=np.uint8)
    faces, ignored = [], []
    for tile in _draw_tiles(rng):
        x0, y0, x1, y1 = tile
        kind = rng.uniform()
        crop = crops[rng.integers(len(crops))]
        if kind < 0.05:
            pixels[y0:y1, x0:x1] = _noise(x1 - x0, y1 - y0, rng)
            continue
        fill = rng.uniform(0.3, 0.95)
        if kind < 0.25:  # too close: skin, an eye, a mouth, or what is beside the face
            fill = rng.uniform(2.5, 5)
        tile_pixels, to_tile = _render(crop, (x1 - x0, y1 - y0), fill, rng, beside=kind < 0.17)
        pixels[y0:y1, x0:x1] = _relight(tile_pixels, rng)
        origin = np.tile([x0, y0], 2)
        box = geometry.points_box(geometry.apply(to_tile, crop.points)) + origin
        visible = _visible_part(box, tile)
        if visible >= _MIN_VISIBLE and fill < 1.5:
            faces.append(box)
        elif visible > _MIN_IGNORED:
            ignored.append(_intersection(box, tile))
        for other in crop.ignored:
            other_box = geometry.points_box(geometry.apply(to_tile, _corners(other))) + origin
            if _visible_part(other_box, tile) > _MIN_IGNORED:
                ignored.append(_intersection(other_box, tile))
    if rng.uniform() < 0.5:
        _paste_faces(pixels, crops, rng, faces, ignored)
    if rng.uniform() < 0.2:
        pixels = _blur(pixels, rng)
    return (
        pixels,
        np.array(faces, dtype=np.float64).reshape(-1, 4),
        np.array(ignored, dtype=np.float64).reshape(-1, 4),
    )


def _paste_faces(pixels, crops, rng, faces, ignored):
    """Paste faces with soft edges where no other face is. Changes the scene and its boxes."""
    fill = 0.45
    for _ in range(rng.integers(1, 14)):
        side = int(np.exp(rng.uniform(np.log(9), np.log(60))) / fill)
        x0, y0 = rng.integers(-side // 4, SIDE - 3 * side // 4, 2).tolist()
        inner = np.array([x0, y0, x0 + side, y0 + side], dtype=np.float64)
        inner = inner + np.array([1, 1, -1, -1]) * side * 0.2
        boxes = (*faces, *ignored)
        if any(_visible_part(inner, box) + _visible_part(box, inner) > 0 for box in boxes):
            continue
        crop = crops[rng.integers(len(crops))]
        face, to_face = _render(crop, (side, side), fill, rng, beside=False, room=0.0)
        box = geometry.points_box(geometry.apply(to_face, crop.points)) + np.tile([x0, y0], 2)
        opacity = _soft_ellipse(side, rng)
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + side, SIDE), min(y0 + side, SIDE)
        inside = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
        below = pixels[top:bottom, left:right]
        above = _relight(face, rng)[inside].astype(np.float64)
        pixels[top:bottom, left:right] = below + opacity[inside] * (above - below)
        visible = _visible_part(box, (0, 0, SIDE, SIDE))
        (faces if visible >= _MIN_VISIBLE else ignored).append(box)


def _soft_ellipse(side, rng):
    """Opacity of a pasted face: 1 in an upright ellipse, falling to 0 at its edge."""
    at = np.linspace(-1, 1, side)
    width = rng.uniform(0.55, 0.95)
    softness = rng.uniform(0.1, 0.4)
    return np.clip((1 - np.hypot(at[None] / width, at[:, None])) / softness, 0, 1)


def _draw_tiles(rng):
    """Boxes that fill the scene: one in a fifth of scenes, else split in two again and again."""
    if rng.uniform() < 0.2:
        return [(0, 0, SIDE, SIDE)]
    min_side = np.exp(rng.uniform(np.log(_MIN_TILE), np.log(SIDE / 2)))
    tiles, unsplit = [], [(0, 0, SIDE, SIDE)]
    while unsplit:
        x0, y0, x1, y1 = unsplit.pop()
        width, height = x1 - x0, y1 - y0
        if (
            max(width, height) < 2 * min_side
            or len(tiles) > 40
            or (max(width, height) < SIDE and rng.uniform() < 0.15)
        ):
            tiles.append((x0, y0, x1, y1))
            continue
        part = rng.uniform(0.3, 0.7)
        if width * rng.uniform(0.7, 1.4) > height:
            at = x0 + int(width * part)
            unsplit += [(x0, y0, at, y1), (at, y0, x1, y1)]
        else:
            at = y0 + int(height * part)
            unsplit += [(x0, y0, x1, at), (x0, at, x1, y1)]
    return [tile for tile in tiles if min(tile[2] - tile[0], tile[3] - tile[1]) >= 4]


def _render(crop, size, fill, rng, beside, room=1.0):
    """The pixels of a tile that shows this crop, and the map from crop to tile.

    The face is rotated, flipped and shifted at random; its box has ``fill`` times the tile's
    shorter side. ``beside``: centre the tile beside the face. ``room``: how much of the free space
    around the face the shift may use.
    """
    box = crop.box
    side = np.sqrt(np.prod(box[2:] - box[:2]))
    scale = max(fill * min(size), 7) / side
    degrees = rng.uniform(-70, 70) if rng.uniform() < 0.15 else rng.normal(0, 12)
    center = (box[:2] + box[2:]) / 2
    if beside:
        angle = rng.uniform(0, 2 * np.pi)
        center = center + 0.75 * np.array([np.cos(angle), np.sin(angle)]) * (box[2:] - box[:2])
    space = room * np.maximum(np.array(size) - scale * side, 0.1 * np.array(size)) / 2
    target = (np.array(size) - 1) / 2 + rng.uniform(-1, 1, 2) * space
    to_tile = geometry.similarity(
        tuple(center), np.array(degrees), np.array(scale), target - center
    )
    if rng.uniform() < 0.5:
        to_tile = geometry.compose(to_tile, geometry.flip(size[0]))
    # About the smallest level that is still as fine as the tile.
    level = int(np.clip(np.floor(-np.log2(scale) + 0.3), 0, len(crop.pyramid) - 1))
    source = crop.pyramid[level]
    to_level = geometry.box_to_frame(geometry.image_box(*crop.pyramid[0].size), source.size)
    to_source = geometry.compose(geometry.invert(to_tile), to_level)
    # Pillow's maps count from pixel corners, not centres.
    linear, offset = to_source[:, :2], to_source[:, 2]
    offset = offset - linear @ [0.5, 0.5] + 0.5
    rendered = source.transform(
        size,
        Image.Transform.AFFINE,
        (*linear[0], offset[0], *linear[1], offset[1]),
        Image.Resampling.BILINEAR,
        fillcolor=int(rng.integers(256)),
    )
    return np.asarray(rendered), to_tile


def _relight(pixels, rng):
    """Change gamma, contrast and brightness; add noise to a fifth of the tiles."""
    values = pixels.astype(np.float32) / 255
    values = values ** np.exp(rng.normal(0, 0.2))
    values = (values - 0.5) * np.exp(rng.normal(0, 0.18)) + 0.5 + rng.normal(0, 0.06)
    if rng.uniform() < 0.2:
        values = values + rng.normal(0, rng.uniform(0.01, 0.05), values.shape)
    return (255 * np.clip(values, 0, 1)).astype(np.uint8)


def _noise(width, height, rng):
    """Smooth noise: random greys on a coarse grid, enlarged."""
    rows = max(2, height // rng.integers(2, 20))
    columns = max(2, width // rng.integers(2, 20))
    coarse = rng.integers(0, 256, (rows, columns)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def _blur(pixels, rng):
    """Blur by shrinking and enlarging."""
    factor = rng.uniform(1, 2.2)
    small = Image.fromarray(pixels).resize((round(SIDE / factor),) * 2, Image.Resampling.BILINEAR)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _corners(box):
    return np.array([[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]])


def _intersection(box, tile):
    return np.concatenate([np.maximum(box[:2], tile[:2]), np.minimum(box[2:], tile[2:])])


def _visible_part(box, tile):
    """The fraction of a box's area that lies in a tile."""
    overlap = _intersection(box, tile)
    area = np.prod(box[2:] - box[:2])
    return float(np.prod(np.maximum(overlap[2:] - overlap[:2], 0)) / max(area, 1e-9))
