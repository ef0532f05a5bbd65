"""Animated GIF, WebP and PNG images are read as clips, still ones as images."""

import json

import numpy as np
import pytest
from PIL import Image

from nasion.app.bulk_inputs import make_parts
from nasion.app.cli import main
from nasion.data.datasets import toy
from nasion.errors import DataError
from nasion.landmarks.catalog import ibug68
from nasion.media.animation import is_animation
from nasion.media.images import open_image
from nasion.media.inputs import ImageInput, resolve_inputs
from nasion.media.video import VideoInput

NAMES = ("a.gif", "a.webp", "a.png", "a.apng")
DURATIONS = [100, 200, 40, 300]  # milliseconds


def animated(path, frames, durations, **settings):
    images = [Image.fromarray(frame) for frame in frames]
    kind = {".apng": "PNG"}.get(path.suffix)
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    options = {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 0}
    images[0].save(path, kind, **options, **lossless, **settings)
    return path


def shades(count=4):
    """Grey frames with a darker square that moves, in colours that a palette holds exactly."""
    for i in range(count):
        frame = np.full((40, 60, 3), 200, np.uint8)
        frame[10:20, 10 * i : 10 * i + 10] = (20, 40 + 40 * i, 60)
        yield frame


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_an_animated_image_come_with_their_times(tmp_path, name):
    path = animated(tmp_path / name, list(shades()), DURATIONS)
    (clip,) = resolve_inputs([str(path)])
    assert isinstance(clip, VideoInput) and clip.frame_count() == 4
    frames = list(clip.frames())
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    # From the first frame: 0.1 s, then 0.2 s, then 0.04 s.
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.1, 0.3, 0.34])
    for frame, drawn in zip(frames, shades(), strict=True):
        assert np.abs(frame.pixels.astype(int) - drawn).max() <= 2
    assert len(list(VideoInput(path, seconds=0.2).frames())) == 2


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_one_frame_is_an_image(tmp_path, name):
    Image.fromarray(next(shades())).save(tmp_path / name, {".apng": "PNG"}.get(name[1:]))
    assert isinstance(resolve_inputs([str(tmp_path / name)])[0], ImageInput)


def test_a_png_with_much_before_its_pixels_is_looked_at_whole(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    note = PngInfo()
    note.add_text("Comment", "x" * 9000)
    path = animated(tmp_path / "a.png", list(shades()), DURATIONS, pnginfo=note)
    assert is_animation(path)
    Image.fromarray(next(shades())).save(tmp_path / "still.png", pnginfo=note)
    assert not is_animation(tmp_path / "still.png")


def test_frames_that_name_no_duration_are_shown_for_a_tenth_of_a_second(tmp_path):
    """As browsers show them."""
    path = animated(tmp_path / "a.gif", list(shades()), 0)
    np.testing.assert_allclose([f.seconds for f in VideoInput(path).frames()], [0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_written_animation_lasts_as_long_as_its_source(tmp_path, monkeypatch, suffix):
    av = pytest.importorskip("av")
    monkeypatch.setattr("nasion.media.video.plan_sound", lambda _: (suffix, []))
    clip = VideoInput(animated(tmp_path / "a.gif", list(shades()), [1000, 500, 1000, 3000]))
    # Twice: from the animation, and from the file that was written of it.
    for name in ("once", "twice"):
        assert len(list(clip.rewrite(tmp_path, name, lambda frame: frame.pixels))) == 4
        path = tmp_path / f"{name}-points{suffix}"
        with av.open(str(path)) as made:
            last = [packet for packet in made.demux(video=0) if packet.pts is not None][-1]
            assert made.duration / 1e6 == pytest.approx(5.5, abs=0.01)
            assert float(last.duration * last.time_base) == pytest.approx(3, abs=0.01)
        clip = VideoInput(path)


def test_the_last_frame_of_an_animation_ends_with_the_wanted_time(tmp_path):
    path = animated(tmp_path / "a.gif", list(shades()), 1000)
    frames = list(VideoInput(path, seconds=1.4).frames())
    assert [(frame.seconds, frame.duration) for frame in frames] == [
        (0, pytest.approx(1)),
        (1, pytest.approx(0.4)),
    ]


def test_transparent_pixels_are_white_in_each_frame(tmp_path):
    frames = []
    for i in range(3):
        frame = np.zeros((40, 60, 4), np.uint8)
        frame[5:25, 10 * i : 10 * i + 20] = (10, 20, 30, 255)
        frames.append(frame)
    path = animated(tmp_path / "a.webp", frames, 100)
    for i, frame in enumerate(VideoInput(path).frames()):
        assert frame.pixels[15, 10 * i + 5].tolist() == [10, 20, 30]
        assert frame.pixels[35, 55].tolist() == [255] * 3


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_frames_are_turned_as_the_exif_tag_says(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = animated(tmp_path / name, list(shades()), DURATIONS, exif=exif)
    frames = list(VideoInput(path).frames())
    # The first one is what is read of the file where it is an image, as over HTTP.
    assert (frames[0].pixels == open_image(path, colour=True)).all()
    expected = (40, 60, 3) if orientation < 5 else (60, 40, 3)
    assert {frame.pixels.shape for frame in frames} == {expected}


def test_a_cut_animation_is_read_up_to_the_cut_and_that_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (8, 60, 80, 3)).astype(np.uint8)
    path = animated(tmp_path / "a.apng", list(noise), 100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    problems = []
    frames = list(VideoInput(path).frames(problems.append))
    assert 2 <= len(frames) <= 5
    assert problems[0].damaged
    assert problems[0].reason == f"damaged: read up to frame {len(frames)} of 8"


def test_an_animation_that_is_too_large_is_refused(tmp_path, monkeypatch):
    path = animated(tmp_path / "a.gif", list(shades()), 100)
    monkeypatch.setattr("nasion.media.animation.MAX_PIXELS", 2399)
    with pytest.raises(DataError, match="40 pixels; the limit is 2,399"):
        list(VideoInput(path).frames())


def test_in_bulk_an_animated_image_is_its_first_frame(tmp_path):
    path = animated(tmp_path / "a.gif", list(shades()), 100)
    assert make_parts([str(path)])[0].names == (str(path),)


@pytest.mark.slow
def test_predict_tracks_the_face_in_an_animated_image(tmp_path, monkeypatch, capsys):
    av = pytest.importorskip("av")
    face = toy.draw(1, ibug68, size=240, colour=True).images[0]
    canvas = np.full((240, 320, 3), 90, np.uint8)
    frames = [canvas.copy() for _ in range(5)]
    for i, frame in enumerate(frames):
        frame[:, 10 * i : 10 * i + 240] = face
    path = animated(tmp_path / "a.webp", frames, 50)
    words = ["nasion", "predict", path, "--run", "face68_light", "--out", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", list(map(str, words)))
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0 and "1 face in 5 frames" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())["images"]
    assert [image["seconds"] for image in found] == [0, 0.05, 0.1, 0.15, 0.2]
    assert [[face["track"] for face in image["faces"]] for image in found] == [[1]] * 5
    with av.open(str(tmp_path / "out" / "a-points.mp4")) as made:
        times = [frame.time for frame in made.decode(video=0)]
    np.testing.assert_allclose(times, [0, 0.05, 0.1, 0.15, 0.2], atol=1e-3)
