"""Submission files, in exactly the format that the judge takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasion.datasets import fkd, imglab
from nasion.errors import DataError, RunError, SettingError
from nasion.files import write_text
from nasion.load import load_faces
from nasion.predict import Model
from nasion.schemes import fkd15, ibug68


def kaggle(model: Model, data: Path, lookup_file: Path | None = None) -> str:
    """``RowId,Location`` for every row that Kaggle's look-up table asks for, values clipped to the picture (0 to 96).

    Raises ``DataError`` if the table asks for an image that the test set lacks, ``RunError`` if the model lacks a point.
    """
    path = lookup_file or (data if data.is_dir() else data.parent) / fkd.LOOKUP
    lookup = fkd.read_lookup(path)
    faces = load_faces("fkd", data, "test")
    row_of = {int(name.rpartition("/")[2]): row for row, name in enumerate(faces.ids)}
    unknown = sorted({image for image in lookup.image_ids if image not in row_of})
    if unknown:
        raise DataError(f"{path} asks for ImageId {unknown[0]}, which is not among the {len(faces)} test images ({len(unknown)} such in all).")
    asked = fkd.asked_points(lookup)
    wanted = np.array(fkd15.points)[np.any(list(asked.values()), axis=0)]
    lacking = [point for point in wanted if point not in model.recipe.scheme]
    if lacking:
        raise RunError(f"The look-up table asks for {lacking[0]}, which this run (scheme {model.recipe.scheme.name}) does not predict.")
    points = model.predict(faces).to(fkd15).points.reshape(len(faces), -1)
    at = [(row_of[image], fkd.COLUMNS.index(column)) for image, column in zip(lookup.image_ids, lookup.columns, strict=True)]
    values = np.clip(points[tuple(np.array(at).T)].astype(np.float64), 0, fkd.SIDE)
    return "RowId,Location\n" + "".join(f"{row},{value:.5f}\n" for row, value in zip(lookup.row_ids, values.tolist(), strict=True))


def course68(model: Model, data: Path) -> str:
    """``Id,Predicted`` for the 68 points of every box of an imglab file, in the file's order, in pixels of the whole pictures.

    Id = box * 136 + 2 * point + axis, from 0. Raises ``RunError`` if the model lacks a point, ``DataError`` if a picture is
    not there.
    """
    if not imglab.recognises(data):
        raise DataError(f"{data} is no imglab XML file; the course's submission follows the order of one (labels_ibug_300W_test_parsed.xml).")
    faces = load_faces("imglab", data, scheme=ibug68)
    lacking = [point for point in ibug68.points if point not in model.recipe.scheme]
    if lacking:
        raise RunError(f"The course asks for {lacking[0]}, which this run (scheme {model.recipe.scheme.name}) does not predict.")
    absent = [picture for picture in faces.images if isinstance(picture, Path) and not picture.is_file()]
    if absent:
        raise DataError(f"{data} names {absent[0].name}, which is not at {absent[0]} ({len(absent)} such in all); put the pictures beside the file.")
    values = model.predict(faces).to(ibug68).points.reshape(-1)
    return "Id,Predicted\n" + "".join(f"{row},{value:.5f}\n" for row, value in enumerate(values.tolist()))


FORMATS = {"kaggle": kaggle, "course68": course68}


def write(model: Model, data: Path, form: str, out: Path) -> int:
    """Write the submission in one of ``FORMATS``; how many rows it has."""
    if form not in FORMATS:
        raise SettingError(f"No submission format {form!r}; there is {', '.join(FORMATS)}.")
    text = FORMATS[form](model, data)
    write_text(out, text)
    return text.count("\n") - 1
