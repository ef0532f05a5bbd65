"""IMM: round trips, the published facts of the real set, and the messages of broken files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nasion
from nasion.data.datasets import imm, toy
from nasion.data.load import load_train_val
from nasion.errors import DataError
from nasion.landmarks.catalog import imm58
from nasion.media import images
from nasion.media.images import open_image


@pytest.fixture
def folder(tmp_path):
    faces = replace(
        toy.draw(4, imm58, seed=5, size=64, colour=True), ids=("01-1m", "01-2m", "33-1f", "34-6m")
    )
    imm.write(faces, tmp_path)
    return tmp_path, faces


def test_points_survive_a_round_trip_to_1e_5_pixel(folder):
    found = imm.read(folder[0])
    assert found.ids == folder[1].ids and found.linked == ("person",)
    assert found.groups == {
        "person": ("01", "01", "33", "34"),
        "view": ("frontal", "smiling", "frontal", "any"),
        "gender": ("m", "m", "f", "m"),
    }
    np.testing.assert_allclose(found.points, folder[1].points, atol=1e-4)


def test_persons_from_33_on_validate(folder):
    train, val = load_train_val(None, folder[0])
    assert train.ids == ("01-1m", "01-2m") and val.ids == ("33-1f", "34-6m")


def test_rows_have_seven_or_ten_fields_and_any_white_space(folder):
    file = folder[0] / "01-1m.asf"
    before = imm.read(folder[0]).points
    lines = [
        line.replace("\t", "  ") + "\t1 2 3" if line.count("\t") == 6 else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\r\n".join(lines))
    np.testing.assert_array_equal(imm.read(folder[0]).points, before)


def test_points_are_ordered_by_their_numbers_in_the_file():
    shape = imm.parse("2\n0 0 1.0 1.0 1 0 1\n0 0 0.5 0.25 0 0 1\nx.jpg", Path("x.asf"))
    assert shape.image == "x.jpg"
    np.testing.assert_allclose(shape.points, [[0.5, 0.25], [1, 1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("\n58\n", "\n57\n"), "01-1m.asf: 57 points declared, 58 rows"),
        (lambda text: "", "the file is empty"),
        (
            lambda text: "nothing",
            "01-1m.asf: the number of points is missing; not an .asf file",
        ),
        (
            lambda text: text.replace("0 \t4", "0", 1),
            "01-1m.asf: line 9: 6 fields, 7 or 10 expected",
        ),
        (lambda text: text.replace("\t57 \t", "\t56 \t"), "line 66: point 56 occurs twice"),
        (lambda text: text.replace("\t57 \t", "\t99 \t"), "line 66: point 99 is out of range"),
        (
            lambda text: text.replace("01-1m.jpg", "gone.jpg"),
            "01-1m.asf: it names the image 'gone.jpg', which is not beside it",
        ),
        (
            lambda text: text.replace("0 \t4 \t0.", "0 \t4 \t7.", 1),
            "relative coordinates are fractions",
        ),
    ],
)
def test_a_broken_file_is_refused_by_its_line_and_left_out_on_demand(folder, change, message):
    file = folder[0] / "01-1m.asf"
    file.write_text(change(file.read_text()))
    with pytest.raises(DataError) as error:
        imm.read(folder[0])
    assert message in str(error.value)
    faults = []
    assert (
        imm.read(folder[0], faults=faults).ids == ("01-2m", "33-1f", "34-6m") and len(faults) == 1
    )


def test_all_240_real_faces_are_read(real_data):
    faces = nasion.load_faces(None, real_data / "imm")
    assert len(faces) == 240 and faces.complete.all() and set(faces.groups["gender"]) == {"f", "m"}
    train, val = load_train_val(None, real_data / "imm")
    assert (len(train), len(val)) == (192, 48) and set(val.groups["person"]) == {
        str(i) for i in range(33, 41)
    }
    # Worked by hand from 01-1m.asf: 0.35763609 * 640 - 0.5, 0.64077979 * 480 - 0.5.
    np.testing.assert_allclose(faces.points[0, 0], [228.3871, 307.0743], atol=1e-3)


def test_the_constant_mean_has_the_published_errors(real_data):
    train, val = load_train_val(None, real_data / "imm")
    square = ((val.points - train.points.mean(0)) / [640, 480]) ** 2
    assert square.mean() == pytest.approx(0.00409, abs=5e-6)
    assert square[:, 52].mean() == pytest.approx(0.00509, abs=5e-6)


def test_images_are_decoded_once_however_many_epochs_follow(folder, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        images, "open_image", lambda path, colour: opened.append(path) or open_image(path, colour)
    )
    sides = load_train_val(None, folder[0])
    changes = ["epochs=5", "batch_size=2"]
    nasion.train("imm_face_guduguntla", sides, run_folder=tmp_path / "a", changes=changes)
    # Once for the crops of all faces, once for the record of those that were learnt.
    assert sorted(path.stem for path in opened) == sorted([*folder[1].ids, *sides[0].ids])
    before = len(opened)
    nasion.train("imm_face_guduguntla", sides, run_folder=tmp_path / "b", changes=changes)
    assert len(opened) == before  # all from the cache


@pytest.mark.parametrize(
    ("recipe", "low", "high"),
    [("imm_nose_guduguntla", 0, 1.06e-2), ("imm_nose_guduguntla_ablation", 0.1, 1e3)],
)
def test_a_nose_network_reaches_the_published_loss_and_its_ablation_fails(
    real_data, tmp_path, recipe, low, high
):
    run = nasion.train(recipe, real_data / "imm", run_folder=tmp_path / "run")
    result = nasion.evaluate(run.folder, nasion.load_faces(None, real_data / "imm", "val"))
    assert low < result.overall.mse_relative < high
    best = min(run.state.history, key=lambda row: row["val"])
    assert best["val_loss"] == pytest.approx(result.overall.mse_relative, rel=1e-3)
