"""YOLO's pose labels: a text file per image, and a YAML file that says what they hold.

A row is class, box and points in fractions of the image, each point with its visibility (0 not
labelled, 1 hidden, 2 visible) if ``kpt_shape`` says 3. Names are read from ``kpt_names``, mirror
pairs from ``flip_idx``, edges from ``skeleton``. ``train``, ``val`` and ``test`` are the file's
splits. The labels of ``images/a.jpg`` are in ``labels/a.txt``. Of several classes, the one called
face is read.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nasion.data.datasets._face_records import faces_of
from nasion.data.datasets._label_files import (
    box_for_tools,
    check_split,
    is_occluded,
    labelled_images,
)
from nasion.data.datasets._yolo_config import NAMES, Config, find_config, read_config
from nasion.data.face_record import FaceRecord
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SplitNotFound, reason_of
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import from_relative, has_area, to_relative
from nasion.landmarks.scheme import Scheme
from nasion.media.files import decode_text, write_text
from nasion.media.images import image_size
from nasion.media.number_text import parse_number, parse_whole, without_decimals

SCHEME = None
SPLITS = ("all", *NAMES)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("occluded", "boxes", "edges")  # of what labels may have beside points
PIXEL_ORIGIN = 0.5  # numbers count from the corner of the first pixel
IMAGE_SIDE = 1  # numbers are fractions of the image's size
_FARTHEST = 100.0  # sizes of the image
_log = logging.getLogger(__name__)


def recognises(root: Path) -> bool:
    """True for a YAML file with ``kpt_shape``, or a folder with one such."""
    return find_config(root) is not None


def splits(root: Path) -> tuple[str, ...]:
    """The splits that the file names; ``train`` and ``val`` only if they are different images."""
    config = _config(root)
    # `read` reports what cannot be read.
    found = {name: images for name in NAMES if (images := config.split_images(name, faults=[]))}
    if found.get("train") == found.get("val"):
        # As of files that had to name a validation set and had none.
        found = {name: found[name] for name in found if name == "test"}
    return ("all", *found)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a split. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that the file only numbers.
    """
    check_split(split, SPLITS, "yolo_pose")
    config = _config(root)
    named = config.scheme(scheme)
    sides = [config.split_images(name, faults) for name in ([split] if split != "all" else NAMES)]
    if not any(sides):
        raise SplitNotFound(f"{config.path}: no images of split {split}.")
    images = sorted({image for side in sides if side for image in side})
    base = _common_folder(config.path.parent, images)
    wanted = _Classes(config.face_class())
    records = [
        record for image in images for record in _records(image, base, config, wanted, faults)
    ]
    wanted.tell(config.path.name)
    if not records:
        raise DataError(
            f"{config.path}: none of {len(images)} images has a label; they are looked for in "
            f"{_label_file(images[0])}."
        )
    return faces_of(records, named, config.path, faults, images=base)


@dataclass
class _Classes:
    """Counts the rows of each class. ``face``: the one that is read; None: all."""

    face: int | None
    counts: Counter[int] = field(default_factory=Counter)

    def is_face(self, kind: int) -> bool:
        self.counts[kind] += 1
        return self.face is None or kind == self.face

    def tell(self, source: str) -> None:
        """Log what was made of several classes."""
        others = sum(count for kind, count in self.counts.items() if kind != self.face)
        if self.face is not None and others:
            _log.info(
                "%s: rows of other classes than face (class %d) are left out: %d.",
                source,
                self.face,
                others,
            )
        elif self.face is None and len(self.counts) > 1:
            counts = ", ".join(f"{kind}: {count}" for kind, count in sorted(self.counts.items()))
            _log.warning(
                "%s: its rows are of %d classes (%s), and none is called face: all are read as "
                "faces. Name one face, or leave rows of the others out of the label files.",
                source,
                len(self.counts),
                counts,
            )


def _config(root: Path) -> Config:
    path = find_config(root)
    if path is None:
        raise DataError(f"{root}: no YAML file with kpt_shape, or several; give the file itself.")
    return read_config(path)


def _common_folder(folder: Path, images: list[Path]) -> Path:
    """A folder that holds all images, from the dataset's own upwards."""
    folder = folder.resolve()
    while not all(image.resolve().is_relative_to(folder) for image in images):
        folder = folder.parent
    return folder


def _label_file(image: Path) -> Path:
    """The last folder called images becomes labels; else the file is beside the image."""
    parts = list(image.parts)
    at = next((k for k in range(len(parts) - 2, -1, -1) if parts[k] == "images"), None)
    if at is not None:
        parts[at] = "labels"
    path = Path(*parts).with_suffix(".txt")
    upper = path.with_suffix(".TXT")
    return upper if upper.is_file() and not path.is_file() else path


def _records(
    image: Path, base: Path, config: Config, wanted: _Classes, faults: Faults
) -> Iterator[FaceRecord]:
    path = _label_file(image)
    name = image.resolve().relative_to(base).as_posix()
    try:
        if not path.is_file():
            return
        lines = decode_text(path.read_bytes(), path).splitlines()
        size = np.array(image_size(image), dtype=np.float64)
    except (DataError, OSError) as error:
        report_fault(faults, path.name, reason_of(error))
        return
    for number, line in enumerate(lines, start=1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        try:
            kind = parse_whole(without_decimals(fields[0]))
            if wanted.is_face(kind):
                yield _record(fields, name, f"{path.name} line {number}", size, config)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            report_fault(faults, f"{path.name} line {number}", f"{error}.")


def _record(
    fields: list[str], image: str, place: str, size: np.ndarray, config: Config
) -> FaceRecord:
    expected = 5 + config.count * config.numbers
    if len(fields) != expected:
        raise ValueError(
            f"{len(fields)} numbers; {expected} expected: class, box, and {config.numbers} for "
            f"each of {config.count} points, as kpt_shape in {config.path.name} says"
        )
    values = np.array([parse_number(field) for field in fields[1:expected]])
    if np.abs(values).max() > _FARTHEST:
        worst = values[np.argmax(np.abs(values))]
        raise ValueError(f"{worst:g} found; fractions of the image's size expected, 0 to 1")
    centre, sides = values[:2], values[2:4]
    rows = values[4:].reshape(config.count, config.numbers)
    points = from_relative(rows[:, :2], size)
    if config.numbers == 2:
        missing = (rows <= 0).all(axis=1)  # 0 0; the tool itself takes negative ones so
        occluded = np.zeros(config.count, dtype=bool)
    else:
        seen = rows[:, 2]
        strange = seen[(seen < 0) | (seen > 2)]
        if len(strange):
            raise ValueError(f"visibility {strange[0]:g} found, 0, 1 or 2 expected")
        missing, occluded = seen == 0, seen == 1
    points[missing] = np.nan
    corners = from_relative(np.stack([centre - sides / 2, centre + sides / 2]), size)
    x0, y0, x1, y1 = corners.astype(np.float32).reshape(-1).tolist()
    if not has_area(corners.reshape(-1)):
        if not missing.all() and not sides.any():
            return FaceRecord(image, points, place, None, None, occluded)
        raise ValueError(f"a box of {sides[0]:g} x {sides[1]:g}; width and height above 0 expected")
    return FaceRecord(image, points, place, None, (x0, y0, x1, y1), occluded)


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``data.yaml`` and ``labels``. A face without a box gets the one around its points.

    ``val`` names the same images as ``train``, since the file must name some: choose your own.
    """
    scheme, images = faces.scheme, folder / IMAGE_FOLDER
    for image in labelled_images(faces, images):
        rows = [row for i in image.faces if (row := _row(faces, i, np.array(image.size)))]
        label = (folder / "labels" / image.path.relative_to(images)).with_suffix(".txt")
        write_text(label, "".join(f"{row}\n" for row in rows))
    # JSON's values are YAML's too, whatever signs are in the names.
    lines = [
        "path: .",
        "train: images",
        "val: images  # the same: choose images of your own",
        f"kpt_shape: [{len(scheme)}, 3]",
        f"flip_idx: {scheme.flip.tolist()}",
        "names:",
        "  0: face",
        "kpt_names:",
        f"  0: {json.dumps(list(scheme.points), ensure_ascii=False)}",
        f"skeleton: {scheme.edge_index.tolist()}",
    ]
    write_text(folder / "data.yaml", "\n".join(lines) + "\n")
    return folder / "data.yaml"


def _row(faces: Faces, i: int, size: np.ndarray) -> str:
    """A face's row; empty for a face with neither box nor point."""
    box = box_for_tools(faces, i)
    if box is None:
        return ""
    corners = to_relative(np.array(box).reshape(2, 2), size)
    numbers = [*corners.mean(axis=0).tolist(), *(corners[1] - corners[0]).tolist()]
    fractions = to_relative(faces.points[i], size).tolist()
    for k, (x, y) in enumerate(fractions):
        is_there = bool(faces.labelled[i, k])
        numbers += [x, y, 1 if is_occluded(faces, i, k) else 2] if is_there else [0, 0, 0]
    return " ".join(["0", *(f"{number:.10g}" for number in numbers)])
