"""Faces keep their numbers in video, and none takes another's.

Scripted boxes where only places matter; drawn faces, found by the shipped network, where faces
cover each other.
"""

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.errors import SettingError
from nasion.inference.calibration import uncalibrated
from nasion.inference.landmarker import Landmarker
from nasion.inference.predictor import Predictor
from nasion.inference.smoothing import OneEuro
from nasion.inference.track_association import Track, associate, trail_after
from nasion.inference.tracking import Tracker
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face
from nasion.landmarks.scheme import Scheme
from nasion.model_spec import ModelSpec

SIDE, HEIGHT = 160, 240


class ScriptedPredictor:
    """Finds a face in a box if one is near it in the current frame; otherwise an unlikely one."""

    calibration = "there is one"

    def __init__(self, frames):
        self.frames, self.at = frames, 0
        self.spec = ModelSpec(scheme=ibug68, input_size=(32, 32))

    def faces_in(self, pixels, boxes, detector_scores=None):
        there = [np.float32(box) for box in self.frames[self.at]]
        found = []
        for box in boxes:
            near = min(there, key=lambda other: np.abs(other - box).max(), default=None)
            hit = near is not None and np.abs(near - box).max() < 30
            box = np.float32(near if hit else [0, 0, 9, 9])
            found.append(Face(ibug68, box.reshape(2, 2), box, 0.9 if hit else 0.1))
        return found


class ScriptedLandmarker(Landmarker):
    """Stands in for a landmarker: the boxes of each frame are the faces."""

    def __init__(self, frames):
        self.predictor = ScriptedPredictor(frames)
        self.min_score, self.max_faces, self.rotations = 0.5, None, (0,)

    def detector(self, pixels):
        return self.detect(pixels)

    def detect(self, pixels):
        boxes = self.predictor.frames[self.predictor.at]
        boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
        return boxes, np.ones(len(boxes), np.float32)


def tracks(frames, every=1, pause=1 / 30, **settings):
    """The numbers in each frame; every frame is a list of boxes."""
    landmarker, numbers = ScriptedLandmarker(frames), []
    tracker = Tracker(landmarker, None, every, **settings)
    for i in range(len(frames)):
        landmarker.predictor.at = i
        faces = tracker(np.zeros((400, 400), np.uint8), pause * i)
        numbers.append([face.track for face in faces])
    return numbers


A, B = [0, 0, 50, 50], [200, 0, 250, 50]


def test_faces_that_come_go_and_come_back_soon_keep_their_numbers():
    assert tracks([[A], [A, B], [B], [B, A], [A, B]]) == [[1], [1, 2], [2], [1, 2], [1, 2]]
    assert tracks([[A], [], [], [A]], pause=0.5) == [[1], [], [], [2]]


def test_a_face_that_moves_is_followed_and_one_elsewhere_is_new():
    moved = [[[10 * i, 0, 50 + 10 * i, 50]] for i in range(6)]
    assert tracks(moved) == [[1]] * 6
    assert tracks([[A], [B]]) == [[1], [2]]


def test_patience_counts_from_the_first_frame_without_the_face():
    assert tracks([[A], [], [], [A]], pause=0.3) == [[1], [], [], [1]]
    assert tracks([[A], [], [], [A]], pause=0.3, patience=0.5) == [[1], [], [], [2]]
    assert tracks([[A], [], [], [A]], pause=2, patience=4) == [[1], [], [], [1]]


def test_a_pause_without_frames_is_no_absence():
    assert tracks([[A], [A]], pause=2, patience=0) == [[1], [1]]


def test_a_face_that_shifts_within_a_second_keeps_its_number_and_far_ones_do_not_take_it():
    assert tracks([[A], [[45, 0, 95, 50]]], pause=1) == [[1], [1]]
    assert tracks([[A], [[60, 0, 110, 50]]], pause=1) == [[1], [2]]
    assert tracks([[A], [[0, 0, 110, 110]]], pause=1) == [[1], [2]]  # more than twice as large


def test_the_detector_runs_while_a_face_is_missing_beside_another():
    """Else it would be noticed on every n-th frame only, after the patience."""
    gone = [[A, B]] * 2 + [[A]] * 3 + [[A, B]] * 2
    assert tracks(gone, every=100, pause=0.1) == [[1, 2]] * 2 + [[1]] * 3 + [[1, 2]] * 2


def test_a_face_that_leaves_does_not_give_its_number_to_one_that_enters():
    leaving = [[[x, 0, x + 50, 50]] for x in range(200, 371, 10)]
    other_side = [[[x, 0, x + 50, 50]] for x in (-10, 0, 10)]
    same_side = [[[x, 0, x + 50, 50]] for x in (360, 350, 340)]
    for entering in (other_side, same_side):
        numbers = tracks([*leaving, *[[]] * 6, *entering])
        assert numbers == [[1]] * 18 + [[]] * 6 + [[2]] * 3


def test_number_of_faces_is_limited_and_tracked_ones_stay():
    frames = [[A], [A, B], [A, B]]
    landmarker = ScriptedLandmarker(frames)
    landmarker.max_faces = 1
    tracker, seen = Tracker(landmarker, None, 1), []
    for i in range(3):
        landmarker.predictor.at = i
        seen.append([face.track for face in tracker(np.zeros((400, 400), np.uint8), i / 30)])
    assert seen == [[1]] * 3


class BrightestPixel:
    """A network with one point: the brightest pixel."""

    def __call__(self, images):
        count, _, height, width = np.asarray(images).shape
        at = np.asarray(images).reshape(count, height * width).argmax(1)
        return np.stack([at % width, at // width], 1).astype(np.float32)

    def in_float32(self):
        return self

    def first_filters(self):
        raise NotImplementedError

    def first_responses(self, images):
        raise NotImplementedError

    def export(self, path):
        raise NotImplementedError


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_a_single_point_is_smoothed_and_keeps_the_box_that_it_was_found_in(is_calibrated):
    scheme = Scheme(name="tip", points=("nose_tip",), mirror=(), norm=None)
    spec = ModelSpec(scheme=scheme, input_size=(32, 32), whole_images=True)
    known = uncalibrated() if is_calibrated else None
    predictor, boxes = Predictor(spec, BrightestPixel(), known), []

    def detector(image):
        left = float(np.asarray(image).argmax() % image.shape[1]) - 30
        boxes.append([left, 8, left + 48, 56])
        return np.array(boxes[-1:], np.float32), np.ones(1, np.float32)

    tracker = Tracker(Landmarker(predictor, detector=detector), OneEuro(min_cutoff=1, beta=0))
    raw, smoothed = [], []
    for i in range(12):
        image = np.zeros((64, 128), np.uint8)
        image[30, 40 + 2 * i] = 255
        (face,) = tracker(image, i / 30)
        # A box cannot follow a single point, so the detector says where it is in every frame.
        assert face.track == 1 and face.box.tolist() == boxes[i]
        raw.append(tracker.unsmoothed[0].points[0])
        smoothed.append(face.points[0])
    share = (2 * np.pi / 30) / (2 * np.pi / 30 + 1)
    expected = [raw[0]]
    for point in raw[1:]:
        expected.append(expected[-1] + share * (point - expected[-1]))
    np.testing.assert_allclose(smoothed, expected, atol=1e-4)


def track(number, box, speed=(0, 0), seconds=0.0):
    """A track at this place and speed, in pixels per second, worked out from its trail."""
    box = np.float32(box)
    face = Face(ibug68, box.reshape(2, 2), box, 0.9)
    center = box.reshape(2, 2).mean(0, dtype=np.float64)
    before = center - np.multiply(speed, 0.1)
    return Track(number, face, seconds, None, ((seconds - 0.1, before), (seconds, center)))


def test_speed_fades_while_a_face_is_out_of_sight():
    going = track(1, A, speed=(100, 0))
    # 0.5 s * (1 - exp(-0.5 / 0.5)) * 100 pixels a second = 31.6 pixels
    np.testing.assert_allclose(going.box_at(0.5), [31.6, 0, 81.6, 50], atol=0.05)
    np.testing.assert_allclose(going.box_at(1e9), [50, 0, 100, 50])


def test_a_face_comes_back_anywhere_between_where_it_was_and_where_its_speed_took_it():
    going = track(1, A, speed=(400, 0))
    for x, whose in ((0, 1), (100, 1), (200, 1), (300, None), (-60, None)):
        box = np.float32([x, 0, x + 50, 50])
        (found,) = associate([Face(ibug68, box.reshape(2, 2), box, 0.9)], [going], 0.5)
        assert (found and found.number) == whose, x


def test_two_faces_that_met_and_were_both_lost_go_on_in_their_directions():
    right, left = track(1, A, speed=(300, 0)), track(2, [100, 0, 150, 50], speed=(-300, 0))
    faces = []
    for x in (-50, 150):
        box = np.float32([x, 0, x + 50, 50])
        faces.append(Face(ibug68, box.reshape(2, 2), box, 0.9))
    assert [found.number for found in associate(faces, [right, left], 0.5)] == [2, 1]


def test_speed_is_measured_over_a_tenth_of_a_second_or_between_two_frames():
    box = np.float32(A)
    face = Face(ibug68, box.reshape(2, 2), box, 0.9)
    fast = Track(1, face, 0, None, tuple((i / 30, np.array([i * 1.0, 0])) for i in range(4)))
    trail = trail_after(fast, face, 4 / 30)
    assert [round(30 * seconds) for seconds, _ in trail] == [1, 2, 3, 4]
    assert [seconds for seconds, _ in trail_after(fast, face, 2.1)] == [0.1, 2.1]
    assert len(trail_after(None, face, 1.0)) == 1


@pytest.fixture(scope="module")
def light():
    return Landmarker("face68_light")


@pytest.fixture(scope="module")
def people():
    return toy.draw(5, ibug68, size=SIDE, colour=True).images


def scene(people, places, width=960, pillar=None):
    """A picture with these people, each at its left edge, later ones in front."""
    pixels = np.full((HEIGHT, width + 2 * SIDE, 3), 90, np.uint8)
    for person, x in places:
        left = int(x) + SIDE
        pixels[40 : 40 + SIDE, left : left + SIDE] = people[person]
    if pillar is not None:
        pixels[:, pillar[0] + SIDE : pillar[1] + SIDE] = 40
    # People beyond the edges are drawn on a margin that is cut off.
    return pixels[:, SIDE:-SIDE]


def numbers_and_places(light, frames, seconds, **settings):
    tracker = Tracker(light, **settings)
    for pixels, at in zip(frames, seconds, strict=True):
        yield {face.track: float(face.box[[0, 2]].mean()) for face in tracker(pixels, at)}


def test_a_drawn_face_at_one_frame_a_second_keeps_its_number(light, people):
    places = [300 + 55 * np.sin(1.3 * second) for second in range(12)]
    frames = [scene(people, [(1, x)]) for x in places]
    seen = list(numbers_and_places(light, frames, range(12), smoothing=None))
    assert [list(each) for each in seen] == [[1]] * 12
    found = np.array([each[1] for each in seen])
    # Found where it is, not where its speed would have taken it.
    offsets = found - places
    assert np.abs(offsets - np.median(offsets)).max() < 4


@pytest.mark.parametrize("pause", [0.6, 2.0])
def test_a_drawn_face_keeps_its_number_over_a_pause_of_the_clip(light, people, pause):
    seconds = [*(i / 30 for i in range(10)), *(9 / 30 + pause + i / 30 for i in range(5))]
    frames = [scene(people, [(1, 200 + 4 * i)]) for i in range(15)]
    assert [list(each) for each in numbers_and_places(light, frames, seconds)] == [[1]] * 15


def test_a_drawn_face_behind_a_pillar_keeps_its_number(light, people):
    """700 pixels a second behind 240 pixels: out of sight for more than 0.3 s."""
    frames = [scene(people, [(1, 50 + 700 / 30 * i)], pillar=(330, 570)) for i in range(30)]
    seen = list(numbers_and_places(light, frames, [i / 30 for i in range(30)]))
    assert {number for each in seen for number in each} == {1}
    hidden = [i for i, each in enumerate(seen) if not each]
    assert 9 <= len(hidden) <= 21 and seen[0] and seen[-1]


@pytest.mark.parametrize("behind", [1, 4])
def test_drawn_faces_that_cross_keep_their_numbers(light, people, behind):
    """One walks to the right, one to the left; ``behind`` is covered on the way."""
    paths = {1: lambda i: 100 + 12 * i, 4: lambda i: 580 - 12 * i}
    order = [behind, 5 - behind]
    frames = [scene(people, [(who, paths[who](i)) for who in order]) for i in range(40)]
    seen = list(numbers_and_places(light, frames, [i / 30 for i in range(40)]))
    assert len(seen[0]) == len(seen[-1]) == 2
    assert {number for each in seen for number in each} == {1, 2}
    # Left and right have changed sides, so the numbers have too.
    assert (seen[0][1] < seen[0][2]) != (seen[-1][1] < seen[-1][2])


def test_a_drawn_face_that_leaves_and_another_that_enters_have_numbers_of_their_own(light, people):
    leaves = [scene(people, [(1, 600 + 25 * i)]) for i in range(14)]
    empty = [scene(people, [])] * 8
    for enters in ([-SIDE + 25 * i for i in range(8)], [950 - 25 * i for i in range(8)]):
        frames = [*leaves, *empty, *(scene(people, [(4, x)]) for x in enters)]
        seen = list(numbers_and_places(light, frames, [i / 30 for i in range(len(frames))]))
        assert list(seen[0]) == [1] and list(seen[-1]) == [2]


@pytest.mark.parametrize("patience", [-1.0, float("nan"), float("inf")])
def test_a_patience_that_makes_no_sense_is_refused(patience):
    with pytest.raises(SettingError, match=f"0 seconds or more, and finite; found {patience}"):
        Tracker(ScriptedLandmarker([[A]]), patience=patience)
