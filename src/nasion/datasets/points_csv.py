"""Points in a CSV table, one face a row: truth or predictions of any tool.

First column: the face (its picture file or any id). Then optionally ``box_x0, box_y0, box_x1, box_y1``, then x and y of each
point: ``<name>_x, <name>_y`` in the scheme's names, or in order as ``p0_x, p0_y ..``, ``part_0_x, part_0_y ..`` or ``0 .. 2K-1``.
An empty cell or ``nan`` is not labelled. Pixels of the source picture, pixel centres at integers. Pictures lie beside the
table, or in one folder beside it.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from nasion.datasets._faults import Faults
from nasion.datasets._points_table import HEAD, header_of, picture_folder, scheme_meant, table
from nasion.errors import SettingError
from nasion.faces import Faces, Predictions
from nasion.files import opened, write_text
from nasion.scheme import Scheme

SCHEME = None
SPLITS = ("all",)


def recognises(root: Path) -> bool:
    """True for a CSV file whose header has a box, or x and y of a point after the first column, or a folder with one such."""
    if root.is_dir():
        tables = list(root.glob("*.csv"))
        return len(tables) == 1 and recognises(tables[0])
    if not root.is_file() or root.suffix not in (".csv", ".gz") or root.stat().st_size == 0:
        return False
    with opened(root) as stream:
        header = header_of(stream.read(HEAD))
    if len(header) < 3 or "Image" in header:
        return False
    return "box_x0" in header or header[1] in ("0", "p0_x", "part_0_x") or (header[1].endswith("_x") and header[2] == header[1][:-1] + "y")


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """The faces of a table; ``scheme`` None, or one that does not fit: the one whose names or number of points it has."""
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in a table of points; it has {', '.join(SPLITS)}.")
    root = next(root.glob("*.csv"), root) if root.is_dir() else root
    meant = scheme_meant(root, scheme)
    ids, points, boxes = table(root, meant, faults)
    folder = picture_folder(root, ids[0])
    return Faces(scheme=meant, ids=ids, images=tuple(folder / name for name in ids), points=points, boxes=boxes)


def read_predictions(path: Path, scheme: Scheme) -> Predictions:
    """Any tool's predicted points, in the same layout; in ``scheme``, or in the one that the header tells."""
    meant = scheme_meant(path, scheme)
    ids, points, _ = table(path, meant, None)
    return Predictions(scheme=meant, ids=ids, points=points)


def write(predictions: Predictions | Faces, path: Path) -> None:
    """One row per face with named columns; nine digits, so that float32 comes back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["face", *(f"{point}_{axis}" for point in predictions.scheme.points for axis in "xy")])
    for name, points in zip(predictions.ids, predictions.points, strict=True):
        writer.writerow([name, *("" if math.isnan(v) else f"{v:.9g}" for v in points.reshape(-1).tolist())])
    write_text(path, text.getvalue())
