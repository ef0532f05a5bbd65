"""The faces of nasion's JSON and JSON lines, as predict writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasion.array_types import Bool
from nasion.data.datasets._face_records import (
    checked_box,
    checked_scores,
    own_scheme,
    read_text_document,
)
from nasion.data.face_record import FaceRecord
from nasion.errors import DataError
from nasion.landmarks.catalog import SCHEMES
from nasion.landmarks.face import VISIBLE
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import from_document
from nasion.media.files import read_text
from nasion.media.json_document import Document, parse_document

_REMEDY = (
    "correct it, or write it again: nasion's json and jsonl have image, faces, points and "
    "point_names."
)


def read_predicted(path: Path) -> Document:
    """The value of a JSON file."""
    return read_text_document(path, _REMEDY)


def read_json(path: Path, scheme: Scheme | None) -> tuple[Scheme, list[FaceRecord]]:
    """(scheme, faces) of a JSON file. ``scheme``: that of files which found no face."""
    document = read_predicted(path)
    names = document.get("point_names", "names")
    # The file says which points it has; other files take the given scheme.
    if names is not None and names.elements():
        scheme = _file_scheme(document, names, scheme)
    elif names is None or scheme is None:
        raise document.error("it has no 'point_names', which name the points of each face")
    faces: list[FaceRecord] = []
    for image in _one_of(document, "images", "pictures").elements():
        faces += _faces_of_image(image, scheme, "")
    return scheme, faces


def _file_scheme(document: Document, names: Document, requested: Scheme | None) -> Scheme:
    """The scheme of the file's names: ``requested`` if it has them, else as the file defines it."""
    points = tuple(name.text() for name in names.elements())
    given = document.get("scheme_definition")
    if given is None or (requested is not None and requested.points == points):
        own = document.get("scheme")
        return own_scheme(names, requested, "json" if own is None else own.text())
    scheme = from_document(given)
    if scheme.points != points:
        raise given["points"].error("other points than the file's 'point_names'")
    return scheme


def read_json_lines(path: Path, scheme: Scheme | None) -> tuple[Scheme, list[FaceRecord]]:
    """(scheme, faces) of a file with one JSON value per line and image, which names its scheme.

    A line may define its scheme; lines below it name the same. ``scheme``: that of lines which name
    none, or one that neither a line above nor the catalog has.
    """
    faces: list[FaceRecord] = []
    requested, known = scheme, SCHEMES
    # Not splitlines, which also splits at characters that text in JSON may hold.
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        image = parse_document(text, f"{path} line {number}", remedy=_REMEDY)
        given, named = image.get("scheme_definition"), image.get("scheme")
        if given is not None:
            defined = from_document(given)
            # As of a JSON file: what is requested may know more of the same points.
            has_same = requested is not None and requested.points == defined.points
            known = {**known, defined.name: requested if requested and has_same else defined}
        own = scheme if named is None else known.get(named.text(), requested)
        if not image["faces"].elements():
            continue
        if own is None:
            raise image.error("it names no scheme that nasion knows, so name it (--scheme)")
        if faces and scheme is not None and own != scheme:
            raise DataError(
                f"{image.place}: faces of scheme {own.name} after ones of {scheme.name}; "
                "give one file per scheme."
            )
        scheme = own
        faces += _faces_of_image(image, scheme, f" (line {number})")
    if scheme is None:
        raise DataError(f"{path}: it has no face.")
    return scheme, faces


def _faces_of_image(image: Document, scheme: Scheme, suffix: str) -> list[FaceRecord]:
    """The faces of an image's value; ``suffix``: added to each face's place."""
    name = _one_of(image, "image", "picture").file_name()
    found = []
    for k, face in enumerate(image["faces"].elements(), start=1):
        points = face["points"].points(len(scheme), f"scheme {scheme.name}")
        scores = checked_scores(face.get("scores"), len(scheme))
        visible = checked_scores(face.get("visible"), len(scheme))
        box = checked_box(face.get("box"), is_size=False)
        occluded = _flags(face.get("occluded"), len(scheme))
        if occluded is None and visible is not None:
            occluded = (np.array(visible) < VISIBLE) & ~np.isnan(points[:, 0])
        place = f"{name} face {k}{suffix}"
        found.append(FaceRecord(name, points, place, scores, box, occluded, visible))
    return found


def _one_of(document: Document, key: str, old_key: str) -> Document:
    """The value under a key, or under the name that nasion 0.1 had for it."""
    return document[old_key if old_key in document.object() else key]


def _flags(values: Document | None, count: int) -> Bool[np.ndarray, " K"] | None:
    """Which points are occluded, as written for labels."""
    if values is None:
        return None
    flags = [each.flag() for each in values.elements()]
    if len(flags) != count:
        raise values.error(f"{len(flags)} values, {count} expected, one for each point")
    return np.array(flags, dtype=bool)
