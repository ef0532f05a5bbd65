"""Occluded points are kept by every conversion, and their errors are reported apart."""

from dataclasses import replace

import numpy as np
import pytest

import nasion
from nasion.data.annotators import SeparateHeads, split_heads
from nasion.data.datasets import toy
from nasion.evaluation.report import RunDetails, page
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.faces import Faces, Predictions, join
from nasion.landmarks.scheme import Scheme

PAIR = Scheme(name="three", points=("a", "b", "c"), mirror=(), norm=(("a",), ("b",)))


def two_faces():
    """Eyes a and b ten pixels apart; c is occluded in the first face, a in the second."""
    points = np.array([[[0, 0], [10, 0], [5, 5]], [[0, 0], [10, 0], [5, 5]]], np.float32)
    occluded = np.array([[False, False, True], [True, False, False]])
    images = np.zeros((2, 20, 20), np.uint8)
    return Faces(scheme=PAIR, ids=("x", "y"), images=images, points=points, occluded=occluded)


def test_errors_of_visible_and_of_occluded_points_worked_out_by_hand():
    faces = two_faces()
    # a is off by 1 pixel, c by 4: visible a of x (1), b (0), b (0), c of y (4); occluded 4 and 1.
    moved = faces.points + np.array([[1, 0], [0, 0], [0, 4]], np.float32)
    predicted = Predictions(scheme=PAIR, ids=faces.ids, points=moved)
    result = nasion.evaluate(predicted, faces)
    parts = result.groups["points"]
    assert list(parts) == ["visible (4)", "occluded (2)"]
    # NME: x visible (1 + 0) / 2 / 10, y (0 + 4) / 2 / 10; occluded 4 / 10 and 1 / 10.
    assert parts["visible (4)"].nme == pytest.approx((0.05 + 0.2) / 2)
    assert parts["occluded (2)"].nme == pytest.approx((0.4 + 0.1) / 2)
    assert parts["occluded (2)"].coordinates == 4
    assert result.overall.nme == pytest.approx((5 / 30 + 5 / 30) / 2)
    assert result.to_json()["groups"]["points"]["occluded (2)"]["nme"] == pytest.approx(25.0)


def test_scores_are_judged_apart_too():
    faces = two_faces()
    shape = faces.points.shape[:2]
    scores = np.where(faces.occluded, 0.6, 0.9).astype(np.float32)
    expected = np.ones(shape, np.float32)
    predicted = Predictions(
        scheme=PAIR, ids=faces.ids, points=faces.points, scores=scores, expected=expected
    )
    result = nasion.evaluate(predicted, faces)
    # All points are exact, so a score of 0.6 is 0.4 too low.
    gaps = {name: known.gap for name, known in result.reliability_by_occlusion.items()}
    assert gaps == {"visible": pytest.approx(0.1), "occluded": pytest.approx(0.4)}
    assert set(result.to_json()["reliability_by_occlusion"]) == {"visible", "occluded"}
    pytest.importorskip("matplotlib")
    text = page(result, title="t", run=RunDetails())
    assert "Of occluded points, scores are off by 40.0 %" in text and "occluded (2)" in text


def test_without_occluded_labels_nothing_is_apart():
    faces = replace(two_faces(), occluded=np.zeros((2, 3), bool))
    predicted = Predictions(scheme=PAIR, ids=faces.ids, points=faces.points)
    result = nasion.evaluate(predicted, faces)
    assert "points" not in result.groups and not result.reliability_by_occlusion


def test_conversions_keep_what_is_occluded():
    faces = toy.draw(6, ibug68, seed=1)
    occluded = np.zeros((6, 68), bool)
    occluded[2, 30] = occluded[4, 36] = True
    faces = replace(faces, occluded=occluded, groups={"source": tuple("aabbaa")})
    own = Scheme(name="o", points=("tip",), mirror=(), aliases=(("tip", "nose_tip"),))
    assert faces.to(own).occluded.tolist() == [[i == 2] for i in range(6)]
    back = faces.to(own).to(ibug68).occluded
    assert np.argwhere(back).tolist() == [[2, 30]]
    assert np.argwhere(join(faces[:3], replace(faces[3:], occluded=None)).occluded).tolist() == [
        [2, 30]
    ]
    wide = split_heads(faces, [SeparateHeads("b", ("nose_tip",))])
    assert np.argwhere(wide.occluded).tolist() == [[2, 68], [4, 36]]
    assert faces.to(fkd15).occluded[2, fkd15.points.index("nose_tip")]
