"""Stand-ins for missing points, occluded points with negative coordinates, EXIF-turned images."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from helpers import run_command
from PIL import Image, ImageOps

import nasion
from nasion.data.datasets import fkd, points_csv, toy
from nasion.data.datasets import ibug68 as folder_reader
from nasion.data.exif_labels import to_upright
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.discovery import DATASETS
from nasion.errors import DataError, SettingError
from nasion.evaluation.matching import read_predictions
from nasion.landmarks.catalog import ibug68, imm_nose
from nasion.landmarks.faces import Faces


def set_of(folder, points, scheme=ibug68, orientation=None):
    """A table of toy faces with these points, and their images."""
    faces = toy.draw(len(points), scheme, seed=3)
    faces = replace(faces, ids=tuple(f"{i}.jpg" for i in range(len(points))), points=points)
    for i, image in enumerate(faces.images):
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        Image.fromarray(image).save(folder / f"{i}.jpg", exif=exif)
    points_csv.write(faces, folder / "labels.csv")
    return folder / "labels.csv"


@pytest.fixture
def points():
    return toy.draw(6, ibug68, seed=3).points.copy()


@pytest.mark.parametrize("number", [-1, 0, -9999, 9999])
def test_an_impossible_stand_in_is_missing_and_said(tmp_path, points, number, caplog):
    points[1, :9] = number
    points[4, 40] = number
    with caplog.at_level(logging.INFO, "nasion"):
        found = nasion.load_faces(None, set_of(tmp_path, points))
    expected = points.copy()
    expected[1, :9] = expected[4, 40] = np.nan
    np.testing.assert_array_equal(found.points, expected)
    said = f"labels.csv: 10 points of 2 faces at {number} {number} are taken as missing labels"
    assert said in caplog.text and "--missing none" in caplog.text
    # The box holds no stand-in.
    assert (found.boxes[1] > 0).all()


def test_every_number_is_a_place_if_the_user_says_so(tmp_path, points):
    points[1, :9] = -1
    path = set_of(tmp_path, points)
    found = nasion.load_faces(None, path, reading=LabelReading(missing="none"))
    np.testing.assert_array_equal(found.points, points)
    found = nasion.load_faces(None, path, reading=LabelReading(missing="0"))
    np.testing.assert_array_equal(found.points, points)
    found = nasion.load_faces(None, path, reading=LabelReading(missing="0,-1"))
    assert (~found.labelled).sum() == 9


def test_a_corner_of_the_image_where_the_face_is_stays_a_place(tmp_path, points, caplog):
    # A face that leaves its image at the top left, one jaw point at 0 0.
    points[2] -= points[2, 0]
    with caplog.at_level(logging.INFO, "nasion"):
        found = nasion.load_faces(None, set_of(tmp_path, points))
    np.testing.assert_array_equal(found.points, points)
    assert "1 point of 1 face at 0 0 is taken as a place that fits" in caplog.text
    assert "--missing 0" in caplog.text


def test_where_nothing_tells_a_repeated_stand_in_is_missing_and_a_single_one_is_asked(tmp_path):
    points = np.array([[[30, 40]], [[-1, -1]], [[35, 45]], [[-1, -1]]], np.float32)
    found = nasion.load_faces(None, set_of(tmp_path, points, imm_nose), scheme=imm_nose)
    assert found.labelled[:, 0].tolist() == [True, False, True, False]
    path = set_of(tmp_path, points[:3], imm_nose)
    with pytest.raises(DataError, match=r"a point is at -1 -1.*--missing none or --missing -1"):
        nasion.load_faces(None, path, scheme=imm_nose)
    assert "--missing none or --missing -1" in str(
        check(path, LabelReading(scheme=imm_nose)).faults[0]
    )
    reading = LabelReading(missing="-1")
    assert check(path, replace(reading, scheme=imm_nose)).faults == []
    found = nasion.load_faces(None, path, scheme=imm_nose, reading=reading)
    assert found.labelled.sum() == 2


def test_negative_coordinates_of_occluded_points_are_read_at_the_absolute_value(tmp_path, caplog):
    faces = toy.draw(6, ibug68, seed=3)
    negative = faces.points.copy()
    # As MERL-RAV writes them, in pixels from 1: -x - 1, so that the file has the negative number.
    negative[2, 5:8] = -(faces.points[2, 5:8] + 1) - 1
    negative[3, 1:4] = -2
    names = tuple(f"{i}.png" for i in range(6))
    folder_reader.write(replace(faces, ids=names, points=negative), tmp_path)
    with caplog.at_level(logging.INFO, "nasion"):
        found = nasion.load_faces(None, tmp_path)
    expected = faces.points.copy()
    expected[3, 1:4] = np.nan
    np.testing.assert_allclose(found.points, expected, atol=1e-4)
    assert np.argwhere(found.occluded).tolist() == [[2, 5], [2, 6], [2, 7]]
    # Tight around the places, not around the numbers.
    np.testing.assert_allclose(found.boxes[2, :2], expected[2].min(axis=0), atol=1e-4)
    assert "3 points of 1 face with negative coordinates are taken as occluded" in caplog.text


def test_negative_coordinates_of_two_meanings_are_asked(tmp_path, points):
    points[2] -= points[2].mean(axis=0)  # a quarter of this face is beyond the corner
    points[3, 5:8] *= -1
    path = set_of(tmp_path, points)
    with pytest.raises(DataError, match=r"points with negative coordinates 3 fit.*--missing occlu"):
        nasion.load_faces(None, path)
    found = nasion.load_faces(None, path, reading=LabelReading(missing="none"))
    np.testing.assert_array_equal(found.points, points)
    found = nasion.load_faces(None, path, reading=LabelReading(missing="-1,occluded"))
    assert (found.points > -1).any(axis=-1).all()


def test_a_face_beyond_the_corner_alone_keeps_its_places(tmp_path, points):
    points[2] -= points[2].mean(axis=0)
    np.testing.assert_array_equal(nasion.load_faces(None, set_of(tmp_path, points)).points, points)


def test_a_setting_that_is_no_number_is_refused():
    with pytest.raises(SettingError, match=r"--missing nothing: .*a number, as -1, or occluded"):
        LabelReading(missing="nothing")


@pytest.mark.parametrize("number", ["0", "-1"])
def test_kaggles_table_with_stand_ins_keeps_its_annotators(tmp_path, number):
    faces = toy.draw(4, fkd.SCHEME, seed=1)
    missing = np.zeros((4, 15), bool)
    missing[2:] = True
    missing[2:, fkd.SCHEME.index(fkd.FOUR_POINTS)] = False
    fkd.write(toy.hide_labels(faces, missing), tmp_path)
    right = nasion.load_faces("fkd", tmp_path)
    text = (tmp_path / "training.csv").read_text()
    header, *lines = text.splitlines()
    filled = [",".join(cell or number for cell in line.split(",")) for line in lines]
    (tmp_path / "training.csv").write_text("\n".join([header, *filled]))
    found = nasion.load_faces("fkd", tmp_path)
    np.testing.assert_array_equal(found.points, right.points)
    assert found.groups == right.groups and set(found.groups["source"]) == {
        "15 points", "4 points",
    }  # fmt: skip


def test_pixels_that_excel_cut_are_named_as_such(tmp_path):
    faces = toy.draw(2, fkd.SCHEME, seed=1)
    white = np.full_like(np.asarray(faces.images), 255)
    fkd.write(replace(faces, images=white), tmp_path)
    lines = (tmp_path / "training.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:-1], cells[-1][:32767]])
    (tmp_path / "training.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 2: Image has 32,767 characters, at which Excel cuts"):
        nasion.load_faces("fkd", tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_bright_dot_is_where_pillow_turns_it(orientation):
    pixels = np.zeros((5, 7), np.uint8)
    pixels[1, 2] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    y, x = np.argwhere(turned)[0]
    assert to_upright(np.array([[2.0, 1.0]]), orientation, (7, 5)).tolist() == [[x, y]]


UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}  # the orientation that turns back


@pytest.mark.parametrize("orientation", range(2, 9))
def test_labels_of_stored_images_are_noticed_and_turned(tmp_path, points, orientation, caplog):
    size = toy.draw(1, ibug68, seed=3).images.shape[2:0:-1]
    stored = np.stack([to_upright(p.astype(float), UNDO[orientation], size) for p in points])
    path = set_of(tmp_path, stored.astype(np.float32), orientation=orientation)
    with caplog.at_level(logging.INFO, "nasion"):
        found = nasion.load_faces(None, path)
    np.testing.assert_allclose(found.points, points, atol=1e-4)
    assert "labels.csv: 6 of 6 images are turned by an EXIF tag" in caplog.text
    found = nasion.load_faces(None, path, reading=LabelReading(exif="ignore"))
    np.testing.assert_allclose(found.points, points, atol=1e-4)
    found = nasion.load_faces(None, path, reading=LabelReading(exif="apply"))
    np.testing.assert_allclose(found.points, stored, atol=1e-4)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_labels_of_turned_images_stay_as_they_are(tmp_path, points, orientation):
    path = set_of(tmp_path, points, orientation=orientation)
    np.testing.assert_array_equal(nasion.load_faces(None, path).points, points)


def test_labels_of_both_kinds_are_asked(tmp_path, points):
    points[:3] = 95 - points[:3]
    path = set_of(tmp_path, points, orientation=3)
    with pytest.raises(DataError, match=r"3 of their faces stand upright.*--exif ignore"):
        nasion.load_faces(None, path)


def test_the_commands_ask_and_take_the_answer(tmp_path, monkeypatch, capsys):
    points = np.array([[[30, 40]], [[-1, -1]], [[35, 45]]], np.float32)
    path = set_of(tmp_path, points, imm_nose)
    words = ("data", "check", path, "--scheme", "imm_nose")
    code, said = run_command(monkeypatch, capsys, *words)
    assert code == 1 and "--missing none or --missing -1" in said
    code, said = run_command(monkeypatch, capsys, *words, "--missing", "-1")
    assert code == 0
    assert "labels.csv: 1 point of 1 face is a missing label, as --missing says" in said
    assert (
        run_command(monkeypatch, capsys, *words, "--missing", "-1")[1] == said
    )  # once per command
    code, said = run_command(monkeypatch, capsys, *words, "--missing", "none")
    assert code == 0 and "missing labels" not in said
    code, said = run_command(monkeypatch, capsys, *words, "--exif", "turn")
    assert code == 1 and "--exif turn: one of apply, ignore expected" in said


def test_predictions_are_evaluated_on_the_labels_that_are_there(tmp_path, monkeypatch, capsys):
    points = toy.draw(6, ibug68, seed=3).points.copy()
    points_csv.write(
        replace(toy.draw(6, ibug68, seed=3), ids=tuple(f"{i}.jpg" for i in range(6))),
        tmp_path / "p.csv",
    )
    points[1, :9] = -1
    path = set_of(tmp_path, points)
    words = ("evaluate", "--predictions", tmp_path / "p.csv", "--data", path)
    scores, out = tmp_path / "s.json", ("--out", tmp_path / "out")
    code, said = run_command(monkeypatch, capsys, *words, "--json", scores, *out)
    assert code == 0 and "9 points of 1 face at -1 -1 are taken as missing labels" in said
    assert json.loads(scores.read_text())["nme"] == 0
    code, said = run_command(
        monkeypatch, capsys, *words, "--json", scores, "--missing", "none", *out
    )
    assert code == 0 and json.loads(scores.read_text())["nme"] > 1


SIZE = (120, 90)  # pixels; no side is the other, and a percent is no whole number of pixels
TOOLS = ("labelme", "cvat", "label_studio", "yolo_pose")


def written_by(name, folder, points):
    """Labels of ibug68 as this tool writes them, on images that are not square."""
    module = DATASETS.load(name)
    images = folder / module.IMAGE_FOLDER
    images.mkdir(exist_ok=True)
    files = [images / f"{i}.png" for i in range(len(points))]
    for file in files:
        Image.new("L", SIZE).save(file)
    ids = tuple(map(str, range(len(points))))
    faces = Faces(scheme=ibug68, ids=ids, images=tuple(files), points=points)
    return module.write_labels(faces, folder)


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("number", [0, -1])
def test_stand_ins_are_the_numbers_of_the_file_in_tools_that_count_from_a_corner(
    tmp_path, points, name, number, caplog
):
    unit = {"yolo_pose": np.array(SIZE), "label_studio": np.array(SIZE) / 100}.get(name, 1)
    expected = points.copy()
    expected[1, :9] = expected[4, 40] = np.nan
    points[np.isnan(expected).any(axis=-1)] = number * unit - 0.5
    path = written_by(name, tmp_path, points)
    with caplog.at_level(logging.INFO, "nasion"):
        found = nasion.load_faces(None, path)
    np.testing.assert_allclose(found.points, expected, atol=1e-4)
    assert f"10 points of 2 faces at {number} {number} are taken as missing" in caplog.text
    given = nasion.load_faces(None, path, reading=LabelReading(missing=str(number)))
    np.testing.assert_array_equal(given.points, found.points)
    # What is kept is named by the audit.
    kept = check(path, LabelReading(missing="none"))
    told = [each.problem for each in kept.suspects if "which tools write for a" in each.problem]
    assert len(told) == 2 and f"... at {number} {number}, which" in told[0]


@pytest.mark.parametrize("name", TOOLS)
def test_a_point_half_a_pixel_before_the_first_centre_is_no_number_of_its_file(
    tmp_path, points, name
):
    points[1, :9] = -1  # -0.5 in the file
    path = written_by(name, tmp_path, points)
    found = nasion.load_faces(None, path, reading=LabelReading(missing="-1"))
    np.testing.assert_allclose(found.points, points, atol=1e-4)


def test_a_table_that_counts_from_one_has_its_own_stand_ins(tmp_path, points):
    header = ",".join(f"original_{k}_{axis}" for k in range(68) for axis in "xy")
    points[1, :9] = -2  # -1 in a file that counts from 1
    rows = [f"{i}.jpg," + ",".join(map(str, face.ravel() + 1)) for i, face in enumerate(points)]
    set_of(tmp_path, points).unlink()
    path = tmp_path / "train.csv"
    path.write_text("\n".join([f"image_name,{header}", *rows]))
    points[1, :9] = np.nan
    for missing in (None, "-1"):
        found = nasion.load_faces(None, path, reading=LabelReading(scheme=ibug68, missing=missing))
        np.testing.assert_allclose(found.points, points, atol=1e-4)
    # The same of predictions.
    labels = replace(toy.draw(6, ibug68, seed=3), ids=tuple(f"{i}.jpg" for i in range(6)))
    read = read_predictions(path, labels)
    np.testing.assert_allclose(read.points, points, atol=1e-4)
