"""Head pose, eyes, mouth and blinks over HTTP and a WebSocket."""

import json

import numpy as np
import pytest
from test_serve import LIMITS, Server
from websockets.sync.client import connect

from nasion.app import serve
from nasion.app.serve.clips import find_blinks_of_tracks
from nasion.app.serve.responses import sample_image
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.eyes_and_mouth import FaceMeasures
from nasion.landmarks.face import Face, ImageResult, PoseAndMeasures

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
    from test_clips import frames, written

    clip = written(frames(5))
    answer = json.loads(server.ask("/v1/clips?measures=true", clip, "video/mp4")[2])
    assert answer["blinks"] == []
    assert all("pose" in face for image in answer["images"] for face in image["faces"])
    answer = json.loads(server.ask("/v1/clips", clip, "video/mp4")[2])
    assert "blinks" not in answer and "pose" not in answer["images"][0]["faces"][0]


def frame(seconds, **openness_of):
    """A frame with faces of these tracks and openness of their eyes."""
    points = np.zeros((68, 2), np.float32)
    face = Face(ibug68, points, np.zeros(4, np.float32), 0.9)
    found, measured = [], []
    for track, openness in openness_of.items():
        found.append(Face(**{**vars(face), "track": int(track[1:])}))
        values = FaceMeasures(openness, openness, 0, 0, 0, 0)
        measured.append(PoseAndMeasures(face.pose(), values))
    return ImageResult("", "", (9, 9), tuple(found), seconds=seconds, measured=tuple(measured))


def test_each_face_s_blinks_have_its_number_and_their_times():
    dip = {30: 0.2, 31: 0.05, 32: 0.03, 33: 0.1, 34: 0.25}
    shown = [frame(k / 25, t1=0.3, t2=dip.get(k, 0.3)) for k in range(75)]
    # A frame whose time comes twice, as in damaged clips, is left out.
    (blink,) = find_blinks_of_tracks([*shown[:40], shown[39], *shown[40:]])
    assert (blink["track"], blink["lowest"]) == (2, 1.28)
    assert 1.16 <= blink["start"] < 1.2 + 1e-3 < blink["end"] <= 1.4 and blink["openness"] == 0.1


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
