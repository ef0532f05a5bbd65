"""XML files of dlib's imglab tool, as the course's ``labels_ibug_300W_*.xml``: pictures with boxes, boxes with numbered parts.

A box covers whole pixels, ``left`` to ``left + width - 1``, and may leave the picture; parts are pixels counted from 0. A part
that is not there is not labelled. The file is read as a stream, so that only its faces take memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import quoteattr

import numpy as np

from nasion.datasets._faults import Faults, note
from nasion.datasets._photograph import photograph
from nasion.errors import DataError, SettingError
from nasion.faces import Faces
from nasion.files import opened, write_text
from nasion.scheme import Scheme
from nasion.schemes import ibug68, scheme_of

SCHEME = ibug68
SPLITS = ("all",)
_HEAD = 4096
_DIGITS = 5  # of a part's number


def recognises(root: Path) -> bool:
    if not root.is_file() or root.suffix != ".xml":
        return False
    with root.open("rb") as file:
        return b"<dataset" in file.read(_HEAD)


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """The boxes of a file as faces, in the file's order; pictures are looked for beside it only when they are needed.

    ``scheme``: what the part names or numbers mean (None, or where they do not fit it: the one scheme with so many points).
    Groups: subset (the first folder of the picture's name), photograph (linked: boxes of one picture, mirror twins).
    """
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in an imglab file; it has {', '.join(SPLITS)}, and train and val.")
    reader = _Reader(root, faults)
    _parse(root, reader)
    if not reader.ids:
        raise DataError(f"{root}: no box is in it; faces are <box> elements in <image> elements.")
    meant, column = _columns(reader.names, scheme, root)
    points = np.full((len(reader.ids), len(meant), 2), np.nan, dtype=np.float32)
    face, name, xy = (np.frombuffer(values, dtype=kind) for values, kind in ((reader.face, "i4"), (reader.name, "i4"), (reader.xy, "f4")))
    points[face, column[name]] = xy.reshape(-1, 2)
    files = [reader.files[i] for i in reader.file]
    paths = {file: root.parent / file for file in reader.files}
    photographs = {file: photograph(file) for file in reader.files}
    subsets = {file: Path(file).parts[0] if len(Path(file).parts) > 1 else "" for file in reader.files}
    groups = {"subset": tuple(subsets[file] for file in files), "photograph": tuple(photographs[file] for file in files)}
    return Faces(
        scheme=meant,
        ids=tuple(reader.ids),
        images=tuple(paths[file] for file in files),
        points=points,
        boxes=np.frombuffer(reader.boxes, dtype="f4").reshape(-1, 4).copy(),
        groups=groups if any(subsets.values()) else {"photograph": groups["photograph"]},
        linked=("photograph",),
    )


def read_boxes(path: Path) -> tuple[list[str], np.ndarray]:
    """(names of pictures, boxes), whatever the parts mean."""
    reader = _Reader(path, None)
    _parse(path, reader)
    return [reader.files[i] for i in reader.file], np.frombuffer(reader.boxes, dtype="f4").reshape(-1, 4)


def _columns(names: Iterable[str], asked: Scheme | None, root: Path) -> tuple[Scheme, np.ndarray]:
    """The scheme that is meant, and the position in it of each part name."""
    names = list(names)
    if names and not all(name.isdecimal() for name in names):
        scheme = asked if asked is not None and any(name in asked for name in names) else SCHEME
        unknown = [name for name in names if name not in scheme]
        if unknown:
            raise DataError(f"{root}: part {unknown[0]!r} is no point of scheme {scheme.name}; name the right scheme, or number the parts from 0.")
        return scheme, scheme.index(names)
    numbers = np.array([int(name) for name in names], dtype=np.int64)
    scheme = (asked or SCHEME) if not names else scheme_of(int(numbers.max()) + 1, asked)
    if scheme is None:
        raise DataError(f"{root}: its parts are numbered up to {numbers.max()}, which fits no scheme, or several; name it by --scheme.")
    return scheme, numbers


@dataclass(eq=False)
class _Box:
    """A box that is being read."""

    place: str
    edges: tuple[float, float, float, float] | None
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    wrong: str = ""


class _Reader(ContentHandler):
    """Collects boxes into flat arrays as the parser meets them."""

    def __init__(self, root: Path, faults: Faults) -> None:
        super().__init__()
        self.root, self.faults = root, faults
        self.files: list[str] = []
        self.names: dict[str, int] = {}
        self.ids: list[str] = []
        self.boxes, self.xy = array("f"), array("f")
        self.file, self.face, self.name = array("i"), array("i"), array("i")
        self._seen: dict[str, int] = {}
        self._inside: list[_Box] = []
        self._box: _Box | None = None
        self._image = False
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:
        self._locator = locator

    @property
    def _place(self) -> str:
        return f"{self.root.name} line {self._locator.getLineNumber()}"

    def startElement(self, name: str, attrs: Any) -> None:
        if name == "image":
            self._start_image(attrs)
        elif name == "box" and self._image:
            self._start_box(attrs)
        elif name == "part" and self._box is not None:
            self._add_part(self._box, attrs)

    def endElement(self, name: str) -> None:
        if name == "box" and self._box is not None:
            self._inside.append(self._box)
            self._box = None
        elif name == "image":
            self._end_image()

    def _start_image(self, attrs: Any) -> None:
        self._inside = []
        file = attrs.get("file", "")
        self._image = bool(file)
        if not file:
            note(self.faults, self._place, "an <image> without file='...'; its boxes belong to no picture.")
        else:
            self.files.append(file)

    def _start_box(self, attrs: Any) -> None:
        found = {side: attrs.get(side) for side in ("left", "top", "width", "height")}
        self._box = _Box(self._place, None)
        try:
            left, top, width, height = (float(text) for text in found.values())
            if not (np.isfinite([left, top, width, height]).all() and width > 0 and height > 0):
                raise ValueError
        except (TypeError, ValueError):
            shown = ", ".join(f"{side} {text!r}" for side, text in found.items())
            self._box.wrong = f"a box with {shown}; numbers expected, width and height above 0."
            return
        self._box.edges = (left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5)

    def _add_part(self, box: _Box, attrs: Any) -> None:
        name = attrs.get("name", "")
        if name.isdecimal() and len(name) > _DIGITS:
            box.wrong = box.wrong or f"part {name[:20]!r} is no number of a point."
            return
        name = str(int(name)) if name.isdecimal() else name
        try:
            x, y = float(attrs.get("x")), float(attrs.get("y"))
            if not np.isfinite([x, y]).all():
                raise ValueError
        except (TypeError, ValueError):
            box.wrong = box.wrong or f"part {name!r} has x {attrs.get('x')!r}, y {attrs.get('y')!r}; numbers expected."
            return
        if name in box.parts:
            box.wrong = box.wrong or f"part {name!r} occurs twice in one box; each part may be there once."
        box.parts[name] = (x, y)

    def _end_image(self) -> None:
        if not self._image:
            return
        self._image = False
        file = self.files[-1]
        before = self._seen.get(file, 0)
        self._seen[file] = before + len(self._inside)
        for number, box in enumerate(self._inside):
            if box.edges is None or box.wrong:
                note(self.faults, box.place, box.wrong)
                continue
            # A picture with one box gives the face its name; further boxes are numbered.
            alone = before == 0 and len(self._inside) == 1
            for name, xy in box.parts.items():
                self.face.append(len(self.ids))
                self.name.append(self.names.setdefault(name, len(self.names)))
                self.xy.extend(xy)
            self.ids.append(file if alone else f"{file}#{before + number}")
            self.file.append(len(self.files) - 1)
            self.boxes.extend(box.edges)


def _parse(root: Path, reader: _Reader) -> None:
    """Feed the file to the reader. Raises ``DataError`` for what is not well-formed XML, and for entities of any kind."""
    from defusedxml import DefusedXmlException
    from defusedxml.sax import parse

    try:
        with opened(root) as stream:
            parse(cast(Any, stream), reader, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise DataError(f"{root}: entities are refused ({type(error).__name__}); an imglab file has none.") from error
    except SAXException as error:
        raise DataError(f"{root}: not well-formed XML ({error}); mend it or save it anew.") from error


def write(faces: Faces, path: Path) -> None:
    """Faces with boxes as an imglab file, pixels rounded to whole ones as imglab has them; the ids are the pictures' names."""
    if faces.boxes is None:
        raise SettingError("An imglab file needs boxes, and these faces have none.")
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<dataset>", "<images>"]
    for i, name in enumerate(faces.ids):
        left, top, right, bottom = np.rint(faces.boxes[i] + 0.5).astype(int).tolist()
        lines.append(f"  <image file={quoteattr(name)}>")
        lines.append(f"    <box top='{top}' left='{left}' width='{right - left}' height='{bottom - top}'>")
        for k in np.flatnonzero(faces.labelled[i]).tolist():
            x, y = np.rint(faces.points[i, k]).astype(int).tolist()
            lines.append(f"      <part name='{k:02d}' x='{x}' y='{y}'/>")
        lines += ["    </box>", "  </image>"]
    write_text(path, "\n".join([*lines, "</images>", "</dataset>", ""]))
