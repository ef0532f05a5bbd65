"""Suffixes of label files in capitals, as cameras' cards and older systems write them."""

from dataclasses import replace

import numpy as np
import published_sets
import pytest

import nasion
from nasion.data import convert as conversion
from nasion.data import datasets
from nasion.data.datasets import ibug68, imm, points_csv, toy
from nasion.errors import SettingError
from nasion.landmarks.catalog import imm58
from nasion.prediction_formats import pts


def with_capitals(folder, *suffixes):
    """Rename the label files that end so; how many there were."""
    files = [path for path in folder.rglob("*") if path.suffix in suffixes]
    for path in files:
        path.rename(path.with_suffix(path.suffix.upper()))
    return len(files)


def assert_same(found, expected):
    assert found.ids == expected.ids and found.images == expected.images
    np.testing.assert_array_equal(found.points, expected.points)


@pytest.mark.parametrize(
    "name", ["cfp", "fgnet", "helen", "lapa", "mat3d", "merl_rav", "webmorph", "imm", "ibug68"]
)
def test_published_sets_are_read_with_suffixes_in_capitals(name, tmp_path):
    suffix = {"mat3d": ".mat", "webmorph": ".tem", "imm": ".asf", "cfp": ".txt", "helen": ".txt"}
    if name == "imm":
        ids = ("01-1m", "01-2m", "33-1f", "34-6m")
        imm.write(replace(toy.draw(4, imm58, seed=5, size=64), ids=ids), tmp_path)
    elif name == "ibug68":
        faces = toy.draw(2, nasion.scheme_named("ibug68"), seed=1, size=64)
        ibug68.write(replace(faces, ids=("afw/1.png", "afw/ü.jpg")), tmp_path)
    else:
        published_sets.WRITERS[name](tmp_path, 4)
    expected = nasion.load_faces(None, tmp_path)
    labels = suffix.get(name, ".txt" if name == "lapa" else ".pts")
    (tmp_path / "testnames.txt").unlink(missing_ok=True)
    assert with_capitals(tmp_path, labels) >= 2
    assert datasets.recognise(tmp_path) == name
    assert_same(nasion.load_faces(None, tmp_path), expected)


@pytest.mark.parametrize(
    "form", ["coco", "cvat", "imglab", "label_studio", "labelme", "nasion_json", "yolo_pose"]
)
def test_formats_are_read_with_suffixes_in_capitals(form, tmp_path):
    from PIL import Image

    faces = replace(toy.draw(3, size=64, seed=2), ids=("a.png", "b.png", "c.png"))
    source = tmp_path / "source"
    source.mkdir()
    for name, image in zip(faces.ids, faces.images, strict=True):
        Image.fromarray(np.asarray(image)).save(source / name)
    points_csv.write(faces, source / "labels.csv")
    done = conversion.convert(source / "labels.csv", tmp_path / "done", form).data
    expected = nasion.load_faces(None, done)
    assert with_capitals(tmp_path / "done", ".json", ".xml", ".txt", ".yaml")
    renamed = done if done.is_dir() else done.with_suffix(done.suffix.upper())
    assert datasets.recognise(renamed) == form
    assert_same(nasion.load_faces(None, renamed), expected)


@pytest.mark.parametrize("suffix", [".Jpg", ".JPEG", ".Png"])
def test_images_beside_pts_files_have_suffixes_in_any_case(tmp_path, suffix):
    faces = toy.draw(1, nasion.scheme_named("ibug68"), size=64)
    ibug68.write(replace(faces, ids=("a.png",)), tmp_path)
    (tmp_path / "a.png").rename(tmp_path / f"a{suffix}")
    assert nasion.load_faces(None, tmp_path).ids == (f"a{suffix}",)


def test_a_file_of_pts_names_the_folder_and_a_folder_is_not_told_to_be_one(tmp_path):
    faces = toy.draw(1, nasion.scheme_named("ibug68"), size=64)
    ibug68.write(replace(faces, ids=("A.png",)), tmp_path)
    (tmp_path / "A.png").rename(tmp_path / "A.PNG")
    with_capitals(tmp_path, ".pts")
    assert nasion.load_faces(None, tmp_path).ids == ("A.PNG",)
    scheme, found = pts.read(tmp_path, faces.scheme)
    assert [face.image for face in found] == ["A"] and scheme == faces.scheme
    with pytest.raises(SettingError, match=r"a \.pts file is given by its folder"):
        nasion.load_faces(None, tmp_path / "A.PTS")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("face.asf", r"it holds face.asf; IMM's .asf files are named as 01-1m.asf"),
        ("face.mat", r"with the same name \(.jpg, .png\) beside them"),
        ("face.TXT", r"CFP's, HELEN's, LaPa's and MTFL's are read"),
        ("face.yaml", "one YAML file with kpt_shape"),
    ],
)
def test_a_folder_of_other_files_is_told_what_they_lack(tmp_path, name, reason):
    (tmp_path / name).write_text("1")
    with pytest.raises(SettingError, match=reason):
        nasion.load_faces(None, tmp_path)
