"""Clips to frames, faces that keep their numbers, and clips written with their sound.

Made by the test, damaged ones too.
"""

import json
import pkgutil
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nasion.app.cli import main
from nasion.data.datasets import toy
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import Landmarker
from nasion.inference.tracking import Tracker
from nasion.landmarks.catalog import ibug68
from nasion.media.video import VideoInput, camera_number

pytestmark = pytest.mark.slow

av = pytest.importorskip("av")
SIDE = 320


def image_bytes(kind):
    data = BytesIO()
    Image.new("RGB", (32, 24)).save(data, kind)
    return data.getvalue()


def written(path, frames, rate=30, sound=None):
    """A clip of these frames; ``sound``: the name of a codec."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=rate)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        if sound:
            audio, kind = (
                out.add_stream(sound, rate=48_000),
                (np.int16, "s16") if sound.startswith("pcm") else (np.float32, "fltp"),
            )
        for number, pixels in enumerate(frames):
            out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            if sound:
                tone = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1600), kind[0]), format=kind[1], layout="mono"
                )
                tone.sample_rate, tone.pts, tone.time_base = (
                    48_000,
                    1600 * number,
                    Fraction(1, 48_000),
                )
                out.mux(audio.encode(tone))
        out.mux(video.encode(None))
        if sound:
            out.mux(audio.encode(None))
    return path


@pytest.fixture(scope="module")
def moving():
    """Frames of a drawn face that moves by 2 pixels a frame, and its points in each."""
    faces = toy.draw(1, ibug68, size=SIDE, colour=True)
    canvas = np.full((SIDE, SIDE + 120, 3), 90, np.uint8)
    frames, points = [], []
    for step in range(24):
        frame = canvas.copy()
        frame[:, 2 * step : 2 * step + SIDE] = faces.images[0]
        frames.append(frame)
        points.append(faces.points[0] + [2 * step, 0])
    return frames, np.array(points)


@pytest.fixture(scope="module")
def clip(moving, tmp_path_factory):
    return written(tmp_path_factory.mktemp("clip") / "clip.mp4", moving[0], sound="aac")


@pytest.fixture(scope="module")
def light():
    return Landmarker("face68_light")


def test_frames_come_upright_in_their_order_with_their_times(clip, moving):
    frames = list(VideoInput(clip).frames())
    assert [frame.number for frame in frames] == list(range(24)) and VideoInput(
        clip
    ).frame_count() == 24
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(24) / 30, atol=1e-3)
    assert np.abs(frames[5].pixels.astype(int) - moving[0][5]).mean() < 6
    assert [frame.number for frame in VideoInput(clip, seconds=0.1).frames()] == [0, 1, 2, 3]


def test_a_clip_with_rotation_metadata_is_turned_upright(clip, tmp_path, moving):
    """The display matrix of a quarter turn, put into the track header as phones do."""
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    (tmp_path / "lying.mp4").write_bytes(data)
    frame = next(iter(VideoInput(tmp_path / "lying.mp4").frames())).pixels
    assert np.abs(frame.astype(int) - np.rot90(moving[0][0], -1)).mean() < 6


def test_a_face_keeps_its_number_and_its_points_are_near_the_true_ones(clip, light, moving):
    seen = [(frame, faces) for frame, faces in light.video(clip)]
    assert [[face.track for face in faces] for _, faces in seen] == [[1]] * 24
    apart = [
        np.abs(faces[0].points - points).mean()
        for (_, faces), points in zip(seen, moving[1], strict=True)
    ]
    assert max(apart) < 6
    raw = [faces[0].points for _, faces in light.video(clip, smoothing=None)]
    assert np.abs(np.array(raw)[1:] - [faces[0].points for _, faces in seen][1:]).max() > 0


@pytest.mark.parametrize(
    ("sound", "ending"), [(None, ".mp4"), ("aac", ".mp4"), ("pcm_s16le", ".mkv")]
)
def test_predict_writes_the_clip_with_points_and_its_sound(
    moving, tmp_path, monkeypatch, sound, ending, capsys
):
    source = written(
        tmp_path / f"mine{'.mkv' if ending == '.mkv' else '.mp4'}", moving[0][:8], sound=sound
    )
    words = [
        "nasion",
        "predict",
        str(source),
        "--run",
        "face68_light",
        "--detector",
        "dlib",
        "--out",
        str(tmp_path / "out"),
        "-f",
        "image",
        "-f",
        "csv",
        "-f",
        "json",
    ]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0 and "1 face in 8 frames" in capsys.readouterr().out
    with av.open(str(tmp_path / "out" / f"mine-points{ending}")) as made:
        assert [stream.type for stream in made.streams] == ["video"] + (["audio"] if sound else [])
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in made.decode(video=0)]
    assert len(pictures) == 8 and np.abs(pictures[3] - moving[0][3]).mean() < 10
    assert (np.abs(pictures[3] - moving[0][3]).max(-1) > 60).sum() > 100  # points are drawn
    rows = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert (
        rows[0].endswith("seconds,track")
        and rows[4].startswith(f"{source}@3,")
        and rows[4].endswith(",0.1000,1")
    )


def test_odd_sides_and_a_stop_in_the_middle_still_give_a_clip(tmp_path, moving):
    source = written(tmp_path / "odd.mp4", moving[0][:6])
    taken = VideoInput(source).rewrite(tmp_path, "odd", lambda frame: frame.pixels[1:, 1:])
    for _ in range(4):
        next(taken)
    taken.close()
    with av.open(str(tmp_path / "odd-points.mp4")) as made:
        frames = list(made.decode(video=0))
    # As many as were taken.
    assert len(frames) == 4 and (frames[0].width, frames[0].height) == (SIDE + 120, SIDE)
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("where", "frames"),
    [
        ("nasion.inference.tracking.Tracker.__call__", 2),  # the third frame's faces are not known
        ("nasion.app.cli.predict_summary.PredictionSummary.add", 3),
        ("nasion.app.predict_pipeline.draw", None),  # in another thread: some frames later
        ("nasion.media.video_writing.VideoWriter.add", 3),
    ],
)
def test_a_signal_leaves_a_clip_and_a_table_of_the_same_frames(
    where, frames, number, moving, tmp_path, monkeypatch
):
    source, calls = written(tmp_path / "a.mp4", moving[0][:8]), []
    path, _, name = where.rpartition(".")
    owner = pkgutil.resolve_name(path)
    real = getattr(owner, name)

    def signalled(*arguments, **options):
        calls.append(name)
        if len(calls) == 3:
            signal.raise_signal(number)
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, signalled)
    words = ["predict", str(source), "--run", "face68_light", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["nasion", *words])
    # Ctrl-C is as it is in a process of its own, whatever runs the tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as stopped:
            main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.value.code == 128 + number
    written_down = json.loads((tmp_path / "out" / "predictions.json").read_text())["images"]
    with av.open(str(tmp_path / "out" / "a-points.mp4")) as made:
        drawn = [frame.time for frame in made.decode(video=0)]
    assert len(drawn) == len(written_down) == (frames or len(drawn)) and 2 <= len(drawn) < 8
    assert drawn == pytest.approx([image["seconds"] for image in written_down], abs=1e-3)


def test_a_rotated_head_is_tracked_with_any_rotation(moving, tmp_path):
    clip = written(
        tmp_path / "turned.mp4",
        [np.ascontiguousarray(frame[::-1, ::-1]) for frame in moving[0][:6]],
    )
    assert all(not faces for _, faces in Landmarker("face68_light").video(clip))
    seen = [
        [face.track for face in faces]
        for _, faces in Landmarker("face68_light", any_rotation=True).video(clip)
    ]
    assert seen == [[1]] * 6


def test_a_network_without_scores_loses_a_face_that_is_gone(moving, tmp_path, light):
    empty = np.full_like(moving[0][0], 90)
    clip = written(tmp_path / "gone.mp4", [*moving[0][:4], *[empty] * 4])
    unsure = Landmarker(replace(light.predictor, calibration=None))
    assert [[face.track for face in faces] for _, faces in unsure.video(clip)] == [[1]] * 4 + [
        []
    ] * 4


def test_sound_and_image_that_begin_apart_stay_apart(moving, tmp_path):
    """The sound begins at 0 s, the first frame comes a second later."""
    with av.open(str(tmp_path / "late.mkv"), "w") as out:
        video, audio = out.add_stream("libx264", rate=30), out.add_stream("aac", rate=48_000)
        (video.height, video.width), video.pix_fmt = moving[0][0].shape[:2], "yuv420p"
        for number in range(60):
            tone = av.AudioFrame.from_ndarray(
                np.zeros((1, 1600), np.float32), format="fltp", layout="mono"
            )
            tone.sample_rate, tone.pts, tone.time_base = 48_000, 1600 * number, Fraction(1, 48_000)
            out.mux(audio.encode(tone))
            if number >= 30:
                frame = av.VideoFrame.from_ndarray(moving[0][0], format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                out.mux(video.encode(frame))
        for stream in (video, audio):
            out.mux(stream.encode(None))
    frames = list(
        VideoInput(tmp_path / "late.mkv").rewrite(tmp_path, "late", lambda frame: frame.pixels)
    )
    assert frames[0].seconds == 0
    with av.open(str(tmp_path / "late-points.mp4")) as made:
        first = {
            packet.stream.type: float(packet.pts * packet.time_base)
            for packet in reversed(list(made.demux()))
            if packet.pts is not None
        }
    assert abs(first["video"] - first["audio"] - 1) < 0.06, first


def test_an_input_is_never_written_over(moving, tmp_path, monkeypatch, capsys):
    for name in ("a.mp4", "a-points.mp4"):
        written(tmp_path / name, moving[0][:3])
    before = (tmp_path / "a-points.mp4").read_bytes()
    monkeypatch.setattr(
        "sys.argv",
        ["nasion", "predict", str(tmp_path), "--run", "face68_light", "--out", str(tmp_path)],
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1 and "would be overwritten" in capsys.readouterr().err.replace(
        "\n", " "
    )
    assert (tmp_path / "a-points.mp4").read_bytes() == before


def test_ctrl_c_keeps_the_results_so_far(moving, tmp_path):
    source = written(tmp_path / "long.mp4", moving[0] * 40)
    words = [
        "-m",
        "nasion",
        "predict",
        str(source),
        "--run",
        "face68_light",
        "--out",
        str(tmp_path / "out"),
        "-f",
        "image",
        "-f",
        "jsonl",
    ]
    running = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # The file is opened with the first frame; a second later there are more.
    while running.poll() is None and not any((tmp_path / "out").glob(".*")):
        time.sleep(0.05)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130 and "Stopped; what was found until now is kept." in said, said
    found = len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines())
    with av.open(str(tmp_path / "out" / "long-points.mp4")) as made:
        drawn = sum(1 for _ in made.decode(video=0))
    assert 0 < found < 960 and abs(found - drawn) <= 2
    assert list((tmp_path / "out").glob(".*")) == []


def test_a_file_that_is_no_video_is_refused_and_a_damaged_one_read_up_to_the_damage(clip, tmp_path):
    cases = {
        "text.mp4": (b"no video" * 99, "not a readable video"),
        "empty.mp4": (b"", "empty.mp4: the file is empty"),
        "renamed.mp4": (image_bytes("PNG"), "an image; give it a suffix such as .png"),
        "renamed.mov": (image_bytes("JPEG"), "an image; give it a suffix such as .png"),
        "photo.jpg": (image_bytes("JPEG"), "seems to be an image; open it as one"),
    }
    for name, (data, words) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=words):
            list(VideoInput(tmp_path / name).frames())
    with pytest.raises(DataError, match=r"gone.mp4: no such file"):
        list(VideoInput(tmp_path / "gone.mp4").frames())
    with av.open(str(tmp_path / "tone.mp4"), "w") as out:
        audio = out.add_stream("aac", rate=48_000)
        tone = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        tone.sample_rate = 48_000
        out.mux(audio.encode(tone))
        out.mux(audio.encode(None))
    with pytest.raises(DataError, match="it has no video stream; it holds audio"):
        list(VideoInput(tmp_path / "tone.mp4").frames())
    whole = written(
        tmp_path / "whole.mkv",
        [
            np.random.default_rng(i).integers(0, 256, (64, 64, 3)).astype(np.uint8)
            for i in range(30)
        ],
    )
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.warns(UserWarning, match=r"cut.mkv: cut off: it ends at 0\.\d\d of 1\.00 s"):
        assert 0 < len(list(VideoInput(tmp_path / "cut.mkv").frames())) < 30


def test_a_camera_that_is_not_there_is_reported_with_those_that_are(monkeypatch, capsys):
    assert (
        camera_number("0"),
        camera_number("12"),
        camera_number("photo"),
        camera_number("2024"),
    ) == (0, 12, None, None)
    monkeypatch.setattr("sys.argv", ["nasion", "predict", "97", "--run", "face68_light"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert (
        stopped.value.code == 1
        and "camera 97: there is no /dev/video97; cameras:"
        in capsys.readouterr().err.replace("\n", " ")
    )


def test_boxes_are_refused_for_clips(clip, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["nasion", "predict", str(clip), "--box", "1,1,50,50"])
    with pytest.raises(SystemExit):
        main()
    assert "are for images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seconds", "-1"], "--seconds is above 0, and finite; found -1.0"),
        (["--seconds", "nan"], "--seconds is above 0, and finite; found nan"),
        (["--patience", "inf"], "--patience is 0 seconds or more, and finite; found inf"),
        (["--no-detect", "--box", "1,1,9,9"], "give one of them"),
        (["--no-detect", "--min-face", "40"], "--min-face has no effect with --no-detect"),
        (["--no-detect", "--detector", "dlib"], "--detector has no effect with --no-detect"),
        (["--no-detect", "--min-score", "0.9"], "--min-score has no effect with --no-detect"),
        (["--box", "1,1,9,9", "--any-rotation"], "--any-rotation has no effect with --box"),
        (["--box", "1,1,9,9", "--min-score", "0.1"], "--min-score has no effect with --box"),
        (["--boxes", "b.csv", "--max-faces", "1"], "--max-faces has no effect with --box or"),
        (["--no-smooth", "--beta", "1"], "--beta has no effect with --no-smooth"),
        (["-f", "json", "--labels", "names"], "--labels has no effect without the format image"),
        (["--out", "-", "-f", "csv", "-f", "json"], "--out - prints one of"),
        (["--out", "-", "-f", "json,image"], "Found json, image"),
        (["--out", "-", "--draw-boxes"], "--draw-boxes has no effect without the format image"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(options, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["nasion", "predict", "a.jpg", *options])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1 and message in capsys.readouterr().err.replace("\n", " ")


def test_settings_that_make_no_sense_are_refused(light):
    with pytest.raises(SettingError, match="1 or more; found 0"):
        Tracker(light, detect_every=0)
    assert replace(VideoInput(0), seconds=2).name == "camera 0"
