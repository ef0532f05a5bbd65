"""DeepLabCut's tables: one or three columns of the image, individuals, and what is refused."""

import numpy as np
import pytest
from pandas_file import write_h5
from PIL import Image

from nasion.data.datasets import deeplabcut, recognise
from nasion.errors import DataError

ONE = "scorer,,,me,me,me,me\nbodyparts,,,Nase,Nase,Kinn,Kinn\ncoords,,,x,y,x,y\n"
PLAIN = "scorer,me,me,me,me\nbodyparts,Nase,Nase,Kinn,Kinn\ncoords,x,y,x,y\n"
SEVERAL = (
    "scorer,,,me,me,me,me,me,me\nindividuals,,,a,a,a,a,b,b\n"
    "bodyparts,,,Nase,Nase,Kinn,Kinn,Nase,Nase\ncoords,,,x,y,x,y,x,y\n"
)


def write(folder, text, name="CollectedData_me.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    for image in ("a.png", "b.png"):
        Image.new("L", (40, 30)).save(folder / image)
    return folder / name


def test_a_projects_tables_are_read_with_images_beside_them(tmp_path):
    for video in ("one", "two"):
        rows = f"labeled-data,{video},a.png,10.5,20,,\nlabeled-data,{video},b.png,1,2,3,4\n"
        write(tmp_path / "labeled-data" / video, ONE + rows)
    assert recognise(tmp_path) == "deeplabcut"
    faces = deeplabcut.read(tmp_path)
    assert faces.scheme.points == ("Nase", "Kinn") and len(faces) == 4
    # matplotlib's and napari's pixels: centres at integers, as nasion's.
    np.testing.assert_array_equal(faces.points[0], [[10.5, 20], [np.nan, np.nan]])
    assert faces.images[0] == tmp_path / "labeled-data" / "one" / "a.png"
    one = deeplabcut.read(tmp_path / "labeled-data" / "two" / "CollectedData_me.csv")
    assert len(one) == 2 and one.images[1] == tmp_path / "labeled-data" / "two" / "b.png"


def test_the_image_may_be_one_column(tmp_path):
    write(tmp_path / "labeled-data" / "v", "")
    path = tmp_path / "CollectedData.csv"
    path.write_text(PLAIN + "labeled-data/v/a.png,1,2,3,4\n")
    assert recognise(path) == recognise(tmp_path) == "deeplabcut"
    assert deeplabcut.read(tmp_path).images == (tmp_path / "labeled-data" / "v" / "a.png",)


def test_points_of_the_scene_are_of_no_face(tmp_path, caplog):
    """With several individuals, DeepLabCut has one more, single, for what occurs once."""
    text = SEVERAL.replace("a,a,a,a,b,b", "a,a,a,a,single,single")
    lamp = text.replace("Kinn,Kinn,Nase,Nase", "Kinn,Kinn,Lampe,Lampe")
    path = write(tmp_path, lamp + "l,v,a.png,1,2,3,4,5,6\n")
    with caplog.at_level("INFO", "nasion"):
        faces = deeplabcut.read(path)
    assert faces.ids == ("a.png",) and faces.scheme.points == ("Nase", "Kinn")
    assert "of the individual single are of no face" in caplog.text and "Lampe" in caplog.text
    # If it has points as others have, or is the only one, it is a face.
    path = write(tmp_path, text + "l,v,a.png,1,2,3,4,5,6\n")
    assert deeplabcut.read(path).ids == ("a.png", "a.png#2")
    alone = ONE.replace("bodyparts", "individuals,,,single,single,single,single\nbodyparts", 1)
    assert len(deeplabcut.read(write(tmp_path, alone + "l,v,a.png,1,2,3,4\n"))) == 1


def test_individuals_are_faces_and_absent_ones_are_not_there(tmp_path):
    path = write(tmp_path, SEVERAL + "l,v,a.png,1,2,3,4,5,6\nl,v,b.png,,,,,7,8\n")
    faces = deeplabcut.read(path)
    assert faces.ids == ("a.png", "a.png#2", "b.png")
    assert faces.labelled.tolist() == [[True, True], [True, False], [True, False]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ONE + "l,v,a.png,1,x,3,4\n", "CollectedData_me.csv line 4: Nase y is 'x', a number"),
        (ONE + "l,v,a.png,1,,3,4\n", "line 4: half a point: Nase"),
        (ONE + "l,v,a.png,1,2\n", "line 4: has 5 columns, 7 expected"),
        (ONE + "l,v,a.png,1,5,2,5,3,5,4,5\n", "line 4: has 11 columns, 7 expected"),
        (ONE, "no labelled point"),
        (ONE.replace("x,y,x,y", "x,y,x,x"), "Kinn.*each point has one x and one y"),
        (ONE.replace("bodyparts,,,Nase", "bodyparts,,Nase"), "the same number expected"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem):
        deeplabcut.read(write(tmp_path, text))


COLUMNS = [("me", point, axis) for point in ("Nase", "Kinn") for axis in "xy"]
ROWS = [("labeled-data", "v", "a.png"), ("labeled-data", "v", "b.png")]
VALUES = [[10.5, 20, np.nan, np.nan], [1, 2, 3, 4]]


@pytest.mark.parametrize("rows", [ROWS, ["/".join(row) for row in ROWS]])
def test_an_h5_file_alone_gives_what_its_table_gives(tmp_path, rows):
    table = write(tmp_path, ONE + "labeled-data,v,a.png,10.5,20,,\nlabeled-data,v,b.png,1,2,3,4\n")
    expected = deeplabcut.read(table)
    path = write_h5(tmp_path / "CollectedData_me.h5", COLUMNS, rows, VALUES)
    table.unlink()
    assert recognise(tmp_path) == recognise(path) == "deeplabcut"
    for found in (deeplabcut.read(path), deeplabcut.read(tmp_path)):
        assert found.scheme.points == ("Nase", "Kinn") and found.images == expected.images
        np.testing.assert_array_equal(found.points, expected.points)


def test_individuals_of_an_h5_file_are_faces(tmp_path):
    write(tmp_path, "", name="none.txt")
    columns = [("me", who, "Nase", axis) for who in ("a", "b") for axis in "xy"]
    names = ("scorer", "individuals", "bodyparts", "coords")
    path = tmp_path / "CollectedData_me.h5"
    write_h5(path, columns, ROWS, [[1, 2, 3, 4], [np.nan, np.nan, 5, 6]], names)
    assert deeplabcut.read(path).ids == ("a.png", "a.png#2", "b.png")


def test_the_table_goes_before_the_h5_file_of_its_name(tmp_path):
    table = write(tmp_path, ONE + "l,v,a.png,1,2,3,4\n")
    (tmp_path / "CollectedData_me.h5").write_bytes(b"not read")
    for root in (tmp_path, tmp_path / "CollectedData_me.h5", table):
        assert len(deeplabcut.read(root)) == 1
    # One of another name is of other labels.
    write_h5(tmp_path / "CollectedData_you.h5", COLUMNS, ROWS[1:], VALUES[1:])
    assert len(deeplabcut.read(tmp_path)) == 2


def test_an_h5_file_that_cannot_be_read_says_which_table_to_give(tmp_path):
    h5py = pytest.importorskip("h5py")
    write(tmp_path, "", name="none.txt")
    path = tmp_path / "CollectedData_me.h5"
    remedy = "give CollectedData_me.csv, which DeepLabCut writes beside it"

    def refused(problem):
        with pytest.raises(DataError, match=f"(?s){problem}.*{remedy}"):
            deeplabcut.read(path)

    path.write_bytes(b"\x89HDF\r\n")
    refused("")
    with h5py.File(path, "w") as file:
        file.create_group("other")
    refused("0 tables in pandas' fixed format")
    write_h5(path, COLUMNS, ROWS, VALUES)
    with h5py.File(path, "a") as file:
        file["df_with_missing/axis0_label1"][0] = 7
    refused("axis0_label1 has numbers that none of 2 names has")
    write_h5(path, COLUMNS, ROWS, [row[:3] for row in VALUES])
    refused(r"block0_values has the shape \(2, 3\), \(2, 4\) expected")
    # Objects are pickled; they stay as they are.
    write_h5(path, COLUMNS, ROWS, VALUES)
    with h5py.File(path, "a") as file:
        del file["df_with_missing/axis0_level1"]
        kind = h5py.vlen_dtype(np.uint8)
        pickled = file.create_dataset("df_with_missing/axis0_level1", (1,), dtype=kind)
        pickled[0] = np.zeros(3, np.uint8)
    refused("axis0_level1 holds no plain names")
