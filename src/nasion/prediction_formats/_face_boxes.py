"""Boxes of faces and captions with what is known of them, drawn into an image or a frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasion.landmarks.face import Face, PoseAndMeasures
from nasion.prediction_formats._draw_style import MarkedFace

# Okabe and Ito's colours, which people with any colour vision can tell apart; black text reads on
# each. A number has the same colour in every frame.
_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
_MARGIN = 0.08  # between points and box, in sides of the box
# Of a caption's letters, for one line and for several: in sides of the box, at least in pixels.
_TEXT_SIZE, _MIN_TEXT = (1 / 8, 1 / 16), (11, 13)
_LINE = 1 / 100  # of the side of the box

Place = tuple[float, float, float, float]


def draw_face_boxes(image: Any, faces: Sequence[MarkedFace], factor: int = 1) -> list[Place]:
    """Draw boxes and captions of faces into a Pillow image that was enlarged by ``factor``.

    Returns where the captions are.
    """
    from PIL import ImageDraw

    pen = ImageDraw.Draw(image)
    boxes = [_box(each, factor) for each in faces]
    for each, box in zip(faces, boxes, strict=True):
        if "boxes" in each.marks:
            width = max(1, round(min(each.side * factor, max(image.size)) * _LINE))
            pen.rectangle(_near(box, image.size, width), outline=_colour(each.face), width=width)
    captions: list[_Caption] = []
    taken: list[Place] = []
    for i, (each, box) in enumerate(zip(faces, boxes, strict=True)):
        if lines := caption_lines(each):
            others = [*boxes[:i], *boxes[i + 1 :]]
            captions.append(_placed(pen, each.face, lines, box, image.size, taken, others))
            taken.append(captions[-1].place)
    # Lines first, so that none crosses a caption.
    for caption in captions:
        caption.draw_line(pen)
    for caption in captions:
        caption.draw_text(pen)
    return taken


@dataclass(frozen=True, eq=False)
class _Caption:
    """``at``: where the text begins. ``line``: to its box, if it does not touch that."""

    text: str
    font: Any
    place: Place
    at: tuple[float, float]
    colour: tuple[int, int, int]
    line: list[tuple[float, float]] | None

    def draw_line(self, pen: Any) -> None:
        if self.line is not None:
            pen.line(self.line, fill=(0, 0, 0), width=3)
            pen.line(self.line, fill=self.colour, width=1)

    def draw_text(self, pen: Any) -> None:
        pen.rectangle(self.place, fill=self.colour)
        pen.multiline_text(self.at, self.text, font=self.font, fill=(0, 0, 0))


def _box(marked: MarkedFace, factor: int) -> Place:
    # Pillow draws from pixel corners.
    x0, y0, x1, y1 = ((marked.face.box + 0.5) * factor).tolist()
    margin = _MARGIN * marked.side * factor
    return (x0 - margin, y0 - margin, x1 + margin, y1 + margin)


def _near(box: Place, size: tuple[int, int], width: int) -> Place:
    """The box with edges far outside the image moved to just outside it: it looks the same.

    Pillow takes half a minute for a box of 600,000 pixels.
    """
    (x0, x1), (y0, y1) = (
        np.clip(box[axis::2], -width - 1, size[axis] + width).tolist() for axis in (0, 1)
    )
    return (x0, y0, x1, y1)


def _colour(face: Face) -> tuple[int, int, int]:
    return _COLOURS[((face.track or 1) - 1) % len(_COLOURS)]


def caption_lines(marked: MarkedFace) -> list[str]:
    """What is written at a face: number and score, angles, openness; empty if nothing is."""
    face, first = marked.face, []
    if "tracks" in marked.marks and face.track is not None:
        first.append(f"{face.track}")
    if "scores" in marked.marks:
        first.append(f"{face.score:.2f}")
    lines = ["  ".join(first)] if first else []
    if "measures" in marked.marks and marked.measured is not None:
        lines += _measured_lines(marked.measured)
    return lines


def _measured_lines(measured: PoseAndMeasures) -> Iterator[str]:
    pose = measured.pose
    if math.isfinite(pose.yaw):
        yield f"yaw {_whole(pose.yaw)} pitch {_whole(pose.pitch)} roll {_whole(pose.roll)}"
    openness = {"eyes": measured.measures.eyes, "mouth": measured.measures.mouth}
    known = [f"{name} {value:.2f}" for name, value in openness.items() if math.isfinite(value)]
    if known:
        yield " ".join(known)


def _whole(degrees: float) -> int:
    return round(degrees)


def _placed(
    pen: Any,
    face: Face,
    lines: list[str],
    box: Place,
    size: tuple[int, int],
    taken: Sequence[Place],
    others: Sequence[Place],
) -> _Caption:
    """A caption beside a face's box."""
    from PIL import ImageFont

    is_long = len(lines) > 1
    # A box may be far larger than its image; letters of that size would take minutes and gigabytes.
    height = min(box[3] - box[1], max(size))
    font = ImageFont.load_default(max(height * _TEXT_SIZE[is_long], _MIN_TEXT[is_long]))
    text = "\n".join(lines)
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font)
    pad = max(2.0, (bottom - top) / len(lines) / 5)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    place = caption_place(box, width, height, size, taken, others, is_long)
    at = (place[0] + pad - left, place[1] + pad - top)
    return _Caption(text, font, place, at, _colour(face), _gap(place, box))


def caption_place(
    box: Place,
    width: float,
    height: float,
    size: tuple[int, int],
    taken: Sequence[Place],
    others: Sequence[Place] = (),
    is_long: bool = False,
) -> Place:
    """Where a caption of this width and height goes: above its box, else below, else within.

    A long caption would cover the face, so it goes beside the box rather than within. The first
    place that is inside the image of this size and covers no other caption and none of the
    ``others`` (boxes of other faces), else the nearest such place; else one that covers no other
    caption; above the box if there is none.
    """
    above, below, tops = box[1] - height, box[3], (box[1], box[3] - height)
    places: list[Place] = []
    # Aligned with the box on the left, then on the right.
    for left in (box[0], box[2] - width):
        x = min(max(left, 0.0), max(size[0] - width, 0.0))
        own = (above, below) if is_long else (above, below, *tops)
        places += [(x, y, x + width, y + height) for y in own]
    for x in (box[2], box[0] - width) if is_long else ():
        if 0 <= x <= size[0] - width:
            places += [(x, y, x + width, y + height) for y in tops]
    inside = [place for place in places if place[1] >= 0 and place[3] <= size[1]]
    own_box = [box] if is_long else []
    for forbidden in ([*taken, *others], [*taken]):
        for place in inside:
            if not any(_overlap(place, other) for other in forbidden):
                return place
        found = _nearest_free(box, width, height, size, [*forbidden, *own_box])
        if found is not None:
            return found
    # No room but on the face itself: at the side of it that is most free.
    corners = [(x, y) for x in (0.0, size[0] - width) for y in (0.0, size[1] - height)]
    free = [(x, y, x + width, y + height) for x, y in corners if is_long and min(x, y) >= 0]
    free = [place for place in free if not any(_overlap(place, other) for other in taken)]
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return max(free, key=lambda place: _distance(place, middle), default=places[0])


def _nearest_free(
    box: Place, width: float, height: float, size: tuple[int, int], taken: Sequence[Place]
) -> Place | None:
    """The place nearest to a box, of a grid over the whole image, that covers none of these."""
    x = np.arange(0, size[0] - width + 1e-6, max(width / 4, 1))
    y = np.arange(0, size[1] - height + 1e-6, max(height / 2, 1))
    left, top = (each.reshape(-1) for each in np.meshgrid(x, y))
    free = np.ones(len(left), dtype=bool)
    for x0, y0, x1, y1 in taken:
        free &= (left >= x1) | (left + width <= x0) | (top >= y1) | (top + height <= y0)
    if not free.any():
        return None
    across = np.maximum(box[0] - left - width, left - box[2])
    along = np.maximum(box[1] - top - height, top - box[3])
    away = np.where(free, np.hypot(np.maximum(across, 0), np.maximum(along, 0)), np.inf)
    at = int(away.argmin())
    return (float(left[at]), float(top[at]), float(left[at] + width), float(top[at] + height))


def _gap(place: Place, box: Place) -> list[tuple[float, float]] | None:
    """The line between a caption and a box that it does not touch."""
    ends = []
    for low, high in ((0, 2), (1, 3)):
        from_caption = min(max(box[low], place[low]), place[high])
        to_box = min(max(from_caption, box[low]), box[high])
        ends.append((from_caption, to_box))
    (x0, x1), (y0, y1) = ends
    return [(x0, y0), (x1, y1)] if math.hypot(x1 - x0, y1 - y0) > 1 else None


def _distance(place: Place, point: tuple[float, float]) -> float:
    return math.hypot((place[0] + place[2]) / 2 - point[0], (place[1] + place[3]) / 2 - point[1])


def _overlap(a: Place, b: Place) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
