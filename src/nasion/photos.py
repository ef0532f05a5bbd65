"""One's own photographs: faces by boxes that are given, and their points drawn into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nasion import draw
from nasion.datasets import imglab, points_csv
from nasion.datasets._points_table import read_boxes
from nasion.errors import DataError, SettingError
from nasion.faces import Faces
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
    found = _from_table(table) if table is not None else {}
    ids, pictures, places = [], [], []
    for photo in photos:
        picture_size(photo)  # an unreadable picture is refused before any work is done
        own = [_box(text) for text in boxes] if boxes else found.get(photo.name, [])
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


def _from_table(path: Path) -> dict[str, list[Box]]:
    """Boxes by the pictures' names."""
    if path.suffix == ".xml":
        faces = imglab.read(path)
        names, boxes = [Path(str(picture)).name for picture in faces.images], np.asarray(faces.boxes)
    else:
        names, boxes = read_boxes(path)
    found: dict[str, list[Box]] = {}
    for name, box in zip(names, boxes.tolist(), strict=True):
        found.setdefault(name, []).append(tuple(box))
    return found


def write(model: Model, faces: Faces, folder: Path) -> Path:
    """Predict, and write each photograph with its points, ``predictions.csv``, and ``report.html``, whose path it tells."""
    found = model(faces.images, faces.boxes, faces.ids)
    points_csv.write(found, folder / "predictions.csv")
    by_photo: dict[Path, list[int]] = {}
    for i, photo in enumerate(faces.images):
        by_photo.setdefault(Path(str(photo)), []).append(i)
    shown = []
    for number, (photo, at) in enumerate(by_photo.items()):
        image = open_picture(photo, colour=True)
        radius = max(1.5, max(image.shape[:2]) / 250)
        drawn = draw.marked(image, [(found.points[i], draw.PREDICTION) for i in at[:1]], radius=radius)
        for i in at[1:]:
            drawn = draw.marked(drawn, [(found.points[i], draw.PREDICTION)], radius=radius)
        twice = sum(other.name == photo.name for other in by_photo) > 1
        draw.save(drawn, folder / f"{f'{number}-' if twice else ''}{photo.stem}.png")
        shown.append(picture(photo.name, drawn, f"{len(at)} face{'s' if len(at) > 1 else ''}"))
    title, subtitle = f"Points on {len(by_photo)} photographs", f"{len(faces)} faces, scheme {found.scheme.name}"
    write_text(folder / "report.html", rendered("pictures", title=title, subtitle=subtitle, pictures=shown))
    return folder / "report.html"
