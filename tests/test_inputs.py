"""Inputs: every kind of file becomes images, unreadable ones are named, nothing else is opened."""

import base64
import io
import os
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from nasion.app.known_boxes import MissingBox, known_boxes
from nasion.errors import DataError, SettingError
from nasion.media import downloads, inputs
from nasion.media.images import open_image
from nasion.media.inputs import ImageInput, UnreadableInput


def encoded_pixel(kind):
    data = io.BytesIO()
    Image.new("RGB", (8, 6)).save(data, kind)
    return data.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.jpg", "a.png", "sub/c.WEBP"):
        Image.new("RGB", (8, 6), (200, 100, 50)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing")
    return tmp_path


def read(photo):
    """None for an image that is read; what is wrong with it otherwise."""
    try:
        photo.pixels(colour=True)
    except DataError as error:
        return UnreadableInput.of(photo.name, error)


def names(photos):
    return [photo.name.rpartition("/")[2] for photo in photos]


def test_folders_patterns_and_files_come_in_order_and_each_once(folder):
    assert names(inputs.resolve_inputs([str(folder)])) == ["a.png", "b.jpg", "c.WEBP"]
    assert names(
        inputs.resolve_inputs([str(folder / "*.jpg"), str(folder / "a.png"), str(folder)])
    ) == ["b.jpg", "a.png", "c.WEBP"]
    assert names(inputs.resolve_inputs([str(folder / "**" / "*.WEBP")])) == ["c.WEBP"]


def test_numbers_are_cameras_videos_are_clips_and_lists_are_their_lines(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "list.txt").write_text("b.jpg\n\na.png\nhttp://127.0.0.1/c.jpg\n")
    photos = inputs.resolve_inputs(["list.txt", "7", "film.MP4"])
    assert [photo.name for photo in photos] == [
        "b.jpg",
        "a.png",
        "http://127.0.0.1/c.jpg",
        "camera 7",
        "film.MP4",
    ]
    assert [type(photo).__name__ for photo in photos] == ["ImageInput"] * 3 + ["VideoInput"] * 2


def test_a_camera_s_number_is_of_plain_digits(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (found,) = inputs.resolve_inputs(["\u0667"])
    assert type(found).__name__ == "ImageInput"  # of a file, which is missing


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("*.gif", DataError, "no file matches this pattern"),
        ("*", DataError, r"matches folders only, as empty; .* write \*\*/\* for all files below"),
        ("em*", DataError, r"matches folders only, as empty; .* write em\*/\*\*/\* for"),
        ("empty", DataError, "no images in this folder"),
        ("a**.jpg", SettingError, r"a\*\*.jpg: in a pattern \*\* stands alone for any folders"),
        ("sub/**b/*.jpg", SettingError, r"\*\* stands alone"),
    ],
)
def test_inputs_without_an_image_are_refused_at_once(tmp_path, monkeypatch, word, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=message):
        inputs.resolve_inputs([word])
    with pytest.raises(SettingError, match="Name an image"):
        inputs.resolve_inputs([])


def test_lists_that_name_nothing_are_refused_by_name(tmp_path):
    path = tmp_path / "list.txt"
    for text, problem in (
        ("\n \n\n", r"list.txt: this list names no file; write one file name or URL per line"),
        ("a.jpg\nb\0.jpg\n", r"list.txt line 2: a NUL character"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=problem):
            inputs.resolve_inputs([str(path)])


def test_unreadable_images_are_reported_in_their_place_and_the_rest_is_read(folder):
    (folder / "text.jpg").write_text("this is text")
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    (folder / "empty.png").touch()
    words = [
        str(folder / name)
        for name in ("a.png", "text.jpg", "cut.jpg", "empty.png", "gone.jpg", "b.jpg")
    ]
    found = list(
        inputs.map_in_order(
            lambda photo: (photo, read(photo)),
            inputs.resolve_inputs(words),
            threads=2,
        )
    )
    assert [photo.name for photo, _ in found] == words
    said = [what.reason if isinstance(what, UnreadableInput) else "read" for _, what in found]
    wanted = [
        "read",
        "not a readable image; JPEG",
        "not a readable image",
        "the file is empty",
        "no such file",
        "read",
    ]
    assert all(part in why for part, why in zip(wanted, said, strict=True)), said
    assert not any(str(folder) in why for why in said)


def test_an_image_that_declares_more_pixels_than_the_limit_is_refused_unread(tmp_path):
    header = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
        + (40000).to_bytes(4, "big") * 2
        + b"\x08\x02\x00\x00\x00"
    )
    import zlib

    data = header + zlib.crc32(header[12:]).to_bytes(4, "big") + b"\x00\x00\x00\x00IEND\xaeB`\x82"
    with pytest.raises(DataError, match=r"not a readable image|the limit is 100,000,000"):
        open_image(data, True, "huge.png")


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_every_kind_of_image_is_decoded_as_viewers_show_it():
    red = Image.new("RGB", (20, 10), (255, 0, 0))
    for kind in (
        "JPEG",
        "PNG",
        "WEBP",
        "TIFF",
        "BMP",
        "GIF",
        *(["AVIF"] if ".avif" in Image.registered_extensions() else []),
    ):
        pixels = open_image(saved(red, kind), True)
        assert (
            pixels.shape == (10, 20, 3) and np.abs(pixels.astype(int) - [255, 0, 0]).max() <= 6
        ), kind
        assert open_image(saved(red, kind), False).shape == (10, 20)
    assert (
        np.abs(open_image(saved(red.convert("CMYK"), "JPEG"), True).astype(int) - [255, 0, 0]).max()
        <= 6
    )
    assert (open_image(saved(Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "PNG"), True) == 255).all()
    half = open_image(saved(Image.new("LA", (4, 4), (0, 128)), "PNG"), False)
    assert np.abs(half.astype(int) - 127).max() <= 1
    deep = Image.fromarray(np.full((4, 4), 200 << 8, np.uint16))
    assert (open_image(saved(deep, "PNG"), False) == 200).all()
    frames = saved(red, "GIF", save_all=True, append_images=[Image.new("RGB", (20, 10))])
    assert open_image(frames, True)[0, 0, 0] > 250
    assert open_image(saved(Image.new("L", (1, 1), 7), "PNG"), True).tolist() == [[[7, 7, 7]]]
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(saved(red, "JPEG", exif=exif), True).shape == (20, 10, 3)


def test_standard_input_is_an_image(monkeypatch):
    monkeypatch.setattr(
        sys, "stdin", SimpleNamespace(buffer=io.BytesIO(saved(Image.new("L", (5, 4)), "PNG")))
    )
    (photo,) = inputs.resolve_inputs(["-"])
    assert photo.name == "standard input" and photo.pixels(False).shape == (4, 5)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/me.png" else 404)
        self.end_headers()
        if self.path == "/me.png":
            self.wfile.write(saved(Image.new("L", (5, 4)), "PNG"))

    def log_message(self, *words):
        pass


def test_urls_are_fetched_and_failures_are_named():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    try:
        assert inputs.resolve_inputs([f"{at}/me.png"])[0].pixels(False).shape == (4, 5)
        with pytest.raises(DataError, match=r"gone.png: could not be downloaded \(Not Found\)"):
            ImageInput(f"{at}/gone.png", f"{at}/gone.png").pixels(False)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(DataError, match="could not be downloaded"):
        ImageInput(at, at).pixels(False)


def test_boxes_come_typed_or_from_tables_by_the_images_names(tmp_path):
    assert known_boxes([], None, ["a", "b", "c"]) is None
    assert known_boxes(["1,2,3,4", "5,6,7,8"], None, ["me.png"]).of("me.png").tolist() == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
    ]
    table = tmp_path / "boxes.csv"
    table.write_text("file,box_x0,box_y0,box_x1,box_y1\nme.png,1,2,30,40\nme.png,5,6,70,80\n")
    assert known_boxes([], table, ["a/me.png"]).of("a/me.png").tolist() == [
        [1, 2, 30, 40],
        [5, 6, 70, 80],
    ]
    box = "<image file='a/me.png'><box left='1' top='2' width='3' height='4'/></image>"
    (tmp_path / "boxes.xml").write_text(f"<dataset><images>{box}</images></dataset>")
    assert known_boxes([], tmp_path / "boxes.xml", ["me.png"]).of("me.png").tolist() == [
        [0.5, 1.5, 3.5, 5.5]
    ]


def test_boxes_of_images_of_one_name_go_by_their_folders(tmp_path):
    names = [str(tmp_path / "me.png"), str(tmp_path / "sub" / "me.png")]
    table = tmp_path / "b.csv"
    table.write_text(
        f"file,box_x0,box_y0,box_x1,box_y1\n{names[0]},1,2,30,40\nsub/me.png,5,6,70,80\n"
    )
    found = known_boxes([], table, names)
    assert [found.of(name).tolist() for name in names] == [[[1, 2, 30, 40]], [[5, 6, 70, 80]]]
    table.write_text("file,box_x0,box_y0,box_x1,box_y1\nme.png,1,2,30,40\n")
    with pytest.raises(
        DataError,
        match=(
            r"Several images are called me.png; the table of boxes must name them with their "
            r"folders"
        ),
    ):
        known_boxes([], table, names).of(names[0])


def test_boxes_of_other_folders_images_of_that_name_are_not_taken(tmp_path):
    """A folder for each person, and one of them predicted."""
    table = tmp_path / "b.csv"
    rows = ("anna/01.jpg,1,2,30,40", "bert/01.jpg,5,6,70,80", "bert/01.jpg,7,8,90,95")
    table.write_text("\n".join(("file,box_x0,box_y0,box_x1,box_y1", *rows)))
    for name, boxes in (
        ("anna/01.jpg", [[1, 2, 30, 40]]),
        ("bert/01.jpg", [[5, 6, 70, 80], [7, 8, 90, 95]]),
    ):
        assert known_boxes([], table, [name]).of(name).tolist() == boxes
    with pytest.raises(MissingBox, match=r"has no box for carl/01.jpg; add one, or omit"):
        known_boxes([], table, ["carl/01.jpg"]).of("carl/01.jpg")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1,2,3"], "--box 1,2,3: x0,y0,x1,y1 in pixels expected"),
        (["5,5,1,9"], "with x1 above x0"),
        (["a,b,c,d"], "in pixels expected"),
    ],
)
def test_boxes_that_make_no_sense_are_refused(tmp_path, words, message):
    with pytest.raises(SettingError, match=message):
        known_boxes(words, None, ["me.png"])
    with pytest.raises(SettingError, match="--box is for one image"):
        known_boxes(["1,2,3,4"], None, ["a.png", "b.png"])
    (tmp_path / "b.csv").write_text("face,box_x0,box_y0,box_x1,box_y1\nyou.png,1,2,3,4\n")
    with pytest.raises(DataError, match=r"has no box for me.png"):
        known_boxes([], tmp_path / "b.csv", ["me.png"]).of("me.png")


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "It seems to be a web page."),
        (b"\n<html>404", "It seems to be a web page."),
        (base64.b64encode(encoded_pixel("JPEG")), "It seems to be base64 text; decode it first."),
        (b"dear diary", "It seems to be text."),
        (b"II*\0 and no more", "It seems to be damaged, or a variety that is not read."),
        (bytes(range(200, 250)), "TGA are known."),
    ],
)
def test_what_lies_under_an_images_name_is_guessed(tmp_path, contents, words):
    (tmp_path / "a.jpg").write_bytes(contents)
    with pytest.raises(DataError) as error:
        open_image(tmp_path / "a.jpg", True)
    assert str(error.value).endswith(words)


def test_a_bomb_is_refused_by_our_own_limit(tmp_path):
    head = b"BM" + struct.pack("<IHHI", 100, 0, 0, 54)
    size = struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0)
    with pytest.raises(DataError, match="too many pixels; the limit is 100,000,000"):
        open_image(head + size, True)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")
def test_pipes_loops_and_endless_names_are_refused_as_what_they_are(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "one.jpg").symlink_to("two.jpg")
    (tmp_path / "two.jpg").symlink_to("one.jpg")
    for name, words in (
        ("pipe.jpg", "a pipe or device"),
        ("one.jpg", "no such file \\(Too many levels"),
        ("x" * 5000, "no such file \\(File name too long"),
        ("a\0.jpg", "no such file"),
    ):
        with pytest.raises(DataError, match=words) as error:
            open_image(tmp_path / name, True)
        assert len(str(error.value)) < 400


def test_an_empty_word_is_not_this_folder():
    with pytest.raises(SettingError, match="An input is empty; name a file"):
        inputs.resolve_inputs([""])


def test_addresses_with_spaces_and_umlauts_are_escaped_and_escapes_kept():
    quoted = downloads._quoted("http://host:80/a b/\u00fc%20.jpg?x=1&y=\u00e9 z")
    assert quoted == "http://host:80/a%20b/%C3%BC%20.jpg?x=1&y=%C3%A9%20z"
