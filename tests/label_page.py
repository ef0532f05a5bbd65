"""A labelling server on drawn faces, and what its page would send, for tests."""

import json
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from json import dumps
from urllib.parse import urlencode
from uuid import uuid4

import numpy as np
import uvicorn
from PIL import Image

from nasion.app.label.opening import opened
from nasion.app.label.server import LIMITS, build_app
from nasion.app.serve.connections import server_config
from nasion.data.datasets import points_csv, toy
from nasion.data.label_reading import LabelReading
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Predictions

SIZE = 200
NAMES = tuple(f"face{i}.png" for i in range(4))


class Answer:
    def __init__(self, response):
        self.status_code = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.content = response.read()

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class Page:
    """What the page asks and sends, to a server in this process. ``server``: behind it."""

    def __init__(self, server):
        self.server = server
        config = server_config(build_app(server), LIMITS, host="127.0.0.1", port=0)
        self._uvicorn = uvicorn.Server(config)
        self._socket = config.bind_socket()
        self._socket.listen()
        self.port = self._socket.getsockname()[1]
        sockets = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs=sockets, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._uvicorn.should_exit = True
        self._thread.join(20)

    def ask(self, method, path, body=None, headers=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Connection": "close", **(headers or {})})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, params=None, headers=None):
        return self.ask("GET", f"{path}?{urlencode(params)}" if params else path, headers=headers)

    def post(self, path, json=None, headers=None, content=None):
        kind = {"Content-Type": "application/json"} | (headers or {})
        return self.ask("POST", path, dumps(json) if content is None else content, kind)

    def face(self, face, repeat=0):
        answer = self.get("/api/face", params={"face": face, "repeat": repeat})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ready(self, face):
        """The face once its proposal is there, or none is to come."""
        return until(lambda: self.face(face), lambda found: not found["pending"])

    def queue(self, order=None):
        answer = self.get("/api/queue", params={"order": order} if order else {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, order=None):
        return [(row["face"], row["repeat"]) for row in self.queue(order)["faces"]]

    def send(self, face, op, repeat=0, revision=None, **fields):
        """Post a gesture on the face as it is now; ``fields``: values after it."""
        return self.post("/api/gesture", json=self.gesture(face, op, repeat, revision, **fields))

    def gesture(self, face, op, repeat=0, revision=None, **fields):
        shown = self.face(face, repeat)
        names = self.server.store.data.scheme.points
        body = {"id": uuid4().hex, "face": face, "repeat": repeat, "op": op, "seconds": 1.5}
        body["revision"] = shown["revision"] + 1 if revision is None else revision
        for name, value in fields.items():
            if name == "points":
                own = dict(zip(names, shown["points"], strict=True))
                body["points"] = {k: {"from": own[k], "to": v} for k, v in value.items()}
            elif name == "image":
                body["image"] = {"from": None, "to": value}
            elif name == "box":
                before = None if op == "add" else shown["box"]
                body["box"] = {"from": before, "to": value}
            else:
                body[name] = {"from": shown[name], "to": value}
        return body

    def label(self, face, points=None):
        """Label a face as a person does who accepts the proposal, and finish it."""
        shown = self.ready(face)
        names = self.server.store.data.scheme.points
        places = shown["proposal"]["points"] if points is None else points
        values = {n: [*map(float, p), "visible"] for n, p in zip(names, places, strict=True)}
        if shown["is_new"]:
            answer = self.send(face, "add", image=shown["image"]["name"], box=shown["box"])
            assert answer.status_code == 200, answer.text
        answer = self.send(face, "accept", points=values)
        assert answer.status_code == 200, answer.text
        answer = self.send(face, "done", done=True)
        assert answer.status_code == 200, answer.text


def until(ask, is_good, seconds=60):
    end = time.monotonic() + seconds
    while not is_good(found := ask()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


@contextmanager
def labelling(path, who="anna", run="face68_light", order=None, changes=(), **reading):
    opening = opened(str(path), who, run, order, LabelReading(**reading), changes)
    with opening as server, Page(server) as page:
        yield page


def drawn(count=4, scheme=ibug68, seed=3):
    return toy.draw(count, scheme, size=SIZE, seed=seed, colour=True)


def write_photos(folder, faces):
    """Pictures without labels, one face each."""
    folder.mkdir(parents=True)
    for i, pixels in enumerate(faces.images):
        Image.fromarray(np.asarray(pixels)).save(folder / f"face{i}.png")
    return folder


def write_labels(folder, faces):
    """A table of labels with its pictures; returns the table."""
    write_photos(folder, faces)
    names = tuple(f"face{i}.png" for i in range(len(faces)))
    predictions = Predictions(scheme=faces.scheme, ids=names, points=faces.points)
    points_csv.write(predictions, folder / "labels.csv")
    return folder / "labels.csv"
