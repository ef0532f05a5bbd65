"""A folder of pictures without labels, whose faces are all in a change list beside it.

Not one of the datasets that are listed: it reads no label, and has no face of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from nasion.data.corrections.change_list import (
    SUFFIX,
    folder_of,
    is_change_list,
    read_change_list,
)
from nasion.data.datasets._label_files import check_split
from nasion.data.own_schemes import scheme_from_data
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.signatures import IMAGE_SUFFIXES

NAME = "pictures"
SCHEME = None
SPLITS = ("all",)


def recognises(path: Path) -> bool:
    """True for a folder of images that has change lists beside it."""
    return path.is_dir() and bool(lists_beside(path)) and _has_image(path)


def lists_beside(path: Path) -> list[Path]:
    """The change lists that lie beside these data."""
    return [each for each in sorted(folder_of(path).glob(f"*{SUFFIX}")) if is_change_list(each)]


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """No face, in ``scheme`` if a list beside the folder is of its points or there is no list.

    Else in the scheme of the first list.
    """
    check_split(split, SPLITS, NAME)
    if not root.is_dir():
        raise DataError(f"{root}: a folder of pictures expected.")
    found = [scheme_of_list(each, scheme) for each in lists_beside(root)]
    scheme = scheme if scheme in found or not found else found[0]
    if scheme is None:
        raise SettingError(f"{root}: pictures without labels; name their scheme (--scheme).")
    return no_faces(scheme)


def no_faces(scheme: Scheme) -> Faces:
    """Faces of a scheme, none yet."""
    none = np.zeros((0, len(scheme), 2), dtype=np.float32)
    return Faces(scheme=scheme, ids=(), images=(), points=none)


def scheme_of_list(path: Path, known: Scheme | None) -> Scheme:
    """The scheme of a change list; ``known``, which says more of it, if it has the same points."""
    header = read_change_list(path, tell=False).header
    if known is not None and set(known.points) == set(header.points):
        return known
    return scheme_from_data(header.scheme, header.points)


def _has_image(folder: Path) -> bool:
    for _, _, files in os.walk(folder):
        if any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in files):
            return True
    return False
