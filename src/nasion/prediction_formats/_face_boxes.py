"""Boxes of faces with their track numbers and scores, drawn into an image or a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasion.landmarks.face import Face

# Okabe and Ito's colours, which people with any colour vision can tell apart; black text reads on
# each. A number has the same colour in every frame.
_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
_MARGIN = 0.08  # between points and box, in sides of the box
_TEXT_SIZE, _MIN_TEXT = 1 / 8, 11  # of the side of the box; in pixels
_MAX_STEPS = 6  # caption heights that a caption may be away from its box
_LINE = 1 / 100  # of the side of the box

Place = tuple[float, float, float, float]


def draw_face_boxes(image: Any, faces: Sequence[Face], factor: int = 1) -> list[Place]:
    """Draw each face's box, with its track number and score, into a Pillow image.

    ``factor``: by which the image was enlarged. Returns where the captions are.
    """
    from PIL import ImageDraw

    pen = ImageDraw.Draw(image)
    taken: list[Place] = []
    for face in faces:
        # Pillow draws from pixel corners.
        x0, y0, x1, y1 = ((face.box + 0.5) * factor).tolist()
        side = max(x1 - x0, y1 - y0, 1.0)
        box = (
            x0 - _MARGIN * side, y0 - _MARGIN * side, x1 + _MARGIN * side, y1 + _MARGIN * side,
        )  # fmt: skip
        pen.rectangle(box, outline=_colour(face), width=max(1, round(side * _LINE)))
        taken.append(_draw_caption(pen, face, box, image.size, taken))
    return taken


def _colour(face: Face) -> tuple[int, int, int]:
    return _COLOURS[((face.track or 1) - 1) % len(_COLOURS)]


def _draw_caption(
    pen: Any, face: Face, box: Place, size: tuple[int, int], taken: Sequence[Place]
) -> Place:
    """Write a face's track number and score beside its box; returns where."""
    from PIL import ImageFont

    font = ImageFont.load_default(max((box[3] - box[1]) * _TEXT_SIZE, _MIN_TEXT))
    number = "" if face.track is None else f"{face.track}  "
    text = f"{number}{face.score:.2f}"
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    pad = max(2.0, (bottom - top) / 5)
    place = caption_place(box, right - left + 2 * pad, bottom - top + 2 * pad, size, taken)
    pen.rectangle(place, fill=_colour(face))
    pen.text((place[0] + pad - left, place[1] + pad - top), text, font=font, fill=(0, 0, 0))
    return place


def caption_place(
    box: Place, width: float, height: float, size: tuple[int, int], taken: Sequence[Place]
) -> Place:
    """Where a caption of this width and height goes: above its box, else below, else within.

    The first place that is inside the image of this size and covers no other caption, in a crowd
    further away; above the box if there is none.
    """
    tops = [box[1] - height, box[3], box[1], box[3] - height]
    for steps in range(1, _MAX_STEPS):
        tops += [box[1] - (steps + 1) * height, box[3] + steps * height]
    places = []
    # Aligned with the box on the left, then on the right.
    for left in (box[0], box[2] - width):
        x = min(max(left, 0.0), max(size[0] - width, 0.0))
        places += [(x, y, x + width, y + height) for y in tops]
    for place in places:
        inside = place[1] >= 0 and place[3] <= size[1]
        if inside and not any(_overlap(place, other) for other in taken):
            return place
    return places[0]


def _overlap(a: Place, b: Place) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
