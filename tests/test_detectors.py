"""Every detector that there is: drawn and real faces found at their places, large and small, in
several threads, on any image.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import toy
from nasion.discovery import DETECTORS
from nasion.errors import RunError, SettingError
from nasion.inference import detectors
from nasion.inference.detectors import Detector
from nasion.inference.detectors.single_shot import SingleShot, _decode, _merge
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.geometry import points_box

NAMES = DETECTORS.names()


@pytest.fixture(scope="module")
def crowd():
    """An image of six drawn faces, the boxes of their points."""
    faces = toy.draw(6, ibug68, size=160, colour=True, seed=2)
    picture, points = np.full((420, 600, 3), 120, np.uint8), []
    for i, image in enumerate(faces.images):
        y, x = 210 * (i // 3) + 20, 200 * (i % 3) + 20
        picture[y : y + 160, x : x + 160] = image
        points.append(faces.points[i] + [x, y])
    return picture, points_box(np.array(points, dtype=np.float64))


def overlap(one, other):
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    both = np.prod(np.maximum(sides, 0))
    return both / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - both)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_are_about_tight_around_the_points_and_the_best_come_first(name, crowd):
    picture, truth = crowd
    boxes, scores = detectors.load(name)(picture)
    assert isinstance(detectors.load(name), Detector)
    assert (np.diff(scores) <= 0).all() and boxes.dtype == np.float32
    best = [max((overlap(box, other) for other in boxes), default=0) for box in truth]
    # The drawn hair and skin differ much; photographs are the next test's.
    assert sum(share > 0.6 for share in best) >= 4, best


@pytest.mark.parametrize("name", NAMES)
def test_grey_and_colour_give_the_same_and_threads_do_not_corrupt_each_other(name, crowd):
    picture = crowd[0]
    detector = detectors.load(name)
    alone, _ = detector(picture)
    grey, _ = detector(np.asarray(Image.fromarray(picture).convert("L")))
    np.testing.assert_allclose(grey, alone, atol=0.5)
    with ThreadPoolExecutor(4) as pool:
        for found, _ in pool.map(detector, [picture] * 12):
            np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (31, 33), (1200, 900)])
def test_images_of_any_size_without_a_face_give_none(name, size):
    assert len(detectors.load(name)(np.full(size, 128, np.uint8))[0]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_all_faces_of_group_photographs_are_found(name, real_data):
    from xml.etree import ElementTree

    from nasion.media.images import open_image

    folder, missed = real_data / "samples" / "dlib_faces", []
    for table in ("training.xml", "testing.xml"):
        for image in ElementTree.parse(folder / table).getroot().iter("image"):
            found, _ = detectors.load(name)(open_image(folder / image.get("file"), colour=False))
            for box in image.iter("box"):
                x, y, w, h = (int(box.get(side)) for side in ("left", "top", "width", "height"))
                if (
                    not len(found)
                    or (
                        np.abs((found[:, :2] + found[:, 2:]) / 2 - [x + w / 2, y + h / 2]).max(1)
                        > w / 2
                    ).all()
                ):
                    missed.append((image.get("file"), x, y))
    assert missed == []


@pytest.mark.parametrize("scale", [0.5, 1, 2.5, 6])
def test_a_face_is_found_whatever_the_image_s_size(scale, crowd):
    picture, truth = crowd
    size = (round(600 * scale), round(420 * scale))
    seen = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    found, _ = detectors.load("single_shot", 20)(seen)
    # Both count from pixels' centres.
    best = [
        max((overlap((box + 0.5) * scale - 0.5, other) for other in found), default=0)
        for box in truth
    ]
    assert sum(share > 0.6 for share in best) >= 4, best


def test_small_faces_in_a_large_picture_are_found_without_being_asked_for(crowd):
    """Drawn faces of 40 to 60 pixels in 4000 x 3000."""
    picture, truth = crowd
    scale = 45 / np.sqrt(np.prod(truth[:, 2:] - truth[:, :2], axis=1)).min()
    size = (round(600 * scale), round(420 * scale))
    large = np.full((3000, 4000, 3), 120, np.uint8)
    large[1000 : 1000 + size[1], 3000 : 3000 + size[0]] = np.asarray(
        Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    )
    found, _ = detectors.load("single_shot")(large)
    expected = (truth + 0.5) * scale - 0.5 + [3000, 1000] * 2
    best = [max((overlap(box, other) for other in found), default=0) for box in expected]
    assert sum(share > 0.5 for share in best) >= 4, best


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_the_box_of_a_face_cut_by_the_image_s_edge_is_that_of_the_whole_face(edge, real_data):
    from nasion.media.images import open_image

    pixels = open_image(real_data / "samples" / "astronaut.png", colour=False)
    detector = detectors.load("single_shot")
    whole = detector(pixels)[0][0].astype(np.float64)
    x0, y0, x1, y1 = np.round(whole).astype(int).tolist()
    x, y = (x0 + x1) // 2 - x0, (y0 + y1) // 2 - y0  # half of the sides; a third is cut off
    area = {
        "left": (slice(None), slice(x0 + 2 * x // 3, None)),
        "right": (slice(None), slice(None, x1 - 2 * x // 3)),
        "top": (slice(y0 + 2 * y // 3, None), slice(None)),
        "bottom": (slice(None, y1 - 2 * y // 3), slice(None)),
    }[edge]
    found = detector(pixels[area])[0]
    origin = [area[1].start or 0, area[0].start or 0] * 2
    assert max((overlap(box + origin, whole) for box in found), default=0) > 0.5


def test_a_cell_s_numbers_are_a_box_around_its_middle():
    """Stride 8, cell (2, 1): middle (11.5, 19.5), moved by 4 * 8 * (0.1, -0.2).

    Sides 32 * e^0 and 32 * e^0.5.
    """
    maps = [np.full((1, 5, n, n), -9, np.float32) for n in (4, 2, 1)]
    maps[0][0, :, 2, 1] = [0.0, 0.1, -0.2, 0.0, 0.5]
    ((box,), (score,)), (none, _) = _decode([np.stack([m[0], m[0] * 0 - 9]) for m in maps], 0.3)
    assert len(none) == 0  # nothing is in the second image
    high = 16 * np.exp(0.5)
    np.testing.assert_allclose(
        box, [11.5 + 3.2 - 16, 19.5 - 6.4 - high, 11.5 + 3.2 + 16, 19.5 - 6.4 + high], rtol=1e-6
    )
    assert score == 0.5


def test_boxes_of_one_face_become_their_mean_by_score_and_others_stay():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60.0]])
    merged, scores = _merge(boxes, np.array([0.9, 0.3, 0.5]))
    np.testing.assert_allclose(merged, [[0.25, 0, 10.25, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(scores, [0.9, 0.5])
    assert len(_merge(np.zeros((0, 4)), np.zeros(0))[0]) == 0


def test_an_object_that_is_no_detector_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SettingError, match="No detector 'haar'; there are dlib, single_shot"):
        detectors.load("haar")
    with pytest.raises(SettingError, match="8 or more; found 3"):
        detectors.load("dlib", 3)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(RunError, match="not a network that ONNX Runtime can read"):
        SingleShot(file=tmp_path / "text.onnx")(np.zeros((9, 9), np.uint8))
    from nasion.inference import pretrained

    with pytest.raises(RunError, match="not a face detector of this version"):
        SingleShot(file=pretrained.file("face68_light"))(np.zeros((9, 9), np.uint8))
