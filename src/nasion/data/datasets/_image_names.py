"""Images as label files name them: Windows' paths, names outside the data, faces of one image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from nasion.data.datasets._photographs import is_augmented, photograph
from nasion.media.file_names import name_from_text
from nasion.media.number_text import check_file_name
from nasion.media.quoted import quoted

NUMBERED_FACE = re.compile(r"(.+)#\d+$", re.S)  # photo.jpg#2: the second face; re.S: any file name
_DRIVE = re.compile(r"[A-Za-z]:/")


def with_slashes(name: str) -> str:
    """The name with the slashes of every system: Windows writes ``images\\face.jpg``."""
    return name.replace("\\", "/")


def image_name(name: str, folder: Path) -> str:
    """The image's name relative to ``folder``, in which the labels lie.

    Raises ``ValueError`` for a name that no file can have, and for one that leads outside.
    """
    check_file_name(name)
    # On other systems a file's name may have a backslash.
    if "\\" in name and not (folder / name).is_file():
        unescaped = name_from_text(name)
        name = unescaped if unescaped != name else with_slashes(name)
    path = Path(name)
    if path.is_absolute() and path.is_relative_to(folder.absolute()):
        return str(path.relative_to(folder.absolute()))
    if not is_inside(name):
        raise ValueError(
            f"the image {quoted(name, 60)} is outside {folder.absolute()}, where its labels are; "
            "move the label file to a folder above its images, and write names relative to that "
            "folder"
        )
    return name


def image_of_face(face: str, folder: Path) -> str:
    """The image of a face's id: ``photo.jpg`` of ``photo.jpg#2``, if no file is called so."""
    numbered = NUMBERED_FACE.match(face)
    return numbered[1] if numbered and not (folder / face).is_file() else face


def numbered_faces(names: Sequence[str]) -> tuple[str, ...]:
    """An id for each face by the name of its image: the name itself, then ``name#2``, ``name#3``.

    An id that another name has already is passed over.
    """
    taken, count = set(names), dict.fromkeys(names, 0)
    ids: list[str] = []
    for name in names:
        count[name] += 1
        face = name
        while count[name] > 1 and (face := f"{name}#{count[name]}") in taken:
            count[name] += 1
        taken.add(face)
        ids.append(face)
    return tuple(ids)


def photograph_group(images: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The group ``photograph``, which keeps faces of one image together; none if each is alone."""
    if len(set(images)) == len(images) and not any(map(is_augmented, images)):
        return {}
    return {"photograph": tuple(photograph(name) for name in images)}


def is_inside(name: str) -> bool:
    """Whether a relative path stays in its folder."""
    depth = 0
    for part in PurePath(name).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return not PurePath(name).is_absolute() and not _DRIVE.match(name)


def shared_end(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """How many parts at their end two paths have in common."""
    count = 0
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y:
            break
        count += 1
    return count
