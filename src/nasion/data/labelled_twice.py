"""Faces that are labelled twice: two faces of one image whose points lie nearly on each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from nasion.data.annotators import GROUP
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces

# Of the smaller face's size, between the same points of both on average: heads that touch are one
# face's width apart.
_APART = 0.7


def labelled_twice(faces: Faces) -> Iterator[tuple[int, str]]:
    """(position of the second face, what is wrong).

    Faces of two annotators, as the group ``source`` tells, are meant to be so.
    """
    by_image: dict[Path, list[int]] = defaultdict(list)
    for i, image in enumerate(faces.images):
        if isinstance(image, Path):
            by_image[image].append(i)
    several = [at for at in by_image.values() if len(at) > 1]
    if not several:
        return
    sources = faces.groups.get(GROUP, ("",) * len(faces))
    boxes = geometry.points_box(faces.points.astype(np.float64))
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    for at in several:
        told: set[int] = set()
        for a, b in combinations(at, 2):
            if b in told or sources[a] != sources[b]:
                continue
            distances = np.linalg.norm(faces.points[a].astype(float) - faces.points[b], axis=1)
            shared = distances[~np.isnan(distances)]
            if len(shared) and shared.mean() < _APART * min(size[a], size[b]):
                told.add(b)
                yield (
                    b,
                    f"it seems to be the same face of the same image as {faces.ids[a]}, labelled "
                    f"twice ({shared.mean():.1f} pixels apart on average); keep one of them.",
                )
