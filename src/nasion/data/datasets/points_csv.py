"""A CSV table of points in any scheme, one face per row: labels, or predictions of any tool.

First column: the face (its image file or any id). Then optionally ``box_x0, box_y0, box_x1,
box_y1``, then x and y of each point: ``<name>_x, <name>_y`` in the scheme's names, or in order as
``p0_x, p0_y ..``, ``part_0_x, part_0_y ..`` or ``0 .. 2K-1``. An empty cell or ``nan`` means not
labelled. Pixels of the source image, pixel centres at integers. Images lie beside the table, or in
one folder beside it.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from nasion.data.datasets._points_table import (
    image_folder,
    read_header,
    read_table,
    table_scheme,
)
from nasion.data.record_faults import Faults
from nasion.errors import SettingError
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.scheme import Scheme
from nasion.media.file_names import name_as_text
from nasion.media.files import write_text

SCHEME = None
SPLITS = ("all",)


def recognises(root: Path) -> bool:
    """True for a CSV file whose header begins with a box or a point, or a folder with one such."""
    if root.is_dir():
        tables = list(root.glob("*.csv"))
        return len(tables) == 1 and recognises(tables[0])
    if not root.is_file() or root.suffix not in (".csv", ".gz") or root.stat().st_size == 0:
        return False
    header = read_header(root)
    if len(header) < 3 or "Image" in header:
        return False
    if "box_x0" in header or header[1] in ("0", "p0_x", "part_0_x"):
        return True
    # A second x here is a fault that reading names.
    return header[1].endswith("_x") and header[2].endswith(("_x", "_y"))


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a table.

    ``scheme``: if it does not fit the header, the scheme with the header's names or number of
    points is taken instead.
    """
    if split not in SPLITS:
        splits = ", ".join(SPLITS)
        raise SettingError(f"No split {split!r} in a table of points; it has {splits}.")
    root = next(root.glob("*.csv"), root) if root.is_dir() else root
    scheme = table_scheme(root, scheme)
    ids, points, boxes = read_table(root, scheme, faults)
    folder = image_folder(root, ids[0])
    images = tuple(folder / name for name in ids)
    return Faces(scheme=scheme, ids=ids, images=images, points=points, boxes=boxes)


def read_predictions(path: Path, scheme: Scheme) -> Predictions:
    """Any tool's predicted points in the same layout; in ``scheme``, or the one of the header."""
    scheme = table_scheme(path, scheme)
    ids, points, _ = read_table(path, scheme, None)
    return Predictions(scheme=scheme, ids=ids, points=points)


def write(predictions: Predictions | Faces, path: Path) -> None:
    """One row per face with named columns; nine digits, so that float32 is read back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    points = predictions.scheme.points
    writer.writerow(["face", *(f"{point}_{axis}" for point in points for axis in "xy")])
    for name, xy in zip(predictions.ids, predictions.points, strict=True):
        values = ["" if math.isnan(v) else f"{v:.9g}" for v in xy.reshape(-1).tolist()]
        writer.writerow([name_as_text(name), *values])
    write_text(path, text.getvalue())
