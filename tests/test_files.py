"""Files: bombs are refused, a failed write leaves the older file, images are decoded upright."""

import gzip
import zipfile

import numpy as np
import pytest
from PIL import Image

from nasion.errors import DataError
from nasion.media.files import atomic_write, open_bytes, write_text
from nasion.media.images import image_size, open_image


def read(path, **options):
    with open_bytes(path, **options) as stream:
        return stream.read()


def test_a_zip_that_declares_more_than_the_limit_is_refused_before_unpacking(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * 10_000)
    with pytest.raises(DataError, match="declares 10,000 bytes unpacked; the limit is 5,000"):
        read(path, limit=5000)


def test_a_gz_that_unpacks_to_more_than_the_limit_is_stopped(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 10_000))
    with pytest.raises(DataError, match="unpacks to more than 5,000 bytes"):
        read(path, limit=5000)
    assert read(path, limit=10_000) == b"0" * 10_000


def test_a_zip_without_the_file_lists_its_members(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.csv", b"1")
        archive.writestr("__MACOSX/training.csv", b"1")
    with pytest.raises(
        DataError, match=r"one file training.csv expected in it; it holds other.csv"
    ):
        read(path, member="training.csv")


def test_an_encrypted_zip_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", b"1")
    data = bytearray(path.read_bytes())
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a.csv cannot be unpacked"):
        read(path)


def test_a_failed_write_leaves_the_older_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(OSError, match="disk full"), atomic_write(path) as beside:
        beside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_exif_rotation_is_applied_and_transparent_pixels_become_white(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    shown = open_image(tmp_path / "a.png", colour=False)
    assert shown.shape == (6, 4) and shown[0, 3] == 255
    Image.new("RGBA", (2, 2), (10, 20, 30, 51)).save(
        tmp_path / "b.png"
    )  # a fifth of the colour, four of white
    assert open_image(tmp_path / "b.png", colour=True)[0, 0].tolist() == [206, 208, 210]


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(DataError, match=r"a.jpg: not a readable image"):
        open_image(tmp_path / "a.jpg", colour=False)


def test_sixteen_bits_become_eight_and_turned_images_are_upright(tmp_path):
    deep = (np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(
        open_image(tmp_path / "deep.png", colour=False), (deep >> 8).astype(np.uint8)
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((30, 50), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert (
        image_size(tmp_path / "turned.jpg")
        == (30, 50)
        == open_image(tmp_path / "turned.jpg", colour=False).shape[::-1]
    )
    Image.fromarray(np.full((3, 3), 0.6, np.float32)).save(tmp_path / "f.tiff")
    assert (open_image(tmp_path / "f.tiff", colour=False) == 153).all()
