"""Short videos over HTTP: the faces of each frame with their numbers, within limits."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawn_clips import RATE, SIDE, frames, written
from test_serve import Server, encoded

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.errors import DataError
from nasion.inference.landmarker import Landmarker
from nasion.media.clip_process import ClipDecoder
from nasion.media.video_reading import VideoProblem

pytestmark = [pytest.mark.slow, pytest.mark.network]

pytest.importorskip("av")
LIMITS = serve.Limits(
    body_bytes=3 << 20, pixels=320_000, seconds=20, clip_seconds=1.0, clip_frames=40, faces=2
)


@pytest.fixture(scope="module")
def server():
    with Server(LIMITS) as running:
        yield running


def test_a_clip_gives_the_faces_of_each_frame_with_one_number(server):
    status, _, body = server.ask("/v1/clips", written(frames(20)), "video/mp4")
    value = json.loads(body)
    assert status == 200 and value["errors"] == [] and len(value["point_names"]) == 68
    assert [each["image"] for each in value["images"]] == [f"video@{k}" for k in range(20)]
    seconds = [each["seconds"] for each in value["images"]]
    np.testing.assert_allclose(seconds, np.arange(20) / RATE, atol=1e-3)
    faces = [face for each in value["images"] for face in each["faces"]]
    assert len(faces) == 20 and {face["track"] for face in faces} == {faces[0]["track"]}
    noses = [face["points"][30][0] for face in faces]
    assert np.abs(np.array(noses) - noses[0] - 2 * np.arange(20)).max() < 8
    assert (value["images"][0]["width"], value["images"][0]["height"]) == (SIDE + 60, SIDE)


def test_other_formats_and_a_form_with_the_clip_s_name(server):
    clip = written(frames(5))
    status, headers, body = server.form("/v1/clips?format=csv&smooth=false", [("me.mp4", clip)])
    lines = body.decode().splitlines()
    assert (status, len(lines)) == (200, 6) and lines[1].startswith("me.mp4@0,")
    assert headers["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/clips", b"", 422, "No video"),
        ("/v1/clips", b"no video", 422, "video: not a readable video; MP4"),
        ("/v1/clips", b"ffconcat version 1.0\nfile /etc/passwd\n", 422, "not a readable video"),
        ("/v1/clips", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", 422, "not a readable video"),
        ("/v1/clips", sample_image(), 422, "an image; send it to /v1/landmarks"),
        ("/v1/landmarks", written(frames(2)), 422, "a video; send it to /v1/clips"),
        ("/v1/clips", written(frames(30)), 413, "longer than 1 seconds, the limit"),
        ("/v1/clips", written(frames(60, SIDE), 100), 413, "more than 40 frames"),
        ("/v1/clips", written(frames(1, 1500)), 422, "1500 x 240 pixels; the limit is 320,000"),
        ("/v1/clips?boxes=1,2,3,4", b"x", 422, "No query parameter 'boxes'"),
        ("/v1/clips?min_scor=0.3", b"x", 422, "did you mean 'min_score'"),
        ("/v1/clips?format=image", b"x", 422, "format"),
        ("/v1/clips?patience=-1", b"x", 422, "patience"),
        ("/v1/clips?min_face=9", written(frames(1, 1240)), 200, ""),
    ],
    ids=range(14),
)
def test_what_is_no_clip_or_too_long_is_refused_with_a_reason(server, path, body, status, words):
    found, _, answer = server.ask(path, body, "video/mp4")
    assert found == status, answer
    assert words in json.loads(answer).get("error", "")


def test_two_clips_in_a_form_are_refused(server):
    clip = written(frames(1))
    status, _, body = server.form("/v1/clips", [("a.mp4", clip), ("b.mp4", clip)])
    assert status == 422 and "2 files were sent; send one video" in json.loads(body)["error"]


def test_a_cut_clip_is_read_up_to_the_cut_and_that_is_said(server):
    clip = written(frames(20), kind="mpegts")
    status, _, body = server.ask("/v1/clips", clip[: len(clip) // 2], "video/mp4")
    value = json.loads(body)
    assert status == 200 and 0 < len(value["images"]) < 20
    status, _, body = server.ask("/v1/clips", written(frames(20))[:-300], "video/mp4")
    assert status == 422 and "not a readable video" in json.loads(body)["error"]


def test_images_are_answered_beside_clips(server):
    clip = written(frames(20))
    with ThreadPoolExecutor(8) as pool:
        clips = [pool.submit(server.ask, "/v1/clips", clip, "video/mp4") for _ in range(4)]
        images = [pool.submit(server.ask, "/v1/landmarks", sample_image()) for _ in range(8)]
        assert [each.result()[0] for each in clips + images] == [200] * 12


def test_a_clip_that_nobody_waits_for_ends_and_its_process_too():
    class Slow:
        def __call__(self, image):
            seen.append(time.perf_counter())
            time.sleep(0.2)
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)

    seen = []
    limits = serve.Limits(seconds=1.0, workers=1, pixels=300_000)
    with Server(limits, Landmarker("face68_light", detector=Slow())) as running:
        status, _, body = running.ask("/v1/clips", written(frames(100)), "video/mp4")
        assert status == 503 and "longer than 1 seconds" in json.loads(body)["error"]
        time.sleep(0.5)
        count = len(seen)
        time.sleep(0.5)
        assert len(seen) == count
        assert threading.active_count() < 30


def test_the_interface_s_description_has_clips(server):
    value = json.loads(server.ask("/openapi.json")[2])
    operation = value["paths"]["/v1/clips"]["post"]
    assert "video/*" in operation["requestBody"]["content"]
    names = {each["name"] for each in operation["parameters"]}
    assert {"format", "smooth", "min_score", "patience"} <= names


def test_a_clip_s_decoder_is_killed_when_it_takes_too_long_and_ends_with_its_clip():
    clip = written(frames(20))
    problems: list[VideoProblem] = []
    reading = ClipDecoder(20, 300_000)(clip, "a.mp4", problems.append)
    first = next(reading)
    assert first.pixels.shape == (SIDE, SIDE + 60, 3) and first.seconds == 0
    process = reading.gi_frame.f_locals["clip"]._process._process
    reading.close()
    assert process.wait(10) == -9
    with pytest.raises(DataError, match=r"a.mp4: decoding took longer than 0.001 seconds"):
        list(ClipDecoder(0.001, 300_000)(clip, "a.mp4", problems.append))
    assert problems == []


def test_whatever_goes_wrong_with_one_file_is_its_own_refusal(caplog):
    """A detector that fails for one image: the other is answered, and its error is named."""

    class Fails:
        def __call__(self, image):
            if image.shape[:2] == (50, 50):
                raise MemoryError
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)

    good, bad = (np.zeros((side, side, 3), np.uint8) for side in (60, 50))
    with Server(LIMITS, Landmarker("face68_light", detector=Fails())) as running:
        status, _, body = running.form(
            "/v1/landmarks", [("good.png", encoded(good)), ("bad.png", encoded(bad))]
        )
        value = json.loads(body)
        assert status == 200 and [each["image"] for each in value["images"]] == ["good.png"]
        (error,) = value["errors"]
        assert error == {"image": "bad.png", "error": "MemoryError while it was processed"}
        status, _, body = running.ask("/v1/clips", written([bad] * 3), "video/mp4")
        assert status == 422 and "MemoryError while" in json.loads(body)["error"]
    assert "bad.png: MemoryError" in caplog.text
