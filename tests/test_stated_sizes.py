"""Labels of images that an EXIF tag turns: the size that their file states decides."""

import logging

import numpy as np
import pytest
from PIL import Image

from nasion.data import convert
from nasion.data.exif_labels import to_upright
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.discovery import DATASETS
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

# Two points on a level line: nothing tells which way such a face is up.
LEVEL = Scheme(name="level", points=("one", "other"), mirror=())
STORED = (60, 40)  # turned, 40 wide and 60 high


def labels(folder, name, size):
    """Labels in this format of an image that EXIF turns, its size stated as ``size``."""
    module = DATASETS.load(name)
    image = folder / module.IMAGE_FOLDER / "a.jpg"
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(image)
    points = np.array([[[12, 20], [22, 30]]], np.float32)
    faces = Faces(scheme=LEVEL, ids=("a",), images=(image,), points=points)
    data = module.write_labels(faces, folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", STORED).save(image, exif=exif)
    return data, faces


NAMES = [name for name in convert.formats() if hasattr(DATASETS.load(name), "stated_sizes")]


@pytest.mark.parametrize("name", NAMES)
def test_the_size_in_the_file_decides(tmp_path, name, caplog):
    stored, faces = labels(tmp_path / "stored", name, STORED)
    with caplog.at_level(logging.INFO, logger="nasion"):
        found = load_faces(name, stored, reading=LabelReading(missing="none"))
    expected = to_upright(faces.points.astype(float), 6, STORED)
    np.testing.assert_allclose(found.points, expected, atol=1e-3)
    assert "the file states its size" in caplog.text
    upright, faces = labels(tmp_path / "upright", name, STORED[::-1])
    found = load_faces(name, upright, reading=LabelReading(missing="none"))
    np.testing.assert_allclose(found.points, faces.points, atol=1e-3)


def test_the_option_counts_more_than_the_size(tmp_path):
    stored, faces = labels(tmp_path, "coco", STORED)
    found = load_faces("coco", stored, reading=LabelReading(missing="none", exif="apply"))
    np.testing.assert_allclose(found.points, faces.points, atol=1e-3)
    assert len(NAMES) >= 5
