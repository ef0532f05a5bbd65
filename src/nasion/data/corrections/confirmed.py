"""Labels that somebody has looked at and found right, by the change lists beside the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nasion.data.corrections.change_list import SUFFIX, folder_of, read_change_list


def confirmed_labels(data: str | Path) -> Mapping[str, frozenset[str] | None]:
    """The confirmed points of each face; None: of a face that is done, all of them.

    Raises ``DataError`` for a damaged list.
    """
    found: dict[str, frozenset[str] | None] = {}
    folder = folder_of(data)
    files = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
    for path in sorted(files):
        for face, state in read_change_list(path).state.faces.items():
            before = found.get(face, frozenset())
            if state.done or before is None:
                found[face] = None
            elif state.confirmed:
                found[face] = before | set(state.confirmed)
    return found
