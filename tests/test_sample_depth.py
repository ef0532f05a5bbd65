"""Images of 10 to 16 bits and floats: the same face whatever the depth of its samples."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.inference.landmarker import Landmarker
from nasion.media.images import open_image
from nasion.media.sample_depth import to_uint8

DEPTHS = (8, 10, 12, 14, 16)
RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (40, 30)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (40, 30, 3)).astype(np.uint8)
GREY[0, 0] = COLOUR[0, 0] = 0
GREY[0, 1:9] = COLOUR[0, 1:9] = 255


def at_depth(pixels, bits):
    return np.rint(pixels.astype(float) / 255 * ((1 << bits) - 1)).astype(np.uint16)


def png(values, significant=0, transparent=b""):
    """A PNG of 16 bits, of 1 to 4 channels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    rows = values.astype(">u2").reshape(height, -1)
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    head += chunk(b"sBIT", bytes([significant] * channels)) if significant else b""
    head += chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def portable(kind, values, white):
    height, width = values.shape[:2]
    kind_of_sample = ">u2" if white > 255 else "u1"
    head = f"{kind} {width} {height} {white}\n".encode()
    return head + values.astype(kind_of_sample).tobytes()


def tiff(values, **options):
    data = io.BytesIO()
    Image.fromarray(values).save(data, "TIFF", **options)
    return data.getvalue()


def opaque(values):
    return np.dstack([values, np.full(values.shape[:2], 65535, np.uint16)])


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize(
    ("make", "pixels"),
    [
        (png, GREY),
        (png, COLOUR),
        (lambda values: png(opaque(values)), GREY),
        (lambda values: png(opaque(values)), COLOUR),
        (lambda values: tiff(values.astype("<u2")), GREY),
        (lambda values: tiff(values.astype(">u2")), GREY),
        (lambda values: tiff(values, compression="tiff_adobe_deflate"), GREY),
        (lambda values: portable("P5", values, 65535), GREY),
        (lambda values: portable("P6", values, 65535), COLOUR),
    ],
    ids=["png", "png-rgb", "png-la", "png-rgba", "tiff", "tiff-mm", "tiff-deflate", "pgm", "ppm"],
)
def test_files_of_16_bits_that_hold_fewer_are_as_bright_as_in_8(make, pixels, bits):
    found = open_image(make(at_depth(pixels, bits)), colour=pixels.ndim == 3)
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_what_a_file_says_of_its_white_rules_in_dark_images(bits):
    """A face in shadow stays as dark as it was: no value comes near the file's white."""
    white, grey, colour = (1 << bits) - 1, GREY // 8, COLOUR // 8
    for data in (
        png(at_depth(grey, bits), bits),
        portable("P5", at_depth(grey, bits), white),
        tiff(at_depth(grey, bits), tiffinfo={281: white}),
    ):
        np.testing.assert_array_equal(open_image(data, False), grey)
    for data in (png(at_depth(colour, bits), bits), portable("P6", at_depth(colour, bits), white)):
        np.testing.assert_array_equal(open_image(data, True), colour)


def test_significant_bits_of_values_that_fill_all_16_change_nothing():
    """As the standard wants it: values are scaled up, sBIT tells what they had before."""
    np.testing.assert_array_equal(open_image(png(at_depth(GREY, 16), 12), False), GREY)


def test_jpeg_2000_of_12_bits_is_read_by_its_depth():
    data = io.BytesIO()
    Image.fromarray(at_depth(GREY, 16)).save(data, "JPEG2000", irreversible=False)
    np.testing.assert_array_equal(open_image(data.getvalue(), False), GREY)
    dark = bytearray(data.getvalue())
    at = dark.index(b"\xff\x4f\xff\x51") + 42
    assert dark[at] == 15  # 16 bits, less one


def test_a_tiff_whose_white_is_zero_is_turned_over():
    data = tiff(65535 - at_depth(GREY, 16), tiffinfo={262: 0})
    np.testing.assert_array_equal(open_image(data, False), GREY)


def test_a_few_hot_pixels_do_not_make_an_image_dark():
    values = at_depth(np.resize(GREY, (200, 200)), 12)
    values[7, 7] = 65535
    expected = np.resize(GREY, (200, 200)).copy()
    expected[7, 7] = 255
    np.testing.assert_array_equal(open_image(png(values), False), expected)


def test_a_transparent_colour_of_16_bits_is_white():
    values = at_depth(COLOUR, 12)
    values[3:6] = (100, 200, 300)
    found = open_image(png(values, 12, struct.pack(">3H", 100, 200, 300)), True)
    assert (found[3:6] == 255).all()
    np.testing.assert_array_equal(found[6:], COLOUR[6:])


def test_floats_and_signed_numbers_are_scaled_by_what_they_hold():
    for scale in (1 / 255, 1, 257):
        found = open_image(tiff(GREY * np.float32(scale)), False)
        assert np.abs(found.astype(int) - GREY).max() <= 1, scale
    # HDR: white is beyond 1; what is left is stretched from its darkest to its brightest.
    ramp = np.linspace(0, 5, 1001, dtype=np.float32)[None]
    assert np.abs(to_uint8(ramp).astype(int) - np.linspace(0, 255, 1001)).max() <= 1
    signed = np.linspace(-32768, 32767, 1001).astype(np.int32)[None]
    assert np.abs(to_uint8(signed).astype(int) - np.linspace(0, 255, 1001)).max() <= 1
    assert to_uint8(np.zeros((2, 2), np.uint16)).tolist() == [[0, 0], [0, 0]]
    assert to_uint8(np.full((2, 2), -3.0)).tolist() == [[0, 0], [0, 0]]


def test_deep_images_are_turned_as_their_exif_tag_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    for values in (at_depth(GREY, 12), at_depth(GREY, 16)):
        data = io.BytesIO()
        Image.fromarray(values).save(data, "PNG", exif=exif)
        np.testing.assert_array_equal(open_image(data.getvalue(), False), np.rot90(GREY, -1))


def test_a_face_has_the_same_points_at_every_depth(real_data):
    image = Image.open(real_data / "samples" / "astronaut.png").convert("RGB")
    pixels = np.asarray(image.crop((100, 0, 400, 300)))
    landmarker = Landmarker(nasion.load_model("face68_light"))
    (face,) = landmarker(pixels)
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    for bits in DEPTHS:
        for values in (at_depth(pixels, bits), at_depth(grey, bits)):
            for found in (landmarker(png(values)), landmarker(values)):
                assert np.abs(found[0].points - face.points).max() < 0.1, bits
