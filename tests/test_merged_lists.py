"""Lists of people who label pictures without labels, and merges of what is merged already."""

import numpy as np
import pytest
from corrected_table import OWN, flag, moved, record, write_table
from helpers import run_command
from PIL import Image

import nasion
from nasion.data.corrections import merge
from nasion.data.corrections.change_list import list_path, read_change_list
from nasion.data.corrections.gestures import Change, Gesture
from nasion.data.corrections.writer import write_change_list
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import write_scheme

TIPS = Scheme(name="tips", points=("tip", "chin"), mirror=())


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(3):
        Image.new("L", (200, 200), 60 * k).save(folder / f"{k}.png")
    return folder


def added(picture, shift=0.0, scheme=OWN):
    """A face of 80 x 80 pixels on a picture."""
    places = {
        ("points", name): Change(
            None, (20.0 + 40 * (k % 3) + shift, 30.0 + 40 * (k // 2), "visible")
        )
        for k, name in enumerate(scheme.points)
    }
    return Gesture(picture, "add", {("image", ""): Change(None, picture), **places}, 1)


def merged_list(data, faces, who, *paths, limit=3.0):
    """Merge lists, and write the result as one of its own."""
    lists = [read_change_list(path) for path in paths]
    found = merge.merge(lists, faces, data, np.full(len(faces), limit))
    path = list_path(data, who)
    write_change_list(path, found.header, found.gestures)
    return path, {(each.face, each.name): dict(each.versions) for each in found.conflicts}


def test_two_people_s_labels_of_pictures_without_labels_compare_and_merge(
    photos, monkeypatch, capsys
):
    none = flag("2.png", "no_face", False, True, "no_face")
    anna = record(photos, "anna", added("0.png"), added("1.png"))
    # One pixel is 1.25 % of the face, 3 are more than the tolerance of 2 %.
    ben = record(photos, "ben", added("0.png", 1), added("1.png", 3), none)
    code, text = run_command(monkeypatch, capsys, "data", "compare", photos, anna, ben)
    assert code == 0 and "anna and ben on 2 faces" in text, text
    code, text = run_command(monkeypatch, capsys, "data", "merge", photos, anna, ben)
    assert code == 0 and "3 faces, 4 points changed as all agree" in text, text
    assert "4 conflicts open" in text and "nose tip of 1.png" in text
    both = read_change_list(list_path(photos, "anna+ben"))
    assert both.state.faces["0.png"].points["nose tip"] == (100.5, 70.0, "visible")
    assert both.state.faces["2.png"].no_face
    reading = nasion.LabelReading(corrections=both.path)
    found = nasion.load_faces(None, photos, whole_images=True, reading=reading)
    assert found.ids == ("0.png", "1.png") and found.labelled.sum(axis=1).tolist() == [4, 0]


def test_what_a_merge_leaves_open_stays_open_in_the_next_one(tmp_path):
    data = write_table(tmp_path)
    faces = nasion.load_faces(None, data, whole_images=True)
    tip = ("a.png", "nose tip")
    box = [
        Gesture("a.png", "box", {("box", ""): Change(None, (x, 1.0, 90.0, 90.0))}, 1)
        for x in (1.0, 60.0)
    ]
    anna = record(data, "anna", moved(*tip, (40, 50), (50, 50)), box[0])
    ben = record(
        data,
        "ben",
        moved(*tip, (40, 50), (30, 50)),
        box[1],
        flag("c.png", "removed", False, True, "remove"),
    )
    dora = record(data, "dora", moved("c.png", "Kinn", (42, 82), (42, 83)))
    both, first = merged_list(data, faces, "all", anna, ben, dora)
    removal = {"ben": True, "dora": False}
    assert first == {
        tip: {"anna": (50.0, 50.0, "visible"), "ben": (30.0, 50.0, "visible")},
        ("a.png", "box"): {"anna": (1.0, 1.0, 90.0, 90.0), "ben": (60.0, 1.0, 90.0, 90.0)},
        ("c.png", "removed"): removal,
    }
    # Cem says nothing of it, then sides with one of them.
    cem = record(data, "cem", moved("c.png#2", "Kinn", (51, 91), (51, 92)))
    for paths in ((both, cem), (cem, both)):
        path, second = merged_list(data, faces, "second", *paths)
        assert second == first
        state = read_change_list(path).state
        assert set(state.faces["a.png"].open_conflicts) == {"nose tip"}
        assert set(state.faces["a.png"].open_field_conflicts) == {"box"}
        path.unlink()
    right = Gesture("a.png", "confirm", {("confirmed", ""): Change(None, ("nose tip",))}, 1)
    emil = record(data, "emil", moved(*tip, (40, 50), (49, 50)), right)
    gone = flag("c.png", "removed", False, True, "remove")
    finn = record(data, "finn", gone, flag("a.png", "removed", False, True, "remove"))
    _, third = merged_list(data, faces, "third", both, emil, finn)
    assert third[tip] == first[tip] | {"emil": (49.0, 50.0, "visible")}
    assert third["c.png", "removed"] == removal | {"finn": True}
    assert third["a.png", "removed"]["finn"] and third["a.png", "box"] == first["a.png", "box"]


def test_people_may_label_other_points_on_the_same_pictures(photos, tmp_path, monkeypatch, capsys):
    record(photos, "anna", added("0.png"))
    zoe = record(photos, "zoe", added("1.png", scheme=TIPS), scheme=TIPS)
    write_scheme(tmp_path / "tips.toml", TIPS)
    words = ("data", "check", photos, "--corrections", zoe)
    code, text = run_command(monkeypatch, capsys, *words)
    assert code == 1 and "name the scheme that the list was made with (--scheme)" in text
    code, text = run_command(monkeypatch, capsys, *words, "--scheme", tmp_path / "tips.toml")
    assert code == 0 and "0 faults" in text, text
