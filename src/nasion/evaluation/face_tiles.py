"""Faces with their points drawn, in tiles of one size, as pixels and PNG bytes.

In colours that colour-blind people can tell apart (Okabe and Ito's).
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from nasion.array_types import Shaped, UInt8
from nasion.errors import SettingError
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces, crop_boxes
from nasion.media.images import as_pixels

Colour = tuple[int, int, int]
Marks = Sequence[tuple[Shaped[np.ndarray, "K 2"], Colour]]
TRUTH, PREDICTION = (0, 158, 115), (230, 159, 0)
_TILE = 192  # pixels
_CAPTION = 13  # pixels


def tile(faces: Faces, at: int, marks: Marks, caption: str = "") -> UInt8[np.ndarray, "H W 3"]:
    """One face cropped to its box with points drawn; two sets of points are joined by lines."""
    face = faces[at]
    scale = 1.0 if faces.boxes is None else 1.3
    box = _square(crop_boxes(face.images, face.boxes, scale)[0])
    to_tile = geometry.box_to_frame(box, (_TILE, _TILE))
    # The tile's outer corners in the source; + 0.5, since EXTENT counts from pixel corners.
    corners = geometry.image_box(_TILE, _TILE).reshape(2, 2)
    corners = geometry.apply(geometry.invert(to_tile), corners) + 0.5
    pixels = np.ascontiguousarray(as_pixels(face.images[0], colour=True))
    cropped = (
        Image.fromarray(pixels)
        .convert("RGB")
        .transform(
            (_TILE, _TILE),
            Image.Transform.EXTENT,
            tuple(corners.reshape(-1)),
            Image.Resampling.BILINEAR,
        )
    )
    placed = [(geometry.apply(to_tile, points), colour) for points, colour in marks]
    return draw_points(np.asarray(cropped), placed, caption)


def _square(box: Shaped[np.ndarray, 4]) -> Shaped[np.ndarray, 4]:
    """The square with the box's centre and longer side, so that nothing is distorted."""
    center, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max() / 2
    return np.concatenate([center - half, center + half])


def draw_points(
    image: UInt8[np.ndarray, "H W 3"], marks: Marks, caption: str = "", radius: float = 2.5
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw points, in the image's pixels; two sets of points are joined by lines."""
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    # Pillow draws from pixel corners.
    placed = [(points + 0.5, colour) for points, colour in marks]
    if len(placed) == 2:
        for a, b in zip(placed[0][0], placed[1][0], strict=True):
            if not np.isnan([a, b]).any():
                pen.line([*a, *b], fill=(255, 255, 255), width=1)
    outline = (0, 0, 0) if radius >= 2 else None
    for points, colour in placed:
        for x, y in points[~np.isnan(points).any(-1)]:
            circle = [x - radius, y - radius, x + radius, y + radius]
            pen.ellipse(circle, fill=colour, outline=outline)
    if caption:
        width, height = canvas.size
        pen.rectangle([0, height - _CAPTION, width, height], fill=(0, 0, 0))
        pen.text((3, height - _CAPTION), caption, fill=(255, 255, 255))
    return np.asarray(canvas)


def sheet(
    tiles: Sequence[UInt8[np.ndarray, "H W 3"]], columns: int = 8
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Tiles of one size side by side, with a thin white gap."""
    height, width = tiles[0].shape[:2]
    # Rounded up. The gap is 4 pixels; none after the last tile.
    rows = -(-len(tiles) // columns)
    columns = min(columns, len(tiles))
    shape = (rows * (height + 4) - 4, columns * (width + 4) - 4, 3)
    whole = np.full(shape, 255, dtype=np.uint8)
    for i, image in enumerate(tiles):
        y, x = (i // columns) * (height + 4), (i % columns) * (width + 4)
        whole[y : y + height, x : x + width] = image
    return whole


def contact_sheet(faces: Faces, count: int = 32, seed: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """Faces drawn at random with their labels, evenly from all sources."""
    if len(faces) == 0:
        raise SettingError("There are no faces to draw.")
    order = np.random.default_rng(seed).permutation(len(faces)).tolist()
    if "source" in faces.groups:
        sources = faces.group("source")
        rank: dict[int, int] = {}
        for source in set(sources):
            of_source = [i for i in order if sources[i] == source]
            rank |= {i: r for r, i in enumerate(of_source)}
        # The first of each source, then the second of each, and so on.
        order.sort(key=lambda i: rank[i])
    chosen = sorted(order[:count])
    return sheet([tile(faces, i, [(faces.points[i], TRUTH)], faces.ids[i]) for i in chosen])


def png(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """An image as a PNG file's contents."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
