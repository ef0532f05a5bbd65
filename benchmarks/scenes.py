"""Training scenes for the face detector, composed of face crops.

A scene is tiled with several crops, or is filled by one. In most scenes smaller faces are pasted
over the tiles with soft edges. Some faces are tilted, cut by the edge of their tile or of the
scene, or partly covered by shapes.
Tiles without a face are negatives: background beside a face, a close-up of a part of one, the back
of a head (the half of a profile behind the ear and its mirror image), drawn patterns and animals,
or noise.
"""

import numpy as np
from PIL import Image

from nasion.data.covers import cover
from nasion.landmarks import geometry

SIDE = 192  # pixels of a scene
# How likely a tile is to be each kind; the others are faces.
_NEGATIVES = {"noise": 0.03, "drawing": 0.1, "back": 0.05, "beside": 0.1, "close": 0.07}
_CUT, _COVERED, _TILTED = 0.15, 0.25, 0.35  # of the faces; shapes cover 0.6 of _COVERED
_MAX_TILT = 65  # degrees
_MIN_TILE = 14  # pixels
_MIN_VISIBLE = 0.5  # of a face's box; a face that is cut off more is ignored, not a target
_MIN_IGNORED = 0.15  # of a box; if less of it is visible, the tile is background


def draw_scene(sources, rng):
    """A random scene, uint8 (SIDE, SIDE), the boxes of its faces (N, 4) and those to ignore (M, 4).

    Boxes are of whole faces, also of those that are cut off. Ignored are faces of which too little
    is visible, and what may be a face without labels.
    """
    pixels = np.full((SIDE, SIDE), rng.integers(256), dtype=np.uint8)
    faces, ignored = [], []
    for tile in _draw_tiles(rng):
        x0, y0, x1, y1 = tile
        size = (x1 - x0, y1 - y0)
        kind = _draw_kind(rng)
        if kind in ("noise", "drawing", "back"):
            pixels[y0:y1, x0:x1] = _draw_negative(sources, kind, size, rng)
            continue
        crop = sources.face(rng)
        # Too close: skin, an eye, a mouth, or what is beside the face.
        fill = rng.uniform(0.3, 1.1) if kind == "face" else rng.uniform(2.5, 5)
        cut = kind == "face" and rng.uniform() < _CUT
        to_tile = _place(crop, size, fill, rng, beside=kind == "beside", cut=cut)
        tile_pixels, points = (
            _resample(crop, to_tile, size, rng),
            geometry.apply(to_tile, crop.points),
        )
        hidden = 0.0
        if kind == "face" and rng.uniform() < _COVERED:
            tile_pixels, hidden = _cover(tile_pixels, points, rng)
        pixels[y0:y1, x0:x1] = _relight(tile_pixels, rng)
        origin = np.tile([x0, y0], 2)
        box = geometry.points_box(points) + origin
        visible = _visible_part(box, tile)
        if visible >= _MIN_VISIBLE and kind == "face" and hidden < 1 - _MIN_VISIBLE:
            faces.append(box)
        elif visible > _MIN_IGNORED:
            ignored.append(_intersection(box, tile))
        for other in crop.ignored:
            other_box = geometry.points_box(geometry.apply(to_tile, _corners(other))) + origin
            if _visible_part(other_box, tile) > _MIN_IGNORED:
                ignored.append(_intersection(other_box, tile))
    if rng.uniform() < 0.6:
        _paste_faces(pixels, sources, rng, faces, ignored)
    if rng.uniform() < 0.2:
        pixels = _blur(pixels, rng)
    return (
        pixels,
        np.array(faces, dtype=np.float64).reshape(-1, 4),
        np.array(ignored, dtype=np.float64).reshape(-1, 4),
    )


def _draw_kind(rng):
    value = rng.uniform()
    for kind, chance in _NEGATIVES.items():
        value -= chance
        if value < 0:
            return kind
    return "face"


def _draw_negative(sources, kind, size, rng):
    """Pixels of a tile without a face."""
    if kind == "noise":
        return _noise(*size, rng)
    if kind == "back":
        return _relight(_back_of_head(sources.profile(rng), size, rng), rng)
    drawing = sources.drawing(rng)
    # A part of the tile's shape; mostly nearly all of the drawing.
    scale = rng.uniform(0.5, 1) ** 0.5 * min(drawing.width / size[0], drawing.height / size[1])
    extent = scale * np.array(size)
    x, y = rng.uniform(size=2) * (np.array(drawing.size) - extent)
    box = (x, y, x + extent[0], y + extent[1])
    tile = drawing.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2)
    return _relight(np.asarray(tile), rng)


def _back_of_head(crop, size, rng):
    """Hair, ear and neck behind a profile's face, and their mirror image beside them."""
    box = crop.box
    wide, high = box[2:] - box[:2]
    edge = box[2] if crop.back > 0 else box[0]
    center = np.array([edge + crop.back * rng.uniform(0, 0.2) * wide, (box[1] + box[3]) / 2])
    center[1] -= rng.uniform(-0.2, 0.3) * high
    scale = max(rng.uniform(0.7, 2.2) * min(size), 7) / np.sqrt(wide * high)
    target = (np.array(size) - 1) / 2
    to_tile = geometry.similarity(tuple(center), np.array(0.0), np.array(scale), target - center)
    pixels = _resample(crop, to_tile, size, rng)
    half = size[0] // 2
    mirrored = pixels.copy()
    if crop.back > 0:
        mirrored[:, :half] = pixels[:, ::-1][:, :half]
    else:
        mirrored[:, size[0] - half :] = pixels[:, ::-1][:, size[0] - half :]
    return mirrored


def _cover(pixels, points, rng):
    """The tile with shapes in front of it, and the share of the points that they hide."""
    images = pixels[None, None].astype(np.float32)
    images, covered = cover(images, points[None], (0, 255), rng)
    return images[0, 0].astype(np.uint8), float(covered.mean())


def _paste_faces(pixels, sources, rng, faces, ignored):
    """Paste faces with soft edges where no other face is. Changes the scene and its boxes."""
    fill = 0.45
    for _ in range(rng.integers(1, 14)):
        side = int(np.exp(rng.uniform(np.log(9), np.log(60))) / fill)
        x0, y0 = rng.integers(-side // 2, SIDE - side // 2, 2).tolist()
        inner = np.array([x0, y0, x0 + side, y0 + side], dtype=np.float64)
        inner = inner + np.array([1, 1, -1, -1]) * side * 0.2
        boxes = (*faces, *ignored)
        if any(_visible_part(inner, box) + _visible_part(box, inner) > 0 for box in boxes):
            continue
        crop = sources.face(rng)
        to_face = _place(crop, (side, side), fill, rng, room=0.0)
        face = _resample(crop, to_face, (side, side), rng)
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


def _place(crop, size, fill, rng, beside=False, cut=False, room=1.0):
    """The map from a crop to a tile that shows it: rotated, flipped and shifted at random.

    The face's box has ``fill`` times the tile's shorter side. ``beside``: centre the tile beside
    the face. ``cut``: cut up to half of the face off. ``room``: how much of the free space around
    the face the shift may use.
    """
    box = crop.box
    side = np.sqrt(np.prod(box[2:] - box[:2]))
    scale = max(fill * min(size), 7) / side
    tilted = rng.uniform() < _TILTED
    degrees = rng.uniform(-_MAX_TILT, _MAX_TILT) if tilted else rng.normal(0, 12)
    center = (box[:2] + box[2:]) / 2
    if beside:
        angle = rng.uniform(0, 2 * np.pi)
        center = center + 0.75 * np.array([np.cos(angle), np.sin(angle)]) * (box[2:] - box[:2])
    space = room * np.maximum(np.array(size) - scale * side, 0.1 * np.array(size)) / 2
    target = (np.array(size) - 1) / 2 + rng.uniform(-1, 1, 2) * space
    if cut:
        axis, inset = rng.integers(2), rng.uniform(0, 0.5) * scale * side
        target[axis] = inset if rng.uniform() < 1 / 2 else size[axis] - 1 - inset
    to_tile = geometry.similarity(
        tuple(center), np.array(degrees), np.array(scale), target - center
    )
    return geometry.compose(to_tile, geometry.flip(size[0])) if rng.uniform() < 0.5 else to_tile


def _resample(crop, to_tile, size, rng):
    """The crop's pixels in a tile of this size; one grey where the crop ends."""
    # About the smallest level that is still as fine as the tile.
    scale = float(geometry.map_scale(to_tile))
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
    return np.asarray(rendered)


def _relight(pixels, rng):
    """Change gamma, contrast and brightness; add noise to a fifth of the tiles."""
    greys = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.2))
    greys = (greys - 0.5) * np.exp(rng.normal(0, 0.18)) + 0.5 + rng.normal(0, 0.06)
    if rng.uniform() < 0.2:
        values = greys.astype(np.float32)[pixels]
        noise = rng.standard_normal(values.shape, dtype=np.float32)
        return (255 * np.clip(values + rng.uniform(0.01, 0.05) * noise, 0, 1)).astype(np.uint8)
    return (255 * np.clip(greys, 0, 1)).astype(np.uint8)[pixels]


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
    x0, y0, x1, y1 = (float(value) for value in box)  # NumPy is slow for single numbers
    wide = min(x1, tile[2]) - max(x0, tile[0])
    high = min(y1, tile[3]) - max(y0, tile[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return float(wide * high / max((x1 - x0) * (y1 - y0), 1e-9))
