"""COCO keypoints in a JSON document: annotations of images, or a list of results."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from os.path import normpath
from pathlib import Path

import numpy as np

from nasion.array_types import Float64
from nasion.data.datasets._face_records import (
    checked_box,
    checked_scores,
    own_scheme,
    read_text_document,
)
from nasion.data.datasets._image_names import with_slashes
from nasion.data.datasets._label_files import any_case
from nasion.data.face_record import FaceRecord
from nasion.data.own_schemes import scheme_of_numbered
from nasion.data.record_faults import Faults, report_error
from nasion.errors import DataError
from nasion.landmarks.scheme import Scheme
from nasion.media.json_document import Document
from nasion.media.number_text import MAX_COORDINATE

_log = logging.getLogger(__name__)
_REMEDY = "correct it, or write it again: COCO's files have images, annotations and categories."
_VISIBILITIES = (0, 1, 2)  # COCO: not labelled, labelled but hidden, visible


def read_coco(path: Path) -> Document:
    """The value of such a file."""
    return read_text_document(path, _REMEDY)


def read_annotations(
    document: Document, scheme: Scheme | None, faults: Faults = None
) -> tuple[Scheme, list[FaceRecord]]:
    """(scheme, faces) of a document of images, annotations and categories.

    ``scheme``: that of keypoints which the document does not name. Annotations without keypoints
    are boxes of other things.
    """
    scheme = _category_scheme(document, scheme)
    files = _image_files(document["images"])
    faces: list[FaceRecord] = []
    boxes = _box_categories(document)
    for i, annotation in enumerate(document["annotations"].elements()):
        category = annotation.get("category_id")
        if category is not None and category.value in boxes and not _has_keypoints(annotation):
            continue
        try:
            faces.append(_face(annotation, i, files, scheme))
        except DataError as error:
            report_error(faults, error, annotation.file)
    return scheme, faces


def read_results(document: Document, scheme: Scheme, path: Path) -> list[FaceRecord]:
    """The faces of a list of results, which has its images' ids only.

    Their names are in the COCO file beside it that has all of these ids; without one the id stands
    for the name.
    """
    results = document.elements()
    ids = [_image_id(result["image_id"]) for result in results]
    names = _names_beside(path, set(ids))
    faces: list[FaceRecord] = []
    for i, (result, image_id) in enumerate(zip(results, ids, strict=True)):
        points, scores, _ = _keypoints(result["keypoints"], scheme, results=True)
        image = names.get(image_id, str(image_id))
        faces.append(FaceRecord(image, points, f"{image} result {i}", scores))
    return faces


def _image_id(value: Document) -> int | str:
    """COCO counts; other tools have ids that are texts."""
    return value.file_name() if isinstance(value.value, str) else value.whole()


def _names_beside(path: Path, ids: set[int | str]) -> dict[int | str, str]:
    """The images' names by their ids, from the annotation files beside the results."""
    found: dict[int | str, str] = {}
    for other in sorted(path.parent.glob("*" + any_case(".json"))):
        if other == path:
            continue
        try:
            document = read_coco(other)
            files = _image_files(document["images"])
        except DataError:
            continue  # a file of another kind
        if not ids <= set(files):
            continue
        if found and any(found[i] != files[i] for i in ids):
            raise DataError(
                f"{path}: files beside it name its images differently ({other.name} is one); leave "
                "only the COCO file there that the results are of."
            )
        found |= files
    return found


def _face(
    annotation: Document, number: int, files: dict[int | str, str], scheme: Scheme
) -> FaceRecord:
    image_id = annotation.get("image_id")
    if image_id is None or _image_id(image_id) not in files:
        shown = None if image_id is None else image_id.value
        raise annotation.error(f"image_id {shown} is not among the images")
    own_id = annotation.get("id")
    image = files[_image_id(image_id)]
    place = f"{image} annotation {number if own_id is None else _image_id(own_id)}"
    points, scores, occluded = _keypoints(annotation["keypoints"], scheme)
    own_scores = checked_scores(annotation.get("keypoint_scores"), len(scheme))
    box = checked_box(annotation.get("bbox"), is_size=True)
    return FaceRecord(image, points, place, own_scores or scores, box, occluded)


def _category_scheme(document: Document, scheme: Scheme | None) -> Scheme:
    """The scheme of the file's category; the given one if the file has none."""
    categories = document.get("categories")
    each = categories.elements() if categories is not None else []
    # Of several, those without keypoints are boxes.
    named = [category for category in each if _has_keypoints(category)]
    kinds = {tuple(name.text() for name in one["keypoints"].elements()) for one in named}
    if categories is not None and len(kinds) > 1:
        raise categories.error("categories with different keypoints; give one file per scheme")
    if kinds:
        return own_scheme(named[0]["keypoints"], scheme, "coco", _skeleton(named[0]))
    if scheme is None:
        first = next(iter(document["annotations"].elements()), None)
        count = 0 if first is None else len(first["keypoints"].elements()) // 3
        scheme = scheme_of_numbered("coco", count, None) if count else None
    if scheme is None:
        raise document.error("its categories name no keypoints, so name the scheme (--scheme)")
    return scheme


def _skeleton(category: Document) -> list[tuple[str, str]]:
    """The edges between a category's points; none if they are not between its points."""
    given = category.get("skeleton")
    if given is None:
        return []
    names = [name.text() for name in category["keypoints"].elements()]
    edges = [[end.value for end in edge.elements()] for edge in given.elements()]
    flat = [end for edge in edges for end in edge]
    if any(len(edge) != 2 for edge in edges) or any(type(end) is not int for end in flat):
        raise given.error("pairs of points' numbers, from 1, expected")
    # COCO counts from 1. Some tools count from 0.
    first = 0 if 0 in flat else 1
    ends, known = set(flat), set(range(first, first + len(names)))
    if not ends <= known:
        _log.info("%s: left out, since it joins points that do not exist.", given.place)
        return []
    return [(names[a - first], names[b - first]) for a, b in edges]


def _box_categories(document: Document) -> list[object]:
    """The ids of the categories without keypoints, if others have some."""
    categories = document.get("categories")
    each = categories.elements() if categories is not None else []
    without = [one for one in each if not _has_keypoints(one)]
    numbers = [one.get("id") for one in without] if len(without) < len(each) else []
    return [number.value for number in numbers if number is not None]


def _has_keypoints(value: Document) -> bool:
    """False also for the empty list and the null that some tools write."""
    keypoints = value.get("keypoints")
    return keypoints is not None and keypoints.value not in ([], None)


def _image_files(images: Document) -> dict[int | str, str]:
    """The images' files by their ids."""
    files: dict[int | str, str] = {}
    for image in images.elements():
        number = _image_id(image["id"])
        if number in files:
            raise image["id"].error(f"two images have the id {number}")
        files[number] = image["file_name"].file_name()
    return files


def _keypoints(
    keypoints: Document, scheme: Scheme, results: bool = False
) -> tuple[Float64[np.ndarray, "K 2"], list[float] | None, np.ndarray | None]:
    """(points, scores, occluded): NaN where visibility is 0, since 0, 0 is no place then.

    Tools that predict write a score in place of the visibility, which its fractions show;
    ``results``: of a list of results, in which a visibility means nothing.
    """
    values = keypoints.numbers(-MAX_COORDINATE, MAX_COORDINATE)
    if len(values) != 3 * len(scheme):
        raise keypoints.error(
            f"{len(values)} numbers; {3 * len(scheme)} expected, "
            f"x, y and visibility of each point of scheme {scheme.name}"
        )
    rows = np.array(values, dtype=np.float64).reshape(-1, 3)
    third = rows[:, 2]
    strange = third[~np.isin(third, _VISIBILITIES)]
    if results or (len(strange) and ((third >= 0) & (third <= 1)).all()):
        is_score = ((third >= 0) & (third <= 1)).all() and (third % 1 > 0).any()
        return rows[:, :2].copy(), third.tolist() if is_score else None, None
    if len(strange):
        raise keypoints.error(f"visibility {strange[0]:g} found, 0, 1 or 2 expected")
    return np.where(rows[:, 2:] > 0, rows[:, :2], np.nan), None, third == 1


def image_sizes(document: Document, folder: str = "") -> dict[str, tuple[int, int]]:
    """The sizes that a document states, by the names of the images' files."""
    return stated(document["images"].elements(), "file_name", "width", "height", folder)


def stated(
    images: Iterable[Document], name: str, width: str, height: str, folder: str = ""
) -> dict[str, tuple[int, int]]:
    """The sizes under these keys by the images' names, which are relative to ``folder``.

    Images without a size are left out.
    """
    found: dict[str, tuple[int, int]] = {}
    for image in images:
        values = [image.value.get(key) for key in (width, height)]
        if all(type(value) is int for value in values):
            file = normpath(f"{folder}/{with_slashes(image[name].file_name())}").lstrip("/")
            found[file] = (values[0], values[1])
    return found
