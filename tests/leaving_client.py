"""A client that sends a clip and leaves, and a server at which that can be seen."""

import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from test_serve import Server, metric, wait_until

from nasion.app import serve
from nasion.inference.landmarker import Landmarker


class SlowDetector:
    """Finds nothing, and takes a while for it. ``images``: how many it was given."""

    def __init__(self, seconds=0.1):
        self.seconds, self.images = seconds, 0

    def __call__(self, image):
        self.images += 1
        time.sleep(self.seconds)
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


@contextmanager
def slow_server(detector, **limits):
    with Server(
        serve.Limits(workers=1, **limits), Landmarker("face68_light", detector=detector)
    ) as running:
        yield running


def send_and_leave(server, path, clip, until):
    """Send a request, and close the connection once ``until()`` holds."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n"
        f"Content-Length: {len(clip)}\r\n\r\n"
    )
    connection.sendall(head.encode() + clip)
    assert wait_until(until)
    connection.close()


def clip_processes():
    """The processes of clips that this process has started."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command = (each / "cmdline").read_bytes()
            parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"clip_process" in command and int(parent) == os.getpid():
            found.append(int(each.name))
    return found


def nothing_is_left(server):
    held = metric(server, "nasion_bytes_held ") + metric(server, "nasion_requests_in_progress ")
    return held == 0 and not clip_processes()
