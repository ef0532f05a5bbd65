"""Faces and predictions: schemes by name, joining, splitting, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import SCHEMES, fkd15, ibug68, imm58
from nasion.landmarks.face import Face
from nasion.landmarks.faces import Faces, Predictions, join
from nasion.landmarks.scheme import Scheme

ONE = Scheme(name="one", points=("nose_tip",), mirror=())


def faces(count=3, **changes):
    values = {
        "scheme": ONE,
        "ids": tuple(f"f{i}" for i in range(count)),
        "images": np.zeros((count, 8, 8), np.uint8),
        "points": np.arange(2 * count, dtype=np.float32).reshape(count, 1, 2),
    }
    return Faces(**(values | changes))


def test_half_a_point_is_refused_by_face_and_point():
    points = np.array([[[1, 2]], [[3, np.nan]]], dtype=np.float32)
    with pytest.raises(DataError, match=r"Face 'f1' has half a point .* at nose_tip: \[3.0, nan\]"):
        faces(2, points=points)


def test_an_infinite_coordinate_is_refused():
    with pytest.raises(DataError, match="Face 'f0' has an infinite coordinate at nose_tip"):
        faces(1, points=np.array([[[np.inf, 1]]], dtype=np.float32))


def test_duplicate_ids_are_refused_by_name():
    with pytest.raises(DataError, match="'a' first"):
        faces(2, ids=("a", "a"))


def test_a_point_count_that_differs_from_the_scheme_is_refused():
    with pytest.raises(
        DataError,
        match="Points of shape 3 x 2 x 2 do not fit 3 faces of scheme one, which has 1 points",
    ):
        faces(3, points=np.zeros((3, 2, 2), np.float32))
    with pytest.raises(DataError, match="scheme one"):
        Predictions(scheme=ONE, ids=("a",), points=np.zeros((1, 2, 2), np.float32))


def test_columns_of_another_length_are_refused():
    with pytest.raises(DataError, match="2 source for 3 faces"):
        faces(3, groups={"source": ("a", "b")})
    with pytest.raises(DataError, match=r"Linked groups \['person'\]"):
        faces(1, linked=("person",))


def test_going_to_another_scheme_matches_by_name_and_leaves_nan_elsewhere():
    there = toy.draw(4, ibug68, seed=1)
    back = there.to(fkd15)
    assert back.scheme is fkd15 and np.isnan(back.points[:, 0]).all()  # ibug68 has no eye centres
    np.testing.assert_array_equal(back.points[:, 10], there.points[:, 30])
    np.testing.assert_array_equal(
        back.points[:, fkd15.index(["left_eye_outer_corner"])[0]], there.points[:, 45]
    )


@pytest.mark.parametrize("other", SCHEMES.values(), ids=SCHEMES)
def test_converting_there_and_back_keeps_the_shared_points(other):
    start = toy.draw(2, fkd15, seed=1)
    shared = np.array([p in other for p in fkd15.points])
    back = start.to(other).to(fkd15)
    np.testing.assert_array_equal(back.points[:, shared], start.points[:, shared])
    assert np.isnan(back.points[:, ~shared]).all() and back.ids == start.ids


def test_occlusion_goes_along_and_is_false_for_new_points():
    found = faces(2, occluded=np.array([[True], [False]])).to(fkd15)
    assert found.occluded[:, 10].tolist() == [True, False] and found.occluded.sum() == 1


def test_joining_needs_one_scheme_and_fills_missing_groups():
    a = faces(2, groups={"source": ("x", "y")}, boxes=np.tile(np.float32([1, 1, 5, 5]), (2, 1)))
    b = faces(1, ids=("other",), groups={"person": ("7",)}, linked=("person",))
    both = join(a, b)
    assert len(both) == 3 and both.images.shape == (3, 8, 8)
    assert both.groups == {"source": ("x", "y", ""), "person": ("", "", "7")} and both.linked == (
        "person",
    )
    assert np.isnan(both.boxes[2]).all() and both.boxes[0, 0] == 1
    with pytest.raises(SettingError, match="fkd15, one"):
        join(a, b.to(fkd15))


def test_joining_images_of_different_sizes_keeps_each_as_it_is():
    both = join(
        faces(1),
        faces(1, ids=("b",), images=np.zeros((1, 4, 4), np.uint8)),
        faces(1, ids=("c",), images=(Path("c.png"),)),
    )
    assert [getattr(p, "shape", p) for p in both.images] == [(8, 8), (4, 4), Path("c.png")]


def test_choosing_by_index_mask_slice_and_id():
    all_faces = faces(4, groups={"source": ("a", "b", "a", "b")})
    assert all_faces[1].ids == ("f1",) and all_faces[-2:].ids == ("f2", "f3")
    assert all_faces[np.array([True, False, False, True])].groups["source"] == ("a", "b")
    assert all_faces.subset(["f3", "f0"]).points[0, 0, 0] == 6
    with pytest.raises(SettingError, match="'f9' first"):
        all_faces.subset(["f9"])
    with pytest.raises(SettingError, match="No group 'person'; these faces have source"):
        all_faces.group("person")


def test_an_empty_choice_is_an_empty_set():
    assert len(faces(3)[np.zeros(3, bool)]) == 0


def test_a_58_and_a_68_point_set_join_in_one_scheme():
    mixed = join(toy.draw(2, imm58, seed=1).to(ibug68), toy.draw(2, ibug68, seed=2))
    assert mixed.labelled.sum(1).tolist() == [10, 10, 68, 68]


def test_a_face_and_a_scheme_are_shown_in_a_line():
    """The 68 points and the names of a scheme would be pages."""
    box = np.array([1.2, 2.7, 30.1, 40.9], np.float32)
    face = Face(ibug68, np.zeros((68, 2), np.float32), box, 0.987)
    assert repr([face]) == "[Face(ibug68, 68 points, score 0.99, box (1, 3, 30, 41))]"
    tracked = Face(ibug68, face.points, np.full(4, np.nan, np.float32), 0.5, track=3)
    assert repr(tracked) == "Face(ibug68, 68 points, score 0.50, box (nan, nan, nan, nan), track 3)"
    assert repr(ibug68) == "Scheme(ibug68, 68 points)"
