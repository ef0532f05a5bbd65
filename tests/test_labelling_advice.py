"""What data show says to those who label: confused sides, rare points and poses, images."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nasion.app.cli import app
from nasion.data.datasets import points_csv, toy
from nasion.data.labelling_advice import advise, head_turns
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.face_model import Expression, points_of, rotate_head
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme


def head(yaw, roll=0.0):
    """Points of the face model, turned: positive yaw to the subject's left."""
    return rotate_head(points_of(ibug68.points, Expression()), yaw, 0, roll)[:, :2]


def faces_of(shapes):
    points = (np.stack(shapes) * 40 + 100).astype(np.float32)
    ids = tuple(f"{i}.png" for i in range(len(points)))
    images = np.zeros((len(points), 200, 200), np.uint8)
    return Faces(scheme=ibug68, ids=ids, images=images, points=points)


@pytest.mark.parametrize("roll", [0, 25])
def test_turns_are_measured_whatever_the_tilt(roll):
    found = head_turns(faces_of([head(yaw, roll) for yaw in (30, 0, -30)]))
    np.testing.assert_allclose(found, [30, 0, -30], atol=1)
    # The nose of a head that is turned to its left lies further to the image's right.
    shape = head(30)
    assert shape[30, 0] > (shape[36, 0] + shape[45, 0]) / 2


# Outer and inner eye corners, nose tip, corners of the mouth, chin.
FEW = [36, 39, 42, 45, 30, 48, 54, 8]
YAWS = [25.0, 0.0, -25.0] * 4


def few_points(names=None, mirror=((3, 0), (2, 1), (6, 5))):
    """Twelve heads with eight points, by the catalog's names or by others."""
    whole = faces_of([head(yaw) for yaw in YAWS])
    names = names or tuple(ibug68.points[k] for k in FEW)
    scheme = Scheme(
        name="eight", points=names, mirror=tuple((names[a], names[b]) for a, b in mirror)
    )
    return replace(whole, scheme=scheme, points=whole.points[:, FEW])


def test_a_chin_hides_no_turn_and_shows_none():
    faces = few_points()
    np.testing.assert_allclose(head_turns(faces), YAWS, atol=1)
    # A chin moves against the nose where a head is tipped as well.
    points = faces.points.copy()
    points[0, 7, 0] -= 5
    assert head_turns(replace(faces, points=points))[0] > 15
    points[:, 4] = np.nan
    assert np.isnan(head_turns(replace(faces, points=points))).all()
    assert advise(replace(faces, points=points)).poses == {}


def test_turns_show_without_known_names_by_the_nose_alone():
    faces = few_points(("a", "b", "c", "d", "n", "e", "f", "k"))
    found = head_turns(faces)
    assert (np.sign(found.round()) == np.sign(YAWS)).all() and np.abs(found[0]) > 15
    assert advise(faces).poses == {
        "turned to their right": 4,
        "frontal": 4,
        "turned to their left": 4,
    }
    # A misspelt name has no partner, but is no nose: few faces have it, beside the midline.
    scheme = replace(faces.scheme, points=(*faces.scheme.points, "ff"))
    extra = np.full((12, 1, 2), np.nan, np.float32)
    extra[0] = faces.points[0, 6]
    points = np.concatenate([faces.points, extra], axis=1)
    points[0, 6] = np.nan
    misspelt = head_turns(replace(faces, scheme=scheme, points=points))
    np.testing.assert_allclose(misspelt, found, atol=3)


def test_rare_poses_and_points_are_what_to_label_next():
    faces = faces_of([head(0)] * 30 + [head(30)])
    points = faces.points.copy()
    points[5:, 8] = np.nan
    found = advise(replace(faces, points=points))
    assert found.poses == {"turned to their right": 0, "frontal": 30, "turned to their left": 1}
    assert found.label_next == (
        "points that few faces have: chin (5 faces)",
        "heads turned to their right: 0 of 31 faces",
        "heads turned to their left: 1 of 31 faces",
    )
    assert not found.swapped and found.sides_compared


def test_faces_with_swapped_sides_are_named():
    faces = toy.draw(20, ibug68, seed=1)
    points = faces.points.copy()
    points[3] = points[3][ibug68.flip]
    found = advise(replace(faces, points=points))
    assert found.swapped == (faces.ids[3],)


def test_a_face_with_one_swapped_pair_is_named():
    faces = few_points()
    points = faces.points.copy()
    points[5, [1, 2]] = points[5, [2, 1]]
    assert advise(replace(faces, points=points)).swapped == (faces.ids[5],)


def test_a_missing_pair_is_told():
    faces = toy.draw(40, fkd15, seed=1)
    found = advise(replace(faces, scheme=replace(fkd15, mirror=fkd15.mirror[1:])))
    assert any("left_eye_center (is paired with itself" in text for text in found.mirror_faults)


def test_the_command_says_it_with_images_that_have_no_labels(tmp_path):
    faces = toy.draw(12, fkd15, seed=1)
    for i in range(14):
        pixels = np.asarray(faces.images[i % 12])
        Image.fromarray(pixels).save(tmp_path / f"{i:02d}.png")
    ids = tuple(f"{i:02d}.png" for i in range(12))
    points = faces.points.copy()
    points[4:, 10] = np.nan
    points_csv.write(replace(faces, ids=ids, points=points), tmp_path / "labels.csv")
    command = ["data", "show", str(tmp_path), "-o", str(tmp_path / "out" / "sheet.png")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    # The rarest point is the first row.
    words = [line.split()[0] for line in done.output.splitlines() if line.strip()]
    assert next(word for word in words if word in fkd15.points) == "nose_tip"
    assert "points that few faces have: nose_tip (4 faces)" in done.output
    assert "2 images without labels: 12.png, 13.png" in done.output
