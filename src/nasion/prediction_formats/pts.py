"""A ``.pts`` file per face, as iBUG's, pixels counted from 1.

The first face of an image has the image's name, others ``#`` and their number after it. The format
does not say which points are hidden; a point that is left out is ``nan nan``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nasion.data.datasets._label_files import any_case
from nasion.data.datasets._pts_text import read_points
from nasion.errors import DataError
from nasion.landmarks.face import ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.prediction_formats import DrawStyle, PredictedFace

MEDIA_TYPE = "text/plain"
LABELS_SUFFIX = ".pts"  # label files beside images have the names of these files


def files(result: ImageResult, style: DrawStyle | None = None) -> dict[str, bytes]:
    """The image's files by name; nothing is drawn."""
    found = {}
    for number, face in enumerate(result.faces, start=1):
        # From 0 to the format's 1.
        rows = [f"{x + 1:.3f} {y + 1:.3f}" for x, y in face.points.tolist()]
        text = "\n".join(["version: 1", f"n_points:  {len(rows)}", "{", *rows, "}"]) + "\n"
        suffix = f"#{number}" if number > 1 else ""
        found[f"{result.stem}{suffix}.pts"] = text.encode()
    return found


def recognises(path: Path) -> bool:
    return path.is_dir()


def read(folder: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    """All ``.pts`` files of a folder; ``name#2.pts`` is the second face of ``name``."""
    paths = sorted(folder.glob("*" + any_case(".pts")))
    if not paths:
        raise DataError(f"{folder}: no .pts files in this folder.")
    stems = {path.stem for path in paths}
    faces = []
    for path in paths:
        points = read_points(path, str(path))
        # Only a second face if there is a first: "photo#2.pts" alone is the image photo#2.
        base = re.sub(r"#\d+$", "", path.stem)
        image = base if base in stems else path.stem
        if len(points) != len(scheme):
            raise DataError(
                f"{path}: {counted(len(points), 'point')}; {len(scheme)} expected, "
                f"as scheme {scheme.name} has."
            )
        faces.append(PredictedFace(image, points.astype(np.float64), path.name))
    return scheme, faces
