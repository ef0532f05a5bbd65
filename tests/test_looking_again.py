"""Predicting with a network that knows where the points are: what is looked at, how often, and what is averaged."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import toy
from nasion.inference import predictor
from nasion.inference.crops import crop_through
from nasion.inference.predictor import Model, upright
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.models.codecs import Coordinates
from nasion.models.losses import LaplaceLikelihood
from nasion.recipes.face68 import RECIPE as FACE68
from nasion.recipes.toy_demo import RECIPE as TOY

RECIPE = replace(
    FACE68,
    architecture=TOY.model,
    codec=Coordinates("pixels", scale=True),
    loss=LaplaceLikelihood(),
    input_size=(64, 64),
    tta="none",
)


class Oracle:
    """Says the truth of what it is shown, and remembers that; ``off``: how many pixels it errs at the first look."""

    def __init__(self, faces, recipe, off=0.0):
        self.faces, self.recipe, self.off, self.seen = faces, recipe, off, []

    def __call__(self, images):
        raise AssertionError("what it says is put in where the network would be asked")

    in_float32 = first_filters = first_responses = export = __call__

    def watching(self, monkeypatch):
        def said(network, canvas, recipe):
            points = (
                network.faces.points[: len(canvas)].astype(np.float64)
                if len(canvas) == len(network.faces)
                else network.expected(canvas)
            )
            network.seen.append((len(canvas), canvas.images.copy(), canvas.to_source))
            first = len(network.seen) == 1
            return points + (network.off if first else 0.0), np.ones(points.shape[:2])

        monkeypatch.setattr(predict, "_said", said)
        return Model(self.recipe, self)

    def expected(self, canvas):
        return geometry.apply(canvas.to_source, canvas.points)


@pytest.fixture
def faces():
    drawn = toy.draw(6, ibug68, seed=4, size=200)
    return replace(drawn, boxes=geometry.points_box(drawn.points).astype(np.float32))


def turned(faces, degrees):
    """The same faces, their pictures and points turned about the middle, boxes tight."""
    back = geometry.similarity((99.5, 99.5), np.array(-float(degrees)), np.array(1.0), np.zeros(2))
    forth = geometry.invert(back)
    images = [
        np.asarray(Image.fromarray(np.asarray(image)).rotate(-degrees, Image.Resampling.BILINEAR))
        for image in faces.images
    ]
    points = geometry.apply(forth, faces.points).astype(np.float32)
    return replace(
        faces,
        images=np.stack(images),
        points=points,
        boxes=geometry.points_box(points).astype(np.float32),
    )


def test_a_turned_face_is_shown_upright_and_its_eyes_are_level(faces):
    rolled = turned(faces, 35)
    maps = upright(rolled.points.astype(np.float64), RECIPE)
    canvas = crop_through(rolled, maps, RECIPE)
    corners = canvas.points[:, ibug68.index(["right_eye_outer_corner", "left_eye_outer_corner"])]
    np.testing.assert_allclose(corners[:, 0, 1], corners[:, 1, 1], atol=1e-6)
    assert (corners[:, 0, 0] < corners[:, 1, 0]).all()
    box = geometry.points_box(canvas.points)
    np.testing.assert_allclose((box[:, :2] + box[:, 2:]) / 2, 31.5, atol=1e-6)
    np.testing.assert_allclose((box[:, 2:] - box[:, :2]).mean(1), 64 / RECIPE.box_scale, rtol=1e-6)
    # The same pixels as of the face that was never turned.
    straight = crop_through(faces, upright(faces.points.astype(np.float64), RECIPE), RECIPE)
    level = np.abs(upright(faces.points.astype(np.float64), RECIPE)[:, 0, 1]) < 1
    apart = np.abs(canvas.images.astype(float) - straight.images)[level]
    assert np.median(apart) <= 6


def test_a_bright_dot_is_where_its_point_is_in_a_turned_cut():
    images = np.zeros((1, 120, 160), np.uint8)
    images[0, 40, 90] = images[0, 80, 60] = 255
    points = np.full((1, 68, 2), np.nan, np.float32)
    points[0, :2] = [[90, 40], [60, 80]]
    face = Faces(scheme=ibug68, ids=("dots",), images=images, points=points)
    box = geometry.box_to_frame(np.array([40.0, 20, 110, 90]), (64, 64))
    turn = geometry.similarity((75.0, 55.0), np.array(20.0), np.array(1.0), np.zeros(2))
    canvas = crop_through(face, geometry.compose(geometry.invert(box), turn)[None], RECIPE)
    for point in canvas.points[0, :2]:
        x, y = np.rint(point).astype(int)
        around = canvas.images[0, 0, y - 2 : y + 3, x - 2 : x + 3].astype(float)
        rows, columns = np.mgrid[y - 2 : y + 3, x - 2 : x + 3]
        found = [(around * columns).sum() / around.sum(), (around * rows).sum() / around.sum()]
        np.testing.assert_allclose(found, point, atol=0.25)


def test_faces_that_were_seen_well_are_not_looked_at_again(faces, monkeypatch):
    straight = turned(faces, 0)
    level = replace(straight, points=straight.points)
    oracle = Oracle(level, RECIPE)
    oracle.watching(monkeypatch).predict(level)
    first = len(oracle.seen)
    rolled = turned(faces, 40)
    other = Oracle(rolled, RECIPE)
    other.watching(monkeypatch).predict(rolled)
    assert len(other.seen) == 2 and other.seen[1][0] == 6
    assert first == 1 or oracle.seen[1][0] < 6
    # The mirrored view is one look more, of all faces, beside what was said already.
    averaging = Oracle(level, RECIPE)
    replace(averaging.watching(monkeypatch), tta="flip").predict(level)
    assert len(averaging.seen) == first + 1 and averaging.seen[-1][0] == 6


def test_the_last_look_counts(faces, monkeypatch):
    """What is said at the first look is off; after the second the points are right."""
    oracle = Oracle(faces, RECIPE, off=20.0)
    found = oracle.watching(monkeypatch).predict(faces)
    np.testing.assert_allclose(found.points, faces.points, atol=1e-2)
    once = Oracle(faces, replace(RECIPE, refine_steps=1), off=20.0)
    assert np.abs(once.watching(monkeypatch).predict(faces).points - faces.points).min() > 19


@pytest.mark.parametrize(("average", "looks"), [("none", 1), ("flip", 2), ("flip+shift", 6)])
def test_averaging_shows_each_face_mirrored_and_moved_and_brings_all_points_back(
    average, looks, faces, monkeypatch
):
    recipe = replace(RECIPE, refine_steps=1)
    oracle = Oracle(faces, recipe)
    model = oracle.watching(monkeypatch)

    plain = predictor._said

    # What a network says of a mirrored picture comes in mirrored order.
    def mirrored(network, canvas, recipe):
        points, spread = plain(network, canvas, recipe)
        backwards = np.linalg.det(canvas.to_source[:, :, :2])[0] < 0
        return (points[:, ibug68.flip] if backwards else points), spread

    monkeypatch.setattr(predict, "_said", mirrored)
    found = replace(model, tta=average).predict(faces)
    assert len(oracle.seen) == looks
    np.testing.assert_allclose(found.points, faces.points, atol=1e-3)
    if looks > 1:
        width = recipe.input_size[0]
        straight, flipped = (
            oracle.seen[0][1].astype(float),
            oracle.seen[looks // 2][1].astype(float),
        )
        assert np.abs(flipped[..., ::-1] - straight).mean() < 1.0 and width == straight.shape[-1]
