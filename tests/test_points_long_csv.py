"""Tables of one row per point: columns by their names, dialects, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import points_long_csv, recognise
from nasion.errors import DataError
from nasion.landmarks.catalog import fkd15

ROWS = [
    ("a.png", "Auge links", "10.5", "11"),
    ("a.png", "Nase", "20", "21.25"),
    ("b.png", "Nase", "1", "2"),
]


def write(folder, text, encoding="utf-8"):
    for name in ("a.png", "b.png"):
        Image.new("L", (40, 30)).save(folder / name)
    (folder / "t.csv").write_text(text, encoding=encoding)
    return folder / "t.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [".", ","])
def test_every_dialect_is_read_the_same(tmp_path, separator, encoding, mark):
    if separator == mark:
        return
    rows = [("Image", "Landmark", "X", "Y"), *ROWS]
    lines = [separator.join((*r[:2], *(v.replace(".", mark) for v in r[2:]))) for r in rows]
    path = write(tmp_path, "\r\n".join(lines) + "\r\n", encoding)
    assert recognise(path) == recognise(tmp_path) == "points_long_csv"
    faces = points_long_csv.read(path)
    assert faces.scheme.points == ("Auge links", "Nase")
    expected = [[[10.5, 11], [20, 21.25]], [[np.nan, np.nan], [1, 2]]]
    np.testing.assert_array_equal(faces.points, expected)
    assert faces.images == (tmp_path / "a.png", tmp_path / "b.png")


def table(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def test_faces_of_one_image_are_told_apart_by_a_column(tmp_path):
    rows = ("a.png,2,eye,1,2", "a.png,1,eye,5,6", "a.png,2,nose,3,4")
    faces = points_long_csv.read(write(tmp_path, table("file,person,point,x,y", *rows)))
    assert faces.ids == ("a.png", "a.png#2") and faces.linked == ("photograph",)
    np.testing.assert_array_equal(faces.points[:, 0, 0], [1, 5])


@pytest.mark.parametrize(
    ("column", "values", "labelled", "occluded"),
    [
        ("visible", ("1", "0", "true"), [True, True, True], [False, True, False]),
        ("occluded", ("1", "0", ""), [True, True, True], [True, False, False]),
        ("v", ("2", "1", "0"), [True, True, False], [False, True, False]),
        # As pandas writes a column with gaps.
        ("visible", ("2.0", "1.0", ""), [True, True, True], [False, True, False]),
        ("visible", ("2.0", "0.0", "1.0"), [True, False, True], [False, False, True]),
        ("visible", ("1.0", "0.0", ""), [True, True, True], [False, True, False]),
        ("occluded", ("1.00", "0.", ""), [True, True, True], [True, False, False]),
        # As R writes it, and pandas with na_rep.
        ("visible", ("TRUE", "FALSE", "NA"), [True, True, True], [False, True, False]),
        ("v", ("2", "1", "NA"), [True, True, True], [False, True, False]),
        ("occluded", ("True", "False", "nan"), [True, True, True], [True, False, False]),
    ],
)
def test_visibility_in_its_three_forms(tmp_path, column, values, labelled, occluded):
    rows = [f"a.png,{k},{k + 3},9,{value}" for k, value in enumerate(values, start=1)]
    faces = points_long_csv.read(write(tmp_path, table(f"image,point,x,y,{column}", *rows)))
    at = [int(name) - 1 for name in faces.scheme.points]
    assert faces.labelled[0].tolist() == [labelled[k] for k in at]
    assert faces.occluded is not None
    assert faces.occluded[0].tolist() == [occluded[k] for k in at]
    # A point without a label in any face is none of the scheme's.
    assert all(labelled[k] == (k in at) for k in range(len(values)))


def test_cells_left_empty_beyond_the_header_count_for_nothing(tmp_path):
    faces = points_long_csv.read(write(tmp_path, table("image,point,x,y", "a.png,eye,1,2,,")))
    np.testing.assert_array_equal(faces.points, [[[1, 2]]])


def test_a_visibility_that_coco_does_not_have_is_refused(tmp_path):
    path = write(tmp_path, table("image,point,x,y,v", "a.png,eye,1,2,2", "a.png,nose,3,4,3"))
    with pytest.raises(DataError, match=r"line 3: visible is '3'; 0, 1 \(hidden\) or 2 expected"):
        points_long_csv.read(path)


def test_numbered_points_are_of_the_scheme_with_as_many(tmp_path):
    rows = [f"a.png,{k},{k},1" for k in range(14, -1, -1)]
    faces = points_long_csv.read(write(tmp_path, table("image,point,x,y", *rows)))
    assert faces.scheme == fkd15
    np.testing.assert_array_equal(faces.points[0, :, 0], range(15))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (("a.png,eye,left,2",), "t.csv line 2: x is 'left', a number"),
        (("a.png,eye,1,",), "line 2: half a point: x is '1', y is ''"),
        (("a.png,eye,1",), "line 2: has 3 columns, 4 expected"),
        # Decimal commas in a table that commas separate.
        (("a.png,eye,10,5,20,5",), "t.csv line 2: has 6 columns, 4 expected"),
        (("a.png,eye,1,2", "a.png,eye,3,4"), "line 3: point 'eye' of 'a.png' occurs twice.*face"),
        ((",eye,1,2",), "line 2: the name is empty"),
        ((), "no labelled point"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(tmp_path, rows, problem):
    with pytest.raises(DataError, match=problem):
        points_long_csv.read(write(tmp_path, table("image,point,x,y", *rows)))


def test_a_table_of_own_points_in_wide_form_has_a_scheme_of_their_names(tmp_path):
    from nasion.data.datasets import points_csv

    path = write(
        tmp_path, table("image,left ear_x,left ear_y,right ear_x,right ear_y", "a.png,1,2,3,4")
    )
    faces = points_csv.read(path)
    assert faces.scheme.points == ("left ear", "right ear") and faces.scheme.name == "t"


def test_hrnets_tables_count_from_one_and_number_the_points(tmp_path):
    from nasion.data.datasets import points_csv

    columns = ",".join(f"original_{k}_{axis}" for k in range(15) for axis in "xy")
    row = ",".join(str(k + 1) for k in range(30))
    path = write(tmp_path, table(f"image_name,scale,{columns}", f"a.png,1.2,{row}"))
    faces = points_csv.read(path)
    assert faces.scheme == fkd15
    np.testing.assert_array_equal(faces.points[0, 0], [0, 1])
