"""A text file that is written piece by piece beside its place, and moved there at the end."""

from __future__ import annotations

from pathlib import Path

from nasion.media.files import move_into_place, naming
from nasion.media.temporary_files import temporary_path


class GrowingText:
    """Makes the folder if need be. Until ``finish`` an older file at ``path`` stays as it was.

    ``OSError`` names ``path``, not the file beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = temporary_path(path.parent)
            self._file = self._temporary.open("w", encoding="utf-8", newline="")

    def write(self, piece: str) -> None:
        with naming(self.path):
            self._file.write(piece)

    def finish(self, path: Path | None = None) -> Path:
        """Let the file appear; returns where. ``path``: another place in the same folder."""
        path = path or self.path
        with naming(path):
            self._file.close()
            move_into_place(self._temporary, path)
        return path

    def discard(self) -> None:
        """Leave nothing. Does nothing after ``finish``."""
        try:
            self._file.close()
        except OSError:
            pass  # what is still in the buffer does not fit on a full disk
        finally:
            self._temporary.unlink(missing_ok=True)
