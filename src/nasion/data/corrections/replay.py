"""What a change list amounts to: each face's values, revision, and what can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from nasion.data.corrections.gestures import UNTOUCHED, Change, Gesture, Key, Point, inverse
from nasion.media.quoted import quoted


@dataclass
class FaceState:
    """One face as the list leaves it.

    ``values``: what the list has touched, by (field, name): as it was in the labels, and as it is.
    ``undoable``, ``redoable``: gestures, the next one to be undone or done again last.
    """

    face: str
    repeat: int = 0
    revision: int = 0
    seconds: float = 0.0
    values: dict[Key, Change] = field(default_factory=dict)
    undoable: list[Gesture] = field(default_factory=list)
    redoable: list[Gesture] = field(default_factory=list)

    def take(self, gesture: Gesture) -> None:
        """Do what the gesture did. Raises ``ValueError`` for one that does not follow."""
        if gesture.revision != self.revision + 1:
            raise ValueError(
                f"revision {gesture.revision} of face {quoted(self.face)} follows {self.revision}; "
                f"{self.revision + 1} expected"
            )
        for key, change in gesture.changes.items():
            self._check_before(key, change)
        self._step(gesture)
        for key, change in gesture.changes.items():
            known = self.values.get(key)
            self.values[key] = change if known is None else Change(known.before, change.after)
        self.revision = gesture.revision
        self.seconds += gesture.seconds or 0.0

    def _check_before(self, key: Key, change: Change) -> None:
        name = key[1] or key[0]
        if key in self.values:
            before = self.values[key].after
        elif key[0] in UNTOUCHED:
            before = UNTOUCHED[key[0]]
        else:
            return
        if change.before != before:
            raise ValueError(
                f"{quoted(name)} of face {quoted(self.face)} changes from {quoted(change.before)}, "
                f"but it was {quoted(before)} there"
            )

    def _step(self, gesture: Gesture) -> None:
        """Move the stacks of what can be undone and done again."""
        if gesture.op not in ("undo", "redo"):
            self.undoable.append(gesture)
            self.redoable.clear()
            return
        is_undo = gesture.op == "undo"
        source, target = self.undoable, self.redoable
        if not is_undo:
            source, target = target, source
        if not source or source[-1].id != gesture.of:
            expected = quoted(source[-1].id) if source else "nothing"
            raise ValueError(f"{gesture.op} of {quoted(gesture.of)}; it is the turn of {expected}")
        changes = source[-1].changes
        if gesture.changes != (inverse(changes) if is_undo else changes):
            raise ValueError(f"{gesture.op} of {quoted(gesture.of)} has other values than it")
        target.append(source.pop())

    def undo(self) -> Gesture | None:
        """The gesture that takes the last one back, to be recorded; None if there is none."""
        if not self.undoable:
            return None
        last = self.undoable[-1]
        return self._again(last, "undo", inverse(last.changes))

    def redo(self) -> Gesture | None:
        """The gesture that does the last undone one again, to be recorded; None without one."""
        if not self.redoable:
            return None
        return self._again(self.redoable[-1], "redo", self.redoable[-1].changes)

    def _again(self, gesture: Gesture, op: str, changes: Mapping[Key, Change]) -> Gesture:
        return Gesture(
            face=self.face,
            op=op,
            changes=changes,
            revision=self.revision + 1,
            id=uuid4().hex,
            origin=gesture.origin,
            of=gesture.id,
            repeat=self.repeat,
        )

    def value(self, field: str, name: str = "") -> Any:
        """What a field holds now: as it was untouched, if the list does not touch it."""
        known = self.values.get((field, name))
        return UNTOUCHED.get(field) if known is None else known.after

    def changed(self, field: str) -> dict[str, Change]:
        """The values of a field that differ from those of the labels, by name."""
        return {
            name: change
            for (kind, name), change in self.values.items()
            if kind == field and change.before != change.after
        }

    @property
    def points(self) -> dict[str, Point]:
        """The points that the list has touched, as they are now."""
        return {
            name: change.after for (kind, name), change in self.values.items() if kind == "points"
        }

    @property
    def image(self) -> str | None:
        """The picture of a face that the list adds; None for faces of the labels."""
        return self.value("image")

    @property
    def done(self) -> bool:
        return self.value("done")

    @property
    def removed(self) -> bool:
        return self.value("removed")

    @property
    def no_face(self) -> bool:
        """True for a picture on which there is no face."""
        return self.value("no_face")

    @property
    def note(self) -> str:
        return self.value("note")

    @property
    def confirmed(self) -> tuple[str, ...]:
        """Points whose labels were looked at and are right."""
        return self.value("confirmed") or ()

    @property
    def open_conflicts(self) -> dict[str, dict[str, Point]]:
        """Points on which merged lists disagree and nobody has decided, with each list's value."""
        moved = self.changed("points")
        return {
            name: change.after
            for name, change in self.changed("conflicts").items()
            if name not in moved and name not in self.confirmed
        }

    @property
    def open_field_conflicts(self) -> dict[str, dict[str, Any]]:
        """The same for the box, and for whether there is a face."""
        return {
            name: change.after
            for name, change in self.changed("field_conflicts").items()
            if not self.changed(name)
        }

    @property
    def is_added(self) -> bool:
        return self.image is not None


@dataclass
class ListState:
    """What a whole list amounts to. Blind repeats of a face are by themselves."""

    by_face: dict[tuple[str, int], FaceState] = field(default_factory=dict)
    gestures: dict[str, Gesture] = field(default_factory=dict)

    @property
    def faces(self) -> dict[str, FaceState]:
        """The faces by name, in the order in which they were first touched."""
        return {face: state for (face, repeat), state in self.by_face.items() if not repeat}

    @property
    def repeats(self) -> list[FaceState]:
        """Faces that were labelled once more without being shown any label."""
        return [state for (_, repeat), state in self.by_face.items() if repeat]

    def of(self, face: str, repeat: int = 0) -> FaceState:
        """The state of a face; an untouched one if the list does not name it."""
        return self.by_face.get((face, repeat)) or FaceState(face, repeat)

    def take(self, gesture: Gesture) -> FaceState:
        """Do what the gesture did. Raises ``ValueError`` for one that does not follow."""
        if gesture.id in self.gestures:
            raise ValueError(f"the gesture {quoted(gesture.id)} occurs twice")
        state = self.of(gesture.face, gesture.repeat)
        state.take(gesture)
        self.by_face[gesture.face, gesture.repeat] = state
        self.gestures[gesture.id] = gesture
        return state
