"""WebMorph's templates (DeBruine): ``.tem`` files of 189 points, as of the London and Canada sets.

A ``.tem`` file beside each image: the number of points, a line of x and y for each, pixels from 0,
then the number of lines and for each of these 0 or 1, how many points it joins, and which. The Face
Research Lab London Set (DeBruine and Jones, 2017; CC BY 4.0) and the Canada set have the template
"FRL", which is read here.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nasion.array_types import Float32, Float64
from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._point_lines import Line, points_of_lines, text_lines
from nasion.data.datasets._set_folders import first_file
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.webmorph import LINES, webmorph189
from nasion.media.files import write_text
from nasion.media.number_text import parse_whole
from nasion.media.quoted import quoted

SCHEME: Scheme = webmorph189
SPLITS = ("all",)
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
_GROUPS = ("set", "person")
_PERSON = re.compile(r"\d+[a-z]?", re.ASCII | re.I)  # 003f of 003f.jpg, 001 of 001_03.jpg
_LONDON = re.compile(r"(neutral|smiling)_.+")  # its folders, by expression
_MAX_LINES = 10_000


def recognises(root: Path) -> bool:
    return first_file(root, ".tem") is not None


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of all ``.tem`` files below a folder.

    Groups: set (the folder, ``london`` for London's), person (linked): the number that a file's
    name begins with.
    """
    check_split(split, SPLITS, "webmorph")
    paths = sorted(root.rglob("*" + any_case(".tem")))
    if not paths:
        raise DataError(f"{root}: no .tem files here; give the folder that holds them.")
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        points = _points(text_lines(path), place)
        image = images.find(path.parent, path.stem, place)
        of_set = "london" if _LONDON.fullmatch(path.parent.name) else path.parent.name
        number = _PERSON.match(path.stem)
        person = f"{of_set} {number[0] if number else path.stem}"
        return LabelledFace(str(image.relative_to(root)), image, points, (of_set, person))

    found = read_each(root, paths, read_one, faults)
    return as_faces(found, SCHEME, _GROUPS, linked=("person",), tight_boxes=True)


def _points(lines: list[Line], place: str) -> Float64[np.ndarray, "K 2"]:
    """The points of a template. Its lines are counted, since a wrong number of points shows there.

    The published files have one more number at their end.
    """
    try:
        count = _whole(lines, 0, "the number of points")
        if count != len(SCHEME):
            raise ValueError(
                f"{lines[0][0]}: a template of {count} points; nasion knows FRL, of {len(SCHEME)}"
            )
        points = points_of_lines(lines[1 : count + 1], count, place)
        joined = _whole(lines, count + 1, "the number of lines")
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{place} line {error}.") from None
    rows = len(lines) - count - 2
    if not 3 * joined <= rows <= 3 * joined + 1:
        raise DataError(
            f"{place} line {lines[count + 1][0]}: {joined} lines declared, {3 * joined} rows "
            f"expected below; {rows} follow."
        )
    return points


def _whole(lines: list[Line], at: int, what: str) -> int:
    number, text = lines[at] if at < len(lines) else (len(lines), "")
    try:
        return parse_whole(text, 0, _MAX_LINES)
    except ValueError as error:
        raise ValueError(f"{number}: {what} is {error}") from None


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write a ``.tem`` file beside each image; every point must be labelled, one face per image."""
    if faces.scheme != SCHEME:
        raise SettingError(
            f"webmorph has the scheme {SCHEME.name}, these faces {faces.scheme.name}."
        )
    texts: dict[Path, str] = {}
    for i, (name, image) in enumerate(zip(faces.ids, faces.images, strict=True)):
        label = Path(str(image)).with_suffix(".tem")
        if not faces.complete[i]:
            raise SettingError(
                f"webmorph: face {quoted(name)} lacks points; templates are complete."
            )
        if label in texts:
            raise SettingError(f"webmorph: {label.name} would hold two faces; templates hold one.")
        texts[label] = _template(faces.points[i])
    for label, text in texts.items():
        write_text(label, text)
    return folder


def _template(points: Float32[np.ndarray, "K 2"]) -> str:
    rows = [str(len(points)), *(f"{x:.6f}\t{y:.6f}" for x, y in points.tolist()), str(len(LINES))]
    for joined in LINES:
        # All are written as open, also rings, as in the published files.
        rows += ["0", str(len(joined)), " ".join(map(str, joined))]
    return "\n".join(rows) + "\n"
