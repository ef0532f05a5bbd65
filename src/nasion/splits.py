"""Splits that cannot leak: pictures that are the same, or nearly, stay on one side; so do linked groups.

Two pictures are compared by the correlation of their 32 x 32 thumbnails, which small changes of grey value, contrast or
JPEG noise hardly touch. From ``DUPLICATE`` on they count as one picture twice; from ``ALIKE`` on they are at least frames
or crops of one photograph more often than not, and are kept together. Data sets that cut the same photographs in their own
ways are compared by thumbnails with the eyes in one place. Float32 only proposes pairs; they are decided in exact integers,
and sides are drawn by a hash of ids, so that a split is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from nasion import geometry
from nasion.augment import warp
from nasion.errors import DataError
from nasion.faces import NO_GROUP, Faces
from nasion.files import open_picture

DUPLICATE = 0.985
ALIKE = 0.94
ONE_FACE = 0.9  # of thumbnails with the eyes in one place (LOG.md, "One photograph in several data sets")
FRACTION = 0.2
_SIDE = 32
_ROUNDING = 1e-3  # float32 correlations are off by less
_BLOCK = 1024


@dataclass(frozen=True)
class Pair:
    """Two pictures that are alike: their positions, the correlation of their thumbnails, and whether every byte agrees."""

    first: int
    second: int
    similarity: float
    exact: bool


def thumbnails(faces: Faces) -> UInt8[np.ndarray, "N 1024"]:
    """Each picture (its box, where there is one) at 32 x 32, grey; the same bytes on every machine."""
    from PIL import Image

    small = np.empty((len(faces), _SIDE * _SIDE), dtype=np.uint8)
    for i, picture in enumerate(faces.images):
        grey = open_picture(picture, colour=False) if isinstance(picture, Path) else picture
        image = Image.fromarray(np.ascontiguousarray(grey)).convert("L")
        if faces.boxes is not None and not np.isnan(faces.boxes[i]).any():
            x0, y0, x1, y1 = np.rint(faces.boxes[i] + 0.5).astype(int).tolist()
            # A box may be far larger than its picture, and a crop of it larger than memory.
            x0, y0 = max(x0, -image.width), max(y0, -image.height)
            x1, y1 = min(x1, 2 * image.width), min(y1, 2 * image.height)
            image = image.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
        small[i] = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX)).reshape(-1)
    return small


def similar_pairs(faces: Faces, threshold: float = ALIKE) -> list[Pair]:
    """All pairs of pictures whose thumbnails correlate by at least ``threshold``, in order of position.

    Pictures without any contrast have no correlation; they pair with the same bytes only.
    """
    small = thumbnails(faces)
    pairs = []
    for a, b in _candidates(small, threshold - _ROUNDING):
        similarity = _correlations(small, a, b)
        exact = np.array([_same_bytes(faces.images[i], faces.images[j]) for i, j in zip(a, b, strict=True)], dtype=bool)
        kept = (similarity >= threshold) | exact
        pairs += [Pair(int(i), int(j), float(s), bool(e)) for i, j, s, e in zip(a[kept], b[kept], similarity[kept], exact[kept], strict=True)]
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def same_faces(faces: Faces, others: Faces) -> list[tuple[int, int]]:
    """Positions (in ``faces``, in ``others``) of faces that look like one photograph, however it was cut, scaled or turned.

    Both in one scheme; faces without labels at both eyes have no such pairs.
    """
    sides = [eyes(side) for side in (faces, others)]
    known = [np.flatnonzero(np.isfinite(at).all((1, 2))) for at in sides]
    small = np.concatenate([_level_thumbnails(side[some], at[some]) for side, at, some in zip((faces, others), sides, known, strict=True)])
    border, found = len(known[0]), []
    for a, b in _candidates(small, ONE_FACE - _ROUNDING):
        across = (a < border) & (b >= border)
        a, b = a[across], b[across]
        kept = _correlations(small, a, b) >= ONE_FACE
        found += zip(known[0][a[kept]].tolist(), known[1][b[kept] - border].tolist(), strict=True)
    return found


def eyes(faces: Faces) -> Float64[np.ndarray, "N 2 2"]:
    """The middles of the right and the left eye: of whatever is labelled at each; NaN where nothing is."""
    middles = []
    for side in ("right", "left"):
        at = [i for i, name in enumerate(faces.scheme.points) if name.startswith((f"{side}_eye_", f"{side}_pupil"))]
        points = faces.points[:, at].astype(np.float64)
        count = faces.labelled[:, at].sum(1)[:, None]
        middles.append(np.where(count > 0, np.nansum(points, axis=1) / np.maximum(count, 1), np.nan))
    return np.stack(middles, axis=1)


def _level_thumbnails(faces: Faces, at: Float64[np.ndarray, "N 2 2"]) -> UInt8[np.ndarray, "N 1024"]:
    """Faces at 32 x 32 with the eyes level, 15 pixels apart, in the upper third; grey."""
    wide = 2 * _SIDE  # halved afterwards, so that fewer pixels are skipped
    way = at[:, 1] - at[:, 0]
    scale = np.maximum(np.linalg.norm(way, axis=1), 1) / (0.47 * wide)
    middle = np.array([(wide - 1) / 2, 0.35 * wide])
    maps = geometry.similarity(tuple(middle), np.rad2deg(np.arctan2(way[:, 1], way[:, 0])), scale, at.mean(1) - middle)
    small = np.empty((len(faces), _SIDE * _SIDE), dtype=np.uint8)
    for i, picture in enumerate(faces.images):
        grey = open_picture(picture, colour=False) if isinstance(picture, Path) else np.asarray(picture)
        grey = grey if grey.ndim == 2 else grey.mean(-1)
        level = warp(grey[None, None].astype(np.float32), maps[i : i + 1], (wide, wide))[0, 0]
        small[i] = np.rint(level.reshape(_SIDE, 2, _SIDE, 2).mean((1, 3))).reshape(-1)
    return small


def clusters(count: int, links: list[tuple[int, int]]) -> Int64[np.ndarray, " N"]:
    """Who is linked to whom, directly or through others: each position's smallest relative."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in links:
        a, b = root(a), root(b)
        parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(count)], dtype=np.int64)


def honest_split(faces: Faces, fraction: float = FRACTION, pairs: list[Pair] | None = None) -> tuple[Faces, Faces]:
    """(training, validation) faces; about ``fraction`` of the clusters of alike or linked faces go to validation.

    Raises ``DataError`` when a side would be empty, as when all faces hang together.
    """
    links = [(pair.first, pair.second) for pair in (similar_pairs(faces) if pairs is None else pairs)]
    for name in faces.linked:
        first: dict[str, int] = {}
        links += [(first.setdefault(value, i), i) for i, value in enumerate(faces.groups[name]) if value != NO_GROUP]
    cluster = clusters(len(faces), links)
    # By the smallest id of a cluster, so that the order of the faces does not matter.
    named: dict[int, str] = {}
    for face, root in zip(faces.ids, cluster.tolist(), strict=True):
        named[root] = min(face, named.get(root, face))
    draw = {root: _draw(face) for root, face in named.items()}
    validation = np.array([draw[int(root)] < fraction for root in cluster], dtype=bool)
    if validation.all() or not validation.any():
        raise DataError(
            f"{len(faces)} faces in {len(draw)} clusters of linked or alike pictures cannot be split by {fraction:g}; give a split of your own."
        )
    return faces[~validation], faces[validation]


def _draw(name: str) -> float:
    """A number in 0 .. 1 that depends on the id alone."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64


def _candidates(small: UInt8[np.ndarray, "N P"], threshold: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of positions a < b that may reach the threshold."""
    # One feature more than the centred pixels: flat pictures share it and nothing else, so equal flat ones are proposed.
    centred = small.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1)
    flat = length == 0
    features = np.concatenate([centred / np.where(flat, 1, length)[:, None], flat[:, None].astype(np.float32)], axis=1)
    for start in range(0, len(small), _BLOCK):
        block = features[start : start + _BLOCK] @ features[start:].T
        a, b = np.nonzero(block >= threshold)
        later = b > a
        yield a[later] + start, b[later] + start


def _correlations(small: UInt8[np.ndarray, "N P"], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of pictures a[i] and b[i] from integer sums, which no machine adds up differently; 0 for flat ones."""
    x, y = small[a].astype(np.int64), small[b].astype(np.int64)
    count = small.shape[1]
    covariance = count * (x * y).sum(1) - x.sum(1) * y.sum(1)
    spread = [np.sqrt((count * (v * v).sum(1) - v.sum(1) ** 2).astype(np.float64)) for v in (x, y)]
    product = spread[0] * spread[1]
    return np.divide(covariance, product, out=np.zeros(len(a)), where=product > 0)


def _same_bytes(a: Path | np.ndarray, b: Path | np.ndarray) -> bool:
    if isinstance(a, Path) or isinstance(b, Path):
        return isinstance(a, Path) and isinstance(b, Path) and a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
    return np.array_equal(a, b)
