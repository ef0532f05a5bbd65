"""Schemes of one's own: aliases, names that mirror, and what data say about their points."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nasion.data.datasets import coco, toy
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import ibug68, union
from nasion.landmarks.faces import Predictions
from nasion.landmarks.scheme import Scheme

OWN = Scheme(
    name="own3",
    points=("eyeR", "eyeL", "tip"),
    mirror=(("eyeL", "eyeR"),),
    edges=(("eyeR", "tip"),),
    norm=(("eyeR",), ("eyeL",)),
    parts=(("eyes", ("eyeR", "eyeL")),),
    aliases=(
        ("eyeR", "right_eye_outer_corner"),
        ("eyeL", "left_eye_outer_corner"),
        ("tip", "nose_tip"),
    ),
)


def own_faces(count=3):
    return toy.draw(count, ibug68, seed=1).to(OWN)


def test_points_with_aliases_take_the_catalogs_names_in_other_schemes():
    faces = toy.draw(3, ibug68, seed=1)
    own = faces.to(OWN)
    at = [36, 45, 30]
    assert (own.points == faces.points[:, at]).all()
    back = own.to(ibug68)
    assert (back.points[:, at] == faces.points[:, at]).all()
    assert back.labelled.sum() == 9
    predicted = Predictions(scheme=OWN, ids=own.ids, points=own.points).to(ibug68)
    np.testing.assert_array_equal(predicted.points, back.points)


def test_an_alias_stands_for_the_own_name_in_other_schemes():
    """A point that is called nose_tip but lies at the base is not the catalog's tip."""
    base = Scheme(name="b", points=("nose_tip",), mirror=(), aliases=(("nose_tip", "nose_base"),))
    faces = toy.draw(1, ibug68, seed=1)
    assert (faces.to(base).points[0, 0] == faces.points[0, 33]).all()
    assert np.flatnonzero(faces.to(base).to(ibug68).labelled[0]).tolist() == [33]


def test_versions_of_one_scheme_match_by_their_own_names():
    faces = own_faces()
    plain = replace(OWN, aliases=())
    assert (faces.to(plain).points == faces.points).all()
    assert (faces.to(plain).to(OWN).points == faces.points).all()


def test_a_union_has_each_place_once_under_the_catalogs_name():
    both = union("both", OWN, ibug68)
    assert len(both) == 68
    assert both.points[:3] == ("right_eye_outer_corner", "left_eye_outer_corner", "nose_tip")
    assert both.norm == ibug68.norm
    assert both.parts == (("eyes", ("right_eye_outer_corner", "left_eye_outer_corner")),)
    assert own_faces().to(both).labelled.sum() == 9


def test_norms_by_name_find_points_by_their_aliases():
    assert OWN.norm_groups("outer_eye_corners") == (("eyeR",), ("eyeL",))
    pupils = replace(OWN, aliases=(("eyeR", "right_pupil"), ("eyeL", "left_pupil")))
    assert pupils.norm_groups("pupils") == (("eyeR",), ("eyeL",))


def test_outer_corners_alone_are_no_pupils():
    """Their distance is half as much again as that of the pupils."""
    message = r"own3 labels the right eye on one side only \(eyeR\), so it has no norm 'pupils'"
    with pytest.raises(SettingError, match=message):
        OWN.norm_groups("pupils")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"aliases": (("nose", "nose_tip"),)}, "no point 'nose'"),
        ({"aliases": (("tip", "a"), ("tip", "b"))}, "'tip' is a point with an alias twice"),
        ({"aliases": (("tip", "eyeL"),)}, "'eyeL' is a place twice"),
        ({"parts": (("eyes", ("eye",)),)}, "no point 'eye'"),
        ({"parts": (("eyes", ()), ("eyes", ()))}, "'eyes' is a part twice"),
    ],
)
def test_parts_and_aliases_are_checked(change, problem):
    with pytest.raises(SettingError, match=problem):
        replace(OWN, **change)


@pytest.mark.parametrize(
    ("skeleton", "edges"),
    [
        ([[1, 2], [2, 3]], (("eyeR", "eyeL"), ("eyeL", "tip"))),
        ([[0, 1], [1, 2]], (("eyeR", "eyeL"), ("eyeL", "tip"))),  # counted from 0
        ([[1, 9]], ()),
        (None, ()),
    ],
)
def test_keypoints_and_skeleton_of_coco_are_a_scheme(tmp_path, skeleton, edges):
    path = coco_file(tmp_path, ["eyeR", "eyeL", "tip"], skeleton)
    found = coco.read(path)
    assert found.scheme.points == ("eyeR", "eyeL", "tip")
    assert found.scheme.mirror == (("eyeL", "eyeR"),)
    assert found.scheme.edges == edges


def test_a_skeleton_that_is_none_is_refused_with_its_place(tmp_path):
    path = coco_file(tmp_path, ["a", "b", "c"], [[1, [2]]])
    with pytest.raises(DataError, match=r"categories\[0\].skeleton: pairs of points' numbers"):
        coco.read(path)


def test_numbered_keypoints_of_no_scheme_keep_their_names_and_skeleton(tmp_path):
    found = coco.read(coco_file(tmp_path, ["1", "2", "3"], [[1, 3]]))
    assert found.scheme.points == ("1", "2", "3") and found.scheme.edges == (("1", "3"),)
    with pytest.raises(SettingError, match="do not fit scheme ibug68, which has 68"):
        coco.read(coco_file(tmp_path, ["1", "2", "3"], None), scheme=ibug68)


def coco_file(folder, names, skeleton):
    keypoints = [value for k in range(len(names)) for value in (10 + k, 20, 2)]
    category = {"id": 1, "name": "face", "keypoints": names, "skeleton": skeleton}
    document = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": keypoints}],
        "categories": [category],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(document))
    return path
