"""Refinement and test-time augmentation, with a network that finds spots in its pixels."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.data.datasets import toy
from nasion.inference.crops import crop_faces, crop_through
from nasion.inference.predictor import Predictor
from nasion.inference.refinement import upright_maps
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.landmarks.head_pose import rotation_about
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme
from nasion.model_spec import ModelSpec

THREE = Scheme(
    name="three",
    points=("right_eye_center", "left_eye_center", "nose_tip"),
    mirror=(("right_eye_center", "left_eye_center"),),
    norm=(("right_eye_center",), ("left_eye_center",)),
)
SPEC = ModelSpec(scheme=THREE, input_size=(64, 64), pixel_range=(0.0, 255.0), box_scale=2.0)
EYE, NOSE = 220, 110  # grey values of the spots, on black


@dataclass
class SpotFinder:
    """Outputs the centres of two bright spots, right one first, and of the dim one.

    ``tilted_error``: what it errs by, in pixels, where the eyes are not level. ``inputs``: every
    batch it was given.
    """

    tilted_error: float = 0.0
    inputs: list = field(default_factory=list)

    def __call__(self, images):
        self.inputs.append(np.array(images))
        return np.stack([self._points(image[0]) for image in images])

    def _points(self, image):
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        bright = np.clip(image - 150, 0, None)
        middle = (bright * x).sum() / bright.sum()
        eyes = [bright * (x < middle), bright * (x >= middle)]
        # The rim of a bright spot is dim, and thinner than a dim spot.
        near = np.zeros_like(image, dtype=bool)
        for dy in range(-3, 4):
            for dx in range(-3, 4):
                near |= np.roll(image > 150, (dy, dx), (0, 1))
        nose = np.where(near, 0, np.clip(image - 50, 0, None))
        points = [((w * x).sum() / w.sum(), (w * y).sum() / w.sum()) for w in (*eyes, nose)]
        points = np.array(points, dtype=np.float32)
        if abs(points[0, 1] - points[1, 1]) > 2:
            points += self.tilted_error
        return points.reshape(-1)

    def in_float32(self):
        return self

    def _unused(self, *_):
        raise NotImplementedError

    first_filters = first_responses = export = _unused


def spots(degrees=0.0, count=3, box=True):
    """Faces of three spots, rotated about the middle of the image."""
    center = np.array([79.5, 79.5])
    upright = np.array([[-24.0, -12], [24, -12], [0, 30]])
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = np.stack([upright @ turn + center + i for i in range(count)])
    y, x = np.mgrid[:160, :160]
    images = np.zeros((count, 160, 160))
    for i, face in enumerate(points):
        for (cx, cy), value in zip(face, (EYE, EYE, NOSE), strict=True):
            coverage = np.clip(7.5 - np.hypot(x - cx, y - cy), 0, 1)
            images[i] = np.maximum(images[i], value * coverage)
    boxes = geometry.points_box(points).astype(np.float32) if box else None
    return Faces(
        scheme=THREE,
        ids=tuple(map(str, range(count))),
        images=np.rint(images).astype(np.uint8),
        points=points.astype(np.float32),
        boxes=boxes,
    )


@pytest.mark.parametrize("yaw", [-85, -40, 0, 60, 85])
@pytest.mark.parametrize("roll", [-50, 0, 30])
def test_a_head_turned_to_any_side_is_levelled(yaw, roll):
    """In a profile the eyes lie behind each other, so their line has no direction."""
    spec = ModelSpec(scheme=ibug68, input_size=(128, 128), refine_steps=2)
    turned = rotation_about((0.0, np.radians(yaw), 0.0)) @ rotation_about((0.1, 0.0, 0.0))
    tilted = rotation_about((0.0, 0.0, np.radians(roll))) @ turned
    points = 100 * (mean_face(ibug68) @ tilted.T)[None, :, :2] + 300
    noise = np.random.default_rng(0).normal(0, 3, points.shape)
    linear = upright_maps(points + noise, spec)[0, :, :2]
    found = np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))
    # Where the head also looks down, what is level is not quite the same.
    assert found == pytest.approx(roll, abs=8)


def test_points_without_known_places_are_levelled_by_the_norm():
    scheme = Scheme(name="own", points=("a", "b", "c"), mirror=(("a", "b"),), norm=(("a",), ("b",)))
    spec = ModelSpec(scheme=scheme, input_size=(64, 64), refine_steps=2)
    eyes = np.array([[[10.0, 10], [10 + 20 * np.cos(0.3), 10 + 20 * np.sin(0.3)], [20, 40]]])
    linear = upright_maps(eyes, spec)[0, :, :2]
    assert np.arctan2(linear[1, 0], linear[0, 0]) == pytest.approx(0.3)


def test_a_rotated_face_is_cropped_upright_with_level_eyes():
    rotated = spots(35)
    maps = upright_maps(rotated.points.astype(np.float64), SPEC)
    points = geometry.apply(geometry.invert(maps), rotated.points)
    np.testing.assert_allclose(points[:, 0, 1], points[:, 1, 1], atol=1e-4)
    assert (points[:, 0, 0] < points[:, 1, 0]).all()
    box = geometry.points_box(points)
    np.testing.assert_allclose((box[:, :2] + box[:, 2:]) / 2, 31.5, atol=1e-4)
    np.testing.assert_allclose(box[:, 2:] - box[:, :2], 64 / SPEC.box_scale, rtol=1e-4)
    # The same pixels as of the face that was never rotated.
    straight = upright_maps(spots(0).points.astype(np.float64), SPEC)
    rotated_crops = crop_through(list(rotated.images), maps, SPEC)
    straight_crops = crop_through(list(spots(0).images), straight, SPEC)
    difference = rotated_crops.images.astype(float) - straight_crops.images
    assert np.abs(difference).mean() < 2


def test_a_bright_dot_is_where_its_point_is_in_a_rotated_crop():
    images = np.zeros((1, 120, 160), np.uint8)
    images[0, 40, 90] = images[0, 80, 60] = 255
    points = np.array([[[90.0, 40], [60, 80]]])
    box = geometry.box_to_frame(np.array([40.0, 20, 110, 90]), (64, 64))
    turn = geometry.similarity((75.0, 55.0), np.array(20.0), np.array(1.0), np.zeros(2))
    maps = geometry.compose(geometry.invert(box), turn)[None]
    crops = crop_through(list(images), maps, SPEC)
    for point in geometry.apply(geometry.invert(maps), points)[0]:
        x, y = np.rint(point).astype(int)
        around = crops.images[0, 0, y - 2 : y + 3, x - 2 : x + 3].astype(float)
        rows, columns = np.mgrid[y - 2 : y + 3, x - 2 : x + 3]
        found = [(around * columns).sum() / around.sum(), (around * rows).sum() / around.sum()]
        np.testing.assert_allclose(found, point, atol=0.25)


def test_well_cropped_faces_are_not_refined():
    network = SpotFinder()
    found = Predictor(replace(SPEC, refine_steps=4), network).predict(spots(0))
    assert [len(batch) for batch in network.inputs] == [3]
    np.testing.assert_allclose(found.points, spots(0).points, atol=0.5)


def test_poorly_cropped_faces_are_refined_until_they_are_well_cropped():
    network = SpotFinder()
    found = Predictor(replace(SPEC, refine_steps=4), network).predict(spots(30))
    # The second crop is level, so there is no third.
    assert [len(batch) for batch in network.inputs] == [3, 3]
    eyes = SpotFinder()(network.inputs[1]).reshape(3, 3, 2)[:, :2, 1]
    assert np.abs(eyes[:, 0] - eyes[:, 1]).max() < 0.5
    np.testing.assert_allclose(found.points, spots(30).points, atol=0.5)


def test_only_poorly_cropped_faces_of_a_batch_are_refined():
    straight, rotated = spots(0), spots(30)
    mixed = replace(
        straight,
        images=np.stack([straight.images[0], rotated.images[1], straight.images[2]]),
        points=np.stack([straight.points[0], rotated.points[1], straight.points[2]]),
        boxes=np.stack([straight.boxes[0], rotated.boxes[1], straight.boxes[2]]),
    )
    network = SpotFinder()
    found = Predictor(replace(SPEC, refine_steps=3), network).predict(mixed)
    assert [len(batch) for batch in network.inputs] == [3, 1]
    np.testing.assert_allclose(found.points, mixed.points, atol=0.5)


def test_the_last_crop_decides():
    """A network that errs on tilted faces only is wrong at first and right on the upright crop."""
    faces = spots(25)
    once = Predictor(SPEC, SpotFinder(tilted_error=4.0)).predict(faces)
    twice = Predictor(replace(SPEC, refine_steps=2), SpotFinder(tilted_error=4.0)).predict(faces)
    assert np.linalg.norm(once.points - faces.points, axis=-1).min() > 4
    np.testing.assert_allclose(twice.points, faces.points, atol=0.5)


@pytest.mark.parametrize(("mode", "views"), [("none", 1), ("flip", 2), ("flip+shift", 6)])
def test_every_view_is_mirrored_or_shifted_and_mapped_back(mode, views):
    network, faces = SpotFinder(), spots(10)
    found = Predictor(SPEC, network, tta=mode).predict(faces)
    assert len(network.inputs) == views
    np.testing.assert_allclose(found.points, faces.points, atol=0.5)
    if views == 2:
        np.testing.assert_array_equal(network.inputs[1], network.inputs[0][..., ::-1])
    if views == 6:
        middles = [network(batch).reshape(3, 3, 2).mean((0, 1)) for batch in network.inputs[:3]]
        # Two per cent of 64 pixels to the left or right, and upwards.
        np.testing.assert_allclose(middles[1] - middles[0], [-1.28, -1.28], atol=0.1)
        np.testing.assert_allclose(middles[2] - middles[0], [1.28, -1.28], atol=0.1)


def test_the_mirrored_view_is_of_the_refined_crop():
    network = SpotFinder()
    Predictor(replace(SPEC, refine_steps=2, tta="flip"), network).predict(spots(30))
    assert len(network.inputs) == 3
    np.testing.assert_array_equal(network.inputs[2], network.inputs[1][..., ::-1])


def test_whole_images_without_boxes_are_cropped_to_the_face():
    network, faces = SpotFinder(), spots(0, box=False)
    found = Predictor(replace(SPEC, refine_steps=2), network).predict(faces)
    assert len(network.inputs) == 2
    np.testing.assert_allclose(found.points, faces.points, atol=0.5)
    sides = geometry.points_box(SpotFinder()(network.inputs[1]).reshape(3, 3, 2).astype(float))
    np.testing.assert_allclose(sides[:, 2:] - sides[:, :2], 32, atol=1.5)


def test_files_are_cropped_and_refined_as_arrays_are(tmp_path):
    faces = spots(30)
    paths = tuple(tmp_path / f"{i}.png" for i in range(3))
    for path, image in zip(paths, faces.images, strict=True):
        Image.fromarray(image).save(path)
    predictor = Predictor(replace(SPEC, refine_steps=2), SpotFinder())
    from_files = predictor.predict(replace(faces, images=paths)).points
    np.testing.assert_array_equal(from_files, predictor.predict(faces).points)


def test_refinement_helps_the_shipped_network_on_rotated_faces():
    """Drawn faces, rotated by 60 degrees: the error falls by a third at least."""
    drawn = toy.draw(12, ibug68, seed=4, size=200)
    back = geometry.similarity((99.5, 99.5), np.array(-60.0), np.array(1.0), np.zeros(2))
    points = geometry.apply(geometry.invert(back), drawn.points).astype(np.float32)
    rotated = [
        np.asarray(Image.fromarray(image).rotate(-60, Image.Resampling.BILINEAR))
        for image in drawn.images
    ]
    boxes = geometry.points_box(points).astype(np.float32)
    faces = replace(drawn, images=np.stack(rotated), points=points, boxes=boxes)
    model = nasion.load_model("face68_light")
    once = replace(model, spec=replace(model.spec, refine_steps=1))
    errors = [
        np.linalg.norm(each.predict(faces).points - points, axis=-1).mean()
        for each in (once, model)
    ]
    assert errors[1] < 0.7 * errors[0]


def test_a_point_outside_the_scheme_s_eyes_keeps_a_face_without_a_norm_unrotated():
    scheme = Scheme(name="pair", points=("a", "b"), mirror=())
    spec = replace(SPEC, scheme=scheme)
    maps = upright_maps(np.array([[[10.0, 10], [50, 40]]]), spec)
    np.testing.assert_allclose(maps[0, [0, 1], [1, 0]], 0, atol=1e-12)


def test_crops_of_faces_are_those_of_their_boxes():
    faces = spots(0)
    crops = crop_faces(faces, SPEC)
    corners = geometry.apply(crops.to_source, geometry.image_box(64, 64).reshape(2, 2))
    expected = geometry.grow_box(faces.boxes.astype(float), 0.5)
    np.testing.assert_allclose(corners.reshape(3, 4), expected, atol=1e-3)
