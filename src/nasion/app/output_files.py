"""Which files a command may replace: results of nasion, no inputs, no labels, no other images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from nasion.errors import SettingError
from nasion.media.drawn_marks import DRAWN_SUFFIXES, is_written
from nasion.media.inputs import ImageInput
from nasion.media.video import VideoInput


class OutputCheck:
    """Refuses outputs that would replace one of these inputs, or an image that is not nasion's."""

    def __init__(self, inputs: Iterable[ImageInput | VideoInput]) -> None:
        # Path.resolve raises for links that lead to each other, before 3.13.
        self._sources = {
            os.path.realpath(each.source) for each in inputs if isinstance(each.source, Path)
        }

    def __call__(self, paths: Iterable[Path]) -> None:
        """Raise ``SettingError`` for the first of these files that must stay as it is."""
        for path in paths:
            self._check(path)

    def labels(
        self, images: Iterable[ImageInput], stem_of: Mapping[str, str], folder: Path, suffix: str
    ) -> None:
        """Raise ``SettingError`` if points of an image would replace its label file beside it."""
        own = os.path.realpath(folder)
        for image in images:
            path = folder / f"{stem_of[image.name]}{suffix}"
            is_beside = (
                isinstance(image.source, Path) and os.path.realpath(image.source.parent) == own
            )
            if is_beside and path.exists():
                raise SettingError(
                    f"{path} lies beside {image.name}, so it may hold its labels, and would be "
                    "overwritten; name another folder with --out, or move that file."
                )

    def _check(self, path: Path) -> None:
        if os.path.realpath(path) in self._sources:
            raise SettingError(
                f"{path} is an input and would be overwritten; name another folder with --out."
            )
        # Texts have names of nasion's own.
        if path.suffix in DRAWN_SUFFIXES and path.is_file() and not is_written(path):
            raise SettingError(
                f"{path} would be overwritten, and nasion did not write it: only images and videos "
                "that it wrote are replaced; name another folder with --out, or move that file."
            )
