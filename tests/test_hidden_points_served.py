"""Hidden points over HTTP and a WebSocket."""

import io
import json

import pytest
from hidden_points import predict_hidden
from PIL import Image
from test_serve import Server
from websockets.sync.client import connect

from nasion.app import serve
from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68

pytestmark = [pytest.mark.slow, pytest.mark.network]
FAR_EYE = ("right_eye_outer_corner", "right_eye_inner_corner")
AT = sorted(ibug68.index(list(FAR_EYE)).tolist())


@pytest.fixture
def server(monkeypatch):
    predict_hidden(monkeypatch, *FAR_EYE)
    with Server(serve.Limits()) as running:
        yield running


def photo(kind="JPEG"):
    buffer = io.BytesIO()
    Image.fromarray(toy.draw(1, ibug68, size=320, colour=True).images[0]).save(buffer, kind)
    return buffer.getvalue()


def missing(face):
    return [k for k, xy in enumerate(face["points"]) if xy == [None, None]]


def test_over_http_hidden_points_can_be_left_out(server):
    for query, expected in (("", []), ("?hide_occluded=true", AT)):
        code, _, body = server.ask(f"/v1/landmarks{query}", photo())
        assert code == 200, body
        (face,) = json.loads(body)["images"][0]["faces"]
        assert missing(face) == expected
        assert [k for k, chance in enumerate(face["visible"]) if chance < 0.5] == AT
    drawn = [
        server.ask(f"/v1/landmarks?format=image{more}", photo())[2]
        for more in ("", "&hide_occluded=true")
    ]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(("query", "expected"), [("", []), ("?hide_occluded=true", AT)])
def test_of_camera_frames_hidden_points_can_be_left_out(server, query, expected):
    with connect(f"ws://127.0.0.1:{server.port}/v1/live{query}") as socket:
        socket.send(photo())
        (face,) = json.loads(socket.recv(timeout=20))["faces"]
    assert missing(face) == expected


def test_in_a_clip_hidden_points_can_be_left_out(server):
    pytest.importorskip("av")
    from drawn_clips import frames, written

    data = written(frames(2))
    for query, expected in (("", []), ("?hide_occluded=true", AT)):
        code, _, body = server.ask(f"/v1/clips{query}", data, kind="video/mp4")
        assert code == 200, body
        for image in json.loads(body)["images"]:
            (face,) = image["faces"]
            assert missing(face) == expected
