"""Reading Kaggle's files: every packing, every way to be wrong, the two annotators, the look-up
table.
"""

import gzip
import zipfile

import numpy as np
import pandas
import pytest

from nasion.data.datasets import _pixel_text, fkd
from nasion.data.record_faults import Fault
from nasion.errors import DataError, SettingError

GOOD = " ".join(["0", "7", "42", "255"] * 2304)
HEADER = ",".join([*fkd.COLUMNS, "Image"])


def fkd_fault():
    return Fault("elsewhere", "something")


def table(folder, *rows, header=HEADER, name="training.csv", end="\n"):
    path = folder / name
    path.write_bytes((end.join([header, *rows]) + end).encode())
    return path


def row(numbers=(), image=GOOD, **named):
    values = dict.fromkeys(fkd.COLUMNS, "") | dict(zip(fkd.COLUMNS, numbers, strict=False)) | named
    return ",".join([*map(str, values.values()), image])


def test_points_and_pixels_come_as_they_are_written(tmp_path):
    faces = fkd.read(
        table(tmp_path, row(range(30)), row(left_eye_center_x=1.5, left_eye_center_y=96))
    )
    assert faces.ids == ("training/0", "training/1") and faces.images.shape == (2, 96, 96)
    assert faces.images[0, 0, :4].tolist() == [0, 7, 42, 255] and faces.images.dtype == np.uint8
    assert faces.points[0].reshape(-1).tolist() == list(range(30))
    assert faces.points[1, 0].tolist() == [1.5, 96] and np.isnan(faces.points[1, 1:]).all()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_a_missing_last_one_do_not_matter(tmp_path, end):
    path = table(tmp_path, row(range(30)), row(range(1, 31)), end=end)
    path.write_bytes(path.read_bytes().rstrip())
    assert fkd.read(path).points[1, 0].tolist() == [1, 2]


def test_columns_are_read_by_name_in_any_order_and_unknown_ones_ignored(tmp_path):
    header = "Image,note," + ",".join(reversed(fkd.COLUMNS))
    faces = fkd.read(
        table(tmp_path, GOOD + ",hello," + ",".join(map(str, range(29, -1, -1))), header=header)
    )
    assert faces.points[0].reshape(-1).tolist() == list(range(30))


def test_every_packing_gives_the_same_faces(kaggle_folder, tmp_path):
    plain = fkd.read(kaggle_folder / "training.csv")
    with zipfile.ZipFile(tmp_path / "training.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(kaggle_folder / "training.csv", "training.csv")
    packed = tmp_path / "gz"
    packed.mkdir()
    (packed / "training.csv.gz").write_bytes(
        gzip.compress((kaggle_folder / "training.csv").read_bytes())
    )
    for path in (
        kaggle_folder,
        tmp_path,
        tmp_path / "training.zip",
        packed,
        packed / "training.csv.gz",
    ):
        found = fkd.read(path)
        assert found.ids == plain.ids and (found.images == plain.images).all()
        np.testing.assert_array_equal(found.points, plain.points)


def test_writing_and_reading_give_the_same_faces(toy_faces, kaggle_folder):
    found = fkd.read(kaggle_folder)
    assert (found.images == toy_faces.images).all()
    labelled = found.labelled
    np.testing.assert_allclose(found.points[labelled], toy_faces.points[labelled], atol=6e-5)


def test_the_annotator_is_reported_by_the_labelled_points(kaggle_folder):
    assert fkd.read(kaggle_folder).groups["source"] == ("15 points",) * 60 + ("4 points",) * 60
    assert (
        fkd.read(kaggle_folder, "test").groups["source"] == ("15 points",) * 7 + ("4 points",) * 5
    )


def test_a_face_with_few_of_the_four_points_is_of_the_four_point_annotator(tmp_path):
    found = fkd.read(
        table(
            tmp_path,
            row(nose_tip_x=4, nose_tip_y=5),
            row(mouth_left_corner_x=4, mouth_left_corner_y=5),
            row(),
        )
    )
    assert found.groups["source"] == ("4 points", "15 points", "unknown")


FAULTS = {
    "too few pixels": (
        row(range(30), GOOD[:-4]),
        "line 2: Image has 9215 values, 9216 (96 x 96) expected",
    ),
    "too many pixels": (row(range(30), GOOD + " 1"), "line 2: Image has 9217 values"),
    "a pixel of 256": (
        row(range(30), GOOD.replace("255", "256", 1)),
        "line 2: Image value 4 is '256', a whole number 0 to 255",
    ),
    "a pixel of -1": (row(range(30), GOOD.replace("42", "-1", 1)), "line 2: Image value 3 is '-1'"),
    "a pixel of x": (row(range(30), GOOD.replace("42", "x", 1)), "line 2: Image value 3 is 'x'"),
    "a pixel of 1234": (
        row(range(30), GOOD.replace("255", "1234", 1)),
        "line 2: Image value 4 is '1234'",
    ),
    "a pixel of 1.5": (
        row(range(30), GOOD.replace("42", "1.5", 1)),
        "line 2: Image value 3 is '1.5'",
    ),
    "no pixels": (row(range(30), ""), "line 2: Image has 0 values"),
    "two spaces": (row(range(30), GOOD.replace(" ", "  ", 1)), "more than one space"),
    "text for a coordinate": (
        row(range(30), left_eye_center_y="abc"),
        "line 2: left_eye_center_y is 'abc', a number or nothing",
    ),
    "a coordinate outside": (
        row(range(30), nose_tip_x=96.5),
        "line 2: nose_tip_x is 96.5, outside the image (0 to 96)",
    ),
    "a negative coordinate": (row(range(30), nose_tip_x=-1), "line 2: nose_tip_x is -1, outside"),
    "an infinite coordinate": (
        row(range(30), nose_tip_x="inf"),
        "line 2: nose_tip_x is 'inf', a number or nothing",
    ),
    "an underscore in a number": (
        row(range(30), nose_tip_x="6_6"),
        "line 2: nose_tip_x is '6_6', a number or nothing",
    ),
    "half a point": (
        row(range(30), nose_tip_x=""),
        "line 2: nose_tip_x is empty but nose_tip_y is 21",
    ),
    "too few columns": (GOOD, "line 2: has 1 column, 31 expected"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_row_is_refused_with_its_line_or_noted_and_left_out(tmp_path, fault):
    bad, message = FAULTS[fault]
    path = table(tmp_path, bad, row(range(30)))
    with pytest.raises(DataError) as error:
        fkd.read(path)
    assert (
        message in str(error.value)
        and "training.csv" in str(error.value)
        and "--skip-faults" in str(error.value)
    )
    faults = []
    assert fkd.read(path, faults=faults).ids == ("training/1",)
    assert len(faults) == 1 and message in str(faults[0])


def test_all_faults_of_a_file_are_noted_with_their_lines(tmp_path):
    faults = []
    found = fkd.read(
        table(tmp_path, *(bad for bad, _ in FAULTS.values()), row(range(30))), faults=faults
    )
    assert len(found) == 1 and [fault.place for fault in faults] == [
        f"training.csv line {i + 2}" for i in range(len(FAULTS))
    ]


def test_a_missing_column_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="line 1: column nose_tip_y is missing"):
        fkd.read(table(tmp_path, row(range(30)), header=HEADER.replace("nose_tip_y", "nose_y")))


def test_an_empty_file_and_a_header_alone_are_refused(tmp_path):
    (tmp_path / "training.csv").touch()
    with pytest.raises(DataError, match="is empty"):
        fkd.read(tmp_path)
    with pytest.raises(DataError, match="no rows below the header"):
        fkd.read(table(tmp_path))


def test_a_truncated_zip_and_gz_are_refused(tmp_path, kaggle_folder):
    text = (kaggle_folder / "training.csv").read_bytes()
    path = tmp_path / "training.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training.csv", text)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match="damaged or truncated"):
        fkd.read(path)
    path = tmp_path / "training.csv.gz"
    path.write_bytes(gzip.compress(text)[:-500])
    with pytest.raises(DataError, match="damaged or truncated"):
        fkd.read(path)


def test_a_zip_with_a_damaged_middle_is_refused(tmp_path, kaggle_folder):
    path = tmp_path / "training.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.write(kaggle_folder / "training.csv", "training.csv")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(data)
    with pytest.raises(DataError):
        fkd.read(path)


def test_a_missing_folder_and_one_without_the_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        fkd.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no training.zip, training.csv or training.csv.gz"):
        fkd.read(tmp_path)
    with pytest.raises(SettingError, match="No split 'dev' in fkd"):
        fkd.read(tmp_path, "dev")


@pytest.mark.parametrize("number", ["inf", "-5", "0", "1.5", "", "x"])
def test_an_image_id_that_is_no_whole_number_from_1_is_refused(tmp_path, number):
    (tmp_path / "test.csv").write_text(f"ImageId,Image\n{number},{GOOD}\n")
    with pytest.raises(
        DataError, match=f"test.csv line 2: ImageId is '{number}', a whole number from 1"
    ):
        fkd.read(tmp_path, "test")


def test_large_image_ids_stay_apart(tmp_path):
    (tmp_path / "test.csv").write_text(f"ImageId,Image\n16777216,{GOOD}\n16777217,{GOOD}\n")
    assert fkd.read(tmp_path, "test").ids == ("test/16777216", "test/16777217")


def test_a_header_alone_is_a_fault_also_after_other_faults(tmp_path):
    (tmp_path / "test.csv").write_text("ImageId,Image\n")
    with pytest.raises(DataError, match="no rows"):
        fkd.read(tmp_path, "test", faults=[fkd_fault()])


@pytest.mark.parametrize("name", ["mine.csv", "test_fold.csv", "training2.csv"])
def test_a_file_of_any_name_is_the_file_that_is_read(tmp_path, kaggle_folder, name):
    table(tmp_path, row(range(30)), name=name)
    (tmp_path / "training.csv").write_bytes((kaggle_folder / "training.csv").read_bytes())
    assert len(fkd.read(tmp_path / name)) == 1 and len(fkd.read(tmp_path / "training.csv")) == 120


def test_a_lookup_table_in_another_encoding_is_refused_with_its_line(tmp_path):
    (tmp_path / fkd.LOOKUP).write_bytes(
        "RowId,ImageId,FeatureName,Location\n1,1,café_x,\n".encode("latin-1")
    )
    with pytest.raises(DataError, match=r"IdLookupTable.csv line 2: byte 0xe9 is not UTF-8"):
        fkd.read_lookup(tmp_path / fkd.LOOKUP)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
def test_the_lookup_table_is_read_with_any_line_endings(tmp_path, end):
    path = tmp_path / fkd.LOOKUP
    path.write_bytes(
        end.join(
            ["RowId,ImageId,FeatureName,Location", "1,1,nose_tip_x,", "2,9,nose_tip_y,", ""]
        ).encode()
    )
    found = fkd.read_lookup(path)
    assert found == fkd.Lookup((1, 2), (1, 9), ("nose_tip_x", "nose_tip_y"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,1,left_ear_x,", "line 2: unknown feature 'left_ear_x'; known: left_eye_center_x"),
        ("1,one,nose_tip_x,", "line 2: ImageId is 'one', a whole number from 0"),
        ("1", "line 2: has 1 column, 4 expected"),
    ],
)
def test_a_bad_lookup_row_is_refused_with_its_line(tmp_path, line, message):
    path = tmp_path / fkd.LOOKUP
    path.write_text(f"RowId,ImageId,FeatureName,Location\n{line}\n")
    with pytest.raises(DataError) as error:
        fkd.read_lookup(path)
    assert message in str(error.value)


def test_a_lookup_table_without_a_column_or_rows_is_refused(tmp_path):
    path = tmp_path / fkd.LOOKUP
    path.write_text("RowId,FeatureName\n1,nose_tip_x\n")
    with pytest.raises(DataError, match="column ImageId is missing"):
        fkd.read_lookup(path)
    path.write_text("RowId,ImageId,FeatureName,Location\n")
    with pytest.raises(DataError, match="no rows"):
        fkd.read_lookup(path)


def test_every_grey_value_is_read_with_and_without_leading_zeros():
    for form in ("{}", "{:02d}", "{:03d}"):
        out = np.empty(256, np.uint8)
        _pixel_text.parse(" ".join(form.format(v) for v in range(256)).encode(), out)
        assert out.tolist() == list(range(256))


def test_the_real_set_is_read_as_pandas_reads_it(real_data, tmp_path):
    with zipfile.ZipFile(real_data / "fkd" / "training.zip") as archive:
        archive.extract("training.csv", tmp_path)
    found = fkd.read(tmp_path)
    expected = pandas.read_csv(tmp_path / "training.csv")
    np.testing.assert_array_equal(
        found.points.reshape(len(found), -1), expected.iloc[:, :30].to_numpy(np.float32)
    )
    some = slice(0, None, 50)
    images = np.stack([np.array(text.split(), dtype=np.uint8) for text in expected["Image"][some]])
    assert (found.images[some].reshape(len(images), -1) == images).all()
    assert (
        len(found) == 5541
        and found.groups["source"].count("15 points") == 2067
        and set(found.groups["source"][:2067]) == {"15 points"}
    )


def test_the_real_test_set_knows_its_sources(real_data):
    found = fkd.read(real_data / "fkd", "test")
    assert (
        len(found) == 1407
        and found.groups["source"].count("15 points") == 554
        and "unknown" not in found.groups["source"]
    )
