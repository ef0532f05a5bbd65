"""``data check``: points that no face has, and names that are misspelt in some faces."""

from dataclasses import replace

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.data.label_shapes import misplaced_labels, reference_face
from nasion.data.point_names import misspelt_points, never_labelled
from nasion.landmarks.catalog import fkd15
from nasion.landmarks.scheme import Scheme

COUNT = 20
LIP = fkd15.points.index("mouth_center_bottom_lip")


@pytest.fixture(scope="module")
def faces():
    return toy.draw(COUNT, fkd15, seed=4)


def renamed(faces, k, other, which):
    """Point ``k`` of the faces ``which`` under another name, as a reader makes a point of it."""
    scheme = Scheme(
        name="own",
        points=(*(f"q_{name}" for name in fkd15.points), other),
        mirror=tuple((f"q_{a}", f"q_{b}") for a, b in fkd15.mirror),
    )
    points = np.concatenate([faces.points, np.full((COUNT, 1, 2), np.nan, np.float32)], axis=1)
    points[which, -1] = points[which, k]
    points[which, k] = np.nan
    return replace(faces, scheme=scheme, points=points, occluded=None)


@pytest.mark.parametrize(
    "name", ["q_mouth_center_botom_lip", "Q-Mouth_Center_Bottom_Lip", "unterlippe"]
)
def test_a_misspelt_name_is_told_with_the_one_that_is_meant(faces, name):
    assert list(misspelt_points(renamed(faces, LIP, name, []))) == []
    assert list(misspelt_points(renamed(faces, LIP, name, [3, 7]))) == [
        (
            3,
            f"point {name!r} is labelled in 2 of 20 faces only, where 'q_mouth_center_bottom_lip' "
            "is missing; is that meant? Then correct the name.",
        )
    ]


def test_a_rare_point_of_its_own_is_not_misspelt(faces):
    """It is at another place, or its face has the point of the similar name as well."""
    rare = renamed(faces, LIP, "q_mouth_center_bottom_lips", [3])
    elsewhere = rare.points.copy()
    elsewhere[3, -1] -= (0, 40)
    assert list(misspelt_points(replace(rare, points=elsewhere))) == []
    both = rare.points.copy()
    both[3, LIP] = faces.points[3, LIP]
    assert list(misspelt_points(replace(rare, points=both))) == []
    # Half of the faces: another habit of one annotator, no slip.
    often = renamed(faces, LIP, "q_mouth_center_bottom_lips", list(range(10)))
    assert list(misspelt_points(often)) == []
    # The other side's point, in a face that shows one side only.
    sides = renamed(faces, fkd15.points.index("mouth_left_corner"), "q_mouth_rigt_corner", [3])
    mirrored = sides.points.copy()
    mirrored[3, -1] = mirrored[3, fkd15.points.index("mouth_right_corner")]
    assert list(misspelt_points(replace(sides, points=mirrored))) == []


def test_points_without_any_label_are_named(faces):
    assert never_labelled(faces) == ""
    points = faces.points.copy()
    points[:, :6] = np.nan
    assert never_labelled(replace(faces, points=points)) == (
        f"no face has the points {', '.join(fkd15.points[:5])} and 1 more: nothing can be learnt "
        "of what has no label."
    )


def test_a_gross_fault_is_found_where_no_face_has_all_points(faces):
    """Names that the catalog does not know, so that the faces are compared with each other."""
    own = renamed(faces, LIP, "never", [])
    points = own.points.copy()
    points[5, LIP] -= (0, 60)
    for i in range(COUNT):
        points[i, i % 4] = np.nan
    wrong = replace(own, points=points)
    assert not wrong.complete.any()
    reference = reference_face(wrong)
    assert reference is not None
    found = dict(misplaced_labels(wrong, reference, np.ones(COUNT, bool)))
    assert list(found) == [5] and "q_mouth_center_bottom_lip is far from where" in found[5]
