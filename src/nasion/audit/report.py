"""An audit's files: ``audit.json``, ``suspects.csv``, and a sheet of pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nasion.data.suspects import FILE, Audit, Suspect
from nasion.evaluation import face_tiles, plots
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import points_box
from nasion.media.files import write_text

CSV, SHEET = "suspects.csv", "suspects.png"
MOST_PICTURES = 64
_MOST_LETTERS = 36  # of a caption


def write_report(audit: Audit, listed: Sequence[Suspect], faces: Faces, folder: Path) -> None:
    """All three into a folder. ``listed``: the suspects of the table and the sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    audit.write(folder / FILE)
    write_text(folder / CSV, _table(listed))
    if listed:
        plots.save(suspect_sheet(listed, faces), folder / SHEET)
    else:
        (folder / SHEET).unlink(missing_ok=True)


def _table(listed: Sequence[Suspect]) -> str:
    """One row for each suspect point."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ["face", "kind", "chance", "point", "x", "y", "predicted_x", "predicted_y", "point_chance"]
    )
    for suspect in listed:
        columns = (suspect.points, suspect.labels, suspect.predicted, suspect.wrong)
        for point, label, predicted, wrong in zip(*columns, strict=True):
            rows.writerow(
                [suspect.face, suspect.kind, suspect.chance, point, *label, *predicted, wrong]
            )
    return text.getvalue()


def suspect_sheet(listed: Sequence[Suspect], faces: Faces) -> np.ndarray:
    """The first suspects: labels in green, and where suspect ones were predicted in orange."""
    row = {face: i for i, face in enumerate(faces.ids)}
    shown = [suspect for suspect in listed if suspect.face in row][:MOST_PICTURES]
    tiles = []
    for suspect in shown:
        i = row[suspect.face]
        predicted = np.full_like(faces.points[i], np.nan)
        predicted[faces.scheme.index(suspect.points)] = suspect.predicted
        both = np.concatenate([faces.points[i], predicted])[None]
        face = replace(faces[i], boxes=points_box(both).astype(np.float32))
        marks = [(faces.points[i], face_tiles.TRUTH), (predicted, face_tiles.PREDICTION)]
        caption = f"{suspect.chance:.2f} {suspect.kind}, {suspect.face}"[:_MOST_LETTERS]
        tiles.append(face_tiles.tile(face, 0, marks, caption))
    return face_tiles.sheet(tiles)
