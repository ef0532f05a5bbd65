"""Images that are equal byte for byte, however their faces are labelled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np

from nasion.landmarks.faces import Faces


def equal_images(faces: Faces, unreadable: Collection[int] = ()) -> list[list[int]]:
    """Groups of faces whose images are equal, by position; several faces of one file are a group.

    ``unreadable``: positions to leave out. Files are read only if another one has their size.
    """
    of_file: dict[Path, list[int]] = defaultdict(list)
    of_array: dict[Hashable, list[int]] = defaultdict(list)
    for i, image in enumerate(faces.images):
        if i in unreadable:
            continue
        if isinstance(image, Path):
            of_file[image].append(i)
        else:
            pixels = np.ascontiguousarray(image)
            of_array[pixels.shape, pixels.dtype.str, blake2b(pixels.data).digest()].append(i)
    groups = [*of_array.values()]
    for same_size in _by(of_file, lambda path: path.stat().st_size):
        # Most files have a size of their own.
        same = [same_size] if len(same_size) == 1 else _by(same_size, _digest)
        groups += [[i for path in paths for i in of_file[path]] for paths in same]
    return sorted(sorted(group) for group in groups if len(group) > 1)


def only_faces(faces: Faces, group: Iterable[int]) -> list[int]:
    """The faces of a group that are the only ones of their image.

    Which face of a photograph of several is which of its copy's is not known.
    """
    images = {i: faces.images[i] for i in group}
    count = Counter(image for image in images.values() if isinstance(image, Path))
    return [i for i, image in images.items() if not isinstance(image, Path) or count[image] == 1]


def _digest(path: Path) -> bytes:
    return blake2b(path.read_bytes()).digest()


def _by(paths: Iterable[Path], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    """The paths that share a key."""
    found: dict[Hashable, list[Path]] = defaultdict(list)
    for path in paths:
        found[key(path)].append(path)
    return list(found.values())
