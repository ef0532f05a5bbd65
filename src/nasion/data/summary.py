"""What a dataset holds (``nasion data show``)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nasion.data.image_faults import image_faults, missing_files
from nasion.data.splits import DUPLICATE, SimilarPair, similar_pairs
from nasion.landmarks.faces import Faces
from nasion.media.images import image_size

_MAX_PATTERNS = 8  # patterns of missing points that are listed


@dataclass(frozen=True, eq=False)
class Summary:
    """Counts of a set of faces. ``patterns``: (faces, points missing in them), most frequent first.

    ``sizes`` is None if images are missing or damaged; then duplicates are not searched for.
    """

    faces: Faces
    missing: dict[str, int]
    patterns: list[tuple[int, tuple[str, ...]]]
    other_patterns: int
    groups: dict[str, dict[str, int]]
    sizes: dict[str, int] | None
    unreadable: int
    exact: list[SimilarPair]
    near: list[SimilarPair]


def summarize(faces: Faces) -> Summary:
    """Count faces, missing labels, groups, image sizes and duplicates."""
    labelled = faces.labelled
    # Distinct rows of the (N, K) mask, and how often each occurs.
    kinds, counts = np.unique(labelled, axis=0, return_counts=True)
    patterns = []
    for k in np.argsort(-counts, kind="stable"):
        points = zip(faces.scheme.points, kinds[k], strict=True)
        patterns.append((int(counts[k]), tuple(point for point, seen in points if not seen)))
    missing = missing_files(faces)
    faults = image_faults(faces, images_optional=True)
    unreadable = len(missing) if len(missing) == len(faces) else len(faults)
    complete = not unreadable
    pairs = similar_pairs(faces, DUPLICATE) if complete else []
    groups = {}
    for name, values in faces.groups.items():
        groups[name] = dict(Counter(value or "(none)" for value in values).most_common())
    return Summary(
        faces=faces,
        missing=dict(zip(faces.scheme.points, (~labelled).sum(0).tolist(), strict=True)),
        patterns=patterns[:_MAX_PATTERNS],
        other_patterns=sum(count for count, _ in patterns[_MAX_PATTERNS:]),
        groups=groups,
        sizes=_sizes(faces) if complete else None,
        unreadable=unreadable,
        exact=[pair for pair in pairs if pair.exact],
        near=[pair for pair in pairs if not pair.exact],
    )


def _sizes(faces: Faces) -> dict[str, int]:
    if isinstance(faces.images, np.ndarray):
        height, width = faces.images.shape[1:3]
        return {f"{width} x {height}": len(faces)}
    sizes = Counter("{} x {}".format(*image_size(image)) for image in faces.images)
    return dict(sizes.most_common())
