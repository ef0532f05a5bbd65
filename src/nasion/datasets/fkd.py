"""Kaggle's Facial Keypoints Detection: 96 x 96 grey faces with up to 15 points, and its submission files.

The set has two annotators with two habits: one labelled (nearly) all 15 points, the other exactly four, and means other
places by ``nose_tip`` and ``mouth_center_bottom_lip``. Which one a face comes from is told by its points and kept as the
group ``source``. Source: kaggle.com/c/facial-keypoints-detection; coordinates are used as the files give them.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from nasion.datasets import _pixel_text
from nasion.datasets._faults import Faults, note
from nasion.errors import DataError, SettingError
from nasion.faces import Faces
from nasion.files import Stream, decoded, opened, write_text, written_beside
from nasion.scheme import Scheme
from nasion.schemes import fkd15

SCHEME = fkd15
SPLITS = ("all", "test")
SIDE = 96  # pixels; coordinates may lie in 0 .. SIDE
COLUMNS = tuple(f"{point}_{axis}" for point in fkd15.points for axis in "xy")
FOUR_POINTS = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")
LOOKUP = "IdLookupTable.csv"
_STEMS = {"all": "training", "test": "test"}
_BLOCK = 4 << 20  # bytes read at once


@dataclass(frozen=True)
class Lookup:
    """What Kaggle asks for: row ``row_ids[i]`` of a submission is coordinate ``columns[i]`` of test image ``image_ids[i]``."""

    row_ids: tuple[int, ...]
    image_ids: tuple[int, ...]
    columns: tuple[str, ...]


def recognises(root: Path) -> bool:
    """True for a folder or file that looks like this data set."""
    if root.is_dir():
        return any(_candidates(root, "all")) or any(_candidates(root, "test"))
    return root.name in {f"{stem}{end}" for stem in _STEMS.values() for end in (".zip", ".csv", ".csv.gz")}


def files(root: Path, split: str) -> list[Path]:
    """The files that ``read`` takes its data from."""
    table = _table_file(root, split)
    lookup = table.parent / LOOKUP
    return [table, lookup] if split == "test" and lookup.is_file() else [table]


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """All labelled faces (``all``) or the test pictures (``test``, no points) from a folder, ``.zip``, ``.csv`` or ``.csv.gz``.

    Faulty rows raise ``DataError``, or are noted in ``faults`` and left out. The faces are always of scheme fkd15, whatever
    ``scheme`` says; ``Faces.to`` brings them to another.
    """
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in fkd; it has {', '.join(SPLITS)}, and train and val through load_faces.")
    path = _table_file(root, split)
    with opened(path, member=f"{_STEMS[split]}.csv" if path.suffix == ".zip" else None) as stream:
        rows = _Rows(stream, path, ("ImageId",) if split == "test" else COLUMNS)
        keys, numbers, images = rows.collect(faults)
    if split == "all":
        points = numbers.astype(np.float32).reshape(-1, len(fkd15), 2)
        ids, source = tuple(f"training/{row}" for row in keys), sources(~np.isnan(points[..., 0]))
    else:
        points = np.full((len(numbers), len(fkd15), 2), np.nan, dtype=np.float32)
        asked = _asked(path.parent / LOOKUP, numbers[:, 0], faults)
        images_asked = np.array([asked.get(int(i), np.zeros(len(fkd15), bool)) for i in numbers[:, 0]], dtype=bool).reshape(-1, len(fkd15))
        ids, source = tuple(f"test/{int(i)}" for i in numbers[:, 0]), sources(images_asked)
    return Faces(scheme=fkd15, ids=ids, images=images, points=points, groups={"source": source})


def sources(labelled: Bool[np.ndarray, "N K"]) -> tuple[str, ...]:
    """The annotator of each face, told by which points it has labels for (or, in the test set, is asked for)."""
    four = np.zeros(len(fkd15), dtype=bool)
    four[fkd15.index(FOUR_POINTS)] = True
    others, any_point = np.any(labelled & ~four, axis=1), np.any(labelled, axis=1)
    return tuple(np.where(others, "15 points", np.where(any_point, "4 points", "unknown")).tolist())


def read_lookup(path: Path, faults: Faults = None) -> Lookup:
    """The look-up table with any line ends (CR CR LF was seen).

    An unknown feature or a bad number raises ``DataError``, or is noted in ``faults`` and left out.
    """
    with opened(path) as stream:
        text = decoded(re.sub(rb"\r+\n?", b"\n", stream.read()), path)
    reader = csv.DictReader(io.StringIO(text))
    missing = {"RowId", "ImageId", "FeatureName"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"{path}: column {sorted(missing)[0]} is missing; the columns are {', '.join(reader.fieldnames or ())}.")
    rows: list[tuple[int, int, str]] = []
    for row in reader:
        place = f"{path.name} line {reader.line_num}"
        if row["FeatureName"] not in COLUMNS:
            note(faults, place, f"unknown feature {row['FeatureName']!r}; there is {', '.join(COLUMNS)}.")
            continue
        try:
            rows.append((int(row["RowId"]), int(row["ImageId"]), row["FeatureName"]))
        except (TypeError, ValueError):
            note(faults, place, f"RowId {row['RowId']!r} and ImageId {row['ImageId']!r} must be whole numbers.")
    if not rows:
        raise DataError(f"{path}: no rows; nothing is asked for.")
    return Lookup(*(tuple(column) for column in zip(*rows, strict=True)))


def _asked(path: Path, images: np.ndarray, faults: Faults) -> dict[int, Bool[np.ndarray, " K"]]:
    """What the look-up table beside the test pictures asks for, if there is one; that it asks for others is noted."""
    if not path.is_file():
        return {}
    asked = asked_points(read_lookup(path, faults))
    strange = sorted(set(asked) - set(images.astype(int).tolist()))
    if strange and faults is not None:
        note(faults, path.name, f"asks for ImageId {strange[0]}, which is not among the {len(images)} test images ({len(strange)} such in all).")
    return asked


def asked_points(lookup: Lookup) -> dict[int, Bool[np.ndarray, " K"]]:
    """For each test image the points that it is asked for."""
    asked: dict[int, np.ndarray] = {}
    for image, column in zip(lookup.image_ids, lookup.columns, strict=True):
        asked.setdefault(image, np.zeros(len(fkd15), dtype=bool))[COLUMNS.index(column) // 2] = True
    return asked


def write(faces: Faces, folder: Path) -> None:
    """Write 96 x 96 grey faces of scheme fkd15 as Kaggle's ``training.csv``."""
    with written_beside(folder / "training.csv") as beside, beside.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "Image"])
        for image, points in zip(faces.images, faces.points, strict=True):
            numbers = ["" if math.isnan(v) else f"{v:.4f}" for v in points.reshape(-1).tolist()]
            writer.writerow([*numbers, " ".join(map(str, np.asarray(image).reshape(-1).tolist()))])


def write_test(images: UInt8[np.ndarray, "N 96 96"], asked: Bool[np.ndarray, "N K"], folder: Path) -> None:
    """Write ``test.csv`` and the look-up table that asks for these points of each image."""
    lines = [f"{i + 1}," + " ".join(map(str, image.reshape(-1).tolist())) for i, image in enumerate(images)]
    write_text(folder / "test.csv", "\n".join(["ImageId,Image", *lines]) + "\n")
    wanted = [(i + 1, f"{point}_{axis}") for i, row in enumerate(asked) for point in np.array(fkd15.points)[row] for axis in "xy"]
    rows = [f"{row},{image},{column}," for row, (image, column) in enumerate(wanted, start=1)]
    write_text(folder / LOOKUP, "\n".join(["RowId,ImageId,FeatureName,Location", *rows]) + "\n")


def _candidates(root: Path, split: str) -> list[Path]:
    return [root / f"{_STEMS[split]}{end}" for end in (".zip", ".csv", ".csv.gz") if (root / f"{_STEMS[split]}{end}").is_file()]


def _table_file(root: Path, split: str) -> Path:
    stem = _STEMS[split]
    if not root.exists():
        raise DataError(f"{root}: no such file or folder.")
    if root.is_dir():
        found = _candidates(root, split)
        if not found:
            raise DataError(f"{root}: no {stem}.zip, {stem}.csv or {stem}.csv.gz in it; give the folder that holds Kaggle's files.")
        return found[0]
    other = _STEMS["test" if split == "all" else "all"]
    # A file of the other split stands for its folder; a file of any other name is what it is said to be.
    return _table_file(root.parent, split) if root.name.startswith(other) else root


class _Rows:
    """The rows of a table with some number columns and one ``Image`` column of grey values, in one pass over its bytes."""

    def __init__(self, stream: Stream, path: Path, columns: tuple[str, ...]) -> None:
        self._lines = _numbered_lines(stream)
        self._name, self._columns = path.name, columns
        _, header = next(self._lines, (0, b""))
        names = [name.strip(' "') for name in header.decode("utf-8-sig", "replace").split(",")]
        missing = [name for name in (*columns, "Image") if name not in names]
        if missing:
            raise DataError(f"{path} line 1: column {missing[0]} is missing; found {', '.join(names)[:300]}.")
        self._width, self._image = len(names), names.index("Image")
        self._at = [names.index(name) for name in columns]

    def collect(self, faults: Faults) -> tuple[list[int], Float64[np.ndarray, "N C"], UInt8[np.ndarray, "N 96 96"]]:
        """Row numbers from 0, the numbers (NaN where empty) and the images of all good rows."""
        before = len(faults or ())
        keys: list[int] = []
        numbers: list[list[float]] = []
        images = np.empty((1024, SIDE * SIDE), dtype=np.uint8)
        for row, (line, text) in enumerate(self._lines):
            if len(keys) == len(images):
                # In place: the rows so far stay where they are, and no second copy is held.
                images.resize((2 * len(images), SIDE * SIDE), refcheck=False)
            try:
                numbers.append(self._row(text, images[len(keys)]))
                keys.append(row)
            except ValueError as error:
                note(faults, f"{self._name} line {line}", str(error))
        if not keys and (faults is None or len(faults) == before):
            raise DataError(f"{self._name}: no rows below the header.")
        images.resize((len(keys), SIDE * SIDE), refcheck=False)
        table = np.array(numbers, dtype=np.float64).reshape(len(keys), len(self._columns))
        return keys, table, images.reshape(-1, SIDE, SIDE)

    def _row(self, text: bytes, image: UInt8[np.ndarray, " n"]) -> list[float]:
        cells = text.split(b",")
        if len(cells) != self._width:
            raise ValueError(f"has {len(cells)} columns, {self._width} expected.")
        try:
            _pixel_text.parse(cells[self._image], image)
        except ValueError as error:
            raise ValueError(f"Image {error}".replace(f"{SIDE * SIDE} expected", f"{SIDE * SIDE} ({SIDE} x {SIDE}) expected")) from None
        values = [self._number(cells[at], name) for at, name in zip(self._at, self._columns, strict=True)]
        if self._columns is COLUMNS:
            for i in range(0, len(values), 2):
                if math.isnan(values[i]) != math.isnan(values[i + 1]):
                    raise ValueError(f"{COLUMNS[i]} is {_show(values[i])} but {COLUMNS[i + 1]} is {_show(values[i + 1])}; a point has both or none.")
        return values

    def _number(self, cell: bytes, name: str) -> float:
        if name == "ImageId":
            if not cell.isdigit() or not 0 < int(cell) < 1 << 53:
                raise ValueError(f"ImageId is {_text(cell)}, a whole number from 1 expected.")
            return float(cell)
        if not cell:
            return math.nan
        try:
            value = float(cell.replace(b"_", b"?"))  # Python would read 6_6 as 66
        except ValueError:
            raise ValueError(f"{name} is {_text(cell)}, a number or nothing expected.") from None
        if value < 0 or value > SIDE:
            raise ValueError(f"{name} is {value:g}, outside the picture (0 to {SIDE}).")
        return value


def _text(cell: bytes) -> str:
    return repr(cell[:30].decode("utf-8", "replace"))


def _show(value: float) -> str:
    return "empty" if math.isnan(value) else f"{value:g}"


def _numbered_lines(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Lines with their number from 1, without line ends; blank lines are passed over."""
    rest, number = b"", 0
    while block := stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for text in lines:
            number += 1
            if text := text.rstrip(b"\r"):
                yield number, text
    if rest.strip():
        yield number + 1, rest.rstrip(b"\r")
