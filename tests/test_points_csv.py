"""Tables of points as several authors lay them out, and tables of boxes."""

import numpy as np
import pytest

import nasion
from nasion.data.datasets import points_csv, toy
from nasion.data.datasets._points_table import read_boxes
from nasion.errors import DataError
from nasion.landmarks.catalog import fkd15, ibug68, wflw98


@pytest.mark.parametrize("form", ["{}", "part_{}_{}", "p{}_{}"])
def test_numbered_columns_of_each_author_are_the_same_points(tmp_path, form):
    faces = toy.draw(3, ibug68, seed=1)
    columns = (
        [form.format(i) for i in range(136)]
        if form == "{}"
        else [form.format(k, axis) for k in range(68) for axis in "xy"]
    )
    rows = [
        ",".join([name, *map(str, points.reshape(-1).tolist())])
        for name, points in zip("abc", faces.points, strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join([",".join(["image_name", *columns]), *rows]))
    for asked in (None, ibug68, fkd15, wflw98):  # the header's 68 points tell
        found = nasion.load_faces("points_csv", tmp_path / "t.csv")
        assert points_csv.read(tmp_path / "t.csv", scheme=asked).scheme is ibug68
        np.testing.assert_allclose(found.points, faces.points, rtol=1e-6)


def test_boxes_of_several_faces_of_an_image_are_read(tmp_path):
    (tmp_path / "b.csv").write_text(
        "face,box_x0,box_y0,box_x1,box_y1\na/x.jpg,1,2,3,4\na/x.jpg,5,6,7,8.5\n"
    )
    names, boxes = read_boxes(tmp_path / "b.csv")
    assert names == ["a/x.jpg", "a/x.jpg"] and boxes.tolist() == [
        [1, 2, 3, 4],
        [5, 6, 7, 8.5],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "b.csv line 1: columns box_x0, box_y0, box_x1, box_y1 expected"),
        (
            "face,box_x0,box_y0,box_x1,box_y1\nx,1,2,3,1\n",
            "b.csv line 2: four numbers with x1 above x0",
        ),
        ("face,box_x0,box_y0,box_x1,box_y1\nx,1,2,3\n", "b.csv line 2: four numbers"),
    ],
)
def test_a_broken_table_of_boxes_is_refused_by_its_line(tmp_path, text, message):
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(DataError) as error:
        read_boxes(tmp_path / "b.csv")
    assert message in str(error.value)


def test_the_tutorials_and_udacitys_real_tables(real_data):
    tutorial = nasion.load_faces(None, real_data / "samples" / "tutorial_faces")
    assert (
        len(tutorial) == 69
        and tutorial.scheme is ibug68
        and all(picture.is_file() for picture in tutorial.images)
    )
    frames = nasion.load_faces(None, real_data / "udacity68")
    assert len(frames) == 3379 and frames.scheme is ibug68 and frames.linked == ("person",)
    assert (
        all(picture.is_file() for picture in frames.images[:50])
        and frames.groups["person"][0] == "Luis_Fonsi"
    )
