"""Head pose, eyes, mouth and blinks over HTTP and a WebSocket."""

import io
import json

import pytest
from PIL import Image
from test_serve import LIMITS, Server
from websockets.sync.client import connect

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.inference.landmarker import Landmarker

pytestmark = [pytest.mark.slow, pytest.mark.network]
POSE = {f"{angle}{end}" for angle in ("yaw", "pitch", "roll") for end in ("", "_standard_error")}


@pytest.fixture(scope="module")
def server():
    with Server(LIMITS) as running:
        yield running


def test_images_are_measured_if_that_is_asked_for(server):
    def faces(query):
        return json.loads(server.ask(f"/v1/landmarks{query}", sample_image())[2])["images"][0][
            "faces"
        ]

    assert all("pose" not in face and "measures" not in face for face in faces(""))
    for face in faces("?measures=true"):
        assert set(face["pose"]) == POSE and abs(face["pose"]["yaw"]) < 30
        assert 0 < face["measures"]["left_eye"] < 1
    status, _, data = server.ask("/v1/landmarks?measures=true&format=csv", sample_image())
    assert status == 200 and b"pose_yaw" in data and b"measures_mouth" in data
    status, _, data = server.ask("/v1/landmarks?measures=true&format=pts", sample_image())
    assert status == 422 and "hold points only" in json.loads(data)["error"]


def test_a_clip_s_frames_are_measured_and_its_blinks_listed(server):
    pytest.importorskip("av")
    from drawn_clips import frames, written

    clip = written(frames(5))
    answer = json.loads(server.ask("/v1/clips?measures=true", clip, "video/mp4")[2])
    assert answer["blinks"] == []  # how they are found: test_blinks.py, test_measured_outputs.py
    assert all("pose" in face for image in answer["images"] for face in image["faces"])
    answer = json.loads(server.ask("/v1/clips", clip, "video/mp4")[2])
    assert "blinks" not in answer and "pose" not in answer["images"][0]["faces"][0]


def test_a_camera_s_frames_are_measured(server):
    with connect(f"ws://127.0.0.1:{server.port}/v1/live?measures=true") as camera:
        camera.send(sample_image())
        faces = json.loads(camera.recv(20))["faces"]
    assert faces and all(set(face["pose"]) == POSE for face in faces)


def test_a_network_of_few_points_says_that_it_cannot_measure(monkeypatch):
    from nasion.landmarks import measures

    monkeypatch.setattr(measures, "LEAST_POINTS", 69)
    with Server(serve.Limits(), Landmarker("face68_light")) as small:
        assert json.loads(small.ask("/v1/network")[2])["measures"] is False
        for path, kind in (("/v1/landmarks", "image/jpeg"), ("/v1/clips", "video/mp4")):
            status, _, data = small.ask(f"{path}?measures=true", sample_image(), kind)
            assert status == 422 and "69 are needed" in json.loads(data)["error"]
        with pytest.raises(Exception, match="422"):
            connect(f"ws://127.0.0.1:{small.port}/v1/live?measures=true")


def drawn(server, query):
    return server.ask(f"/v1/landmarks?format=image&{query}", sample_image())


def test_what_is_drawn_can_be_chosen(server):
    images = [
        drawn(server, query)[2]
        for query in ("", "draw=points", "draw=lines,fill", "draw=boxes,scores", "labels=numbers")
    ]
    assert len(set(images)) == len(images)
    plain, measured = drawn(server, "")[2], drawn(server, "measures=true")[2]
    assert plain != measured != drawn(server, "measures=true&draw=axes")[2]
    status, headers, data = drawn(server, "overlay=true&draw=points")
    overlay = Image.open(io.BytesIO(data))
    assert (status, headers["content-type"]) == (200, "image/png")
    assert (overlay.mode, overlay.size) == ("RGBA", (960, 320))
    assert drawn(server, "image_format=png")[1]["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("format=image&draw=hats", "'hats' cannot be drawn"),
        ("format=image&draw=,", "cannot be drawn"),
        ("format=image&draw=names,numbers", "not both"),
        ("format=image&draw=axes", "with measures=true; add it"),
        ("format=image&draw=points&labels=names", "labels: has no effect with draw"),
        ("format=image&overlay=true&image_format=jpg", "only PNG files can be"),
        ("format=image&image_format=gif", "image_format: "),
        ("draw=points", "draw: has no effect without format=image"),
        ("format=csv&overlay=true", "overlay: has no effect"),
    ],
)
def test_drawings_that_make_no_sense_are_refused(server, query, words):
    status, _, data = server.ask(f"/v1/landmarks?{query}", b"x")
    assert status == 422 and words in json.loads(data)["error"]
