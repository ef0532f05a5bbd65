"""A task of Label Studio: which of its annotations counts, its regions, and its image's name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from nasion.data.datasets._named_points import box_from_corner, turned_box
from nasion.data.datasets._shapes import HIDDEN_WORDS, Shape
from nasion.errors import DataError
from nasion.landmarks.geometry import from_relative
from nasion.media.json_document import Document
from nasion.media.number_text import check_file_name
from nasion.media.quoted import quoted
from nasion.media.signatures import IMAGE_SUFFIXES

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)$", re.S)  # what Label Studio puts before uploads' names
_MOST = 10_000.0  # percent; regions may reach over the image's edge
_MAX_SIDE = 1 << 24  # pixels
# Keys of a task in JSON-MIN that are no regions.
_OF_TASK = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")


@dataclass(frozen=True, eq=False)
class Region:
    """A key point or rectangle. ``group``: the region or relation that makes it a face's."""

    value: Document
    size: tuple[int, int] | None
    group: str
    is_hidden: bool

    def shape(self, image: str, size: tuple[int, int] | None) -> Shape:
        """In pixels of an image of this size. Raises ``DataError`` for no such values."""
        width, height = size or (1, 1)
        x, y = (self.value[axis].number(-_MOST, _MOST) / 100 for axis in "xy")
        label = self.value.get("keypointlabels")
        if label is not None:
            names = [name.file_name() for name in label.elements()]
            if len(names) != 1:
                raise label.error(f"{len(names)} labels of a key point, 1 expected")
            px, py = from_relative(np.array([x, y]), np.array([width, height])).tolist()
            return Shape(image, names[0], self.group, [(names[0], (px, py), self.is_hidden)])
        sides = [self.value[side].number(0, _MOST) / 100 for side in ("width", "height")]
        try:
            upright = (x * width, y * height, (x + sides[0]) * width, (y + sides[1]) * height)
            # Rectangles are turned about their first corner.
            turn = self.value.get("rotation")
            degrees = 0 if turn is None else turn.number(-_MOST, _MOST)
            box = box_from_corner(*turned_box(upright, degrees, upright[:2]))
        except DataError:
            raise
        except ValueError as error:
            raise self.value.error(str(error)) from None
        return Shape(image, "", self.group, box=box)


def task_regions(task: Document) -> tuple[list[Region], int]:
    """The points and rectangles of a task, and how many annotations it has."""
    annotations = task.get("annotations", "completions")
    if annotations is None:
        return _plain_regions(task), 1
    kept = [each for each in annotations.elements() if not _is_set(each, "was_cancelled")]
    if not kept:
        return [], 0
    chosen = next((each for each in kept if _is_set(each, "ground_truth")), kept[-1])
    return _result_regions(chosen["result"]), len(kept)


def is_only_predicted(task: Document) -> bool:
    """Whether a model labelled the task and no person did."""
    annotations, predictions = task.get("annotations", "completions"), task.get("predictions")
    return not (annotations and annotations.value) and bool(predictions and predictions.value)


def _is_set(annotation: Document, key: str) -> bool:
    value = annotation.get(key)
    return value is not None and value.value is True


def _result_regions(result: Document) -> list[Region]:
    entries = result.elements()
    relations: list[tuple[str, str]] = []
    hidden: set[str] = set()
    points: set[str] = set()
    rectangles: set[str] = set()
    for entry in entries:
        kind = _text(entry, "type")
        if kind == "relation":
            relations.append((_text(entry, "from_id"), _text(entry, "to_id")))
        elif kind == "choices":
            choices = entry["value"].get("choices")
            words = [] if choices is None else [each.text() for each in choices.elements()]
            if any(word.lower() in HIDDEN_WORDS for word in words):
                hidden.add(_text(entry, "id"))
        elif kind.startswith("rectangle"):
            rectangles.add(_text(entry, "id"))
        elif kind == "keypointlabels":
            points.add(_text(entry, "id"))
    hidden.discard("")  # of no region
    related = _related(relations, points, rectangles)
    regions: list[Region] = []
    for entry in entries:
        name, kind = _text(entry, "id"), _text(entry, "type")
        if kind.startswith("rectangle"):
            regions.append(Region(entry["value"], _size(entry), name, False))
        elif kind == "keypointlabels":
            group = _text(entry, "parentID") or related.get(name, "")
            regions.append(Region(entry["value"], _size(entry), group, name in hidden))
    grouped = {region.group for region in regions if region.value.get("keypointlabels") is not None}
    # A rectangle that no point is linked to takes those that it contains.
    return [
        Region(r.value, r.size, r.group if r.group in grouped else "", r.is_hidden) for r in regions
    ]


def _related(
    relations: Sequence[tuple[str, str]], points: Collection[str], rectangles: Collection[str]
) -> dict[str, str]:
    """What makes each point a face's: its rectangle, or another region, as a polygon, by ids.

    A relation may be drawn from the point to its rectangle, or the other way. Those between two
    points make no face. Raises ``ValueError`` for a point of two rectangles.
    """
    both_ways = [*relations, *((end, start) for start, end in relations)]
    found: dict[str, str] = {}
    for point, region in both_ways:
        if point not in points or region in points or not region:
            continue
        known = found.get(point, region)
        if known != region and known in rectangles and region in rectangles:
            raise ValueError(
                f"point {quoted(point)} is related to the rectangles {quoted(known)} and "
                f"{quoted(region)}, and is of one face; remove the wrong relation in Label Studio"
            )
        found[point] = known if known in rectangles else region
    return found


def _plain_regions(task: Document) -> list[Region]:
    """JSON-MIN: lists of values under the names of the labelling tags."""
    regions: list[Region] = []
    for key, value in task.object().items():
        if key in _OF_TASK or not isinstance(value, list):
            continue
        for each in task[key].elements():
            fields = each.value if isinstance(each.value, dict) else {}
            if "keypointlabels" in fields or "rectanglelabels" in fields:
                regions.append(Region(each, _size(each), "", False))
    return regions


def _size(entry: Document) -> tuple[int, int] | None:
    """The size of the image as it was shown. ``DataError`` for one that was turned by hand."""
    rotation = entry.get("image_rotation")
    if rotation is not None and rotation.number() % 360:
        raise rotation.error("the image was turned in Label Studio; turn it back there and export")
    width, height = entry.get("original_width"), entry.get("original_height")
    if width is None or height is None:
        return None
    return width.whole(1, _MAX_SIDE), height.whole(1, _MAX_SIDE)


def _text(entry: Document, key: str) -> str:
    value = entry.get(key)
    return "" if value is None else str(value.value)


def image_names(task: Document) -> list[str]:
    """Paths that a task's image may have, the likeliest first. Raises ``DataError`` for none."""
    data = task.get("data") or task
    texts = {key: value for key, value in data.object().items() if isinstance(value, str)}
    likely = [text for text in texts.values() if _path(text).lower().endswith(IMAGE_SUFFIXES)]
    address = texts.get("image") or next(iter(likely), None)
    if not address:
        raise data.error("it names no image; a value that ends in .jpg, .png or so expected")
    names = [_path(address), _path(address, decode=False)]
    plain = [PurePosixPath(name) for name in names]
    uploads = [_UPLOADED.match(path.name) for path in plain]
    names += [
        str(path.with_name(match[1])) for path, match in zip(plain, uploads, strict=True) if match
    ]
    for name in names:
        check_file_name(name)
    return list(dict.fromkeys(names))


def _path(address: str, decode: bool = True) -> str:
    """The path in an address of a server, a cloud's storage or Label Studio's local files."""
    try:
        parts = urlsplit(address)
        local = parse_qs(parts.query).get("d")
    except ValueError:
        return address
    if local:
        return local[0].lstrip("/")
    path = parts.path if parts.scheme or address.startswith("/data/") else address
    return (unquote(path) if decode else path).lstrip("/") or address
