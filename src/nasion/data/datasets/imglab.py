"""XML files of dlib's imglab tool: images with boxes, boxes with numbered or named parts.

As the course's ``labels_ibug_300W_*.xml``. A box covers whole pixels, ``left`` to
``left + width - 1``, and may leave the image; parts are pixels counted from 0. A part that is
absent is not labelled. Boxes with ``ignore='1'`` are left out. The file is read as a stream, so
only its faces take memory.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import quoteattr

import numpy as np

from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._image_names import with_slashes
from nasion.data.datasets._label_files import (
    begins_with_element,
    box_for_tools,
    check_split,
    images_root,
    labelled_images,
)
from nasion.data.datasets._photographs import photograph
from nasion.data.own_schemes import scheme_from_data, scheme_of_numbered
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SettingError, refusing_damage
from nasion.landmarks.catalog import SCHEMES, ibug68, scheme_by_count
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import has_area
from nasion.landmarks.scheme import Scheme
from nasion.media.files import open_bytes, write_text
from nasion.media.number_text import (
    MAX_COORDINATE,
    check_file_name,
    is_whole,
    parse_coordinate,
)
from nasion.media.quoted import quoted

SCHEME: Scheme = ibug68
SPLITS = ("all",)
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ("boxes",)  # of what labels may have beside points
PRECISION = 0.5  # pixels to which a written point is kept
_log = logging.getLogger(__name__)
_NEARLY_ALL = 0.8  # of a scheme's points, from which a file is meant to be in it
_MAX_DIGITS = 5  # of a part's number: the highest one decides how large the scheme must be


def recognises(root: Path) -> bool:
    is_xml = root.is_file() and root.suffix.lower() == ".xml"
    return is_xml and begins_with_element(root, "dataset")


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The boxes of a file as faces, in the file's order; images are opened only when needed.

    ``scheme``: what the part names or numbers mean; if it is None or does not fit, the only scheme
    with as many points. Groups: subset (the first folder of the image's name), photograph (linked:
    boxes of one image, and mirrored copies).
    """
    check_split(split, SPLITS, "imglab")
    reader = _Reader(root, faults)
    _parse(root, reader)
    reader.finder.tell(root.name)
    if reader.ignored:
        _log.info("%s: boxes with ignore='1' are left out: %d.", root.name, reader.ignored)
    if not reader.ids:
        raise DataError(f"{root}: it has no box; faces are <box> elements in <image> elements.")
    scheme, column = _columns(reader.names, scheme, root)
    points = np.full((len(reader.ids), len(scheme), 2), np.nan, dtype=np.float32)
    face, name = (np.frombuffer(values, dtype="i4") for values in (reader.face, reader.name))
    # All parts of all faces at once: face[i] and name[i] say where xy[i] belongs.
    points[face, column[name]] = np.frombuffer(reader.xy, dtype="f4").reshape(-1, 2)
    files = [reader.files[i] for i in reader.file]
    images = images_root(root)
    paths = {file: images / file for file in reader.files}
    photographs = {file: photograph(file) for file in reader.files}
    groups = {"photograph": tuple(photographs[file] for file in files)}
    parts = {file: Path(file).parts for file in reader.files}
    if any(len(part) > 1 for part in parts.values()):
        subsets = {file: part[0] if len(part) > 1 else "" for file, part in parts.items()}
        groups = {"subset": tuple(subsets[file] for file in files), **groups}
    return Faces(
        scheme=scheme,
        ids=tuple(reader.ids),
        images=tuple(paths[file] for file in files),
        points=points,
        # A copy: frombuffer shares memory with the parser's array.
        boxes=np.frombuffer(reader.boxes, dtype="f4").reshape(-1, 4).copy(),
        groups=groups,
        linked=("photograph",),
    )


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in the file, by their names; older files have none."""
    reader = _SizeReader()
    _parse(root, reader)
    return reader.sizes


def read_boxes(path: Path) -> tuple[list[str], np.ndarray]:
    """(image names, boxes (N, 4)), whatever the parts mean."""
    reader = _Reader(path, None, opens_images=False)
    _parse(path, reader)
    boxes = np.frombuffer(reader.boxes, dtype="f4").reshape(-1, 4)
    return [reader.files[i] for i in reader.file], boxes


def _columns(
    part_names: Iterable[str], requested: Scheme | None, root: Path
) -> tuple[Scheme, np.ndarray]:
    """The scheme of the parts, and the position in it of each part name."""
    names = list(part_names)
    if names and not all(map(is_whole, names)):
        # Several schemes may have all names; the requested one counts, then iBUG's.
        known = [scheme for scheme in (requested, SCHEME, *SCHEMES.values()) if scheme]
        having = (scheme for scheme in known if all(name in scheme for name in names))
        scheme = next(having, None) or _own_scheme(names, requested, root)
        unknown = [name for name in names if name not in scheme]
        if unknown:
            raise DataError(
                f"{root}: part {quoted(unknown[0])} is not a point of scheme {scheme.name}; "
                "name the right scheme (--scheme), or number the parts from 0."
            )
        return scheme, scheme.index(names)
    numbers = np.array([int(name) for name in names], dtype=np.int64)
    if not names:
        return requested or SCHEME, numbers
    if set(numbers.tolist()) == set(range(1, len(numbers) + 1)):
        # All numbers but 0: parts are counted from 1, if a scheme has as many.
        counted = scheme_of_numbered(root.stem, len(numbers), requested, first=1)
        if counted is not None:
            _log.info("%s: parts are numbered 1 to %d, from 1.", root.name, len(numbers))
            return counted, numbers - 1
    scheme = scheme_of_numbered(root.stem, int(numbers.max()) + 1, requested)
    if scheme is None:
        wanted = f"; {requested.name} has {len(requested)} points" if requested else ""
        raise DataError(
            f"{root}: its parts are numbered up to {numbers.max()}, which fits no scheme, "
            f"or several{wanted}. Name the right one (--scheme), or give the parts point names."
        )
    return scheme, numbers


def _own_scheme(names: list[str], requested: Scheme | None, root: Path) -> Scheme:
    """A scheme of part names that no scheme has all of; the nearest one if few are wrong in it."""
    if requested is not None:
        return requested
    odd = [name for name in names if not is_whole(name)]
    if len(odd) < len(names):
        raise DataError(
            f"{root}: part {quoted(odd[0])} among parts that are numbered; "
            "number all parts, or name all."
        )
    nearest = max(SCHEMES.values(), key=lambda scheme: sum(name in scheme for name in names))
    # Nearly all of a scheme: a name is misspelt. A scheme of one's own shares some names.
    if sum(name in nearest for name in names) >= _NEARLY_ALL * len(nearest):
        return nearest
    # Sorted, as dlib does: two files of one tool name parts in any order.
    return scheme_from_data(root.stem, sorted(names))


@dataclass(eq=False)
class _Box:
    """A box that is being read."""

    place: str
    edges: tuple[float, float, float, float] | None
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    problem: str = ""
    ignored: bool = False  # marked in imglab, as faces too small or unclear to learn from


class _Reader(ContentHandler):
    """Collects boxes into flat arrays as the parser meets them."""

    def __init__(self, root: Path, faults: Faults, opens_images: bool = True) -> None:
        super().__init__()
        self.root, self.faults, self.opens_images = root, faults, opens_images
        self.files: list[str] = []
        self.finder = ImageFinder(images_root(root))
        self.names: dict[str, int] = {}
        self.ids: list[str] = []
        # Four bytes per number, where a list would hold an object each. file: of each face, its
        # position in `files`; face and name: of each part, its face and its position in `names`.
        self.boxes, self.xy = array("f"), array("f")
        self.file, self.face, self.name = array("i"), array("i"), array("i")
        self.ignored = 0
        self._boxes_of: dict[str, int] = {}
        self._open_boxes: list[_Box] = []
        self._box: _Box | None = None
        self._in_image = False
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:
        self._locator = locator

    @property
    def _place(self) -> str:
        return f"{self.root.name} line {self._locator.getLineNumber()}"

    def startElement(self, name: str, attrs: Any) -> None:
        if name == "image":
            self._start_image(attrs)
        elif name == "box" and self._in_image:
            self._start_box(attrs)
        elif name == "part" and self._box is not None:
            self._add_part(self._box, attrs)

    def endElement(self, name: str) -> None:
        if name == "box" and self._box is not None:
            self._open_boxes.append(self._box)
            self._box = None
        elif name == "image":
            self._end_image()

    def _start_image(self, attrs: Any) -> None:
        self._open_boxes = []
        self._in_image = False
        try:
            name = check_file_name(attrs.get("file", ""))
        except ValueError as error:
            problem = f"an <image> without file='...' ({error}); its boxes belong to no image."
            report_fault(self.faults, self._place, problem)
            return
        try:
            name = self.finder.named(name) if self.opens_images else name
            self.files.append(name)
            self._in_image = True
        except ValueError as error:
            problem = f"{error}."
            report_fault(self.faults, self._place, problem)

    def _start_box(self, attrs: Any) -> None:
        found = {side: attrs.get(side) for side in ("left", "top", "width", "height")}
        # Kept even if it is faulty: boxes are numbered as they stand in the file.
        self._box = _Box(self._place, None, ignored=attrs.get("ignore") == "1")
        try:
            left, top, width, height = (parse_coordinate(text or "") for text in found.values())
            # Outer edges: a box of width 1 covers one pixel.
            edges = (left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5)
            if not has_area(np.array(edges)):
                raise ValueError
        except ValueError:
            shown = ", ".join(f"{side} {quoted(text)}" for side, text in found.items())
            self._box.problem = (
                f"a box with {shown}; numbers up to {MAX_COORDINATE:,.0f} expected, "
                "width and height above 0."
            )
            return
        self._box.edges = edges

    def _add_part(self, box: _Box, attrs: Any) -> None:
        name = attrs.get("name", "")
        if is_whole(name) and len(name) > _MAX_DIGITS:
            box.problem = box.problem or f"part {quoted(name)} is not a point's number."
            return
        # imglab writes 07, others 7.
        name = str(int(name)) if is_whole(name) else name
        try:
            x, y = (parse_coordinate(attrs.get(axis) or "") for axis in "xy")
        except ValueError:
            found = f"x {quoted(attrs.get('x'))}, y {quoted(attrs.get('y'))}"
            box.problem = box.problem or f"part {quoted(name)} has {found}; numbers expected."
            return
        if name in box.parts:
            duplicate = f"part {quoted(name)} occurs twice in one box; each part may occur once."
            box.problem = box.problem or duplicate
        box.parts[name] = (x, y)

    def _end_image(self) -> None:
        if not self._in_image:
            return
        self._in_image = False
        file = self.files[-1]
        # An image may have several <image> elements; its boxes are numbered on.
        before = self._boxes_of.get(file, 0)
        self._boxes_of[file] = before + len(self._open_boxes)
        for number, box in enumerate(self._open_boxes):
            if box.ignored:
                self.ignored += 1
                continue
            if box.edges is None or box.problem:
                report_fault(self.faults, box.place, box.problem)
                continue
            # The only box of an image is named as the image; several are numbered.
            alone = before == 0 and len(self._open_boxes) == 1
            for name, xy in box.parts.items():
                self.face.append(len(self.ids))
                self.name.append(self.names.setdefault(name, len(self.names)))
                self.xy.extend(xy)
            self.ids.append(file if alone else f"{file}#{before + number}")
            self.file.append(len(self.files) - 1)
            self.boxes.extend(box.edges)


class _SizeReader(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[str, tuple[int, int]] = {}

    def startElement(self, name: str, attrs: Any) -> None:
        width, height = attrs.get("width", ""), attrs.get("height", "")
        if name == "image" and is_whole(width[:_MAX_DIGITS]) and is_whole(height[:_MAX_DIGITS]):
            file = with_slashes(attrs.get("file", ""))
            self.sizes[file] = (int(width[:_MAX_DIGITS]), int(height[:_MAX_DIGITS]))


def _parse(root: Path, reader: ContentHandler) -> None:
    """Feed the file to the reader.

    ``DataError`` for malformed XML, encodings that the parser does not know, and entities.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.sax import parse

    # The parser has errors of its own for encodings that it does not know.
    with refusing_damage(root, remedy="correct it, or save it again as UTF-8."):
        try:
            with open_bytes(root) as stream:
                # Entities that refer to each other grow exponentially, and external ones read
                # other files.
                parse(cast(Any, stream), reader, forbid_entities=True, forbid_external=True)
        except DefusedXmlException as error:
            kind = type(error).__name__
            refused = f"{root}: entities are refused ({kind}); imglab writes none."
            raise DataError(refused) from error
        except SAXException as error:
            raise DataError(
                f"{root}: not well-formed XML ({error}); correct it or save it again."
            ) from error


def write(faces: Faces, path: Path) -> None:
    """Write faces with boxes as an imglab file, in whole pixels; ids are the images' names."""
    if faces.boxes is None:
        raise SettingError("An imglab file needs boxes, and these faces have none.")
    names = [f"{k:02d}" for k in range(len(faces.scheme))]
    images = (
        (f"file={quoteattr(name)}", _box_lines(faces, i, names)) for i, name in enumerate(faces.ids)
    )
    _write_images(images, path)


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``labels.xml`` in whole pixels, since dlib reads no fractions.

    A face without a box gets the one around its points. Parts are numbered if that tells the
    scheme, else named. An occluded point is written as any other.
    """
    count = len(faces.scheme)
    numbered = scheme_by_count(count) == faces.scheme
    names = [f"{k:02d}" for k in range(count)] if numbered else list(faces.scheme.points)
    images = (
        (
            f"file={quoteattr(image.name)} width='{image.size[0]}' height='{image.size[1]}'",
            [line for i in image.faces for line in _box_lines(faces, i, names)],
        )
        for image in labelled_images(faces, folder)
    )
    path = folder / "labels.xml"
    _write_images(images, path)
    return path


def _box_lines(faces: Faces, i: int, names: list[str]) -> list[str]:
    """A face as a box with its labelled parts; nothing for a face that has neither."""
    box = box_for_tools(faces, i)
    if box is None:
        return []
    left, top, right, bottom = np.rint(np.array(box) + 0.5).astype(int).tolist()
    size = f"width='{max(right - left, 1)}' height='{max(bottom - top, 1)}'"
    lines = [f"    <box top='{top}' left='{left}' {size}>"]
    for k in np.flatnonzero(faces.labelled[i]).tolist():
        x, y = np.rint(faces.points[i, k]).astype(int).tolist()
        lines.append(f"      <part name={quoteattr(names[k])} x='{x}' y='{y}'/>")
    return [*lines, "    </box>"]


def _write_images(images: Iterable[tuple[str, list[str]]], path: Path) -> None:
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<dataset>", "<images>"]
    for attributes, boxes in images:
        lines += [f"  <image {attributes}>", *boxes, "  </image>"]
    write_text(path, "\n".join([*lines, "</images>", "</dataset>", ""]))
