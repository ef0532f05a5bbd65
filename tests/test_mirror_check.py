"""Mirror pairs are compared with the faces before a recipe flips them."""

from dataclasses import replace

import numpy as np
import pytest

import nasion
from nasion.data.datasets import toy
from nasion.data.mirror_check import check_mirror
from nasion.errors import SettingError
from nasion.landmarks.catalog import fkd15, ibug68, imm58, mtfl5
from nasion.landmarks.face_model import Expression, points_of, rotate_head
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


def half_to_each_side(scheme):
    """30 heads turned by 40 degrees to each side, none of them frontal."""
    faces = toy.draw(60, scheme, seed=3, size=32)
    head = points_of(scheme.points, Expression())
    rng = np.random.default_rng(0)
    yaws = [(40 if i % 2 else -40) + rng.normal(0, 5) for i in range(60)]
    points = np.stack([rotate_head(head, yaw, 0, 0)[:, :2] for yaw in yaws])
    return replace(faces, points=(40 * points + 50).astype(np.float32), occluded=None)


def test_heads_turned_to_both_sides_are_no_wrong_pairs():
    """As MTFL's: the median nose may lie anywhere, but not on one side in all faces."""
    faces = half_to_each_side(mtfl5)
    check_mirror(faces)
    check_mirror(faces[1:])
    # Wrong pairs are found in these heads as well.
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
