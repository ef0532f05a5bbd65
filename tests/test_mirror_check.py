"""Mirror pairs are compared with the faces before a recipe flips them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import nasion
from nasion.data.datasets import toy
from nasion.data.mirror_check import check_mirror, mirror_faults, propose_mirror
from nasion.data.mirror_proposal import assignment, mirror_partners
from nasion.errors import SettingError
from nasion.landmarks.catalog import fkd15, ibug68, imm58, mtfl5, wflw98
from nasion.landmarks.face_model import Expression, points_of
from nasion.recipes.toy_demo import RECIPE


@pytest.mark.parametrize("scheme", [fkd15, imm58, ibug68])
def test_pairs_of_the_catalog_mirror(scheme):
    check_mirror(toy.draw(40, scheme, seed=1))


def test_heads_turned_to_one_side_are_no_wrong_pairs():
    faces = toy.draw(60, ibug68, seed=2)
    # Yaw by which the nose tip is right of the middle between the eyes.
    eyes = faces.points[:, 36:48, 0].mean(1)
    turned = faces[np.flatnonzero(faces.points[:, 30, 0] > eyes + 2)]
    assert len(turned) >= 10
    check_mirror(turned)


def test_heads_turned_to_both_sides_are_no_wrong_pairs():
    """As MTFL's, of which none is frontal: the median nose lies on the side of a few more heads."""
    count, one_side = 200, 115
    points = np.tile(points_of(mtfl5.points, Expression())[:, :2], (count, 1, 1))
    # The nose lies 0.08 beside the middle, of a face 0.8 high: a fifth apart from its mirror image.
    points[:one_side, 2, 0], points[one_side:, 2, 0] = 0.08, -0.08
    faces = toy.draw(count, mtfl5, seed=3, size=32)
    faces = replace(faces, points=(40 * points + 50).astype(np.float32))
    check_mirror(faces)
    # In all faces on the same side: as with a wrong pair.
    with pytest.raises(SettingError, match=r"mirror pairs that do not mirror.*mtfl_nose_tip"):
        check_mirror(faces[:one_side])
    with pytest.raises(SettingError, match=r"has no mirror pairs.*right_eye_center"):
        check_mirror(replace(faces, scheme=replace(mtfl5, mirror=())))


def test_missing_and_wrong_pairs_are_refused_by_name():
    faces = toy.draw(40, fkd15, seed=1)
    none = replace(fkd15, mirror=())
    with pytest.raises(SettingError, match=r"has no mirror pairs.*left_eye_center"):
        check_mirror(replace(faces, scheme=none))
    crossed = (("left_eye_center", "mouth_left_corner"), ("right_eye_center", "mouth_right_corner"))
    names = {name for pair in crossed for name in pair}
    pairs = (*crossed, *(pair for pair in fkd15.mirror if not names & set(pair)))
    with pytest.raises(SettingError, match="mirror pairs that do not mirror"):
        check_mirror(replace(faces, scheme=replace(fkd15, mirror=pairs)))


def test_few_faces_and_half_labelled_ones_are_not_checked():
    none = replace(fkd15, mirror=())
    check_mirror(replace(toy.draw(9, fkd15), scheme=none))
    faces = toy.draw(20, fkd15)
    points = faces.points.copy()
    points[:, 4:] = np.nan
    check_mirror(replace(faces, points=points))


def test_training_with_flips_checks_the_pairs(tmp_path):
    faces = replace(toy.draw(30, fkd15), scheme=replace(fkd15, mirror=()))
    recipe = replace(RECIPE, spec=replace(RECIPE.spec, scheme=faces.scheme), epochs=1)
    assert recipe.augment.flip > 0
    with pytest.raises(SettingError, match="has no mirror pairs"):
        nasion.train(recipe, faces, run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_wrong_label_among_few_faces_is_not_taken_for_wrong_pairs(toy_faces):
    few = toy_faces[:12]
    points = few.points.copy()
    points[3, few.scheme.points.index("nose_tip")] = (5000, -4000)
    check_mirror(replace(few, points=points))


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_the_assignment_is_the_cheapest_of_all(count):
    cost = np.random.default_rng(count).random((count, count))
    found = assignment(cost)
    assert sorted(found.tolist()) == list(range(count))
    every = itertools.permutations(range(count))
    cheapest = min(sum(cost[i, j] for i, j in enumerate(order)) for order in every)
    assert cost[np.arange(count), found].sum() == pytest.approx(cheapest)


@pytest.mark.parametrize("turned", [0, 20])
def test_partners_are_found_on_a_shape_whatever_its_axis(turned):
    """Two eyes, a nose and a mouth, worked out on paper; turned by degrees in the image."""
    shape = np.array([[-3, 0], [3, 0.1], [0, 4], [-2, 7], [2, 7], [np.nan, np.nan]], float)
    angle = np.deg2rad(turned)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    partner, distance = mirror_partners(shape @ turn, np.arange(6))
    assert partner.tolist() == [1, 0, 2, 4, 3, 5]
    assert distance[2, 2] < 0.1 and distance[0, 3] > 5 and np.isnan(distance[5]).all()


@pytest.mark.parametrize("scheme", [fkd15, imm58, ibug68, wflw98])
def test_pairs_are_proposed_from_labels_alone(scheme):
    faces = toy.draw(60, scheme, seed=2)
    found = propose_mirror(replace(faces, scheme=replace(scheme, mirror=())))
    assert found is not None
    assert set(found) == set(scheme.mirror)  # left first, as in the catalog


def test_pairs_are_not_proposed_where_labels_cannot_tell():
    assert propose_mirror(toy.draw(9, fkd15)) is None
    assert mirror_faults(toy.draw(9, fkd15)) == []


def test_neighbours_that_are_paired_crosswise_are_told_with_their_right_partners():
    faces = toy.draw(60, ibug68, seed=2)
    crossed = {"jaw_left_1": "jaw_right_2", "jaw_left_2": "jaw_right_1"}
    pairs = tuple((a, crossed.get(a, b)) for a, b in ibug68.mirror)
    wrong = replace(faces, scheme=replace(ibug68, mirror=pairs))
    told = {fault.point: (fault.partner, fault.better) for fault in mirror_faults(wrong)}
    assert told == {
        "jaw_left_1": ("jaw_right_2", "jaw_right_1"),
        "jaw_left_2": ("jaw_right_1", "jaw_right_2"),
        "jaw_right_1": ("jaw_left_2", "jaw_left_1"),
        "jaw_right_2": ("jaw_left_1", "jaw_left_2"),
    }
    assert mirror_faults(faces) == []


def test_a_missing_pair_is_told_with_its_partner():
    faces = toy.draw(40, fkd15, seed=1)
    pairs = tuple(pair for pair in fkd15.mirror if "eye_center" not in pair[0])
    right = r"left_eye_center \(is paired with itself; its mirror image falls on right_eye_center\)"
    with pytest.raises(SettingError, match=right):
        check_mirror(replace(faces, scheme=replace(fkd15, mirror=pairs)))
