"""Blinks of faces in clips: collected per face, said at the end, and at the end of JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from blinking_clip import write_clip
from helpers import run_command

import nasion
from nasion import prediction_formats
from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.clip_blinks import ClipBlinks
from nasion.landmarks.eyes_and_mouth import FaceMeasures
from nasion.landmarks.face import Face, ImageResult, PoseAndMeasures
from nasion.landmarks.measures import measure
from nasion.media.images import open_image
from nasion.prediction_formats import to_text

FACE = Face(ibug68, np.zeros((68, 2), np.float32), np.float32([0, 0, 9, 9]), 0.9)
((POSE),) = (measure([FACE])[0].pose,)


def frame(number, openness, video="a.mp4", seconds=None):
    """A frame with faces of these tracks and openness."""
    faces = tuple(replace(FACE, track=track) for track in openness)
    measured = tuple(
        PoseAndMeasures(POSE, FaceMeasures(value, value, 0.0, 0.0, 0.0, 0.0))
        for value in openness.values()
    )
    at = number / 25 if seconds is None else seconds
    return ImageResult(f"{video}@{number}", "a", (9, 9), faces, seconds=at, measured=measured)


def frames(video="a.mp4"):
    """Face 1 closes its eyes at 1 and 3 s, face 2 at 2 s and is out of sight at 3 s."""
    made = []
    for number in range(100):
        openness = {1: 0.12 if number in (25, 26, 75) else 0.35}
        if not 70 < number < 80:
            openness[2] = 0.1 if number in (50, 51) else 0.4
        made.append(frame(number, openness, video))
    return made


def test_each_face_of_each_clip_has_its_own_blinks():
    blinks = ClipBlinks()
    for result in [*frames(), *frames("b@1.mp4")]:
        blinks.add(result)
    found = blinks.found()
    assert set(found) == {(video, track) for video in ("a.mp4", "b@1.mp4") for track in (1, 2)}
    for video in ("a.mp4", "b@1.mp4"):
        times = [[blink.lowest for blink in found[video, track]] for track in (1, 2)]
        assert times == [pytest.approx([1, 3]), pytest.approx([2])]


def test_frames_that_go_back_in_time_and_unknown_eyes_are_left_out():
    blinks = ClipBlinks()
    made = frames()
    made.insert(40, frame(40, {1: 0.01}, seconds=0.5))
    made.insert(60, frame(60, {1: float("nan")}))
    made.append(ImageResult("a.jpg", "a", (9, 9), (FACE,), measured=measure([FACE])))
    made.append(ImageResult("a.mp4@200", "a", (9, 9), (FACE,), seconds=8.0))
    for result in made:
        blinks.add(result)
    assert [round(blink.lowest, 2) for blink in blinks.found()["a.mp4", 1]] == [1.0, 3.0]
    assert ("a.jpg", None) not in blinks.found()


def test_json_has_the_blinks_of_clips_at_its_end(tmp_path):
    whole = json.loads(to_text("json", frames()))
    assert list(whole)[-2:] == ["images", "blinks"] and len(whole["images"]) == 100
    assert [(each["video"], each["track"]) for each in whole["blinks"]] == [
        ("a.mp4", 1), ("a.mp4", 1), ("a.mp4", 2),
    ]  # fmt: skip
    first = whole["blinks"][0]
    assert first["start"] < first["lowest"] < first["end"] and first["openness"] < 0.5
    quiet = json.loads(to_text("json", frames()[:20]))
    assert quiet["blinks"] == [] and len(quiet["images"]) == 20
    for plain in ([], [replace(each, measured=None) for each in frames()[:3]]):
        assert "blinks" not in json.loads(to_text("json", plain))
    (path,) = prediction_formats.write(frames()[:30], ["json"], tmp_path)
    assert len(prediction_formats.read(path, ibug68)[1]) == 60


@pytest.mark.slow
def test_the_command_finds_the_blinks_of_a_clip(monkeypatch, capsys, tmp_path):
    pytest.importorskip("av")
    drawn = toy.draw(1, ibug68, seed=4, size=240, colour=True)
    write_clip(tmp_path / "c.mp4", drawn.images[0], drawn.points[0], (1.2, 2.48), 3.6)
    out = tmp_path / "out"
    code, said = run_command(
        monkeypatch, capsys, "predict", tmp_path / "c.mp4", "--measures", "--out", out
    )
    assert code == 0 and "face 1: 2 blinks at 1.20, 2.48 s" in said
    whole = json.loads((out / "predictions.json").read_text())
    assert [each["lowest"] for each in whole["blinks"]] == pytest.approx([1.2, 2.48], abs=0.01)
    assert (out / "c-points.mp4").stat().st_size > 10_000
    code, said = run_command(
        monkeypatch, capsys, "predict", tmp_path / "c.mp4", "-f", "csv", "--out", tmp_path / "csv"
    )
    assert code == 0 and "blink" not in said


@pytest.mark.parametrize("network", ["face68", "face68_light"])
def test_blinks_on_a_photograph_are_found(network, real_data, tmp_path):
    """Lids of a photograph that were moved: openness predicted falls as it does in drawings."""
    photo = next(path for path in sorted((real_data / "imm").rglob("*.jpg")) if "07-1" in path.name)
    pixels = open_image(photo, colour=True)
    landmarker = nasion.Landmarker(network)
    (face,) = landmarker(pixels)
    write_clip(tmp_path / "a.mp4", pixels, face.points.astype(float), [0.8, 2.0], 2.8)
    seen = [
        (frame.seconds, faces[0].measures().eyes)
        for frame, faces in landmarker.video(tmp_path / "a.mp4", smoothing=None)
    ]
    seconds, openness = zip(*seen, strict=True)
    found = nasion.find_blinks(openness, seconds)
    assert [blink.lowest for blink in found] == pytest.approx([0.8, 2.0], abs=0.05)
    assert min(openness) < 0.4 * np.median(openness)
