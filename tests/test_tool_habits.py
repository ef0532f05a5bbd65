"""Labels as other programs write them: what each means, and no number that is wrong unsaid."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.data.datasets import points_csv, toy
from nasion.data.datasets._pts_text import parse
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.errors import DataError, SettingError
from nasion.evaluation.matching import read_predictions
from nasion.landmarks.catalog import fkd15, ibug68


@pytest.fixture
def table(tmp_path):
    """A table of four faces with their images beside it, and the faces."""
    faces = replace(toy.draw(4, fkd15, seed=2), ids=("a.png", "b.png", "c.png", "d.png"))
    for name, image in zip(faces.ids, faces.images, strict=True):
        Image.fromarray(np.asarray(image)).save(tmp_path / name)
    points_csv.write(faces, tmp_path / "t.csv")
    return tmp_path / "t.csv", faces


def cells(path):
    return [line.split(",") for line in path.read_text().splitlines()]


def save(path, rows, delimiter=","):
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_byte_order_mark_is_read(table, encoding):
    path, faces = table
    path.write_bytes(path.read_text().encode(encoding))
    np.testing.assert_array_equal(nasion.load_faces(None, path).points, faces.points)


def test_empty_rows_and_cells_at_the_end_count_for_nothing(table):
    path, faces = table
    rows = cells(path)
    save(path, [rows[0], *([*row, "", ""] for row in rows[1:]), [""] * 31, ["  "]])
    found = nasion.load_faces(None, path)
    assert found.ids == faces.ids
    np.testing.assert_array_equal(found.points, faces.points)


@pytest.mark.parametrize("word", ["NA", "N/A", "#N/A", "None", "null", "-", "<NA>"])
def test_what_programs_write_for_no_value_is_a_missing_point(table, word):
    path, faces = table
    rows = cells(path)
    rows[2][1:3] = word, word
    save(path, rows)
    expected = faces.points.copy()
    expected[1, 0] = np.nan
    np.testing.assert_array_equal(nasion.load_faces(None, path).points, expected)


@pytest.mark.parametrize("thousand", ["1.234", "1.034,5"])
def test_thousands_beside_decimal_commas_are_refused(table, thousand):
    path, _ = table
    rows = [[cell.replace(".", ",") if at else cell for at, cell in enumerate(r)]
            for r in cells(path)]  # fmt: skip
    rows[2][3] = thousand
    save(path, rows, ";")
    with pytest.raises(DataError, match=r"t\.csv line 3: .* is '1\.[02]34"):
        nasion.load_faces(None, path)


@pytest.mark.parametrize("columns", [("image_id", "file_name"), ("face", "image"), ("id", "Photo"),
                                     ("name", "Image Name")])  # fmt: skip
def test_a_column_of_files_counts_before_one_of_numbers(table, columns):
    path, faces = table
    rows = cells(path)
    rows = [[str(number), *row] for number, row in enumerate(rows)]
    rows[0][:2] = columns
    save(path, rows)
    found = nasion.load_faces(None, path)
    assert found.ids == faces.ids
    np.testing.assert_array_equal(found.points, faces.points)


def test_a_table_whose_rows_are_all_faulty_is_not_called_empty(table):
    path, _ = table
    rows = cells(path)
    save(path, [rows[0], *([row[0], "?", *row[2:]] for row in rows[1:])])
    problems = [fault.problem for fault in check(path).faults]
    assert len(problems) == 5
    assert problems[-1].endswith("none of its 4 rows is without a fault.")


@pytest.mark.parametrize("half", [("-1", None), ("0", None), (None, "-1"), (None, "0")])
def test_a_stand_in_for_one_coordinate_is_a_missing_point_and_said(tmp_path, half, caplog):
    faces = toy.draw(4, ibug68, seed=2)
    path = tmp_path / "t.csv"
    points = np.round(faces.points * 4 + 300)
    points_csv.write(replace(faces, points=points.astype(np.float32)), path)
    rows = cells(path)
    for row in rows[1:]:
        # The tip of the nose, point 30.
        row[61:63] = [new or old for new, old in zip(half, row[61:63], strict=True)]
    save(path, rows)
    points[:, 30] = np.nan
    with caplog.at_level(logging.INFO, "nasion"):
        found = nasion.load_faces(None, path)
    np.testing.assert_array_equal(found.points, points)
    assert "4 points of 4 faces with a stand-in for x or y alone are taken as" in caplog.text
    kept = nasion.load_faces(None, path, reading=LabelReading(missing="none"))
    assert not np.isnan(kept.points).any()


def test_points_on_the_edge_of_the_image_stay(tmp_path):
    faces = toy.draw(4, ibug68, seed=2)
    # Faces that the left edge cuts, as tools write them: no x below 0.
    points = faces.points - faces.points[..., :1].min(axis=1, keepdims=True) * [1, 0] - [4, 0]
    points = np.maximum(points, 0).astype(np.float32)
    assert (points[..., 0] == 0).any()
    points_csv.write(replace(faces, points=points), tmp_path / "t.csv")
    np.testing.assert_array_equal(nasion.load_faces(None, tmp_path / "t.csv").points, points)


def test_labels_that_are_all_empty_are_said(table):
    path, faces = table
    save(path, [cells(path)[0], *([name] + [""] * 30 for name in faces.ids)])
    result = check(path)
    assert [str(s) for s in result.suspects] == [
        "t.csv: none of its 4 faces has a label: nothing to train or evaluate on."
    ]
    assert result.not_looked_for


def document(faces, change=lambda d: None):
    """A COCO document of these faces with boxes tight around them, changed by ``change``."""
    annotations = []
    for i, points in enumerate(faces.points.astype(float)):
        keypoints = [value for x, y in points.tolist() for value in (x, y, 2)]
        low, high = points.min(axis=0), points.max(axis=0)
        annotation = {"id": i, "image_id": i, "category_id": 1, "keypoints": keypoints}
        annotations.append(annotation | {"bbox": [*low.tolist(), *(high - low).tolist()]})
    images = [{"id": i, "file_name": name} for i, name in enumerate(faces.ids)]
    category = {"id": 1, "name": "face", "keypoints": list(faces.scheme.points)}
    found = {"images": images, "annotations": annotations, "categories": [category]}
    change(found)
    return found


def text_ids(d):
    for image in d["images"]:
        image["id"] = f"im{image['id']}"
    for annotation in d["annotations"]:
        annotation |= {"id": f"an{annotation['id']}", "image_id": f"im{annotation['image_id']}"}


def box_of_another_thing(d):
    d["categories"].append({"id": 2, "name": "hat", "keypoints": []})
    d["annotations"].append({"id": 9, "image_id": 0, "category_id": 2, "keypoints": []})


def no_boxes(d):
    for annotation, box in zip(d["annotations"], [[0, 0, 0, 0], [], None, [0.0] * 4], strict=True):
        annotation["bbox"] = box


@pytest.mark.parametrize("change", [text_ids, box_of_another_thing, no_boxes])
def test_coco_of_other_tools_is_read(table, change):
    path, faces = table
    path = path.with_name("c.json")
    path.write_text(json.dumps(document(faces, change)))
    found = nasion.load_faces(None, path)
    assert found.ids == faces.ids
    np.testing.assert_allclose(found.points, faces.points, rtol=1e-6)


def test_a_face_that_a_document_has_twice_is_a_fault(table):
    path, faces = table
    path = path.with_name("c.json")
    twice = document(faces, lambda d: d["annotations"].append(d["annotations"][0] | {"id": 7}))
    path.write_text(json.dumps(twice))
    with pytest.raises(DataError, match=r"a\.png annotation 7: the same points in the same image"):
        nasion.load_faces(None, path)
    skipped = nasion.load_faces(None, path, reading=LabelReading(skip_faults=True))
    assert skipped.ids == faces.ids


def test_boxes_of_two_corners_in_coco_are_suspect(table):
    path, faces = table
    path = path.with_name("c.json")
    path.write_text(json.dumps(document(faces)))
    assert check(path, LabelReading(dataset="coco")).suspects == []

    def corners(d):
        for annotation in d["annotations"]:
            x, y, width, height = annotation["bbox"]
            annotation["bbox"] = [x, y, x + width, y + height]

    path.write_text(json.dumps(document(faces, corners)))
    suspects = check(path, LabelReading(dataset="coco")).suspects
    assert "fits as the corners" in suspects[0].problem and "4 of 4 boxes" in suspects[0].problem


@pytest.mark.parametrize("start", [0, 1])
def test_a_first_column_of_pts_that_numbers_the_points_is_no_coordinate(start):
    rows = "".join(f"{i + start} {10 * i + 3} {i + 7}\n" for i in range(5))
    expected = [[10 * i + 2, i + 6] for i in range(5)]
    np.testing.assert_array_equal(parse(rows, "a.pts"), expected)
    # A third column that counts is left out as before.
    rows = "".join(f"{10 * i + 3} {i + 7} {i}\n" for i in range(5))
    np.testing.assert_array_equal(parse(rows, "a.pts"), expected)


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".gif"])
def test_pts_files_are_of_images_of_every_kind(tmp_path, suffix):
    Image.new("RGB", (40, 40)).save(tmp_path / f"a{suffix}")
    (tmp_path / "a.pts").write_text("n_points 68\n" + "3 4\n5 6\n" * 34)
    found = nasion.load_faces(None, tmp_path)
    assert found.ids == (f"a{suffix}",) and found.points[0, 1].tolist() == [4, 5]


def imglab_file(folder, faces, name, encoding="utf-8"):
    """An imglab file; ``name``: of each part, by its position."""
    text = "<?xml version='1.0' encoding='UTF-16'?>" if encoding == "utf-16" else ""
    text += "<dataset><images>"
    for file, points in zip(faces.ids, faces.points.tolist(), strict=True):
        parts = "".join(
            f"<part name='{name(k)}' x='{x}' y='{y}'/>" for k, (x, y) in enumerate(points)
        )
        text += f"<image file='{file}'><box left='0' top='0' width='90' height='90'>{parts}"
        text += "</box></image>"
    (folder / "x.xml").write_bytes((text + "</images></dataset>").encode(encoding))
    return folder / "x.xml"


@pytest.mark.parametrize("name", [str, lambda k: str(k + 1), lambda k: fkd15.points[k]])
def test_parts_of_imglab_are_numbered_from_0_or_1_or_named(table, name):
    path, faces = table
    found = nasion.load_faces(None, imglab_file(path.parent, faces, name))
    assert found.scheme.name == "fkd15"
    np.testing.assert_allclose(found.points, faces.points, rtol=1e-6)


def test_imglab_in_utf16_is_recognised(table):
    path, faces = table
    found = nasion.load_faces(None, imglab_file(path.parent, faces, str, "utf-16"))
    np.testing.assert_allclose(found.points, faces.points, rtol=1e-6)


@pytest.mark.parametrize("moved", ["/home/anna/set/{}", "C:\\data\\set\\{}"])
def test_predictions_of_moved_images_of_one_name_are_told_apart_by_folders(tmp_path, moved):
    names = ("x/1.png", "y/1.png", "x/2.png", "y/2.png")
    faces = toy.draw(4, fkd15, seed=2)
    faces = replace(faces, ids=names, images=tuple(tmp_path / name for name in names))
    predicted = tuple(moved.format(name) for name in reversed(names))
    points_csv.write(replace(faces, ids=predicted, points=faces.points[::-1]), tmp_path / "p.csv")
    found = read_predictions(tmp_path / "p.csv", faces)
    assert found.ids == names[::-1]
    np.testing.assert_array_equal(found.points, faces.points[::-1])


def test_predictions_of_a_name_that_two_images_have_are_refused_with_the_reason(tmp_path):
    faces = toy.draw(2, fkd15, seed=2)
    names = ("x/1.png", "y/1.png")
    faces = replace(faces, ids=names, images=tuple(tmp_path / name for name in names))
    points_csv.write(replace(faces, ids=("1.png", "2.png")), tmp_path / "p.csv")
    with pytest.raises(SettingError, match=r"of '1' could be of several labelled images, as .*x/1"):
        read_predictions(tmp_path / "p.csv", faces)
