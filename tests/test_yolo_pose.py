"""YOLO's pose labels: fractions, visibility, names, mirror pairs, splits, and what is refused."""

import logging
import re

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import recognise, yolo_pose
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces, load_train_val
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import fkd15, ibug68

BOX = "0.5 0.5 0.4 0.6"


def write(folder, labels, config="kpt_shape: [2, 3]", splits="train: images"):
    """Images of 100 x 50 pixels with these labels by their names, and a data.yaml."""
    for name, rows in labels.items():
        image = folder / f"{name}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (100, 50), len(name)).save(image)
        label = folder / f"{name.replace('images', 'labels')}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(rows)
    (folder / "data.yaml").write_text(f"{splits}\n{config}\nnames:\n  0: face\n", encoding="utf-8")
    return folder / "data.yaml"


def test_fractions_are_of_the_image_from_edge_to_edge(tmp_path):
    path = write(tmp_path, {"images/a": f"# comment\n0 {BOX} 0.25 0.5 2 0.5 0.1 1\n"})
    assert recognise(path) == recognise(tmp_path) == "yolo_pose"
    faces = yolo_pose.read(path)
    np.testing.assert_allclose(faces.points, [[[24.5, 24.5], [49.5, 4.5]]], atol=1e-5)
    np.testing.assert_allclose(faces.boxes, [[29.5, 9.5, 69.5, 39.5]], atol=1e-5)
    assert faces.occluded is not None and faces.occluded.tolist() == [[False, True]]
    assert faces.scheme.points == ("0", "1") and faces.ids == ("images/a.jpg",)


def test_visibility_zero_and_two_zeros_are_missing(tmp_path):
    path = write(tmp_path, {"images/a": f"0 {BOX} 0.3 0.3 0 0.5 0.1 2"})
    assert yolo_pose.read(path).labelled.tolist() == [[False, True]]
    path = write(tmp_path, {"images/a": f"0 {BOX} 0 0 0.5 0.1"}, "kpt_shape: [2, 2]")
    assert yolo_pose.read(path).labelled.tolist() == [[False, True]]


def test_a_class_may_be_written_with_decimals(tmp_path):
    path = write(tmp_path, {"images/a": f"0.000000 {BOX} 0.3 0.3 2 0.5 0.1 2"})
    assert yolo_pose.read(path).labelled.all()


@pytest.mark.parametrize(
    "names",
    ['[["linkes Auge", "nose"]]', '{0: ["linkes Auge", "nose"]}', '["linkes Auge", nose]'],
)
def test_points_have_the_names_pairs_and_edges_of_the_file(tmp_path, names):
    config = f"kpt_shape: [2, 3]\nkpt_names: {names}\nflip_idx: [1, 0]\nskeleton: [[0, 1]]"
    faces = yolo_pose.read(write(tmp_path, {"images/a": f"0 {BOX} 0.3 0.3 2 0.5 0.1 2"}, config))
    pair = ("linkes Auge", "nose")
    assert faces.scheme.points == pair
    assert faces.scheme.mirror == (pair,) and faces.scheme.edges == (pair,)


def test_numbered_points_are_a_known_scheme_only_if_they_mirror_alike(tmp_path):
    row = " ".join(["0", BOX, *["0.3 0.3 2"] * 68])
    flip = ibug68.flip.tolist()
    config = f"kpt_shape: [68, 3]\nflip_idx: {flip}"
    assert yolo_pose.read(write(tmp_path, {"images/a": row}, config)).scheme == ibug68
    config = f"kpt_shape: [68, 3]\nflip_idx: {list(range(67, -1, -1))}"
    other = yolo_pose.read(write(tmp_path, {"images/a": row}, config)).scheme
    assert other.points[0] == "0" and other.mirror[0] == ("0", "67")


def test_splits_are_those_of_the_file(tmp_path):
    row = f"0 {BOX} 0.3 0.3 2 0.5 {{}} 2"
    labels = {
        f"{side}/images/{k}": row.format(k / 9) for side in ("train", "valid") for k in (1, 2)
    }
    # As Roboflow writes paths of folders beside the file.
    splits = "train: ../train/images\nval: ../valid/images\ntest: ../test/images"
    (tmp_path / "test" / "images").mkdir(parents=True)
    path = write(tmp_path, labels, splits=splits)
    assert yolo_pose.splits(path) == ("all", "train", "val")
    train, val = load_train_val(None, path)
    assert train.ids == ("train/images/1.jpg", "train/images/2.jpg")
    assert val.ids == ("valid/images/1.jpg", "valid/images/2.jpg")
    assert len(load_faces(None, path)) == 4
    with pytest.raises(SettingError, match="No split 'test' in yolo_pose; it has all, train, val"):
        load_faces(None, path, "test")


def test_a_validation_set_that_is_the_training_set_is_none(tmp_path):
    labels = {f"images/{k}": f"0 {BOX} 0.3 0.3 2 0.{k} 0.1 2" for k in range(1, 8)}
    path = write(tmp_path, labels, splits="path: .\ntrain: images\nval: images")
    assert yolo_pose.splits(path) == ("all",)
    assert not set(yolo_pose.read(path).ids) - {f"images/{k}.jpg" for k in range(1, 8)}


def test_a_split_may_be_a_list_of_images(tmp_path):
    labels = {f"images/{k}": f"0 {BOX} 0.3 0.3 2 0.{k} 0.1 2" for k in (1, 2)}
    path = write(tmp_path, labels, splits="train: train.txt")
    (tmp_path / "train.txt").write_text("./images/2.jpg\n\n")
    assert yolo_pose.read(path, "train").ids == ("images/2.jpg",)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x" * 300, "300 bytes; file names have at most 255"),
        ("/".join(["x" * 203] * 20) + "/y.jpg", "File name too long"),
        ("a\0.jpg", "has a NUL character"),
    ],
)
def test_a_line_of_a_list_that_names_no_file_is_refused_with_its_number(tmp_path, line, problem):
    path = write(tmp_path, {"images/a": f"0 {BOX} 0.3 0.3 2 0.5 0.1 2"}, splits="train: train.txt")
    (tmp_path / "train.txt").write_text(f"images/a.jpg\n{line}\n")
    words = f"train.txt line 2: .*{problem}.*the name of an image expected"
    with pytest.raises(DataError, match=words):
        yolo_pose.read(path)
    (fault,) = check(path).faults
    assert re.search(words, str(fault))


def test_lines_of_a_list_that_name_no_file_are_left_out_on_request(tmp_path):
    labels = {f"images/{k}": f"0 {BOX} 0.3 0.3 2 0.{k} 0.1 2" for k in (1, 2)}
    path = write(tmp_path, labels, splits="train: train.txt\nval: val.txt")
    (tmp_path / "train.txt").write_text(f"images/1.jpg\n{'x' * 300}\n")
    (tmp_path / "val.txt").write_text("images/2.jpg\n")
    faults = []
    assert yolo_pose.read(path, faults=faults).ids == ("images/1.jpg", "images/2.jpg")
    assert [fault.place for fault in faults] == [f"{tmp_path}/train.txt line 2"]
    train, val = load_train_val("yolo_pose", path, reading=LabelReading(skip_faults=True))
    assert (train.ids, val.ids) == (("images/1.jpg",), ("images/2.jpg",))


@pytest.mark.parametrize("key", ["train", "path"])
def test_a_folder_whose_name_is_too_long_is_not_there(tmp_path, key):
    path = write(tmp_path, {"images/a": f"0 {BOX} 0.3 0.3 2 0.5 0.1 2"}, splits="val: images")
    path.write_text(f"{path.read_text()}\n{key}: {'/'.join(['x' * 203] * 20)}\n")
    if key == "path":
        assert len(yolo_pose.read(path)) == 1  # as of one from another machine
    else:
        with pytest.raises(DataError, match="no folder or list"):
            yolo_pose.read(path)


def test_aliases_are_read_and_refused_where_they_multiply(tmp_path):
    path = write(tmp_path, {"images/a": f"0 {BOX} 0.3 0.3 2 0.5 0.1 2"})
    path.write_text("train: &here images\nval: *here\nkpt_shape: [2, 3]\nnames: [face]\n")
    assert len(yolo_pose.read(path)) == 1
    ten = ", ".join(["*a{0}"] * 10)
    rows = ["a0: &a0 [1, 2]", *(f"a{k + 1}: &a{k + 1} [{ten.format(k)}]" for k in range(7))]
    merged = ["m0: &m0 {k: 1}"]
    merged += [f"m{k + 1}: &m{k + 1} {{<<: [{', '.join([f'*m{k}'] * 10)}]}}" for k in range(7)]
    for more in (rows, merged, ["a: &a [*a]"], ["a: &a {<<: *a}"]):
        path.write_text("\n".join(["train: images", "kpt_shape: [2, 3]", *more]))
        with pytest.raises(DataError, match=r"data.yaml: .*its aliases \(\*\) stand for"):
            yolo_pose.read(path)


def test_points_that_are_all_marked_as_hidden_are_not(tmp_path, caplog):
    row = " ".join(["0", BOX, *["0.3 0.3 1"] * 20])
    with caplog.at_level(logging.INFO, logger="nasion"):
        faces = yolo_pose.read(write(tmp_path, {"images/a": row}, "kpt_shape: [20, 3]"))
    assert faces.occluded is None and "says nothing" in caplog.text


@pytest.mark.parametrize(
    ("rows", "config", "problem"),
    [
        (f"0 {BOX} 1 2", "kpt_shape: [2, 3]", "a.txt line 1: 7 numbers; 11 expected.*kpt_shape"),
        (f"0 {BOX} 0.1 x 2 1 1 2", "kpt_shape: [2, 3]", "line 1: 'x', a number expected"),
        (f"0 {BOX} 30 40 2 310 20 2", "kpt_shape: [2, 3]", "310 found; fractions"),
        (f"0 {BOX} 0.1 0.1 3 0 0 0", "kpt_shape: [2, 3]", "visibility 3 found"),
        ("0 0.5 0.5 0 0.2 0.1 0.1 2 0 0 0", "kpt_shape: [2, 3]", "above 0 expected"),
        ("", "kpt_shape: [2, 4]", r"data.yaml kpt_shape: \[2, 4\] found"),
        ("", "kpt_shape: [2, 3]\nflip_idx: [1]", "flip_idx: 1 numbers, 2 expected"),
        ("", "kpt_shape: [3, 3]\nflip_idx: [1, 2, 0]", "point 0 mirrors to 1.*pairs expected"),
        ("", "kpt_shape: [2, 3]\nkpt_names: [a]", "kpt_names: 1 names"),
        ("", "kpt_shape: [2, 3", "data.yaml: not YAML"),
        ("", "kpt_shape: [2, 3]", "none of 1 images has a label"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(tmp_path, rows, config, problem):
    with pytest.raises(DataError, match=problem):
        yolo_pose.read(write(tmp_path, {"images/a": rows}, config))


ROWS = f"0 {BOX} 0.1 0.3 2 0.5 0.1 2\n1 {BOX} 0.3 0.3 2 0.5 0.1 2\n1 {BOX} 0.4 0.3 2 0.5 0.2 2\n"


@pytest.mark.parametrize("names", ["names: [hand, Face]", "names:\n  0: hand\n  1: face"])
def test_of_several_classes_the_one_called_face_is_read(tmp_path, names, caplog):
    points = "kpt_names: {0: [wrist, thumb], 1: [eye, nose]}"
    path = write(tmp_path, {"images/a": ROWS})
    path.write_text(f"train: images\nkpt_shape: [2, 3]\n{names}\n{points}\n")
    with caplog.at_level(logging.INFO, "nasion"):
        faces = yolo_pose.read(path)
    assert len(faces) == 2 and faces.scheme.points == ("eye", "nose")
    assert "rows of other classes than face (class 1) are left out: 1." in caplog.text


def test_several_classes_of_which_none_is_called_face_are_all_read_and_said(tmp_path, caplog):
    path = write(tmp_path, {"images/a": ROWS})
    path.write_text("train: images\nkpt_shape: [2, 3]\nnames: [cat, dog]\n")
    assert len(yolo_pose.read(path)) == 3
    assert "its rows are of 2 classes (0: 1, 1: 2), and none is called face" in caplog.text


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = write(tmp_path, {"images/a": ""}, splits="train: pictures")
    with pytest.raises(DataError, match=r"data.yaml train: no folder or list 'pictures' at"):
        yolo_pose.read(path)


def test_a_scheme_that_is_asked_for_names_numbered_points(tmp_path):
    row = " ".join(["0", BOX, *["0.3 0.3 2"] * 15])
    path = write(tmp_path, {"images/a": row}, "kpt_shape: [15, 3]")
    assert yolo_pose.read(path, scheme=fkd15).scheme == fkd15
