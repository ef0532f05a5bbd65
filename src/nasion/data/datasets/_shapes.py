"""Shapes that labelling tools draw on an image (points, skeletons, boxes), put together to faces.

A skeleton is a face. Points are of the face that shares their group, else of the box that contains
them; without boxes all of an image are one face. A shape of several points that is in no group is
a face of numbered points.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nasion.data.datasets._named_points import Box, NamedFace
from nasion.data.record_faults import Faults, report_fault
from nasion.media.quoted import quoted, shortened

HIDDEN_WORDS = ("occluded", "hidden", "invisible")  # flags and choices of a point
_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Shape:
    """A skeleton, points or a box of an image. ``points``: name, place, whether it is hidden."""

    image: str
    label: str
    group: str
    points: list[tuple[str, tuple[float, float], bool]] = field(default_factory=list)
    box: Box | None = None
    is_skeleton: bool = False
    names: list[str] = field(default_factory=list)  # of a skeleton, with those not labelled

    def share_inside(self, other: Shape) -> float:
        """The share of another shape's points that are in this box."""
        x0, y0, x1, y1 = self.box or (0, 0, 0, 0)
        places = [xy for _, xy, _ in other.points]
        return sum(x0 <= x <= x1 and y0 <= y <= y1 for x, y in places) / len(places)


def faces_of_shapes(shapes: Iterable[Shape], file: str, faults: Faults) -> list[NamedFace]:
    """The faces that shapes make up, image by image. ``file``: its name for messages.

    Raises ``DataError`` for points that fit no face, or reports these.
    """
    by_image: dict[str, list[Shape]] = {}
    labels: set[str] = set()
    for shape in shapes:
        by_image.setdefault(shape.image, []).append(shape)
        if len(shape.points) > 1 and not shape.is_skeleton:
            labels.add(shape.label)
    # One kind of shape: its points need no other name than their number.
    is_numbered = len(labels) == 1
    return [
        face
        for image, each in by_image.items()
        for face in _faces_of_image(image, each, is_numbered, file, faults)
    ]


def tell_left_out(kinds: Mapping[str, int], file: str) -> None:
    """Note the shapes that are no points or boxes. ``kinds``: how many of each."""
    if kinds:
        found = ", ".join(f"{count} {shortened(kind)}" for kind, count in kinds.items())
        _log.info("%s: shapes that are no points or boxes are left out: %s.", file, found)


def _faces_of_image(
    image: str, shapes: list[Shape], is_numbered: bool, file: str, faults: Faults
) -> list[NamedFace]:
    place = f"{file} image {quoted(image, 60)}"
    boxes = [shape for shape in shapes if shape.box]
    named: dict[str, NamedFace] = {}
    faces: list[NamedFace] = []
    loose: list[tuple[str, tuple[float, float], bool]] = []
    for i, shape in enumerate(shapes):
        if shape.box:
            continue
        alone = shape.is_skeleton or (len(shape.points) > 1 and not shape.group)
        if not alone and not shape.group:
            loose += _points(shape, is_numbered)
            continue
        key = f"alone {i}" if alone else shape.group
        if key not in named:
            named[key] = NamedFace(image, place)
            faces.append(named[key])
            named[key].box = _taken_box(shape, boxes)
        try:
            for name, xy, is_hidden in _points(shape, is_numbered):
                named[key].add(name, xy, is_hidden)
        except ValueError as error:
            report_fault(faults, place, f"{error}.")
    rest = [box.box for box in boxes if box.box]
    return faces + (_grouped(loose, rest, image, place, faults) if loose or rest else [])


def _points(shape: Shape, is_numbered: bool) -> list[tuple[str, tuple[float, float], bool]]:
    if shape.is_skeleton or len(shape.points) == 1:
        return shape.points
    pattern = "{1}" if is_numbered else "{0}_{1}"
    numbers = enumerate(shape.points)
    return [(pattern.format(shape.label, k), xy, hidden) for k, (_, xy, hidden) in numbers]


def _taken_box(shape: Shape, boxes: list[Shape]) -> Box | None:
    """The box of a shape's group, else the one with most of its points, taken from the list."""
    found = next((box for box in boxes if box.group and box.group == shape.group), None)
    if found is None and shape.points:
        inside = [box.share_inside(shape) if not box.group else 0 for box in boxes]
        best = max(range(len(boxes)), key=inside.__getitem__, default=None)
        found = boxes[best] if best is not None and inside[best] > 0.5 else None
    if found is not None:
        boxes.remove(found)
    return None if found is None else found.box


def _grouped(
    points: Iterable[tuple[str, tuple[float, float], bool]],
    boxes: Sequence[Box],
    image: str,
    place: str,
    faults: Faults,
) -> list[NamedFace]:
    """Loose points and boxes of one image as faces: each box's with the points inside it.

    With one box or none all points are of one face. A point that several boxes contain belongs to
    the one whose centre is nearest. ``points``: name, place and whether it is hidden.
    """
    faces = [NamedFace(image, place, box=box) for box in boxes] or [NamedFace(image, place)]
    for name, xy, is_hidden in points:
        face = faces[0] if len(faces) == 1 else _containing(faces, xy)
        try:
            if face is None:
                raise ValueError(
                    f"point {quoted(name)} at {xy[0]:g}, {xy[1]:g} is in none of the image's "
                    f"{len(faces)} boxes, so its face is unknown; group it with its face"
                )
            face.add(name, xy, is_hidden)
        except ValueError as error:
            report_fault(faults, place, f"{error}.")
    return [face for face in faces if face.points or face.box]


def _containing(faces: Sequence[NamedFace], xy: tuple[float, float]) -> NamedFace | None:
    found: list[tuple[float, int]] = []
    for i, face in enumerate(faces):
        x0, y0, x1, y1 = face.box or (0, 0, 0, 0)
        if x0 <= xy[0] <= x1 and y0 <= xy[1] <= y1:
            found.append((abs(x0 + x1 - 2 * xy[0]) + abs(y0 + y1 - 2 * xy[1]), i))
    return faces[min(found)[1]] if found else None
