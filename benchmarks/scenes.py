"""Scenes to train a face detector on, put together from cut-out faces: tiles of several pictures,
or one picture filling all, and in
half of the scenes smaller faces laid over them with soft edges.

A cut-out shows twice the box of a face's points, so tiles bring surroundings, hair and clothes;
tiles with no face, with a part
of one seen too near, or with noise, are what is no face.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from nasion.landmarks import geometry
from nasion.media.images import open_image

SIDE = 192  # pixels of a scene
_LARGEST = 200  # pixels of a stored picture's longer side
_SMALLEST_TILE = 14
_SEEN = 0.7  # a face of which less lies in its tile is neither a face nor none


@dataclass(frozen=True)
class CutOut:
    """A grey picture of one labelled face, at full and smaller sizes (each half the one before)."""

    sizes: tuple[Image.Image, ...]
    points: np.ndarray  # (K, 2) in pixels of the full size
    unsure: np.ndarray  # (M, 4) boxes of what may be faces that have no labels

    @property
    def box(self):
        return geometry.points_box(self.points)


def cut_outs(faces, finder):
    """All pictures of the faces, small enough to be kept, with what a detector finds beside the
    labelled face.
    """
    found = []
    for path, points in zip(faces.images, faces.points.astype(np.float64), strict=True):
        picture = Image.fromarray(open_image(path, colour=False))
        factor = min(1.0, _LARGEST / max(picture.size))
        size = tuple(max(8, round(side * factor)) for side in picture.size)
        points = geometry.apply(
            geometry.box_to_frame(geometry.image_box(*picture.size), size), points
        )
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
        box = geometry.points_box(points)
        boxes = finder(np.asarray(picture))[0].astype(np.float64)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        other = ((middles < box[:2]) | (middles > box[2:])).any(1)
        padded, moved = _mirrored_edges(np.asarray(picture), box)
        sizes = [Image.fromarray(padded)]
        while min(sizes[-1].size) > 24:
            sizes.append(sizes[-1].reduce(2))
        found.append(CutOut(tuple(sizes), points + moved, boxes[other] + np.tile(moved, 2)))
    return found


def _mirrored_edges(pixels, box):
    """The picture with its surroundings mirrored outwards as far as no part of the face is.

    And by how much all moved.
    """
    height, width = pixels.shape
    room = [box[0], box[1], width - 1 - box[2], height - 1 - box[3]]
    left, top, right, bottom = (
        int(np.clip(space, 0, side // 2))
        for space, side in zip(room, (width, height) * 2, strict=True)
    )
    return np.pad(pixels, ((top, bottom), (left, right)), mode="symmetric"), np.array(
        [left, top], dtype=np.float64
    )


def scene(pictures, random):
    """uint8 (SIDE, SIDE), boxes of its faces (N, 4), boxes of what is neither a face nor none (M,
    4).
    """
    pixels = np.full((SIDE, SIDE), random.integers(256), dtype=np.uint8)
    faces, unsure = [], []
    for tile in _tiles(random):
        x0, y0, x1, y1 = tile
        kind = random.uniform()
        picture = pictures[random.integers(len(pictures))]
        if kind < 0.05:
            pixels[y0:y1, x0:x1] = _noise(x1 - x0, y1 - y0, random)
            continue
        share = random.uniform(0.3, 0.95)
        if kind < 0.25:
            share = random.uniform(
                2.5, 5
            )  # too near: skin, an eye, a mouth, what is beside the face
        shown, to_tile = _shown(picture, (x1 - x0, y1 - y0), share, random, aside=kind < 0.17)
        pixels[y0:y1, x0:x1] = _lit(shown, random)
        box = geometry.points_box(geometry.apply(to_tile, picture.points)) + np.tile([x0, y0], 2)
        others = [
            geometry.points_box(geometry.apply(to_tile, _corners(other))) + np.tile([x0, y0], 2)
            for other in picture.unsure
        ]
        seen = _inside(box, tile)
        if seen >= _SEEN and share < 1.5:
            faces.append(box)
        elif seen > 0.15:
            unsure.append(_cut(box, tile))
        unsure += [_cut(other, tile) for other in others if _inside(other, tile) > 0.15]
    if random.uniform() < 0.5:
        _lay_over(pixels, pictures, random, faces, unsure)
    if random.uniform() < 0.2:
        pixels = _blurred(pixels, random)
    return (
        pixels,
        np.array(faces, dtype=np.float64).reshape(-1, 4),
        np.array(unsure, dtype=np.float64).reshape(-1, 4),
    )


def _lay_over(pixels, pictures, random, faces, unsure):
    """Faces with soft edges at free places; the scene and its boxes are changed."""
    share = 0.45
    for _ in range(random.integers(1, 14)):
        side = int(np.exp(random.uniform(np.log(9), np.log(60))) / share)
        x0, y0 = random.integers(-side // 4, SIDE - 3 * side // 4, 2).tolist()
        area = (
            np.array([x0, y0, x0 + side, y0 + side], dtype=np.float64)
            + np.array([1, 1, -1, -1]) * side * 0.2
        )
        if any(_inside(area, box) + _inside(box, area) > 0 for box in (*faces, *unsure)):
            continue
        picture = pictures[random.integers(len(pictures))]
        shown, to_tile = _shown(picture, (side, side), share, random, aside=False, room=0.0)
        box = geometry.points_box(geometry.apply(to_tile, picture.points)) + np.tile([x0, y0], 2)
        seen = _inside(box, (0, 0, SIDE, SIDE))
        at = np.linspace(-1, 1, side)
        reach = random.uniform(0.55, 0.95)
        soft = np.clip(
            (1 - np.hypot(at[None] / reach, at[:, None])) / random.uniform(0.1, 0.4), 0, 1
        )
        left, top, right, bottom = (
            max(x0, 0),
            max(y0, 0),
            min(x0 + side, SIDE),
            min(y0 + side, SIDE),
        )
        inner = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
        below = pixels[top:bottom, left:right]
        pixels[top:bottom, left:right] = below + soft[inner] * (
            _lit(shown, random)[inner].astype(np.float64) - below
        )
        (faces if seen >= _SEEN else unsure).append(box)


def _tiles(random):
    """Rectangles that fill the scene: one in a fifth of scenes, else halves of halves at random."""
    if random.uniform() < 0.2:
        return [(0, 0, SIDE, SIDE)]
    fewest = np.exp(random.uniform(np.log(_SMALLEST_TILE), np.log(SIDE / 2)))
    done, open_ones = [], [(0, 0, SIDE, SIDE)]
    while open_ones:
        x0, y0, x1, y1 = open_ones.pop()
        width, height = x1 - x0, y1 - y0
        if (
            max(width, height) < 2 * fewest
            or len(done) > 40
            or (max(width, height) < SIDE and random.uniform() < 0.15)
        ):
            done.append((x0, y0, x1, y1))
            continue
        part = random.uniform(0.3, 0.7)
        if width * random.uniform(0.7, 1.4) > height:
            at = x0 + int(width * part)
            open_ones += [(x0, y0, at, y1), (at, y0, x1, y1)]
        else:
            at = y0 + int(height * part)
            open_ones += [(x0, y0, x1, at), (x0, at, x1, y1)]
    return [tile for tile in done if min(tile[2] - tile[0], tile[3] - tile[1]) >= 4]


def _shown(picture, size, share, random, aside, room=1.0):
    """A tile's pixels: the face turned, sized to ``share`` of the tile's shorter side, off the
    middle; and the map from picture to tile.

    ``aside``: what is beside the face; ``room``: how much of the space around it the face may be
    off the middle.
    """
    box = picture.box
    side = np.sqrt(np.prod(box[2:] - box[:2]))
    scale = max(share * min(size), 7) / side
    degrees = random.uniform(-70, 70) if random.uniform() < 0.15 else random.normal(0, 12)
    middle = (box[:2] + box[2:]) / 2
    if aside:  # beside the face: the middle is at the edge of its box
        angle = random.uniform(0, 2 * np.pi)
        middle = middle + 0.75 * np.array([np.cos(angle), np.sin(angle)]) * (box[2:] - box[:2])
    space = room * np.maximum(np.array(size) - scale * side, 0.1 * np.array(size)) / 2
    at = (np.array(size) - 1) / 2 + random.uniform(-1, 1, 2) * space
    to_tile = geometry.similarity(tuple(middle), np.array(degrees), np.array(scale), at - middle)
    if random.uniform() < 0.5:
        to_tile = geometry.compose(to_tile, geometry.flip(size[0]))
    # The smaller size that is still at least as fine as the tile.
    level = int(np.clip(np.floor(-np.log2(scale) + 0.3), 0, len(picture.sizes) - 1))
    source = picture.sizes[level]
    to_source = geometry.compose(
        geometry.invert(to_tile),
        geometry.box_to_frame(geometry.image_box(*picture.sizes[0].size), source.size),
    )
    # Pillow's maps take pixels' corners, not centres.
    way, move = to_source[:, :2], to_source[:, 2]
    move = move - way @ [0.5, 0.5] + 0.5
    data = (*way[0], move[0], *way[1], move[1])
    shown = source.transform(
        size,
        Image.Transform.AFFINE,
        data,
        Image.Resampling.BILINEAR,
        fillcolor=int(random.integers(256)),
    )
    return np.asarray(shown), to_tile


def _lit(pixels, random):
    """Other contrast, brightness and gamma."""
    values = pixels.astype(np.float32) / 255
    values = values ** np.exp(random.normal(0, 0.2))
    values = (values - 0.5) * np.exp(random.normal(0, 0.18)) + 0.5 + random.normal(0, 0.06)
    if random.uniform() < 0.2:
        values = values + random.normal(0, random.uniform(0.01, 0.05), values.shape)
    return (255 * np.clip(values, 0, 1)).astype(np.uint8)


def _noise(width, height, random):
    coarse = random.integers(
        0, 256, (max(2, height // random.integers(2, 20)), max(2, width // random.integers(2, 20)))
    ).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def _blurred(pixels, random):
    factor = random.uniform(1, 2.2)
    small = Image.fromarray(pixels).resize((round(SIDE / factor),) * 2, Image.Resampling.BILINEAR)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _corners(box):
    return np.array([[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]])


def _cut(box, tile):
    return np.concatenate([np.maximum(box[:2], tile[:2]), np.minimum(box[2:], tile[2:])])


def _inside(box, tile):
    """The part of a box that lies in a tile."""
    cut = _cut(box, tile)
    return float(np.prod(np.maximum(cut[2:] - cut[:2], 0)) / max(np.prod(box[2:] - box[:2]), 1e-9))
