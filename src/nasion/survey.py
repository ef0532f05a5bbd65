"""What a data set holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion import datasets
from nasion.datasets._faults import Fault
from nasion.doubts import doubtful, implausibility
from nasion.errors import AbsentError, DataError
from nasion.faces import Faces
from nasion.files import picture_size
from nasion.scheme import Scheme
from nasion.splits import DUPLICATE, Pair, similar_pairs

_PATTERNS = 8


@dataclass(frozen=True, eq=False)
class Survey:
    """Counts of a set of faces. ``patterns``: (how many faces, the points missing in them), most frequent first."""

    faces: Faces
    missing: dict[str, int]
    patterns: list[tuple[int, tuple[str, ...]]]
    other_patterns: int
    groups: dict[str, dict[str, int]]
    sizes: dict[str, int]
    exact: list[Pair]
    near: list[Pair]


def survey(faces: Faces) -> Survey:
    """Count what there is. Pictures that are not there are counted as such; then duplicates are not looked for."""
    labelled = faces.labelled
    kinds, counts = np.unique(labelled, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    patterns = [(int(counts[k]), tuple(p for p, seen in zip(faces.scheme.points, kinds[k], strict=True) if not seen)) for k in order]
    absent = not isinstance(faces.images, np.ndarray) and any(isinstance(p, Path) and not p.is_file() for p in faces.images)
    pairs = [] if absent else similar_pairs(faces, DUPLICATE)
    return Survey(
        faces=faces,
        missing=dict(zip(faces.scheme.points, (~labelled).sum(0).tolist(), strict=True)),
        patterns=patterns[:_PATTERNS],
        other_patterns=sum(count for count, _ in patterns[_PATTERNS:]),
        groups={name: dict(Counter(v or "(none)" for v in values).most_common()) for name, values in faces.groups.items()},
        sizes={"pictures not found": len(faces)} if absent else _sizes(faces),
        exact=[pair for pair in pairs if pair.exact],
        near=[pair for pair in pairs if not pair.exact],
    )


def faults(name: str | None, path: Path, scheme: Scheme | None = None) -> tuple[list[Fault], list[Fault]]:
    """(faults, doubts): what breaks the format's rules, by file and row, and what keeps them but looks wrong.

    All of a data set's files that are there are read; a file that cannot be read at all is one fault.
    """
    module = datasets.named(name or datasets.recognised(path))
    found: list[Fault] = []
    doubts: list[Fault] = []
    seen: list[set[str]] = []
    for split in module.SPLITS:
        if hasattr(module, "files"):
            try:
                module.files(path, split)
            except DataError as error:
                if split == module.SPLITS[0]:
                    found.append(Fault(str(path), str(error)))
                continue
        try:
            faces = module.read(path, split, scheme=scheme, faults=found)
        except DataError as error:
            # Not every set comes with all of its published splits.
            if split == module.SPLITS[0] or not isinstance(error, AbsentError):
                found.append(Fault(split, str(error)))
            continue
        found += _absent(faces, tables=module.SCHEME is None)
        if not any(set(faces.ids) <= ids for ids in seen):
            doubts += _doubts(faces) if faces.labelled.any() else []
        seen.append(set(faces.ids))
    return list(dict.fromkeys(found)), doubts


def _absent(faces: Faces, tables: bool) -> list[Fault]:
    """Pictures that are not there; ``tables``: none need be, since a table of points is judged without."""
    if isinstance(faces.images, np.ndarray):
        return []
    lost = [i for i, picture in enumerate(faces.images) if isinstance(picture, Path) and not picture.is_file()]
    if len(lost) == len(faces):
        return [] if tables else [Fault(faces.ids[0], f"its picture is not at {faces.images[0]}, nor is any other of the {len(lost)} faces'.")]
    return [Fault(faces.ids[i], f"its picture is not at {faces.images[i]}.") for i in lost]


def _doubts(faces: Faces) -> list[Fault]:
    how_much = implausibility(faces)
    found = [
        Fault(faces.ids[i], f"its points lie together as no other face's do ({how_much[i]:.0f} times the usual distance); look at its labels.")
        for i in np.flatnonzero(doubtful(faces))
    ]
    if isinstance(faces.images, np.ndarray):
        found += [doubt for pair in similar_pairs(faces, DUPLICATE) if pair.exact for doubt in _disagreement(faces, pair)]
    return found


def _disagreement(faces: Faces, pair: Pair, limit: float = 0.1) -> list[Fault]:
    """A picture that occurs twice with labels far apart: over ``limit`` of the labels' spread on average."""
    apart = np.linalg.norm(faces.points[pair.first].astype(float) - faces.points[pair.second], axis=-1)
    both = ~np.isnan(apart)
    if not both.any():
        return []
    spread = np.ptp(faces.points[pair.first][both], axis=0).max()
    if apart[both].mean() <= limit * spread:
        return []
    return [
        Fault(
            faces.ids[pair.second],
            f"the same picture as {faces.ids[pair.first]}, but their labels are {apart[both].mean():.1f} pixels apart on average.",
        )
    ]


def _sizes(faces: Faces) -> dict[str, int]:
    if isinstance(faces.images, np.ndarray):
        return {f"{faces.images.shape[2]} x {faces.images.shape[1]}": len(faces)}
    sizes = Counter("{} x {}".format(*picture_size(picture)) for picture in faces.images)
    return dict(sizes.most_common())
