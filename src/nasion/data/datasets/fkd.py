"""Kaggle's Facial Keypoints Detection: 96 x 96 grey faces with up to 15 points, and its test set.

Two annotators with two habits labelled this set. One labelled (nearly) all 15 points, the other
exactly four, and means other places by ``nose_tip`` and ``mouth_center_bottom_lip``. Which one
labelled a face is known by which points it has, and kept as the group ``source``.
Source: kaggle.com/c/facial-keypoints-detection; coordinates are used as the files give them.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasion.array_types import Bool, UInt8
from nasion.data.datasets._label_files import check_split
from nasion.data.datasets._pixel_table import PixelTable
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, require
from nasion.landmarks.catalog import fkd15
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.csv_rows import column_positions, csv_rows
from nasion.media.files import atomic_write, open_bytes, read_text, write_text
from nasion.media.images import as_pixels
from nasion.media.number_text import parse_whole
from nasion.media.quoted import quoted

SCHEME: Scheme = fkd15
SPLITS = ("all", "test")
WHOLE_IMAGES = True  # as published, images are crops of one face
COLUMNS = tuple(f"{point}_{axis}" for point in fkd15.points for axis in "xy")
FOUR_POINTS = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
SIDES = (96, 96)
LOOKUP = "IdLookupTable.csv"
_STEMS = {"all": "training", "test": "test"}
_SUFFIXES = (".zip", ".csv", ".csv.gz")


@dataclass(frozen=True)
class Lookup:
    """What Kaggle asks for.

    Row ``row_ids[i]`` of a submission is coordinate ``columns[i]`` of test image ``image_ids[i]``.
    """

    row_ids: tuple[int, ...]
    image_ids: tuple[int, ...]
    columns: tuple[str, ...]


def recognises(root: Path) -> bool:
    if root.is_dir():
        return any(_candidates(root, split) for split in SPLITS)
    return root.name in {f"{stem}{suffix}" for stem in _STEMS.values() for suffix in _SUFFIXES}


def files(root: Path, split: str) -> list[Path]:
    """The files that ``read`` takes its data from."""
    table = _table_file(root, split)
    lookup = table.parent / LOOKUP
    return [table, lookup] if split == "test" and lookup.is_file() else [table]


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """All labelled faces (``all``) or the test images (``test``, no points).

    ``root``: a folder, ``.zip``, ``.csv`` or ``.csv.gz``. Faulty rows raise ``DataError``, or are
    added to ``faults`` and left out. The faces are always of scheme fkd15; ``Faces.to`` converts.
    """
    check_split(split, SPLITS, "fkd")
    path = _table_file(root, split)
    # Named, so that other files in the archive do no harm.
    member = f"{_STEMS[split]}.csv" if path.suffix.lower() == ".zip" else None
    with open_bytes(path, member=member) as stream:
        table = PixelTable(stream, path, ("ImageId",) if split == "test" else COLUMNS)
        rows, numbers, images = table.read(faults)
    if split == "all":
        ids = tuple(f"training/{row}" for row in rows)
        points = numbers.astype(np.float32).reshape(-1, len(fkd15), 2)
        source = sources(~np.isnan(points[..., 0]))
    else:
        image_ids = numbers[:, 0].astype(int).tolist()
        ids = tuple(f"test/{image_id}" for image_id in image_ids)
        # The test set has no labels. Which annotator labelled a face follows from what the lookup
        # table asks for: the same four points, or others too.
        points = np.full((len(ids), len(fkd15), 2), np.nan, dtype=np.float32)
        requested = _requested(path.parent / LOOKUP, image_ids, faults)
        nothing = np.zeros(len(fkd15), dtype=bool)
        rows_requested = [requested.get(image_id, nothing) for image_id in image_ids]
        source = sources(np.array(rows_requested, dtype=bool).reshape(-1, len(fkd15)))
    return Faces(scheme=fkd15, ids=ids, images=images, points=points, groups={"source": source})


def regrouped(faces: Faces) -> Faces:
    """The faces with their annotators, by the points that are labelled now."""
    if not faces.labelled.any():
        return faces  # the test set: by what is asked for
    return replace(faces, groups={**faces.groups, "source": sources(faces.labelled)})


def sources(labelled: Bool[np.ndarray, "N K"]) -> tuple[str, ...]:
    """The annotator of each face, by which points have labels (in the test set: are requested)."""
    four = np.zeros(len(fkd15), dtype=bool)
    four[fkd15.index(FOUR_POINTS)] = True
    has_others, has_any = np.any(labelled & ~four, axis=1), np.any(labelled, axis=1)
    rest = np.where(has_any, "4 points", "unknown")
    return tuple(np.where(has_others, "15 points", rest).tolist())


def read_lookup(path: Path, faults: Faults = None) -> Lookup:
    """The lookup table, with any line ends (CR CR LF occurs).

    An unknown feature or a bad number raises ``DataError``, or is added to ``faults``.
    """
    lines = csv_rows(read_text(path), path)
    _, header = next(lines, (0, []))
    at = column_positions(header, ("RowId", "ImageId", "FeatureName"), path)
    rows: list[tuple[int, int, str]] = []
    for line, cells in lines:
        try:
            if len(cells) <= max(at):
                raise ValueError(f"has {counted(len(cells), 'column')}, {len(header)} expected.")
            row_id, image_id, feature = (cells[k] for k in at)
            if feature not in COLUMNS:
                known = ", ".join(COLUMNS)
                raise ValueError(f"unknown feature {quoted(feature)}; known: {known}.")
            rows.append((_lookup_id("RowId", row_id), _lookup_id("ImageId", image_id), feature))
        except ValueError as error:
            report_fault(faults, f"{path.name} line {line}", str(error))
    if not rows:
        raise DataError(f"{path}: no rows; nothing is asked for.")
    return Lookup(*(tuple(column) for column in zip(*rows, strict=True)))


def _lookup_id(column: str, text: str) -> int:
    try:
        return parse_whole(text)
    except ValueError as error:
        raise ValueError(f"{column} is {error}.") from None


def _requested(
    path: Path, image_ids: list[int], faults: Faults
) -> dict[int, Bool[np.ndarray, " K"]]:
    """What the lookup table beside the test images asks for, if there is one."""
    if not path.is_file():
        return {}
    requested = requested_points(read_lookup(path, faults))
    strange = sorted(set(requested) - set(image_ids))
    if strange and faults is not None:
        report_fault(
            faults,
            path.name,
            f"asks for ImageId {strange[0]}, which is not among the {len(image_ids)} test images "
            f"({len(strange)} such in all).",
        )
    return requested


def requested_points(lookup: Lookup) -> dict[int, Bool[np.ndarray, " K"]]:
    """For each test image the points that Kaggle asks for."""
    requested: dict[int, np.ndarray] = {}
    for image, column in zip(lookup.image_ids, lookup.columns, strict=True):
        row = requested.setdefault(image, np.zeros(len(fkd15), dtype=bool))
        # Columns are x and y of each point in turn.
        row[COLUMNS.index(column) // 2] = True
    return requested


def write(faces: Faces, folder: Path) -> None:
    """Write 96 x 96 grey faces of scheme fkd15 as Kaggle's ``training.csv``."""
    path = folder / "training.csv"
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "Image"])
        for image, points in zip(faces.images, faces.points, strict=True):
            numbers = ["" if math.isnan(v) else f"{v:.4f}" for v in points.reshape(-1).tolist()]
            pixels = " ".join(map(str, np.asarray(image).reshape(-1).tolist()))
            writer.writerow([*numbers, pixels])


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``training.csv`` with its images. ``SettingError`` for other schemes or sizes."""
    images = [as_pixels(image, colour=False) for image in faces.images]
    sizes = {image.shape for image in images}
    require(
        faces.scheme.points == fkd15.points and sizes <= {SIDES},
        f"Kaggle's table holds 96 x 96 images of scheme fkd15; these are of scheme "
        f"{faces.scheme.name}, {len(sizes)} sizes. Choose another format.",
    )
    write(replace(faces, images=tuple(images)), folder)
    return folder / "training.csv"


def write_test(
    images: UInt8[np.ndarray, "N 96 96"], requested: Bool[np.ndarray, "N K"], folder: Path
) -> None:
    """Write ``test.csv`` and the lookup table that asks for these points of each image."""
    lines = ["ImageId,Image"]
    for i, image in enumerate(images, start=1):
        lines.append(f"{i}," + " ".join(map(str, image.reshape(-1).tolist())))
    write_text(folder / "test.csv", "\n".join(lines) + "\n")
    rows = ["RowId,ImageId,FeatureName,Location"]
    for i, row in enumerate(requested, start=1):
        for point in np.array(fkd15.points)[row]:
            rows += [f"{len(rows)},{i},{point}_x,", f"{len(rows) + 1},{i},{point}_y,"]
    write_text(folder / LOOKUP, "\n".join(rows) + "\n")


def _candidates(root: Path, split: str) -> list[Path]:
    paths = [root / f"{_STEMS[split]}{suffix}" for suffix in _SUFFIXES]
    return [path for path in paths if path.is_file()]


def _table_file(root: Path, split: str) -> Path:
    if not root.exists():
        raise DataError(f"{root}: no such file or folder.")
    if root.is_dir():
        found = _candidates(root, split)
        if not found:
            names = [f"{_STEMS[split]}{suffix}" for suffix in _SUFFIXES]
            raise DataError(
                f"{root}: no {', '.join(names[:-1])} or {names[-1]} in it; "
                "give the folder that holds Kaggle's files."
            )
        return found[0]
    other = _STEMS["test" if split == "all" else "all"]
    # A file of the other split stands for its folder; a file of any other name is read as it is.
    is_other = root.name in (f"{other}{suffix}" for suffix in _SUFFIXES)
    return _table_file(root.parent, split) if is_other else root
