"""From an image to its faces: found at any place and turn, each once, with points in the image's
own pixels; what is no face is dropped.
"""

from dataclasses import dataclass, replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.errors import DataError, SettingError
from nasion.inference import detectors
from nasion.inference.detectors import Detector
from nasion.inference.landmarker import Landmarker, _map_back, _rotate
from nasion.inference.predictor import Predictor
from nasion.inference.tracking import Tracker
from nasion.landmarks import geometry
from nasion.landmarks.boxes import best_rotations, nms
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.scheme import Scheme


@dataclass(frozen=True)
class FixedDetector:
    """A detector that finds the same boxes in every image."""

    boxes: tuple

    def __call__(self, image):
        boxes = np.array(self.boxes, dtype=np.float32).reshape(-1, 4)
        return boxes, np.ones(len(boxes), dtype=np.float32)


@pytest.fixture(scope="module")
def light():
    return nasion.load_model("face68_light")


@pytest.fixture(scope="module")
def astronaut(real_data):
    return Image.open(real_data / "samples" / "astronaut.png").convert("RGB")


def test_a_path_a_pillow_image_and_arrays_give_the_same_face(astronaut, light, real_data):
    landmarker = Landmarker(light)
    (face,) = landmarker(astronaut)
    assert (
        isinstance(landmarker.detector, Detector)
        and face.names == ibug68.points
        and face.score > 0.9
    )
    for same in (
        real_data / "samples" / "astronaut.png",
        str(real_data / "samples" / "astronaut.png"),
        np.asarray(astronaut),
    ):
        np.testing.assert_allclose(landmarker(same)[0].points, face.points, atol=0.1)
    np.testing.assert_array_equal(face["nose_tip"], face.points[30])
    np.testing.assert_allclose(
        face.box, geometry.points_box(face.points[None].astype(float))[0], atol=1e-3
    )
    # As one sees them: eyes at (212, 117) and (250, 117) or so, the nose's tip between and below.
    assert (
        195
        < face["right_eye_outer_corner"][0]
        < face["nose_tip"][0]
        < face["left_eye_outer_corner"][0]
        < 270
    )
    assert [
        points.points.shape
        for faces in landmarker.each([astronaut, np.asarray(astronaut)])
        for points in faces
    ] == [(68, 2)] * 2


# The light network takes a hand and a poster of a man for faces.
@pytest.mark.parametrize(("network", "most_extra"), [("face68", 0), ("face68_light", 2)])
def test_all_faces_in_group_photographs_are_found(network, most_extra, real_data):
    """Nine labelled photographs with 43 faces."""
    folder, hits, extra, labelled = real_data / "samples" / "dlib_faces", 0, 0, 0
    landmarker = Landmarker(network)
    for table in ("training.xml", "testing.xml"):
        for image in ElementTree.parse(folder / table).getroot().iter("image"):
            boxes = [
                [int(b.get(side)) for side in ("left", "top", "width", "height")]
                for b in image.iter("box")
            ]
            middles = np.array([[x + w / 2, y + h / 2] for x, y, w, h in boxes])
            faces = landmarker(folder / image.get("file"))
            inside = np.array(
                [
                    (
                        abs(middles - (f.box[:2] + f.box[2:]) / 2)
                        < (f.box[2:] - f.box[:2]).max() / 2
                    ).all(1)
                    for f in faces
                ]
            )
            hits, extra, labelled = (
                hits + int(inside.any(0).sum()),
                extra + int((~inside.any(1)).sum()),
                labelled + len(boxes),
            )
    assert (hits, labelled) == (43, 43)
    assert extra <= most_extra


@pytest.mark.parametrize("degrees", [90, 180, -120])
def test_a_rotated_head_is_found_with_any_rotation(astronaut, light, degrees):
    upright = Landmarker(light)(astronaut)[0]
    turned, back = _rotate(np.asarray(astronaut), degrees)
    assert len(Landmarker(light)(turned)) == 0
    (face,) = Landmarker(light, any_rotation=True)(turned)
    apart = np.linalg.norm(geometry.apply(back, face.points.astype(float)) - upright.points, axis=1)
    assert apart.mean() < 0.05 * (upright.box[2] - upright.box[0])


@pytest.mark.parametrize("degrees", [0, 45, 90, -135, 180])
def test_a_bright_dot_of_a_turned_image_comes_back_to_its_place(degrees):
    pixels = np.zeros((60, 90), np.uint8)
    pixels[20:23, 70:73] = 255
    turned, back = _rotate(pixels, degrees)
    y, x = np.unravel_index(
        np.argmax(np.asarray(Image.fromarray(turned).resize(turned.shape[::-1]))), turned.shape
    )
    weight = turned.astype(float)
    middle = (
        np.array(
            [
                (weight.sum(0) * np.arange(turned.shape[1])).sum(),
                (weight.sum(1) * np.arange(turned.shape[0])).sum(),
            ]
        )
        / weight.sum()
    )
    np.testing.assert_allclose(geometry.apply(back, middle[None])[0], [71, 21], atol=0.6)
    assert abs(x - middle[0]) < 3 and abs(y - middle[1]) < 3


def test_non_faces_are_dropped_unless_min_score_is_zero(light):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300)).astype(np.uint8)
    assert Landmarker(light)(noise) == []
    assert Landmarker(light, detector=FixedDetector(((50, 50, 120, 120),)))(noise) == []
    (kept,) = Landmarker(light, detector=FixedDetector(((50, 50, 120, 120),)), min_score=0)(noise)
    assert kept.score < 0.6


def test_known_boxes_and_whole_images_need_no_detector_and_drop_nothing(light):
    grey = np.full((100, 100, 3), 90, np.uint8)
    assert (
        len(
            Landmarker(light, detector=FixedDetector(()))(
                grey, boxes=[[10, 10, 60, 60], [30, 30, 90, 90]]
            )
        )
        == 2
    )
    with pytest.raises(DataError, match="box 120,10,160,60 is outside of its 100 x 100 pixels"):
        Landmarker(light)(grey, boxes=[[10, 10, 60, 60], [120, 10, 160, 60]])
    (whole,) = Landmarker(light, detector=None)(grey)
    assert np.isfinite(whole.points).all()


def test_two_boxes_of_one_face_give_the_surer_one():
    points = np.zeros((68, 2), np.float32)
    face = Face(ibug68, points, np.float32([0, 0, 10, 10]), 0.7)
    near, far = (
        replace(face, box=np.float32([1, 1, 11, 11]), score=0.9),
        replace(face, box=np.float32([20, 0, 30, 10]), score=0.8),
    )
    assert [kept.score for kept in nms([face, near, far], 0.4)] == [0.9, 0.8]


@pytest.mark.parametrize("tilt", [0, 30])
def test_an_upside_down_face_of_the_same_eyes_is_dropped_and_neighbours_stay(tilt):
    angle = np.deg2rad(tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = mean_shape(ibug68) @ turn.T
    eyes, width = points[36:48].mean(axis=0), np.ptp(points[:, 0])

    def face(points, score):
        return Face(ibug68, points.astype(np.float32), geometry.points_box(points[None])[0], score)

    upright, upside_down = face(points, 0.98), face(2 * eyes - points, 0.67)
    neighbour = face(points + [0.95 * width, 0], 0.9)
    assert nms([upright, upside_down], 0.4) == [upright, upside_down]  # too little overlap
    found = [upside_down, neighbour, upright]
    assert best_rotations(found, [180, 90, 0], 0.25) == [upright, neighbour]
    # Of one rotation only the overlap of their boxes decides.
    assert best_rotations(found, [0, 0, 0], 0.25) == [upright, neighbour, upside_down]


def test_no_face_is_found_twice_with_any_rotation(real_data, light):
    image = real_data / "samples" / "dlib_faces" / "2008_001009.jpg"
    assert len(Landmarker(light)(image)) == len(Landmarker(light, any_rotation=True)(image)) == 2
    assert len(Landmarker(light, min_score=0.3, any_rotation=True)(image)) == 2


@dataclass(frozen=True)
class ScoredDetector:
    """A detector that finds the same boxes with the same scores in every image."""

    boxes: list
    scores: list

    def __call__(self, image):
        return np.array(self.boxes, np.float32), np.array(self.scores, np.float32)


@pytest.mark.parametrize("any_rotation", [False, True])
@pytest.mark.parametrize("scores", [(0.9, 0.8), (-0.3, -0.5)])
def test_the_best_faces_are_those_that_the_network_finds_best(
    light, astronaut, scores, any_rotation
):
    """The detector is surer of a place where no face is."""
    (face,) = Landmarker(light)(astronaut)
    detector = ScoredDetector([[20, 300, 170, 450], face.box], list(scores))
    settings = {"detector": detector, "max_faces": 1, "any_rotation": any_rotation}
    (found,) = Landmarker(light, **settings)(astronaut)
    assert np.abs(found.points - face.points).mean() < 3
    (tracked,) = Tracker(Landmarker(light, **settings))(np.asarray(astronaut), 0.0)
    np.testing.assert_allclose(tracked.points, found.points, atol=0.01)


@pytest.mark.parametrize(
    ("scores", "max_faces", "seen"),
    [
        ((0.98, 0.4, 0.3), 1, 1),
        ((0.98, 0.6, 0.3), 1, 2),
        ((0.9,) * 9, 1, 4),
        ((0.9, 0.8, 0.5, 0.3), 2, 3),
        ((0.9, 0.8), 5, 2),
        ((0.9, 0.8, 0.1), None, 3),
        ((), 1, 0),
    ],
)
def test_few_more_boxes_than_faces_are_wanted_go_through_the_network(
    light, monkeypatch, scores, max_faces, seen
):
    counts, face_of_each = [0], Predictor.face_of_each

    def counted(self, images, *given):
        counts.append(len(images))
        return face_of_each(self, images, *given)

    monkeypatch.setattr(Predictor, "face_of_each", counted)
    boxes = [[30 * i, 10, 30 * i + 25, 35] for i in range(len(scores))]
    detector = ScoredDetector(np.array(boxes).reshape(-1, 4), scores)
    Landmarker(light, detector=detector, max_faces=max_faces)(np.zeros((60, 300), np.uint8))
    assert sum(counts) == seen


def test_a_single_point_found_in_a_rotated_image_keeps_a_box():
    one = Scheme(name="tip", points=("nose_tip",), mirror=(), norm=None)
    face = Face(one, np.float32([[50, 30]]), np.float32([20, 10, 80, 60]), 0.9)
    # A quarter turn: x = 100 - y', y = x'.
    back = _map_back(face, np.array([[0.0, -1, 100], [1, 0, 0]]))
    assert back.points.tolist() == [[70, 50]] and back.box.tolist() == [40, 20, 90, 80]


@pytest.mark.parametrize(("size", "mode"), [((1, 1), "L"), ((3, 500), "RGB"), ((40, 40), "L")])
def test_tiny_and_empty_images_have_no_face(light, size, mode):
    assert Landmarker(light)(Image.new(mode, size)) == []


def test_settings_that_make_no_sense_are_refused(light, tmp_path):
    with pytest.raises(SettingError, match="0 to 1; found 2"):
        Landmarker(light, min_score=2)
    with pytest.raises(SettingError, match="8 or more; found 3"):
        detectors.load("single_shot", 3)
    with pytest.raises(SettingError, match="No detector 'haar'; there are dlib, single_shot"):
        Landmarker(light, detector="haar")
    with pytest.raises(DataError, match=r"gone.jpg: no such file"):
        Landmarker(light)(tmp_path / "gone.jpg")


def test_other_settings_leave_the_rest_as_it_is(light):
    landmarker = Landmarker(light, min_score=0.3, any_rotation=True, max_faces=2)
    same = landmarker.with_settings()
    assert (same.min_score, same.any_rotation, same.max_faces) == (0.3, True, 2)
    assert same.rotations == landmarker.rotations and same.detector is landmarker.detector
    other = landmarker.with_settings(detect=False, any_rotation=False, max_faces=1)
    assert (other.min_score, other.any_rotation, other.max_faces) == (0.3, False, 1)
    assert other.detector is None
