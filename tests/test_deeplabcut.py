"""DeepLabCut's tables: one or three columns of the image, individuals, and what is refused."""

import numpy as np
import pytest
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
        (ONE, "no labelled point"),
        (ONE.replace("x,y,x,y", "x,y,x,x"), "Kinn.*each point has one x and one y"),
        (ONE.replace("bodyparts,,,Nase", "bodyparts,,Nase"), "the same number expected"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem):
        deeplabcut.read(write(tmp_path, text))


def test_an_h5_file_alone_is_refused_with_the_table_to_give(tmp_path):
    (tmp_path / "CollectedData_me.h5").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(DataError, match=r"is not read; give CollectedData_me.csv"):
        deeplabcut.read(tmp_path)
