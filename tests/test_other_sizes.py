"""Images of another size than their label file states: their labels are at wrong places."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasion.data import convert
from nasion.data.datasets import toy
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.data.stated_sizes import OtherSize, StatedSizes
from nasion.discovery import DATASETS
from nasion.landmarks.catalog import fkd15

COUNT = 12
# Formats with sizes that hold any scheme's points under their names.
NAMES = [name for name in convert.formats() if hasattr(DATASETS.load(name), "stated_sizes")]
READING = LabelReading(missing="none", scheme=fkd15)


def labelled(folder, name, width=90, height=80):
    """Twelve drawn faces in this format; (what to read, the images' folder)."""
    module = DATASETS.load(name)
    drawn = toy.draw(COUNT, fkd15, seed=4, size=80, colour=True)
    images = folder / module.IMAGE_FOLDER
    images.mkdir(parents=True, exist_ok=True)
    files = tuple(images / f"{i}.png" for i in range(COUNT))
    for file, pixels in zip(files, drawn.images, strict=True):
        padded = Image.new("RGB", (width, height))
        padded.paste(Image.fromarray(pixels))
        padded.save(file)
    ids = tuple(file.name for file in files)
    faces = replace(drawn, ids=ids, images=files, occluded=None)
    return module.write_labels(faces, folder), files


def resized(files, factor):
    for file in files:
        with Image.open(file) as image:
            size = (round(image.width * factor), round(image.height * factor))
            image.resize(size).save(file)


def suspects(data, name):
    result = check(data, replace(READING, dataset=name))
    assert result.faults == []
    assert "images of another size than their labels'" in result.looked_for
    return [fault.problem for fault in result.suspects]


@pytest.mark.parametrize("name", NAMES)
def test_images_enlarged_or_shrunk_after_labelling_are_one_suspect(tmp_path, name):
    data, files = labelled(tmp_path, name)
    assert suspects(data, name) == []
    resized(files, 2)
    (found,) = suspects(data, name)
    assert found.startswith(
        "its label file states 90 x 80 pixels, its image has 180 x 160 (2 times as large), as have "
        "12 of 12 images; labels that were made on an image of the stated size are at wrong places"
    )
    # Now labels lie outside their images as well: the same cause, said once.
    resized(files, 0.25)
    (found,) = suspects(data, name)
    assert "has 45 x 40 (0.5 times as large), as have 12 of 12" in found


def test_a_few_images_of_another_size_are_named_each(tmp_path):
    data, files = labelled(tmp_path, "labelme")
    resized(files[3:5], 2)
    with Image.open(files[7]) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.save(files[7])
    result = check(data, replace(READING, dataset="labelme"))
    found = {fault.place: fault.problem for fault in result.suspects}
    assert set(found) == {"3.png", "4.png", "7.png"}
    assert "states 90 x 80 pixels, its image has 80 x 90 (another shape)" in found["7.png"]


def test_a_wrong_size_in_the_file_harms_no_label(tmp_path):
    data, _ = labelled(tmp_path, "coco")
    text = data.read_text()
    assert text.count('"width": 90') == COUNT
    # Labels reach beyond 40 x 36: they are of the images as they are.
    data.write_text(
        text.replace('"width": 90', '"width": 40').replace('"height": 80', '"height": 36')
    )
    assert suspects(data, "coco") == []
    # A row that a program cut off moves no label.
    data.write_text(text.replace('"width": 90', '"width": 91'))
    assert suspects(data, "coco") == []


def test_loading_warns_and_moves_nothing(tmp_path, caplog):
    data, files = labelled(tmp_path, "cvat")
    before = load_faces("cvat", data, reading=READING)
    assert "another size" not in caplog.text
    resized(files, 2)
    with caplog.at_level(logging.WARNING, logger="nasion"):
        found = load_faces("cvat", data, reading=READING)
    np.testing.assert_array_equal(found.points, before.points)
    assert "of 12 faces looked at, the images of 12 have another size" in caplog.text


def test_sizes_are_read_under_the_names_of_nasion_0_1_too(tmp_path):
    data, files = labelled(tmp_path, "nasion_json")
    text = data.read_text().replace('"images"', '"pictures"').replace('"image"', '"picture"')
    data.write_text(text)
    assert suspects(data, "nasion_json") == []
    resized(files, 2)
    assert "(2 times as large)" in suspects(data, "nasion_json")[0]


def test_equal_names_in_several_folders_are_told_apart():
    sizes = StatedSizes({"anna/1.jpg": (10, 20), "bert/1.jpg": (30, 40), "2.jpg": (5, 6)})
    assert sizes.of(Path("/data/images/anna/1.jpg")) == (10, 20)
    assert sizes.of(Path("/data/images/bert/1.jpg")) == (30, 40)
    assert sizes.of(Path("/data/images/1.jpg")) is None
    assert sizes.of(Path("/data/images/2.jpg")) == (5, 6)
    assert sizes.of(Path("/data/images/3.jpg")) is None


@pytest.mark.parametrize(
    ("stated", "actual", "ratio"),
    [
        ((133, 160), (266, 320), 2),
        ((1023, 767), (320, 240), 0.3128),  # both rounded to whole pixels
        ((100, 100), (100, 80), None),
        ((90, 80), (80, 90), None),
    ],
)
def test_the_ratio_of_two_sizes(stated, actual, ratio):
    found = OtherSize(0, Path("a.jpg"), stated, actual).ratio
    assert found == (None if ratio is None else pytest.approx(ratio, abs=1e-3))
