"""Datasets of HDF5 files are checked before they are read: kind, size, and texts' lengths."""

import numpy as np
import published_sets
import pytest
from pandas_file import write_h5

from nasion.data.datasets import cofw, deeplabcut, sleap, toy
from nasion.data.datasets._hdf5 import attribute
from nasion.errors import DataError

h5py = pytest.importorskip("h5py")
TYPE = np.dtype("f8")
NAME = "COFW_train_color.mat"


def replace_by(file, name, value):
    del file[name]
    file[name] = value


def terabytes(file, name, dtype="f8", shape=(87, 1 << 40)):
    del file[name]
    file.create_dataset(name, shape, dtype, chunks=(1, 1024))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: replace_by(f, "phisTr", TYPE), "phisTr holds no plain numbers"),
        (lambda f: f.move("#refs#", "x") or replace_by(f, "phisTr", f["x"]), "phisTr holds no"),
        (lambda f: replace_by(f, "bboxesTr", [[b"text"]]), "bboxesTr holds no plain numbers"),
        (lambda f: replace_by(f, "IsTr", [[1.0, 2.0]]), "IsTr holds no plain texts or references"),
        (lambda f: replace_by(f, "IsTr", [["a", "b"]]), "IsTr has no references to images"),
        (lambda f: terabytes(f, "phisTr"), r"phisTr has the shape \(87, 1099511627776\)"),
        (lambda f: replace_by(f, "phisTr", h5py.Empty("f8")), "phisTr has the shape None"),
        (lambda f: f.__delitem__("phisTr"), "it has no phisTr; it has #refs#, IsTr, bboxesTr"),
        (lambda f: replace_by(f, "#refs#/0", TYPE), "face 1: its image holds no plain numbers"),
        (lambda f: terabytes(f, "#refs#/0", "u1"), "face 1: its image has the shape"),
        (lambda f: f["IsTr"].__setitem__((0, 0), h5py.Reference()), "face 1: its image holds no"),
    ],
)  # fmt: skip
def test_cofw_takes_datasets_alone(tmp_path, change, problem):
    published_sets.write_cofw(tmp_path, 2)
    with h5py.File(tmp_path / NAME, "a") as file:
        change(file)
    with pytest.raises(DataError, match=rf"{NAME}:? {problem}"):
        cofw.read(tmp_path)


def test_a_box_that_has_no_area_in_float32_is_a_fault_of_its_face(tmp_path):
    published_sets.write_cofw(tmp_path, 2)
    with h5py.File(tmp_path / NAME, "a") as file:
        file["bboxesTr"][:, 1] = [3e6, 4, 0.01, 55]
    with pytest.raises(DataError, match=rf"{NAME} face 2: a box of 0\.01 x 55 pixels, above 0"):
        cofw.read(tmp_path)
    faults = []
    assert len(cofw.read(tmp_path, faults=faults)) == 1 and len(faults) == 1


def frames_of_names(file):
    fields = [("video", "S3"), *((name, "u8") for name in ("frame_idx", "frame_id"))]
    replace_by(file, "frames", np.zeros(2, fields))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: replace_by(f, "points", TYPE), "points holds no plain table"),
        (lambda f: terabytes(f, "points"), "points has the shape"),
        (lambda f: replace_by(f, "videos_json", [1.0]), "videos_json holds no plain names"),
        (frames_of_names, "its frames have no numbers 'video'"),
        (lambda f: f["metadata"].attrs.__setitem__("format_id", [1, 2]), "format_id is no single"),
        (lambda f: f["metadata"].attrs.__setitem__("json", 7), "json is no single text"),
    ],
)  # fmt: skip
def test_sleap_takes_tables_alone(tmp_path, change, problem):
    faces = published_sets.in_files(
        toy.draw(2, seed=3, size=64), tmp_path / "images", ["a.png", "b.png"]
    )
    sleap.write_labels(faces, tmp_path)
    with h5py.File(tmp_path / "labels.slp", "a") as file:
        change(file)
    with pytest.raises(DataError, match=rf"labels\.slp: {problem}.*save it in SLEAP again"):
        sleap.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t["axis0_level1"].attrs.__setitem__("name", "vary"), "name is no single text"),
        (lambda t: t.attrs.__setitem__("nblocks", b"1"), "nblocks is no single number"),
        (lambda t: replace_by(t, "block0_values", TYPE), "block0_values holds no plain numbers"),
        (lambda t: terabytes(t, "block0_values"), "block0_values has the shape"),
    ],
)
def test_tables_of_pandas_have_texts_of_one_length(tmp_path, change, problem):
    columns = [("me", "nose", axis) for axis in "xy"]
    path = write_h5(tmp_path / "CollectedData_me.h5", columns, ["a.png"], [[1, 2]])
    with h5py.File(path, "a") as file:
        change(file["df_with_missing"])
    with pytest.raises(DataError, match=rf"CollectedData_me\.h5: .*{problem}.*; give"):
        deeplabcut.read(path)


def test_an_attribute_is_a_single_value_or_none(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.update({"n": np.uint8(7), "text": np.bytes_(b"abc"), "none": h5py.Empty("S1")})
        assert attribute(file, "n", "iu") == 7 and attribute(file, "text", "S") == b"abc"
        assert attribute(file, "none", "S") is None and attribute(file, "other", "S") is None
