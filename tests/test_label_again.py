"""Labelling goes on: another session, another person, from another folder, after an undo."""

import os

import pytest
from label_page import drawn, labelling, write_labels, write_photos

from nasion.app.label.learning import Learning
from nasion.landmarks.scheme import Scheme

pytestmark = pytest.mark.slow
TIPS = Scheme(name="tips", points=("tip", "chin"), mirror=())
BOX = [10.0, 10.0, 90.0, 90.0]


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path / "photos", drawn(2))


def points_of(page):
    return page.get("/api/session").json()["scheme"]["points"]


@pytest.mark.parametrize("path", [".", "../mine/labels.csv", "labels.csv"])
def test_data_are_labelled_from_within_their_folder(tmp_path, monkeypatch, path):
    write_labels(tmp_path / "mine", drawn(2))
    monkeypatch.chdir(tmp_path / "mine")
    with labelling(path) as page:
        assert page.send("face0.png", "done", done=True).status_code == 200
        (folder,) = tmp_path.rglob("*.changes")
        assert folder.name == ("mine.changes" if path == "." else "labels.csv.changes")


def test_other_people_label_other_points_on_the_same_pictures(photos):
    with labelling(photos) as page:
        page.label("face0.png")
    with labelling(photos, who="ben", scheme=TIPS) as page:
        assert points_of(page) == list(TIPS.points)
        assert page.send("face0.png", "add", image="face0.png", box=BOX).status_code == 200
    # Each goes on with the points of the own list; who begins has those of the network.
    for who, count in (("ben", 2), ("anna", 68), ("cem", 68)):
        with labelling(photos, who=who) as page:
            assert len(points_of(page)) == count, who


def test_a_face_is_not_added_to_a_picture_that_is_said_to_have_none(photos):
    with labelling(photos) as page:
        page.send("face0.png", "no_face", no_face=True)
        for face in ("face0.png", "face0.png#2"):
            refused = page.send(face, "add", image="face0.png", box=BOX)
            assert refused.status_code == 400
            assert "said to have no face; take that back first" in refused.json()["error"]
        page.send("face0.png", "no_face", no_face=False)
        assert page.send("face0.png", "add", image="face0.png", box=BOX).status_code == 200


def test_no_learning_takes_the_folder_of_another(tmp_path, monkeypatch):
    table = write_labels(tmp_path / "mine", drawn(5))
    taken = []

    def stopped(_, folder):
        taken.append(folder)
        raise OSError("stopped here")

    monkeypatch.setattr(Learning, "_started", stopped)
    # As in containers, where each server has the same number.
    monkeypatch.setattr(os, "getpid", lambda: 7)
    for _ in range(2):
        with labelling(table) as page:
            for i in range(5):
                if not page.face(f"face{i}.png")["done"]:
                    page.send(f"face{i}.png", "done", done=True)
            page.post("/api/learn", json={})
    assert len(set(taken)) == 2, taken
