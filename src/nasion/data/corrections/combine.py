"""The changes of one list or several as one, for each face. Lists that disagree are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasion.data.corrections.change_list import ChangeList
from nasion.data.corrections.gestures import Change
from nasion.data.corrections.replay import FaceState
from nasion.errors import DataError
from nasion.media.quoted import quoted, shortened

_SHOWN = 5  # disagreements in a message


@dataclass
class FaceChanges:
    """What lists change of one face in the end.

    ``values``: by (field, name), with the list that has it: points, the box, and whether the face
    is removed. ``image``: of a face that a list adds. ``where``: the box around the labels of a
    face when it was removed, if the list has it.
    """

    face: str
    image: str | None = None
    values: dict[tuple[str, str], tuple[Change, Path]] = field(default_factory=dict)
    where: tuple[float, ...] | None = None

    @property
    def removed(self) -> bool:
        known = self.values.get(("removed", ""))
        return known is not None and known[0].after


def combined(lists: Sequence[ChangeList]) -> dict[str, FaceChanges]:
    """The changes of these lists by face.

    Raises ``DataError`` if two lists give a value differently: they need a merge first.
    """
    found: dict[str, FaceChanges] = {}
    problems: list[str] = []
    for each in lists:
        for face, state in each.state.faces.items():
            changes = _changes_of(state, each.path)
            if not changes.values and changes.image is None:
                continue
            other = found.setdefault(face, FaceChanges(face, changes.image))
            if other.image != changes.image:
                problems.append(f"{quoted(face)} is added on different pictures, or by one list")
            if other.values and other.removed != changes.removed:
                problems.append(f"{quoted(face)} is removed by one list, and changed by another")
            problems += _disagreements(other, changes)
            other.values |= changes.values
            other.where = other.where or changes.where
    if problems:
        names = " and ".join(each.path.name for each in lists)
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(
            f"{names} disagree: {'; '.join(problems[:_SHOWN])}{more}. Merge them first: "
            f"nasion data merge DATA {' '.join(str(each.path) for each in lists)}."
        )
    return found


def _changes_of(state: FaceState, path: Path) -> FaceChanges:
    fields = ("points", "box", "removed")
    values = {
        (kind, name): (change, path)
        for kind in fields
        for name, change in state.changed(kind).items()
    }
    return FaceChanges(state.face, state.image, values, state.value("where"))


def _disagreements(known: FaceChanges, other: FaceChanges) -> list[str]:
    found = []
    for key, (change, path) in other.values.items():
        if key in known.values and known.values[key][0].after != change.after:
            first, first_path = known.values[key]
            found.append(
                f"{key[1] or key[0]} of {shortened(known.face)} is {shown(first.after)} in "
                f"{first_path.name}, {shown(change.after)} in {path.name}"
            )
    return found


def shown(value: Any) -> str:
    """A point or box as messages show it."""
    if value is None:
        return "missing"
    if isinstance(value, tuple):
        return " ".join(f"{each:g}" if isinstance(each, float) else each for each in value)
    return str(value)
