"""File formats of predicted points, one file each: written by ``predict``, read by ``evaluate``.

A format is one text (``Text``, with ``SUFFIX``), or several files per image
(``files(result, style)``, which may draw in a ``DrawStyle``); ``MEDIA_TYPE`` is what one of its
files is over HTTP.
Optional:
``NEEDS_PIXELS`` of a format that shows the image; ``LABELS_SUFFIX`` of one whose first file of an
image has the name that a label file beside it has; ``recognises(path)`` and ``read(path, scheme)``,
to evaluate files of this format.
Coordinates are pixels of the upright image, the centre of its top-left pixel at (0, 0), in all
formats but ``pts``, which counts from 1. Names of images are written as ``media/file_names.py``
says, so that every text is valid UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from nasion.data.face_record import FaceRecord
from nasion.discovery import FORMATS
from nasion.errors import DataError, refusing_damage
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_from_text
from nasion.media.files import atomic_write
from nasion.prediction_formats._draw_style import USUAL_STYLE as USUAL_STYLE
from nasion.prediction_formats._draw_style import DrawStyle as DrawStyle
from nasion.prediction_formats._stems import stems as stems

PredictedFace = FaceRecord


@dataclass(frozen=True)
class TextContents:
    """What a text will hold, known before its results.

    ``scheme``: of the faces; None if it is not known, and there are none. ``timed``: True if frames
    of videos are among the images. ``folder``: for files without a name; None: the system's.
    ``measured``: True if results tell pose and measures of their faces.
    """

    scheme: Scheme | None = None
    timed: bool = False
    folder: Path | None = None
    measured: bool = False

    @classmethod
    def of(
        cls,
        results: Sequence[ImageResult],
        folder: Path | None = None,
        scheme: Scheme | None = None,
    ) -> TextContents:
        """What these results hold. ``scheme``: of the network; None: that of the first face."""
        scheme = scheme or next((face.scheme for each in results for face in each.faces), None)
        timed = any(result.seconds is not None for result in results)
        measured = any(result.measured is not None for result in results)
        return cls(scheme, timed, folder, measured)


class Text(Protocol):
    """A text made piece by piece, so that no result needs to be kept."""

    def __init__(self, contents: TextContents) -> None: ...

    def begin(self) -> str: ...

    def add(self, result: ImageResult) -> str:
        """One image's piece."""
        ...

    def end(self) -> Iterable[str]: ...


def text_formats() -> list[str]:
    """The formats that are one text."""
    return [name for name in FORMATS.names() if is_text(name)]


def is_text(name: str) -> bool:
    """True if this format is one text, False if it has files for each image."""
    return hasattr(FORMATS.load(name), "Text")


def to_text(name: str, results: Sequence[ImageResult], scheme: Scheme | None = None) -> str:
    """The whole text of these results in a format. ``scheme``: of the network, also if there is no
    face.
    """
    return "".join(_pieces(name, results, TextContents.of(results, scheme=scheme)))


def _pieces(name: str, results: Iterable[ImageResult], contents: TextContents) -> Iterator[str]:
    text: Text = FORMATS.load(name).Text(contents)
    yield text.begin()
    yield from map(text.add, results)
    yield from text.end()


def write(
    results: Sequence[ImageResult],
    formats: Sequence[str],
    folder: Path,
    style: DrawStyle = USUAL_STYLE,
) -> list[Path]:
    """Write these formats into a folder; ``style``: of drawings.

    Returns the files, or the folder itself for a format of several files.
    """
    written: list[Path] = []
    for name in formats:
        module = FORMATS.load(name)
        if is_text(name):
            written.append(folder / f"predictions{module.SUFFIX}")
            contents = TextContents.of(results, folder)
            with (
                atomic_write(written[-1]) as temporary,
                temporary.open("w", encoding="utf-8", newline="") as file,
            ):
                file.writelines(_pieces(name, results, contents))
        else:
            for result in results:
                write_files(result, name, folder, style)
            written.append(folder)
    return list(dict.fromkeys(written))


def write_files(
    result: ImageResult,
    name: str,
    folder: Path,
    style: DrawStyle = USUAL_STYLE,
) -> None:
    """Write one image's files of a format of several files; ``style``: of drawings."""
    for file, data in FORMATS.load(name).files(result, style).items():
        with atomic_write(folder / file) as temporary:
            temporary.write_bytes(data)


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    """The faces of a predictions file, and the scheme of their points.

    ``scheme``: that of the labels, for files that do not tell. Raises ``DataError`` for a file of
    no known format, with its line if it has lines.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder.")
    for name in FORMATS.names():
        module = FORMATS.load(name)
        with refusing_damage(path):
            if hasattr(module, "recognises") and module.recognises(path):
                own, faces = module.read(path, scheme)
                # Names of files are what they are; those within a text may be escaped.
                if is_text(name):
                    faces = [replace(face, image=name_from_text(face.image)) for face in faces]
                return own, faces
    readable = [name for name in FORMATS.names() if hasattr(FORMATS.load(name), "read")]
    raise DataError(
        f"{path}: not a predictions file of a known format; {', '.join(readable)} can be read."
    )
