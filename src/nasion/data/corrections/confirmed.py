"""Labels that somebody has looked at and found right, by the change lists beside the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion.data.corrections.change_list import SUFFIX, folder_of, read_change_list
from nasion.data.corrections.gestures import Point

_SAME = 0.01  # pixels, between a label and where a list has it


@dataclass(frozen=True)
class Confirmed:
    """What a list says is right of a face. ``points``: their names; None: of a face that is done,
    all of them. ``moved``: where the list has points that it has changed: their labels are right
    there alone, not where the files have them.
    """

    points: frozenset[str] | None
    moved: Mapping[str, Point]

    def says_right(self, point: str, label: tuple[float, float]) -> bool:
        """Whether the list says that the label of this point is right there."""
        if self.points is not None and point not in self.points:
            return False
        if point not in self.moved:
            return True
        place = self.moved[point]
        return place is not None and bool(np.allclose(label, place[:2], rtol=0, atol=_SAME))


def confirmed_labels(data: str | Path) -> Mapping[str, Sequence[Confirmed]]:
    """What each list beside the data confirms, by face. Raises ``DataError`` for a damaged list."""
    found: dict[str, list[Confirmed]] = defaultdict(list)
    folder = folder_of(data)
    files = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
    for path in sorted(files):
        for face, state in read_change_list(path).state.faces.items():
            if state.done or state.confirmed:
                points = None if state.done else frozenset(state.confirmed)
                moved = {name: each.after for name, each in state.changed("points").items()}
                found[face].append(Confirmed(points, moved))
    return found
