"""A table with one row per face: name, box, score, x and y of each point, and their scores.

In video also time and track. Tables of other tools are read as ``datasets/points_csv.py`` says.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nasion.data.datasets import points_csv
from nasion.data.datasets._image_names import image_of_face
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats import PredictedFace, face_ids, scheme_of_results

SUFFIX = ".csv"
MEDIA_TYPE = "text/csv"
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")


def to_text(results: Sequence[ImageResult]) -> str:
    scheme = scheme_of_results(results)
    points = scheme.points if scheme else ()
    is_video = any(result.seconds is not None for result in results)
    coordinates = [f"{point}_{axis}" for point in points for axis in "xy"]
    scores = [f"{point}_score" for point in points]
    time = ["seconds", "track"] if is_video else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["face", *_BOX, "face_score", *coordinates, *scores, *time])
    faces = [(face, result.seconds) for result in results for face in result.faces]
    for name, (face, seconds) in zip(face_ids(results), faces, strict=True):
        row = [name, *_face_cells(face)]
        if is_video:
            row.append("" if seconds is None else f"{seconds:.4f}")
            row.append("" if face.track is None else str(face.track))
        writer.writerow(row)
    return text.getvalue()


def _face_cells(face: Face) -> list[str]:
    numbers = [*face.box.tolist(), face.score, *face.points.reshape(-1).tolist()]
    # Nine digits bring any float32 back exactly.
    cells = [f"{number:.9g}" for number in numbers]
    if face.scores is None:
        return cells + [""] * len(face.points)
    return cells + [f"{score:.4f}" for score in face.scores.tolist()]


def recognises(path: Path) -> bool:
    return path.is_file() and path.suffix in (".csv", ".gz")


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    table = points_csv.read_predictions(path, scheme)
    faces = []
    for name, points in zip(table.ids, table.points.astype(np.float64), strict=True):
        faces.append(PredictedFace(image_of_face(name, path.parent), points, name))
    return table.scheme, faces
