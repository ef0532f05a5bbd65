"""Image files that cannot be read: missing, empty, cut, or no images at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nasion.data import cache
from nasion.data.record_faults import Fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.media.images import image_problem


def image_faults(faces: Faces, images_optional: bool) -> dict[int, Fault]:
    """Faces by position whose image cannot be read, each image decoded once.

    ``images_optional``: a table of points is usable without any of its images, so that all are
    missing is no fault there; elsewhere it is one fault, of the first face.
    """
    missing = missing_files(faces)
    if missing and len(missing) == len(faces):
        others = f"nor is any other of the {len(faces)} faces'"
        problem = f"its image is not at {faces.images[0]}, {others}."
        return {} if images_optional else {0: Fault(faces.ids[0], problem)}
    faults: dict[int, Fault] = {}
    for i in missing:
        image = faces.images[i]
        faults[i] = Fault(faces.ids[i], f"its image is not at {image}.")
    gone = set(missing)
    files = {i: each for i, each in enumerate(faces.images) if isinstance(each, Path)}
    files = {i: path for i, path in files.items() if i not in gone}
    problems = _cached_problems(list(dict.fromkeys(files.values())))
    for i, path in files.items():
        if path in problems:
            faults[i] = Fault(faces.ids[i], f"its image cannot be read: {problems[path]}")
    return dict(sorted(faults.items()))


def without_image_faults(faces: Faces) -> Faces:
    """The faces whose images can be read; all of them if none of the images is there.

    Raises ``DataError`` if the images are there and none can be read.
    """
    faults = image_faults(faces, images_optional=True)
    if len(faults) == len(faces):
        raise DataError(f"None of the {len(faces)} images can be read; the first: {faults[0]}")
    return faces[[i for i in range(len(faces)) if i not in faults]] if faults else faces


def require_images(faces: Faces) -> None:
    """Raise ``DataError`` if image files are missing: how many, and what to do about it."""
    missing = missing_files(faces)
    if not missing:
        return
    first, others, count = missing[0], len(missing) - 1, f"of {counted(len(faces), 'face')}"
    more = f", nor are those of {others} more {count}" if others else f" (1 {count})"
    remedy = "Put images where the labels say"
    # Without any image --skip-faults keeps all faces, for tables of points are usable so.
    if len(missing) < len(faces):
        remedy += (
            ", or leave such faces out with --skip-faults (in Python: "
            "reading=LabelReading(skip_faults=True))"
        )
    raise DataError(
        f"The image of face {faces.ids[first]!r} is not at {faces.images[first]}{more}. {remedy}; "
        "nasion data check lists all faults."
    )


def missing_files(faces: Faces) -> list[int]:
    """Positions of faces whose image file does not exist."""
    if isinstance(faces.images, np.ndarray):
        return []
    images = enumerate(faces.images)
    return [i for i, image in images if isinstance(image, Path) and not image.is_file()]


def _cached_problems(paths: Sequence[Path]) -> dict[Path, str]:
    """The problems of these files; from the cache if they have been decoded before."""

    def make() -> cache.Entry:
        # Pillow decodes without Python's lock.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            problems = list(pool.map(image_problem, paths))
        return {}, {"problems": {str(i): text for i, text in enumerate(problems) if text}}

    if not paths:
        return {}
    # Problems name their files, so the names are part of the key.
    key = cache.content_key(paths, "image problems", *map(str, paths))
    found = cache.cached(key, make)[1]["problems"]
    return {paths[int(i)]: text for i, text in found.items()}
