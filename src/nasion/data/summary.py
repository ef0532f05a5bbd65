"""What a dataset holds (``nasion data show``) and what is wrong in it (``nasion data check``)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion.data import datasets
from nasion.data.image_faults import image_faults
from nasion.data.label_outliers import outlier_scores, suspect_labels
from nasion.data.label_reading import AS_IT_SEEMS, LabelReading, read_labels
from nasion.data.record_faults import Fault
from nasion.data.splits import DUPLICATE, SimilarPair, similar_pairs
from nasion.discovery import DATASETS
from nasion.errors import DataError, SplitNotFound, refusing_damage
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.images import image_size

_MAX_PATTERNS = 8  # patterns of missing points that are listed
_MAX_DISAGREEMENT = 0.1  # of the labels' extent, between two copies of one image


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
    complete = not image_faults(faces, images_optional=False)
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
        exact=[pair for pair in pairs if pair.exact],
        near=[pair for pair in pairs if not pair.exact],
    )


def check(
    name: str | None,
    path: Path,
    scheme: Scheme | None = None,
    reading: LabelReading = AS_IT_SEEMS,
) -> tuple[list[Fault], list[Fault]]:
    """(faults, suspects): what breaks the format's rules, and labels that are valid but look wrong.

    All of a dataset's files that exist are read; a file that cannot be read at all is one fault.
    """
    module = DATASETS.load(name or datasets.recognise(path))
    faults: list[Fault] = []
    suspects: list[Fault] = []
    checked: list[set[str]] = []
    for split in module.SPLITS:
        is_first = split == module.SPLITS[0]
        if hasattr(module, "files"):
            try:
                module.files(path, split)
            except DataError as error:
                if is_first:
                    faults.append(Fault(str(path), str(error)))
                continue
        try:
            with refusing_damage(path):
                faces = module.read(path, split, scheme=scheme, faults=faults)
            faces = read_labels(faces, module, reading, path.name)
        except DataError as error:
            # Not every dataset comes with all of its published splits.
            if is_first or not isinstance(error, SplitNotFound):
                faults.append(Fault(split, str(error)))
            continue
        faults += image_faults(faces, images_optional=module.SCHEME is None).values()
        # A split whose faces are all in an earlier one would only repeat its suspects.
        if faces.labelled.any() and not any(set(faces.ids) <= ids for ids in checked):
            suspects += _suspects(faces)
        checked.append(set(faces.ids))
    # A faulty file belongs to several splits, but is one fault.
    return list(dict.fromkeys(faults)), suspects


def _suspects(faces: Faces) -> list[Fault]:
    scores = outlier_scores(faces)
    found = [
        Fault(
            faces.ids[i],
            "its points lie together as no other face's do "
            f"({scores[i]:.0f} times the usual distance); look at its labels.",
        )
        for i in np.flatnonzero(suspect_labels(faces))
    ]
    if isinstance(faces.images, np.ndarray):
        for pair in similar_pairs(faces, DUPLICATE):
            if pair.exact:
                found += _disagreement(faces, pair)
    return found


def _disagreement(faces: Faces, pair: SimilarPair) -> list[Fault]:
    """An image that occurs twice with labels far apart."""
    first, second = faces.points[pair.first].astype(float), faces.points[pair.second]
    distances = np.linalg.norm(first - second, axis=-1)
    both = ~np.isnan(distances)
    if not both.any():
        return []
    mean, extent = distances[both].mean(), np.ptp(faces.points[pair.first][both], axis=0).max()
    if mean <= _MAX_DISAGREEMENT * extent:
        return []
    problem = (
        f"the same image as {faces.ids[pair.first]}, "
        f"but their labels are {mean:.1f} pixels apart on average."
    )
    return [Fault(faces.ids[pair.second], problem)]


def _sizes(faces: Faces) -> dict[str, int]:
    if isinstance(faces.images, np.ndarray):
        height, width = faces.images.shape[1:3]
        return {f"{width} x {height}": len(faces)}
    sizes = Counter("{} x {}".format(*image_size(image)) for image in faces.images)
    return dict(sizes.most_common())
