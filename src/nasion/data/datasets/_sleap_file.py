"""The parts of a SLEAP file: HDF5 with tables of points, and JSON texts in its attributes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float64, Shaped
from nasion.data.datasets._hdf5 import (
    attribute,
    dataset,
    dataset_values,
    opened_hdf5,
    texts_attribute,
)
from nasion.errors import DataError
from nasion.landmarks.scheme import Scheme
from nasion.media.json_document import Document, parse_document
from nasion.media.number_text import MAX_COORDINATE
from nasion.media.quoted import quoted

_EDGE, _SYMMETRY = 1, 2  # kinds of links
_CENTRED = 1.1  # from this format on the centre of the first pixel is (0, 0); before, its corner
_REMEDY = "save it in SLEAP again."
_ORDERED = 1.4  # from this format on images say in which order their colours are


@dataclass(frozen=True, eq=False)
class Instance:
    """A labelled animal or face. ``points``: NaN where not visible, in its skeleton's order."""

    video: int
    frame: int
    skeleton: int
    points: Float64[np.ndarray, "K 2"]


def opened(path: Path) -> AbstractContextManager[Any]:
    """The open HDF5 file, as ``opened_hdf5``."""
    return opened_hdf5(path, "SLEAP's files", "sleap", _REMEDY)


def skeletons(file: Any, path: Path) -> list[Scheme]:
    """Each skeleton's points, edges and, of its symmetries, mirror pairs."""
    text = _attribute(_group(file, "metadata", path), "json", "SO", path)
    if text is None:
        raise DataError(f"{path}: its metadata has no attribute json; {_REMEDY}")
    document = parse_document(_text(text), f"{path} metadata")
    names = [node["name"].file_name() for node in document["nodes"].elements()]
    return [_scheme(each, names) for each in document["skeletons"].elements()]


def _scheme(skeleton: Document, names: list[str]) -> Scheme:
    ids = [node["id"].whole(0, len(names) - 1) for node in skeleton["nodes"].elements()]
    own = [names[i] for i in ids]
    if len(set(own)) < len(own):
        raise skeleton["nodes"].error("a node occurs twice")
    links = skeleton.get("links")
    kinds: list[int] = []  # in the order in which they are first written: others refer to them
    edges: list[tuple[str, str]] = []
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for link in [] if links is None else links.elements():
        kind = _link_kind(link, kinds)
        ends = [names[link[end].whole(0, len(names) - 1)] for end in ("source", "target")]
        if ends[0] == ends[1] or not set(ends) <= set(own):
            continue
        if kind == _SYMMETRY:
            pairs.setdefault(frozenset(ends), (ends[0], ends[1]))
        else:
            edges.append((ends[0], ends[1]))
    partners = [name for pair in pairs.values() for name in pair]
    if len(set(partners)) < len(partners):
        raise skeleton.error("a node is symmetric to two others")
    mirror = tuple(pairs.values())
    return Scheme(name="sleap", points=tuple(own), mirror=mirror, edges=tuple(edges))


def _link_kind(link: Document, kinds: list[int]) -> int:
    """1 for an edge, 2 for a symmetry, as Python's objects are written to JSON."""
    kind = link.get("type")
    if kind is None:
        return _EDGE
    reduced = kind.get("py/reduce")
    if reduced is not None and len(reduced.elements()) > 1:
        values = reduced.elements()[1]["py/tuple"].elements()
        found = values[0].whole(1, 2) if values else _EDGE
        kinds.append(found)
        return found
    number = kind.get("py/id")
    n = 1 if number is None else number.whole(1)
    return kinds[n - 1] if n <= len(kinds) else n


def videos(file: Any, path: Path) -> list[Document]:
    """What the file says of each video: its backend, with file names or a data set."""
    found = []
    for k, text in enumerate(_array(file, "videos_json", "SO", path).reshape(-1)):
        document = parse_document(_text(text), f"{path} videos_json[{k}]")
        found.append(document.get("backend") or document)
    return found


def instances(file: Any, path: Path) -> list[Instance]:
    """The instances that a person labelled, frame by frame."""
    frames = _table(file, "frames", path, ("video", "frame_idx", "frame_id"))
    names = ("instance_type", "frame_id", "skeleton", "point_id_start", "point_id_end")
    rows = _table(file, "instances", path, names)
    points = _table(file, "points", path, ("x", "y", "visible"), "fiub")
    xy = np.stack([points["x"], points["y"]], axis=1).astype(np.float64)
    xy -= first_pixel(file, path)
    # Places of invisible points are where SLEAP put them at first.
    xy[~points["visible"].astype(bool) | np.isnan(xy).any(axis=1)] = np.nan
    wrong = np.flatnonzero((np.abs(xy) > MAX_COORDINATE).any(axis=1))  # infinity too
    if len(wrong):
        raise DataError(
            f"{path} points[{wrong[0]}]: {xy[wrong[0]].tolist()}; at most {MAX_COORDINATE:,.0f} "
            f"pixels expected; {_REMEDY}"
        )
    by_id = {int(row["frame_id"]): row for row in frames}
    found: list[Instance] = []
    for k, row in enumerate(rows):
        if row["instance_type"] != 0:  # predicted
            continue
        start, end = int(row["point_id_start"]), int(row["point_id_end"])
        frame = by_id.get(int(row["frame_id"]))
        if frame is None or not 0 <= start <= end <= len(xy):
            raise DataError(
                f"{path} instances[{k}]: points {start} to {end} of {len(xy)}, frame "
                f"{int(row['frame_id'])}; there is no such part; {_REMEDY}"
            )
        places = (int(frame["video"]), int(frame["frame_idx"]), int(row["skeleton"]))
        found.append(Instance(*places, xy[start:end]))
    return found


def first_pixel(file: Any, path: Path) -> float:
    """What the file calls the centre of the first pixel."""
    return 0.5 if _version(file, path) < _CENTRED else 0.0


def _version(file: Any, path: Path) -> float:
    value = _attribute(_group(file, "metadata", path), "format_id", "fiu", path)
    return 1.0 if value is None else float(value)


def _attribute(stored: Any, name: str, kinds: str, path: Path) -> Any:
    try:
        return attribute(stored, name, kinds)
    except ValueError as error:
        raise DataError(f"{path}: {error}; {_REMEDY}") from error


def embedded_image(file: Any, name: str, frame: int, path: Path) -> tuple[Any, bool]:
    """A frame that the file holds in a dataset, and whether its red and blue have changed places.

    An encoded image's bytes, or pixels, which are always red, green, blue. OpenCV, with which SLEAP
    encodes, takes red for blue; from format 1.4 on the file says so.
    """
    numbers = f"{name.rpartition('/')[0]}/frame_numbers"
    held = _array(file, numbers, "iu", path).reshape(-1) if numbers in file else None
    try:
        data = dataset(_group(file, name, path), "iuO", name, by_row=True)
        at = frame if held is None else next(iter(np.flatnonzero(held == frame).tolist()), -1)
        if not data.ndim or not 0 <= at < len(data):
            raise ValueError(f"{name} does not hold frame {frame}")
        value = dataset_values(data[at], "iu", name)
    except ValueError as error:
        raise DataError(f"{path}: {error}; {_REMEDY}") from error
    if value.ndim > 1:
        return value, False
    order = _attribute(data, "channel_order", "SO", path)
    is_bgr = _version(file, path) < _ORDERED if order is None else _text(order) == "BGR"
    return value.astype(np.int8).tobytes(), is_bgr


def _group(file: Any, name: str, path: Path) -> Any:
    if name not in file:
        raise DataError(
            f"{path}: it has no {quoted(name)}, so it is not a SLEAP file, or not a whole one; "
            f"{_REMEDY}"
        )
    return file[name]


def _array(file: Any, name: str, kinds: str, path: Path) -> Shaped[np.ndarray, " *shape"]:
    try:
        return dataset_values(_group(file, name, path), kinds, name)
    except ValueError as error:
        raise DataError(f"{path}: {error}; {_REMEDY}") from error


def _table(
    file: Any, name: str, path: Path, fields: tuple[str, ...], kinds: str = "iu"
) -> Shaped[np.ndarray, " n"]:
    """A table with these fields. ``kinds``: those of NumPy's that they may be of.

    The browser's writer, sleap-io.js, stores plain numbers and names the columns in an attribute.
    """
    table = _array(file, name, "Vfiu", path)
    if table.dtype.names is None and table.ndim == 2:
        columns = _column_names(file[name], path)
        if len(columns) == table.shape[1]:
            table = _by_name(table, columns, fields, kinds)
    missing = [field for field in fields if field not in (table.dtype.names or ())]
    if missing:
        raise DataError(f"{path}: its {name} have no {quoted(missing[0])}; {_REMEDY}")
    wrong = [field for field in fields if table.dtype[field].kind not in kinds]
    if wrong or table.ndim != 1:
        raise DataError(
            f"{path}: its {name} have no numbers {quoted((wrong or fields)[0])}; {_REMEDY}"
        )
    return table


def _column_names(stored: Any, path: Path) -> list[str]:
    """The names of a table's columns: texts, or one text of JSON; none if they are not there."""
    try:
        texts = texts_attribute(stored, "field_names")
    except ValueError as error:
        raise DataError(f"{path}: {error}; {_REMEDY}") from error
    if len(texts) != 1:
        return texts
    document = parse_document(texts[0], f"{path} {stored.name} field_names")
    return [name.text() for name in document.elements()]


def _by_name(
    rows: Shaped[np.ndarray, "n m"], columns: list[str], fields: tuple[str, ...], kinds: str
) -> Shaped[np.ndarray, " n"]:
    """The fields as a table with names; whole numbers where no fractions may be."""
    kept = [name for name in fields if name in columns]
    values = rows[:, [columns.index(name) for name in kept]]
    if "f" not in kinds and (np.abs(values) < 1 << 53).all() and (values % 1 == 0).all():
        values = values.astype(np.int64)
    table = np.zeros(len(rows), dtype=[(name, values.dtype) for name in kept])
    for k, name in enumerate(kept):
        table[name] = values[:, k]
    return table


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
