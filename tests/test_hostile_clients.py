"""Clients that mean harm, or mean well and know no better, over real connections with short limits:
good requests are answered throughout.
"""

import base64
import io
import json
import logging
import socket
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
from PIL import Image
from test_hostile_images import EPS, encoded, jpeg_of_scans, png_of_zeros
from test_serve import Server, metric, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from nasion.app import serve
from nasion.app.serve.admission import client_of
from nasion.app.serve.responses import sample_image
from nasion.app.serve.settings import with_min_face
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import Landmarker

pytestmark = [pytest.mark.slow, pytest.mark.network]
LAZY = Landmarker("face68_light")  # one for all servers
HEAD = b"POST /v1/landmarks HTTP/1.1\r\nHost: localhost\r\n"
LIMITS = serve.Limits(
    body_bytes=1 << 20,
    memory_bytes=4 << 20,
    pixels=2_000_000,
    header_seconds=1,
    idle_seconds=1,
    connections=60,
    client_connections=30,
    workers=2,
)


@pytest.fixture(scope="module")
def server():
    with Server(LIMITS) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet(caplog):
    """No attack may fill the log: afterwards there is no traceback in it."""
    yield
    assert [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR] == []


def open_silent(server, count, address="127.0.0.1", first=b""):
    """Connections from a loopback address that say ``first`` and then nothing."""
    made = []
    for _ in range(count):
        one = socket.create_connection(
            ("127.0.0.1", server.port), timeout=10, source_address=(address, 0)
        )
        if first:
            one.sendall(first)
        made.append(one)
    return made


def close(connections):
    for each in connections:
        each.close()


def answered(server, count=3):
    return [server.ask("/v1/landmarks", sample_image())[0] for _ in range(count)] == [200] * count


def read_to_end(connection, seconds):
    """What the other side sends until it closes within this time; None if it does not."""
    connection.settimeout(seconds)
    read = b""
    try:
        while piece := connection.recv(1 << 16):
            read += piece
    except TimeoutError:
        return None
    except OSError:
        pass  # closed with a reset
    return read


def is_closed(connection, seconds):
    return read_to_end(connection, seconds) is not None


def test_a_hundred_uploads_that_do_not_say_their_size_are_all_answered():
    def upload(_):
        connection = HTTPConnection("127.0.0.1", roomy.port, timeout=60)
        parts = iter([sample_image()[:5000], sample_image()[5000:]])
        connection.request("POST", "/v1/landmarks", parts, {}, encode_chunked=True)
        status = connection.getresponse().status
        connection.close()
        return status

    with Server(serve.Limits(workers=2)) as roomy, ThreadPoolExecutor(100) as pool:
        assert list(pool.map(upload, range(100))) == [200] * 100


def test_what_is_announced_and_never_sent_reserves_nothing(server):
    announced = HEAD + b"Content-Length: %d\r\n\r\n" % LIMITS.body_bytes
    idle = open_silent(server, 8, first=announced)
    assert wait_until(lambda: metric(server, "nasion_bytes_held ") == 0, 1)
    assert answered(server)
    for each in idle:
        answer = read_to_end(each, 5)
        assert answer.startswith(b"HTTP/1.1 408") and b"Nothing of the body arrived" in answer
    close(idle)


@pytest.mark.parametrize("first", [b"", b"POST", HEAD, HEAD + b"Content-Length: 9\r\n\r\n"])
def test_any_number_of_silent_connections_leaves_room_for_good_requests(server, first):
    silent = []
    for _ in range(4):
        for address in ("127.0.0.1", "127.0.0.2"):
            silent += open_silent(server, 40, address, first)
        assert answered(server, 1)
    assert all(is_closed(each, 5) for each in silent)
    close(silent)


def test_headers_that_trickle_in_are_given_up(server):
    (slow,) = open_silent(server, 1)
    started = time.monotonic()
    try:
        for byte in HEAD * 100:
            slow.sendall(bytes([byte]))
            time.sleep(0.1)
    except OSError:
        assert time.monotonic() - started < 5
    else:
        pytest.fail("the connection was kept")
    finally:
        slow.close()


def test_an_endless_body_is_cut_off_and_its_connection_closed(server):
    (endless,) = open_silent(server, 1, first=HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    started, sent = time.monotonic(), 0
    with pytest.raises(OSError):
        while time.monotonic() - started < 20:
            endless.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
            sent += 1 << 16
    assert time.monotonic() - started < 5 and sent > LIMITS.body_bytes
    endless.close()
    assert wait_until(lambda: metric(server, "nasion_bytes_held ") == 0) and answered(server)


@pytest.mark.parametrize("path", ["/v1/landmarks", "/healthz", "/elsewhere", "/v1/landmarks?x=1"])
def test_whatever_is_refused_with_half_a_body_ends_its_connection(server, path):
    size = 3 * LIMITS.body_bytes
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
    (half,) = open_silent(server, 1, first=head.encode() + bytes(1000))
    half.settimeout(5)
    answer = half.recv(4000)
    assert answer.startswith(b"HTTP/1.1 4") and b"connection: close" in answer.lower()
    assert is_closed(half, 3)
    half.close()


def test_a_large_body_is_told_why_it_is_refused_before_the_connection_ends(server):
    status, _, data = server.ask("/v1/landmarks", bytes(4 * LIMITS.body_bytes))
    assert status == 413 and "the limit is 1,048,576" in json.loads(data)["error"]


def test_one_client_takes_half_of_the_memory_at_most():
    limits = serve.Limits(body_bytes=1 << 20, memory_bytes=4 << 20, idle_seconds=5)
    with Server(limits) as shared:
        first = HEAD + b"Content-Length: 1000000\r\n\r\n" + bytes(900_000)
        greedy = open_silent(shared, 5, "127.0.0.2", first)
        assert wait_until(lambda: metric(shared, "nasion_bytes_held ") > 900_000)
        assert metric(shared, "nasion_bytes_held ") <= limits.memory_bytes / 2
        assert answered(shared)
        close(greedy)
        assert wait_until(lambda: metric(shared, "nasion_bytes_held ") == 0)


def test_garbage_instead_of_http_is_refused(server):
    for garbage in (b"\x16\x03\x01" + bytes(300), b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000):
        (one,) = open_silent(server, 1, first=garbage)
        assert is_closed(one, 5)
        one.close()
    assert answered(server)


BOMBS = {
    "scans": (jpeg_of_scans(20_000), "20,010 scans"),
    "rgba": (png_of_zeros(1400, 1400), "in 4 channels"),
    "eps": (EPS, "not a readable image; JPEG"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_and_good_requests_answered_beside_them(server, name):
    data, words = BOMBS[name]
    with ThreadPoolExecutor(8) as pool:
        bombs = [pool.submit(server.ask, "/v1/landmarks", data) for _ in range(16)]
        assert answered(server)
        for each in bombs:
            status, _, body = each.result()
            assert status == 422 and words in json.loads(body)["error"]


def test_images_that_take_too_long_to_decode_free_their_worker():
    slow = encoded(Image.effect_noise((2500, 2500), 90), "JPEG2000")
    with Server(serve.Limits(decode_seconds=0.2, workers=1)) as short:
        assert answered(short)
        started = time.monotonic()
        form = [(f"{i}.jp2", slow) for i in range(3)] + [("good.jpg", sample_image())]
        status, _, data = short.form("/v1/landmarks", form)
        answer = json.loads(data)
        assert status == 200 and [each["image"] for each in answer["images"]] == ["good.jpg"]
        assert all("longer than 0.2 seconds" in each["error"] for each in answer["errors"])
        assert time.monotonic() - started < 10 and answered(short)


@pytest.mark.parametrize(
    "name", ["a\x00b.jpg", "x" * 300 + ".jpg", "ü" * 300, "\x1b[31m.jpg", ".."]
)
@pytest.mark.parametrize("format", ["pts", "image", "json", "csv"])
def test_any_file_name_is_answered(server, name, format):
    # Names are sent as UTF-8, as browsers do; control characters too.
    part = b'--edge\r\nContent-Disposition: form-data; name=images; filename="' + name.encode()
    body = part + b'"\r\n\r\n' + sample_image() + b"\r\n--edge--\r\n"
    kind = "multipart/form-data; boundary=edge"
    status, _, data = server.ask(f"/v1/landmarks?format={format}", body, kind)
    assert status == 200
    if format == "pts":
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
        assert len(names) == 3 and all(len(each.encode()) < 255 for each in names)


def test_text_that_is_not_utf8_ends_the_socket_with_a_reason(server, caplog):
    with connect(f"ws://127.0.0.1:{server.port}/v1/live") as camera:
        camera.send(b"\xff\xfe\xfa", text=True)
        with pytest.raises(ConnectionClosed):
            camera.recv(10)
    assert answered(server)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:1234", 200),
        ("127.0.0.1", 200),
        ("LocalHost", 200),
        ("elsewhere.example", 400),
        ("127.0.0.1.elsewhere.example", 400),
        ("192.168.1.1", 400),
        ("faces.example.org", 200),
        ("a.sub.example.org:8443", 200),
        ("sub.example.org", 400),
        ("user@localhost", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_only_names_of_this_server_are_answered(host, status):
    access = serve.Access(hosts=("faces.example.org", "*.sub.example.org"))
    with Server(serve.Limits(), LAZY, access) as named:
        connection = HTTPConnection("127.0.0.1", named.port, timeout=10)
        connection.request("GET", "/healthz", headers={"Host": host})
        answer = connection.getresponse()
        assert answer.status == status
        if status == 400:
            assert "--allow-host" in json.loads(answer.read())["error"]
        connection.close()


def test_a_page_elsewhere_cannot_use_the_camera_by_a_name_of_its_own(server):
    (rebound,) = open_silent(server, 1)
    rebound.sendall(
        b"GET /v1/live HTTP/1.1\r\nHost: rebound.example\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\nOrigin: http://rebound.example\r\n\r\n"
    )
    assert rebound.recv(100).startswith(b"HTTP/1.1 403")
    rebound.close()
    address = f"ws://127.0.0.1:{server.port}/v1/live"
    with pytest.raises(Exception, match="403"):
        connect(address, origin="http://elsewhere.example")
    with connect(address, origin=f"http://127.0.0.1:{server.port}") as own:
        own.send(sample_image())
        assert json.loads(own.recv(20))["faces"]


def test_a_proxy_s_name_and_allowed_origins_may_use_the_camera_and_other_pages_not():
    access = serve.Access(hosts=("faces.example.org",), origins=("https://friend.example",))
    with Server(serve.Limits(), LAZY, access) as named:
        for origin in ("https://faces.example.org", "https://friend.example"):
            with connect(f"ws://127.0.0.1:{named.port}/v1/live", origin=origin) as camera:
                assert camera.protocol.state.name == "OPEN"
        elsewhere = ("https://foe.example", "null", "https://friend.example.foe.example")
        for origin in (*elsewhere, "http://["):
            with pytest.raises(Exception, match="403"):
                connect(f"ws://127.0.0.1:{named.port}/v1/live", origin=origin)


def test_other_pages_may_read_answers_only_if_their_origin_is_allowed(server):
    headers = {"Origin": "https://friend.example"}

    def allowed(port):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/v1/network", headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.getheader("access-control-allow-origin")

    assert allowed(server.port) is None
    access = serve.Access(origins=("https://friend.example",))
    with Server(serve.Limits(), LAZY, access) as friendly:
        assert allowed(friendly.port) == "https://friend.example"


def test_hosts_and_origins_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match=r"https://example.org; found 'example.org'"):
        serve.Access(origins=("example.org",))
    with pytest.raises(SettingError, match=r"https://example.org; found 'http://\['"):
        serve.Access(origins=("http://[",))
    with pytest.raises(SettingError, match="found 'https://example'"):
        serve.Access(hosts=("https://example",))
    with pytest.raises(SettingError, match=r"a path alone, as /faces; found 'https://a/faces'"):
        serve.Access(root_path="https://a/faces")


def test_parameters_that_do_not_exist_are_refused_with_those_that_do(server):
    status, _, data = server.ask("/v1/landmarks?min_scor=0.5", sample_image())
    words = json.loads(data)["error"]
    assert status == 422 and "did you mean 'min_score'" in words
    assert "detect, boxes, min_face, min_score, any_rotation, labels, draw, format" in words
    status, _, data = server.ask("/v1/landmarks?detect=1&detect=0", sample_image())
    assert status == 422 and "'detect' is given twice" in json.loads(data)["error"]
    with pytest.raises(Exception, match="422"):
        connect(f"ws://127.0.0.1:{server.port}/v1/live?smoth=false")
    for query in ("min_cutoff=inf", "beta=x", "smooth=false&beta=1"):
        with pytest.raises(Exception, match="422"):
            connect(f"ws://127.0.0.1:{server.port}/v1/live?{query}")


@pytest.mark.parametrize("prefix", [b"", b"data:image/jpeg;base64,"])
def test_base64_is_answered_with_what_to_send_instead(server, prefix):
    body = prefix + base64.b64encode(sample_image())
    for kind in ("image/jpeg", "text/plain"):
        status, _, data = server.ask("/v1/landmarks", body, kind)
        words = json.loads(data)["error"]
        assert status == 422 and "curl --data-binary @photo.jpg" in words
    status, _, data = server.form("/v1/landmarks", [("a.jpg", body)])
    assert status == 422 and "base64 -d" in json.loads(data)["error"]
    as_json = json.dumps({"image": body.decode()}).encode()
    status, _, data = server.ask("/v1/landmarks", as_json, "application/json")
    assert (
        status == 422 and "The body is JSON; send the file's own bytes" in json.loads(data)["error"]
    )


def faces_of(server, query, data=None):
    status, _, answer = server.ask(f"/v1/landmarks?{query}", data or sample_image())
    value = json.loads(answer)
    return status, value["images"][0]["faces"] if status == 200 else value["error"]


def test_known_boxes_and_the_smallest_face_over_http(server):
    _, found = faces_of(server, "")
    boxes = [",".join(f"{number:.1f}" for number in face["box"]) for face in found[::-1]]
    status, known = faces_of(server, "&".join(f"boxes={box}" for box in boxes))
    assert status == 200 and len(known) == 3
    for face, again in zip(found[::-1], known, strict=True):
        assert abs(sum(map(sum, face["points"])) - sum(map(sum, again["points"]))) / 136 < 2
    assert len(faces_of(server, "min_face=40")[1]) == 3
    assert with_min_face(LAZY, 40, (960, 320), "a.jpg").detector.min_face == 40
    for query, words in (
        ("min_face=3", "min_face: "),
        ("min_face=40&detect=false", "leave one out"),
        ("min_score=0.9&detect=false", "min_score: has no effect with detect=false"),
        ("any_rotation=true&detect=false", "any_rotation: has no effect with detect=false"),
        ("boxes=1,2,3", "'1,2,3' is no box"),
        ("boxes=1,2,0,9", "x0 < x1"),
        ("boxes=1,2,nan,9", "is no box"),
        ("boxes=2000,2,2100,9", "outside of its 960 x 320"),
        ("boxes=1,2,30,40&min_score=0.5", "leave detect, min_face"),
    ):
        status, error = faces_of(server, query)
        assert status == 422 and words in error, query
    small = encoded(Image.new("L", (1900, 1000)), "PNG")
    status, error = faces_of(server, "min_face=8", small)
    status_form, _, _ = server.form(f"/v1/landmarks?boxes={boxes[0]}", [("a.jpg", b"")] * 2)
    assert status == 200 and status_form == 422


def test_a_search_for_tiny_faces_in_a_large_image_is_refused():
    with pytest.raises(DataError, match=r"a.jpg: min_face=8 in 5000 x 5000 .*25 pixels or more"):
        with_min_face(LAZY, 8, (5000, 5000), "a.jpg")


class SlowLandmarker(Landmarker):
    """Finds nothing, for 0.2 seconds."""

    def with_settings(self, **settings):
        return self

    def __call__(self, image, boxes=None):
        time.sleep(0.2)
        return []


def test_one_client_s_much_work_does_not_keep_another_waiting():
    with Server(serve.Limits(workers=1, seconds=60), SlowLandmarker("face68_light")) as slow:
        head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(sample_image())
        many = open_silent(slow, 40, "127.0.0.2", head + sample_image())
        assert wait_until(lambda: metric(slow, "nasion_requests_in_progress ") == 40)
        for _ in range(3):
            started = time.monotonic()
            assert slow.ask("/v1/landmarks", sample_image())[0] == 200
            # One that runs, and at most one that is ahead in the rotation; not forty.
            assert time.monotonic() - started < 2
        assert all(read_to_end(each, 20).startswith(b"HTTP/1.1 200") for each in many)
        close(many)


def test_addresses_of_one_ipv6_network_are_one_client():
    def client(address):
        return client_of({"client": (address, 1)})

    assert client("2001:db8::1") == client("2001:db8::ffff:2") != client("2001:db8:0:1::1")
    assert client("::ffff:10.0.0.1") != client("::ffff:10.0.0.2")
    assert client("10.0.0.1") != client("10.0.0.2") and client("testclient") == "testclient"
    assert client_of({"client": None}) == client_of({}) == ""


def test_forwarded_headers_are_believed_of_trusted_proxies_alone():
    async def echo(scope, receive, send):
        if scope["type"] == "http":
            said = json.dumps([scope["client"][0], scope["scheme"]]).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": said})

    request = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n"
    )
    with Server(LIMITS, LAZY, wrap=lambda app: echo) as echoing:
        for address, said in (
            ("127.0.0.1", b'["203.0.113.7", "https"]'),  # trusted unless told otherwise
            ("127.0.0.2", b'["127.0.0.2", "http"]'),
        ):
            (one,) = open_silent(echoing, 1, address, request)
            assert said in read_to_end(one, 5)
            one.close()
