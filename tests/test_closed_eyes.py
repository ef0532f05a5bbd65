"""Faces with closed eyes, made for training: only the eyes change, and their upper lids' points."""

from pathlib import Path

import numpy as np
import pytest

import nasion
from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
UPPER_LIDS = [37, 38, 43, 44]


@pytest.fixture
def closed_eyes(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import closed_eyes

    return closed_eyes


@pytest.fixture(scope="module")
def face():
    faces = toy.draw(8, ibug68, seed=2, size=160)
    widest = int(nasion.measure_faces(faces).eyes.argmax())
    return faces.images[widest], faces.points[widest]


def openness(points):
    scheme = ibug68
    faces = nasion.Faces(
        scheme=scheme, ids=("a",), images=[np.zeros((9, 9), np.uint8)], points=points[None]
    )
    return float(nasion.measure_faces(faces).eyes[0])


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_lids_come_together_and_nothing_else_moves(closed_eyes, face, part):
    image, points = face
    made, moved = closed_eyes.close_eyes(image, points, part)
    others = np.setdiff1d(np.arange(68), UPPER_LIDS)
    np.testing.assert_array_equal(moved[others], points[others])
    assert openness(moved) == pytest.approx((1 - 0.97 * part) * openness(points), abs=0.03)
    # Far below the eyes nothing changes.
    below = int(points[[40, 41, 46, 47], 1].max() + 0.5 * (points[39, 0] - points[36, 0]))
    np.testing.assert_array_equal(made[below:], image[below:])
    if part == 0:
        np.testing.assert_array_equal(made, image)
    else:
        lid = points[[40, 41]].mean(0).round().astype(int)
        assert made[lid[1], lid[0]] != image[lid[1], lid[0]] or part < 1


def test_the_eye_is_covered_by_the_skin_above_it(closed_eyes, face):
    image, points = face
    skin = image.astype(float)
    eye = closed_eyes.Eye.of(points[36:42].astype(float))
    # A ramp from top to bottom: what covers the eye is what was above its lid.
    ramp = np.repeat(np.arange(len(skin), dtype=float)[:, None], skin.shape[1], 1)
    covered = closed_eyes.closed(ramp, eye, 1.0)
    x, y = points[[37, 38, 40, 41]].mean(0).round().astype(int)
    assert covered[y, x] < points[[37, 38], 1].mean() + 1
    assert ramp[y, x] == y


def test_an_eye_with_a_missing_point_stays(closed_eyes, face):
    image, points = face
    missing = points.copy()
    missing[38] = np.nan
    made, moved = closed_eyes.close_eyes(image, missing, 1.0)
    np.testing.assert_array_equal(moved[36:42], missing[36:42])
    assert (moved[43, 1] > points[43, 1]) and (made != image).any()
