"""One person's labels: those of a change list, or of a file of labels, face by face.

A person has placed a point that a gesture touched or confirmed, and has seen all points of a face
that is done. What nobody touched is the label that all began with, and shows no agreement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from nasion.array_types import Bool, Float32
from nasion.data.corrections.apply import apply_changes
from nasion.data.corrections.change_list import ChangeList
from nasion.data.corrections.gestures import Point
from nasion.data.corrections.replay import FaceState
from nasion.data.datasets._image_names import NUMBERED_FACE
from nasion.data.record_faults import Fault
from nasion.landmarks import geometry
from nasion.landmarks.boxes import iou
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

_SAME_FACE = 0.5  # of a face's size: the mean distance of points of one face, labelled twice
_SAME_BOX = 0.3  # intersection over union
_Place = tuple[int, int]  # a person's position, and that of a face among theirs


@dataclass(frozen=True, eq=False)
class PersonLabels:
    """``placed``: points that the person placed; ``seen``: those, and all of faces that are done.

    ``repeats``: (position of the face, its points as it was labelled once more, blind).
    ``left_out``: changes that do not fit the data.
    """

    who: str
    faces: Faces
    placed: Bool[np.ndarray, "N K"]
    seen: Bool[np.ndarray, "N K"]
    repeats: list[tuple[int, Float32[np.ndarray, "K 2"]]] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)


def of_list(each: ChangeList, data: Faces, root: Path) -> PersonLabels:
    """The labels of the data as a change list has them."""
    done = apply_changes(data, [each], root)
    faces, states = done.faces, each.state.faces
    column = {name: k for k, name in enumerate(faces.scheme.points)}
    placed = np.zeros(faces.points.shape[:2], dtype=bool)
    seen = placed.copy()
    for i, face in enumerate(faces.ids):
        state = states.get(face)
        if state is not None:
            names = {*state.points, *state.confirmed}
            placed[i, [column[name] for name in names if name in column]] = True
            seen[i] = placed[i] | state.done
    return PersonLabels(
        each.header.who, faces, placed, seen, _repeats(each, faces), list(done.left_out)
    )


def of_labels(who: str, faces: Faces, scheme: Scheme) -> PersonLabels:
    """The labels of a file: a person has placed all that are there."""
    faces = faces.to(scheme)
    return PersonLabels(who, faces, faces.labelled, np.ones_like(faces.labelled))


def as_given(who: str, faces: Faces) -> PersonLabels:
    """The labels that people began with: seen, and placed by none of them."""
    return PersonLabels(who, faces, np.zeros_like(faces.labelled), np.ones_like(faces.labelled))


def matched_faces(first: Faces, second: Faces, fixed: set[str]) -> list[tuple[int, int]]:
    """Positions of the same face in both. ``fixed``: ids that mean one face in both."""
    position = {face: j for j, face in enumerate(second.ids)}
    pairs = [(i, position[f]) for i, f in enumerate(first.ids) if f in fixed and f in position]
    same = same_faces((first, second), fixed)
    return sorted(pairs + [(each[0], each[1]) for each in same if len(each) == 2])


def same_faces(people: Sequence[Faces], fixed: Collection[str]) -> list[dict[int, int]]:
    """Each face that is not ``fixed``: its position in the faces of each person who has it.

    Faces are matched within their picture, by where they are: people who add the faces of a picture
    number them in different orders. The nearest are joined first, whoever's they are.
    """
    pictures: dict[str, list[_Place]] = defaultdict(list)
    for person, faces in enumerate(people):
        for i, face in enumerate(faces.ids):
            if face not in fixed:
                pictures[_picture(face)].append((person, i))
    return [each for places in pictures.values() for each in _joined(people, places)]


def _picture(face: str) -> str:
    numbered = NUMBERED_FACE.match(face)
    return numbered[1] if numbered else face


def _joined(people: Sequence[Faces], places: Sequence[_Place]) -> list[dict[int, int]]:
    """The faces of one picture, in the order in which they first occur."""
    ranked: list[tuple[float, _Place, _Place]] = []
    for a, b in combinations(places, 2):
        distance = _distance(people[a[0]], people[b[0]], a[1], b[1]) if a[0] != b[0] else None
        if distance is not None:
            ranked.append((distance, a, b))
    found = {place: dict([place]) for place in places}
    for _, a, b in sorted(ranked):
        # Two faces of one person are not the same.
        if not found[a].keys() & found[b].keys():
            both = found[a] | found[b]
            found |= dict.fromkeys(both.items(), both)
    return list({id(each): each for each in found.values()}.values())


def _distance(first: Faces, second: Faces, i: int, j: int) -> float | None:
    """How far two faces are apart, in the larger one's size; None if they cannot be the same."""
    a, b = first.points[i].astype(np.float64), second.points[j].astype(np.float64)
    both = ~np.isnan(a[:, 0]) & ~np.isnan(b[:, 0])
    boxes = [box for box in map(geometry.points_box, (a, b)) if geometry.has_area(box)]
    if both.any() and boxes:
        size = max(float(np.sqrt(np.prod(box[2:] - box[:2]))) for box in boxes)
        distance = float(np.linalg.norm(a[both] - b[both], axis=1).mean()) / size
        return distance if distance <= _SAME_FACE else None
    if first.boxes is None or second.boxes is None:
        return 0.0 if both.any() and np.allclose(a[both], b[both], atol=2) else None
    overlap = float(iou(first.boxes[i], second.boxes[j : j + 1])[0])
    return 1 - overlap if overlap >= _SAME_BOX else None


def _repeats(each: ChangeList, faces: Faces) -> list[tuple[int, np.ndarray]]:
    position = {face: i for i, face in enumerate(faces.ids)}
    found = []
    for state in each.state.repeats:
        if state.face in position:
            found.append((position[state.face], _points_of(state, faces.scheme)))
    return found


def _points_of(state: FaceState, scheme: Scheme) -> np.ndarray:
    points = np.full((len(scheme), 2), np.nan, dtype=np.float32)
    values: Mapping[str, Point] = state.points
    for k, name in enumerate(scheme.points):
        value = values.get(name)
        if value is not None:
            points[k] = value[:2]
    return points
