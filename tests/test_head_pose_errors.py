"""Standard errors of head poses, weights, and poses of faces that the package knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nasion
from nasion.data.datasets import toy
from nasion.landmarks import head_pose
from nasion.landmarks.catalog import cofw29, fkd15, ibug68, wflw98
from nasion.landmarks.face_model import Expression, points_of, rotate_head
from nasion.landmarks.head_pose import fit_weighted, rotation_about, rotation_of
from nasion.landmarks.mean_face import mean_face, spread_of_places
from nasion.landmarks.scheme_tables.cfp import cfp50

DRAWS = 400


def shown(rotations, scheme=ibug68, scale=100.0):
    """The mean face under these rotations (N, 3, 3), in pixels."""
    return scale * np.einsum("nij,kj->nki", rotations[:, :2], mean_face(scheme)) + [150.0, 120.0]


def angles_of(poses):
    return np.stack([poses.yaw, poses.pitch, poses.roll], axis=1)


def random_angles(rng, count, largest=(75, 35, 40)):
    return rng.uniform(-1, 1, (count, 3)) * largest


@settings(max_examples=60, deadline=None)
@given(st.floats(-90, 90), st.floats(-60, 60), st.floats(-179, 179), st.floats(5, 2000))
def test_any_pose_is_found_at_any_size(yaw, pitch, roll, scale):
    points = shown(rotation_of(yaw, pitch, roll)[None], scale=scale)
    poses = fit_weighted(points, ibug68)
    assert poses.rotation[0] == pytest.approx(rotation_of(yaw, pitch, roll), abs=1e-4)
    assert angles_of(poses)[0] == pytest.approx([yaw, pitch, roll], abs=0.02)
    assert poses.scale[0] == pytest.approx(scale, rel=1e-4)
    # Only the depth of the head is unsure.
    of_depth = np.degrees(0.05 * np.abs(np.sin(2 * np.radians([yaw, pitch, 0]))))
    assert poses.standard_error[0] == pytest.approx(of_depth, abs=0.01)


def test_rotations_are_in_the_stated_order():
    """Rolled about its own axis, then pitched, then turned: the face's direction has no roll."""
    yaw, pitch, roll = (rotation_of(*row) for row in np.diag([30.0, 20.0, 50.0]))
    assert rotation_of(30.0, 20.0, 50.0) == pytest.approx(yaw @ pitch @ roll)
    down, forward = np.sin(np.radians(20)), np.cos(np.radians(20))
    direction = [forward * np.sin(np.radians(30)), down, forward * np.cos(np.radians(30))]
    for tilt in (-80.0, 0.0, 50.0):
        assert rotation_of(30.0, 20.0, tilt)[:, 2] == pytest.approx(direction)


@pytest.mark.parametrize("scheme", [ibug68, wflw98, cofw29, fkd15, cfp50])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_errors_are_as_large_as_their_standard_errors_say(scheme, missing, monkeypatch):
    """Independent noise: 95 % of errors lie within 1.96 standard errors for such noise."""
    monkeypatch.setattr(head_pose, "CORRELATION", 1.0)
    monkeypatch.setattr(head_pose, "DEPTH_SPREAD", 0.0)
    rng = np.random.default_rng(3)
    angles = random_angles(rng, DRAWS)
    points = shown(rotation_of(*angles.T), scheme)
    noise = 100 * spread_of_places(scheme)[:, None] * rng.normal(size=points.shape)
    points = points + 0.7 * noise
    known = np.flatnonzero(~np.isnan(mean_face(scheme)[:, 0]))
    for face in points:
        face[rng.permutation(known)[: int(missing * (len(known) - 10))]] = np.nan
    poses = fit_weighted(points, scheme)
    ratio = (angles_of(poses) - angles) / poses.standard_error
    within = (np.abs(ratio) < 1.96).mean(axis=0)
    assert ((within > 0.91) & (within < 0.985)).all(), within


def test_errors_of_real_deviations_are_as_large_as_the_standard_errors_say():
    """Heads of other depths, of which each part as a whole lies elsewhere than on the mean face."""
    rng = np.random.default_rng(4)
    angles = random_angles(rng, DRAWS)
    parts = [
        [part in name for name in ibug68.points]
        for part in ("jaw_right", "jaw_left", "brow", "right_eye_", "left_eye_", "nose", "lip")
    ]
    depth = np.ones((DRAWS, 3, 3)) * np.eye(3)
    depth[:, 2, 2] += 0.1 * rng.normal(size=DRAWS)
    points = shown(rotation_of(*angles.T) @ depth)
    for part in np.array(parts):
        points[:, part] += 3 * rng.normal(size=(DRAWS, 1, 2))
    points += 1.5 * rng.normal(size=points.shape)
    poses = fit_weighted(points, ibug68)
    within = np.abs(angles_of(poses) - angles) < 1.96 * poses.standard_error
    found = within.mean(axis=0)
    assert ((found > 0.9) & (found < 1)).all(), found


@pytest.mark.parametrize("scheme", [ibug68, wflw98, cofw29, fkd15])
def test_toy_faces_have_the_pose_that_they_were_drawn_in(scheme):
    """Of another three-dimensional face, with expressions. Its bridge of the nose is flatter, so
    that it seems to be turned less to schemes that label the bridge.
    """
    rng = np.random.default_rng(5)
    angles = random_angles(rng, 150, (45, 20, 20))
    truth, points = [], []
    for yaw, pitch, roll in angles:
        face = Expression(
            eyes=rng.uniform(0.35, 1), mouth=rng.uniform(0, 1), smile=rng.uniform(-0.6, 1)
        )
        corners = rotate_head(np.concatenate([np.eye(3), np.zeros((1, 3))]), yaw, pitch, roll)
        truth.append((corners[:3] - corners[3]).T)
        points.append(90 * rotate_head(points_of(scheme.points, face), yaw, pitch, roll)[:, :2])
    poses = fit_weighted(np.array(points), scheme)
    off = np.degrees(
        np.arccos(np.clip((np.einsum("nij,nij->n", poses.rotation, truth) - 1) / 2, -1, 1))
    )
    assert np.median(off) < (11 if "nasion" in scheme else 6) and off.max() < 20
    # The whole rotation may be off by what the three angles may be off together.
    allowed = 1.96 * np.linalg.norm(poses.standard_error, axis=1)
    assert (off < allowed).mean() > (0.6 if "nasion" in scheme else 0.9)


def face_of(points, **columns):
    box = np.array([0, 0, 300, 300], np.float32)
    columns = {name: np.asarray(values, np.float32) for name, values in columns.items()}
    return nasion.Face(ibug68, points.astype(np.float32), box, 0.9, **columns)


def test_wrong_points_that_are_unsure_or_hidden_do_not_turn_the_head():
    points = shown(rotation_of(20.0, 5.0, -10.0)[None])[0]
    jaw = np.arange(68) < 17
    wrong = points + np.where(jaw[:, None], [25.0, 10.0], 0)
    plain = face_of(wrong).pose()
    assert abs(plain.yaw - 20) > 2
    for columns in (
        {"scores": np.where(jaw, 0.01, 0.99)},
        {"expected": np.where(jaw, 60, 0.5)},
        {"visible": np.where(jaw, 0.1, 0.9)},
    ):
        pose = face_of(wrong, **columns).pose()
        assert abs(pose.yaw - 20) < 0.3 * abs(plain.yaw - 20), columns.keys()
    assert pose.yaw == pytest.approx(20, abs=0.01) and pose.roll == pytest.approx(-10, abs=0.01)


def test_faces_predictions_and_labels_give_one_pose():
    angles = np.array([[10.0, 5, 0], [-60, 0, 20], [0, 0, 0]])
    points = shown(rotation_of(*angles.T)).astype(np.float32)
    points[2, 7:] = np.nan
    scores = np.full((3, 68), 0.9, np.float32)
    named = {"scheme": ibug68, "ids": ("a", "b", "c"), "points": points}
    predictions = nasion.Predictions(**named, scores=scores)
    labels = nasion.Faces(**named, images=np.zeros((3, 8, 8), np.uint8))
    faces = [face_of(each, scores=scores[0]) for each in points]
    for given_faces in (predictions, labels, faces):
        poses = nasion.head_poses(given_faces)
        assert len(poses) == 3
        assert angles_of(poses)[:2] == pytest.approx(angles[:2], abs=0.01)
        assert np.isnan(poses.yaw[2]) and np.isnan(poses[2].standard_error).all()
    assert faces[1].pose().yaw == pytest.approx(-60, abs=0.01)
    assert isinstance(faces[1].pose().pitch, float)


def test_faces_of_two_schemes_are_refused():
    points = shown(rotation_of(0.0, 0.0, 0.0)[None])[0]
    other = nasion.Face(fkd15, points[:15].astype(np.float32), np.zeros(4, np.float32), 1.0)
    with pytest.raises(nasion.SettingError, match="ibug68 and fkd15"):
        nasion.head_poses([face_of(points), other])
    with pytest.raises(nasion.SettingError, match="No faces"):
        nasion.head_poses([])


def test_points_at_one_place_or_on_a_line_have_no_pose_or_a_large_error():
    points = np.zeros((2, 68, 2))
    points[1, :, 0] = np.linspace(0, 100, 68)
    poses = fit_weighted(points, ibug68)
    assert np.isnan(poses.yaw[0])
    assert np.isnan(poses.yaw[1]) or poses.standard_error[1].max() > 10


def test_a_batch_gives_the_poses_of_single_faces():
    points = toy.draw(12, ibug68, seed=2).points
    together = fit_weighted(points, ibug68)
    for i in range(12):
        alone = fit_weighted(points[i : i + 1], ibug68)
        assert angles_of(alone)[0] == pytest.approx(angles_of(together)[i], abs=1e-4)


def test_small_rotations_are_exact():
    axis = np.array([1e-9, 0, 0])
    assert rotation_about(axis)[2, 1] == pytest.approx(1e-9, rel=1e-6)
    assert rotation_about(np.zeros((4, 3))) == pytest.approx(np.broadcast_to(np.eye(3), (4, 3, 3)))
