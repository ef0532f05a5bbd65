"""The parts of a SLEAP file: HDF5 with tables of points, and JSON texts in its attributes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from nasion.errors import DataError, refusing_damage, requires_extra
from nasion.landmarks.scheme import Scheme
from nasion.media.json_document import Document, parse_document
from nasion.media.number_text import MAX_COORDINATE

_EDGE, _SYMMETRY = 1, 2  # kinds of links
_CENTRED = 1.1  # from this format on the centre of the first pixel is (0, 0); before, its corner
_ORDERED = 1.4  # from this format on images say in which order their colours are


@dataclass(frozen=True, eq=False)
class Instance:
    """A labelled animal or face. ``points``: NaN where not visible, in its skeleton's order."""

    video: int
    frame: int
    skeleton: int
    points: Float64[np.ndarray, "K 2"]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open HDF5 file. Raises ``MissingExtra`` without h5py, ``DataError`` for another file."""
    with requires_extra("SLEAP's files", "sleap"):
        import h5py
    remedy = "save it in SLEAP again."
    with refusing_damage(path, remedy=remedy), h5py.File(path, "r") as file:
        yield file


def skeletons(file: Any, path: Path) -> list[Scheme]:
    """Each skeleton's points, edges and, of its symmetries, mirror pairs."""
    metadata = _group(file, "metadata", path)
    text = metadata.attrs.get("json")
    if text is None:
        raise DataError(f"{path}: its metadata has no attribute json; save it in SLEAP again.")
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
    texts = _table(file, "videos_json", path)
    found = []
    for k, text in enumerate(texts):
        document = parse_document(_text(text), f"{path} videos_json[{k}]")
        found.append(document.get("backend") or document)
    return found


def instances(file: Any, path: Path) -> list[Instance]:
    """The instances that a person labelled, frame by frame."""
    frames = _table(file, "frames", path, "video", "frame_idx", "frame_id")
    names = ("instance_type", "frame_id", "skeleton", "point_id_start", "point_id_end")
    rows = _table(file, "instances", path, *names)
    points = _table(file, "points", path, "x", "y", "visible")
    xy = np.stack([points["x"], points["y"]], axis=1).astype(np.float64)
    if _version(file, path) < _CENTRED:
        xy -= 0.5
    # Places of invisible points are where SLEAP put them at first.
    xy[~points["visible"].astype(bool) | np.isnan(xy).any(axis=1)] = np.nan
    wrong = np.flatnonzero((np.abs(xy) > MAX_COORDINATE).any(axis=1))  # infinity too
    if len(wrong):
        raise DataError(
            f"{path} points[{wrong[0]}]: {xy[wrong[0]].tolist()}; at most {MAX_COORDINATE:,.0f} "
            "pixels expected; save it in SLEAP again."
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
                f"{int(row['frame_id'])}; there is no such part; save it in SLEAP again."
            )
        places = (int(frame["video"]), int(frame["frame_idx"]), int(row["skeleton"]))
        found.append(Instance(*places, xy[start:end]))
    return found


def _version(file: Any, path: Path) -> float:
    return float(_group(file, "metadata", path).attrs.get("format_id", 1.0))


def embedded_image(file: Any, dataset: str, frame: int, path: Path) -> tuple[Any, bool]:
    """A frame that the file holds, and whether its red and blue have changed places.

    An encoded image's bytes, or pixels, which are always red, green, blue. OpenCV, with which SLEAP
    encodes, takes red for blue; from format 1.4 on the file says so.
    """
    group = dataset.rpartition("/")[0]
    data = _group(file, dataset, path)
    numbers = file.get(f"{group}/frame_numbers")
    at = frame if numbers is None else int(np.flatnonzero(numbers[:] == frame)[0])
    value = np.asarray(data[at])
    if value.ndim > 1:
        return value, False
    order = data.attrs.get("channel_order")
    is_bgr = _version(file, path) < _ORDERED if order is None else _text(order) == "BGR"
    return value.astype(np.int8).tobytes(), is_bgr


def _group(file: Any, name: str, path: Path) -> Any:
    if name not in file:
        raise DataError(
            f"{path}: it has no {name!r}, so it is not a SLEAP file, or not a whole one; save it "
            "in SLEAP again."
        )
    return file[name]


def _table(file: Any, name: str, path: Path, *fields: str) -> Shaped[np.ndarray, " n ..."]:
    table = _group(file, name, path)[:]
    missing = [field for field in fields if field not in (table.dtype.names or ())]
    if missing:
        raise DataError(f"{path}: its {name} have no {missing[0]!r}; save it in SLEAP again.")
    return table


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
