"""Labelling goes on: another session, another person, from another folder, after an undo."""

import os

import pytest
from corrected_table import NAMES, load, write_table
from label_page import drawn, labelling, write_labels, write_photos

from nasion.app.label.learning import Learning
from nasion.data.corrections.change_list import list_path
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


def test_a_removal_takes_no_other_face_after_the_labels_have_changed(tmp_path, caplog):
    labels = write_table(tmp_path)
    labels.write_text(labels.read_text().replace("c.png#2", "c.png"))
    gone = list_path(labels, "anna")
    with labelling(labels) as page:
        body = page.gesture("c.png", "remove", removed=True)
        for _ in range(2):  # sent again, it is acknowledged again
            assert page.post("/api/gesture", json=body).status_code == 200
        assert page.post("/api/undo", json={"face": "c.png", "revision": 1}).status_code == 200
        assert page.post("/api/redo", json={"face": "c.png", "revision": 2}).status_code == 200
        page.send("c.png", "restore", removed=False)
        assert page.send("c.png", "remove", removed=True).status_code == 200
    assert load(labels, gone).ids == ("a.png", NAMES[1], "c.png#2")
    table = labels.read_text().splitlines()
    # The label is corrected in another tool; it is still this face.
    labels.write_text("\n".join([*table[:3], table[3].replace("42,82", "45,79"), table[4]]) + "\n")
    assert load(labels, gone).ids == ("a.png", NAMES[1], "c.png#2")
    # Its row is taken out there, and the second face of the image gets its name.
    labels.write_text("\n".join([*table[:3], table[4]]) + "\n")
    caplog.clear()
    assert load(labels, gone).ids == ("a.png", NAMES[1], "c.png")
    assert "c.png: it was removed at 21.5 31.5 62.5 82.5, and lies at 30.5 40.5" in caplog.text
    with labelling(labels) as page:
        assert "1 change does not fit the labels" in caplog.text
        page.send("c.png", "restore", removed=False)
        assert page.send("c.png", "remove", removed=True).status_code == 200
    assert load(labels, gone).ids == ("a.png", NAMES[1])
