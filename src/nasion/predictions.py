"""Predicted points read back from what nasion writes and other tools use, each face's to the labelled face that it is of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float64

from nasion.datasets import ibug68, points_csv
from nasion.errors import DataError, SettingError
from nasion.faces import Faces, Predictions
from nasion.files import decoded, opened
from nasion.scheme import Scheme
from nasion.schemes import SCHEMES

_NUMBERED = re.compile(r"(.*)#\d+$", re.S)


@dataclass(frozen=True, eq=False)
class _Said:
    """What was said of one face."""

    picture: str
    points: Float64[np.ndarray, "K 2"]
    scores: list[float] | None = None


def read(path: Path, faces: Faces) -> Predictions:
    """Predictions in a ``.csv``, ``.json`` (nasion's or COCO's), ``.jsonl`` or a folder of ``.pts``, for these faces.

    Where a picture has several faces, each labelled one gets the predicted one that is nearest. Raises ``DataError`` for a file
    that is none of these, with its line where it has lines.
    """
    if path.is_dir():
        return _placed(faces, faces.scheme, _from_pts(path, faces.scheme))
    if path.suffix == ".jsonl":
        return _placed(faces, *_from_lines(path, faces.scheme))
    if path.suffix == ".json":
        return _placed(faces, *_from_json(path, faces.scheme))
    found = points_csv.read_predictions(path, faces.scheme)
    if not any(_NUMBERED.match(name) for name in found.ids):
        return found
    said = [_Said(picture_of(name), points.astype(np.float64)) for name, points in zip(found.ids, found.points, strict=True)]
    return _placed(faces, found.scheme, said)


def picture_of(name: str) -> str:
    """The picture's name in a face's, which may have its number after ``#``."""
    match = _NUMBERED.match(name)
    return match[1] if match else name


def _placed(faces: Faces, scheme: Scheme, said: Sequence[_Said]) -> Predictions:
    """Each labelled face with the nearest prediction of its picture, each prediction once; those left over by names of their own."""
    of_face, of_said = _keys(faces, said)
    labels = faces.to(scheme).points.astype(np.float64)
    names: list[str | None] = [None] * len(said)
    faces_of, said_of = _grouped(of_face), _grouped(of_said)
    for picture, there in said_of.items():
        here = faces_of.get(picture, [])
        far = {(i, j): _far(labels[i], said[j].points) for i in here for j in there}
        for i, j in sorted(far, key=lambda pair: far[pair]):
            if i in here and j in there:
                names[j] = faces.ids[i]
                here.remove(i)
                there.remove(j)
    known = set(faces.ids)
    ids = [name or _unused(f"{each.picture}#{j}", known) for j, (name, each) in enumerate(zip(names, said, strict=True))]
    points = np.array([each.points for each in said], dtype=np.float32).reshape(-1, len(scheme), 2)
    scored = bool(said) and all(each.scores is not None for each in said)
    return Predictions(scheme=scheme, ids=tuple(ids), points=points, scores=np.array([e.scores for e in said], np.float32) if scored else None)


def _grouped(keys: Sequence[str]) -> dict[str, list[int]]:
    """The positions of each key."""
    found: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, []).append(i)
    return found


def _unused(name: str, known: set[str]) -> str:
    return name if name not in known else _unused(name + "'", known)


def _far(labels: Float64[np.ndarray, "K 2"], points: Float64[np.ndarray, "K 2"]) -> float:
    apart = np.linalg.norm(labels - points, axis=1)
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else np.inf


def _keys(faces: Faces, said: Sequence[_Said]) -> tuple[list[str], list[str]]:
    """What pictures are called, for the faces and for what was said: whole paths or ids if these agree, else files' names, else stems."""
    files = [str(picture) if isinstance(picture, Path) else name for picture, name in zip(faces.images, faces.ids, strict=True)]
    ways: list[tuple[Callable[[str], str], Sequence[str]]] = [
        (str, files), (str, faces.ids), (lambda name: PurePath(name).name, files), (lambda name: PurePath(name).stem, files),
    ]  # fmt: skip
    for key, names in ways:
        of_face, of_said = list(map(key, names)), [key(each.picture) for each in said]
        # A name that several files have would mix them up.
        if len({*zip(files, of_face, strict=True)}) == len(set(of_face)) and set(of_face) & set(of_said):
            return of_face, of_said
    first = said[0].picture if said else "nothing"
    raise SettingError(f"No prediction is for any of these faces: predictions are of {first!r}, faces of {files[0]!r}.")


def _from_pts(folder: Path, scheme: Scheme) -> list[_Said]:
    """``.pts`` files; one named after a picture with a number behind it is another face of that picture."""
    paths = sorted(folder.glob("*.pts"))
    if not paths:
        raise DataError(f"{folder}: no .pts files in this folder.")
    stems = {path.stem for path in paths}
    said = []
    for path in paths:
        with opened(path) as stream:
            points = ibug68.parse(decoded(stream.read(), path), path.name)
        base = re.sub(r"-\d+$", "", path.stem)
        said.append(_Said(base if base in stems else path.stem, _checked(points, scheme, path.name)))
    return said


def _from_lines(path: Path, scheme: Scheme) -> tuple[Scheme, list[_Said]]:
    said: list[_Said] = []
    with opened(path) as stream:
        lines = decoded(stream.read(), path).splitlines()
    for number, line in enumerate(lines, start=1):
        place = f"{path.name} line {number}"
        picture = _parsed(line, place)
        meant = SCHEMES.get(_field(picture, "scheme", place) or "", scheme)
        if said and meant is not scheme and picture["faces"]:
            raise DataError(f"{place}: faces of scheme {meant.name} after ones of {scheme.name}; give a file for each.")
        scheme = meant if picture.get("faces") else scheme
        said += _of_picture(picture, scheme, place)
    return scheme, said


def _from_json(path: Path, scheme: Scheme) -> tuple[Scheme, list[_Said]]:
    with opened(path) as stream:
        whole = _parsed(decoded(stream.read(), path), path.name)
    if "annotations" in whole:
        return _from_coco(whole, path, scheme)
    names = tuple(_field(whole, "names", path.name))
    meant = next((own for own in (scheme, *SCHEMES.values()) if own.points == names), scheme if not names else None)
    meant = meant or Scheme(name=str(whole.get("scheme")), points=names, mirror=())
    said = [
        each for i, picture in enumerate(_field(whole, "pictures", path.name)) for each in _of_picture(picture, meant, f"{path.name} picture {i}")
    ]
    return meant, said


def _from_coco(whole: dict[str, Any], path: Path, scheme: Scheme) -> tuple[Scheme, list[_Said]]:
    names = tuple(_field(_field(whole, "categories", path.name)[0], "keypoints", path.name)) if whole.get("categories") else scheme.points
    meant = next((own for own in (scheme, *SCHEMES.values()) if own.points == names), None) or Scheme(name="coco", points=names, mirror=())
    files = {image["id"]: image["file_name"] for image in _field(whole, "images", path.name)}
    said = []
    for i, each in enumerate(whole["annotations"]):
        place = f"{path.name} annotation {i}"
        values = np.array(_field(each, "keypoints", place), dtype=np.float64).reshape(-1, 3)
        points = np.where(values[:, 2:] > 0, values[:, :2], np.nan)
        if each.get("image_id") not in files:
            raise DataError(f"{place}: image_id {each.get('image_id')!r} is none of the images.")
        said.append(_Said(files[each["image_id"]], _checked(points, meant, place), each.get("keypoint_scores")))
    return meant, said


def _of_picture(picture: Any, scheme: Scheme, place: str) -> list[_Said]:
    name = _field(picture, "picture", place)
    return [_Said(str(name), _checked(_field(face, "points", place), scheme, place), face.get("scores")) for face in _field(picture, "faces", place)]


def _checked(points: Any, scheme: Scheme, place: str) -> Float64[np.ndarray, "K 2"]:
    try:
        values = np.array(points, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{place}: x and y of each point expected ({error}).") from error
    if values.shape != (len(scheme), 2):
        raise DataError(f"{place}: points of {' x '.join(map(str, values.shape))}; {len(scheme)} x 2 expected, as scheme {scheme.name} has.")
    return values


def _field(value: Any, name: str, place: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise DataError(f"{place}: no {name!r} in it; nasion's json and jsonl have it, and COCO's has images, annotations and categories.")
    return value[name]


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{place}: not JSON ({error}).") from error
