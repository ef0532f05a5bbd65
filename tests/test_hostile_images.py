"""Images made to do harm: nothing is started, and time and memory stay within limits."""

import io
import re
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image, features

from nasion.errors import DataError
from nasion.media.decoder_process import ImageDecoder
from nasion.media.image_headers import FORMATS, MAX_SCANS, count_scans
from nasion.media.images import image_size, open_image

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 50 50
%%EndComments
0 0 50 50 rectfill
showpage
"""
LIMIT = 1_000_000  # pixels


def encoded(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def jpeg_of_scans(extra, side=256):
    """A progressive JPEG whose last scan's header comes ``extra`` times more, without data."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    header = data[start : start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")]
    return data[:-2] + header * extra + b"\xff\xd9"


def png_of_zeros(width, height, colour_type=6):
    """A PNG (6: RGBA, 8 bits) of one value, made without holding its pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    pack = zlib.compressobj(9)
    row = bytes(1 + width * {6: 4, 2: 3, 0: 1}[colour_type])
    body = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["photo.jpg", "photo.eps", "photo.png", "photo.ps"])
def test_an_eps_under_any_name_starts_no_process_and_is_refused_by_name(
    tmp_path, monkeypatch, name
):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **_: started.append(words))
    path = tmp_path / name
    path.write_bytes(EPS)
    for read in (lambda: open_image(path, colour=True), lambda: image_size(path)):
        with pytest.raises(DataError, match=rf"{name}: not a readable image"):
            read()
    with pytest.raises(DataError, match=r"upload.jpg: not a readable image; JPEG, PNG, WebP"):
        open_image(EPS, colour=True, name="upload.jpg")
    assert started == []


def test_without_the_list_of_formats_pillow_would_start_ghostscript(monkeypatch):
    """That the test above would notice."""
    from PIL import EpsImagePlugin

    started = []
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", lambda: True)
    monkeypatch.setattr(subprocess, "check_call", lambda words, **_: started.append(words[0]))
    with pytest.raises(Exception), Image.open(io.BytesIO(EPS)) as file:  # noqa: B017
        file.load()
    assert started == ["gs"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_the_list_is_read(tmp_path, kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    square = Image.new("RGB", (32, 32), (200, 100, 50))
    path = tmp_path / "image"
    path.write_bytes(encoded(square, kind))
    pixels = open_image(path, colour=True)
    # GIF has 256 colours, and others lose a little.
    assert pixels.shape == (32, 32, 3)
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() < 30
    assert image_size(path) == (32, 32)


def test_a_jpeg_of_too_many_scans_is_refused_before_it_is_decoded():
    own = count_scans(jpeg_of_scans(0))
    assert own == 10  # libjpeg's own script for colour
    assert open_image(jpeg_of_scans(MAX_SCANS - own), colour=True).shape == (256, 256, 3)
    started = time.perf_counter()
    with pytest.raises(DataError, match=r"a.jpg: a JPEG of 20,010 scans; the limit is 100"):
        open_image(jpeg_of_scans(20_000), colour=True, name="a.jpg")
    assert time.perf_counter() - started < 1


def test_scans_of_a_baseline_jpeg_count_too_and_what_follows_the_image_does_not():
    square = encoded(Image.new("RGB", (64, 64)), "JPEG")
    assert count_scans(square) == 1
    assert count_scans(square + b"\xff\xda" * 500) == 1
    # A segment may hold any bytes, as a thumbnail's.
    hidden = b"\xff\xda" * 500
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(hidden)) + hidden
    assert count_scans(square[:2] + comment + square[2:]) == 1
    assert open_image(square + b"\xff\xda" * 500, colour=False).shape == (64, 64)
    start = square.rindex(b"\xff\xda")
    assert count_scans(square[:-2] + square[start:-2] * 9 + b"\xff\xd9") == 10


def test_the_scans_that_are_counted_are_those_that_encoders_write():
    rng = np.random.default_rng(0)
    for mode, channels in (("L", 1), ("RGB", 3), ("CMYK", 4)):
        noise = rng.integers(0, 256, (40, 40, channels), dtype=np.uint8).squeeze()
        image = Image.fromarray(noise, mode)
        data = encoded(image, "JPEG", progressive=True, restart_marker_blocks=2)
        assert count_scans(data) == len(re.findall(rb"\xff\xda", data)) <= 18


def test_an_image_is_limited_by_its_decoded_bytes_with_alpha():
    assert open_image(png_of_zeros(1000, 1000, 2), colour=True, limit=LIMIT).shape[0] == 1000
    with pytest.raises(DataError, match=r"in 4 channels are 4,000,000 bytes decoded"):
        open_image(png_of_zeros(1000, 1000, 6), colour=True, limit=LIMIT)
    for kind in ("WEBP", *(["AVIF"] if features.check("avif") else [])):
        bomb = encoded(Image.new("RGBA", (990, 990)), kind)
        assert len(bomb) < 4000
        with pytest.raises(DataError, match="in 4 channels"):
            open_image(bomb, colour=True, limit=LIMIT)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "CMYK", "1"])
@pytest.mark.parametrize("colour", [True, False])
def test_large_images_are_converted_in_strips_to_the_same_pixels(monkeypatch, mode, colour):
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (50, 40, 4), dtype=np.uint8), "RGBA")
    options = {}
    if mode == "P":
        image, options = image.convert("RGB").quantize(16), {"transparency": 3}
    image = image.convert(mode)
    data = encoded(image, "TIFF" if mode == "CMYK" else "PNG", **options)
    whole = open_image(data, colour)
    monkeypatch.setattr("nasion.media.images._STRIP_PIXELS", 280)
    np.testing.assert_array_equal(open_image(data, colour), whole)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_transparent_image_takes_less_than_nine_bytes_a_pixel(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of_zeros(4000, 3000))
    program = (
        "import re, sys; from pathlib import Path\n"
        "from nasion.media.images import open_image\n"
        "from PIL import Image; Image.init()\n"
        "status = Path('/proc/self/status')\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1])\n"
        "before = peak(); open_image(Path(sys.argv[1]), True); print(peak() - before)"
    )
    command = [sys.executable, "-c", program, tmp_path / "a.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 9 * 4000 * 3000 + (16 << 20)


def test_a_decoding_process_gives_the_same_pixels_and_errors():
    decode = ImageDecoder(seconds=20, max_pixels=LIMIT)
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "PNG")
    for colour in (True, False):
        np.testing.assert_array_equal(decode(data, colour, "a"), open_image(data, colour))
    with pytest.raises(DataError, match=r"^a.jpg: not a readable image; JPEG"):
        decode(EPS, True, "a.jpg")
    with pytest.raises(DataError, match="the limit is 50,000"):
        decode(data, True, "a.png", 50_000)
    assert decode(data, True, "a").shape == (300, 200, 3)


def test_a_decoding_process_that_takes_too_long_is_killed_and_replaced():
    slow = encoded(Image.effect_noise((2500, 2500), 90), "JPEG2000")
    decode = ImageDecoder(seconds=0.1, max_pixels=25_000_000)
    decode(encoded(Image.new("L", (8, 8)), "PNG"), True, "warm")
    killed = decode._own.process
    started = time.perf_counter()
    with pytest.raises(DataError, match=r"slow.jp2: decoding took longer than 0.1 seconds"):
        decode(slow, True, "slow.jp2")
    assert time.perf_counter() - started < 2 and not killed.alive
    assert decode(encoded(Image.new("L", (8, 8)), "PNG"), True, "next").shape == (8, 8, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only there is memory limited")
def test_a_decoding_process_cannot_take_more_memory_than_allowed(monkeypatch):
    """Its own limit, whatever the headers say: 4,000 x 4,000 pixels where 1,000 are allowed."""
    monkeypatch.setattr("nasion.media.decoder_process._MEMORY", 1 << 20)
    decode = ImageDecoder(seconds=20, max_pixels=1)
    decode.max_pixels = 1
    small = encoded(Image.new("L", (1, 1)), "PNG")
    assert decode(small, True, "a").shape == (1, 1, 3)
    decode.max_pixels = 10**9  # the process that runs keeps its memory limit
    with pytest.raises(DataError, match=r"a.png: not a readable image"):
        decode(png_of_zeros(12_000, 12_000, 2), True, "a.png")
    assert decode(small, True, "a").shape == (1, 1, 3)


def test_each_thread_has_its_own_decoding_process_and_none_outlives_its_thread():
    decode, seen = ImageDecoder(seconds=20, max_pixels=LIMIT), []
    data = encoded(Image.new("L", (8, 8)), "PNG")

    def work():
        decode(data, True, "a")
        seen.append(decode._own.process._process)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0].pid != seen[1].pid
    assert [process.wait(10) for process in seen] == [-9, -9]
