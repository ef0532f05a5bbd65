"""What is written about faces that were found: one file per format, found by its name; and predictions of any tool read back.

A format is one file, its ``text(found)``, whose name ends in ``ENDING``, or several, which its ``write(found, folder)`` makes. Coordinates are
pixels of the upright picture, the centre of its top left pixel at (0, 0), in all of them but ``pts``, which counts from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from nasion.errors import SettingError
from nasion.faces import Picture
from nasion.files import write_text
from nasion.landmarker import Face
from nasion.scheme import Scheme


@dataclass(frozen=True, eq=False)
class Found:
    """The faces of a picture.

    ``stem``: what files about it are called; ``size``: its (width, height); ``picture``: its pixels, for those formats that show it;
    ``seconds``: of a frame, its time in the clip.
    """

    name: str
    stem: str
    size: tuple[int, int]
    faces: tuple[Face, ...]
    picture: Picture | None = None
    seconds: float | None = None


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__))


def named(name: str) -> ModuleType:
    if name not in names():
        raise SettingError(f"No format {name!r}; there is {', '.join(names())}.")
    return import_module(f"{__name__}.{name}")


def write(found: Sequence[Found], kinds: Sequence[str], folder: Path, labels: str = "none") -> list[Path]:
    """Write these formats into a folder; the files, or the folder itself where a format is several."""
    written = []
    for kind in kinds:
        form = named(kind)
        if hasattr(form, "text"):
            written.append(folder / f"predictions{form.ENDING}")
            write_text(written[-1], form.text(found))
        else:
            form.write(found, folder, **({"labels": labels} if kind == "picture" else {}))
            written.append(folder)
    return list(dict.fromkeys(written))


def face_ids(found: Sequence[Found]) -> list[str]:
    """A name for each face: the picture's, and from the second face on its number after ``#``."""
    return [picture.name + (f"#{i + 1}" if i else "") for picture in found for i in range(len(picture.faces))]


def scheme_of(found: Sequence[Found]) -> Scheme | None:
    """The scheme of the faces; None where there are none."""
    return next((face.scheme for picture in found for face in picture.faces), None)


def stems(names: Sequence[str]) -> list[str]:
    """A file name without ending for each picture, each once; pictures of one name in several folders are numbered."""
    taken: set[str] = set()
    chosen = []
    for name in names:
        plain, number = Path(name.rstrip("/")).stem or "picture", 1
        stem = plain
        while stem in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem)
        chosen.append(stem)
    return chosen
