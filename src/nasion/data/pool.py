"""All labelled faces of one dataset or several, undivided: for folds, or to validate elsewhere.

Test faces that a dataset holds back (its ``POOL`` says so) stay out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from nasion.data import datasets
from nasion.data.annotators import GROUP
from nasion.data.label_reading import AS_IT_SEEMS, LabelReading
from nasion.data.load import has_whole_images, load_faces, with_spanned_boxes
from nasion.data.missing_boxes import with_boxes, with_tight_boxes
from nasion.data.splits import (
    SAME_PHOTOGRAPH,
    SimilarPair,
    connecting_pairs,
    same_photographs,
)
from nasion.landmarks.faces import Faces, join
from nasion.landmarks.scheme import Scheme


@dataclass(frozen=True, eq=False)
class Pool:
    """``faces``: to train on. ``parts``: of each dataset, with the boxes that its files give."""

    faces: Faces
    parts: tuple[Faces, ...]

    def similar_pairs(self) -> list[SimilarPair]:
        """Pairs that connect all faces that show one photograph, however datasets cut it."""
        # Boxes as given: where there are none, whole photographs are compared.
        pairs = connecting_pairs(join(*self.parts))
        starts = np.cumsum([0, *(len(part) for part in self.parts)]).tolist()
        for i, j in combinations(range(len(self.parts)), 2):
            for a, b in same_photographs(self.parts[i], self.parts[j]):
                pairs.append(SimilarPair(starts[i] + a, starts[j] + b, SAME_PHOTOGRAPH, False))
        return pairs


def load_pool(
    paths: Sequence[str | Path],
    scheme: Scheme,
    *,
    whole_images: bool | None = None,
    reading: LabelReading = AS_IT_SEEMS,
) -> Pool:
    """The faces of these datasets in one scheme, with boxes, named as in a joint training."""
    names = [reading.dataset or datasets.recognise(Path(path)) for path in paths]
    parts, boxed = [], []
    for i, (path, name) in enumerate(zip(paths, names, strict=True)):
        module = datasets.module_at(path, name)
        part = load_faces(
            name,
            path,
            pool_split(name, path),
            scheme=scheme,
            whole_images=True,
            reading=reading,
        )
        if len(paths) > 1:
            # Two folders of one kind may hold the same ids.
            prefix = f"{name}-{names[:i].count(name) + 1}" if name in names[:i] else name
            groups = {GROUP: (name,) * len(part), **part.groups}
            part = replace(part, ids=tuple(f"{prefix}/{face}" for face in part.ids), groups=groups)
        parts.append(part)
        if not has_whole_images(module, whole_images):
            part = with_boxes(part, Path(path).name)
        if whole_images is False:
            part = with_tight_boxes(part, Path(path).name)
        if len(paths) > 1 and not whole_images:
            part = with_spanned_boxes(part)
        boxed.append(part)
    return Pool(join(*boxed), tuple(parts))


def pool_split(name: str | None, path: str | Path) -> str:
    """The split with all of a dataset's faces but its test faces."""
    module = datasets.module_at(path, name)
    return getattr(module, "POOL", "all")
