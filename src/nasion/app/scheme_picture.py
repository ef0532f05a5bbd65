"""A scheme drawn on a mean face: its lines, and each point's number and name."""

from __future__ import annotations

import numpy as np

from nasion.array_types import Float64, UInt8
from nasion.data.mirror_check import median_shape
from nasion.errors import SettingError
from nasion.landmarks.catalog import renamed
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import points_box
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats import DrawStyle, image

_SIDE, _MARGIN = 1100, 250  # pixels of the face and around it
_GREY = 96


def draw_scheme(scheme: Scheme, faces: Faces | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """The points on the median of the faces, else on nasion's mean face.

    Raises ``SettingError`` if no place of any point is known.
    """
    shape = None if faces is None else median_shape(faces, least=1)
    placed = mean_shape(scheme) if shape is None else shape[0]
    known = np.asarray(~np.isnan(placed).any(axis=1))
    if known.sum() < 2:
        raise SettingError(
            f"Where the points of scheme {scheme.name} lie is not known: none is of the catalog. "
            "Name the data that have them (nasion scheme show DATA -o FILE)."
        )
    return _drawn(scheme, placed, known)


def _drawn(scheme: Scheme, placed: Float64[np.ndarray, "K 2"], known: np.ndarray) -> np.ndarray:
    box = points_box(placed[known])
    scale = _SIDE / max(float((box[2:] - box[:2]).max()), 1e-9)
    points = (placed - box[:2]) * scale + _MARGIN
    width, height = np.ceil((box[2:] - box[:2]) * scale).astype(int) + 2 * _MARGIN
    # Only points with a place, and lines between them.
    shown = [point for point, has in zip(scheme.points, known, strict=True) if has]
    edges = tuple(edge for edge in scheme.edges if set(edge) <= set(shown))
    numbers = {point: f"{i} {point}" for i, point in enumerate(scheme.points)}
    part = Scheme(name=scheme.name, points=tuple(shown), mirror=(), edges=edges)
    face = Face(
        scheme=renamed(part, numbers),
        points=points[known].astype(np.float32),
        box=points_box(points[known]).astype(np.float32),
        score=1.0,
    )
    canvas = np.full((height, width, 3), _GREY, dtype=np.uint8)
    result = ImageResult(
        name=scheme.name, stem="", size=(int(width), int(height)), faces=(face,), image=canvas
    )
    return image.draw(result, DrawStyle(labels="names", boxes=False), enlarge=False)
