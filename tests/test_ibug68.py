"""iBUG's folders: .pts files with and without header, the published folders as splits, photographs
that stay together.
"""

from dataclasses import replace

import numpy as np
import pytest

import nasion
from nasion.data.datasets import ibug68 as folder_reader
from nasion.data.datasets import toy
from nasion.data.datasets._photographs import photograph
from nasion.data.load import load_train_val
from nasion.errors import DataError
from nasion.landmarks.catalog import ibug68

NAMES = (
    "afw/1_1.png",
    "afw/1_2.png",
    "afw/2_1.png",
    "helen/trainset/3_1.png",
    "helen/testset/4_1.png",
    "lfpw/testset/a.png",
    "ibug/a_01.png",
)


@pytest.fixture
def folder(tmp_path):
    faces = replace(toy.draw(len(NAMES), ibug68, seed=5, size=48), ids=NAMES)
    folder_reader.write(faces, tmp_path)
    return tmp_path, faces


def test_a_round_trip_counts_pixels_from_zero(folder):
    found = nasion.load_faces(None, folder[0])
    order = [found.ids.index(name) for name in NAMES]
    np.testing.assert_allclose(found.points[order], folder[1].points, atol=1e-5)
    first = (folder[0] / "afw/1_1.pts").read_text().splitlines()[3].split()
    np.testing.assert_allclose(np.array(first, float) - 1, folder[1].points[0, 0], atol=1e-5)
    np.testing.assert_allclose(found.boxes[:, :2], found.points.min(1))
    assert found.groups["subset"][0] == "afw" and found.linked == ("photograph",)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("all", set(NAMES)),
        ("training", {"afw/1_1.png", "afw/1_2.png", "afw/2_1.png", "helen/trainset/3_1.png"}),
        ("common", {"helen/testset/4_1.png", "lfpw/testset/a.png"}),
        ("challenge", {"ibug/a_01.png"}),
        ("full", {"helen/testset/4_1.png", "lfpw/testset/a.png", "ibug/a_01.png"}),
    ],
)
def test_the_published_folders_are_the_splits(folder, split, names):
    assert set(nasion.load_faces(None, folder[0], split).ids) == names


def test_train_and_val_never_hold_a_test_face_and_split_by_photograph(tmp_path):
    names = [f"afw/{i // 2}_{i % 2 + 1}.png" for i in range(40)] + [
        f"lfpw/testset/image_{i}.png" for i in range(8)
    ]
    folder_reader.write(replace(toy.draw(48, ibug68, seed=5, size=48), ids=tuple(names)), tmp_path)
    train, val = load_train_val(None, tmp_path)
    assert len(train) + len(val) == 40 and not any(
        "testset" in name for name in train.ids + val.ids
    )
    assert not set(train.groups["photograph"]) & set(val.groups["photograph"])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("helen/trainset/12_1.jpg", "helen/trainset/12"),
        ("helen/trainset/12_2_mirror.jpg", "helen/trainset/12"),
        ("lfpw/trainset/image_0003.png", "lfpw/trainset/image_0003"),
        ("anna/01.jpg", "anna/01"),
        ("image_0003_mirror.png", "image_0003"),
    ],
)
def test_faces_of_one_photograph_and_mirror_twins_share_its_name(file, name):
    assert photograph(file) == name


def test_a_stripped_file_reads_as_one_with_a_header(folder):
    file = folder[0] / "afw/1_1.pts"
    before = folder_reader.read(folder[0]).points
    file.write_text("\n".join(line for line in file.read_text().splitlines() if line[0].isdigit()))
    np.testing.assert_array_equal(folder_reader.read(folder[0]).points, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("n_points: 68", "n_points: 60"),
            "afw/1_1.pts: n_points says 60, 68 rows follow",
        ),
        (
            lambda text: text.replace("{\n", "{\n1 2 3\n"),
            "afw/1_1.pts: line 4: '1 2 3', two numbers x y expected",
        ),
        (lambda text: text.replace("{\n", "{\nnan 2\n"), "line 4: 'nan 2', two numbers"),
        (lambda text: "version: 1\nn_points: 1\n{\n1 1\n}", "afw/1_1.pts: 1 point, 68 expected"),
        (lambda text: "version: 1", "afw/1_1.pts: it holds no points"),
    ],
)
def test_a_broken_file_is_refused_by_its_line_and_left_out_on_demand(folder, change, message):
    file = folder[0] / "afw/1_1.pts"
    file.write_text(change(file.read_text()))
    with pytest.raises(DataError) as error:
        folder_reader.read(folder[0])
    assert message in str(error.value)
    faults = []
    assert len(folder_reader.read(folder[0], faults=faults)) == len(NAMES) - 1 and len(faults) == 1


def test_points_without_an_image_are_a_fault(folder):
    (folder[0] / "afw/1_1.png").unlink()
    with pytest.raises(DataError, match=r"afw/1_1.pts: no image of that name beside it"):
        folder_reader.read(folder[0])


def test_the_real_folder_and_its_xml_are_the_same_faces(real_data):
    by_pts = nasion.load_faces(None, real_data / "ibug68")
    by_xml = nasion.load_faces(None, real_data / "ibug68" / "labels_ibug_300W_train.xml")
    assert len(by_pts) == len(by_xml) == 2012 and set(by_pts.groups["subset"]) == {
        "afw",
        "helen",
        "lfpw",
    }
    again = by_xml.subset(by_pts.ids)
    assert (
        np.abs(again.points - by_pts.points).max() <= 0.5001
        and np.abs(again.boxes - by_pts.boxes).max() <= 2
    )


def test_files_that_macos_adds_are_no_labels(folder):
    for name in ("afw/._1_1.pts", "afw/._1_1.png", "._a.pts"):
        (folder[0] / name).write_bytes(b"\x00\x05\x16\x07\xff")
    assert set(nasion.load_faces(None, folder[0]).ids) == set(NAMES)
