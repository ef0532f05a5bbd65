"""Toy faces: exactly known points, any scheme, any pattern, the same from the same seed."""

from pathlib import Path

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.errors import SettingError
from nasion.landmarks.catalog import SCHEMES, fkd15, ibug68
from nasion.landmarks.scheme import Scheme


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_can_be_drawn_with_its_points_in_the_image(scheme):
    faces = toy.draw(20, scheme, seed=1, size=64)
    assert faces.labelled.all() and faces.images.shape == (20, 64, 64)
    inside = ((faces.points > -0.5) & (faces.points < 63.5)).all(-1).mean()
    # Hair and neck leave some images.
    assert inside > (0.93 if scheme.name == "webmorph189" else 0.95)


def test_pupils_are_drawn_dark_where_the_points_say():
    faces = toy.draw(60, SCHEMES["wflw98"], seed=2, size=128)
    x, y = np.rint(faces.points[:, 96]).astype(int).T
    at_pupil = faces.images[np.arange(60), y, x].astype(float)
    whites = faces.images.reshape(60, -1).mean(1)
    assert (at_pupil < whites).mean() > 0.8


def test_the_same_seed_draws_the_same_and_more_faces_begin_alike():
    a, b = toy.draw(5, seed=3), toy.draw(8, seed=3)
    assert (a.images == b.images[:5]).all() and not (a.images == toy.draw(5, seed=4).images).all()


def test_patterns_leave_just_the_named_points_in_their_share_of_the_faces():
    faces = toy.draw(
        200,
        seed=1,
        size=32,
        patterns=[(0.5, ("nose_tip",)), (0.2, ("nose_tip", "left_eye_center"))],
    )
    counts = faces.labelled.sum(1)
    assert (
        set(counts.tolist()) == {1, 2, 15}
        and 80 < (counts == 1).sum() < 120
        and faces.labelled[:, 10].all()
    )


def test_eyes_behind_dark_glasses_are_marked_as_hidden():
    faces = toy.draw(80, seed=1, size=32)
    dark = faces.occluded.any(1)
    assert (
        1 <= dark.sum() <= 20
        and faces.occluded[dark][:, :6].all()
        and not faces.occluded[:, 10:].any()
    )


def test_colour_images_have_three_channels():
    assert toy.draw(2, size=40, colour=True).images.shape == (2, 40, 40, 3)


def test_a_point_that_no_face_has_is_refused():
    with pytest.raises(SettingError, match="Toy faces have no point 'antenna'"):
        toy.draw(1, Scheme(name="s", points=("antenna",), mirror=()))


def test_the_path_says_how_many_and_which(tmp_path):
    assert len(toy.read(Path("toy:7"))) == 7 and toy.read(Path("toy:3:5")).ids[0] == "toy/5/0"
    assert (toy.read(Path("toy:9")).labelled.sum(1) < 15).any()
    assert toy.read(Path("toy:2"), scheme=ibug68).scheme is ibug68 and toy.SCHEME is fkd15
    for wrong in (
        "toy:many", "toy:0", "toy:\u00b2", "toy:\u0663", "toy:1:", "toy:99999999999",
        "folder/of/photos", "toy:1:2:3",
    ):  # fmt: skip
        with pytest.raises(SettingError, match="toy:COUNT"):
            toy.read(Path(wrong))
