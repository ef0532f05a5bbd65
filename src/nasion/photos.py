"""One's own photographs: faces by boxes that are given, and their points drawn into them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from nasion import draw
from nasion.datasets import imglab, points_csv
from nasion.datasets._points_table import read_boxes
from nasion.errors import DataError, SettingError
from nasion.faces import Faces, crop_boxes
from nasion.files import open_picture, picture_size, write_text
from nasion.page import picture, rendered
from nasion.predict import Model
from nasion.schemes import imm_nose

Box = tuple[float, float, float, float]


def placed(photos: Sequence[Path], boxes: Sequence[str], table: Path | None = None) -> Faces:
    """One face per box, without labels; the whole picture where none is given. ``boxes`` as ``x0,y0,x1,y1`` are of the one photograph.

    Raises ``SettingError`` for a box that cannot be meant, ``DataError`` for a picture that is missing from the table.
    """
    if boxes and (len(photos) > 1 or table is not None):
        raise SettingError("--box is for one photograph; give the boxes of several as a table, --boxes FILE.")
    rows = _from_table(table) if table is not None else []
    ids, pictures, places = [], [], []
    for photo in photos:
        picture_size(photo)  # an unreadable picture is refused before any work is done
        own = [_box(text) for text in boxes] if boxes else _of(photo, photos, rows)
        if table is not None and not own:
            raise DataError(f"{table} has no box for {photo.name}; add one, or leave the picture out.")
        for number, place in enumerate(own or [(np.nan,) * 4]):
            ids.append(str(photo) if len(own) < 2 else f"{photo}#{number}")
            pictures.append(photo)
            places.append(place)
    nothing = np.full((len(ids), 1, 2), np.nan, dtype=np.float32)
    return Faces(scheme=imm_nose, ids=tuple(ids), images=tuple(pictures), points=nothing, boxes=np.array(places, dtype=np.float32))


def _box(text: str) -> Box:
    try:
        x0, y0, x1, y1 = map(float, text.split(","))
        if not (np.isfinite([x0, y0, x1, y1]).all() and x1 > x0 and y1 > y0):
            raise ValueError
    except ValueError:
        raise SettingError(f"--box {text}: x0,y0,x1,y1 in pixels expected, with x1 above x0 and y1 above y0.") from None
    return x0, y0, x1, y1


def _from_table(path: Path) -> list[tuple[Path, Box]]:
    """(picture, box) of each row or box of a file."""
    names, boxes = imglab.read_boxes(path) if path.suffix == ".xml" else read_boxes(path)
    return [(Path(name), tuple(box)) for name, box in zip(names, boxes.tolist(), strict=True)]


def _of(photo: Path, photos: Sequence[Path], rows: Sequence[tuple[Path, Box]]) -> list[Box]:
    """The boxes of a photograph: rows of its name, and of its folders where several photographs have that name."""
    several = sum(other.name == photo.name for other in photos) > 1
    parts = photo.resolve().parts
    fits = [(name, box) for name, box in rows if parts[-len(name.parts) :] == name.parts or (not several and name.name == photo.name)]
    if several and any(len(name.parts) == 1 for name, _ in fits):
        raise DataError(f"Several photographs are called {photo.name}; the table of boxes must name them with their folders.")
    return [box for _, box in fits]


def write(model: Model, faces: Faces, folder: Path) -> Path:
    """Predict, and write each photograph with its points, ``predictions.csv``, and ``report.html``, whose path it tells."""
    found = model(faces.images, faces.boxes, faces.ids)
    boxes = crop_boxes(faces)
    by_photo: dict[Path, list[int]] = {}
    for i, photo in enumerate(faces.images):
        by_photo.setdefault(Path(str(photo)), []).append(i)
    shown = []
    taken: set[str] = set()
    for photo, at in by_photo.items():
        drawn = open_picture(photo, colour=True)
        for i in at:
            # Dots that neither hide a small face nor vanish in a large picture.
            side = float((boxes[i, 2:] - boxes[i, :2]).max())
            drawn = draw.marked(drawn, [(found.points[i], draw.PREDICTION)], radius=min(max(1.0, side / 80), 8.0))
        # Never the photograph's own name: the folder may be the one that it lies in.
        name = next(name for k in count() if (name := f"{photo.stem}-points{f'-{k + 1}' if k else ''}.png") not in taken)
        taken.add(name)
        draw.save(drawn, folder / name)
        shown.append(picture(photo.name, drawn, f"{len(at)} face{'s' if len(at) > 1 else ''}"))
    points_csv.write(found, folder / "predictions.csv")
    title, subtitle = f"Points on {len(by_photo)} photographs", f"{len(faces)} faces, scheme {found.scheme.name}"
    write_text(folder / "report.html", rendered("pictures", title=title, subtitle=subtitle, pictures=shown))
    return folder / "report.html"
