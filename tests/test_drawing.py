"""What is drawn at tracked faces: a box and a caption that stays readable."""

import numpy as np
import pytest

from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face, ImageResult
from nasion.prediction_formats._face_boxes import _COLOURS, caption_place
from nasion.prediction_formats.image import _radius, draw

SIZE = (200, 100)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((50, 40, 90, 80), (50, 30, 70, 40)),  # above
        ((50, 5, 90, 45), (50, 45, 70, 55)),  # no room above: below
        ((50, 5, 90, 95), (50, 5, 70, 15)),  # nor below: within, at the top
        ((190, 40, 230, 80), (180, 30, 200, 40)),  # shifted into the image
        ((-15, 40, 25, 80), (0, 30, 20, 40)),
    ],
)
def test_a_caption_is_at_its_box_and_inside_the_image(box, expected):
    assert caption_place(box, 20, 10, SIZE, []) == expected


def test_a_caption_covers_no_other_one():
    above = (45, 25, 65, 35)
    assert caption_place((50, 40, 90, 80), 20, 10, SIZE, [above]) == (50, 80, 70, 90)
    beside = (70, 30, 90, 40)  # touches it, and that is no overlap
    assert caption_place((50, 40, 90, 80), 20, 10, SIZE, [beside]) == (50, 30, 70, 40)


def drawn(track, side=60, factor=1):
    rng = np.random.default_rng(0)
    points = (rng.uniform(0, side, (68, 2)) + [70, 30]).astype(np.float32)
    points[:2] = [[70, 30], [70 + side, 30 + side]]
    box = np.float32([70, 30, 70 + side, 30 + side])
    face = Face(ibug68, points, box, 0.97, np.full(68, 0.9, np.float32), track=track)
    image = np.full((120, 240, 3), 90, np.uint8)
    result = ImageResult("a", "a", (240, 120), (face,), image)
    return draw(result, enlarge=factor > 1)


def test_a_tracked_face_has_a_box_in_the_colour_of_its_number():
    pixels = drawn(track=2)
    # 8 % of the side around the box: its upper line is at y = 30.5 - 4.8.
    assert (pixels[25, 90:120] == _COLOURS[1]).all()
    assert (pixels[60, 65] == _COLOURS[1]).all()
    assert (drawn(track=8)[25, 90:120] == _COLOURS[1]).all()


def test_the_box_is_enlarged_with_the_image():
    pixels = drawn(track=2, factor=3)
    assert pixels.shape == (360, 720, 3)
    assert (pixels[76:79, 300] == _COLOURS[1]).all(-1).any()


def test_a_face_without_a_track_has_no_box():
    assert (drawn(track=None)[25, 90:120] == 90).all()


def test_marks_are_sized_by_their_face_and_never_smaller_than_can_be_seen():
    """Radius in pixels of a layer that is drawn twice as fine: 1/80 of the face's side."""
    assert _radius(side=2 * 320, fine=2) == 2 * 4
    assert _radius(side=2 * 40, fine=2) == 2 * 1.2
