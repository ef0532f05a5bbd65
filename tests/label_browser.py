"""The labelling page in Chromium: data of drawn faces, a server, and what tests ask of both."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pytest
import uvicorn
from PIL import Image

from nasion.app.label.opening import opened
from nasion.app.label.server import LIMITS, build_app
from nasion.app.serve.connections import server_config
from nasion.data.corrections.change_list import list_path, read_change_list
from nasion.data.datasets import points_csv, toy
from nasion.data.label_reading import LabelReading
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Predictions

sync_api = pytest.importorskip("playwright.sync_api")
BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
MARKS = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]
WHO = "anna"
NOSE = "nose_tip"


@cache
def drawn(count):
    return toy.draw(count, ibug68, size=320, colour=True)


def labelled_data(folder, count=4, missing=()):
    """Drawn faces of 68 points, one an image. ``missing``: (face, points that have no label)."""
    faces = drawn(count)
    points = faces.points.copy()
    for i, names in missing:
        points[i, ibug68.index(names)] = np.nan
    folder.mkdir(parents=True)
    names = tuple(f"{i}.png" for i in range(count))
    for name, pixels in zip(names, faces.images, strict=True):
        Image.fromarray(np.asarray(pixels)).save(folder / name)
    table = Predictions(scheme=ibug68, ids=names, points=points)
    points_csv.write(table, folder / "labels.csv")
    return folder


def toy_points(face):
    """Where the points of a drawn face are."""
    return drawn(face + 1).points[face]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unlabelled_data(folder):
    """Two images without a label: one with three faces, one with none."""
    from nasion.app.serve.responses import sample_image

    folder.mkdir(parents=True)
    (folder / "three.jpg").write_bytes(sample_image())
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(folder / "wall.png")
    return folder


class LabelPage:
    """The server in a thread of its own; it can be stopped and started again on its port."""

    def __init__(self, data, who=WHO):
        self.data, self.who, self.port = data, who, 0
        self._stack = None

    def start(self):
        self._stack = ExitStack()
        server = self._stack.enter_context(
            opened(str(self.data), self.who, "face68_light", None, LabelReading())
        )
        config = server_config(build_app(server), LIMITS, port=self.port)
        listening = config.bind_socket()
        self.port = listening.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self):
        self._server.should_exit = True
        self._thread.join(20)
        self._stack.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def list_path(self):
        return list_path(str(self.data), self.who)

    def state(self, face, repeat=0):
        """What the change list on the disk says of a face."""
        return read_change_list(self.list_path, tell=False).state.of(face, repeat)

    def gestures(self):
        """The lines of the change list, after its header."""
        return [json.loads(line) for line in self.list_path.read_text().splitlines()[1:]]


@contextmanager
def label_process(data, port):
    """``nasion label`` as a process that can be killed."""
    command = [sys.executable, "-m", "nasion", "label", str(data), "--no-open"]
    command += ["--port", str(port), "--who", WHO, "--run", "face68_light"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


@contextmanager
def shown(browser, page, face=None, expected=(), **context):
    """The page, ready. Afterwards: no error in it, and no request to anywhere else."""
    errors, asked = [], []
    settings = {"viewport": {"width": 1280, "height": 900}} | context
    opened_context = browser.new_context(**settings)
    tab = opened_context.new_page()
    watch(tab, errors, asked)
    tab.goto(page.url + (f"#face={face}" if face else ""))
    ready(tab)
    yield tab
    opened_context.close()
    assert [error for error in errors if not any(each in error for each in expected)] == []
    assert [url for url in asked if not url.startswith((page.url, "blob:", "data:"))] == []


def watch(tab, errors, asked):
    tab.on("pageerror", lambda error: errors.append(f"{error.message} {error.stack}"))
    tab.on(
        "console",
        lambda said: errors.append(f"{said.text}") if said.type == "error" else None,
    )
    tab.on("request", lambda request: asked.append(request.url))


def ready(tab):
    tab.locator("body[data-ready=yes]").wait_for()
    until(tab, "nasionLabel.drawing.shown !== null")


def until(tab, condition, seconds=30):
    """Wait for something in the page. Its security policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not tab.evaluate(condition):
        assert time.monotonic() < end, f"{condition} did not become true in {seconds} s"
        time.sleep(0.02)


def saved(tab):
    """Wait until everything is on the server's disk."""
    until(
        tab,
        "!nasionLabel.labelling.isUnsettled && !nasionLabel.labelling.outbox.unsaved",
    )


def points(tab):
    """The labels as the page has them."""
    return tab.evaluate("nasionLabel.labelling.doc.points")


def on_screen(tab, place):
    """Where a place of the image is on the page."""
    return tab.evaluate(
        """(place) => {
          const { x, y } = document.getElementById("stage").getBoundingClientRect();
          const [u, v] = nasionLabel.view.toStage(place);
          return [x + u, y + v];
        }""",
        list(place),
    )


def zoom_to(tab, place, scale):
    """Show a place in the middle of the stage, so large."""
    tab.evaluate(
        """([place, scale]) => {
          nasionLabel.view.centre(place, nasionLabel.drawing.size, scale);
          nasionLabel.viewActions.changed();
        }""",
        [list(place), scale],
    )


def drag(tab, start, end, steps=6):
    tab.mouse.move(*start)
    tab.mouse.down()
    tab.mouse.move(*end, steps=steps)
    tab.mouse.up()


def index(name):
    return ibug68.points.index(name)
