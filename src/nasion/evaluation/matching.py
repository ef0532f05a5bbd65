"""Match predictions to labelled faces: by id or file name, and within an image by position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from nasion import prediction_formats
from nasion.array_types import Float64
from nasion.data.datasets import ibug68, points_csv
from nasion.data.datasets._image_names import NUMBERED_FACE, with_slashes
from nasion.data.missing_values import missing_points
from nasion.errors import SettingError
from nasion.landmarks.catalog import SCHEMES
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.scheme import Scheme
from nasion.media.signatures import IMAGE_SUFFIXES
from nasion.prediction_formats import PredictedFace
from nasion.prediction_formats import csv as predicted_tables

_log = logging.getLogger(__name__)
_Key = Callable[[str], str]
_MAX_TAIL = 6  # folders of a path, and its file, by which images are told apart


def read_predictions(path: Path, faces: Faces, missing: str | None = None) -> Predictions:
    """Predictions for these faces from a file of any format in ``prediction_formats``.

    If an image has several faces, each labelled one gets the nearest predicted one. ``missing``:
    numbers that stand for points not predicted, as in ``data.missing_values``. Raises
    ``DataError`` for a file of no known format, with its line if it has lines, and
    ``SettingError`` if no prediction is for any of these faces.
    """
    scheme, predicted = prediction_formats.read(path, faces.scheme)
    scheme = _scheme_by_order(path, scheme, faces.scheme)
    return assign(faces, scheme, _without_stand_ins(path, scheme, predicted, missing))


def _without_stand_ins(
    path: Path, scheme: Scheme, predicted: Sequence[PredictedFace], missing: str | None
) -> Sequence[PredictedFace]:
    """The faces with NaN for points whose numbers stand for "not predicted"."""
    if not predicted:
        return predicted
    points = np.stack([each.points for each in predicted])
    written = points + _origin(path)
    gone = missing_points(written, written, scheme, missing, path.name)
    if not gone.any():
        return predicted
    return [
        replace(each, points=np.where(gone[i][:, None], np.nan, each.points))
        for i, each in enumerate(predicted)
    ]


def _origin(path: Path) -> int:
    """What a predictions file calls the first pixel: .pts files count from 1, some tables too."""
    if path.is_dir():
        return ibug68.PIXEL_ORIGIN
    return points_csv.pixel_origin(path) if predicted_tables.recognises(path) else 0


def _scheme_by_order(path: Path, theirs: Scheme, ours: Scheme) -> Scheme:
    """The labels' scheme for predictions of as many points whose names mean nothing in it."""
    if theirs.matches(ours) or len(theirs) != len(ours):
        return theirs
    # Places that the catalog knows are other places.
    if set(theirs.known_as) & {point for scheme in SCHEMES.values() for point in scheme.points}:
        return theirs
    _log.info(
        "%s: its points are named %s, ...; they are matched by their order to the %d points of %s.",
        path.name,
        theirs.points[0],
        len(ours),
        ours.name,
    )
    return ours


def assign(faces: Faces, scheme: Scheme, predicted: Sequence[PredictedFace]) -> Predictions:
    """Each labelled face with the nearest prediction of its image, each prediction once.

    What is left over is named by its place in the predictions file.
    """
    face_images, predicted_images = _image_keys(faces, predicted)
    labels = faces.to(scheme).points.astype(np.float64)
    names: list[str | None] = [None] * len(predicted)
    faces_of, predictions_of = _positions(face_images), _positions(predicted_images)
    for image, there in predictions_of.items():
        here = faces_of.get(image, [])
        distance = {
            (i, j): _mean_distance(labels[i], predicted[j].points) for i in here for j in there
        }
        # Greedy: the closest pair first, then the closest of what is left.
        for i, j in sorted(distance, key=lambda pair: distance[pair]):
            if i in here and j in there:
                names[j] = faces.ids[i]
                here.remove(i)
                there.remove(j)
    taken = set(faces.ids)
    for j, each in enumerate(predicted):
        if names[j] is None:
            # A name that no face has, so that it is listed as a prediction of no face.
            names[j] = _unused(each.place, taken)
            taken.add(names[j] or "")
    points = np.array([each.points for each in predicted], dtype=np.float32)
    scores = None
    if predicted and all(each.scores is not None for each in predicted):
        scores = np.array([each.scores for each in predicted], dtype=np.float32)
    visible = None
    if predicted and all(each.visible is not None for each in predicted):
        visible = np.array([each.visible for each in predicted], dtype=np.float32)
    ids = tuple(name or "" for name in names)
    shaped = points.reshape(-1, len(scheme), 2)
    return Predictions(scheme=scheme, ids=ids, points=shaped, scores=scores, visible=visible)


def match_by_id(predictions: Predictions, faces: Faces) -> tuple[Predictions, list[str], list[str]]:
    """Predictions in the order of the faces, NaN without one; ids without a partner.

    Returns (predictions, faces without a prediction, predictions without a face). Ids are compared;
    if they do not agree, the images' files, with or without folder and suffix, if unambiguous.
    """
    are_files = all(isinstance(image, Path) for image in faces.images)
    files = [str(image) for image in faces.images]
    if not are_files:
        files = [name for name in faces.ids if PurePath(name).suffix]
    ways: list[tuple[_Key, Sequence[str]]] = [
        (str, faces.ids), (str, files), (_file_name, files), (_stem, files),
    ]  # fmt: skip
    for key, names in ways:
        # Two predictions of one key leave one entry, which the lengths tell.
        at = {key(name): i for i, name in enumerate(predictions.ids)}
        wanted = [key(name) for name in names]
        unambiguous = len(at) == len(predictions) and len(set(wanted)) == len(wanted) == len(faces)
        if unambiguous and any(name in at for name in wanted):
            break
    else:
        predicted = predictions.ids[0] if len(predictions) else "nothing"
        raise SettingError(
            f"No prediction is for any of these faces: predictions are named as {predicted!r}, "
            f"faces as {faces.ids[0]!r}. The first column must hold the faces' ids or file names."
        )
    rows = [row for row, name in enumerate(wanted) if name in at]
    taken = [at[wanted[row]] for row in rows]
    values = {}
    for column in ("points", "scores", "expected", "visible"):
        given = getattr(predictions, column)
        if given is not None:
            values[column] = np.full((len(faces), *given.shape[1:]), np.nan, dtype=np.float32)
            values[column][rows] = given[taken]
    missing = [faces.ids[row] for row, name in enumerate(wanted) if name not in at]
    known = set(wanted)
    extra = [predictions.ids[i] for name, i in at.items() if name not in known]
    return Predictions(scheme=predictions.scheme, ids=faces.ids, **values), missing, extra


def _image_keys(faces: Faces, predicted: Sequence[PredictedFace]) -> tuple[list[str], list[str]]:
    """What images are called, for the faces and for the predictions.

    Whole paths or ids if these agree, else file names, else with as many folders as tell them
    apart, else stems.
    """
    images = zip(faces.images, faces.ids, strict=True)
    files = [str(image) if isinstance(image, Path) else name for image, name in images]
    ways: list[tuple[_Key, Sequence[str]]] = [
        (str, files), (str, _image_ids(faces)), (_file_name, files),
        *((partial(_tail, parts), files) for parts in range(2, _MAX_TAIL + 1)), (_stem, files),
    ]  # fmt: skip
    for key, names in ways:
        of_faces = [key(name) for name in names]
        of_predictions = [key(each.image) for each in predicted]
        # A name that several files share would mix them up.
        distinct = len(set(zip(files, of_faces, strict=True))) == len(set(of_faces))
        if distinct and set(of_faces) & set(of_predictions):
            return of_faces, of_predictions
    first = predicted[0].image if predicted else "nothing"
    stems = [_stem(each.image) for each in predicted]
    shared = next((file for file in files if _stem(file) in stems), None)
    raise SettingError(
        f"No prediction is for any of these faces: predictions are of {first!r}, "
        f"faces of {files[0]!r}."
        if shared is None
        else f"Predictions of {_stem(shared)!r} could be of several labelled images, as {shared}: "
        "give predictions whose images are named with their folders (json, jsonl, csv or coco)."
    )


def _image_ids(faces: Faces) -> list[str]:
    """The faces' ids; of several faces of an image, ``photo.jpg#2`` as ``photo.jpg``."""
    known = set(faces.ids)
    found = []
    for face in faces.ids:
        numbered = NUMBERED_FACE.fullmatch(face)
        found.append(numbered[1] if numbered and numbered[1] in known else face)
    return found


def _file_name(name: str) -> str:
    return PurePath(with_slashes(name)).name


def _tail(parts: int, name: str) -> str:
    """The name and the folders before it, as many as make ``parts``: data lie elsewhere there."""
    return "/".join(PurePath(with_slashes(name)).parts[-parts:])


def _stem(name: str) -> str:
    """The file's name without the suffix of an image; ``ann.smith``, of a .pts file, has none."""
    path = PurePath(with_slashes(name))
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def _positions(keys: Sequence[str]) -> dict[str, list[int]]:
    """The positions of each key."""
    found: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, []).append(i)
    return found


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    return name


def _mean_distance(labels: Float64[np.ndarray, "K 2"], points: Float64[np.ndarray, "K 2"]) -> float:
    distances = np.linalg.norm(labels - points, axis=1)
    return float(np.nanmean(distances)) if np.isfinite(distances).any() else np.inf
