"""Labels as they are now: those of the files, and what this person's change list says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

import numpy as np

from nasion.app.label.label_data import LabelData
from nasion.data.corrections.added_faces import PHOTOGRAPH
from nasion.data.corrections.apply import place_of_labels
from nasion.data.corrections.change_list import now
from nasion.data.corrections.gestures import OCCLUDED, VISIBLE, Change, Gesture, Point, check
from nasion.data.corrections.replay import FaceState, ListState
from nasion.data.corrections.writer import ChangeListWriter, StaleRevision
from nasion.data.datasets._image_names import NUMBERED_FACE
from nasion.errors import DataError, NasionError
from nasion.landmarks.faces import NO_GROUP, Faces
from nasion.media.quoted import quoted

Box = tuple[float, ...] | None
_OF_THE_PAGE = ("undo", "redo", "merge")  # ops that no page sends


class UnknownFace(NasionError):
    """A face or image that is not among the data."""


class ReadOnly(NasionError):
    """Nothing can be saved; the message says why."""


@dataclass(frozen=True)
class FaceNow:
    """A face as it is now. ``points``: by position, None for missing ones.

    ``touched``: True for points that a gesture names that is not undone. ``is_new``: the list would
    have to add this face first.
    """

    face: str
    repeat: int
    image: str
    points: tuple[Point, ...]
    touched: tuple[bool, ...]
    box: Box
    state: FaceState
    is_new: bool

    @property
    def labelled(self) -> int:
        return sum(point is not None for point in self.points)


@dataclass
class LabelStore:
    """The data and an open change list. All methods may be called from several threads.

    ``writer``: None if nothing can be saved, for which ``read_only`` is the reason.
    """

    data: LabelData
    who: str
    state: ListState
    writer: ChangeListWriter | None
    read_only: str | None = None
    lock: RLock = field(default_factory=RLock, repr=False)
    _gestures: dict[tuple[str, int], list[Gesture]] = field(
        default_factory=lambda: defaultdict(list), repr=False
    )
    _added: dict[str, dict[str, None]] = field(
        default_factory=lambda: defaultdict(dict), repr=False
    )
    _finished: dict[str, None] = field(default_factory=dict, repr=False)  # in their order

    def __post_init__(self) -> None:
        self._names: tuple[str, ...] = self.data.scheme.points
        self._counts: np.ndarray = self.data.faces.labelled.sum(axis=1)
        self._labelled: dict[str, list[str]] = defaultdict(list)
        for face, image in zip(self.data.faces.ids, self.data.image_names, strict=True):
            self._labelled[image].append(face)
        for gesture in self.state.gestures.values():
            self._note(gesture)

    def image_of(self, face: str) -> str:
        """The name of a face's image. Raises ``UnknownFace``."""
        position = self.data.position.get(face)
        if position is not None:
            return self.data.image_names[position]
        numbered = NUMBERED_FACE.match(face)
        named = (self.state.of(face).image, face, numbered and numbered[1])
        found = next((image for each in named if (image := self._image(each))), None)
        if found is not None:
            return found
        raise UnknownFace(f"There is no face {quoted(face)} in {self.data.root}; reload the page.")

    def _image(self, name: str | None) -> str | None:
        """The image that a list names, by its file or by a face on it; None if it is gone."""
        if name is None or name in self.data.images:
            return name
        position = self.data.position.get(name)
        return None if position is None else self.data.image_names[position]

    def has_faces(self, image: str) -> bool:
        """Whether faces in an image are labelled or added, and not removed."""
        named = [*self._labelled.get(image, ()), *self.added_to(image)]
        return any(not self.state.of(face).removed for face in named)

    def added_to(self, image: str) -> list[str]:
        """The faces that the list adds to an image, in the order in which it did."""
        with self.lock:
            return [face for face in self._added.get(image, ()) if not self.is_new(face)]

    def added(self) -> list[str]:
        """All faces that the list adds."""
        with self.lock:
            return [face for image in self._added for face in self.added_to(image)]

    def now(self, face: str, repeat: int = 0) -> FaceNow:
        """A face as it is now. Raises ``UnknownFace``."""
        image = self.image_of(face)
        with self.lock:
            state = self.state.of(face, repeat)
            named = {
                key[1] for each in state.undoable for key in each.changes if key[0] == "points"
            }
            own = state.points
            base = self._base(face) if not repeat else (None,) * len(self._names)
            points = tuple(own.get(n, b) for n, b in zip(self._names, base, strict=True))
            return FaceNow(
                face=face,
                repeat=repeat,
                image=image,
                points=points,
                touched=tuple(name in named for name in self._names),
                box=self.box(face, repeat),
                state=state,
                is_new=self.is_new(face),
            )

    def is_new(self, face: str) -> bool:
        """Whether the list would have to add this face first."""
        return face not in self.data.position and self.state.of(face).image is None

    def box(self, face: str, repeat: int = 0) -> Box:
        """The face's box in the list, else in the files."""
        state = self.state.of(face, repeat)
        if ("box", "") in state.values:
            return state.value("box")
        i = self.data.position.get(face)
        if i is None or self.data.faces.boxes is None or np.isnan(self.data.faces.boxes[i]).any():
            return None
        return tuple(map(float, self.data.faces.boxes[i]))

    def labelled(self, face: str, repeat: int = 0) -> int:
        """How many points of a face have a label now."""
        if not self.state.of(face, repeat).values:
            i = self.data.position.get(face)
            return 0 if i is None or repeat else int(self._counts[i])
        return self.now(face, repeat).labelled

    def history(self, face: str, repeat: int = 0) -> Sequence[Gesture]:
        """The gestures on a face, the newest last."""
        with self.lock:
            return tuple(self._gestures.get((face, repeat), ()))

    def finished(self) -> list[str]:
        """The faces that are done, in the order in which they were finished.

        Not those whose picture is gone, which nothing can be shown of.
        """
        with self.lock:
            return [face for face in self._finished if self._is_shown(face)]

    def repeated(self) -> list[str]:
        """The faces that were begun once more, blind."""
        with self.lock:
            return [
                face
                for (face, repeat), each in self.state.by_face.items()
                if repeat and each.undoable and self._is_shown(face)
            ]

    def _is_shown(self, face: str) -> bool:
        try:
            self.image_of(face)
        except UnknownFace:
            return False
        return True

    def status(self, face: str, repeat: int = 0) -> str:
        """``done``, ``no_face``, ``removed``, ``begun`` or ``todo``."""
        state = self.state.of(face, repeat)
        if state.removed:
            return "removed"
        if state.no_face or self.state.of(self.image_of(face)).no_face:
            return "no_face"
        if state.done:
            return "done"
        return "begun" if state.undoable else "todo"

    def record(self, gesture: Gesture) -> Gesture:
        """Write a gesture; when this returns, it is on disk.

        Raises ``StaleRevision`` if the face is no longer what the page has shown, ``ReadOnly``,
        ``UnknownFace``, ``DataError`` for a gesture that is none, and ``OSError``.
        """
        with self.lock:
            writer = self._writer()
            gesture = self._with_place(gesture)
            if gesture.id in self.state.gestures:
                return writer.append(gesture)
            try:
                gesture = check(replace(gesture, time=now()))
            except ValueError as error:
                raise DataError(f"Not a gesture: {error}.") from None
            self._check_meaning(gesture)
            current = self.now(gesture.face, gesture.repeat)
            if gesture.revision != current.state.revision + 1 or not self._fits(gesture, current):
                raise StaleRevision(gesture, current.state)
            recorded = writer.append(gesture)
            self._note(recorded)
            return recorded

    def _with_place(self, gesture: Gesture) -> Gesture:
        """A removal with the place of the labels; as it was recorded, if it is sent again."""
        i = self.data.position.get(gesture.face)
        if gesture.op != "remove" or i is None:
            return gesture
        faces, known = self.data.faces, self.state.gestures.get(gesture.id)
        place = place_of_labels(faces.points[i], None if faces.boxes is None else faces.boxes[i])
        before = self.state.of(gesture.face, gesture.repeat).value("where")
        where = None if place is None else Change(before, place)
        where = where if known is None else known.changes.get(("where", ""))
        changes = dict(gesture.changes) | ({} if where is None else {("where", ""): where})
        return replace(gesture, changes=changes)

    def step(self, face: str, repeat: int, revision: int, *, forward: bool) -> Gesture | None:
        """Undo (or redo, ``forward``) the last gesture on a face; None if there is none.

        ``revision``: of the face as the page has it. Raises as ``record``.
        """
        with self.lock:
            writer = self._writer()
            state = self.state.of(face, repeat)
            gesture = state.redo() if forward else state.undo()
            if revision != state.revision:
                shown = gesture or Gesture(face, "undo", {}, revision + 1, repeat=repeat)
                raise StaleRevision(replace(shown, revision=revision + 1), state)
            if gesture is None:
                return None
            recorded = writer.append(gesture)
            self._note(recorded)
            return recorded

    def faces(self, ids: Sequence[str]) -> Faces:
        """These faces with their labels as they are now."""
        shown = [self.now(face) for face in ids]
        points = np.full((len(shown), len(self._names), 2), np.nan, dtype=np.float32)
        hidden = np.zeros(points.shape[:2], dtype=bool)
        boxes = np.full((len(shown), 4), np.nan, dtype=np.float32)
        for i, each in enumerate(shown):
            for k, point in enumerate(each.points):
                if point is not None:
                    points[i, k], hidden[i, k] = point[:2], point[2] == OCCLUDED
            if each.box is not None:
                boxes[i] = each.box
        return Faces(
            scheme=self.data.scheme,
            ids=tuple(ids),
            images=tuple(self.data.images[each.image] for each in shown),
            points=points,
            boxes=None if np.isnan(boxes).all() else boxes,
            occluded=hidden if hidden.any() else None,
            **self._groups(shown),
        )

    def _groups(self, shown: Sequence[FaceNow]) -> dict[str, Any]:
        """The groups of faces; those that the list adds belong to their image alone."""
        data = self.data
        at = [data.position.get(each.face) for each in shown]
        groups = {
            name: tuple(NO_GROUP if i is None else values[i] for i in at)
            for name, values in data.faces.groups.items()
        }
        own = groups.get(PHOTOGRAPH, (NO_GROUP,) * len(shown))
        groups[PHOTOGRAPH] = tuple(g or each.image for g, each in zip(own, shown, strict=True))
        linked = tuple(dict.fromkeys((*data.faces.linked, PHOTOGRAPH)))
        return {"groups": groups, "linked": linked}

    def _writer(self) -> ChangeListWriter:
        if self.writer is None:
            raise ReadOnly(self.read_only or "Nothing can be saved.")
        return self.writer

    def _note(self, gesture: Gesture) -> None:
        self._gestures[gesture.face, gesture.repeat].append(gesture)
        image = gesture.changes.get(("image", ""))
        picture = self._image(image.after) if image is not None else None
        if picture is not None:
            self._added[picture].setdefault(gesture.face)
        change = gesture.changes.get(("done", ""))
        if change is not None and not gesture.repeat:
            self._finished.pop(gesture.face, None)
            if change.after:
                self._finished[gesture.face] = None

    def _check_meaning(self, gesture: Gesture) -> None:
        """Raise ``DataError`` for what the list could hold, but nothing could apply."""
        if gesture.op in _OF_THE_PAGE:
            raise DataError(f"op {gesture.op} is not sent as a gesture.")
        unknown = [name for kind, name in gesture.changes if kind == "points"]
        unknown = [name for name in unknown if name not in self.data.scheme]
        if unknown:
            raise DataError(f"{quoted(unknown[0])} is not a point of {self.data.scheme.name}.")
        image = self.image_of(gesture.face)
        is_new = self.is_new(gesture.face)
        no_face = gesture.changes.get(("no_face", ""))
        if no_face is not None and no_face.after and self.has_faces(image):
            raise DataError(f"There are faces in {quoted(image)}; remove them instead.")
        if gesture.op == "add":
            named = gesture.changes.get(("image", ""))
            if named is None or named.after != image or not is_new or gesture.repeat:
                raise DataError(
                    f"{quoted(gesture.face)} cannot be added to {quoted(named and named.after)}: "
                    "it names another picture, or there is such a face."
                )
            if self.state.of(image).no_face:
                raise DataError(f"{quoted(image)} is said to have no face; take that back first.")
        elif is_new and gesture.op not in ("no_face", "note"):
            raise DataError(f"{quoted(gesture.face)} is not added yet; op add comes first.")

    def _fits(self, gesture: Gesture, current: FaceNow) -> bool:
        """Whether the values that a gesture changes are what the face has."""
        shown = dict(zip(self._names, current.points, strict=True))
        for (kind, name), change in gesture.changes.items():
            if kind == "points":
                before: object = shown[name]
            else:
                # A face that is not in the list yet has no box that it could change from.
                before = current.box if kind == "box" else current.state.value(kind)
            if change.before != before:
                return False
        return True

    def _base(self, face: str) -> tuple[Point, ...]:
        """The points that the files of the labels have."""
        i = self.data.position.get(face)
        if i is None:
            return (None,) * len(self._names)
        faces = self.data.faces
        hidden = faces.occluded[i] if faces.occluded is not None else [False] * len(self._names)
        return tuple(
            None if np.isnan(x) else (float(x), float(y), OCCLUDED if is_hidden else VISIBLE)
            for (x, y), is_hidden in zip(faces.points[i], hidden, strict=True)
        )
