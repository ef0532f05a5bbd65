"""Short videos over HTTP: the faces of each frame with their numbers, within limits."""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawn_clips import RATE, SIDE, contents, frames, written
from leaving_client import SlowDetector, nothing_is_left, send_and_leave, slow_server
from served_images import refuses
from test_serve import Server, encoded, wait_until

from nasion.app import serve
from nasion.app.predict_pipeline import PredictOptions, predict_videos
from nasion.app.serve.responses import respond, sample_image
from nasion.errors import DataError
from nasion.inference.landmarker import Landmarker
from nasion.media.clip_process import ClipDecoder
from nasion.media.video import VideoInput
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
        ("/v1/clips?min_cutoff=inf", b"x", 422, "min_cutoff: Input should be a finite"),
        ("/v1/clips?beta=inf", b"x", 422, "beta: Input should be a finite number"),
        ("/v1/clips?smooth=false&beta=1", b"x", 422, "beta: has no effect with smooth"),
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
        ("/v1/clips?draw=points", b"x", 422, "draw: has no effect without format=video"),
        ("/v1/clips?format=csv&labels=names", b"x", 422, "labels: has no effect without"),
        ("/v1/clips?format=video&draw=noses", b"x", 422, "'noses' cannot be drawn"),
        ("/v1/clips?format=video&draw=points&labels=names", b"x", 422, "no effect with draw"),
        ("/v1/clips?format=video&overlay=true", b"x", 422, "No query parameter 'overlay'"),
        ("/v1/clips?format=video", b"no video", 422, "video: not a readable video; MP4"),
        ("/v1/clips?format=video", sample_image(), 422, "an image; send it to /v1/landmarks"),
        ("/v1/clips?format=video", written(frames(30)), 413, "longer than 1 seconds, the limit"),
        ("/v1/clips?format=video", written(frames(60, SIDE), 100), 413, "more than 40 frames"),
        ("/v1/clips?format=video", written(frames(1, 1500)), 422, "1500 x 240 pixels; the limit"),
    ],
    ids=range(26),
)
def test_what_is_no_clip_or_too_long_is_refused_with_a_reason(server, path, body, status, words):
    refuses(server, path, body, status, words, "video/mp4")


def test_faces_down_to_a_part_of_the_frame_s_side_may_be_looked_for(server):
    path = "/v1/clips?min_face=9"
    assert server.ask(path, written(frames(1, 1240)), "video/mp4")[0] == 200


def test_two_clips_in_a_form_are_refused(server):
    clip = written(frames(1))
    status, _, body = server.form("/v1/clips", [("a.mp4", clip), ("b.mp4", clip)])
    assert status == 422 and "2 files were sent; send one video" in json.loads(body)["error"]


def test_a_cut_clip_is_read_up_to_the_cut_and_that_is_said(server):
    clip = written(frames(20), kind="mpegts")
    status, _, body = server.ask("/v1/clips", clip[: len(clip) // 2], "video/mp4")
    value = json.loads(body)
    assert status == 200 and 0 < len(value["images"]) < 20
    cut = written(frames(20))[:-300]
    refuses(server, "/v1/clips", cut, 422, "not a readable video", "video/mp4")


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
    before = threading.active_count()  # other tests' servers leave some
    with Server(limits, Landmarker("face68_light", detector=Slow())) as running:
        words = "longer than 1 seconds"
        refuses(running, "/v1/clips", written(frames(100)), 503, words, "video/mp4")
        time.sleep(0.5)
        count = len(seen)
        time.sleep(0.5)
        assert len(seen) == count
        assert threading.active_count() < before + 10


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
        clip = written([bad] * 3)
        refuses(running, "/v1/clips", clip, 422, "MemoryError while", "video/mp4")
    assert "bad.png: MemoryError" in caplog.text


def drawn(server, clip, query=""):
    """(headers, what the clip holds) of a drawn clip."""
    status, headers, body = server.ask(f"/v1/clips?format=video{query}", clip, "video/mp4")
    assert status == 200, body[:300]
    return headers, contents(body)


def test_a_drawn_clip_is_what_predict_writes_with_times_and_sound(server, tmp_path):
    clip = written(frames(20), sound="aac")
    headers, found = drawn(server, clip)
    (tmp_path / "clip.mp4").write_bytes(clip)
    options = PredictOptions(formats=("image",), folder=tmp_path)
    video = VideoInput(tmp_path / "clip.mp4")
    limited = Landmarker("face68_light", max_faces=LIMITS.faces)
    list(predict_videos([video], limited, options, {video.name: "clip"}))
    expected = contents((tmp_path / "clip-points.mp4").read_bytes())
    assert headers["content-type"] == "video/mp4" and "nasion-problems" not in headers
    assert (found.codec, found.sounds) == ("h264", ["aac"]) and found.seconds == expected.seconds
    assert found.tags["comment"] == expected.tags["comment"] == "points drawn by nasion"
    # The encoder has other threads there, so that its losses differ; what is drawn does not.
    difference = np.abs(np.subtract(found.frames, expected.frames, dtype=int))
    assert len(found.frames) == 20 and difference.mean() < 2
    assert np.percentile(difference, 99.9) < 40
    # Something is drawn in every frame.
    for pixels, plain in zip(found.frames, contents(clip).frames, strict=True):
        assert (np.abs(pixels.astype(int) - plain).max(axis=2) > 60).mean() > 0.005


def test_what_is_drawn_into_a_clip_can_be_chosen(server):
    clip = written(frames(3))
    queries = ("", "&draw=points", "&labels=numbers", "&draw=axes,measures&measures=true")
    made = [drawn(server, clip, query)[1].frames[2].astype(int) for query in queries]
    for k, one in enumerate(made):
        for other in made[:k]:
            assert (np.abs(one - other).max(axis=2) > 60).sum() > 30


def test_a_drawn_clip_says_what_was_damaged_and_what_became_of_its_sound(server):
    clip = written(frames(20), kind="mpegts")
    headers, found = drawn(server, clip[: len(clip) * 2 // 3])
    assert 0 < len(found.frames) < 20 and headers["nasion-problems"]
    headers, found = drawn(server, written(frames(5), kind="asf", sound="wmav2"))
    assert found.sounds == ["aac"] and "wmav2 sound encoded as AAC" in headers["nasion-problems"]


def test_sound_that_needs_it_makes_a_drawn_clip_a_matroska_file(server):
    headers, found = drawn(server, written(frames(5), kind="matroska", sound="mp2"))
    assert headers["content-type"] == "video/x-matroska" and found.sounds == ["mp2"]


def test_a_drawn_clip_of_too_many_bytes_is_refused(server, monkeypatch):
    monkeypatch.setattr("nasion.app.serve.clips.MAX_FILES_BYTES", 2000)
    words = "would have more than 2,000 bytes, the limit; send a part"
    refuses(server, "/v1/clips?format=video", written(frames(20)), 413, words, "video/mp4")


def test_larger_frames_are_read_than_are_written(server, monkeypatch):
    monkeypatch.setattr("nasion.media.clip_process.MAX_WRITTEN_PIXELS", 50_000)
    clip = written(frames(2))
    assert server.ask("/v1/clips", clip, "video/mp4")[0] == 200
    words = "300 x 240 pixels; the limit is 50,000"
    refuses(server, "/v1/clips?format=video", clip, 422, words, "video/mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are seen in /proc")
@pytest.mark.parametrize("query", ["", "?format=video"])
def test_the_work_on_a_clip_whose_client_leaves_is_given_up(query):
    detector = SlowDetector()
    with slow_server(detector) as server:
        clip = written(frames(100), sound="aac")
        send_and_leave(server, f"/v1/clips{query}", clip, lambda: detector.images > 2)
        assert wait_until(lambda: nothing_is_left(server), 5)
        assert detector.images < 50


def test_the_server_answers_while_it_draws_a_clip():
    detector = SlowDetector(0.02)
    with slow_server(detector) as server, ThreadPoolExecutor(1) as pool:
        job = pool.submit(server.ask, "/v1/clips?format=video", written(frames(50)), "video/mp4")
        assert wait_until(lambda: detector.images > 2)
        times = []
        while not job.done():
            started = time.perf_counter()
            assert server.ask("/healthz")[0] == 200
            times.append(time.perf_counter() - started)
        assert job.result()[0] == 200 and len(times) > 5 and np.median(times) < 0.1


def test_texts_are_written_in_a_thread_so_that_others_are_answered_meanwhile(server, monkeypatch):
    threads = []

    def noted(*arguments, **settings):
        threads.append(threading.current_thread().name)
        return respond(*arguments, **settings)

    for name in ("clips.respond", "responses.respond"):
        monkeypatch.setattr(f"nasion.app.serve.{name}", noted)
    assert server.ask("/v1/clips", written(frames(2)), "video/mp4")[0] == 200
    assert server.ask("/v1/landmarks", sample_image())[0] == 200
    assert len(threads) == 2 and all(name.startswith("nasion") for name in threads)


def test_a_drawn_clip_that_takes_too_long_is_given_up():
    detector = SlowDetector()
    with slow_server(detector, seconds=1.0) as server:
        clip = written(frames(100))
        refuses(server, "/v1/clips?format=video", clip, 503, "a shorter clip", "video/mp4")
        assert wait_until(lambda: nothing_is_left(server), 5)
