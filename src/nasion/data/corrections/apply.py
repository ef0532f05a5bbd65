"""Change lists applied to labels as they were read; files are never changed.

A change is applied where the label still is what it was when the change was made. Others are left
out and named: the file of the labels has changed, or other labels are meant.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nasion.data.corrections.added_faces import with_added
from nasion.data.corrections.change_list import ChangeList, data_of, folder_of, read_change_list
from nasion.data.corrections.combine import FaceChanges, combined, shown
from nasion.data.corrections.gestures import OCCLUDED, VISIBLE, Change, Point
from nasion.data.corrections.sources import changed_sources
from nasion.data.record_faults import Fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.media.file_names import named_path
from nasion.media.quoted import listed

_SAME = 1e-3  # pixels, between a label and what it was when it was changed
_NEAR = 8.0  # pixels, in which labels are of one face however small it is
_SHOWN = 20  # changes that a warning lists
_OF_ONE = {
    "points": "point",
    "boxes": "box",
    "faces corrected": "face corrected",
    "faces added": "face added",
    "faces removed": "face removed",
}
_log = logging.getLogger(__name__)


@dataclass
class Corrected:
    """``faces``: as the lists have them. ``left_out``: changes that do not fit the labels.

    ``counts``: of what was applied, by what it is.
    """

    faces: Faces
    left_out: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def corrected_labels(
    faces: Faces, paths: Sequence[Path], root: Path, is_whole: bool, faults: list[Fault] | None
) -> Faces:
    """The faces as these lists correct them, and a message of what was done.

    ``is_whole``: these are all faces of the data, not one split of several. ``faults``: where what
    is left out is listed; None: a warning says it.
    """
    lists = [read_change_list(path) for path in paths if _is_of(path, root)]
    if not lists:
        return faces
    for each in lists:
        _say_open_conflicts(each)
    done = apply_changes(faces, lists, root, is_whole)
    names = " and ".join(each.path.name for each in lists)
    if done.counts:
        what = ", ".join(
            f"{n} {_OF_ONE[what] if n == 1 else what}" for what, n in done.counts.items()
        )
        has = "has" if len(lists) == 1 else "have"
        _log.info("%s: %s, as %s %s it.", named_path(root).name, what, names, has)
    if done.left_out and faults is None:
        _warn(done.left_out, names, changed_sources(lists, root))
    elif faults is not None:
        faults += done.left_out
    return done.faces


def apply_changes(
    faces: Faces, lists: Sequence[ChangeList], root: Path, is_whole: bool = True
) -> Corrected:
    """The faces with the changes of these lists. ``root``, ``is_whole``: as above.

    Raises ``DataError`` for lists that disagree, and for lists of another scheme.
    """
    for each in lists:
        _check_scheme(each, faces)
    changes = combined(lists)
    known = set(faces.ids)
    editor = _Editor(faces)
    added: list[FaceChanges] = []
    for face, each in changes.items():
        if face in known:
            if each.image is None:
                editor.change(each)
            else:
                editor.leave_out(each, "a face of this name is among the labels already")
        elif each.image is not None:
            added += [] if each.removed else [each]
        elif is_whole:
            editor.leave_out(each, "there is no such face among the labels")
    done = editor.result()
    return _with_added(done, added, root, is_whole)


@dataclass
class _Editor:
    """Copies of the labels, changed face by face."""

    faces: Faces
    left_out: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        faces = self.faces
        self._position = {face: i for i, face in enumerate(faces.ids)}
        self._column = {name: k for k, name in enumerate(faces.scheme.points)}
        self._points = faces.points.copy()
        hidden = np.zeros(faces.points.shape[:2], dtype=bool)
        self._occluded = hidden if faces.occluded is None else faces.occluded.copy()
        unknown = np.full((len(faces), 4), np.nan, dtype=np.float32)
        self._boxes = unknown if faces.boxes is None else faces.boxes.copy()
        self._kept = np.ones(len(faces), dtype=bool)

    def change(self, changes: FaceChanges) -> None:
        """Change one face where its labels still are what they were."""
        i = self._position[changes.face]
        if changes.removed:
            if problem := self._lies_elsewhere(i, changes):
                self._fault(changes.face, changes.values["removed", ""][1], problem)
                return
            self._kept[i] = False
            self.counts["faces removed"] += 1
            return
        moved = 0
        for (kind, name), (change, path) in changes.values.items():
            if kind == "points" and name not in self._column:
                self._fault(changes.face, path, f"{name} is not a point of the labels")
                continue
            own = self._own(i, kind, name)
            if _fits(own, change.before):
                self._set(i, kind, name, change)
                moved += kind == "points"
            # A file that has the change already, as data convert writes it, is as it should be.
            elif not _fits(own, change.after):
                problem = f"{name or kind} is {shown(own)}, not {shown(change.before)} as it was"
                self._fault(changes.face, path, f"{problem} when it became {shown(change.after)}")
        self.counts["points"] += moved
        self.counts["faces corrected"] += moved > 0

    def leave_out(self, changes: FaceChanges, reason: str) -> None:
        """List a whole face as left out."""
        names = [name or kind for kind, name in changes.values]
        path = next((path for _, path in changes.values.values()), Path())
        self._fault(changes.face, path, f"{listed(names)}: {reason}")

    def result(self) -> Corrected:
        """The faces that are left, with their changes."""
        has_boxes = self.faces.boxes is not None or not np.isnan(self._boxes).all()
        has_hidden = self.faces.occluded is not None or self._occluded.any()
        faces = replace(
            self.faces,
            points=self._points,
            boxes=self._boxes if has_boxes else None,
            occluded=self._occluded if has_hidden else None,
        )
        faces = faces if self._kept.all() else faces[self._kept]
        return Corrected(faces, self.left_out, +self.counts)

    def _lies_elsewhere(self, i: int, changes: FaceChanges) -> str:
        """What is wrong if another face has the name of the one that was removed; else empty.

        Faces of one image are numbered by their order in the file.
        """
        place = place_of_labels(self._points[i], self._boxes[i])
        if changes.where is None or place is None:
            return ""
        then, now = np.array(changes.where), np.array(place)
        apart = np.linalg.norm((then[:2] + then[2:] - now[:2] - now[2:]) / 2)
        if apart <= max((then[2:] - then[:2]).mean() / 4, _NEAR):
            return ""
        return f"it was removed at {shown(changes.where)}, and lies at {shown(place)} now"

    def _own(self, i: int, kind: str, name: str) -> Point | tuple[float, ...]:
        if kind == "box":
            box = self._boxes[i]
            return None if np.isnan(box).any() else tuple(map(float, box))
        k = self._column[name]
        x, y = map(float, self._points[i, k])
        return None if np.isnan(x) else (x, y, OCCLUDED if self._occluded[i, k] else VISIBLE)

    def _set(self, i: int, kind: str, name: str, change: Change) -> None:
        if kind == "box":
            self._boxes[i] = np.nan if change.after is None else change.after
            self.counts["boxes"] += 1
            return
        if kind != "points":
            return
        k = self._column[name]
        self._points[i, k] = np.nan if change.after is None else change.after[:2]
        self._occluded[i, k] = change.after is not None and change.after[2] == OCCLUDED

    def _fault(self, face: str, path: Path, problem: str) -> None:
        self.left_out.append(Fault(f"{path.name} {face}", f"{problem}."))


def place_of_labels(points: np.ndarray, box: np.ndarray | None) -> tuple[float, ...] | None:
    """The box around a face's labels, half a pixel larger; else its own; None without either."""
    labelled = points[~np.isnan(points).any(axis=1)]
    if len(labelled):
        corners = (*(labelled.min(axis=0) - 0.5), *(labelled.max(axis=0) + 0.5))
    elif box is not None and not np.isnan(box).any():
        corners = tuple(box)
    else:
        return None
    return tuple(round(float(each), 2) for each in corners)


def _fits(own: Point | tuple[float, ...], value: Point | tuple[float, ...]) -> bool:
    """Whether two labels are the same, but for how many digits a file has of them."""
    if own is None or value is None:
        return own is None and value is None
    for a, b in zip(own, value, strict=True):
        if isinstance(a, str) or isinstance(b, str):
            if a != b:
                return False
        # Beyond 8192 pixels float32 is coarser than _SAME.
        elif abs(a - b) > max(_SAME, 2e-7 * abs(a)):
            return False
    return True


def _with_added(done: Corrected, added: list[FaceChanges], root: Path, is_whole: bool) -> Corrected:
    faces, missing = with_added(done.faces, added, root, is_whole)
    if count := len(faces) - len(done.faces):
        done.counts["faces added"] += count
    done.faces = faces
    done.left_out += missing
    return done


def _is_of(path: Path, root: Path) -> bool:
    """Whether a list is of the data at ``root``: not if it lies beside other data."""
    own = data_of(path)
    if own is None or not own.exists():
        return True
    own, data = own.resolve(), root.resolve()
    if own == data or data in own.parents or own in data.parents:
        return True
    _log.warning(
        "%s is the change list of %s, and is not applied to %s; if it is meant, copy it into %s.",
        path,
        own.name,
        root,
        folder_of(root),
    )
    return False


def _check_scheme(each: ChangeList, faces: Faces) -> None:
    points = each.header.points
    if not any(point in faces.scheme for point in points):
        raise DataError(
            f"{each.path}: its points are those of {each.header.scheme} ({listed(points[:3])}, "
            f"...), and the labels have none of them ({listed(faces.scheme.points[:3])}, ...); "
            "name the scheme that the list was made with (--scheme)."
        )


def _say_open_conflicts(each: ChangeList) -> None:
    states = each.state.faces.values()
    counts = [len(state.open_conflicts) + len(state.open_field_conflicts) for state in states]
    count, faces = sum(counts), sum(map(bool, counts))
    if count:
        _log.warning(
            "%s: people disagree on %s of %s, and nobody has decided; these "
            "stay as the labels have them.",
            each.path.name,
            counted(count, "point or box", "points or boxes"),
            counted(faces, "face"),
        )


def _warn(left_out: list[Fault], names: str, sources: list[str]) -> None:
    why = f" ({listed(sources)} changed since the list was begun)" if sources else ""
    shown_ones = "\n".join(f"  {fault}" for fault in left_out[:_SHOWN])
    more = len(left_out) - _SHOWN
    rest = f"\n  and {more} more; nasion data check lists all" if more > 0 else ""
    _log.warning(
        "%s: %s not fit the labels; left out:%s\n%s%s",
        names,
        counted(len(left_out), "change does", "changes do"),
        why,
        shown_ones,
        rest,
    )
