"""Tables and .pts files as people have them: delimiters, encodings, columns, several faces."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion import prediction_formats
from nasion.data.datasets import ibug68 as folder_reader
from nasion.data.datasets import points_csv, toy
from nasion.data.datasets._pts_text import parse
from nasion.data.label_check import check
from nasion.data.label_frames import write_frames
from nasion.data.label_reading import LabelReading
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import ibug68, wflw98
from nasion.landmarks.face import Face, ImageResult


@pytest.fixture
def table(tmp_path):
    """A table of four faces with their images beside it, and the faces."""
    faces = replace(toy.draw(4, seed=2), ids=("a.png", "b.png", "c d.png", "e.png"))
    for name, image in zip(faces.ids, faces.images, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    points_csv.write(faces, tmp_path / "ok.csv")
    return tmp_path, faces


def rows(path, delimiter, header=None, decimal="."):
    """The table's text with another delimiter, header and decimal mark."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[0] = header or lines[0]
    body = [[row[0], *(cell.replace(".", decimal) for cell in row[1:])] for row in lines[1:]]
    return "\n".join(delimiter.join(row) for row in [lines[0], *body]) + "\n"


DIALECTS = {
    "semicolon": lambda p: rows(p, ";").encode(),
    "tab": lambda p: rows(p, "\t").encode(),
    "bar": lambda p: rows(p, "|").encode(),
    "decimal comma, bar": lambda p: rows(p, "|", decimal=",").encode(),
    "decimal comma": lambda p: rows(p, ";", decimal=",").encode(),
    "decimal comma, tab": lambda p: rows(p, "\t", decimal=",").encode("utf-16"),
    "CR": lambda p: p.read_bytes().replace(b"\n", b"\r"),
    "CR CR LF": lambda p: p.read_bytes().replace(b"\n", b"\r\r\n"),
    "UTF-16": lambda p: p.read_text().encode("utf-16"),
    "BOM": lambda p: p.read_text().encode("utf-8-sig"),
    "Excel's hint": lambda p: b"sep=;\r\n" + rows(p, ";").encode(),
    "every cell quoted": lambda p: ('"' + rows(p, '","').replace("\n", '"\n"')[:-1]).encode(),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_as_the_plain_table(table, dialect):
    folder, faces = table
    (folder / "t").mkdir()
    path = folder / "ok.csv"
    path.write_bytes(DIALECTS[dialect](path))
    found = nasion.load_faces(None, path)
    assert found.ids == faces.ids and all(image.is_file() for image in found.images)
    np.testing.assert_array_equal(found.points, faces.points)
    assert check(path).faults == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "a.jpg,1,2,3,4\n", "first line has values (a.jpg, 1, 2, 3, 4) instead of"),
        ("a.tsv", "a.jpg\t1.5\t2,5\t3\n", "add a first line as image,left_eye_x,left_eye_y"),
        ("a.csv", "image nose_x nose_y\n", "first line is one cell (image nose_x nose_y); cells"),
        ("a.csv", "image:nose_x:nose_y\n", "separated by comma, semicolon, tab or |: save it"),
        ("a.csv", "image,left,top\n", "names no points (image, left, top); x and y of each"),
        (
            "a.csv",
            "id,Image,a\n",
            "it has Kaggle's column Image; give its kind (fkd, or points_csv",
        ),
        ("a.csv", "", "the file is empty"),
        ("a.json", "{}", "COCO's images, annotations and keypoints, the keys of"),
        ("a.xml", "<a/>", "imglab's <dataset> or CVAT's <annotations> is not"),
        ("a.pts", "1 2", "a .pts file is given by its folder"),
        ("a.xlsx", "PK", "files of labels end in .csv, .tsv, .gz, .json"),
    ],
)
def test_what_is_no_dataset_is_refused_with_what_was_looked_for(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingError) as error:
        nasion.load_faces(None, tmp_path / name)
    assert reason in str(error.value) and "give its kind with --dataset (cfp, coco" in str(
        error.value
    )
    if name.endswith("sv") and text and "Image" not in text:
        with pytest.raises(DataError) as error:
            nasion.load_faces("points_csv", tmp_path / name)
        assert reason in str(error.value)


def test_a_folder_that_is_no_dataset_says_what_is_in_it(table):
    folder, _ = table
    with pytest.raises(SettingError, match="found none"):
        nasion.load_faces(None, _folder(folder / "empty"))
    with pytest.raises(SettingError, match=r"found only folders \(inner\)"):
        nasion.load_faces(None, _folder(folder / "outer" / "inner").parent)
    (folder / "second.csv").write_text("image,left,top\n")
    with pytest.raises(SettingError, match=r"it holds ok.csv, second.csv; .* as .*ok.csv\."):
        nasion.load_faces(None, folder)
    (folder / "ok.csv").unlink()
    with pytest.raises(SettingError, match=r"second.csv: its first line names no points"):
        nasion.load_faces(None, folder)


def _folder(path):
    path.mkdir(parents=True)
    return path


def test_the_suffix_of_a_table_may_be_in_capitals(table):
    folder, faces = table
    (folder / "ok.csv").rename(folder / "OK.CSV")
    np.testing.assert_array_equal(nasion.load_faces(None, folder / "OK.CSV").points, faces.points)


@pytest.mark.parametrize("style", ["x_{}", "x.{}", "{}.x", "{} x", "X_{}", "{}_X"])
def test_every_style_of_columns_names_the_same_points(table, style):
    folder, faces = table
    axes = {"x": style, "y": style.replace("x", "y").replace("X", "Y")}
    header = [axes[axis].format(point) for point in faces.scheme.points for axis in "xy"]
    (folder / "ok.csv").write_text(rows(folder / "ok.csv", ",", ["image", *header]))
    np.testing.assert_array_equal(nasion.load_faces(None, folder).points, faces.points)


@pytest.mark.parametrize(
    "style", ["p{}_{}", "P{}_{}", "part_{}_{}", "{}_{}", "{1}{0}", "{1}_{0}", "{1}.{0}"]
)
@pytest.mark.parametrize("first", [0, 1])
def test_points_numbered_from_0_or_1_are_the_same(table, style, first):
    folder, faces = table
    header = [style.format(k + first, axis) for k in range(15) for axis in "xy"]
    (folder / "ok.csv").write_text(rows(folder / "ok.csv", ",", ["image", *header]))
    found = nasion.load_faces(None, folder, scheme=faces.scheme)
    np.testing.assert_array_equal(found.points, faces.points)


@pytest.mark.parametrize("name", ["image", "filename", "Face", "image_path"])
@pytest.mark.parametrize("at", [1, 5, -1])
def test_the_column_of_the_image_may_stand_anywhere(table, name, at):
    folder, faces = table
    lines = [line.split(",") for line in (folder / "ok.csv").read_text().splitlines()]
    for number, row in enumerate(lines):
        file = row.pop(0) if number else (row.pop(0), name)[1]
        row.insert(0, str(number - 1))  # as pandas writes its index
        row.insert(at if at > 0 else len(row), file)
    (folder / "ok.csv").write_text("\n".join(map(",".join, lines)))
    found = nasion.load_faces(None, folder / "ok.csv")
    assert found.ids == faces.ids
    np.testing.assert_array_equal(found.points, faces.points)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("b.png", '"b.png'), r"ok.csv line 3: not CSV \("),
        (lambda t: t.replace("b.png", '"b"x.png'), r"ok.csv line 3: not CSV \("),
        (lambda t: t.replace("b.png,", "b.png,####,"), "ok.csv line 3: has 32 columns"),
    ],
)
def test_quotes_that_do_not_close_are_refused_by_their_line(table, change, message):
    folder = table[0]
    (folder / "ok.csv").write_text(change((folder / "ok.csv").read_text()))
    with pytest.raises(DataError, match=message):
        nasion.load_faces(None, folder / "ok.csv")


def test_what_excel_shows_for_wide_numbers_is_refused_with_the_remedy(table):
    folder = table[0]
    lines = (folder / "ok.csv").read_text().splitlines()
    lines[2] = ",".join(["b.png", "#####", *lines[2].split(",")[2:]])
    (folder / "ok.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"line 3: left_eye_center_x is '#####', .* widen the col"):
        nasion.load_faces(None, folder / "ok.csv")


def test_thousands_in_a_comma_table_are_no_numbers(table):
    folder = table[0]
    lines = (folder / "ok.csv").read_text().splitlines()
    lines[2] = ",".join(["b.png", '"12,5"', *lines[2].split(",")[2:]])
    (folder / "ok.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 3: left_eye_center_x is '12,5', a number"):
        nasion.load_faces(None, folder / "ok.csv")


def test_windows_paths_are_read_on_every_system(table):
    folder, faces = table
    (folder / "images").mkdir()
    text = (folder / "ok.csv").read_text()
    for name in faces.ids:
        (folder / name).rename(folder / "images" / name)
        text = text.replace(f"\n{name}", f"\nimages\\{name}")
    (folder / "ok.csv").write_text(text)
    found = nasion.load_faces(None, folder / "ok.csv")
    assert found.ids[0] == "images/a.png" and all(image.is_file() for image in found.images)


@pytest.mark.parametrize("name", ["../zz.png", "x/../../zz.png", "/etc/zz.png", "C:\\zz.png"])
def test_an_image_outside_the_data_is_refused_with_the_remedy(table, name):
    folder = table[0]
    text = (folder / "ok.csv").read_text().replace("\nb.png", f"\n{name}")
    (folder / "ok.csv").write_text(text)
    with pytest.raises(DataError, match=r"ok.csv line 3: the image .* is outside .*; move the"):
        nasion.load_faces(None, folder / "ok.csv")
    assert (
        len(nasion.load_faces(None, folder / "ok.csv", reading=LabelReading(skip_faults=True))) == 3
    )


def results(faces):
    """Two faces of one image and one of another, as predict finds them."""
    found = [
        Face(
            scheme=faces.scheme,
            points=faces.points[i],
            box=np.array([0, 0, 90, 90], np.float32),
            score=0.9,
            scores=None,
            expected=None,
        )
        for i in range(3)
    ]
    return [
        ImageResult("a.png", "a", (96, 96), tuple(found[:2]), None),
        ImageResult("b.png", "b", (96, 96), (found[2],), None),
    ]


@pytest.mark.parametrize("form", ["coco", "csv", "json", "jsonl", "pts"])
def test_several_faces_of_an_image_that_predict_wrote_are_read_as_labels(table, form):
    folder, faces = table
    (folder / "ok.csv").unlink()
    (written,) = prediction_formats.write(results(faces), [form], folder)
    found = nasion.load_faces(None, written, scheme=faces.scheme)
    order = [found.ids.index(name) for name in ("a.png", "a.png#2", "b.png")]
    np.testing.assert_allclose(found.points[order], faces.points[:3], atol=1e-3)
    assert [found.images[i].name for i in order] == ["a.png", "a.png", "b.png"]
    assert len(set(found.groups["photograph"])) == 2 and "photograph" in found.linked


def test_rows_of_one_image_are_its_faces_and_the_same_row_twice_is_a_fault(table):
    folder, _ = table
    lines = (folder / "ok.csv").read_text().splitlines()
    lines[2] = lines[2].replace("b.png", "a.png")
    (folder / "ok.csv").write_text("\n".join(lines))
    found = nasion.load_faces(None, folder / "ok.csv")
    assert found.ids[:2] == ("a.png", "a.png#2") and found.images[0] == found.images[1]
    (folder / "ok.csv").write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(DataError, match=r"line 6: face 'a.png' occurs a second time with the same"):
        nasion.load_faces(None, folder / "ok.csv")


PTS = {
    "plain": "version: 1\nn_points: 2\n{{\n{}\n{}\n}}\n",
    "BOM": "\ufeffversion: 1\nn_points: 2\n{{\n{}\n{}\n}}\n",
    "comments": "// made by hand\nversion: 1\nn_points: 2 # two\n{{\n{} // nose\n# eye\n{}\n}}\n",
    "third column": "version: 1\nn_points: 2\n{{\n{} 1\n{} 0\n}}\n",
    "bare": "{}\n{}\n",
}


@pytest.mark.parametrize("form", PTS)
def test_pts_files_of_every_hand_read_the_same(form):
    found = parse(PTS[form].format("3.5 4", "7 9"), "a.pts")
    np.testing.assert_array_equal(found, np.array([[2.5, 3], [6, 8]], np.float32))
    found = parse(PTS[form].format("nan nan", "7 9"), "a.pts")
    np.testing.assert_array_equal(found, np.array([[np.nan, np.nan], [6, 8]], np.float32))


@pytest.mark.parametrize("last", ["7 9 1", "7", "nan 9", "7 9 1 1"])
def test_a_row_that_differs_from_the_others_is_refused_by_its_line(last):
    with pytest.raises(DataError, match=f"a.pts line 3: '{last}', two numbers x y expected"):
        parse(f"3 4\n5 6\n{last}\n", "a.pts")


def write_pts(folder, scheme, count=3):
    faces = toy.draw(count, ibug68, seed=1, size=48)
    points = np.random.default_rng(0).uniform(5, 40, (count, len(scheme), 2)).astype(np.float32)
    ids = tuple(f"{i}.png" for i in range(count))
    faces = replace(faces, scheme=scheme, points=points, ids=ids, occluded=None)
    folder_reader.write(faces, folder)
    return faces


def test_pts_files_of_another_count_take_the_scheme_that_has_it(tmp_path):
    faces = write_pts(tmp_path, wflw98)
    found = nasion.load_faces(None, tmp_path)
    assert found.scheme is wflw98
    np.testing.assert_allclose(found.points, faces.points, atol=1e-4)


def test_pts_files_that_fit_no_scheme_have_numbered_points_or_those_of_the_one_named(tmp_path):
    own = replace(ibug68, name="own", points=ibug68.points[:7], mirror=(), edges=(), norm=None)
    faces = write_pts(tmp_path, own)
    assert nasion.load_faces(None, tmp_path).scheme.points == tuple("0123456")
    with pytest.raises(DataError, match=r"have 7 points, which fits no scheme.*nasion scheme init"):
        nasion.load_faces(None, tmp_path, scheme=ibug68)
    found = nasion.load_faces(None, tmp_path, scheme=own)
    assert found.scheme == own
    np.testing.assert_allclose(found.points, faces.points, atol=1e-4)


def write_video(path, frames):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, options={"qscale": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for level in frames:
            pixels = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def test_frames_of_a_video_without_images_say_how_to_write_them(tmp_path):
    annot = tmp_path / "001" / "annot"
    annot.mkdir(parents=True)
    write_video(tmp_path / "001" / "vid.avi", [0, 50, 100, 150])
    rows = "".join(f"{k} {k + 1}\n" for k in range(68))
    for number in (1, 3, 4):
        (annot / f"{number:06d}.pts").write_text(rows)
    fault = str(check(tmp_path).faults[0])
    command = f"nasion data frames {annot}"
    assert f"of vid.avi: write the frames beside their labels with {command}" in fault
    assert len(write_frames(tmp_path)) == 3 and write_frames(tmp_path) == []
    found = nasion.load_faces(None, tmp_path)
    levels = [np.asarray(Image.open(image)).mean() for image in found.images]
    np.testing.assert_allclose(levels, [0, 100, 150], atol=3)
    assert check(tmp_path).faults == []
    (annot / "000007.pts").write_text(rows)
    with pytest.raises(DataError, match=r"vid.avi: it ends before frame 7, which 000007.pts is of"):
        write_frames(tmp_path)


def test_files_of_no_video_have_no_frames_to_write(tmp_path):
    (tmp_path / "a.pts").write_text("1 2\n")
    with pytest.raises(DataError, match=r"no \.pts file here is of a frame: named by its number"):
        write_frames(tmp_path)


def test_the_folder_of_images_is_found_though_the_first_one_is_missing(tmp_path):
    faces = toy.draw(3, ibug68, seed=1)
    (tmp_path / "photos").mkdir()
    names = ("a.png", "b.png", "c.png")
    for name, image in zip(names[1:], faces.images[1:], strict=True):
        Image.fromarray(image).save(tmp_path / "photos" / name)
    points_csv.write(replace(faces, ids=names), tmp_path / "labels.csv")
    found = nasion.load_faces(None, tmp_path / "labels.csv")
    assert found.images == tuple(tmp_path / "photos" / name for name in names)
