"""Images that labels name by another spelling or path: the one that fits is found, and said."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import run_command

import nasion
from nasion.app.label.label_data import open_data
from nasion.data import convert as conversion
from nasion.data.datasets import points_csv, toy
from nasion.data.datasets._image_files import ImageFinder
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import fkd15

COUNT = 6


def paths(faces):
    """The faces' images, all of which are files."""
    found = [Path(str(image)) for image in faces.images]
    assert all(path.is_absolute() for path in found)
    return found


@pytest.fixture
def table(tmp_path):
    """A table of faces ``0.png`` and so on, beside the images."""
    from PIL import Image

    faces = toy.draw(COUNT, size=96, seed=5)
    folder = tmp_path / "mine"
    folder.mkdir()
    names = [f"{i}.png" for i in range(COUNT)]
    for name, image in zip(names, faces.images, strict=True):
        Image.fromarray(np.asarray(image)).save(folder / name)
    points_csv.write(replace(faces, ids=tuple(names)), folder / "labels.csv")
    return folder / "labels.csv"


def renamed(table, names, files, count=COUNT):
    """The labels name images by one pattern, the first files have another one."""
    for i in range(COUNT):
        name = (files if i < count else names).format(i)
        (table.parent / f"{i}.png").rename(table.parent / name)
    text = re.sub(r"^(\d+)\.png", lambda m: names.format(m[1]), table.read_text(), flags=re.M)
    table.write_text(text, encoding="utf-8")


SPELLINGS = [
    ("gr\u00fcn {}.png", "gru\u0308n {}.png", "how accents are encoded"),
    ("gr\u00fcn {}.png", "GR\u00dcN {}.PNG", "upper and lower case"),
    ("gr\u00fcn {}.png", "gr\u00fcn {}.JPEG", "the suffix"),
    ("grun {}.png", "gr\u00fcn {}.jpg", "accents"),
    ("gr\u00c3\u00bcn {}.png", "gr\u00fcn {}.png", "the text encoding"),
    ("gr?n {}.png", "gr\u00fcn {}.png", "letters that the labels have lost"),
]


@pytest.mark.parametrize(("names", "files", "differs"), SPELLINGS)
@pytest.mark.parametrize("count", [1, COUNT])
def test_images_under_another_spelling_are_found_and_said(
    table, names, files, differs, count, caplog
):
    renamed(table, names, files, count)
    with caplog.at_level("INFO", "nasion"):
        faces = nasion.load_faces(None, table)
    assert [image.name for image in paths(faces)[:count]] == [files.format(i) for i in range(count)]
    # The labels' own names stay: in the label file they are what one looks for.
    assert faces.ids == tuple(names.format(i) for i in range(COUNT))
    number = "1 image is" if count == 1 else f"{count} images are"
    found = [line for line in caplog.messages if "another name" in line]
    assert len(found) == 1 and f"{number} there under another name than in the labels" in found[0]
    assert f"which differs in {differs}" in found[0]
    result = check(table)
    assert result.faults == [] and len(result.notes) == count


def test_check_lists_found_images_as_notes_and_does_not_fail(table, monkeypatch, capsys):
    renamed(table, "a {}.jpg", "A {}.png", 2)
    code, printed = run_command(monkeypatch, capsys, "data", "check", table)
    assert code == 0 and printed.count("note  ") == 2
    assert (
        "note  a 0.jpg: its image was found at 'A 0.png', which differs in the suffix." in printed
    )


def test_two_images_that_fit_equally_are_refused_by_name(table):
    renamed(table, "anna {}.png", "anna {}.png")
    for name in ("Anna 2.png", "ANNA 2.png"):
        (table.parent / name).write_bytes((table.parent / "anna 2.png").read_bytes())
    (table.parent / "anna 2.png").unlink()
    message = r"the image 'anna 2\.png' could be ANNA 2\.png or Anna 2\.png"
    with pytest.raises(DataError, match=message):
        nasion.load_faces(None, table)
    faults = [str(fault) for fault in check(table).faults]
    assert any("could be ANNA 2.png or Anna 2.png" in fault for fault in faults)
    assert len(nasion.load_faces(None, table, reading=LabelReading(skip_faults=True))) == COUNT - 1


def test_a_file_that_other_labels_name_is_not_taken_for_a_missing_one(table):
    """0.jpg was deleted; 0.png is another picture, with labels of its own."""
    text = table.read_text()
    table.write_text(text.replace("\n1.png", "\n0.jpg"))
    (table.parent / "1.png").unlink()
    assert not paths(nasion.load_faces(None, table))[1].is_file()
    # Nor do two missing ones share a file.
    table.write_text(text.replace("\n0.png", "\nX.png").replace("\n1.png", "\nx.jpg"))
    (table.parent / "0.png").rename(table.parent / "X.webp")
    with pytest.raises(DataError, match=r"name 'X.png' and 'x.jpg', and neither is there; both"):
        nasion.load_faces(None, table)


@pytest.mark.parametrize(
    "path",
    [r"C:\Users\Jo\faces\images\{}.png", "/home/jo/faces/images/{}.png", "../../images/{}.PNG"],
)
@pytest.mark.parametrize(
    "form", ["csv", "points_long_csv", "coco", "imglab", "cvat", "nasion_json"]
)
def test_paths_of_another_machine_are_found_by_their_end(table, tmp_path, form, path, caplog):
    images = table.parent / "images"
    images.mkdir()
    for i in range(COUNT):
        (table.parent / f"{i}.png").rename(images / f"{i}.png")
    done = table
    if form != "csv":
        done = conversion.convert(table, tmp_path / form, form).data
    text = done.read_text(encoding="utf-8")
    escaped = path.replace("\\", "\\\\") if done.suffix == ".json" else path
    text = re.sub(r"(?:images/)?\b(\d)\.png", lambda m: escaped.format(m[1]), text)
    done.write_text(text, encoding="utf-8")
    with caplog.at_level("INFO", "nasion"):
        faces = nasion.load_faces(None, done)
    assert [image.name for image in paths(faces)] == [f"{i}.png" for i in range(COUNT)]
    assert all(image.is_file() for image in paths(faces))
    said = f"{done.name}: {COUNT} images are named by paths outside its folder, and found"
    assert [line for line in caplog.messages if said in line], caplog.messages
    expected = nasion.load_faces(None, table, scheme=faces.scheme) if form == "csv" else faces
    np.testing.assert_allclose(faces.points, expected.points)


def test_a_path_of_another_machine_without_such_a_file_is_refused(table):
    text = table.read_text().replace("\n2.png", "\n/home/jo/other.png")
    table.write_text(text)
    with pytest.raises(DataError, match=r"line 4: the image '/home/jo/other.png' is outside"):
        nasion.load_faces(None, table)


def test_paths_are_told_apart_by_the_folders_that_they_share(tmp_path):
    for person in ("anna", "Bo"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "1.jpg").touch()
    finder = ImageFinder(tmp_path)
    assert finder.named("D:/set/anna/1.jpg") == "anna/1.jpg"
    assert finder.named("/set/bo/1.JPG") == "Bo/1.jpg"
    with pytest.raises(
        ValueError, match=r"could be Bo/1.jpg or anna/1.jpg; write the images' paths"
    ):
        finder.named("/set/carla/1.jpg")
    # Of a relative name the last folder counts: another one has other pictures.
    assert finder.like("carla/1.jpg") is None
    assert finder.like("BO/1.jpg") == ("Bo/1.jpg", "upper and lower case")


def test_a_conversion_to_a_relative_folder_loses_nothing(table, monkeypatch):
    """YOLO's images have whole paths, which are those of the folder all the same."""
    monkeypatch.chdir(table.parent.parent)
    done = conversion.convert(Path("mine/labels.csv"), Path("yolo"), "yolo_pose")
    assert done.lost == {}


def test_a_conversion_of_faulty_labels_lists_faults_in_one_line(table, monkeypatch, capsys):
    (table.parent / "3.png").unlink()
    target = table.parent.parent / "coco"
    code, printed = run_command(
        monkeypatch, capsys, "data", "convert", table, target, "--to", "coco"
    )
    assert code != 0 and "1 fault. 3.png: its image is not at" in printed and "\\n" not in printed
    assert (
        "the images of 1 face cannot be read"
        in run_command(
            monkeypatch, capsys, "data", "show", table, "-o", table.parent.parent / "s.png"
        )[1]
    )


def test_a_relative_path_is_found_beside_the_labels_if_its_folder_is_not_there(table, caplog):
    """As a path of another machine is: an archive was unpacked without its folder."""
    table.write_text(re.sub(r"\n(\d)\.png", r"\nimages/\1.png", table.read_text()))
    with caplog.at_level("INFO", "nasion"):
        found = paths(nasion.load_faces(None, table))
    assert found == [table.parent / f"{i}.png" for i in range(COUNT)]
    assert any("6 images are there under another name" in line for line in caplog.messages)
    # Of a folder that is there, the pictures are others.
    (table.parent / "images").mkdir()
    (table.parent / "images" / "0.png").write_bytes((table.parent / "0.png").read_bytes())
    there = [path.is_file() for path in paths(nasion.load_faces(None, table))]
    assert there == [True] + [False] * (COUNT - 1)
    table.write_text(table.read_text().replace("images/", "../images/"))
    assert not (table.parent.parent / "images").exists()
    (table.parent.parent / "9.png").write_bytes((table.parent / "0.png").read_bytes())
    table.write_text(table.read_text().replace("../images/3", "../9"))
    with pytest.raises(DataError, match=r"the image '../9.png' is outside"):
        nasion.load_faces(None, table)


@pytest.mark.parametrize("form", ["coco", "csv", "imglab", "label_studio"])
@pytest.mark.parametrize("name", ["{}", "images/{}", "/home/jo/images/{}"])
def test_images_lie_beside_the_folder_of_annotations(table, tmp_path, form, name):
    """COCO's layout: ``annotations/faces.json`` beside ``images``."""
    root = tmp_path / "set"
    for folder in ("annotations", "images"):
        (root / folder).mkdir(parents=True)
    source = table if form == "csv" else conversion.convert(table, tmp_path / form, form).data
    for i in range(COUNT):
        (table.parent / f"{i}.png").rename(root / "images" / f"{i}.png")
    text = re.sub(
        r"(?:/?[\w/.?=-]*/)?\b(\d)\.png", lambda m: name.format(m[0][-5:]), source.read_text()
    )
    labels = root / "annotations" / source.name
    labels.write_text(text)
    wanted = [root / "images" / f"{i}.png" for i in range(COUNT)]
    assert paths(nasion.load_faces(None, labels)) == wanted
    assert check(labels).faults == []
    if form != "imglab":  # its file is given, never its folder
        assert paths(nasion.load_faces(None, root)) == wanted
    (root / "annotations" / f"b{labels.suffix}").write_text(text)
    with pytest.raises(SettingError, match=r"it holds .*; give the path of one of them, as .*anno"):
        nasion.load_faces(None, root)
    # Paths that lead out of the set are refused as before.
    (tmp_path / "0.png").write_bytes(wanted[0].read_bytes())
    wanted[0].unlink()
    labels.write_text(re.sub(r"[\w/]*\b0\.png", "../../0.png", text))
    if form != "label_studio":
        with pytest.raises(DataError, match=r"the image '../../0.png' is outside"):
            nasion.load_faces(None, labels)


def test_pictures_beside_the_folder_of_annotations_can_be_labelled(table, tmp_path):
    """They have one name each, from the folder above both."""
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    for i in range(COUNT):
        (table.parent / f"{i}.png").rename(root / "images" / f"{i}.png")
    lines = table.read_text().splitlines()
    labels = root / "annotations" / "labels.csv"
    labels.write_text("\n".join([*lines[:-1], lines[1].replace("1", "2")]) + "\n")
    data = open_data(str(labels), LabelReading(), fkd15)
    last = f"images/{COUNT - 1}.png"
    assert set(data.image_names) == {f"images/{i}.png" for i in range(COUNT - 1)}
    assert data.pictures == (last,) and data.images[last] == root / last
