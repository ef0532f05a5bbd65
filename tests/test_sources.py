"""Separate heads: a source's labels move to points of their own, and back to its faces."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import changed

from nasion.audit import networks
from nasion.data.annotators import SeparateHeads, add_heads, merge_heads, split_heads
from nasion.data.datasets import ibug68 as reader
from nasion.data.datasets import toy
from nasion.data.load import load_joint_train_val, load_train_val
from nasion.errors import SettingError
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.models.architectures.pyramid import Pyramid
from nasion.recipes.fkd_best import RECIPE
from nasion.training.prepare import prepare_faces
from nasion.training.train import train

pytestmark = pytest.mark.slow

FOUR = (SeparateHeads("four", ("nose_tip", "left_eye_center", "right_eye_center")),)
FOUR_HEADS = (SeparateHeads("four", ("left_eye_center", "right_eye_center", "nose_tip")),)


@pytest.fixture
def faces():
    """Ten faces, the last four of another source."""
    return replace(toy.draw(10, seed=3), groups={"source": ("one",) * 6 + ("four",) * 4})


def test_the_widened_scheme_has_the_sources_own_points_and_mirrors_them():
    wide = add_heads(fkd15, FOUR)
    assert (
        wide.points[15:] == ("left_eye_center@four", "right_eye_center@four", "nose_tip@four")
        and wide.points[:15] == fkd15.points
    )
    assert (
        wide.flip[15:].tolist() == [16, 15, 17] and wide.flip[:15].tolist() == fkd15.flip.tolist()
    )
    assert add_heads(fkd15, ()) is fkd15
    with pytest.raises(SettingError, match="has no point 'ear'"):
        add_heads(fkd15, (SeparateHeads("four", ("ear",)),))
    with pytest.raises(SettingError, match="separate_heads needs the name of a source"):
        SeparateHeads("")


def test_a_head_of_one_point_of_a_mirror_pair_is_refused_with_its_partner():
    """Mirrored, its left point would be learnt from right ones."""
    text = "'left_eye_center' without its mirror partner 'right_eye_center' .*fkd15.* both or nei"
    with pytest.raises(SettingError, match=text):
        add_heads(fkd15, (SeparateHeads("four", ("nose_tip", "left_eye_center")),))


def test_an_audit_gives_a_source_both_points_of_a_pair_of_which_it_labels_one(monkeypatch, faces):
    monkeypatch.setattr(networks, "_HEADS", 4)
    points = faces.points.copy()
    points[6:] = np.nan
    points[6:, fkd15.index(["nose_tip", "left_eye_center"])] = 5
    heads = networks._separate_heads(replace(faces, points=points))
    assert heads == FOUR_HEADS


def test_labels_of_a_source_move_to_its_own_points_and_all_others_stay(faces):
    wide = split_heads(faces, FOUR)
    shared = fkd15.index(["nose_tip", "left_eye_center"])
    own = wide.scheme.index(["nose_tip@four", "left_eye_center@four"])
    assert np.isnan(wide.points[6:][:, shared]).all() and np.isnan(wide.points[:6][:, own]).all()
    np.testing.assert_array_equal(wide.points[6:][:, own], faces.points[6:][:, shared])
    np.testing.assert_array_equal(wide.points[:6, :15], faces.points[:6])
    assert wide.labelled.sum() == faces.labelled.sum()


def test_merging_heads_undoes_splitting_them(faces):
    np.testing.assert_array_equal(
        merge_heads(split_heads(faces, FOUR).points, faces, FOUR), faces.points
    )
    # Without groups, as of one's own photographs, the shared points are meant.
    unknown = replace(faces, groups={})
    assert np.isnan(merge_heads(split_heads(faces, FOUR).points, unknown, FOUR)[6:]).any()


def test_a_network_learns_each_sources_own_habit(tmp_path):
    """One source marks the nose tip 8 pixels lower: apart, the network says it each way to whom it
    belongs.
    """
    pictures = toy.draw(220, seed=5)
    points = pictures.points.copy()
    points[::2, fkd15.index(["nose_tip"])] += [0, 8]
    noses = np.full_like(points, np.nan)
    noses[:, fkd15.index(["nose_tip", "left_eye_center"])] = points[
        :, fkd15.index(["nose_tip", "left_eye_center"])
    ]
    both = replace(pictures, points=noses, groups={"source": ("low", "high") * 110})
    small = ["epochs=6", "batch_size=16", "optim.lr=5e-3", "ema_decay=0.9"]
    recipe = changed(
        RECIPE,
        separate_heads=(SeparateHeads("low", ("nose_tip",)),),
        architecture=Pyramid(widths=(8, 16, 32, 32), blocks=(0, 0, 0, 0), neck=16),
    )
    assert len(prepare_faces(recipe, both).scheme) == 16
    done = train(recipe, (both[:180], both[180:]), run_folder=tmp_path / "run", changes=small)
    model = load_model(done.folder)
    nose = fkd15.index(["nose_tip"])[0]
    said = {}
    for source in ("low", "high"):
        asked = replace(both[180:], groups={"source": (source,) * 40})
        said[source] = model.predict(asked).points[:, nose, 1].mean()
    assert said["low"] - said["high"] == pytest.approx(8, abs=2.5)


def test_several_datasets_are_joined_and_each_is_split_as_it_is_alone(tmp_path):
    reader.write(
        replace(toy.draw(60, ibug68, seed=1), ids=tuple(f"a/{i}.png" for i in range(60))),
        tmp_path / "own",
    )
    train_faces, val_faces = load_joint_train_val(["toy:50:2", tmp_path / "own"], ibug68)
    for side, alone in ((train_faces, 0), (val_faces, 1)):
        assert set(side.groups["source"]) == {"toy", "ibug68"} and side.scheme is ibug68
        expected = {
            f"ibug68/{name}" for name in load_train_val("ibug68", tmp_path / "own")[alone].ids
        }
        assert {name for name in side.ids if name.startswith("ibug68/")} == expected


def test_training_faces_that_look_like_another_sets_validation_faces_are_left_out(tmp_path):
    """The same 60 images under other names, which are drawn to other sides."""
    faces = toy.draw(60, ibug68, seed=1)
    for name in ("first", "second"):
        reader.write(
            replace(faces, ids=tuple(f"{name}/{i}.png" for i in range(60))), tmp_path / name
        )
    train_faces, val_faces = load_joint_train_val([tmp_path / "first", tmp_path / "second"], ibug68)
    numbers = [{name.rpartition("/")[2] for name in side.ids} for side in (train_faces, val_faces)]
    alone = [load_train_val("ibug68", tmp_path / name) for name in ("first", "second")]
    assert not numbers[0] & numbers[1] and len(val_faces) == sum(len(val) for _, val in alone)
    assert 0 < len(train_faces) < sum(len(side) for side, _ in alone)


def test_two_folders_of_one_dataset_get_distinct_ids():
    train_faces, val_faces = load_joint_train_val(["toy:30:1", "toy:30:2"], ibug68)
    assert len(train_faces) + len(val_faces) == 60 and {
        name.partition("/")[0] for name in train_faces.ids
    } == {"toy", "toy-2"}
