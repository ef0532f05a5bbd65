"""Writing a change list: one writer at a time, each gesture on disk before it is acknowledged."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from nasion.data.corrections.change_list import (
    SUFFIX,
    ChangeList,
    Header,
    header_line,
    now,
    read_change_list,
    warn_of_torn,
)
from nasion.data.corrections.gestures import Gesture, check, to_line
from nasion.data.corrections.replay import FaceState, ListState
from nasion.errors import DataError, NasionError, SettingError
from nasion.media.file_lock import Refusals, locked_file
from nasion.media.file_names import name_as_text
from nasion.media.files import atomic_write, check_output_folder, naming
from nasion.media.quoted import quoted


class StaleRevision(NasionError):
    """A gesture on a face that has changed since it was shown; nothing was written.

    ``gesture``: what was refused. ``current``: the face as the list has it.
    """

    def __init__(self, gesture: Gesture, current: FaceState) -> None:
        self.gesture: Gesture = gesture
        self.current: FaceState = current
        super().__init__(
            f"Face {quoted(gesture.face)} is at revision {current.revision}, and the change was "
            f"made on revision {gesture.revision - 1}; look at both and decide."
        )


class ListChanged(DataError):
    """Another program has written to an open list; nothing was written."""


@dataclass
class ChangeListWriter:
    """An open list. ``state``: what it amounts to, with all that was acknowledged.

    ``torn``: the file into which a cut last line was put aside; None if there was none.
    """

    path: Path
    header: Header
    state: ListState
    torn: Path | None = None
    _length: int = 0  # of the file up to the last acknowledged line
    _ends: bool = True  # whether that line has its end
    _is_dirty: bool = False  # something may lie behind it

    def append(self, gesture: Gesture) -> Gesture:
        """Record a gesture; when this returns, it is on disk. Returns it as recorded.

        A gesture that is sent once more, with the same id, is acknowledged again and not written.
        Raises ``StaleRevision``; ``DataError`` for values that do not follow; ``OSError`` with the
        file's name if it cannot be written, and then nothing of it stays.
        """
        known = self.state.gestures.get(gesture.id)
        if known is not None:
            return self._known(gesture, known)
        try:
            gesture = check(replace(gesture, id=gesture.id or uuid4().hex, time=now()))
        except ValueError as error:
            raise DataError(f"{self.path}: a gesture that is none: {error}.") from None
        current = self.state.of(gesture.face, gesture.repeat)
        if gesture.revision != current.revision + 1:
            raise StaleRevision(gesture, current)
        try:
            # Tried on a copy: what cannot be written must not be in the state.
            _copy(current).take(gesture)
        except ValueError as error:
            raise DataError(f"{self.path}: {error}; show the face again.") from None
        self._write(to_line(gesture))
        self.state.take(gesture)
        return gesture

    def undo(self, face: str, repeat: int = 0) -> Gesture | None:
        """Take the last gesture on this face back; None if there is none."""
        gesture = self.state.of(face, repeat).undo()
        return None if gesture is None else self.append(gesture)

    def redo(self, face: str, repeat: int = 0) -> Gesture | None:
        """Do the last undone gesture on this face again; None if there is none."""
        gesture = self.state.of(face, repeat).redo()
        return None if gesture is None else self.append(gesture)

    def _known(self, gesture: Gesture, known: Gesture) -> Gesture:
        if (gesture.face, gesture.op, dict(gesture.changes)) != (
            known.face,
            known.op,
            dict(known.changes),
        ):
            raise DataError(
                f"{self.path}: the gesture {quoted(gesture.id)} was recorded with other values; "
                "give each gesture an id of its own."
            )
        return known

    def _write(self, line: bytes) -> None:
        with naming(self.path):
            if not self._length:
                self._begin()
            line = line if self._ends else b"\n" + line
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                if self._is_dirty:
                    self._cut(handle)
                if os.fstat(handle).st_size != self._length:
                    raise ListChanged(
                        f"{self.path}: changed by another program while it was open; open it again."
                    )
                self._is_dirty = True
                written = os.write(handle, line)
                if written < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                os.fsync(handle)
            except BaseException:
                if self._is_dirty:
                    with suppress(OSError):
                        self._cut(handle)
                raise
            finally:
                os.close(handle)
        self._length += len(line)
        self._ends, self._is_dirty = True, False

    def _cut(self, handle: int) -> None:
        """Leave nothing behind the last acknowledged line."""
        if os.fstat(handle).st_size > self._length:
            os.ftruncate(handle, self._length)
        os.fsync(handle)
        self._is_dirty = False

    def _begin(self) -> None:
        """Write the header, as a whole file."""
        line = header_line(self.header)
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(line)
        _sync_folder(self.path.parent)
        self._length = len(line)


@contextmanager
def open_change_list(path: Path, header: Header) -> Iterator[ChangeListWriter]:
    """Hold a change list to write to. ``header``: of a list that does not exist yet.

    The file is made with the first gesture. Raises ``SettingError`` if another process writes to
    the list, if its folder cannot be written to, or if the list is of another scheme; ``DataError``
    for a damaged list.
    """
    check_list_name(path)
    check_output_folder(path.parent)
    with locked_file(path.with_name(f".{path.name}.lock"), _refusals(path)):
        if not path.exists():
            yield ChangeListWriter(path, header, ListState())
            return
        found = read_change_list(path, tell=False)
        _check_scheme(found, header)
        torn = _set_aside(found) if found.torn else None
        yield ChangeListWriter(path, found.header, found.state, torn, found.sound, found.ends)


def write_change_list(path: Path, header: Header, gestures: Sequence[Gesture]) -> None:
    """Write a whole new list at once. Raises ``SettingError`` if there is one."""
    check_list_name(path)
    if path.exists():
        raise SettingError(f"{path}: there is such a list; name another one (-o).")
    state, lines = ListState(), [header_line(header)]
    for gesture in gestures:
        recorded = check(replace(gesture, id=gesture.id or uuid4().hex, time=now()))
        state.take(recorded)
        lines.append(to_line(recorded))
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(lines))
    _sync_folder(path.parent)


def check_list_name(path: Path) -> None:
    """Raise ``SettingError`` for a name that no list can have."""
    name = path.name.removesuffix(SUFFIX)
    if not name or name.startswith(".") or not path.name.endswith(SUFFIX):
        raise SettingError(
            f"{name_as_text(str(path))}: a change list is called NAME{SUFFIX}, and NAME does not "
            "begin with a dot; give another name."
        )


def _copy(state: FaceState) -> FaceState:
    return replace(
        state,
        values=dict(state.values),
        undoable=list(state.undoable),
        redoable=list(state.redoable),
    )


def _check_scheme(found: ChangeList, header: Header) -> None:
    if set(found.header.points) != set(header.points):
        raise SettingError(
            f"{found.path}: its points are those of {found.header.scheme} "
            f"({len(found.header.points)}), the labels have those of {header.scheme} "
            f"({len(header.points)}); name the scheme that it was begun with (--scheme), or begin "
            "a list of another name."
        )


def _set_aside(found: ChangeList) -> Path:
    """Move a cut last line into a file of its own; returns that file."""
    number = 1
    while (aside := found.path.with_name(f"{found.path.name}.torn-{number}")).exists():
        number += 1
    lines = found.path.read_bytes()[: found.sound].count(b"\n") + 1
    warn_of_torn(found.path, lines, found.torn)
    with atomic_write(aside) as temporary:
        temporary.write_bytes(found.torn)
    with naming(found.path), found.path.open("rb+") as file:
        file.truncate(found.sound)
        os.fsync(file.fileno())
    return aside


def _sync_folder(folder: Path) -> None:
    """Let a new file's name survive a power failure; Windows has no such call."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refusals(path: Path) -> Refusals:
    named = str(path).replace("{", "{{").replace("}", "}}")
    return Refusals(
        kind=SettingError,
        in_use=f"{named} is being written to by {{who}}; go on there, {{stop}}, or write to a list "
        "of another name and merge the two (nasion data merge).",
        is_file="{file} is a file; change lists need a folder: move the file elsewhere.",
        unusable=f"{path.parent} cannot be made or written to; give the rights or make room.",
        no_locks=f"{named} cannot be locked ({{reason}}); start no second program that writes it.",
    )
