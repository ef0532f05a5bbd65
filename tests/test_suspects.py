"""An audit's list of suspects: its file, what is listed, and what training leaves out."""

import json
from dataclasses import replace

import numpy as np
import pytest

import nasion
from nasion.data.corrections.change_list import list_path, new_header
from nasion.data.corrections.gestures import Change, Gesture, point_changes
from nasion.data.corrections.writer import open_change_list
from nasion.data.datasets import toy
from nasion.data.suspects import (
    FILE,
    Audit,
    Shift,
    Suspect,
    audit_beside,
    audit_of,
    existing_audit,
    read_audit,
    suspect_of,
    unconfirmed,
    without_suspects,
)
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Predictions


@pytest.fixture
def faces():
    return toy.draw(6, seed=2)


@pytest.fixture
def found(faces):
    """Face 1: points 3 and 4 wrong; face 4: probably nothing."""
    predicted = Predictions(scheme=faces.scheme, ids=faces.ids, points=faces.points + 5)
    chances = np.zeros(len(faces.scheme))
    chances[[3, 4]] = 0.95, 0.4
    both = np.array([3, 4])
    suspects = (
        suspect_of(faces, predicted, 1, "single points", 0.96, both, chances),
        suspect_of(faces, predicted, 4, "shifted", 0.3, both, np.full(len(faces.scheme), 0.3)),
    )
    shift = Shift("source", "b", "nose_tip", 40, (0.02, -0.01), 7.5)
    return Audit(
        "mine", faces.scheme.name, 6, suspects, (shift,), ("shifted",), (("x", "y"),), 0.25
    )


def test_an_audit_is_read_as_it_was_written(found, tmp_path):
    found.write(tmp_path / "mine.audit" / "audit.json")
    assert read_audit(tmp_path / "mine.audit") == found
    assert existing_audit(tmp_path / "mine") == found
    assert existing_audit(tmp_path / "other") is None
    assert audit_beside("a/labels.csv").name == "labels.csv.audit"
    assert audit_beside("toy:60").name == "toy-60.audit"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": 9},
            r"audit.json format: format 9, not 1; write it again with .nasion data audit",
        ),
        ({"suspects": 3}, r"audit.json suspects: "),
        ({"seen": -1}, r"audit.json seen: "),
    ],
)
def test_a_damaged_audit_is_refused_with_its_place(found, tmp_path, change, message):
    (tmp_path / "audit.json").write_text(json.dumps(found.to_json() | change))
    with pytest.raises(DataError, match=message):
        read_audit(tmp_path)


def test_a_suspect_needs_as_many_values_as_points(found, tmp_path):
    value = found.to_json()
    value["suspects"][0]["wrong"] = [0.5]
    (tmp_path / "audit.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"suspects\[0\].wrong: 1 values for 2 points"):
        read_audit(tmp_path)
    with pytest.raises(
        DataError, match="there is no audit; make one with `nasion data audit DATA`"
    ):
        read_audit(tmp_path / "nowhere")


def test_the_list_ends_where_too_many_are_expected_to_be_right():
    def of(chance):
        return Suspect("a", "shifted", chance, (), (), (), ())

    audit = Audit("mine", "s", 9, tuple(map(of, (1.0, 0.9, 0.8, 0.1))))
    # Expected to be right after all: none, 0.05, 0.1, 0.3 of the lists that end there.
    assert [len(audit.listed(share)) for share in (0, 0.05, 0.1001, 0.29, 0.31)] == [1, 2, 3, 3, 4]
    with pytest.raises(SettingError, match=r"max_false must be 0 to below 1, as 0\.1; found 1"):
        audit.listed(1)


def test_only_labels_that_are_more_likely_wrong_than_right_count(found, faces):
    wrong = found.wrong(faces)
    assert np.argwhere(wrong).tolist() == [[1, 3]]
    # A label that was corrected since is another label.
    points = faces.points.copy()
    points[1, 3] += 1
    assert not found.wrong(replace(faces, points=points)).any()


def test_training_goes_without_suspect_labels_also_of_several_datasets(found, faces, caplog):
    caplog.set_level("INFO")
    left = without_suspects(faces, [found])
    assert np.argwhere(faces.labelled & ~left.labelled).tolist() == [[1, 3]]
    assert "Left out as suspect: 1 label in 1 of 6 faces." in caplog.text
    prefixed = replace(faces, ids=tuple(f"csv/{face}" for face in faces.ids))
    assert np.argwhere(~without_suspects(prefixed, [found]).labelled).tolist() == [[1, 3]]


def test_evaluation_tells_the_scores_without_suspect_labels(found, faces):
    points = faces.points.copy()
    points[1, 3] += [30, 40]
    points[..., 0] += 1
    predicted = Predictions(scheme=faces.scheme, ids=faces.ids, points=points)
    result = nasion.evaluate(predicted, faces, norm="outer_eye_corners", audit=found)
    rest = result.without_suspects
    assert rest is not None and (rest.labels, rest.faces) == (1, 1)
    assert rest.scores.rmse == pytest.approx(0.5**0.5, abs=1e-4)
    others = 6 * len(faces.scheme) - 1
    wrong = 31**2 + 40**2
    assert rest.share == pytest.approx(wrong / (wrong + others), abs=1e-4)
    assert result.to_json()["without_suspects"]["labels"] == 1
    assert nasion.evaluate(predicted, faces, norm="outer_eye_corners").without_suspects is None


def test_a_confirmed_point_is_no_suspect_and_a_finished_face_has_none(found):
    face = found.suspects[0].face
    first, *others = found.suspects[0].points
    assert found.without({face: None}).suspects == found.suspects[1:]
    assert found.without({face: frozenset([first])}).suspects[0].points == tuple(others) != ()
    assert found.without({"another": None, face: frozenset(["nowhere"])}) == found


def test_labels_confirmed_in_a_change_list_stay_in_training(found, faces, tmp_path):
    data = tmp_path / "mine"
    found.write(audit_beside(data) / FILE)
    assert not without_suspects(faces, [audit_of(data)]).labelled[1, 3]
    path = list_path(data, "anna")
    confirmed = {("confirmed", ""): Change(None, (faces.scheme.points[3],))}
    with open_change_list(path, new_header("anna", faces.scheme, {})) as changes:
        changes.append(Gesture(faces.ids[1], "confirm", confirmed, 1))
    audit = audit_of(data)
    assert without_suspects(faces, [audit]).labelled.all()


def test_a_label_that_a_list_has_moved_is_right_there_alone(found, faces, tmp_path):
    data, point = tmp_path / "mine", faces.scheme.points[3]
    found.write(audit_beside(data) / FILE)
    x, y = map(float, faces.points[1, 3])
    before, after = (x, y, "visible"), (x + 9, y, "visible")
    path = list_path(data, "anna")
    with open_change_list(path, new_header("anna", faces.scheme, {})) as changes:
        move = Gesture(faces.ids[1], "move", point_changes({point: (before, after)}), 1)
        changes.append(move)
        changes.append(Gesture(faces.ids[1], "done", {("done", ""): Change(False, True)}, 2))
    # Read without the list, the label is still the wrong one.
    assert not without_suspects(faces, [audit_of(data)]).labelled[1, 3]
    corrected = faces.points.copy()
    corrected[1, 3] = after[:2]
    as_listed = replace(faces, points=corrected)
    assert without_suspects(as_listed, [audit_of(data)]).labelled.all()
    # An audit of the corrected labels that suspects it again counts it as confirmed.
    (suspect,) = (each for each in found.suspects if each.face == faces.ids[1])
    at = suspect.points.index(point)
    labels = (*suspect.labels[:at], after[:2], *suspect.labels[at + 1 :])
    again = replace(found, suspects=(replace(suspect, labels=labels),))
    assert not unconfirmed(again, data).suspects


@pytest.mark.parametrize("path", [".", "../mine", "../mine/sub/..", "./"])
def test_an_audit_lies_beside_the_working_folder_too(tmp_path, monkeypatch, path):
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "mine")
    assert audit_beside(path).resolve() == (tmp_path / "mine.audit").resolve()
    assert audit_beside("..").resolve() == tmp_path.with_name(f"{tmp_path.name}.audit").resolve()
    assert existing_audit(path) is None
