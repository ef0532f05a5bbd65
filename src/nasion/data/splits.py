"""Train/validation splits without leakage: images that are the same, or nearly, stay on one side.

So do linked groups (persons, photographs). Two images are compared by the correlation of their
32 x 32 thumbnails, which hardly changes with brightness, contrast or JPEG noise. From ``DUPLICATE``
on they count as one image; from ``ALIKE`` on they are more often than not frames or crops of one
photograph. Datasets that cut the same photographs differently are compared by thumbnails with the
eyes in one place. Float32 only proposes pairs; they are decided in exact integers, and sides are
drawn by a hash of ids (``sides.py``), so a split is the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from nasion.array_types import Float64, Int, Int64, UInt8
from nasion.data.augment import warp
from nasion.data.equal_images import equal_images, only_faces
from nasion.data.image_faults import require_images
from nasion.data.sides import Cluster, clusters_of, fold_numbers, validation_side
from nasion.errors import DataError, require
from nasion.landmarks import geometry
from nasion.landmarks.faces import NO_GROUP, Faces, join
from nasion.media.counted import counted
from nasion.media.images import as_pixels

# Correlations of thumbnails. From ALIKE on nearly every pair is one photograph or one film shot;
# below it chance pairs begin to chain faces into large clusters (LOG.md).
DUPLICATE = 0.985
ALIKE = 0.94
SAME_PHOTOGRAPH = 0.9  # with the eyes in one place (LOG.md, "One photograph in several data sets")
FRACTION = 0.2  # of the faces that go to validation
_PHOTOGRAPH = "photograph"  # the group of faces of one image
THUMBNAIL = 32  # pixels
_ROUNDING = 1e-3  # float32 correlations are off by less
_BLOCK = 256  # rows of the matrix of all correlations that are held at once
_CHUNK = 2048  # pairs whose thumbnails are held at once


@dataclass(frozen=True, slots=True)
class SimilarPair:
    """Two similar images, by position; ``exact``: every byte agrees."""

    first: int
    second: int
    similarity: float
    exact: bool


def thumbnails(faces: Faces) -> UInt8[np.ndarray, "N 1024"]:
    """Each image (its box, if it has one) at 32 x 32, grey; the same bytes on every machine."""
    from PIL import Image

    require_images(faces)
    small = np.empty((len(faces), THUMBNAIL**2), dtype=np.uint8)
    for i, source in enumerate(faces.images):
        image = Image.fromarray(np.ascontiguousarray(as_pixels(source, colour=False))).convert("L")
        if faces.boxes is not None and not np.isnan(faces.boxes[i]).any():
            # + 0.5: Pillow counts from the corner of the first pixel.
            x0, y0, x1, y1 = np.rint(faces.boxes[i] + 0.5).astype(int).tolist()
            # A box may be far larger than its image, and a crop of it larger than memory.
            x0, y0 = max(x0, -image.width), max(y0, -image.height)
            x1, y1 = min(x1, 2 * image.width), min(y1, 2 * image.height)
            image = image.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
        shrunk = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        small[i] = np.asarray(shrunk).reshape(-1)
    return small


def similar_pairs(faces: Faces, threshold: float = ALIKE) -> list[SimilarPair]:
    """All pairs of images whose thumbnails correlate by at least ``threshold``, by position.

    Images without contrast have no correlation; they pair with the same bytes only. Equal images
    pair whatever their boxes, which are around other points if other ones are labelled.
    """
    alike = _alike(faces, threshold, lambda a, b: np.ones(len(a), dtype=bool))
    found = {(pair.first, pair.second): pair for pair in alike}
    for group in equal_images(faces):
        for first, second in combinations(only_faces(faces, group), 2):
            found.setdefault((first, second), SimilarPair(first, second, 1.0, True))
    return [found[pair] for pair in sorted(found)]


def connecting_pairs(faces: Faces, threshold: float = ALIKE) -> list[SimilarPair]:
    """Some of ``similar_pairs``, fewer than images, that connect the same images.

    Of frames of one shot nearly all pairs are similar, more than memory holds. All faces of one
    image are connected, and those of its copies.
    """
    require_images(faces)
    groups = equal_images(faces)
    pairs = [SimilarPair(at[0], i, 1.0, True) for at in groups for i in at[1:]]
    cluster = clusters(len(faces), [(pair.first, pair.second) for pair in pairs])
    for pair in _alike(faces, threshold, lambda a, b: cluster[a] != cluster[b]):
        first, second = cluster[pair.first], cluster[pair.second]
        if first != second:
            cluster[cluster == second] = first
            pairs.append(pair)
    return pairs


def _alike(
    faces: Faces,
    threshold: float,
    is_wanted: Callable[[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]], np.ndarray],
) -> Iterator[SimilarPair]:
    """The pairs of ``similar_pairs`` of which ``is_wanted`` is true when it is their turn."""
    small = thumbnails(faces)
    # Float32 proposes generously; the exact correlation decides.
    for a, b in _candidates(small, threshold - _ROUNDING, is_wanted):
        similarity = _correlations(small, a, b)
        same = (_same_bytes(faces.images[i], faces.images[j]) for i, j in zip(a, b, strict=True))
        exact = np.fromiter(same, dtype=bool, count=len(a))
        for k in np.flatnonzero((similarity >= threshold) | exact).tolist():
            yield SimilarPair(int(a[k]), int(b[k]), float(similarity[k]), bool(exact[k]))


def same_photographs(faces: Faces, others: Faces) -> list[tuple[int, int]]:
    """Positions (in ``faces``, in ``others``) of faces from one photograph, however it was cut.

    Scale and rotation do not matter. Both sets are of one scheme; faces without labels at both eyes
    have no pairs.
    """
    sides = (faces, others)
    eyes = [eye_centers(side) for side in sides]
    known = [np.flatnonzero(np.isfinite(at).all((1, 2))) for at in eyes]
    parts = zip(sides, eyes, known, strict=True)
    small = np.concatenate([aligned_thumbnails(side[at], eye[at]) for side, eye, at in parts])
    # Both sets are compared as one; only pairs across the border are of interest.
    border, pairs = len(known[0]), []
    floor = SAME_PHOTOGRAPH - _ROUNDING
    for a, b in _candidates(small, floor, lambda a, b: (a < border) & (b >= border)):
        kept = _correlations(small, a, b) >= SAME_PHOTOGRAPH
        first, second = known[0][a[kept]].tolist(), known[1][b[kept] - border].tolist()
        pairs += zip(first, second, strict=True)
    return pairs


def eye_centers(faces: Faces) -> Float64[np.ndarray, "N 2 2"]:
    """The right and the left eye: the mean of what is labelled at each; NaN without labels."""
    centers = []
    for side in ("right", "left"):
        prefixes = (f"{side}_eye_", f"{side}_pupil")
        at = [i for i, name in enumerate(faces.scheme.known_as) if name.startswith(prefixes)]
        points = faces.points[:, at].astype(np.float64)
        count = faces.labelled[:, at].sum(1)[:, None]
        # Not nanmean, which warns about faces without a label there.
        mean = np.nansum(points, axis=1) / np.maximum(count, 1)
        centers.append(np.where(count > 0, mean, np.nan))
    return np.stack(centers, axis=1)


def aligned_thumbnails(
    faces: Faces, eyes: Float64[np.ndarray, "N 2 2"]
) -> UInt8[np.ndarray, "N 1024"]:
    """Faces at 32 x 32, grey, with the eyes level, 15 pixels apart, in the upper third."""
    require_images(faces)
    # At twice the size, then averaged 2 x 2: the warp looks at four neighbours only, and shrinking
    # with it skips the pixels between.
    wide = 2 * THUMBNAIL
    between = eyes[:, 1] - eyes[:, 0]
    # Source pixels per thumbnail pixel, so that the eyes are 0.47 of its side apart.
    scale = np.maximum(np.linalg.norm(between, axis=1), 1) / (0.47 * wide)
    center = np.array([(wide - 1) / 2, 0.35 * wide])
    angle = np.rad2deg(np.arctan2(between[:, 1], between[:, 0]))
    # From the thumbnail to the source: the point `center` shows the middle between the eyes.
    maps = geometry.similarity(tuple(center), angle, scale, eyes.mean(1) - center)
    small = np.empty((len(faces), THUMBNAIL**2), dtype=np.uint8)
    for i, source in enumerate(faces.images):
        grey = as_pixels(source, colour=False)
        grey = grey if grey.ndim == 2 else grey.mean(-1)
        level = warp(grey[None, None].astype(np.float32), maps[i : i + 1], (wide, wide))[0, 0]
        # Axes 1 and 3 run within blocks of 2 x 2 pixels.
        halved = level.reshape(THUMBNAIL, 2, THUMBNAIL, 2).mean((1, 3))
        small[i] = np.rint(halved).reshape(-1)
    return small


def clusters(count: int, links: list[tuple[int, int]]) -> Int64[np.ndarray, " N"]:
    """Connected components: for each position the smallest position it is linked to."""
    # Union-find: every chain of parents ends at the cluster's smallest position.
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            # Path halving keeps the chains short.
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in links:
        a, b = root(a), root(b)
        parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(count)], dtype=np.int64)


def honest_split(
    faces: Faces, fraction: float = FRACTION, pairs: list[SimilarPair] | None = None
) -> tuple[Faces, Faces]:
    """(training, validation) faces that share no photograph, duplicate or linked group.

    About ``fraction`` of the faces go to validation, also of each source and subset: see
    ``sides.py``. Faces without a label are on no side. Raises ``DataError`` if a side would be
    empty.
    """
    faces, found = _labelled_clusters(faces, pairs)
    if len(found) < 2:
        raise DataError(
            f"{counted(len(faces), 'face')} in one cluster of linked or alike images cannot be "
            "split; give validation faces of their own (--val PATH, or validation=...)."
        )
    validation = validation_side(found, fraction)
    return faces[~validation], faces[validation]


def honest_folds(
    faces: Faces, count: int, pairs: list[SimilarPair] | None = None
) -> Int64[np.ndarray, " N"]:
    """The fold of each face, 0 to ``count - 1``; folds share no photograph, duplicate or group.

    Faces without a label are in no fold: -1. Raises ``SettingError`` if there are fewer than two
    folds, or fewer clusters than folds.
    """
    require(count >= 2, f"Cross-validation takes two folds or more; found {count}.")
    labelled, found = _labelled_clusters(faces, pairs)
    require(
        len(found) >= count,
        f"{counted(len(labelled), 'face')} in {counted(len(found), 'cluster')} of linked or alike "
        f"images cannot be divided into {count} folds; ask for fewer, or give validation faces of "
        "their own (--val PATH).",
    )
    number = np.full(len(faces), -1, dtype=np.int64)
    number[faces.labelled.any(axis=1)] = fold_numbers(found, count)
    return number


def _labelled_clusters(
    faces: Faces, pairs: list[SimilarPair] | None
) -> tuple[Faces, list[Cluster]]:
    """The faces with a label, and their clusters. ``DataError`` if there are none."""
    labelled = faces.labelled.any(axis=1)
    if not labelled.any():
        raise DataError(
            f"None of the {len(faces)} faces has a label of scheme {faces.scheme.name}; training "
            "needs labels of points that the recipe has."
        )
    # The others connect faces that are like them, but count on no side.
    roots = linked_clusters(faces, pairs)
    if not labelled.all():
        faces, roots = faces[labelled], roots[labelled]
    return faces, clusters_of(faces, roots)


def linked_clusters(
    faces: Faces, pairs: list[SimilarPair] | None = None
) -> Int64[np.ndarray, " N"]:
    """For each face the first one of its cluster: alike images, and linked groups."""
    pairs = connecting_pairs(faces) if pairs is None else pairs
    links = [(pair.first, pair.second) for pair in pairs]
    for name in faces.linked:
        first: dict[str, int] = {}
        for i, value in enumerate(faces.groups[name]):
            if value != NO_GROUP:
                # Each face is linked to the first of its group: as many links as faces, not as
                # pairs.
                links.append((first.setdefault(value, i), i))
    return clusters(len(faces), links)


def leaks(train: Faces, val: Faces) -> list[tuple[int, int]]:
    """Pairs (position in ``train``, position in ``val``) that show one photograph or duplicate.

    Both are of one scheme.
    """
    # Both sides may have the same ids.
    sides = (("train", train), ("val", val))
    renamed = [replace(s, ids=tuple(f"{name}/{face}" for face in s.ids)) for name, s in sides]
    return sorted(alike_across(*renamed) | set(same_photographs(train, val)))


def alike_across(train: Faces, val: Faces) -> set[tuple[int, int]]:
    """Pairs (position in ``train``, position in ``val``) of similar or equal images.

    Both are of one scheme, and no id occurs in both.
    """
    both, border = join(train, val), len(train)
    alike = _alike(both, ALIKE, lambda a, b: (a < border) & (b >= border))
    pairs = {(pair.first, pair.second - border) for pair in alike}
    for group in equal_images(both):
        first = [i for i in group if i < border]
        pairs.update((a, b - border) for a in first for b in group[len(first) :])
    return pairs


def shared_persons(train: Faces, val: Faces) -> dict[str, list[tuple[str, int]]]:
    """Values of each linked group that both sets have, with how many faces of ``val`` have them.

    As persons. Not photographs: two folders call theirs alike, and ``leaks`` compares their pixels.
    """
    names = set(train.linked) & set(val.linked) - {_PHOTOGRAPH}
    found = {}
    for name in sorted(names):
        known = set(train.groups[name]) - {NO_GROUP}
        counts = Counter(value for value in val.groups[name] if value in known)
        if counts:
            found[name] = sorted(counts.items())
    return found


def _candidates(
    small: UInt8[np.ndarray, "N P"],
    threshold: float,
    is_wanted: Callable[[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]], np.ndarray],
) -> Iterator[tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]]:
    """Up to ``_CHUNK`` wanted positions a < b at a time that may reach the threshold."""
    centred = small.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1)
    flat = length == 0
    # One more feature that only flat images share, so that equal flat ones are proposed.
    unit = centred / np.where(flat, 1, length)[:, None]
    # Products of unit vectors are correlations; two flat images get 1 from the last feature.
    features = np.concatenate([unit, flat[:, None].astype(np.float32)], axis=1)
    for start in range(0, len(small), _BLOCK):
        # Columns from `start` on, since pairs with earlier rows have been seen.
        block = features[start : start + _BLOCK] @ features[start:].T
        a, b = np.nonzero(block >= threshold)
        later = b > a
        a, b = a[later] + start, b[later] + start
        for i in range(0, len(a), _CHUNK):
            some = slice(i, i + _CHUNK)
            wanted = is_wanted(a[some], b[some])
            if wanted.any():
                yield a[some][wanted], b[some][wanted]


def _correlations(small: UInt8[np.ndarray, "N P"], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of images a[i] and b[i]; 0 for flat ones.

    From integer sums, which come out the same on every machine.
    """
    x, y = small[a].astype(np.int32), small[b].astype(np.int32)
    count = small.shape[1]
    # n sum(xy) - sum(x) sum(y): the means are not divided out, so all stays in integers.
    covariance = count * _products(x, y) - x.sum(1) * y.sum(1)
    deviations = [np.sqrt((count * _products(v, v) - v.sum(1) ** 2).astype(float)) for v in (x, y)]
    product = deviations[0] * deviations[1]
    return np.divide(covariance, product, out=np.zeros(len(a)), where=product > 0)


def _products(x: Int[np.ndarray, "n P"], y: Int[np.ndarray, "n P"]) -> Int64[np.ndarray, " n"]:
    """The sum of x y in each row; of 1024 pixels it is less than 2^31."""
    return np.einsum("np,np->n", x, y).astype(np.int64)


def _same_bytes(a: Path | np.ndarray, b: Path | np.ndarray) -> bool:
    if isinstance(a, Path) and isinstance(b, Path):
        # Sizes first: most pairs that are alike but not equal need not be read.
        return a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
    if isinstance(a, Path) or isinstance(b, Path):
        return False
    return np.array_equal(a, b)
