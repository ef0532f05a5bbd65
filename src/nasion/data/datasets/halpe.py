"""Halpe-FullBody (Fang et al., 2022): people with 136 points, of which 68 are the face's.

The JSON file of the set, as COCO's but without names of points: 26 of the body, 68 of the face in
iBUG's order, 42 of the hands. Only the face is read. Research use.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from nasion.data.datasets._coco_document import image_sizes, read_annotations, read_coco
from nasion.data.datasets._face_records import faces_of
from nasion.data.datasets._label_files import check_split, label_file, only_file
from nasion.data.face_record import FaceRecord
from nasion.data.record_faults import Faults
from nasion.errors import DataError
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

SCHEME: Scheme = ibug68
SPLITS = ("all",)
_COUNT = 136
_FACE = slice(26, 94)  # the points of the face among all
_HEAD = 1 << 26  # bytes of a file in which an annotation is looked for
_KEYPOINTS = re.compile(rb'"keypoints"\s*:\s*\[([^\[\]]+)\]')
_WHOLE = Scheme(name="halpe136", points=tuple(map(str, range(_COUNT))), mirror=())
_log = logging.getLogger(__name__)


def recognises(root: Path) -> bool:
    """True for a JSON file, or a folder with one such, whose keypoints are 136."""
    path = only_file(root, ".json")
    if path is None:
        return False
    with path.open("rb") as file:
        found = _KEYPOINTS.search(file.read(_HEAD))
    return found is not None and found[1].count(b",") == 3 * _COUNT - 1


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The people whose face has labels. Group: photograph (linked), if an image has several."""
    check_split(split, SPLITS, "halpe")
    path = label_file(root, ".json")
    _, people = read_annotations(read_coco(path), _WHOLE, faults)
    records = [_face(person) for person in people]
    labelled = [face for face in records if not np.isnan(face.points).all()]
    if not labelled:
        raise DataError(f"{path}: none of its {len(people)} people has a labelled face.")
    if len(labelled) < len(people):
        lacking = len(people) - len(labelled)
        _log.info("%s: %d of %d people without a labelled face.", path.name, lacking, len(people))
    return faces_of(labelled, SCHEME, path, faults)


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in the file, by their names."""
    return image_sizes(read_coco(label_file(root, ".json")))


def _face(person: FaceRecord) -> FaceRecord:
    occluded = None if person.occluded is None else person.occluded[_FACE]
    # The box is the whole person's.
    return replace(person, points=person.points[_FACE], occluded=occluded, box=None, scores=None)
