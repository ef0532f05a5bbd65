"""Files of several images: the first is read, and a note says so."""

import io

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.data.datasets import points_csv
from nasion.data.label_check import check
from nasion.media.inputs import ImageInput
from nasion.media.several_images import image_count

FIRST = np.full((40, 60), 200, np.uint8)
PAGES = [Image.fromarray(np.full((40, 60), value, np.uint8)) for value in (200, 100, 50)]


def saved(path, kind, pages, **options):
    pages[0].save(path, kind, save_all=True, append_images=pages[1:], **options)
    return path


def with_preview(path):
    """A TIFF of a photograph and its preview, as cameras write them."""
    from PIL.TiffImagePlugin import AppendingTiffWriter, ImageFileDirectory_v2

    small = ImageFileDirectory_v2()
    small[254] = 1
    with AppendingTiffWriter(str(path), True) as file:
        PAGES[0].save(file, "TIFF")
        file.newFrame()
        PAGES[1].resize((15, 10)).save(file, "TIFF", tiffinfo=small)
    return path


@pytest.mark.parametrize("kind", ["TIFF", "MPO"])
def test_a_file_of_three_photographs_is_its_first_and_says_so(tmp_path, caplog, kind):
    path = saved(tmp_path / f"three.{kind.lower()}", kind, PAGES)
    for source in (path, path.read_bytes()):
        caplog.clear()
        pixels = ImageInput("three", source).pixels(colour=False)
        np.testing.assert_allclose(pixels, FIRST, atol=2)
        assert [each.getMessage() for each in caplog.records] == [
            "three: 3 images, only the first is read."
        ]


def test_an_animation_that_came_as_contents_says_so_too():
    data = io.BytesIO()
    saved(data, "GIF", PAGES)
    assert image_count(data.getvalue()) == 3


def test_one_photograph_with_its_preview_or_gain_map_is_one(tmp_path, caplog):
    gain_map = PAGES[1].resize((30, 20))
    files = [
        saved(tmp_path / "one.tif", "TIFF", PAGES[:1]),
        with_preview(tmp_path / "preview.tif"),
        saved(tmp_path / "gain.jpg", "MPO", [PAGES[0], gain_map]),
    ]
    for path in files:
        assert image_count(path) == 1
        ImageInput(path.name, path).pixels(colour=False)
    assert not caplog.records


def test_a_damaged_file_has_no_count(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    assert image_count(tmp_path / "a.tif") == 1 and image_count(b"") == 1


def test_data_check_says_once_that_an_image_file_holds_several(tmp_path, caplog):
    faces = nasion.load_faces("toy", "toy:3:1")
    points_csv.write(faces, tmp_path / "labels.csv")
    names = [line.split(",")[0] for line in (tmp_path / "labels.csv").read_text().splitlines()[1:]]
    text = (tmp_path / "labels.csv").read_text()
    for i, (name, image) in enumerate(zip(names, faces.images, strict=True)):
        pages = [Image.fromarray(image)] * (3 if i < 2 else 1)
        saved(tmp_path / f"{i}.tif", "TIFF", pages)
        text = text.replace(f"{name},", f"{i}.tif,")
    (tmp_path / "labels.csv").write_text(text)
    assert check(tmp_path / "labels.csv").faults == []
    said = [each.getMessage() for each in caplog.records if "only the first" in each.getMessage()]
    assert said == [f"{tmp_path / f'{i}.tif'}: 3 images, only the first is read." for i in (0, 1)]
