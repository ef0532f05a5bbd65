"""Openness of eyes and mouth, asymmetry: on faces drawn with known openness, under any pose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nasion
from nasion.landmarks.catalog import cofw29, fkd15, ibug68, wflw98
from nasion.landmarks.eyes_and_mouth import EYE_WIDTH, MOUTH_WIDTH, measure_eyes_and_mouth
from nasion.landmarks.face_model import Expression, points_of
from nasion.landmarks.head_pose import fit_weighted, rotation_of
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme_tables.fgnet import fgnet68
from nasion.landmarks.scheme_tables.lapa import lapa106

MEASURES = ("left_eye", "right_eye", "mouth", "eye_asymmetry", "brow_asymmetry", "mouth_asymmetry")


def measured(points, scheme=ibug68, hidden=None):
    """Of points (N, K, 2)."""
    poses = fit_weighted(points, scheme, hidden=hidden)
    return measure_eyes_and_mouth(points, scheme, poses, hidden)


def seen(places, yaw=0.0, pitch=0.0, roll=0.0, scale=80.0):
    """Places (K, 3) as a camera sees them, (1, K, 2)."""
    return scale * (places @ rotation_of(yaw, pitch, roll).T)[None, :, :2] + [90.0, -40.0]


def lopsided():
    """The mean face with its mouth open, the left eye half closed, left brow and corner raised."""
    places = mean_face(ibug68).copy()
    for names, dy in (
        (("left_eye_upper_outer_third", "left_eye_upper_inner_third"), 0.04),
        (("inner_lip_lower_center", "inner_lip_lower_left", "inner_lip_lower_right"), 0.15),
        (("mouth_left_corner",), -0.05),
        ([name for name in ibug68.points if name.startswith("left_eyebrow")], -0.06),
    ):
        places[ibug68.index(names), 1] += dy
    return places


@settings(max_examples=50, deadline=None)
@given(st.floats(-65, 65), st.floats(-35, 35), st.floats(-180, 180), st.floats(20, 900))
def test_measures_do_not_change_with_the_pose_or_the_size(yaw, pitch, roll, scale):
    upright = measured(seen(lopsided()))[0]
    turned = measured(seen(lopsided(), yaw, pitch, roll, scale))[0]
    # The fitted pose differs a little, since this is not quite the mean face.
    for name, tolerance in zip(MEASURES, (0.06, 0.06, 0.03, 0.09, 0.06, 0.06), strict=True):
        found, expected = getattr(turned, name), getattr(upright, name)
        assert found == pytest.approx(expected, abs=tolerance), name


def test_measures_are_those_of_the_face():
    """By hand, from the places of the mean face, with its pose known."""
    points, mean = seen(lopsided()), seen(mean_face(ibug68))
    poses = fit_weighted(mean, ibug68)
    found, plain = (measure_eyes_and_mouth(each, ibug68, poses)[0] for each in (points, mean))
    # Gaps of 0.088 and 0.087 at the thirds of the lids, where an arch has 0.83 of its height.
    assert plain.right_eye == pytest.approx(0.0875 / 0.83 / EYE_WIDTH, rel=0.01)
    assert plain.left_eye == pytest.approx(plain.right_eye, abs=1e-6)
    assert plain.mouth == pytest.approx(0.067 / MOUTH_WIDTH, rel=0.05)
    for name in MEASURES[3:]:
        assert getattr(plain, name) == pytest.approx(0, abs=1e-6), name
    assert found.left_eye == pytest.approx((0.0875 - 0.04) / 0.83 / EYE_WIDTH, rel=0.02)
    assert found.eye_asymmetry == pytest.approx(-0.04 / 0.83 / EYE_WIDTH, rel=0.01)
    assert found.mouth == pytest.approx(0.15 / 0.93 / MOUTH_WIDTH + plain.mouth, rel=0.05)
    assert found.brow_asymmetry == pytest.approx(0.06, rel=0.01)
    assert found.mouth_asymmetry == pytest.approx(0.05, rel=0.01)
    assert found.eyes == pytest.approx((found.left_eye + found.right_eye) / 2)


@pytest.mark.parametrize("scheme", [ibug68, wflw98, cofw29, lapa106, fgnet68])
@pytest.mark.parametrize("angles", [(0, 0, 0), (35, 0, 0), (-20, 15, 20)])
def test_every_scheme_measures_how_far_drawn_eyes_and_mouths_are_open(scheme, angles):
    for eyes, mouth in ((0.0, 0.0), (0.4, 0.5), (0.9, 1.0)):
        face = Expression(eyes=eyes, mouth=mouth)
        found = measured(seen(points_of(scheme.points, face), *angles), scheme)[0]
        lids, lips = 0.03 + 0.115 * eyes, 0.03 + 0.22 * mouth
        for eye in (found.left_eye, found.right_eye):
            assert eye == pytest.approx(lids / EYE_WIDTH, abs=0.05), (eyes, mouth)
        assert found.mouth == pytest.approx(lips / MOUTH_WIDTH, abs=0.05), (eyes, mouth)


@pytest.mark.parametrize("yaw", [-80, -50, 50, 80])
def test_the_near_eye_of_a_turned_head_is_measured_and_the_far_one_is_not(yaw):
    far, near = ("left", "right") if yaw > 0 else ("right", "left")
    points = seen(mean_face(ibug68), yaw)
    hidden = np.array([far in name.split("_") for name in ibug68.points])[None]
    found = measured(points, hidden=hidden)[0]
    upright = measured(seen(mean_face(ibug68)))[0]
    assert getattr(found, f"{near}_eye") == pytest.approx(upright.left_eye, abs=0.02)
    assert found.eyes == pytest.approx(upright.left_eye, abs=0.02)
    for name in (f"{far}_eye", "eye_asymmetry", "brow_asymmetry", "mouth_asymmetry"):
        assert np.isnan(getattr(found, name)), name


def test_missing_points_give_nan_and_lids_that_cross_are_closed():
    points = seen(mean_face(ibug68))
    lids = ibug68.index(["left_eye_upper_outer_third", "left_eye_upper_inner_third"])
    points[0, lids, 1] += 30
    assert measured(points)[0].left_eye == 0
    points[0, lids] = np.nan
    points[0, ibug68.index([name for name in ibug68.points if "inner_lip" in name])] = np.nan
    found = measured(points)[0]
    assert np.isnan([found.left_eye, found.mouth, found.eye_asymmetry]).all()
    assert found.right_eye > 0.3 and found.eyes == found.right_eye
    assert np.isnan(measured(points[:, :15], fkd15)[0].right_eye)
    nothing = measured(np.full((2, 68, 2), np.nan))
    assert all(np.isnan(getattr(nothing, name)).all() for name in MEASURES)
    assert np.isnan(nothing.eyes).all() and nothing.eyes.shape == (2,)


def test_a_face_and_predictions_give_the_same_measures():
    points = np.concatenate([seen(lopsided(), yaw) for yaw in (0, 30)]).astype(np.float32)
    visible = np.ones((2, 68), np.float32)
    visible[1, ibug68.index(["right_eye_upper_outer_third", "right_eye_upper_inner_third"])] = 0.1
    named = {"scheme": ibug68, "points": points, "visible": visible}
    together = nasion.measure_faces(nasion.Predictions(ids=("a", "b"), **named))
    assert len(together) == 2
    for i in range(2):
        box = np.array([0, 0, 9, 9], np.float32)
        face = nasion.Face(ibug68, points[i], box, 1.0, visible=visible[i])
        assert face.measures().mouth == pytest.approx(together.mouth[i])
        assert isinstance(face.measures().mouth, float)
    assert np.isnan(together.right_eye[1]) and together[1].left_eye > 0.1
