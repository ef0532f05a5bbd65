"""File formats of predicted points, one file each: written by ``predict``, read by ``evaluate``.

A format is one text file (``to_text(results)``, with ``SUFFIX``), or several files per image
(``files(result, labels)``); ``MEDIA_TYPE`` is what one of its files is over HTTP. Optional:
``line(result)``, one image's part of a text that can be printed as it comes; ``NEEDS_PIXELS`` and
``draw(result, labels, enlarge)`` of a format that shows the image; ``recognises(path)`` and
``read(path, scheme)``, to evaluate files of this format.
Coordinates are pixels of the upright image, the centre of its top-left pixel at (0, 0), in all
formats but ``pts``, which counts from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasion.data.datasets._face_records import FaceRecord
from nasion.discovery import FORMATS
from nasion.errors import DataError, refusing_damage
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.files import atomic_write, write_text

PredictedFace = FaceRecord


def text_formats() -> list[str]:
    """The formats that are one text."""
    return [name for name in FORMATS.names() if hasattr(FORMATS.load(name), "to_text")]


def write(
    results: Sequence[ImageResult], formats: Sequence[str], folder: Path, labels: str = "none"
) -> list[Path]:
    """Write these formats into a folder.

    Returns the files, or the folder itself for a format of several files.
    """
    written: list[Path] = []
    for name in formats:
        module = FORMATS.load(name)
        if hasattr(module, "to_text"):
            written.append(folder / f"predictions{module.SUFFIX}")
            write_text(written[-1], module.to_text(results))
        else:
            for result in results:
                write_files(result, name, folder, labels)
            written.append(folder)
    return list(dict.fromkeys(written))


def write_files(result: ImageResult, name: str, folder: Path, labels: str = "none") -> None:
    """Write one image's files of a format of several files."""
    for file, data in FORMATS.load(name).files(result, labels).items():
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
                return module.read(path, scheme)
    readable = [name for name in FORMATS.names() if hasattr(FORMATS.load(name), "read")]
    raise DataError(
        f"{path}: not a predictions file of a known format; {', '.join(readable)} can be read."
    )


def face_ids(results: Sequence[ImageResult]) -> list[str]:
    """A name for each face: the image's; from the second face on with its number after ``#``."""
    ids: list[str] = []
    for result in results:
        count = len(result.faces)
        ids += [result.name + (f"#{i + 1}" if i else "") for i in range(count)]
    return ids


def scheme_of_results(results: Sequence[ImageResult]) -> Scheme | None:
    """The scheme of the faces; None if there are none."""
    return next((face.scheme for result in results for face in result.faces), None)


def stems(names: Sequence[str]) -> list[str]:
    """A unique file name without suffix for each image; equal names are numbered."""
    taken: set[str] = set()
    chosen: list[str] = []
    for name in names:
        # Images of different folders may have the same name, but share one output folder.
        plain, number = Path(name.rstrip("/")).stem or "image", 1
        stem = plain
        while stem in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem)
        chosen.append(stem)
    return chosen
