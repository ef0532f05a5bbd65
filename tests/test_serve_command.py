"""``nasion serve`` as a process of its own: what it prints, when, and how it stops."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO

import pytest
from PIL import Image

from nasion.app.serve.responses import sample_image

pytestmark = [pytest.mark.slow, pytest.mark.network]


@contextmanager
def served(*options):
    """(process, port) of a server that has said where it serves."""
    program = "from nasion.app.cli import main; main()"
    words = ["serve", "--port", "0", "--run", "face68_light", *options]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    try:
        line = process.stdout.readline()
        yield process, int(re.search(r"serves at http://127\.0\.0\.1:(\d+)", line)[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(port, path, body=None, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_the_port_listens_when_the_address_is_printed_and_options_of_proxies_hold():
    options = ("--root-path", "/faces", "--allow-host", "faces.example.org")
    with served(*options, "--allow-origin", "https://friend.example") as (process, port):
        # At once: no waiting, no second try.
        assert ask(port, "/faces/healthz", Host="faces.example.org")["status"] == "ok"
        assert ask(port, "/healthz")["status"] == "ok"
        servers = ask(port, "/openapi.json")["servers"]
        assert servers == [{"url": "/faces"}]
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(port, "/healthz", Host="elsewhere.example")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_an_address_that_cannot_be_had_is_one_line_with_the_reason():
    with served() as (_, port):
        for host, words in (
            ("127.0.0.1", "address already in use"),
            ("192.0.2.1", "cannot assign requested address"),
        ):
            command = ["serve", "--run", "face68_light", "--host", host, "--port", str(port)]
            done = subprocess.run(
                [sys.executable, "-m", "nasion", *command], capture_output=True, text=True
            )
            assert done.returncode == 1
            assert done.stderr.splitlines() == [
                f"nasion: Cannot listen on {host} port {port} ({words}); choose another with "
                "--port or --host."
            ]


def slow_image():
    """The sample image, enlarged: a PNG that takes a while to decode."""
    with Image.open(BytesIO(sample_image())) as image:
        large = image.resize((2400, 2400))
    file = BytesIO()
    large.save(file, "PNG", compress_level=1)
    return file.getvalue()


def in_progress(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return float(re.search(r"^nasion_requests_in_progress (\S+)$", text, re.MULTILINE)[1])


def test_requests_that_run_when_the_server_is_stopped_are_answered():
    image = slow_image()
    with served("--workers", "1") as (process, port), ThreadPoolExecutor(12) as pool:
        running = [pool.submit(ask, port, "/v1/landmarks", image) for _ in range(12)]
        # Until all have been sent. The answered are counted first: never one too many.
        while sum(each.done() for each in running) + in_progress(port) < len(running):
            time.sleep(0.01)
        # Most of them wait for the only worker.
        assert sum(each.done() for each in running) < len(running) / 2
        process.terminate()
        assert all(len(each.result()["images"]) == 1 for each in running)
        assert process.wait(20) in (0, -signal.SIGTERM)
