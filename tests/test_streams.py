"""Images and videos of servers: http, https and rtsp, within limits; nothing else is opened."""

import io
import socket
import struct
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from nasion.errors import DataError
from nasion.media import downloads, inputs, video_containers
from nasion.media.downloads import download
from nasion.media.video import VideoInput

pytestmark = pytest.mark.network

av = pytest.importorskip("av")
FRAMES = 12


def clip(kind, codec="libx264", side=64, noise=0):
    """The contents of a video whose n-th frame has a mean brightness of 16 n."""
    rng = np.random.default_rng(0)
    data = io.BytesIO()
    with av.open(data, "w", format=kind) as out:
        stream = out.add_stream(codec, rate=12)
        stream.width = stream.height = side
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(FRAMES):
            spread = min(16 * number, 255 - 16 * number) if noise else 0
            dots = rng.choice([-spread, spread], (side, side, 1))
            pixels = np.repeat(16 * number + dots, 3, axis=2).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if codec == "mjpeg":
                frame = frame.reformat(dst_color_range="JPEG")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data.getvalue()


def brightness(video):
    return [round(float(frame.pixels.mean())) for frame in video.frames()]


EXPECTED = [16 * number for number in range(FRAMES)]


class Server(ThreadingHTTPServer):
    """``files``: contents by path. ``ranges``: whether parts are sent. ``asked``: what was."""

    daemon_threads = True

    def __init__(self, files, ranges=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.ranges, self.asked = files, ranges, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if callable(content):
            content(self)
            return
        if content is None:
            self.send_error(404)
            return
        start = 0
        if self.server.ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *words):
        pass


@contextmanager
def served(files, ranges=True):
    server = Server(files, ranges)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def redirect_to(target):
    def answer(request):
        request.send_response(302)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def test_a_video_of_a_web_server_is_read_in_parts_or_from_its_beginning(monkeypatch):
    with served({"/a/clip.mp4?key=1": clip("mp4", side=320, noise=1)}) as server:
        # Its index is at its end, so the server must send parts.
        (video,) = inputs.resolve_inputs([f"{server.url}/a/clip.mp4?key=1"])
        assert isinstance(video, VideoInput) and video.frame_count() == 0
        assert np.abs(np.subtract(brightness(video), EXPECTED)).max() <= 3
        assert any(given for _, given in server.asked)
    files = {"/clip.ts": clip("mpegts"), "/clip.mp4": clip("mp4", side=320, noise=1)}
    with served(files, ranges=False) as server:
        for name in ("clip.ts", "clip.mp4"):
            server.asked.clear()
            found = brightness(VideoInput(f"{server.url}/{name}"))
            assert np.abs(np.subtract(found, EXPECTED)).max() <= 3, name
            assert len(server.asked) == 1
        with pytest.raises(DataError, match=r"gone.mp4: could not be downloaded \(Not Found\)"):
            brightness(VideoInput(f"{server.url}/gone.mp4"))
        monkeypatch.setattr(downloads, "MAX_DOWNLOAD", 1000)
        with pytest.raises(DataError, match=r"clip.mp4: .* sends no parts of files; the limit is"):
            brightness(VideoInput(f"{server.url}/clip.mp4"))


def test_a_camera_that_sends_jpegs_is_a_stream():
    def camera(request):
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        for number in range(200):
            data = io.BytesIO()
            Image.new("RGB", (64, 64), (9 * (number % 20),) * 3).save(data, "JPEG")
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {data.tell()}\r\n\r\n"
            request.wfile.write(head.encode() + data.getvalue() + b"\r\n")

    with served({"/cam/video.mjpg": camera}) as server:
        (video,) = inputs.resolve_inputs([f"{server.url}/cam/video.mjpg"])
        frames = VideoInput(video.source, seconds=0.5).frames()
        found = [round(float(frame.pixels.mean())) for frame in frames]
        assert found[:5] == [0, 9, 18, 27, 36]


def rtsp_server(listening, packets, silent):
    """Answers one client of RTSP, and sends it an MPEG transport stream over the connection."""
    connection, _ = listening.accept()
    with connection, connection.makefile("rb") as requests:
        while True:
            lines = []
            while (line := requests.readline()) not in (b"\r\n", b""):
                lines.append(line.decode())
            if not lines:
                return
            method = lines[0].split()[0]
            number = next(line.split()[1] for line in lines if line.lower().startswith("cseq"))
            extra, body = "", ""
            if method == "OPTIONS":
                extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                    "m=video 0 RTP/AVP 33\r\na=control:track1\r\n"
                )
                extra = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                extra = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            elif method == "PLAY":
                extra = "Session: 1\r\nRange: npt=0-\r\n"
            connection.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{extra}\r\n{body}".encode())
            if method == "PLAY":
                for sequence, payload in enumerate(packets):
                    header = struct.pack(">BBHII", 0x80, 33, sequence, 1000 * sequence, 7)
                    size = len(header) + len(payload)
                    connection.sendall(struct.pack(">cBH", b"$", 0, size) + header + payload)
                if not silent:
                    return


@pytest.mark.parametrize("silent", [False, True])
def test_a_stream_of_rtsp_is_read_until_its_end_or_until_it_goes_silent(monkeypatch, silent):
    monkeypatch.setattr(video_containers, "_OPEN_SECONDS", 3.0)
    monkeypatch.setattr(video_containers, "_READ_SECONDS", 1.0)
    data = clip("mpegts")
    packets = [data[start : start + 1316] for start in range(0, len(data), 1316)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(
            target=rtsp_server, args=(listening, packets, silent), daemon=True
        )
        thread.start()
        port = listening.getsockname()[1]
        (video,) = inputs.resolve_inputs([f"rtsp://user:secret@127.0.0.1:{port}/live"])
        assert video.name == f"rtsp://127.0.0.1:{port}/live"
        problems = []
        found = [round(float(frame.pixels.mean())) for frame in video.frames(problems.append)]
    # FFmpeg may lose a frame while it finds out what the stream is, and some at a sudden end.
    assert len(found) >= 8 and sorted(found) == found
    assert max(min(abs(value - known) for known in EXPECTED) for value in found) <= 3
    assert [("nothing came any more" in each.reason) for each in problems] == [True] * silent


def test_a_stream_that_does_not_begin_is_given_up(monkeypatch):
    monkeypatch.setattr(video_containers, "_OPEN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.perf_counter()
        with pytest.raises(DataError, match=r"live: not a readable video"):
            brightness(VideoInput(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"))
        assert time.perf_counter() - started < 5


def test_a_download_has_a_limit_of_time_and_of_size(monkeypatch):
    def trickle(request):
        request.send_response(200)
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b"x")
            time.sleep(0.05)

    def headers(request):
        request.send_response(200)
        request.flush_headers()
        for _ in range(100):
            request.wfile.write(b"X-Slow: 1\r\n")
            time.sleep(0.05)

    with served({"/a.jpg": trickle, "/b.jpg": headers, "/c.jpg": bytes(2000)}) as server:
        for name in ("a.jpg", "b.jpg"):
            started = time.perf_counter()
            with pytest.raises(DataError, match=r"longer than 0.3 seconds, the limit"):
                download(f"{server.url}/{name}", seconds=0.3)
            assert time.perf_counter() - started < 3
        monkeypatch.setattr(downloads, "MAX_DOWNLOAD", 1000)
        with pytest.raises(DataError, match=r"c.jpg: more than 1,000 bytes"):
            download(f"{server.url}/c.jpg")


def test_public_addresses_do_not_lead_into_private_networks(monkeypatch):
    with served({"/inside": b"secret"}) as inside, served({}) as outside:
        outside.files["/a.jpg"] = redirect_to(f"{inside.url}/inside")
        # From within a network to within it: as one likes.
        assert download(f"{outside.url}/a.jpg") == b"secret"
        public = iter([True, False] * 2)
        monkeypatch.setattr(downloads, "_is_public", lambda address: next(public))
        inside.asked.clear()
        with pytest.raises(DataError, match=r"redirects to 127.0.0.1, which is private"):
            download(f"{outside.url}/a.jpg")
        assert inside.asked == []
        monkeypatch.setenv("NASION_ALLOW_PRIVATE_REDIRECTS", "1")
        assert download(f"{outside.url}/a.jpg") == b"secret"


def test_a_password_goes_to_its_own_server_and_into_no_result_or_message():
    given = []

    def image(request):
        given.append(request.headers.get("Authorization"))
        data = io.BytesIO()
        Image.new("L", (5, 4)).save(data, "PNG")
        request.send_response(200)
        request.end_headers()
        request.wfile.write(data.getvalue())

    with served({"/a.png": image}) as server:
        server.files["/moved.png"] = redirect_to(f"{server.url}/a.png")
        address = server.url.replace("http://", "http://me:pass%40word@")
        (found,) = inputs.resolve_inputs([f"{address}/a.png"])
        assert found.name == f"{server.url}/a.png" and found.pixels(False).shape == (4, 5)
        download(f"{address}/moved.png")
        assert given == ["Basic bWU6cGFzc0B3b3Jk", None]
        with pytest.raises(DataError) as refused:
            download(f"{address}/gone.png")
        assert "word" not in str(refused.value) and "/gone.png: could not" in str(refused.value)
        with pytest.raises(DataError) as refused:
            brightness(VideoInput(f"{address}/gone.mp4"))
        assert "word" not in str(refused.value)


def test_which_addresses_are_public():
    public = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"]
    private = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1%eth0"]
    private += ["::ffff:10.0.0.1", "0.0.0.0", "100.64.0.1"]
    assert [downloads._is_public(address) for address in public] == [True] * 3
    assert [downloads._is_public(address) for address in private] == [False] * 9


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a", "file:///etc/passwd", "data:,x"])
def test_redirects_lead_to_web_servers_only(target):
    refused = pytest.raises(DataError, match="could not be downloaded")
    with served({"/a.jpg": redirect_to(target)}) as server, refused:
        download(f"{server.url}/a.jpg")


@pytest.mark.parametrize("word", ["ftp://host/a.jpg", "s3://bucket/a.jpg", "rtmp://host/live"])
def test_other_addresses_are_not_taken_for_files(word):
    with pytest.raises(DataError, match="only http, https and rtsp"):
        inputs.resolve_inputs([word])


def test_a_video_opens_no_other_file_or_address(tmp_path):
    """Playlists and lists of files under a video's name, each beside the clip that it names."""
    (tmp_path / "inner.ts").write_bytes(clip("mpegts"))
    assert brightness(VideoInput(tmp_path / "inner.ts"))
    with served({"/inner.ts": clip("mpegts")}) as server:
        for number, text in enumerate(
            (
                "ffconcat version 1.0\nfile inner.ts\n",
                f"ffconcat version 1.0\nfile '{server.url}/inner.ts'\n",
                "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\ninner.ts\n#EXT-X-ENDLIST\n",
                f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{server.url}/inner.ts\n",
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                "m=video 5004 RTP/AVP 33\n",
                f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
                f"<Period><BaseURL>{server.url}/inner.ts</BaseURL></Period></MPD>",
            )
        ):
            for suffix in (".mp4", ".m3u8", ".avi"):
                path = tmp_path / f"list{number}{suffix}"
                path.write_text(text)
                with pytest.raises(DataError, match="not a readable video"):
                    brightness(VideoInput(path))
        assert server.asked == []
        # Over the network too, where FFmpeg would look at the contents.
        server.files["/list.mp4"] = b"#EXTM3U\n#EXTINF:1,\ninner.ts\n"
        with pytest.raises(DataError, match="not a readable video"):
            brightness(VideoInput(f"{server.url}/list.mp4"))
        assert {path for path, _ in server.asked} == {"/list.mp4"}


def test_a_name_that_looks_like_a_protocol_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:a.ts").write_bytes(clip("mpegts"))
    (video,) = inputs.resolve_inputs(["concat:a.ts"])
    assert len(brightness(video)) == FRAMES


def test_a_url_goes_through_the_landmarker_as_a_clip():
    from nasion.inference.landmarker import Landmarker

    with served({"/clip.ts": clip("mpegts")}) as server:
        results = list(Landmarker("face68_light").video(f"{server.url}/clip.ts"))
    assert [frame.number for frame, _ in results] == list(range(FRAMES))
