"""Two people's labels: how far apart they are, what they agree on, and the floor they give."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from corrected_table import NAMES, OWN, flag, load, moved, points_of, record, write_table
from helpers import run_command
from PIL import Image

import nasion
from nasion.data.corrections import merge
from nasion.data.corrections.change_list import read_change_list
from nasion.data.corrections.gestures import Change, Gesture, point_changes
from nasion.data.corrections.people import as_given, matched_faces, of_list
from nasion.data.corrections.writer import open_change_list, write_change_list
from nasion.data.datasets import points_csv
from nasion.errors import NasionError
from nasion.evaluation.disagreement import compare_labels, tolerances
from nasion.evaluation.floor import read_floor
from nasion.landmarks.faces import Faces, Predictions

NORM = "rechtes Auge:linkes Auge"  # 40 pixels in every face


@pytest.fixture
def labels(tmp_path):
    return write_table(tmp_path)


def raw(path):
    return nasion.load_faces(None, path, whole_images=True)


def person(path, data):
    return of_list(read_change_list(path), raw(data), data)


def test_distances_bias_and_points_of_one_only_are_those_of_paper(labels):
    # Anna is 2 px right of Ben at one nose, 4 px at another.
    anna = record(
        labels,
        "anna",
        moved("a.png", "nose tip", (40, 50), (43, 50)),
        moved(NAMES[1], "nose tip", (41, 51), (46, 51)),
        moved("a.png", "Kinn", None, (40, 80)),
    )
    ben = record(
        labels,
        "ben",
        moved("a.png", "nose tip", (40, 50), (41, 50)),
        moved(NAMES[1], "nose tip", (41, 51), (42, 51)),
        moved("c.png", "Kinn", (42, 82), (42, 80)),
    )
    found = compare_labels(person(anna, labels), person(ben, labels), raw(labels), NORM)
    nose = found.points["nose tip"]
    assert nose.spread.count == 2 and nose.spread.pixels == (3.0, pytest.approx(3.8))
    assert nose.spread.percent == pytest.approx((7.5, 9.5))
    assert nose.bias == (1.5, 0.0)
    assert found.points["Kinn"].only == (1, 1) and found.points["Kinn"].spread.count == 0
    assert found.points["rechtes Auge"].spread.count == 0
    overall, by_point = found.norms[NORM]
    assert overall.nme == pytest.approx((2 + 4) / 2 / 40)
    assert by_point["nose tip"].nme == pytest.approx(3 / 40) and np.isnan(by_point["Kinn"].nme)
    value = json.loads(json.dumps(found.to_json()))
    assert value["points"]["nose tip"]["bias_px"] == {"anna": [1.5, 0.0], "ben": [-1.5, 0.0]}


def test_who_is_done_with_a_face_has_seen_its_points(labels):
    anna = record(labels, "anna", moved("a.png", "nose tip", (40, 50), (43, 54)))
    ben = record(labels, "ben", flag("a.png", "done", False, True, "done"))
    found = compare_labels(person(anna, labels), person(ben, labels), raw(labels), NORM)
    # Ben left the nose as it was; the eyes, which nobody touched, show no agreement.
    assert found.overall.spread.count == 1 and found.overall.spread.pixels[0] == 5
    anna = record(labels, "anna", flag("a.png", "done", False, True, "done"))
    found = compare_labels(person(anna, labels), person(ben, labels), raw(labels), NORM)
    assert found.overall.spread.count == 1 and found.untouched == 2


def test_a_face_that_returns_blind_gives_a_persons_own_error(labels):
    again = point_changes({"nose tip": (None, (44.0, 58.0, "visible"))})
    anna = record(
        labels,
        "anna",
        moved("a.png", "nose tip", (40, 50), (41, 54)),
        Gesture("a.png", "place", again, 1, repeat=1),
    )
    data = raw(labels)
    found = compare_labels(person(anna, labels), as_given("labels.csv", data), data, NORM)
    assert found.repeats["anna"].pixels == (5.0, 5.0) and found.repeats["anna"].count == 1
    assert found.repeats["anna"].percent[0] == pytest.approx(12.5)
    # A repeat changes no label.
    assert load(labels, anna).points[0, 2].tolist() == [41, 54]


def added(face, picture, shift):
    points = {
        ("points", name): Change(None, (x + shift, y + shift, "visible"))
        for name, (x, y) in zip(OWN.points, points_of(0).tolist(), strict=True)
    }
    return Gesture(face, "add", {("image", ""): Change(None, picture), **points}, 1)


def test_faces_that_both_add_are_matched_by_where_they_are(labels):
    anna = record(labels, "anna", added("a.png#2", "a.png", 5), added("a.png#3", "a.png", -15))
    ben = record(labels, "ben", added("a.png#2", "a.png", -14), added("a.png#3", "a.png", 8))
    found = compare_labels(person(anna, labels), person(ben, labels), raw(labels), NORM)
    assert found.overall.spread.count == 8
    distances = np.hypot(1, 1), np.hypot(3, 3)
    assert found.overall.spread.pixels[0] == pytest.approx(np.mean(distances), abs=1e-5)
    data = raw(labels)
    lists = [read_change_list(path) for path in (anna, ben)]
    merged = merge.merge(lists, data, labels, np.full(4, 5.0))
    assert not merged.conflicts and [g.face for g in merged.gestures] == ["a.png#2", "a.png#3"]
    first = merged.gestures[0].changes["points", "nose tip"].after
    assert first == (46.5, 56.5, "visible")


def merged_nose_tips(labels, paths):
    """What a merge says of each face: (picture, nose tip), and its conflicts' names."""
    lists = [read_change_list(path) for path in paths]
    merged = merge.merge(lists, raw(labels), labels, np.full(4, 5.0))
    noses = [
        (each.changes["image", ""].after, each.changes["points", "nose tip"].after)
        for each in merged.gestures
        if ("points", "nose tip") in each.changes
    ]
    return sorted(noses), [(each.face, each.name) for each in merged.conflicts]


def test_a_merge_does_not_depend_on_the_order_of_its_lists(labels):
    anna = record(labels, "anna", flag("c.png", "note", "", "dark", "note"))
    ben = record(labels, "ben", added("a.png#2", "a.png", 5))
    cem = record(labels, "cem", added("a.png#2", "a.png", -14), added("a.png#3", "a.png", 6))
    dora = record(labels, "dora", added("a.png#2", "a.png", -15))
    expected = [(25.5, 35.5, "visible"), (45.5, 55.5, "visible")]
    for order in permutations((anna, ben, cem, dora)):
        noses, conflicts = merged_nose_tips(labels, order)
        assert noses == [("a.png", nose) for nose in expected] and not conflicts, order


def test_whether_two_faces_are_the_same_does_not_depend_on_which_comes_first():
    # Two squares around one middle; the distance of their corners is 0.45 of the larger side.
    large = np.float32([[0, 0], [100, 0], [100, 100], [0, 100]])
    small = (large - 50) * (1 - 0.45 * np.sqrt(2)).astype(np.float32) + 50
    flat = np.full_like(large, np.nan)
    flat[0] = 3
    for other in (small, flat):
        one, two = (
            Faces(scheme=OWN, ids=("a.png#2",), images=(Path("a.png"),), points=each[None])
            for each in (large, other)
        )
        assert matched_faces(one, two, set()) == matched_faces(two, one, set()) == [(0, 0)]


def test_a_picture_said_to_have_no_face_and_a_face_on_it_are_a_conflict(labels):
    Image.new("L", (100, 100)).save(labels.parent / "d.png")
    anna = record(labels, "anna", flag("d.png", "no_face", False, True, "no_face"))
    ben = record(labels, "ben", added("d.png", "d.png", 0))
    cem = record(labels, "cem", flag("d.png", "note", "", "dark", "note"))
    for order in permutations((anna, ben, cem)):
        noses, conflicts = merged_nose_tips(labels, order)
        assert noses == [("d.png", (40.0, 50.0, "visible"))]
        assert conflicts == [("d.png", "no_face")]
    assert merged_nose_tips(labels, (anna, cem))[1] == []


def test_a_face_that_was_added_and_taken_back_is_no_version(labels):
    Image.new("L", (100, 100)).save(labels.parent / "d.png")
    gone = flag("d.png", "removed", False, True, "remove")
    anna = record(labels, "anna", added("d.png", "d.png", 9), gone)
    ben = record(labels, "ben", added("d.png", "d.png", 0))
    cem = record(labels, "cem", added("d.png", "d.png", 9))
    with open_change_list(cem, read_change_list(cem).header) as opened:
        opened.undo("d.png")
    for order in permutations((anna, ben, cem)):
        found = merged_nose_tips(labels, order)
        assert found == ([("d.png", (40.0, 50.0, "visible"))], [])
    assert merged_nose_tips(labels, (anna, cem)) == ([], [])


def test_points_of_those_who_keep_a_face_are_merged_beside_the_open_removal(labels):
    move = moved("a.png", "nose tip", (40, 50), (44, 50))
    chins = [moved("a.png", "Kinn", None, (40, y)) for y in (70, 90)]
    gone = flag("a.png", "removed", False, True, "remove")
    box = Gesture("a.png", "box", {("box", ""): Change(None, (10.0, 10.0, 70.0, 90.0))}, 1)
    paths = [
        record(labels, "anna", move, chins[0], box),
        record(labels, "ben", move, chins[1]),
        record(labels, "cem", moved("a.png", "nose tip", (40, 50), (9, 9)), gone),
    ]
    lists = [read_change_list(path) for path in paths]
    merged = merge.merge(lists, raw(labels), labels, np.full(4, 2.0))
    changes = merged.gestures[0].changes
    assert changes["points", "nose tip"].after == (44.0, 50.0, "visible") and merged.agreed == 1
    assert changes["box", ""].after == (10.0, 10.0, 70.0, 90.0)
    versions = {each.name: dict(each.versions) for each in merged.conflicts}
    assert versions == {
        "removed": {"anna": False, "ben": False, "cem": True},
        "Kinn": {"anna": (40.0, 70.0, "visible"), "ben": (40.0, 90.0, "visible")},
    }
    # Who has found points right says that there is a face, too.
    right = Gesture("c.png", "confirm", {("confirmed", ""): Change(None, ("nose tip",))}, 1)
    dora = record(labels, "dora", right)
    emil = record(labels, "emil", flag("c.png", "removed", False, True, "remove"))
    lists = [read_change_list(path) for path in (dora, emil)]
    (conflict,) = merge.merge(lists, raw(labels), labels, np.full(4, 2.0)).conflicts
    assert conflict.name == "removed" and conflict.versions == {"dora": False, "emil": True}


def test_who_is_done_with_a_face_agrees_with_the_box_it_has(tmp_path):
    labels = write_table(tmp_path)
    table = labels.read_text().splitlines()
    rows = [row.replace(",", f",{5 + k},5,70.1234567,90,", 1) for k, row in enumerate(table[1:])]
    head = table[0].replace(",", ",box_x0,box_y0,box_x1,box_y1,", 1)
    labels.write_text("\n".join([head, *rows]) + "\n")
    before = tuple(map(float, raw(labels).boxes[0]))

    def merged_box(after):
        change = {("box", ""): Change(before, after)}
        anna = record(labels, "anna", Gesture("a.png", "box", change, 1))
        ben = record(labels, "ben", flag("a.png", "done", False, True, "done"))
        lists = [read_change_list(path) for path in (anna, ben)]
        for path in (anna, ben):
            path.unlink()
        merged = merge.merge(lists, raw(labels), labels, np.full(4, 2.0))
        changes = merged.gestures[0].changes if merged.gestures else {}
        return changes.get(("box", "")), [dict(each.versions) for each in merged.conflicts]

    other = (30.0, 40.0, 95.0, 99.0)
    assert merged_box(other) == (None, [{"anna": other, "ben": before}])
    near, conflicts = merged_box((before[0] + 2, *before[1:]))
    assert near.after[0] == before[0] + 1 and not conflicts
    assert merged_box(before) == (None, [])


def test_nothing_in_common_is_an_error(labels):
    anna = record(labels, "anna", moved("a.png", "nose tip", (40, 50), (41, 54)))
    ben = record(labels, "ben", moved("c.png", "Kinn", (42, 82), (42, 80)))
    with pytest.raises(NasionError, match="no point in common"):
        compare_labels(person(anna, labels), person(ben, labels), raw(labels), NORM)
    with pytest.raises(NasionError, match="labels of anna"):
        compare_labels(person(anna, labels), person(anna, labels), raw(labels), NORM)


def test_a_merge_takes_the_middle_and_leaves_the_rest_open(labels, tmp_path, caplog):
    anna = record(
        labels,
        "anna",
        moved("a.png", "nose tip", (40, 50), (43, 50)),
        moved("a.png", "Kinn", None, (40, 80)),
        moved(NAMES[1], "Kinn", (41, 81), (41, 85)),
        flag("c.png", "removed", False, True, "remove"),
        flag("a.png", "note", "", "blurred", "note"),
        flag(NAMES[1], "done", False, True, "done"),
    )
    ben = record(
        labels,
        "ben",
        moved("a.png", "nose tip", (40, 50), (42, 51)),
        moved("a.png", "Kinn", None, (50, 90)),
        moved("c.png", "Kinn", (42, 82), (42, 80)),
        flag(NAMES[1], "done", False, True, "done"),
    )
    before = [path.read_bytes() for path in (anna, ben)]
    lists = [read_change_list(path) for path in (anna, ben)]
    limit = tolerances(raw(labels), 5, NORM)
    np.testing.assert_allclose(limit, 2)
    merged = merge.merge(lists, raw(labels), labels, limit)
    open_ones = {(each.face, each.name) for each in merged.conflicts}
    # Ben was done with the second face and left its chin, four pixels from where Anna has it.
    assert open_ones == {("a.png", "Kinn"), (NAMES[1], "Kinn"), ("c.png", "removed")}
    path = tmp_path / "merged.jsonl"
    write_change_list(path, merged.header, merged.gestures)
    assert [each.read_bytes() for each in (anna, ben)] == before
    found = load(labels, path)
    assert found.points[0, 2].tolist() == [42.5, 50.5] and not found.labelled[0, 3]
    assert len(found) == 4 and found.points[1, 3].tolist() == [41, 81]
    assert "people disagree on 3 points or boxes of 3 faces" in caplog.text
    state = read_change_list(path).state.faces["a.png"]
    assert state.open_conflicts == {
        "Kinn": {"anna": (40.0, 80.0, "visible"), "ben": (50.0, 90.0, "visible")}
    }
    assert state.note == "anna: blurred" and not state.done
    with pytest.raises(NasionError, match="there is such a list"):
        write_change_list(path, merged.header, merged.gestures)
    # Whoever decides does so in the merged list, and can take it back.
    with open_change_list(path, merged.header) as opened:
        decided = point_changes({"Kinn": (None, (40.0, 80.0, "visible"))})
        opened.append(Gesture("a.png", "place", decided, 2))
        assert opened.state.faces["a.png"].open_conflicts == {}
        opened.undo("a.png")
        assert "Kinn" in opened.state.faces["a.png"].open_conflicts


def test_three_people_agree_on_the_median_and_marks_must_agree_too(labels):
    lists = []
    for who, x, state in (("a", 42, "visible"), ("b", 43, "visible"), ("c", 43.5, "visible")):
        after = (float(x), 50.0, state)
        mark = "occluded" if who == "c" else "visible"
        path = record(
            labels,
            who,
            moved("a.png", "nose tip", (40, 50), after),
            moved("c.png", "nose tip", (42, 52), (42.0, 52.0, mark))
            if who == "c"
            else moved("c.png", "nose tip", (42, 52), (42.5, 52)),
        )
        lists.append(read_change_list(path))
    merged = merge.merge(lists, raw(labels), labels, np.full(4, 2.0))
    assert merged.gestures[0].changes["points", "nose tip"].after == (43.0, 50.0, "visible")
    assert [(each.face, each.name) for each in merged.conflicts] == [("c.png", "nose tip")]
    with pytest.raises(NasionError, match="two change lists or more"):
        merge.merge(lists[:1], raw(labels), labels, np.full(4, 2.0))
    with pytest.raises(NasionError, match="of one person"):
        merge.merge(lists[:1] * 2, raw(labels), labels, np.full(4, 2.0))


def test_commands_compare_merge_and_show_the_floor(labels, tmp_path, monkeypatch, capsys):
    anna = record(labels, "anna", moved("a.png", "nose tip", (40, 50), (43, 50)))
    ben = record(labels, "ben", moved("a.png", "nose tip", (40, 50), (41, 50)))
    floor = tmp_path / "floor.json"
    norm = ("--norm", NORM)
    words = ("data", "compare", labels, anna, ben, *norm, "--json", floor)
    code, text = run_command(monkeypatch, capsys, *words)
    assert code == 0 and "anna and ben on 1 face" in text and "nose tip" in text, text
    code, text = run_command(monkeypatch, capsys, "data", "merge", labels, anna, ben, *norm)
    assert code == 0 and "1 conflict open" in text and "anna+ben.jsonl" in text, text
    predictions = tmp_path / "p.csv"
    shifted = Predictions(scheme=OWN, ids=("a.png",), points=points_of(0)[None] + 4)
    points_csv.write(shifted, predictions)
    out = tmp_path / "e"
    words = ("evaluate", "--data", labels, "--predictions", predictions, *norm, "--out", out)
    code, text = run_command(monkeypatch, capsys, *words, "--floor", floor)
    assert code == 0 and "annotators differ by" in text and "annotators differ by %" in text, text
    scores = json.loads((out / "scores.json").read_text())
    assert scores["floor"]["overall"]["nme"] == 5.0 and scores["floor"]["people"] == ["anna", "ben"]
    page = (out / "report.html").read_text()
    assert "annotators differ by" in page and "Annotators differ by" in page
    code, text = run_command(
        monkeypatch, capsys, *words[:5], "--out", out, "--norm", "nose tip:Kinn", "--floor", floor
    )
    assert code == 1 and "it has no norm nose tip:Kinn" in text
    (tmp_path / "other.json").write_text("{}")
    code, text = run_command(monkeypatch, capsys, *words, "--floor", tmp_path / "other.json")
    assert code == 1 and "other.json: it has no 'format'" in text and "data compare" in text


def test_two_label_files_of_the_same_images_compare(labels, monkeypatch, capsys):
    other = labels.with_name("ben.csv")
    points = np.stack([points_of(i) for i in range(4)]) + np.float32([0, 2])
    points[3] += 8
    points_csv.write(Predictions(scheme=OWN, ids=NAMES, points=points), other)
    words = ("data", "compare", labels, other, "--norm", NORM)
    code, text = run_command(monkeypatch, capsys, *words)
    assert code == 0 and "ben.csv and labels.csv on 4 faces" in text, text
    assert "2.00" in text and "5.00" in text


def test_a_floor_is_read_as_it_was_written(labels, tmp_path):
    anna = record(labels, "anna", moved("a.png", "nose tip", (40, 50), (43, 50)))
    data = raw(labels)
    found = compare_labels(person(anna, labels), as_given("labels.csv", data), data, NORM)
    path = tmp_path / "floor.json"
    path.write_text(json.dumps(found.to_json()))
    floor = read_floor(path, NORM, OWN.points)
    assert floor.overall.nme == pytest.approx(3 / 40) and floor.people == ("anna", "labels.csv")
    box = read_floor(path, "box", OWN.points)
    assert 0 < box.overall.nme < 3 / 40
    with pytest.raises(NasionError, match="are none of those that are evaluated"):
        read_floor(path, NORM, ("x", "y"))
