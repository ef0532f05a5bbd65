"""Poses of heads and missing halves, on the mean face turned by known angles."""

from __future__ import annotations

import numpy as np
import pytest

from nasion.data.missing_boxes import estimate_boxes
from nasion.landmarks import geometry
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.half_faces import is_half, with_other_half
from nasion.landmarks.head_pose import fit_head_poses, rotation_about
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme_tables.cfp import cfp50


def turned(yaw, pitch=0.0, roll=0.0, *, scheme=ibug68, scale=80.0, shift=(150.0, 120.0)):
    """The mean face, first pitched, then turned about the vertical, then rolled."""
    about = [(-np.radians(pitch), 0, 0), (0, np.radians(yaw), 0), (0, 0, np.radians(roll))]
    x, y, z = (rotation_about(axis) for axis in about)
    shown = mean_face(scheme) @ (z @ y @ x).T
    return scale * shown[:, :2] + np.array(shift)


@pytest.mark.parametrize("yaw", [-90, -60, -20, 0, 35, 75, 90])
@pytest.mark.parametrize("roll", [-30, 0, 20])
def test_a_known_pose_is_found(yaw, roll):
    poses = fit_head_poses(turned(yaw, 0, roll)[None], ibug68)
    assert poses.residual[0] < 1e-6
    assert poses.scale[0] == pytest.approx(80)
    assert poses.shift[0] == pytest.approx([150, 120])
    expected = rotation_about((0, 0, np.radians(roll))) @ rotation_about((0, np.radians(yaw), 0))
    assert poses.rotation[0] == pytest.approx(expected, abs=1e-6)


def test_angles_have_the_stated_signs():
    left, down, clockwise = (
        fit_head_poses(turned(*angles)[None], ibug68)
        for angles in ((40, 0, 0), (0, 25, 0), (0, 0, 15))
    )
    assert [left.yaw[0], left.pitch[0], left.roll[0]] == pytest.approx([40, 0, 0], abs=1e-4)
    assert [down.yaw[0], down.pitch[0], down.roll[0]] == pytest.approx([0, 25, 0], abs=1e-4)
    assert [clockwise.yaw[0], clockwise.roll[0]] == pytest.approx([0, 15], abs=1e-4)
    # A head turned to its left has its nose on the image's right, one that looks down lower.
    nose, eyes = ibug68.index(["nose_tip"])[0], ibug68.index(["nasion"])[0]
    assert turned(40)[nose, 0] > turned(40)[eyes, 0] + 10
    level = turned(0)[nose, 1] - turned(0)[eyes, 1]
    assert turned(0, 25)[nose, 1] - turned(0, 25)[eyes, 1] > level


def test_too_few_points_give_no_pose():
    points = np.full((2, 68, 2), np.nan)
    points[0, :7] = turned(0)[:7]
    poses = fit_head_poses(points, ibug68)
    assert np.isnan(poses.scale).all() and np.isnan(poses.residual).all()
    assert np.isnan(poses.rotation).all()
    assert fit_head_poses(np.zeros((0, 68, 2)), ibug68).scale.shape == (0,)


def half_of(points, scheme, side):
    """The points without those of the other side."""
    other = {"left": "right", "right": "left"}[side]
    hidden = [other in name.split("_") for name in scheme.points]
    kept = points.copy()
    kept[hidden] = np.nan
    return kept


@pytest.mark.parametrize("scheme", [ibug68, cfp50])
@pytest.mark.parametrize(("side", "yaw"), [("right", 75), ("left", -75), ("right", 10)])
def test_the_other_half_follows_from_symmetry(scheme, side, yaw):
    whole = turned(yaw, scheme=scheme)
    half = half_of(whole, scheme, side)
    assert is_half(half[None], scheme)[0] and not is_half(whole[None], scheme)[0]
    found, turn = with_other_half(half[None], scheme)
    assert found[0] == pytest.approx(whole, abs=1e-3)
    assert turn[0] == pytest.approx(yaw, abs=1e-3)
    box = estimate_boxes(half[None], scheme)[0]
    assert box == pytest.approx(geometry.points_box(whole), abs=1e-3)


def test_a_deviation_of_the_labelled_half_is_carried_over():
    whole = turned(80)
    half = half_of(whole, ibug68, "right")
    brow = ibug68.index(["right_eyebrow_middle", "left_eyebrow_middle"])
    half[brow[0], 1] -= 6
    found, _ = with_other_half(half[None], ibug68)
    raised = found[0, brow[1], 1] - whole[brow[1], 1]
    assert -7 < raised < -4


def test_faces_with_few_points_are_no_half_faces():
    one_eye = np.full((1, 15, 2), np.nan)
    one_eye[0, :3] = [[1, 1], [4, 1], [2, 3]]
    assert not is_half(one_eye, fkd15).any()
