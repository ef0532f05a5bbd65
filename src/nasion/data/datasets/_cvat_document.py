"""The shapes in a CVAT file, image by image, and the skeleton that its task declares."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nasion.data.datasets._image_names import is_inside, with_slashes
from nasion.data.datasets._named_points import (
    Skeleton,
    box_from_corner,
    from_corner,
    turned_box,
)
from nasion.data.datasets._shapes import Shape, tell_left_out
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, refusing_damage
from nasion.media.files import open_bytes
from nasion.media.number_text import check_file_name, is_whole, parse_coordinate, parse_whole
from nasion.media.quoted import listed, quoted
from nasion.media.signatures import IMAGE_SUFFIXES

_OTHER_SHAPES = ("polygon", "polyline", "ellipse", "mask", "cuboid")
_FRAME = re.compile(r"(?:^|/)frame_\d+$", re.ASCII)  # of a video, without a suffix
_log = logging.getLogger(__name__)


def read_shapes(root: Path, faults: Faults) -> tuple[list[Shape], Skeleton]:
    """All labelled shapes of a file. Raises ``DataError``, or reports faults of single shapes."""
    shapes: list[Shape] = []
    skeletons: list[Skeleton] = []
    others: Counter[str] = Counter()
    videos: set[str] = set()
    for element in _elements(root):
        if element.tag == "labels":
            skeletons += _skeletons(element)
        elif element.tag in ("image", "track"):
            shapes += _children(element, root, faults, others)
        if element.tag == "track":
            videos.add(element.get("task_id", ""))
    if len(videos) > 1:
        raise DataError(
            f"{root}: it has tracks of the videos of {len(videos)} tasks ({listed(videos)}), "
            "whose frames have the same names; export each task by itself."
        )
    tell_left_out(others, root.name)
    # A job of several skeletons: which one is the face's, its points tell.
    used = dict.fromkeys(name for shape in shapes for name in shape.names)
    fitting = (each for each in skeletons if used and set(used) <= set(each.points))
    return shapes, next(fitting, Skeleton(tuple(used)))


def image_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The sizes of images that a file states, by their names."""
    found: dict[str, tuple[int, int]] = {}
    for element in _elements(root):
        width, height = element.get("width", ""), element.get("height", "")
        if element.tag == "image" and is_whole(width) and is_whole(height):
            name = with_slashes(element.get("name", ""))
            found[name] = (int(width[:9]), int(height[:9]))
    return found


def _elements(root: Path) -> Iterator[Any]:
    """The file's elements as they end; images and tracks are emptied after use."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    with refusing_damage(root, remedy="correct it, or export it again."):
        try:
            with open_bytes(root) as stream:
                parsed = iterparse(stream, ("end",), forbid_dtd=False, forbid_entities=True)
                for _, element in parsed:
                    yield element
                    if element.tag in ("image", "track"):
                        element.clear()
        except DefusedXmlException as error:
            kind = type(error).__name__
            raise DataError(f"{root}: entities are refused ({kind}); CVAT writes none.") from error
        except ParseError as error:
            raise DataError(
                f"{root}: not well-formed XML ({error}); correct it or export it again."
            ) from error


def _children(parent: Any, root: Path, faults: Faults, others: Counter[str]) -> list[Shape]:
    """The shapes of an image or a track."""
    is_track = parent.tag == "track"
    image = ""
    found: list[Shape] = []
    for number, child in enumerate(parent):
        if child.tag in _OTHER_SHAPES:
            others[child.tag] += 1
        if child.tag not in ("skeleton", "points", "box") or child.get("outside") == "1":
            continue
        whose = parent.get("name") or f"track {parent.get('id', '')}"
        place = f"{root.name} {whose} <{child.tag}> {number + 1}"
        try:
            if is_track or not image:
                image = _image(parent, child, root)
            # In a track, label and group are the track's.
            label = child.get("label") or parent.get("label") or ""
            group = child.get("group_id") or parent.get("group_id") or ""
            shape = Shape(image, label, "" if group == "0" else group)
            _fill(shape, child)
            # Where a track ends its skeleton has no point any more.
            if not (is_track and shape.is_skeleton and not shape.points):
                found.append(shape)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            report_fault(faults, place, f"{error}.")
    return found


def _fill(shape: Shape, child: Any) -> None:
    """Read a shape's points or box. Raises ``ValueError``."""
    if child.tag == "box":
        corners = [_attribute(child, name) for name in ("xtl", "ytl", "xbr", "ybr")]
        x0, y0, x1, y1 = corners
        degrees = parse_coordinate(child.get("rotation", "0"))
        box = turned_box((x0, y0, x1, y1), degrees, ((x0 + x1) / 2, (y0 + y1) / 2))
        shape.box = box_from_corner(*box)
    elif child.tag == "points":
        is_hidden = child.get("occluded") == "1"
        shape.points = [(shape.label, xy, is_hidden) for xy in _places(child)]
    else:
        shape.is_skeleton = True
        for point in child.iter("points"):
            name = check_file_name(point.get("label", ""))
            shape.names.append(name)
            if point.get("outside") == "1":
                continue
            is_hidden = point.get("occluded") == "1"
            places = _places(point)
            if len(places) != 1:
                raise ValueError(
                    f"point {quoted(name)} of a skeleton has {len(places)} places, 1 expected"
                )
            shape.points.append((name, places[0], is_hidden))


def _attribute(element: Any, name: str) -> float:
    try:
        return parse_coordinate(element.get(name, ""))
    except ValueError as error:
        raise ValueError(f"{name} is {error}") from None


def _places(element: Any) -> list[tuple[float, float]]:
    """``x,y;x,y`` as pairs."""
    text = element.get("points", "")
    places = []
    for pair in text.split(";"):
        numbers = pair.split(",")
        if len(numbers) != 2:
            raise ValueError(f"points={quoted(text)}; x,y or x,y;x,y ... expected")
        places.append(from_corner((parse_coordinate(numbers[0]), parse_coordinate(numbers[1]))))
    return places


def _image(parent: Any, child: Any, root: Path) -> str:
    """The image of an <image>, or of a track's frame, as CVAT exports it.

    Frames of a video are ``frame_000012``, and their files have a suffix. Those of a project are
    in folders by subset.
    """
    name = parent.get("name", "")
    if parent.tag == "track":
        name = f"frame_{parse_whole(child.get('frame', '')):06d}"
    check_file_name(name)
    subset = parent.get("subset")
    names = [f"{subset}/{name}", name] if subset else [name]
    suffixes: tuple[str, ...] = ("",)
    if _FRAME.search(name):
        suffixes = (".png", *IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES))
    for folder in (root.parent / "images", root.parent):
        for each in names:
            for suffix in suffixes:
                if is_inside(each) and (folder / f"{each}{suffix}").is_file():
                    return f"{each}{suffix}"
    return f"{name}{suffixes[0]}"


def _skeletons(labels: Any) -> list[Skeleton]:
    """The skeletons that a task declares: each one's sublabels, and its drawing's lines."""
    found: list[Skeleton] = []
    each = labels.findall("label")
    for label in each:
        if label.findtext("type") != "skeleton":
            continue
        name = label.findtext("name")
        points = [one.findtext("name") or "" for one in each if one.findtext("parent") == name]
        if len(set(points)) == len(points):
            edges = _edges(label.findtext("svg") or "", points)
            found.append(Skeleton(tuple(points), tuple(edges)))
    return found


def _edges(svg: str, points: list[str]) -> list[tuple[str, str]]:
    """The lines of a skeleton's drawing between its circles; none if it cannot be read."""
    from defusedxml.ElementTree import fromstring

    try:
        drawing = fromstring(f"<svg>{svg}</svg>")
    # The drawing only serves to draw: a damaged one harms no label.
    except Exception:
        _log.info("The drawing of a skeleton cannot be read, so its edges are left out.")
        return []
    names: dict[str, str] = {}
    for k, circle in enumerate(drawing.iter("circle")):
        label = circle.get("data-label-name") or (points[k] if k < len(points) else "")
        names[circle.get("data-node-id", "")] = label
    lines = (
        (line.get("data-node-from"), line.get("data-node-to")) for line in drawing.iter("line")
    )
    edges = [(names.get(a or "", ""), names.get(b or "", "")) for a, b in lines]
    return [(a, b) for a, b in edges if a in points and b in points and a != b]
