"""A text format written as results come; the file appears when it is finished."""

from __future__ import annotations

from pathlib import Path

from nasion.discovery import FORMATS
from nasion.errors import SettingError
from nasion.landmarks.face import ImageResult
from nasion.media.files import naming
from nasion.media.growing_text import GrowingText
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
        self._file = GrowingText(self.path)
        self._file.write(self._text.begin())

    def add(self, result: ImageResult) -> None:
        """Write one result; ``OSError`` names the file."""
        # A text keeps parts in files of its own.
        with naming(self.path):
            piece = self._text.add(result)
        self._file.write(piece)

    def finish(self, complete: bool = True) -> Path:
        """End the text and let the file appear; under another name if it is not complete."""
        path = self.path if complete else self.incomplete_path
        with naming(path):
            for piece in self._text.end():
                self._file.write(piece)
        return self._file.finish(path)

    def discard(self) -> None:
        """Leave nothing, and an older file as it was. Does nothing after ``finish``."""
        self._file.discard()
