"""A CSV table of points in any scheme, one face per row: labels, or predictions of any tool.

A column of the face's image file or id (``image``, ``face``, ``file``, ``id`` ..., else the first
column), x and y of each point, and optionally ``box_x0, box_y0, box_x1, box_y1``. Points are named
as in the scheme (``NAME_x``, ``x_NAME``, ``NAME.x``), or numbered in order (``p0_x``, ``part_0_x``,
``x0``, or plain ``0 .. 2K-1``, x and y in turn). An empty cell or ``nan`` means not labelled. Cells
are separated by comma, semicolon, tab or ``|``. Several rows of one image are its faces; nasion
writes the second one as ``photo.jpg#2``. Pixels of the source image, pixel centres at integers.
Images lie beside the table, or in one folder beside it.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from nasion.data.datasets import _table_header
from nasion.data.datasets._image_names import image_of_face, photograph_group
from nasion.data.datasets._label_files import check_split, known_box, labelled_images
from nasion.data.datasets._points_table import given_table, image_folder, read_table, table_at
from nasion.data.datasets._table_header import (
    BOX_COLUMNS,
    is_points_header,
    read_first_line,
    read_header,
    table_scheme,
    why_no_points,
)
from nasion.data.record_faults import Faults
from nasion.errors import DataError
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_as_text
from nasion.media.files import write_text

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("boxes",)  # of what labels may have beside points


def recognises(root: Path) -> bool:
    """True for a table whose header has a box or a point, or a folder with one such."""
    path = table_at(root)
    return path is not None and is_points_header(read_header(path))


def pixel_origin(root: Path) -> int:
    """What the table calls the first pixel."""
    return _table_header.pixel_origin(read_header(given_table(root)))


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a table. Group: photograph (linked), if an image has several faces.

    ``scheme``: if it does not fit the header, the scheme with the header's names or number of
    points is taken instead.
    """
    check_split(split, SPLITS, "points_csv")
    root = given_table(root)
    first_line = read_first_line(root)
    if "Image" not in first_line and (reason := why_no_points(first_line)):
        raise DataError(f"{root}: {reason}.")
    scheme = table_scheme(root, scheme)
    ids, points, boxes = read_table(root, scheme, faults, labels=True)
    folder = image_folder(root, ids)
    names = [image_of_face(face, folder) for face in ids]
    groups = photograph_group(names)
    return Faces(
        scheme=scheme,
        ids=ids,
        images=tuple(folder / name for name in names),
        points=points,
        boxes=boxes,
        groups=groups,
        linked=tuple(groups),
    )


def read_predictions(path: Path, scheme: Scheme) -> Predictions:
    """Any tool's predicted points in the same layout; in ``scheme``, or the one of the header."""
    scheme = table_scheme(path, scheme)
    ids, points, _ = read_table(path, scheme, None)
    return Predictions(scheme=scheme, ids=ids, points=points)


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``labels.csv``: a row per face with its image, its box if any has one, its points."""
    points = faces.scheme.points
    has_boxes = faces.boxes is not None and not np.isnan(faces.boxes).all()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    boxes = BOX_COLUMNS if has_boxes else ()
    writer.writerow(["image", *boxes, *(f"{point}_{axis}" for point in points for axis in "xy")])
    for image in labelled_images(faces, folder / IMAGE_FOLDER):
        for i in image.faces:
            box = (known_box(faces, i) or (math.nan,) * 4) if has_boxes else ()
            writer.writerow([image.name, *_cells([*box, *faces.points[i].reshape(-1).tolist()])])
    path = folder / "labels.csv"
    write_text(path, text.getvalue())
    return path


def _cells(values: list[float]) -> list[str]:
    """Nine digits, so that float32 is read back exactly; empty for NaN."""
    return ["" if math.isnan(v) else f"{v:.9g}" for v in values]


def write(predictions: Predictions | Faces, path: Path) -> None:
    """One row per face with named columns; nine digits, so that float32 is read back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    points = predictions.scheme.points
    writer.writerow(["face", *(f"{point}_{axis}" for point in points for axis in "xy")])
    for name, xy in zip(predictions.ids, predictions.points, strict=True):
        writer.writerow([name_as_text(name), *_cells(xy.reshape(-1).tolist())])
    write_text(path, text.getvalue())
