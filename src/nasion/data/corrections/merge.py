"""Several people's change lists as one: what they agree on, and what somebody must decide.

Positions within a tolerance become their median (of two: the middle). Nothing else is decided: what
people disagree on stays as the labels have it, with everybody's version in the merged list. What is
open in a list that is a merge itself stays open, with the versions of its people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.data.corrections.apply import apply_changes
from nasion.data.corrections.change_list import ChangeList, Header, now
from nasion.data.corrections.gestures import UNTOUCHED, Change, Gesture, Key, Point
from nasion.data.corrections.people import same_faces
from nasion.data.corrections.replay import FaceState
from nasion.errors import require
from nasion.landmarks.boxes import iou
from nasion.landmarks.faces import Faces

_SAME_BOX = 0.7  # intersection over union of boxes whose mean is taken
_OF_PICTURES: tuple[Key, ...] = (("no_face", ""), ("note", ""))


@dataclass(frozen=True)
class Conflict:
    """What people disagree on, and everybody's version. ``name``: of a point, or (``is_field``) the
    box, whether the face is removed, or whether there is one on the picture.
    """

    face: str
    name: str
    versions: Mapping[str, Any]
    is_field: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"face": self.face, "of": self.name, "versions": dict(self.versions)}


@dataclass
class Merged:
    """``gestures``: of the merged list, one for each face. ``agreed``: points that got a value."""

    header: Header
    gestures: list[Gesture] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    agreed: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "format": "nasion-merge",
            "version": 1,
            "who": self.header.who,
            "faces": len(self.gestures),
            "agreed_points": self.agreed,
            "conflicts": [each.to_json() for each in self.conflicts],
        }


def merge(
    lists: Sequence[ChangeList],
    data: Faces,
    root: Path,
    tolerance: Float64[np.ndarray, " N"],
    of_added: Callable[[Faces], Float64[np.ndarray, " N"]] | None = None,
) -> Merged:
    """One list of these. ``tolerance``: in pixels, for each face of ``data``. ``of_added``: gives
    the same for faces that lists add; None: they get the middle one of ``data``.

    Raises ``SettingError`` for fewer than two lists, or two of one person.
    """
    require(len(lists) >= 2, "Merging takes two change lists or more.")
    people = [each.header.who for each in lists]
    require(
        len(set(people)) == len(people),
        f"Two lists are of one person ({', '.join(people)}), and versions are told apart by "
        "people; compare them instead (nasion data compare).",
    )
    labels = [apply_changes(data, [each], root).faces for each in lists]
    called = _names_of_added(labels, set(data.ids))
    states = _aligned(lists, called, set(data.ids))
    limits = dict(zip(data.ids, tolerance.tolist(), strict=True))
    limits |= {} if of_added is None else _limits_of_added(labels, called, of_added)
    known = [limit for limit in limits.values() if np.isfinite(limit)]
    usual = float(np.median(known)) if known else 0.0
    header = replace(
        lists[0].header,
        who="+".join(people),
        created=now(),
        points=data.scheme.points,
        scheme=data.scheme.name,
    )
    merged = Merged(header)
    for face, versions in states.items():
        limit = limits.get(face, usual)
        _merge_face(merged, face, versions, limit if np.isfinite(limit) else usual)
    return merged


_Added = Mapping[tuple[int, str], str]  # names of added faces by (position of a list, own name)


def _names_of_added(labels: Sequence[Faces], fixed: set[str]) -> _Added:
    """Faces that several people add are one face under one name."""
    taken, called = set(fixed), dict[tuple[int, str], str]()
    for same in same_faces(labels, fixed):
        owns = [(person, labels[person].ids[i]) for person, i in sorted(same.items())]
        called |= dict.fromkeys(owns, _free(owns[0][1], taken))
    return called


def _limits_of_added(
    labels: Sequence[Faces], called: _Added, of_added: Callable[[Faces], np.ndarray]
) -> dict[str, float]:
    """The tolerance of each added face: the middle one of those of its versions."""
    found: dict[str, list[float]] = {}
    for person, faces in enumerate(labels):
        at = [i for i, face in enumerate(faces.ids) if (person, face) in called]
        values = of_added(faces[np.array(at)]).tolist() if at else []
        for i, value in zip(at, values, strict=True):
            found.setdefault(called[person, faces.ids[i]], []).append(value)
    known = {name: [v for v in values if np.isfinite(v)] for name, values in found.items()}
    return {name: float(np.median(values)) for name, values in known.items() if values}


def _aligned(
    lists: Sequence[ChangeList], called: _Added, fixed: set[str]
) -> dict[str, dict[str, FaceState]]:
    """The states of each face by person. ``called``: the names that added faces get."""
    taken = fixed | set(called.values())
    found: dict[str, dict[str, FaceState]] = {}
    for person, each in enumerate(lists):
        for face, whole in each.state.faces.items():
            state = _without_taken_back(whole)
            name = face
            if state.is_added:
                name = called.get((person, face)) or _free(face, taken)
            if state.values:
                found.setdefault(name, {})[each.header.who] = state
    return found


def _without_taken_back(state: FaceState) -> FaceState:
    """Without a face that was added and is gone again; what is said of its picture stays."""
    if ("image", "") not in state.values or (state.is_added and not state.removed):
        return state
    kept = {key: state.values[key] for key in _OF_PICTURES if key in state.values}
    return replace(state, values=kept)


def _free(face: str, taken: set[str]) -> str:
    """The face's name, or the next one that is not taken; it is taken then."""
    number, name, stem = 2, face, face.rpartition("#")[0] or face
    while name in taken:
        name, number = f"{stem}#{number}", number + 1
    taken.add(name)
    return name


def _merge_face(
    merged: Merged, face: str, states: Mapping[str, FaceState], tolerance: float
) -> None:
    changes: dict[Key, Change] = {}
    conflicts: list[Conflict] = []
    saying = {who: state for who, state in states.items() if _says_something(state)}
    gone = _versions_of("removed", saying)
    if gone and all(gone.values()):
        changes["removed", ""] = Change(False, True)
        if places := [place for state in states.values() if (place := state.value("where"))]:
            changes["where", ""] = Change(None, places[0])
    else:
        if any(gone.values()):
            conflicts.append(Conflict(face, "removed", gone, True))
        # Whoever says that there is no face says nothing of its points.
        having = {w: s for w, s in states.items() if not (s.removed or s.no_face)}
        _merge_points(face, having, tolerance, changes, conflicts, merged)
        _merge_box(face, having, changes, conflicts)
    _merge_rest(face, states, changes, conflicts)
    for each in conflicts:
        key = ("field_conflicts" if each.is_field else "conflicts", each.name)
        changes[key] = Change(None, dict(each.versions))
    if not conflicts and all(state.done for state in states.values()):
        changes["done", ""] = Change(False, True)
    merged.conflicts += conflicts
    if changes:
        merged.gestures.append(Gesture(face, "merge", changes, 1, origin="merge"))


def _says_something(state: FaceState) -> bool:
    labels = state.changed("points") or state.changed("box") or state.confirmed
    is_open = state.open_conflicts or state.open_field_conflicts
    return state.removed or state.done or bool(labels or is_open)


def _versions_of(name: str, states: Mapping[str, FaceState]) -> dict[str, Any]:
    """Everybody's value of a field; of a merge that leaves it open, those of its people."""
    found: dict[str, Any] = {}
    for who, state in states.items():
        found |= state.open_field_conflicts.get(name, {who: state.value(name)})
    return found


def _merge_points(
    face: str,
    states: Mapping[str, FaceState],
    tolerance: float,
    changes: dict[Key, Change],
    conflicts: list[Conflict],
    merged: Merged,
) -> None:
    named = [(*state.points, *state.open_conflicts) for state in states.values()]
    for name in dict.fromkeys(name for names in named for name in names):
        known = {w: s.values["points", name] for w, s in states.items() if name in s.points}
        before = {change.before for change in known.values()}
        versions: dict[str, Point] = {who: change.after for who, change in known.items()}
        opened = [s.open_conflicts[name] for s in states.values() if name in s.open_conflicts]
        original = next(iter(before), None)
        for who, state in states.items():
            # Who was done with the face and left the point alone found it right.
            if known and (state.done or name in state.confirmed):
                versions.setdefault(who, original)
        for each in opened:
            versions = {**each, **versions}
        agreed = _consensus(list(versions.values()), tolerance)
        if opened or len(before) > 1 or agreed is _OPEN:
            conflicts.append(Conflict(face, name, versions))
        elif agreed != original:
            changes["points", name] = Change(original, agreed)
            merged.agreed += 1


_OPEN = object()  # no consensus


def _consensus(versions: Sequence[Point], tolerance: float) -> Any:
    """The point that all agree on; ``_OPEN`` if they do not."""
    there = [point for point in versions if point is not None]
    if not there:
        return None
    if len(there) < len(versions) or len({point[2] for point in there}) > 1:
        return _OPEN
    if len(set(there)) == 1:
        return there[0]
    at = np.array([point[:2] for point in there])
    apart = np.linalg.norm(at[:, None] - at[None], axis=-1).max()
    x, y = np.median(at, axis=0).round(3).tolist()
    return (x, y, there[0][2]) if apart <= tolerance else _OPEN


def _merge_box(
    face: str,
    states: Mapping[str, FaceState],
    changes: dict[Key, Change],
    conflicts: list[Conflict],
) -> None:
    known = {w: s.values["box", ""] for w, s in states.items() if ("box", "") in s.values}
    opened = {w: s for w, s in states.items() if "box" in s.open_field_conflicts}
    if opened:
        versions = _versions_of("box", opened) | {who: each.after for who, each in known.items()}
        conflicts.append(Conflict(face, "box", versions, True))
        return
    if not known:
        return
    versions = {who: change.after for who, change in known.items()}
    before = {change.before for change in known.values()}
    original = next(iter(before))
    for who, state in states.items():
        # As of points; but done without a box does not say that there should be none.
        if state.done and original is not None:
            versions.setdefault(who, original)
    boxes = [box for box in versions.values() if box is not None]
    if len(before) > 1 or (boxes and not _agree(boxes, len(versions))):
        conflicts.append(Conflict(face, "box", versions, True))
        return
    after = boxes[0] if boxes else None
    if len(set(boxes)) > 1:
        after = tuple(np.median(np.array(boxes), axis=0).round(3).tolist())
    if after != original:
        changes["box", ""] = Change(original, after)


def _agree(boxes: Sequence[tuple[float, ...]], count: int) -> bool:
    values = np.array(boxes, dtype=np.float32)
    least = min(float(iou(each, values).min()) for each in values)
    return len(boxes) == count and least >= _SAME_BOX


def _merge_rest(
    face: str,
    states: Mapping[str, FaceState],
    changes: dict[Key, Change],
    conflicts: list[Conflict],
) -> None:
    """Pictures of added faces, pictures without a face, notes, and what was confirmed."""
    placing = {w: s for w, s in states.items() if s.is_added or "image" in s.open_field_conflicts}
    images = _versions_of("image", placing)
    if images and len(set(images.values())) == 1:
        changes["image", ""] = Change(None, next(iter(images.values())))
    elif images:
        conflicts.append(Conflict(face, "image", images, True))
    saying = {w: s for w, s in states.items() if s.no_face or s.is_added or _says_something(s)}
    empty = _versions_of("no_face", saying)
    if empty and all(empty.values()):
        changes["no_face", ""] = Change(False, True)
    elif any(empty.values()):
        conflicts.append(Conflict(face, "no_face", empty, True))
    notes = [f"{who}: {state.note}" for who, state in states.items() if state.note]
    if notes:
        changes["note", ""] = Change(UNTOUCHED["note"], "\n".join(notes))
    names = [name for state in states.values() for name in state.confirmed]
    open_ones = {each.name for each in conflicts if not each.is_field}
    confirmed = tuple(name for name in dict.fromkeys(names) if name not in open_ones)
    if confirmed:
        changes["confirmed", ""] = Change(None, confirmed)
