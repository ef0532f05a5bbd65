"""Aligned crops against known truth: faces under a known similarity, and the way back."""

import numpy as np
import pytest

import nasion
from nasion.data.datasets import toy
from nasion.errors import DataError, SettingError
from nasion.landmarks import geometry
from nasion.landmarks.aligned_crops import PADDINGS, crop_with
from nasion.landmarks.alignment import CropFrame, fit_similarity, five_points
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.face import Face
from nasion.landmarks.face_extent import mean_shape
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme

# Published with ArcFace: eyes, nose tip, corners of the mouth in 112 x 112 pixels.
ARCFACE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
           [70.7299, 92.2041]]  # fmt: skip
FIVE = Scheme(
    name="five",
    points=("right_pupil", "left_pupil", "nose_tip", "mouth_right_corner", "mouth_left_corner"),
    mirror=(("right_pupil", "left_pupil"), ("mouth_right_corner", "mouth_left_corner")),
)


def face_of(points, scheme=ibug68):
    points = np.asarray(points, dtype=np.float32)
    box = geometry.points_box(points.astype(np.float64)).astype(np.float32)
    return Face(scheme, points, box, 0.9)


def placed(degrees=25.0, scale=2.3, move=(140.0, 90.0)):
    """A map from the template's frame to an image."""
    return geometry.similarity((56, 56), np.array(degrees), np.array(scale), np.array(move))


def rotation(yaw, pitch, roll):
    """The head's, as ``head_pose.py`` has it."""
    y, x, z = np.radians([yaw, -pitch, roll])
    turn_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    turn_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    turn_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    return np.array(turn_y) @ turn_x @ turn_z


def gradient(width, height):
    """A picture whose values tell the place: red is x, green is y, to a quarter of a pixel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x // 2, y // 2, (x + y) // 4], axis=-1).astype(np.uint8)


def test_a_similarity_is_found_again_and_mirroring_is_not_allowed():
    rng = np.random.default_rng(0)
    source, true = rng.uniform(0, 100, (9, 2)), placed()
    found = fit_similarity(source, geometry.apply(true, source))
    np.testing.assert_allclose(found, true, atol=1e-9)
    mirrored = fit_similarity(source, source * [-1, 1])
    assert np.linalg.det(mirrored[:, :2]) > 0


def test_weights_decide_which_points_are_met():
    source = np.array([[0, 0], [10, 0], [0, 10.0]])
    target = source + [[0, 0], [0, 0], [5, 5.0]]
    found = fit_similarity(source, target, np.array([1, 1, 1e-9]))
    np.testing.assert_allclose(geometry.apply(found, source[:2]), target[:2], atol=1e-6)


def test_a_face_under_a_known_similarity_comes_out_at_the_template():
    points = geometry.apply(placed(), np.array(ARCFACE))
    crop = nasion.aligned_crop(np.zeros((400, 500, 3), np.uint8), face_of(points, FIVE))
    assert crop.pixels.shape == (112, 112, 3)
    np.testing.assert_allclose(crop.face.points, ARCFACE, atol=1e-3)
    np.testing.assert_allclose(crop.to_source, placed(), atol=1e-5)


@pytest.mark.parametrize("template", ["arcface", "ffhq", "ibug68", "fkd15"])
@pytest.mark.parametrize("degrees", [-130.0, 0.0, 25.0])
def test_a_turned_scaled_toy_face_gives_the_same_crop(template, degrees):
    """A drawn face before and after a known similarity: points agree to 0.1 px."""
    drawn = toy.draw(1, ibug68, size=200, colour=True)
    first = CropFrame(template, 128, 0.1)
    moved = placed(degrees, 1.7)
    before = first.map_for(drawn.points[0], ibug68)
    after = first.map_for(geometry.apply(moved, drawn.points[0]), ibug68)
    np.testing.assert_allclose(
        geometry.apply(before, drawn.points[0]),
        geometry.apply(after, geometry.apply(moved, drawn.points[0])),
        atol=0.1,
    )


@pytest.mark.parametrize("side", [40, 112, 300])
def test_pixels_are_where_the_map_says(side):
    """Enlarged, shrunk by a little, and shrunk by so much that blocks are averaged first."""
    image = gradient(500, 420)
    points = geometry.apply(placed(scale=1.9), np.array(ARCFACE))
    crop = nasion.aligned_crop(image, face_of(points, FIVE), size=side)
    y, x = np.mgrid[2 : side - 2, 2 : side - 2]
    places = geometry.apply(crop.to_source, np.stack([x, y], -1).reshape(-1, 2))
    seen = crop.pixels[2 : side - 2, 2 : side - 2].reshape(-1, 3).astype(float)
    # Each value stands for two places; the mean of x // 2 is x / 2 - 1 / 4.
    np.testing.assert_allclose(seen[:, :2], places / 2 - 0.25, atol=1)
    assert np.abs((seen[:, :2] - places / 2 + 0.25).mean(axis=0)).max() < 0.05


def test_the_way_back_leads_to_the_points_of_the_image():
    drawn = toy.draw(1, ibug68, size=240, colour=True)
    face = face_of(drawn.points[0])
    crop = nasion.aligned_crop(drawn.images[0], face, "ffhq", size=160, margin=0.2)
    back = geometry.apply(crop.to_source, crop.face.points)
    np.testing.assert_allclose(back, face.points, atol=0.01)


def test_ffhq_is_the_square_around_eyes_and_mouth():
    """Eyes 40 apart, mouth 50 below: half a side is 1.8 * 50, the centre 5 below the eyes."""
    points = [[80, 100], [120, 100], [100, 125], [85, 150], [115, 150]]
    crop = nasion.aligned_crop(np.zeros((300, 300, 3), np.uint8), face_of(points, FIVE), "ffhq")
    assert crop.pixels.shape == (1024, 1024, 3) and crop.padding == "reflect"
    corners = geometry.apply(crop.to_crop, np.array([[100, 105], [10, 15], [190, 195.0]]))
    np.testing.assert_allclose(corners, [[511.5, 511.5], [-0.5, -0.5], [1023.5, 1023.5]], atol=1e-6)


def test_a_scheme_s_mean_shape_fills_the_square():
    face = face_of(mean_shape(ibug68) * 80 + 200)
    crop = nasion.aligned_crop(np.zeros((400, 400, 3), np.uint8), face, "ibug68")
    box = geometry.points_box(crop.face.points.astype(np.float64))
    assert box.min() == pytest.approx(-0.5, abs=1e-3) and box.max() == pytest.approx(
        255.5, abs=1e-3
    )
    wider = nasion.aligned_crop(np.zeros((400, 400, 3), np.uint8), face, "ibug68", margin=0.5)
    scales = np.linalg.norm(crop.to_crop[0, :2]) / np.linalg.norm(wider.to_crop[0, :2])
    assert scales == pytest.approx(2) and wider.pixels.shape == crop.pixels.shape


def test_paddings_beyond_the_image():
    image = np.full((60, 60, 3), 200, np.uint8)
    image[:, :30] = 100
    points = geometry.apply(placed(0.0, 1.0, (-40.0, 0.0)), np.array(ARCFACE))
    face = face_of(points, FIVE)
    crops = {name: crop_with(image, face, CropFrame(), name) for name in PADDINGS}
    left = {name: crop.pixels[20, :30] for name, crop in crops.items()}
    assert not left["black"].any()
    assert (left["edge"] == 100).all()
    assert (left["reflect"] >= 90).all() and (left["reflect"] == 200).any()
    for name in PADDINGS:
        np.testing.assert_array_equal(crops[name].pixels[:60, 40:100], image)
        assert crops[name].inside == pytest.approx(60 * 60 / 112**2, abs=0.02)
    assert np.ptp(crops["blur"].pixels[:, 103:], axis=None) <= np.ptp(crops["reflect"].pixels)


def test_grey_images_and_other_schemes():
    drawn = toy.draw(1, fkd15, size=120, colour=False)
    crop = nasion.aligned_crop(drawn.images[0], face_of(drawn.points[0], fkd15))
    assert crop.pixels.shape == (112, 112, 3)
    assert np.abs(crop.face["nose_tip"] - ARCFACE[2]).max() < 8


def test_missing_points_are_left_out_and_too_few_are_an_error():
    points = geometry.apply(placed(), np.array(ARCFACE))
    points[3] = np.nan
    crop = nasion.aligned_crop(np.zeros((400, 500, 3), np.uint8), face_of(points, FIVE))
    np.testing.assert_allclose(crop.to_source, placed(), atol=1e-5)
    with pytest.raises(DataError, match="both corners of the mouth"):
        nasion.aligned_crop(np.zeros((40, 50, 3), np.uint8), face_of(points, FIVE), "ffhq")
    points[1:] = np.nan
    with pytest.raises(DataError, match="1 of the points that the template needs"):
        nasion.aligned_crop(np.zeros((40, 50, 3), np.uint8), face_of(points, FIVE))


def test_the_eye_is_the_mean_of_its_contour_in_ibug68():
    points = toy.draw(1, ibug68, size=100).points[0].astype(np.float64)
    five = five_points(points, ibug68)
    np.testing.assert_allclose(five[0], points[36:42].mean(axis=0))
    np.testing.assert_allclose(five[1], points[42:48].mean(axis=0))
    np.testing.assert_allclose(five[2:], points[[30, 48, 54]])


# Without any point on the inner side of an eye.
OUTER = Scheme(
    name="outer",
    points=tuple(
        name for name in ibug68.points if "_eye_" not in name or name.endswith("outer_corner")
    ),
    mirror=(),
)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (0, 0, 30), (25, 10, -15)])
def test_eyes_with_outer_corners_only_are_where_the_mean_face_has_them(yaw, pitch, roll):
    """Their mean is no centre: eyes so far apart make the face a quarter smaller in ffhq."""
    whole = (rotation(yaw, pitch, roll) @ mean_face(ibug68).T).T[:, :2] * 140 + [250, 200]
    five = five_points(whole[ibug68.index(OUTER.points)], OUTER)
    np.testing.assert_allclose(five, five_points(whole, ibug68), atol=0.5)
    for template in ("ffhq", "arcface"):
        maps = [
            CropFrame(template, 112).map_for(whole[ibug68.index(scheme.points)], scheme)
            for scheme in (OUTER, ibug68)
        ]
        np.testing.assert_allclose(maps[0], maps[1], rtol=0.02, atol=0.5)


def test_a_contour_of_which_only_the_outer_corner_is_there_is_not_its_mean():
    whole = mean_face(ibug68)[:, :2] * 140 + [250, 200]
    seen = whole.copy()
    seen[[37, 38, 39, 40, 41]] = np.nan
    np.testing.assert_allclose(five_points(seen, ibug68), five_points(whole, ibug68), atol=0.5)
    few = np.full_like(whole, np.nan)
    few[[36, 45, 30, 48, 54]] = whole[[36, 45, 30, 48, 54]]
    assert np.isnan(five_points(few, ibug68)[:2]).all()


def test_outer_corners_of_a_scheme_with_too_few_points_are_refused():
    corners = ("right_eye_outer_corner", "left_eye_outer_corner")
    few = Scheme(name="few", points=(*corners, *FIVE.points[2:]), mirror=(corners,))
    message = (
        r"few labels the right eye on one side only \(right_eye_outer_corner\), and the mean face "
        r"has 5 of .* 8"
    )
    for template in ("arcface", "ffhq"):
        with pytest.raises(SettingError, match=message):
            CropFrame(template).check_scheme(few)
    CropFrame("ibug68").check_scheme(few)
    CropFrame("ffhq").check_scheme(OUTER)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"template": "arc"}, "No template 'arc'; there are arcface, ffhq, fkd15"),
        ({"size": 7}, "8 to 8192 pixels; found 7"),
        ({"margin": 11}, "-0.4 to 10"),
        ({"margin": float("nan")}, "found nan"),
        ({"padding": "white"}, "No padding 'white'; there are black, edge, reflect, blur"),
    ],
)
def test_unknown_settings_are_refused(settings, message):
    face = face_of(toy.draw(1, ibug68, size=100).points[0])
    with pytest.raises(SettingError, match=message):
        nasion.aligned_crop(np.zeros((40, 50, 3), np.uint8), face, **settings)


def test_a_scheme_without_a_mouth_says_what_to_do():
    scheme = Scheme(name="eyes", points=("right_pupil", "left_pupil", "nose_tip"), mirror=())
    face = face_of([[10, 10], [30, 10], [20, 20]], scheme)
    with pytest.raises(SettingError, match="eyes has no mouth_right_corner"):
        nasion.aligned_crop(np.zeros((40, 50, 3), np.uint8), face)


def test_schemes_that_do_not_fit_a_template_are_refused_before_any_work():
    mouth = Scheme(name="mouth", points=("mouth_right_corner", "mouth_left_corner"), mirror=())
    with pytest.raises(SettingError, match="Scheme mouth has no eyes, which the templates"):
        CropFrame("ffhq").check_scheme(mouth)
    with pytest.raises(SettingError, match="Scheme mouth and the template cfp50 have 0 points"):
        CropFrame("cfp50").check_scheme(Scheme(name="mouth", points=("nothing",), mirror=()))
    CropFrame("ibug68").check_scheme(mouth)
