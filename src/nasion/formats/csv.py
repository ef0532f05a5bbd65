"""A table with one row per face: its name, box and score, x and y of each point, and how sure each is; in clips also time and track."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from nasion.formats import Found, face_ids, scheme_of

ENDING = ".csv"


def text(found: Sequence[Found]) -> str:
    scheme = scheme_of(found)
    points = scheme.points if scheme else ()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    clips = any(picture.seconds is not None for picture in found)
    columns = [*(f"{point}_{axis}" for point in points for axis in "xy"), *(f"{point}_score" for point in points)]
    writer.writerow(["face", "box_x0", "box_y0", "box_x1", "box_y1", "face_score", *columns, *(("seconds", "track") if clips else ())])
    faces = [(face, picture.seconds) for picture in found for face in picture.faces]
    for name, (face, seconds) in zip(face_ids(found), faces, strict=True):
        scores = [""] * len(points) if face.scores is None else [f"{score:.4f}" for score in face.scores.tolist()]
        places = [f"{value:.9g}" for value in (*face.box.tolist(), face.score, *face.points.reshape(-1).tolist())]
        when = ["" if seconds is None else f"{seconds:.4f}", "" if face.track is None else face.track] if clips else []
        writer.writerow([name, *places, *scores, *when])
    return table.getvalue()
