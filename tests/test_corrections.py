"""Change lists applied to labels: where they fit, what is left out, and by every command."""

import json
import logging
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from corrected_table import NAMES, OWN, flag, load, moved, record, write_table
from helpers import run_command
from PIL import Image, ImageOps

import nasion
from nasion.app.cli.label_options import as_words
from nasion.data import convert, label_check
from nasion.data.corrections.change_list import list_path, new_header
from nasion.data.corrections.gestures import Change, Gesture
from nasion.data.corrections.writer import open_change_list
from nasion.data.datasets import points_csv, toy
from nasion.errors import DataError
from nasion.landmarks.catalog import fkd15
from nasion.landmarks.scheme import Scheme


@pytest.fixture
def labels(tmp_path):
    return write_table(tmp_path)


def test_points_are_placed_moved_removed_and_marked_by_their_names(labels, caplog):
    path = record(
        labels,
        "anna",
        moved("a.png", "Kinn", None, (41, 82.5)),
        moved(NAMES[1], "nose tip", (41, 51), (44, 55)),
        moved(NAMES[1], "nose tip", (44, 55), (45, 56)),
        moved("c.png", "rechtes Auge", (22, 32), None),
        moved("c.png#2", "linkes Auge", (71, 41), (71, 41, "occluded")),
    )
    before = load(labels)
    with caplog.at_level(logging.INFO, "nasion"):
        found = load(labels, path)
    expected = before.points.copy()
    expected[0, 3], expected[1, 2], expected[2, 0] = (41, 82.5), (45, 56), np.nan
    np.testing.assert_array_equal(found.points, expected)
    assert found.occluded.sum() == 1 and found.occluded[3, 1]
    assert found.ids == before.ids
    assert "labels.csv: 4 points, 4 faces corrected, as anna.jsonl has it" in caplog.text


def test_originals_stay_as_they_are(labels, tmp_path):
    def hashes():
        files = sorted(p for p in labels.parent.rglob("*") if p.is_file())
        return {p: (sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}

    before = hashes()
    path = record(labels, "anna", moved("a.png", "Kinn", None, (41, 82.5)))
    load(labels, path)
    label_check.check(labels, nasion.LabelReading(corrections=path))
    reading = nasion.LabelReading(corrections=[path])
    convert.convert(labels, tmp_path / "out", "coco", reading=reading)
    after = hashes()
    assert after.pop(path)
    assert after == before


def test_only_changes_that_fit_changed_labels_are_applied_and_others_named(labels, caplog):
    path = record(
        labels,
        "anna",
        moved("a.png", "nose tip", (40, 50), (44, 55)),
        moved("a.png", "linkes Auge", (60, 30), (61, 31)),
        moved(NAMES[1], "Kinn", (41, 81), (42, 85)),
    )
    text = labels.read_text()
    # The nose of the first face was corrected elsewhere, the second face is gone.
    lines = text.replace("40,50", "39.5,50", 1).splitlines()
    labels.write_text("\n".join(line for line in lines if "b 1.png" not in line) + "\n")
    found = load(labels, path)
    assert found.points[0, 1].tolist() == [61, 31] and found.points[0, 2].tolist() == [39.5, 50]
    assert "2 changes do not fit the labels; left out: (labels.csv changed since" in caplog.text
    assert (
        "anna.jsonl a.png: nose tip is 39.5 50 visible, not 40 50 visible as it was when it became "
        "44 55 visible." in caplog.text
    )
    assert "b 1.png: Kinn: there is no such face among the labels" in caplog.text
    faults = label_check.check(labels, nasion.LabelReading(corrections=path)).faults
    assert sorted(fault.place for fault in faults) == [
        "anna.jsonl a.png",
        f"anna.jsonl {NAMES[1]}",
    ]


def test_labels_that_have_a_change_already_need_it_no_more(labels, caplog):
    path = record(labels, "anna", moved("a.png", "nose tip", (40, 50), (44, 55)))
    labels.write_text(labels.read_text().replace("40,50", "44,55", 1))
    found = load(labels, path)
    assert found.points[0, 2].tolist() == [44, 55] and "do not fit" not in caplog.text


def test_an_undone_change_is_none(labels):
    path = record(labels, "anna", moved("a.png", "Kinn", None, (41, 82.5)))
    with open_change_list(path, new_header("anna", OWN, {})) as opened:
        opened.undo("a.png")
    np.testing.assert_array_equal(load(labels, path).points, load(labels).points)


def test_faces_are_added_removed_and_get_boxes(labels):
    Image.new("L", (80, 80)).save(labels.parent / "new one.png")
    added = {
        ("image", ""): Change(None, "a.png"),
        ("box", ""): Change(None, (1.0, 2.0, 50.0, 60.0)),
        ("points", "Kinn"): Change(None, (30.0, 55.0, "occluded")),
    }
    other = {
        ("image", ""): Change(None, "new one.png"),
        ("points", "nose tip"): Change(None, (3.0, 5.0, "visible")),
    }
    path = record(
        labels,
        "anna",
        Gesture("a.png#2", "add", added, 1),
        Gesture("new one.png", "add", other, 1),
        flag("c.png", "removed", False, True, "remove"),
        flag("c.png#2", "box", None, (0.0, 0.0, 99.0, 99.0), "box"),
        flag(NAMES[1], "removed", False, True, "remove"),
        flag(NAMES[1], "removed", True, False, "restore"),
    )
    found = load(labels, path, whole_images=True)
    assert found.ids == ("a.png", NAMES[1], "c.png#2", "a.png#2", "new one.png")
    assert found.images[3] == found.images[0] and found.images[4].name == "new one.png"
    assert found.boxes[3].tolist() == [1, 2, 50, 60] and found.boxes[2].tolist() == [0, 0, 99, 99]
    assert np.isnan(found.boxes[[0, 1, 4]]).all()
    assert found.points[3, 3].tolist() == [30, 55] and found.occluded[3, 3]
    assert found.labelled[3:].sum() == 2
    # Faces of one picture stay on one side of a split.
    assert found.linked == ("photograph",)
    photographs = found.groups["photograph"]
    assert photographs[0] == photographs[3] and len(set(photographs)) == 4


@pytest.mark.parametrize("image", ["gone.png", "../outside.png", "/etc/passwd", "a\0b"])
def test_a_face_on_no_picture_of_the_data_is_left_out_and_named(labels, image, caplog):
    Image.new("L", (80, 80)).save(labels.parent.parent / "outside.png")
    changes = {
        ("image", ""): Change(None, image),
        ("points", "Kinn"): Change(None, (3.0, 5.0, "visible")),
    }
    if "\0" in image:
        with pytest.raises(DataError, match="NUL"):
            record(labels, "anna", Gesture("x", "add", changes, 1))
        return
    path = record(labels, "anna", Gesture("x", "add", changes, 1))
    assert len(load(labels, path)) == 4
    assert f"x: it was added on {image}, and there is no such picture" in caplog.text


def test_pictures_without_labels_have_the_faces_of_the_list_beside_them(tmp_path, capsys):
    drawn = toy.draw(12, fkd15, size=64, seed=2)
    faces = replace(drawn, points=drawn.points[:, :4], scheme=OWN, occluded=None)
    folder = tmp_path / "Fotos"
    folder.mkdir()
    gestures = []
    for i, (pixels, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        Image.fromarray(pixels).save(folder / f"{i}.png")
        placed = {("image", ""): Change(None, f"{i}.png")}
        for name, (x, y) in zip(OWN.points, points.tolist(), strict=True):
            placed["points", name] = Change(None, (x, y, "visible"))
        gestures.append(Gesture(f"{i}.png", "add", placed, 1))
    path = record(folder, "anna", *gestures)
    with pytest.raises(DataError, match=r"name the change list .*--corrections"):
        load(folder)
    found = load(folder, path)
    np.testing.assert_array_equal(found.points, faces.points)
    assert found.scheme.points == OWN.points and found.images[3] == folder / "3.png"
    reading = nasion.LabelReading(corrections=path)
    assert label_check.check(folder, reading).faults == []
    done = convert.convert(folder, tmp_path / "out", "coco", reading=reading)
    assert (done.faces, done.images) == (12, 12)
    back = nasion.load_faces(None, done.data)
    np.testing.assert_allclose(back.to(found.scheme).points, faces.points, atol=1e-3)
    train, val = (load(folder, path, split=side) for side in ("train", "val"))
    assert len(train) + len(val) == 12 and len(val)


def test_lists_that_disagree_need_a_merge_first(labels):
    anna = record(
        labels,
        "anna",
        moved("a.png", "Kinn", None, (41, 82)),
        moved("a.png", "nose tip", (40, 50), (41, 51)),
    )
    ben = record(
        labels,
        "ben",
        moved("a.png", "Kinn", None, (41, 83)),
        moved(NAMES[1], "Kinn", (41, 81), (41, 82)),
    )
    with pytest.raises(DataError, match=r"Kinn of a.png is 41 82 .* 41 83 .* data merge DATA"):
        load(labels, anna, ben)
    carl = record(labels, "carl", flag("a.png", "removed", False, True, "remove"))
    with pytest.raises(DataError, match="removed by one list, and changed by another"):
        load(labels, anna, carl)
    # Those that do not disagree are applied together.
    same = record(
        labels,
        "dora",
        moved("a.png", "Kinn", None, (41, 82)),
        moved(NAMES[1], "Kinn", (41, 81), (41, 82)),
    )
    found = load(labels, anna, same)
    assert found.points[0, 2:].tolist() == [[41, 51], [41, 82]]
    assert found.points[1, 3].tolist() == [41, 82]


def test_a_list_of_other_data_is_not_applied_and_that_is_said(labels, tmp_path, caplog):
    path = record(labels, "anna", moved("a.png", "Kinn", None, (41, 82)))
    other = tmp_path / "other"
    other.mkdir()
    for name in ("a.png", "c.png"):
        Image.new("L", (100, 100)).save(other / name)
    lines = [line for line in labels.read_text().splitlines() if "b 1.png" not in line]
    (other / "labels.csv").write_text("\n".join(lines) + "\n")
    found = load(other / "labels.csv", path)
    assert not found.labelled[0, 3]
    assert "anna.jsonl is the change list of labels.csv, and is not applied" in caplog.text
    copied = list_path(other / "labels.csv", "anna")
    copied.parent.mkdir()
    copied.write_bytes(path.read_bytes())
    assert load(other / "labels.csv", copied).labelled[0, 3]
    # The folder that holds the table is the same data.
    assert load(labels.parent, path).labelled[0, 3]


def test_a_list_of_another_scheme_is_refused_and_a_lacking_point_left_out(labels, caplog):
    two = Scheme(name="two", points=("x1", "x2"), mirror=())
    path = record(labels, "anna", moved("a.png", "x1", None, (1, 1)), scheme=two)
    with pytest.raises(DataError, match=r"points are those of two .*--scheme"):
        load(labels, path)
    more = Scheme(name="more", points=(*OWN.points, "ear"), mirror=())
    path = record(labels, "ben", moved("a.png", "ear", None, (1, 1)), scheme=more)
    load(labels, path)
    assert "ear is not a point of the labels" in caplog.text


def test_points_of_images_that_a_tag_turns_are_upright(labels):
    image = Image.open(labels.parent / "a.png")
    exif = image.getexif()
    exif[0x0112] = 6
    image.rotate(90, expand=True).save(labels.parent / "a.png", exif=exif)
    assert ImageOps.exif_transpose(Image.open(labels.parent / "a.png")).size == (100, 100)
    path = record(labels, "anna", moved("a.png", "Kinn", None, (41, 82)))
    reading = nasion.LabelReading(corrections=path, exif="apply")
    assert nasion.load_faces(None, labels, reading=reading).points[0, 3].tolist() == [41, 82]


def test_a_missing_list_is_an_error_of_its_file(labels):
    with pytest.raises(DataError, match=r"nobody.jsonl: the change list cannot be read"):
        load(labels, labels.parent / "nobody.jsonl")
    with pytest.raises(DataError, match="not a change list"):
        load(labels, labels)


def test_the_cache_keeps_what_files_hold_not_what_lists_change(tmp_path, kaggle_folder):
    """Kaggle's table is cached, and so are its similar images, by position."""
    before = nasion.load_faces(None, kaggle_folder)
    face, name = before.ids[3], before.scheme.points[0]
    x, y = map(float, before.points[3, 0])
    path = tmp_path / "anna.jsonl"
    with open_change_list(path, new_header("anna", before.scheme, {})) as opened:
        opened.append(moved(face, name, (x, y), (1, 2)))
        opened.append(flag(before.ids[0], "removed", False, True, "remove"))
        added = {
            ("image", ""): Change(None, before.ids[7]),
            ("points", name): Change(None, (5.0, 6.0, "visible")),
        }
        opened.append(Gesture(f"{before.ids[7]}#2", "add", added, 1))
    train, val = (load(kaggle_folder, path, split=side) for side in ("train", "val"))
    assert len(train) + len(val) == len(before)
    found = load(kaggle_folder, path)
    assert found.ids == (*before.ids[1:], f"{before.ids[7]}#2")
    assert found.points[2, 0].tolist() == [1, 2] and found.points[-1, 0].tolist() == [5, 6]
    np.testing.assert_array_equal(found.images[-1], before.images[7])
    # A picture's faces are on one side.
    side = next(s for s in (train, val) if f"{before.ids[7]}#2" in s.ids)
    assert before.ids[7] in side.ids
    again = nasion.load_faces(None, kaggle_folder)
    np.testing.assert_array_equal(again.points, before.points)
    whole = (nasion.load_faces(None, kaggle_folder, side) for side in ("train", "val"))
    assert sum(map(len, whole)) == len(before)


def test_commands_take_lists_and_name_them_again(labels, tmp_path, monkeypatch, capsys):
    path = record(labels, "anna", moved("a.png", "Kinn", None, (41, 82.5)))
    words = ("--corrections", path)
    code, text = run_command(
        monkeypatch, capsys, "data", "show", labels, "-o", tmp_path / "s.png", *words
    )
    assert code == 0 and "4 have all 4 points" in text and "1 point, 1 face corrected" in text
    code, text = run_command(monkeypatch, capsys, "data", "check", labels, *words)
    assert code == 0, text
    out = tmp_path / "out"
    code, text = run_command(
        monkeypatch, capsys, "data", "convert", labels, out, "--to", "nasion_json", *words
    )
    assert code == 0 and "4 faces in 3 images written" in text
    assert nasion.load_faces(None, out).labelled.all()
    predictions = tmp_path / "p.csv"
    points_csv.write(load(labels, path), predictions)
    counted = []
    for options in ((), words):
        code, text = run_command(
            *(monkeypatch, capsys, "evaluate", "--data", labels, "--predictions", predictions),
            *("--out", tmp_path / "e", "--norm", "rechtes Auge:linkes Auge", *options),
        )
        assert code == 0, text
        scores = json.loads((tmp_path / "e" / "scores.json").read_text())
        counted.append(scores["points"]["Kinn"]["coordinates"])
        assert scores["rmse"] == 0
    assert counted[1] == counted[0] + 2
    reading = nasion.LabelReading(corrections=[path])
    assert as_words(reading) == f" --corrections '{path}'"
    assert reading.change_lists == (path,)
    code, text = run_command(monkeypatch, capsys, "data", "check", labels, *words, *words)
    assert code == 0, text


def test_settings_of_lists_are_paths_or_a_path(tmp_path):
    assert nasion.LabelReading(corrections="a.jsonl").change_lists[0].name == "a.jsonl"
    assert nasion.LabelReading().change_lists == ()
