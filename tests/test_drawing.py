"""What is drawn at faces: marks, boxes, captions and labels that stay readable."""

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face, ImageResult
from nasion.prediction_formats._draw_style import DrawStyle
from nasion.prediction_formats._face_boxes import _COLOURS, caption_place
from nasion.prediction_formats._face_marks import mark_radius
from nasion.prediction_formats._point_labels import place_labels
from nasion.prediction_formats.image import draw

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


def test_captions_of_a_crowd_cover_none_of_each_other():
    taken = []
    for k in range(8):
        box = (60.0 + k, 40.0, 100.0 + k, 60.0)
        place = caption_place(box, 30, 8, SIZE, taken)
        assert place[0] >= 0 and place[2] <= 200 and place[1] >= 0 and place[3] <= 100
        for other in taken:
            apart_x = place[2] <= other[0] or other[2] <= place[0]
            assert apart_x or place[3] <= other[1] or other[3] <= place[1]
        taken.append(place)


def drawn(track, side=60, factor=1, draw_boxes=None):
    rng = np.random.default_rng(0)
    points = (rng.uniform(0, side, (68, 2)) + [70, 30]).astype(np.float32)
    points[:2] = [[70, 30], [70 + side, 30 + side]]
    box = np.float32([70, 30, 70 + side, 30 + side])
    face = Face(ibug68, points, box, 0.97, np.full(68, 0.9, np.float32), track=track)
    image = np.full((120, 240, 3), 90, np.uint8)
    result = ImageResult("a", "a", (240, 120), (face,), image)
    return draw(result, DrawStyle(boxes=draw_boxes), enlarge=factor > 1)


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


def test_boxes_can_be_switched_on_for_images_and_off_for_videos():
    assert (drawn(track=None, draw_boxes=True)[25, 110:130] == _COLOURS[0]).all()
    assert (drawn(track=2, draw_boxes=False)[25, 90:120] == 90).all()


def test_marks_are_sized_by_their_face_and_never_smaller_than_can_be_seen():
    """Radius in pixels of a layer that is drawn twice as fine: 1/80 of the face's side."""
    assert mark_radius(side=2 * 320, fine=2) == 2 * 4
    assert mark_radius(side=2 * 40, fine=2) == 2 * 1.2


def test_a_label_is_beside_its_point_away_from_the_middle_of_the_face():
    points = np.array([[50.0, 50.0], [150.0, 50.0], [np.nan, np.nan]])
    sizes = np.array([[20.0, 8.0]] * 3)
    places = place_labels(points, sizes, np.empty((0, 4)), 3, 40, SIZE)
    gap = 1.3 * 3
    np.testing.assert_allclose(places[0], [50 - gap - 20, 46, 50 - gap, 54])
    np.testing.assert_allclose(places[1], [150 + gap, 46, 150 + gap + 20, 54])
    assert np.isnan(places[2]).all()


def test_no_label_covers_a_mark_another_label_or_the_edge_of_the_image():
    rng = np.random.default_rng(3)
    points = rng.uniform(10, 290, (68, 2))
    sizes = np.stack([rng.uniform(10, 60, 68), np.full(68, 7.0)], axis=1)
    marks = np.concatenate([points - 2, points + 2], axis=1)
    places = place_labels(points, sizes, marks, 2, 60, (300, 300))
    found = places[np.isfinite(places[:, 0])]
    assert len(found) > 60  # nearly all find room
    assert (found[:, :2] >= 0).all() and (found[:, 2:] <= 300).all()
    everything = np.concatenate([found, marks])
    for i, place in enumerate(found):
        others = np.delete(everything, i, axis=0)
        apart = (place[2:] <= others[:, :2]).any(1) | (place[:2] >= others[:, 2:]).any(1)
        assert apart.all()


@pytest.mark.parametrize(("letter", "openness", "most"), [(7.0, 1.0, 0), (8.0, 0.2, 6)])
def test_lines_from_labels_to_their_points_cross_no_mark_or_label_if_there_is_room(
    letter, openness, most
):
    """On lips of a few pixels not all names have a clear way to their points."""
    points = ibug68_points().astype(np.float64) * 900 + 300
    lips = [k for k, name in enumerate(ibug68.points) if name.startswith("inner_lip")]
    middle = points[lips, 1].mean()
    points[lips, 1] = middle + openness * (points[lips, 1] - middle)
    sizes = np.array([[letter * len(name), 2 * letter + 1] for name in ibug68.points])
    radius = 6.0
    marks = np.concatenate([points - radius, points + radius], axis=1)
    places = place_labels(points, sizes, marks, radius, 315, (1600, 1600))
    assert np.isfinite(places).all()
    crossing = joined = 0
    for k, (point, place) in enumerate(zip(points, places, strict=True)):
        end = np.clip(point, place[:2], place[2:])
        if np.linalg.norm(end - point) <= 3 * radius:
            continue
        joined += 1
        line = point + np.linspace(0, 1, 300)[:, None] * (end - point)
        distances = np.linalg.norm(line[:, None] - np.delete(points, k, axis=0), axis=2)
        others = np.delete(places, k, axis=0)
        inside = (line[:, None] > others[:, :2] + 0.5) & (line[:, None] < others[:, 2:] - 0.5)
        crossing += bool(distances.min() < radius - 0.5 or inside.all(axis=2).any())
    assert joined > 4
    assert crossing <= most


def test_a_label_without_room_is_left_out():
    occupied = np.array([[0.0, 0.0, 300.0, 300.0]])
    places = place_labels(
        np.array([[100.0, 100.0]]), np.array([[20.0, 8.0]]), occupied, 2, 50, SIZE
    )
    assert np.isnan(places).all()


def test_labels_of_a_large_face_are_all_drawn_and_of_a_tiny_one_few():
    def changed(side):
        points = (ibug68_points() * side + 40).astype(np.float32)
        box = np.concatenate([points.min(0), points.max(0)])
        face = Face(ibug68, points, box, 0.9)
        image = np.full((1100, 1100, 3), 90, np.uint8)
        result = ImageResult("a", "a", (1100, 1100), (face,), image)
        pixels = [
            draw(result, DrawStyle(labels=labels), enlarge=False).astype(int)
            for labels in ("none", "names")
        ]
        return np.abs(pixels[0] - pixels[1]).max(2) > 0

    assert changed(1000).sum() > 20_000
    # A face of 20 pixels is not buried below its names.
    assert changed(20)[40:60, 40:60].mean() < 0.5


def ibug68_points():
    points = toy.draw(1, ibug68, seed=2, size=200).points[0]
    low = points.min(0)
    return (points - low) / (points.max(0) - low).max()
