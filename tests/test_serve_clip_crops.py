"""Crops of clips over HTTP: those that ``nasion crop`` writes, within limits."""

import json
import sys

import numpy as np
import pytest
from drawn_clips import RATE, SIDE, frames, written
from helpers import run_command
from leaving_client import SlowDetector, nothing_is_left, send_and_leave, slow_server
from served_images import pixels, refuses, unzipped
from test_serve import Server, wait_until

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.landmarks import geometry

pytestmark = [pytest.mark.slow, pytest.mark.network]

pytest.importorskip("av")
PATH = "/v1/crops"
LIMITS = serve.Limits(
    body_bytes=3 << 20, pixels=320_000, seconds=20, clip_seconds=1.0, clip_frames=40
)


@pytest.fixture(scope="module")
def server():
    with Server(LIMITS) as running:
        yield running


def two_faces(count):
    """Two drawn faces that move by 2 pixels a frame."""
    return [np.concatenate([frame, frame], axis=1) for frame in frames(count)]


def answered(server, clip, query=""):
    """(headers, files) of the answer to a clip named ``me.mp4``."""
    status, headers, data = server.form(PATH + query, [("me.mp4", clip)])
    assert status == 200, data[:300]
    assert headers["content-type"] == "application/zip"
    return headers, unzipped(data)


def crops(server, clip, query=""):
    """(headers, files but the list, what that says)"""
    headers, files = answered(server, clip, query)
    return headers, files, json.loads(files.pop("crops.json"))


def lines_of_crops(text):
    return [line.rstrip(",") for line in text.splitlines() if '"source"' in line]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", ()),
        ("?every=3&smooth=false&format=jpg", ("--every", "3", "--no-smooth", "-f", "jpg")),
        (
            "?template=ffhq&size=96&margin=0.2&padding=blur&every=4",
            ("--template", "ffhq", "--size", "96", "--margin", "0.2", "--padding", "blur")
            + ("--every", "4"),
        ),
    ],
    ids=["as usual", "every third frame", "another template"],
)
def test_the_crops_of_a_clip_are_those_that_the_command_writes(
    server, query, words, tmp_path, monkeypatch, capsys
):
    clip = written(two_faces(8))
    (tmp_path / "me.mp4").write_bytes(clip)
    monkeypatch.chdir(tmp_path)
    run = ("--run", "face68_light", "--workers", "1")
    assert run_command(monkeypatch, capsys, "crop", "me.mp4", *words, *run)[0] == 0
    headers, files = answered(server, clip, query)
    text, by_command = (
        each.decode()
        for each in (files.pop("crops.json"), (tmp_path / "crops" / "crops.json").read_bytes())
    )
    assert lines_of_crops(text) == lines_of_crops(by_command)
    assert json.loads(text) == json.loads(by_command) | {"errors": []}
    assert "nasion-problems" not in headers
    names = {path.name for path in (tmp_path / "crops").iterdir()} - {"crops.json"}
    assert set(files) == names and len(files) == len(lines_of_crops(text)) >= 4
    for name, data in files.items():
        made = pixels((tmp_path / "crops" / name).read_bytes())
        np.testing.assert_array_equal(pixels(data), made)


def test_each_crop_leads_back_to_its_frame_and_keeps_its_track(server):
    clip = two_faces(6)
    _, files, listed = crops(server, written(clip), "?every=2&size=64")
    assert list(files) == [f"me@{k}{face}.png" for k in (0, 2, 4) for face in ("", "#2")]
    assert [each["image"] for each in listed["images"]] == list(files)
    for k, each in enumerate(listed["images"]):
        number = 2 * (k // 2)
        assert (each["source"], each["source_face"]) == (f"me.mp4@{number}", k % 2 + 1)
        assert each["source_seconds"] == pytest.approx(number / RATE, abs=1e-3)
        assert each["faces"][0]["track"] == k % 2 + 1
        nose = np.array(each["faces"][0]["points"][30])
        x, y = geometry.apply(np.array(each["to_source"]), nose[None])[0].round().astype(int)
        there = clip[number][y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1))
        x, y = nose.round().astype(int)
        here = pixels(files[each["image"]])[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))
        assert np.abs(here - there).max() < 30


def test_smoothing_changes_the_points_and_a_search_can_be_left_out(server):
    moved = written(frames(6))
    smooth, found = (crops(server, moved, f"?smooth={each}")[2] for each in ("true", "false"))
    assert smooth["images"][5]["source_box"] != found["images"][5]["source_box"]
    whole = crops(server, written(frames(2, SIDE)), "?detect=false")[1]
    assert list(whole) == ["me@0.png", "me@1.png"]


@pytest.mark.parametrize(
    ("query", "body", "status", "words"),
    [
        ("?face=1", written(frames(2)), 422, "face: has no effect on a clip; leave it out."),
        ("?boxes=1,2,90,90", written(frames(2)), 422, "boxes: has no effect on a clip"),
        ("?every=2", sample_image(), 422, "every: has no effect on images; leave it out."),
        ("?smooth=true", sample_image(), 422, "smooth: has no effect on images"),
        ("?every=0", written(frames(2)), 422, "every: Input should be greater than or equal to 1"),
        ("?every=1_0", written(frames(2)), 422, "every: Input should be a number of plain digits"),
        ("?patience=1", written(frames(2)), 422, "No query parameter 'patience'"),
        ("", written(frames(2))[:-300], 422, "video: not a readable video"),
        ("", written(frames(30)), 413, "longer than 1 seconds, the limit"),
        ("", written(frames(60, SIDE), 100), 413, "more than 40 frames"),
        ("", written(frames(1, 1500)), 422, "1500 x 240 pixels; the limit is 320,000"),
        ("", b"\x00\x00\x00\x20ftypisom" + bytes(3 << 20), 413, "the limit is 3,145,728"),
        ("", written([np.zeros((SIDE, SIDE, 3), np.uint8)] * 3), 422, "video: no face was found."),
        ("?min_score=1", written(frames(2)), 422, "video: no face was found."),
    ],
    ids=range(14),
)
def test_what_makes_no_sense_or_is_too_long_is_refused_with_a_reason(
    server, query, body, status, words
):
    refuses(server, PATH + query, body, status, words, "video/mp4")


def test_faces_in_other_frames_than_those_cropped_are_told(server):
    empty = np.full((SIDE, SIDE + 60, 3), 90, np.uint8)
    clip = written([empty, *frames(3)])
    words = "video: no face was found in the frames that are cropped; take more (every)."
    refuses(server, f"{PATH}?every=10", clip, 422, words, "video/mp4")
    assert len(crops(server, clip)[1]) == 3


def test_beside_other_files_a_clip_is_listed_as_not_processed(server):
    sent = [("a.jpg", sample_image()), ("me.mp4", written(frames(2)))]
    status, _, data = server.form(PATH, sent)
    files = unzipped(data)
    assert status == 200 and list(files) == ["a.png", "a#2.png", "a#3.png", "crops.json"]
    reason = "a video; send it alone, without other files."
    assert json.loads(files["crops.json"])["errors"] == [{"image": "me.mp4", "error": reason}]


def test_a_damaged_clip_is_cropped_as_far_as_it_can_be_read_and_that_is_said(server):
    clip = written(frames(20), kind="mpegts")
    headers, files, listed = crops(server, clip[: len(clip) * 2 // 3])
    assert 0 < len(files) < 20 and len(listed["images"]) == len(files)
    (error,) = listed["errors"]
    assert error["image"] == "me.mp4" and error["error"] == headers["nasion-problems"]


def test_a_face_that_cannot_be_cropped_does_not_keep_the_others(server, monkeypatch):
    from nasion.app import crop_pipeline

    crop_with = crop_pipeline.crop_with

    def fails_for_the_second(image, face, *others):
        if face.track == 2:
            raise MemoryError
        return crop_with(image, face, *others)

    monkeypatch.setattr(crop_pipeline, "crop_with", fails_for_the_second)
    _, files, listed = crops(server, written(two_faces(2)))
    assert list(files) == ["me@0.png", "me@1.png"]
    assert listed["errors"] == [
        {"image": f"me.mp4@{k} face 2", "error": "MemoryError while it was processed"}
        for k in (0, 1)
    ]


def test_crops_of_too_many_bytes_are_refused_and_what_helps_is_said(server, monkeypatch):
    clip = written(frames(10))
    size = len(crops(server, clip, "?every=9")[1]["me@0.png"])
    monkeypatch.setattr("nasion.app.serve.responses.MAX_FILES_BYTES", 3 * size)
    assert len(crops(server, clip, "?every=5")[1]) == 2
    words = "the limit; take smaller crops or fewer frames (every), or send a shorter clip."
    refuses(server, PATH, clip, 413, words, "video/mp4")


def test_faces_of_all_frames_count_as_those_of_clips(monkeypatch):
    monkeypatch.setattr("nasion.app.serve.clip_limits._MAX_FACES", 5)
    with Server(serve.Limits(faces=2)) as small:
        words = "more than 5 faces in all of its frames"
        refuses(small, PATH, written(two_faces(4)), 413, words, "video/mp4")
    with Server(serve.Limits(faces=1)) as small:
        assert len(crops(small, written(two_faces(4)))[1]) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="processes are seen in /proc")
def test_crops_are_given_up_when_the_client_leaves():
    detector = SlowDetector()
    with slow_server(detector) as server:
        send_and_leave(server, PATH, written(frames(100)), lambda: detector.images > 2)
        assert wait_until(lambda: nothing_is_left(server), 5)
        assert detector.images < 50


def test_crops_that_take_too_long_are_given_up():
    detector = SlowDetector()
    with slow_server(detector, seconds=1.0) as server:
        words = "send fewer or smaller images, or a shorter clip"
        refuses(server, PATH, written(frames(100)), 503, words, "video/mp4")
        assert wait_until(lambda: nothing_is_left(server), 5)


def test_names_from_a_form_lead_out_of_no_folder(server):
    status, _, data = server.form(f"{PATH}?every=2", [("../../etc/a:b.mp4", written(frames(2)))])
    assert status == 200 and list(unzipped(data)) == ["a_b@0.png", "crops.json"]


def test_the_interface_s_description_has_clips(server):
    operation = json.loads(server.ask("/openapi.json")[2])["paths"][PATH]["post"]
    assert {"video/*", "image/*"} <= set(operation["requestBody"]["content"])
    assert {"every", "smooth"} <= {each["name"] for each in operation["parameters"]}
