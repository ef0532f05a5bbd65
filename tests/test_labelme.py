"""LabelMe's JSON files: groups, rectangles, paths of other machines, and what is refused."""

import io
import json
from base64 import b64encode

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import labelme, recognise
from nasion.errors import DataError


def shape(label, *places, kind="point", group=None, **more):
    return {
        "label": label, "points": [list(xy) for xy in places], "group_id": group,
        "shape_type": kind, "flags": {}, **more,
    }  # fmt: skip


def write(folder, name, *shapes, image=None):
    folder.mkdir(parents=True, exist_ok=True)
    value = {"version": "5.4.1", "shapes": list(shapes), "imagePath": image or f"{name}.jpg"}
    (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (60, 40)).save(path)


def test_groups_are_faces_and_rectangles_their_boxes(tmp_path):
    picture(tmp_path / "a.jpg")
    shapes = [
        shape("Auge", (10.5, 8.5), group=1, flags={"occluded": True}),
        shape("face", (30, 20), (5, 2), kind="rectangle", group=1),
        shape("Auge", (50.5, 8.5), group=2),
        shape("Mund", (12, 18), group=1),
        shape("hair", (1, 1), (2, 2), (3, 1), kind="polygon"),
    ]
    write(tmp_path, "a", *shapes)
    assert recognise(tmp_path) == recognise(tmp_path / "a.json") == "labelme"
    faces = labelme.read(tmp_path)
    assert faces.scheme.points == ("Auge", "Mund") and faces.ids == ("a.jpg", "a.jpg#2")
    # LabelMe counts from the corner of the first pixel, half a pixel before its centre.
    np.testing.assert_allclose(faces.points[:, 0], [[10, 8], [50, 8]])
    np.testing.assert_allclose(faces.boxes[0], [4.5, 1.5, 29.5, 19.5])
    assert np.isnan(faces.points[1, 1]).all() and np.isnan(faces.boxes[1]).all()
    assert faces.occluded is not None and faces.occluded.sum() == 1 and faces.occluded[0, 0]


@pytest.mark.parametrize(
    ("labels", "image_path", "at"),
    [
        ("", "a.jpg", "a.jpg"),
        ("labels", "..\\images\\a.jpg", "images/a.jpg"),
        ("labels", "../images/a.jpg", "images/a.jpg"),
        ("", "C:\\Users\\me\\set\\a.jpg", "a.jpg"),
        ("", "/home/me/set/images/a.jpg", "images/a.jpg"),
        ("in/deep", "a.jpg", "in/deep/a.jpg"),
    ],
)
def test_images_are_found_from_the_label_file_and_by_name(tmp_path, labels, image_path, at):
    picture(tmp_path / at)
    write(tmp_path / labels, "a", shape("eye", (3, 4)), image=image_path)
    faces = labelme.read(tmp_path)
    assert faces.images == (tmp_path / at,) and faces.ids == (at,)


def test_an_image_that_two_files_could_be_is_refused(tmp_path):
    for folder in ("one", "two"):
        picture(tmp_path / folder / "a.jpg")
    write(tmp_path, "a", shape("eye", (3, 4)))
    with pytest.raises(DataError, match=r"a.json: the image 'a.jpg' could be one/a.jpg or two"):
        labelme.read(tmp_path)


def test_faults_name_file_key_value_and_rule(tmp_path):
    picture(tmp_path / "b.jpg")
    write(tmp_path, "a", shape("eye", ("x", 4)))
    write(tmp_path, "b", shape("eye", (3, 4)))
    with pytest.raises(DataError, match=r"a.json shapes\[0\].points\[0\]\[0\]: 'x' found"):
        labelme.read(tmp_path)
    found = []
    assert labelme.read(tmp_path, faults=found).ids == ("b.jpg",) and len(found) == 1


@pytest.mark.parametrize(
    ("shapes", "problem"),
    [
        ([shape("eye", (1, 2), (3, 4))], "2 places of point 'eye', 1 expected"),
        ([shape("f", (1, 2), kind="rectangle")], "1 corners of a rectangle"),
        ([shape("f", (1, 2), (1, 9), kind="rectangle")], "an area above 0"),
        ([shape("eye", (1, 2)), shape("eye", (3, 2))], "'eye' occurs twice in one face"),
        ([shape("eye", (1, 2, 3))], "3 numbers, x and y expected"),
        ([shape("", (1, 2))], "the name is empty"),
        ([], "no labelled point"),
    ],
)
def test_what_means_nothing_is_refused_with_the_rule(tmp_path, shapes, problem):
    write(tmp_path, "a", *shapes)
    with pytest.raises(DataError, match=problem):
        labelme.read(tmp_path)


def test_other_json_files_in_the_folder_are_left_alone(tmp_path):
    picture(tmp_path / "a.jpg")
    write(tmp_path, "a", shape("eye", (3, 4)))
    (tmp_path / "settings.json").write_text('{"colour": "red"}')
    (tmp_path / "0.json").write_text('{"colour": "blue"}')
    # Whichever the file system lists first.
    assert recognise(tmp_path) == "labelme" and len(labelme.read(tmp_path)) == 1


def test_files_that_macos_adds_are_no_labels(tmp_path):
    picture(tmp_path / "a.jpg")
    write(tmp_path, "a", shape("eye", (3, 4)))
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._a.json").write_bytes(b"\x00\x05\x16\x07\xff")
    (tmp_path / "._a.json").write_bytes(b"\x00\x05\x16\x07\xff")
    assert recognise(tmp_path) == "labelme" and len(labelme.read(tmp_path)) == 1


def test_points_of_one_shape_are_numbered_and_share_a_group(tmp_path):
    picture(tmp_path / "a.jpg")
    many = [
        shape("face", (g, 2), (9, g), kind="points", group=g, flags={"occluded": g == 2})
        for g in (1, 2)
    ]
    write(tmp_path, "a", *many)
    faces = labelme.read(tmp_path)
    assert faces.scheme.points == ("0", "1") and len(faces) == 2
    np.testing.assert_allclose(faces.points[1], [[1.5, 1.5], [8.5, 1.5]])
    assert faces.occluded is not None and faces.occluded.tolist() == [[False] * 2, [True] * 2]


def test_an_image_that_only_the_file_holds_is_taken_from_it(tmp_path):
    """As LabelMe saves by default, of images that were moved; two files may say the same path."""
    for folder, colour in (("one", (200, 10, 10)), ("two", (10, 10, 200))):
        write(tmp_path / folder, "a", shape("eye", (3.5, 4.5)), image="..\\..\\lost\\a.jpg")
        buffer = io.BytesIO()
        Image.new("RGB", (60, 40), colour).save(buffer, "PNG")
        path = tmp_path / folder / "a.json"
        data = b64encode(buffer.getvalue()).decode()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"imageData": data}))
    faces = labelme.read(tmp_path)
    assert faces.ids == ("one/a.png", "two/a.png")
    assert [image[5, 5].tolist() for image in faces.images] == [[200, 10, 10], [10, 10, 200]]
    np.testing.assert_allclose(faces.points[:, 0], [[3, 4], [3, 4]])
    picture(tmp_path / "one" / "a.jpg")
    path = tmp_path / "one" / "a.json"
    path.write_text(path.read_text().replace("..\\\\..\\\\lost\\\\", ""))
    # Where the image is there, it counts.
    assert labelme.read(tmp_path / "one").images == (tmp_path / "one" / "a.jpg",)
    path.write_text(path.read_text().replace("a.jpg", "b.jpg").replace(data[:8], "????"))
    (tmp_path / "two" / "a.json").write_text(path.read_text().replace("iVBOR", "?????"))
    with pytest.raises(DataError, match=r"a.json imageData: no image in base64"):
        labelme.read(tmp_path / "two")


def test_a_face_that_is_there_twice_is_told_with_its_file_once(tmp_path):
    picture(tmp_path / "a.jpg")
    write(tmp_path, "a", *(shape("eye", (3, 4), group=g) for g in (1, 2)))
    with pytest.raises(DataError, match=r"^a.json image 'a.jpg': the same points"):
        labelme.read(tmp_path / "a.json")


def test_x_anylabelings_difficult_points_are_hidden(tmp_path):
    picture(tmp_path / "a.jpg")
    corners = ((1, 1), (20, 1), (20, 15), (1, 15))  # it writes all four
    box = shape("person", *corners, kind="rectangle", group=1, difficult=True)
    eye, nose = (shape(name, (8, 9), group=1, difficult=name == "eye") for name in ("eye", "nose"))
    write(tmp_path, "a", box, eye, nose)
    faces = labelme.read(tmp_path)
    assert faces.occluded is not None and faces.occluded.tolist() == [[True, False]]
    np.testing.assert_allclose(faces.boxes[0], [0.5, 0.5, 19.5, 14.5])
