"""A table with one row per face: name, box, score, x and y of each point, and their scores.

Then the chance that each point can be seen, if the network predicts it; in video also time and
track; and head pose, eyes and mouth, if they were asked for. The cells of a point that is left out
are empty. Tables of other tools are read as ``datasets/points_csv.py`` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nasion.array_types import Float32
from nasion.data.datasets._image_names import NUMBERED_FACE, image_of_face
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_as_text
from nasion.prediction_formats import PredictedFace, TextContents
from nasion.prediction_formats._measures import COLUMNS, measures_row

SUFFIX = ".csv"
MEDIA_TYPE = "text/csv"
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")


class Text:
    """A header, then a line for each face."""

    def __init__(self, contents: TextContents) -> None:
        self._points = contents.scheme.points if contents.scheme else ()
        self._timed, self._measured = contents.timed, contents.measured
        self._has_header = self._has_visible = False

    def begin(self) -> str:
        # The first face tells which columns there are.
        return ""

    def add(self, result: ImageResult) -> str:
        lines = []
        if result.faces and not self._has_header:
            self._has_visible = result.faces[0].visible is not None
            lines.append(self._header())
        for number, face in enumerate(result.faces, start=1):
            cells = [_face_name(name_as_text(result.name), number), *_face_cells(face)]
            if self._has_visible:
                cells += _chances(face.visible, len(face.points))
            if self._timed:
                cells.append("" if result.seconds is None else f"{result.seconds:.4f}")
                cells.append("" if face.track is None else str(face.track))
            if self._measured:
                cells += _measured_cells(result, number - 1)
            lines.append(_line(cells))
        return "".join(lines)

    def end(self) -> Iterator[str]:
        if not self._has_header:
            yield self._header()

    def _header(self) -> str:
        self._has_header = True
        coordinates = [f"{point}_{axis}" for point in self._points for axis in "xy"]
        scores = [f"{point}_score" for point in self._points]
        visible = [f"{point}_visible" for point in self._points] if self._has_visible else []
        time = ["seconds", "track"] if self._timed else []
        measures = COLUMNS if self._measured else ()
        own = ["face", *_BOX, "face_score"]
        return _line([*own, *coordinates, *scores, *visible, *time, *measures])


def _face_name(image: str, number: int) -> str:
    """The image's name, from the second face on with its number behind it."""
    # An image called photo.jpg#2 would be taken for the second face of another.
    is_numbered = NUMBERED_FACE.fullmatch(image) is not None
    return f"{image}#{number}" if number > 1 or is_numbered else image


def _line(cells: Sequence[str]) -> str:
    return ",".join(map(_quoted, cells)) + "\n"


def _quoted(cell: str) -> str:
    """As RFC 4180 says; Python's writer leaves a carriage return unquoted."""
    if any(sign in cell for sign in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _face_cells(face: Face) -> list[str]:
    numbers = [*face.box.tolist(), face.score, *face.points.reshape(-1).tolist()]
    # Nine digits bring any float32 back exactly.
    cells = ["" if math.isnan(number) else f"{number:.9g}" for number in numbers]
    return cells + _chances(face.scores, len(face.points))


def _chances(values: Float32[np.ndarray, " K"] | None, count: int) -> list[str]:
    """A cell for each of ``count`` points; empty ones if nothing is known."""
    return [""] * count if values is None else [f"{value:.4f}" for value in values.tolist()]


def _measured_cells(result: ImageResult, i: int) -> list[str]:
    """Pose and measures of a result's i-th face."""
    if result.measured is None:
        return [""] * len(COLUMNS)
    row = measures_row(result.measured[i])
    return ["" if row[name] is None else f"{row[name]:g}" for name in COLUMNS]


def recognises(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (".csv", ".gz")


def read(path: Path, scheme: Scheme) -> tuple[Scheme, list[PredictedFace]]:
    from nasion.data.datasets import points_csv

    table = points_csv.read_predictions(path, scheme)
    faces = []
    for name, points in zip(table.ids, table.points.astype(np.float64), strict=True):
        faces.append(PredictedFace(image_of_face(name, path.parent), points, name))
    return table.scheme, faces
