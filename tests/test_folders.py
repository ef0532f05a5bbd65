"""Folders: what can be read is, by its contents where the name does not tell; the rest is named."""

import io
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nasion.errors import DataError
from nasion.media import images, inputs, signatures
from nasion.media.image_headers import FORMATS
from nasion.media.images import image_size, open_image
from nasion.media.inputs import ImageInput
from nasion.media.video import VideoInput

SQUARE = Image.new("RGB", (32, 24), (200, 100, 50))


def encoded(kind, image=SQUARE, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def names(folder):
    return [os.path.relpath(each.name, folder) for each in inputs.resolve_inputs([str(folder)])]


def test_images_of_any_suffix_are_taken_and_all_others_counted(tmp_path, caplog):
    for name, kind in {
        "a.jfif": "JPEG",
        "b.jp2": "JPEG2000",
        "c.tga": "TGA",
        "d.ico": "ICO",
        "photo": "JPEG",
        "scan.img": "PNG",
        "e.jpg_large": "WEBP",
    }.items():
        (tmp_path / name).write_bytes(encoded(kind))
    (tmp_path / "notes.txt").write_text("BM is a word, P5 another")
    (tmp_path / "labels.json").write_text("[]")
    (tmp_path / "more.json").write_text("[]")
    (tmp_path / "code.ts").write_text("const answer: number = 42;\n" * 20)
    (tmp_path / "empty").touch()
    with caplog.at_level(logging.WARNING, "nasion"):
        found = inputs.resolve_inputs([str(tmp_path)])
    assert [each.name.rpartition("/")[2] for each in found] == (
        ["a.jfif", "b.jp2", "c.tga", "d.ico", "e.jpg_large", "photo", "scan.img"]
    )
    for each in found:
        assert isinstance(each, ImageInput) and each.pixels(True).ndim == 3
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path}: 5 files are neither images nor videos (.json 2, ")
    assert ".txt 1" in line and ".ts 1" in line and "no suffix 1" in line


def test_a_folder_without_images_says_what_is_there(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(DataError, match=r"no images in .* 1 file is neither .* \(.csv 1\)"):
        inputs.resolve_inputs([str(tmp_path)])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_linked_folders_are_followed_once_and_dead_links_named(tmp_path, caplog):
    inside, outside = tmp_path / "photos", tmp_path / "elsewhere"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    for path in (inside / "a.png", inside / "sub" / "b.png", outside / "c.png"):
        path.write_bytes(encoded("PNG"))
    (inside / "a_link_to_sub").symlink_to(inside / "sub")
    (inside / "loop").symlink_to(inside)
    (inside / "other").symlink_to(outside)
    (outside / "back").symlink_to(inside)
    (inside / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (inside / "one").symlink_to(inside / "two")
    (inside / "two").symlink_to(inside / "one")
    os.mkfifo(inside / "pipe.png")
    with caplog.at_level(logging.WARNING, "nasion"):
        assert names(inside) == ["a.png", "other/c.png", "sub/b.png"]
    (line,) = caplog.messages
    assert f"4 could not be followed: {inside / 'gone.png'} (a link that leads nowhere)" in line
    assert f"{inside / 'one'} (Too many levels" in line
    assert f"{inside / 'pipe.png'} (a pipe or device)" in line


def test_hidden_files_and_folders_are_left_out_and_counted(tmp_path, caplog):
    for name in ("a.png", "sub/b.png", ".git/c.png", "sub/.thumbnails/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    for name in ("._a.png", "__MACOSX/sub/._b.png"):  # macOS's resource forks
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    with caplog.at_level(logging.WARNING, "nasion"):
        assert names(tmp_path) == ["a.png", "sub/b.png"]
        found = inputs.resolve_inputs([str(tmp_path / "**" / "*.png")])
    assert [os.path.relpath(each.name, tmp_path) for each in found] == ["a.png", "sub/b.png"]
    of_folder, of_pattern = caplog.messages
    assert "4 hidden files and folders were left out" in of_folder
    assert all(name in of_folder for name in ("._a.png", ".git", "__MACOSX", ".thumbnails"))
    assert "4 hidden files and folders were left out" in of_pattern
    # What is named is read.
    assert names(tmp_path / ".git") == ["c.png"]
    assert len(inputs.resolve_inputs([str(tmp_path / ".gi*" / "*.png")])) == 1


def test_a_folder_that_cannot_be_opened_is_an_input_that_cannot_be_read(tmp_path, monkeypatch):
    for name in ("a.png", "shut/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    scan = os.scandir

    def scandir(path):  # rights do not stop root
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = inputs.resolve_inputs([str(tmp_path)])
    assert [os.path.relpath(each.name, tmp_path) for each in found] == ["a.png", "shut"]
    cannot = r"shut: the folder cannot be opened \(Permission denied\)"
    with pytest.raises(DataError, match=cannot):
        found[1].pixels(colour=True)
    with pytest.raises(DataError, match=cannot):
        inputs.resolve_inputs([str(tmp_path / "shut")])
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"no images .*; 1 folder could not be opened: .*shut"):
        inputs.resolve_inputs([str(tmp_path)])


def test_kinds_are_told_by_the_first_bytes():
    for kind in FORMATS:
        if kind != "TGA":
            assert signatures.kind_of_contents(encoded(kind)[:512]) == "image", kind
    assert signatures.kind_of_contents(encoded("TIFF", big_tiff=True)[:512]) == "image"
    for text in (
        b"",
        b"BMW drives",
        b"P5 is a line",
        b"GIF of the day",
        b"OggS"[:3],
        b"G" + bytes(187) + b"G" * 99,
    ):
        assert signatures.kind_of_contents(text) == "", text


@pytest.mark.parametrize(
    "kind", ["mp4", "mov", "avi", "matroska", "webm", "mpeg", "mpegts", "flv", "ogg", "asf", "3gp"]
)
def test_videos_are_told_by_their_first_bytes_and_named_as_such(tmp_path, kind):
    av = pytest.importorskip("av")
    codec = {
        "webm": "libvpx",
        "ogg": "libtheora",
        "mpeg": "mpeg1video",
        "mpegts": "mpeg2video",
        "flv": "flv1",
    }
    path, rng = tmp_path / "clip", np.random.default_rng(0)

    def noise():
        return rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)

    try:
        with av.open(str(path), "w", format=kind) as out:
            stream = out.add_stream(codec.get(kind, "mpeg4"), rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(25):
                frame = av.VideoFrame.from_ndarray(noise(), format="rgb24")
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    except (ValueError, LookupError, av.error.FFmpegError) as error:
        pytest.skip(f"this FFmpeg does not write it ({error})")
    (found,) = inputs.resolve_inputs([str(tmp_path)])
    assert isinstance(found, VideoInput)
    assert len(list(found.frames())) == 25


def test_a_folder_is_no_image_and_no_video(tmp_path):
    with pytest.raises(DataError, match="a folder; name an image in it"):
        open_image(tmp_path, True)
    with pytest.raises(DataError, match="a folder; name a video in it"):
        list(VideoInput(tmp_path).frames())


def test_heic_images_are_read_upright(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(encoded("HEIF", exif=exif.tobytes(), quality=95))
    (found,) = inputs.resolve_inputs([str(tmp_path)])
    pixels = found.pixels(True)
    assert pixels.shape == (32, 24, 3)
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() < 12
    assert found.pixels(False).shape == (32, 24)
    assert image_size(path) == (24, 32)


def test_without_its_package_heic_is_refused_with_the_remedy(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(images, "import_module", missing)
    path = tmp_path / "IMG_0001.heic"
    path.write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(500))
    for read in (lambda: open_image(path, True), lambda: image_size(path)):
        with pytest.raises(DataError, match=r"IMG_0001.heic: .*pip install 'nasion\[heic\]'"):
            read()


def test_the_package_of_heic_is_not_imported_for_other_images(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    program = (
        "import sys; from pathlib import Path; from nasion.media.images import open_image\n"
        "open_image(Path(sys.argv[1]), True); print('pillow_heif' in sys.modules)"
    )
    command = [sys.executable, "-c", program, tmp_path / "a.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
