"""A text format written as results come; the file appears when it is finished."""

from __future__ import annotations

from pathlib import Path

from nasion.discovery import FORMATS
from nasion.errors import SettingError
from nasion.landmarks.face import ImageResult
from nasion.media.files import move_into_place, naming
from nasion.media.temporary_files import temporary_path
from nasion.prediction_formats import TextContents


class TextFile:
    """Writes ``predictions`` with the format's suffix into ``contents.folder``."""

    def __init__(self, name: str, folder: Path, contents: TextContents) -> None:
        module = FORMATS.load(name)
        self.path: Path = folder / f"predictions{module.SUFFIX}"
        self.incomplete_path: Path = folder / f"predictions-incomplete{module.SUFFIX}"
        self._text = module.Text(contents)
        if self.path.is_dir():
            raise SettingError(f"{self.path} is a folder, a file expected; name another --out.")
        with naming(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._temporary = temporary_path(folder)
            self._file = self._temporary.open("w", encoding="utf-8", newline="")
        self._write(self._text.begin())

    def add(self, result: ImageResult) -> None:
        """Write one result; ``OSError`` names the file."""
        with naming(self.path):
            self._write(self._text.add(result))

    def finish(self, complete: bool = True) -> Path:
        """End the text and let the file appear; under another name if it is not complete."""
        path = self.path if complete else self.incomplete_path
        with naming(path):
            for piece in self._text.end():
                self._write(piece)
            self._file.close()
            move_into_place(self._temporary, path)
        return path

    def discard(self) -> None:
        """Leave nothing, and an older file as it was. Does nothing after ``finish``."""
        try:
            self._file.close()
        except OSError:
            pass  # what is still in the buffer does not fit on a full disk
        finally:
            self._temporary.unlink(missing_ok=True)

    def _write(self, piece: str) -> None:
        with naming(self.path):
            self._file.write(piece)
