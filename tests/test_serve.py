"""The server as its clients meet it: over real connections, with good images, bad ones, too many,
and clients that go away.
"""

import io
import json
import socket
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import uvicorn
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from nasion.app import serve
from nasion.app.serve.connections import server_config
from nasion.app.serve.responses import archive_name, sample_image
from nasion.data.datasets import toy
from nasion.errors import SettingError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.catalog import ibug68

pytestmark = [pytest.mark.slow, pytest.mark.network]

LIMITS = serve.Limits(
    body_bytes=3 << 20, pixels=2_000_000, images=8, faces=2, seconds=20, cameras=2
)


class Server:
    """The application behind a real port, in a thread of its own."""

    def __init__(self, limits, landmarker=None, access=None, wrap=None):
        app = serve.build_app(landmarker or Landmarker("face68_light"), limits, access)
        config = server_config(wrap(app) if wrap else app, limits, port=0)
        self.listening = config.bind_socket()
        self.port = self.listening.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self.listening]}
        )

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(20)

    def ask(self, path, body=None, kind="image/jpeg", method=None):
        """(status, headers, body)"""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            method or ("POST" if body is not None else "GET"),
            path,
            body,
            {"Content-Type": kind} if body is not None else {},
        )
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def form(self, path, files):
        """A form with these (name, bytes)."""
        parts = [
            b"--edge\r\nContent-Disposition: form-data; name=images; filename="
            + json.dumps(name).encode()
            + b"\r\n\r\n"
            + data
            + b"\r\n"
            for name, data in files
        ]
        return self.ask(
            path, b"".join(parts) + b"--edge--\r\n", "multipart/form-data; boundary=edge"
        )


@pytest.fixture(scope="module")
def server():
    with Server(LIMITS) as running:
        yield running


def encoded(pixels, kind="PNG"):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind)
    return data.getvalue()


def test_an_image_as_the_body_gives_its_faces_with_names_and_frame(server):
    status, headers, data = server.ask("/v1/landmarks", sample_image())
    answer = json.loads(data)
    (picture,) = answer["images"]
    assert (
        status == 200 and headers["content-type"] == "application/json" and answer["errors"] == []
    )
    assert (
        answer["point_names"] == list(ibug68.points)
        and "centre of the top left pixel" in answer["coordinates"]
    )
    assert (picture["width"], picture["height"]) == (960, 320) and len(
        picture["faces"]
    ) == 2  # three there, two are the limit
    truth = toy.draw(3, ibug68, size=320).points + np.array([[[0, 0]], [[320, 0]], [[640, 0]]])
    for face in picture["faces"]:
        assert (
            np.abs(truth - np.array(face["points"])).mean((1, 2)).min() < 5
            and len(face["scores"]) == 68
        )


def test_a_form_with_good_and_bad_images_gives_both_faces_and_errors(server):
    status, _, data = server.form(
        "/v1/landmarks",
        [
            ("a.jpg", sample_image()),
            ("b.jpg", b"no picture"),
            ("c.png", encoded(np.zeros((50, 60), np.uint8))),
        ],
    )
    answer = json.loads(data)
    assert status == 200 and [(p["image"], len(p["faces"])) for p in answer["images"]] == [
        ("a.jpg", 2),
        ("c.png", 0),
    ]
    assert (
        answer["errors"][0]["image"] == "b.jpg"
        and "not a readable image" in answer["errors"][0]["error"]
    )


@pytest.mark.parametrize(
    ("kind", "content", "first"),
    [
        ("jsonl", "application/x-ndjson", b'{"scheme"'),
        ("csv", "text/csv; charset=utf-8", b"face,box_x0"),
        ("coco", "application/json", b'{"images"'),
        ("image", "image/jpeg", b"\xff\xd8"),
        ("pts", "application/zip", b"PK"),
    ],
)
def test_all_formats_of_predict_are_answered(server, kind, content, first):
    status, headers, data = server.ask(f"/v1/landmarks?format={kind}", sample_image())
    assert status == 200 and headers["content-type"] == content and data.startswith(first)
    if kind == "pts":
        assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["image.pts", "image#2.pts"]


def test_several_drawn_images_come_as_a_zip_and_names_with_paths_lose_them(server):
    status, _, data = server.form(
        "/v1/landmarks?format=image",
        [("../../etc/a.jpg", sample_image()), ("C:\\x\\a.jpg", sample_image())],
    )
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert status == 200 and names == ["a-points.jpg", "a-2-points.jpg"]


def test_names_in_a_zip_are_safe_on_every_system_and_differ(server):
    sent = ["..", "C:a.jpg", "C_a.png", "a*b?.jpg", "CON.jpg", "nul.a.png", " x. .jpg", ".hidden"]
    status, _, data = server.form(
        "/v1/landmarks?format=image", [(name, sample_image()) for name in sent]
    )
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert status == 200 and names == [
        f"{stem}-points.jpg"
        for stem in ("image", "C_a", "C_a-2", "a_b_", "_CON", "_nul.a", "x", "hidden")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "...",
        "/etc/a",
        "a\\b",
        "C:",
        "a\x00b",
        "a\x1b[0m",
        "a\x85b",
        "a:stream",
        "lpt1",
        "~",
        "",
    ],
)
def test_an_archive_name_is_one_plain_name(name):
    found = archive_name(name)
    assert found == PureWindowsPath(found).name == PurePosixPath(found).name
    assert found.isprintable() and not set(found) & set('<>:"/\\|?*')
    assert PurePosixPath(found).stem.strip(". ") == PurePosixPath(found).stem != ""


BAD = [
    ("empty body", b"", 422, "No image"),
    ("a text file named jpg", b"hello" * 50, 422, "not a readable image"),
    ("truncated", sample_image()[:3000], 422, "not a readable image"),
    ("too many bytes", b"\xff" * (LIMITS.body_bytes + 1), 413, "the limit is 3,145,728"),
    (
        "40,000 x 40,000 declared",
        b"P5 40000 40000 255\n" + bytes(100),
        422,
        "too many pixels; the limit is",
    ),
    (
        "more pixels than the limit",
        encoded(np.zeros((1500, 1500), np.uint8)),
        422,
        "1500 x 1500 pixels; the limit is 2,000,000",
    ),
]


@pytest.mark.parametrize(
    ("body", "status", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_images_are_refused_with_a_reason_and_the_server_lives_on(server, body, status, words):
    got, _, data = server.ask("/v1/landmarks", body)
    assert got == status and words in json.loads(data)["error"]
    assert server.ask("/healthz")[0] == 200


def test_forms_that_make_no_sense_are_refused(server):
    assert server.form("/v1/landmarks", [])[0] == 422
    assert (
        server.form("/v1/landmarks", [(f"{i}.png", b"x") for i in range(LIMITS.images + 1)])[0]
        == 422
    )
    assert server.ask("/v1/landmarks", b"garbage", "multipart/form-data; boundary=edge")[0] == 422
    assert server.ask("/v1/landmarks?format=words", sample_image())[0] == 422
    assert server.ask("/v1/landmarks?min_score=2", sample_image())[0] == 422
    assert server.ask("/v1/landmarks")[0] == 405
    status, _, data = server.form(
        "/v1/landmarks?format=csv", [("a.jpg", sample_image()), ("b.jpg", b"no picture")]
    )
    assert status == 422 and json.loads(data)["errors"][0]["image"] == "b.jpg"


def test_one_by_one_pixel_and_an_animation_are_images(server):
    assert (
        json.loads(server.ask("/v1/landmarks", encoded(np.zeros((1, 1), np.uint8)))[2])["images"][
            0
        ]["faces"]
        == []
    )
    data = io.BytesIO()
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(
        data, "GIF", save_all=True, append_images=[Image.new("L", (30, 30), 200)]
    )
    assert server.ask("/v1/landmarks", data.getvalue())[0] == 200


def test_a_hundred_requests_at_once_good_and_bad_are_all_answered_rightly(server):
    wanted = [(sample_image(), 200) if i % 3 else (b"bad" * i, 422) for i in range(100)]
    with ThreadPoolExecutor(100) as pool:
        got = list(pool.map(lambda case: server.ask("/v1/landmarks", case[0])[0], wanted))
    assert got == [status for _, status in wanted]
    assert b"nasion_requests_in_progress 0.0" in server.ask("/metrics")[2]


def test_a_client_that_stops_in_the_middle_leaves_nothing_behind(server):
    for length in (1_000_000, 500):
        half = socket.create_connection(("127.0.0.1", server.port))
        half.sendall(
            (
                b"POST /v1/landmarks HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
                b"Content-Length: %d\r\n\r\n"
            )
            % length
            + sample_image()[:400]
        )
        half.close()
    assert wait_until(lambda: metric(server, "nasion_requests_in_progress ") == 0)
    assert server.ask("/v1/landmarks", sample_image())[0] == 200


def test_a_body_that_does_not_say_its_size_is_stopped_at_the_limit(server):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(
            "POST",
            "/v1/landmarks",
            iter([bytes(1 << 20)] * 8),
            {"Content-Type": "image/png"},
            encode_chunked=True,
        )
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it did not listen to the rest
    finally:
        connection.close()
    assert server.ask("/healthz")[0] == 200


class SlowLandmarker(Landmarker):
    """Finds nothing, after ``released`` is set; counts the images it was given."""

    def __init__(self):
        super().__init__("face68_light")
        self.released, self.images = threading.Event(), 0

    def with_settings(self, **settings):
        return self

    def __call__(self, image, boxes=None):
        self.images += 1
        self.released.wait(20)
        return []


def metric(server, name):
    """The value of one line of /metrics; 0 if there is none."""
    lines = server.ask("/metrics")[2].decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def wait_until(condition, seconds=20):
    """Poll a condition; False if it did not hold in time."""
    end = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return held


def test_requests_beyond_the_memory_limit_are_reported_to_come_again():
    limits = serve.Limits(body_bytes=1 << 20, memory_bytes=1 << 20, seconds=0.5, workers=1)
    with Server(limits) as small:
        slow = socket.create_connection(("127.0.0.1", small.port))
        slow.sendall(
            b"POST /v1/landmarks HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1000000\r\n\r\n" + bytes(900_000)
        )
        assert wait_until(lambda: metric(small, "nasion_bytes_held ") >= 900_000)
        status, headers, data = small.ask("/v1/landmarks", bytes(200_000))
        assert status == 503 and headers["retry-after"] == "1"
        assert "Too many" in json.loads(data)["error"]
        # The body that never came is given up, and its memory freed.
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
        slow.close()
        assert wait_until(lambda: metric(small, "nasion_bytes_held ") == 0)


def test_a_request_that_takes_too_long_is_answered_in_time_and_the_server_goes_on():
    landmarker = SlowLandmarker()
    with Server(serve.Limits(seconds=2, workers=1), landmarker) as small:
        status, headers, data = small.ask("/v1/landmarks", sample_image())
        assert status == 503 and headers["retry-after"] == "1"
        assert "longer than 2 seconds" in json.loads(data)["error"]
        landmarker.released.set()
        assert small.ask("/v1/landmarks", sample_image())[0] == 200
        assert metric(small, "nasion_requests_in_progress ") == 0


def test_work_that_nobody_waits_for_any_more_ends_and_holds_nothing():
    landmarker = SlowLandmarker()
    with Server(serve.Limits(seconds=2, workers=1), landmarker) as small:
        images = [(f"{i}.jpg", sample_image()) for i in range(20)]
        assert small.form("/v1/landmarks", images)[0] == 503
        landmarker.released.set()
        assert small.ask("/v1/landmarks", sample_image())[0] == 200
        # The first of the twenty, and the one of the second request.
        assert landmarker.images == 2
        assert metric(small, "nasion_bytes_held ") == 0


def test_settings_that_make_no_sense_are_reported_as_all_errors_are(server):
    for path, words in (
        ("/v1/landmarks?min_score=7", "min_score: "),
        ("/v1/landmarks?format=x", "format: "),
        # 1_0 is 10 for Pydantic and Python, and so are digits of other scripts for Python.
        ("/v1/landmarks?min_face=4_0", "min_face: Input should be a number of plain digits"),
        ("/v1/landmarks?min_score=0.0_1", "min_score: Input should be a number of plain digits"),
        ("/v1/landmarks?min_score=%D9%A1", "min_score: Input should be a number of plain digits"),
        ("/v1/landmarks?boxes=1_0,10,90,90", "boxes: '1_0,10,90,90' is no box"),
        ("/v1/landmarks?boxes=%D9%A1,10,90,90", "is no box"),
        ("/v1/clips?patience=1_0", "patience: Input should be a number of plain digits"),
        ("/elsewhere", "Not Found"),
    ):
        status, _, data = server.ask(path, sample_image())
        assert status in (404, 422) and words in json.loads(data)["error"]


def test_every_route_of_the_interface_refuses_a_parameter_that_it_does_not_know(server):
    described = json.loads(server.ask("/openapi.json")[2])["paths"]
    asked = {path: next(iter(methods)).upper() for path, methods in described.items()}
    assert {"/v1/landmarks", "/v1/clips", "/v1/network", "/healthz", "/metrics"} <= set(asked)
    for path, method in asked.items():
        status, _, body = server.ask(f"{path}?fromat=csv", method=method)
        assert (status, "No query parameter 'fromat'" in json.loads(body)["error"]) == (422, True)
    for path in ("/v1/network", "/healthz", "/metrics", "/?utm_source=mail", "/docs?a=1"):
        assert server.ask(path)[0] == 200


def test_answers_that_nobody_takes_count_as_memory_and_are_dropped_in_time():
    picture = encoded(
        np.random.default_rng(0).integers(0, 256, (3000, 3000, 3)).astype(np.uint8), "JPEG"
    )
    with Server(serve.Limits(body_bytes=16 << 20, memory_bytes=16 << 20, seconds=4)) as small:
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", small.port))
        head = (
            b"POST /v1/landmarks?format=image HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: %d\r\n\r\n"
        ) % len(picture)
        lazy.sendall(head + picture)
        assert lazy.recv(12) == b"HTTP/1.1 200"
        assert wait_until(lambda: metric(small, "nasion_bytes_held ") > 100_000)
        assert wait_until(lambda: metric(small, "nasion_bytes_held ") == 0)
        lazy.close()


def test_a_request_cannot_make_the_server_read_or_fetch_anything(server, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(np.zeros((9, 9), np.uint8)))
    for words in (str(secret), f"file://{secret}", f"http://127.0.0.1:{server.port}/sample.jpg"):
        assert server.ask("/v1/landmarks", words.encode())[0] == 422
        assert server.ask(f"/v1/landmarks?picture={words}&path={words}&url={words}", b"x")[0] == 422
    for path in (
        "/page/../__init__.py",
        "/page/%2e%2e/__init__.py",
        "/swagger/../../../../etc/passwd",
    ):
        assert server.ask(path)[0] == 404


def test_pages_and_their_files_come_from_this_server_alone(server):
    for path, words in (
        ("/", b"page.js"),
        ("/page/page.js", b"./drawing.js"),
        ("/page/drawing.js", b"export function drawResult"),
        ("/docs", b"swagger/swagger-ui-bundle.js"),
        ("/openapi.json", b"3.0.2"),
    ):
        status, headers, data = server.ask(path)
        assert status == 200 and words in data
        assert b"https://" not in data and headers["content-security-policy"].startswith(
            "default-src 'self'"
        )
    answer = json.loads(server.ask("/v1/network")[2])
    assert (
        dict(zip(answer["point_names"], answer["parts"], strict=True))["nose_tip"] == "nose"
        and "other" not in answer["parts"]
    )


def test_metrics_count_requests_images_and_faces(server):
    names = (
        'nasion_requests_total{path="/v1/landmarks",status="200"}',
        "nasion_faces_total",
        'nasion_images_total{result="unreadable"}',
    )
    before = [metric(server, name) for name in names]
    server.ask("/v1/landmarks", sample_image())
    server.ask("/v1/landmarks", b"bad")
    after = [metric(server, name) for name in names]
    assert np.subtract(after, before).tolist() == [1, 2, 1]


def test_a_camera_s_frames_are_followed_and_smoothed(server):
    with connect(f"ws://127.0.0.1:{server.port}/v1/live") as camera:
        answers = []
        for _ in range(6):
            camera.send(sample_image())
            answers.append(json.loads(camera.recv(20)))
        assert all([face["track"] for face in answer["faces"]] == [1, 2] for answer in answers)
        camera.send(b"no picture")
        assert "not a readable image" in json.loads(camera.recv(20))["error"]
        camera.send(sample_image())
        assert len(json.loads(camera.recv(20))["faces"]) == 2


def test_a_message_of_text_ends_the_connection_with_a_reason(server):
    with connect(f"ws://127.0.0.1:{server.port}/v1/live") as camera:
        camera.send("hello")
        with pytest.raises(ConnectionClosed, match="JPEG is expected"):
            camera.recv(20)


def test_cameras_beyond_the_limit_and_other_pages_are_turned_away(server):
    address = f"ws://127.0.0.1:{server.port}/v1/live"
    with connect(address) as first, connect(address) as second:
        for camera in (first, second):
            camera.send(sample_image())
            camera.recv(20)
        with connect(address) as third, pytest.raises(ConnectionClosed, match="2 cameras"):
            third.recv(20)
    with pytest.raises(Exception, match="403"):
        connect(address, origin="http://elsewhere.example")


def test_limits_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match="pixels must be above 0; found 0"):
        serve.Limits(pixels=0)
