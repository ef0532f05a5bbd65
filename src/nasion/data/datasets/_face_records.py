"""Faces as documents list them (COCO, nasion's JSON): labels, or predictions of any tool."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._image_names import numbered_faces, photograph_group
from nasion.data.datasets._label_files import images_root
from nasion.data.datasets._points_table import image_folder
from nasion.data.face_record import FaceRecord
from nasion.data.own_schemes import is_numbered as is_numbered
from nasion.data.own_schemes import scheme_from_data, scheme_of_numbered
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import has_area
from nasion.landmarks.scheme import Scheme
from nasion.media.files import read_text
from nasion.media.json_document import Document, parse_document
from nasion.media.number_text import MAX_COORDINATE
from nasion.media.quoted import quoted

# Labelled points that are all hidden: tools that know one visibility only write 1 for it, as
# MMPose's files of AFLW, WFLW and 300-W do. A face or two may really be hidden.
_MANY = 20
_log = logging.getLogger(__name__)
# Of a file of predictions, whose format is not known yet.
EITHER_FORMAT = (
    "nasion's json and jsonl have image, faces, points and point_names, "
    "COCO's has images, annotations and categories."
)


def read_text_document(path: Path, remedy: str) -> Document:
    """A JSON file, plain or packed. ``remedy``: the end of its errors, as its format has it."""
    return parse_document(read_text(path), path, remedy=remedy)


def checked_scores(scores: Document | None, count: int) -> list[float] | None:
    """The probabilities of ``count`` points, as scores. ``DataError`` for anything else."""
    if scores is None:
        return None
    values = scores.numbers(low=0, high=1)
    if len(values) != count:
        raise scores.error(f"{len(values)} scores, {count} expected, one for each point")
    return values


def checked_box(box: Document | None, is_size: bool) -> tuple[float, float, float, float] | None:
    """Four numbers: x0 y0 x1 y1, or (``is_size``) x0 y0 width height. ``DataError`` if flat.

    None for none, which tools also write as ``null``, ``[]`` or four zeros.
    """
    if box is None or box.value in (None, [], [0, 0, 0, 0]):
        return None
    values = box.numbers(-MAX_COORDINATE, MAX_COORDINATE)
    if len(values) != 4:
        raise box.error(f"{len(values)} numbers found, 4 expected")
    x0, y0, x1, y1 = values
    if is_size:
        x1, y1 = x0 + x1, y0 + y1
    corners = np.array([x0, y0, x1, y1])
    if not (np.isfinite(corners).all() and has_area(corners)):
        raise box.error(f"a box of {values}; width and height above 0 expected")
    return x0, y0, x1, y1


def own_scheme(
    names: Document,
    scheme: Scheme | None,
    called: str,
    edges: Sequence[tuple[str, str]] = (),
) -> Scheme:
    """The scheme of these names: ``scheme`` if it has them, the catalog's, or a new one."""
    points = tuple(name.text() for name in names.elements())
    if scheme is not None and points == scheme.points:
        return scheme
    try:
        return scheme_from_data(called, points, edges)
    except SettingError as error:
        raise names.error(str(error).rstrip(".")) from error


def meant_scheme(scheme: Scheme, requested: Scheme | None, path: Path) -> Scheme:
    """What labels mean whose file only numbers the points: the scheme of as many points.

    Without one, they mean themselves. Raises ``SettingError`` if a requested scheme has another
    number of points, or if several schemes have as many.
    """
    if not is_numbered(scheme.points):
        return scheme
    meant = scheme_of_numbered(scheme.name, len(scheme), requested)
    if meant is None:
        problem = "fit no scheme, or several"
        if requested is not None:
            problem = f"do not fit scheme {requested.name}, which has {len(requested)}"
        raise SettingError(
            f"{path}: {len(scheme)} points that are only numbered {problem}; name the right one "
            "(--scheme), or write it (nasion scheme init)."
        )
    # Of no scheme of the catalog: with the file's own numbers and skeleton.
    return scheme if meant is not requested and is_numbered(meant.points) else meant


def faces_of(
    records: Sequence[FaceRecord],
    scheme: Scheme,
    path: Path,
    faults: Faults,
    images: Path | None = None,
    predicted: bool = False,
) -> Faces:
    """Labelled faces, their images beside the file or in a folder beside it.

    ``images``: the folder that names are relative to, if it is known. ``predicted``: images that
    are not beside the file are looked for in the working folder, from which predict names them.
    Group: photograph (linked), if an image has several faces. Raises ``DataError``.
    """
    names: list[str] = []
    kept: list[FaceRecord] = []
    seen: set[tuple[str, bytes]] = set()
    finder = ImageFinder(images or images_root(path))
    for record in records:
        try:
            image = _from_working_folder(record.image, path) if predicted else record.image
            name = finder.named(image)
            same = (name, record.points.tobytes())
            if same in seen and not np.isnan(record.points).all():
                raise ValueError("the same points in the same image as a face before")
            seen.add(same)
            names.append(name)
            kept.append(record)
        except DataError:
            raise
        except ValueError as error:
            place = record.place.removeprefix(path.name).strip()
            report_fault(faults, f"{path.name} {place}", f"{error}.")
    if not kept:
        lost = f"none of its {len(records)} faces is without a fault"
        raise DataError(f"{path}: {lost if records else 'it has no face'}.")
    finder.tell(path.name)
    files = [images / name for name in names] if images else _image_files(path, names)
    if predicted:
        files = _found_in_working_folder(path, names, files)
    unknown = np.full(4, np.nan)
    boxes = np.array([unknown if r.box is None else r.box for r in kept], dtype=np.float32)
    occluded = [np.zeros(len(scheme), bool) if r.occluded is None else r.occluded for r in kept]
    points = np.stack([record.points for record in kept]).astype(np.float32)
    hidden = np.stack(occluded)
    if hidden.sum() >= _MANY and hidden.sum() == (~np.isnan(points[..., 0])).sum():
        _log.info("%s: every labelled point is marked as hidden, which says nothing.", path.name)
        hidden = np.zeros_like(hidden)
    groups = photograph_group(names)
    return Faces(
        scheme=scheme,
        ids=numbered_faces(names),
        images=tuple(files),
        points=points,
        boxes=None if np.isnan(boxes).all() else boxes,
        occluded=hidden if hidden.any() else None,
        groups=groups,
        linked=tuple(groups),
    )


def _image_files(path: Path, names: Sequence[str]) -> list[Path]:
    """Where each image lies: in the folder of most, else in another one beside the label file.

    Tools that join label files name some images with their folder and some without. A name's first
    folders may be missing, its last one not. An image that is nowhere stays in the folder of most.
    """
    usual = image_folder(path, names)
    files = {name: usual / name for name in names}
    missing = [name for name, file in files.items() if not file.is_file()]
    if not 0 < len(missing) < len(names):
        return [files[name] for name in names]
    root = images_root(path)
    beside = sorted(each for each in root.iterdir() if each.is_dir())
    for name in missing:
        parts = Path(name).parts
        for start in range(max(1, len(parts) - 1)):
            end = Path(*parts[start:])
            found = [each / end for each in (root, *beside) if (each / end).is_file()]
            if found:
                # Of several, it is unclear which one.
                files[name] = found[0] if len(found) == 1 else files[name]
                break
    return [files[name] for name in names]


def _from_working_folder(name: str, path: Path) -> str:
    """The name relative to the working folder, if it is a whole path there, not beside the file."""
    image, here = Path(name), Path.cwd()
    is_there = image.is_relative_to(here) and not image.is_relative_to(path.parent.absolute())
    return str(image.relative_to(here)) if is_there else name


def _found_in_working_folder(path: Path, names: Sequence[str], files: list[Path]) -> list[Path]:
    """The files, of those that are missing the ones that names mean from the working folder."""
    here = Path.cwd()
    # Names are checked: none leads out of its folder.
    found = {
        name: here / name
        for name, file in zip(names, files, strict=True)
        if not file.is_file() and (here / name).is_file()
    }
    if not found:
        return files
    _log.info(
        "%s: images that are not beside it were found from the working folder: %d, as %s.",
        path.name,
        len(found),
        quoted(next(iter(found)), 60),
    )
    return [found.get(name, file) for name, file in zip(names, files, strict=True)]


def with_pixels(faces: Faces, pixels: Mapping[str, np.ndarray], folder: Path) -> Faces:
    """The faces with images that their label file holds, by names relative to ``folder``."""
    if not pixels:
        return faces
    found = [pixels.get(Path(str(each)).relative_to(folder).as_posix()) for each in faces.images]
    both = zip(found, faces.images, strict=True)
    return replace(faces, images=tuple(file if held is None else held for held, file in both))
