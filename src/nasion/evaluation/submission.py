"""Submission files, in exactly the format that the competition takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nasion.data.datasets import fkd, imglab
from nasion.data.datasets._pixel_table import SIDE
from nasion.data.load import load_faces
from nasion.errors import DataError, RunError, SettingError
from nasion.inference.predictor import Predictor
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.media.files import write_text


def kaggle(model: Predictor, data: Path, lookup_file: Path | None = None) -> str:
    """``RowId,Location`` for every row of Kaggle's lookup table, clipped to the image (0 to 96).

    Raises ``DataError`` if the table asks for an image that the test set lacks, and ``RunError`` if
    the model lacks a point.
    """
    path = lookup_file or (data if data.is_dir() else data.parent) / fkd.LOOKUP
    lookup = fkd.read_lookup(path)
    faces = load_faces("fkd", data, "test")
    row_of = {int(name.rpartition("/")[2]): row for row, name in enumerate(faces.ids)}
    unknown = sorted({image for image in lookup.image_ids if image not in row_of})
    if unknown:
        raise DataError(
            f"{path} asks for ImageId {unknown[0]}, which is not among the {len(faces)} "
            f"test images ({len(unknown)} such in all)."
        )
    requested = np.any(list(fkd.requested_points(lookup).values()), axis=0)
    points = np.array(fkd15.points)[requested].tolist()
    _require_points(model, points, "The lookup table")
    values = model.predict(faces).to(fkd15).points.reshape(len(faces), -1)
    asked = zip(lookup.image_ids, lookup.columns, strict=True)
    at = np.array([(row_of[image], fkd.COLUMNS.index(column)) for image, column in asked])
    # One value for each row of the table: a pair of indices, image and coordinate.
    clipped = np.clip(values[at[:, 0], at[:, 1]].astype(np.float64), 0, SIDE)
    rows = zip(lookup.row_ids, clipped.tolist(), strict=True)
    return "RowId,Location\n" + "".join(f"{row},{value:.5f}\n" for row, value in rows)


def course68(model: Predictor, data: Path) -> str:
    """``Id,Predicted`` for the 68 points of every box of an imglab file, in the file's order.

    In pixels of the whole images; Id = box * 136 + 2 * point + axis, from 0. Raises ``RunError`` if
    the model lacks a point, and ``DataError`` if an image is missing.
    """
    if not imglab.recognises(data):
        raise DataError(
            f"{data} is not an imglab XML file; the course's submission follows the order of one "
            "(labels_ibug_300W_test_parsed.xml)."
        )
    faces = load_faces("imglab", data, scheme=ibug68)
    _require_points(model, ibug68.points, "The course")
    missing = [p for p in faces.images if isinstance(p, Path) and not p.is_file()]
    if missing:
        raise DataError(
            f"{data} names {missing[0].name}, which is not at {missing[0]} "
            f"({len(missing)} such in all); put the images beside the file."
        )
    values = model.predict(faces).to(ibug68).points.reshape(-1).tolist()
    return "Id,Predicted\n" + "".join(f"{row},{value:.5f}\n" for row, value in enumerate(values))


FORMATS: dict[str, Callable[..., str]] = {"kaggle": kaggle, "course68": course68}


def write(model: Predictor, data: Path, form: str, path: Path) -> int:
    """Write the submission in one of ``FORMATS``; returns how many rows it has."""
    if form not in FORMATS:
        raise SettingError(f"No submission format {form!r}; there are {', '.join(FORMATS)}.")
    text = FORMATS[form](model, data)
    write_text(path, text)
    return text.count("\n") - 1


def _require_points(model: Predictor, points: list[str] | tuple[str, ...], who: str) -> None:
    scheme = model.spec.scheme
    lacking = [point for point in points if point not in scheme.known_as]
    if lacking:
        raise RunError(
            f"{who} asks for {lacking[0]}, which this run (scheme {scheme.name}) does not predict."
        )
