"""``nasion label`` as a process of its own: what it prints, how it stops, what a kill leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from label_page import NAMES, drawn, until, write_labels, write_photos

import nasion
from nasion.data.corrections.change_list import list_path, read_change_list
from nasion.data.label_reading import LabelReading
from nasion.landmarks.catalog import ibug68

pytestmark = [pytest.mark.slow, pytest.mark.network]
KILLS = 20


@contextmanager
def served(data, *options):
    """(process, port) of a server that has said where it serves."""
    program = "from nasion.app.cli import main; main()"
    words = ["label", str(data), "--port", "0", "--run", "face68_light", "--no-open", *options]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"Label at http://127\.0\.0\.1:(\d+)", line)
        assert found, line + process.stdout.read()
        yield process, int(found[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(port, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def note(face, revision, before, after):
    return {
        "id": uuid4().hex,
        "face": face,
        "revision": revision,
        "op": "note",
        "note": {"from": before, "to": after},
    }


def test_it_says_where_it_is_and_where_changes_go_and_ctrl_c_stops_it(tmp_path):
    table = write_labels(tmp_path / "mine", drawn())
    with served(table, "--who", "anna") as (process, port):
        assert ask(port, "/api/session")["who"] == "anna"
        assert str(list_path(table, "anna")) in process.stdout.readline()
        # A second one on the same list is refused, and says who has it.
        program = "from nasion.app.cli import main; main()"
        words = ["label", str(table), "--who", "anna", "--no-open", "--port", "0"]
        second = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60
        )
        assert second.returncode == 1
        assert f"is being written to by process {process.pid}" in " ".join(second.stderr.split())
        ask(port, "/api/gesture", note(NAMES[0], 1, "", "dark"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Stopped. Your changes are in" in process.stdout.read()
    assert [path.name for path in list_path(table, "anna").parent.iterdir()] == ["anna.jsonl"]


def test_stopped_without_a_change_it_names_no_list(tmp_path):
    table = write_labels(tmp_path / "mine", drawn())
    with served(table, "--who", "anna") as (process, port):
        assert ask(port, "/api/session")["who"] == "anna"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        said = process.stdout.read()
    assert "Stopped. Nothing was changed." in said and "Your changes are in" not in said
    assert not list_path(table, "anna").exists()


def test_all_acknowledged_gestures_survive_kills_at_random_moments(tmp_path):
    table = write_labels(tmp_path / "mine", drawn())
    path = list_path(table, "anna")
    random, saved = np.random.default_rng(5), {}
    for _ in range(KILLS):
        with served(table, "--who", "anna") as (process, port):
            shown = ask(port, f"/api/face?face={NAMES[0]}")
            # The last one may be on disk without its answer.
            revision, text = shown["revision"], shown["note"]
            assert revision >= max((r for r, _ in saved.values()), default=0)
            timer = threading.Timer(random.uniform(0.0, 0.25), process.kill)
            timer.start()
            try:
                while True:
                    gesture = note(NAMES[0], revision + 1, text, uuid4().hex)
                    revision = ask(port, "/api/gesture", gesture)["revision"]
                    text = gesture["note"]["to"]
                    saved[gesture["id"]] = (revision, text)
            except (OSError, HTTPException, ValueError):
                timer.join()
    found = read_change_list(path, tell=False).state.gestures
    assert len(saved) > KILLS
    for key, (revision, text) in saved.items():
        assert found[key].revision == revision
        assert found[key].changes["note", ""].after == text


def test_a_killed_server_takes_its_learning_with_it(tmp_path):
    table = write_labels(tmp_path / "mine", drawn(12))
    with served(table, "--who", "anna") as (process, port):
        for i in range(6):
            done = note(f"face{i}.png", 1, None, None) | {"op": "done"}
            del done["note"]
            ask(port, "/api/gesture", done | {"done": {"from": False, "to": True}})
        ask(port, "/api/learn", {})
        own = until(lambda: _children(process.pid), bool)
        process.kill()
        process.wait()
        until(lambda: [pid for pid in own if _is_running(pid)], lambda left: not left, 20)


def test_a_folder_of_pictures_is_labelled_from_nothing(tmp_path):
    photos = write_photos(tmp_path / "photos", drawn())
    with served(photos, "--who", "anna") as (_, port):
        url = f"/api/face?face={NAMES[0]}"
        shown = until(lambda: ask(port, url), lambda found: found["proposal"])
        points = {
            name: {"from": None, "to": [*place, "visible"]}
            for name, place in zip(ibug68.points, shown["proposal"]["points"], strict=True)
        }
        body = note(NAMES[0], 1, None, None) | {"op": "add", "points": points}
        del body["note"]
        body["image"] = {"from": None, "to": NAMES[0]}
        body["box"] = {"from": None, "to": shown["box"]}
        assert ask(port, "/api/gesture", body)["revision"] == 1
    found = nasion.load_faces(
        None, photos, reading=LabelReading(corrections=list_path(photos, "anna"))
    )
    assert found.ids == (NAMES[0],) and found.complete.all()


def _children(parent):
    """Processes that this one has started (on Linux)."""
    task = Path(f"/proc/{parent}/task")
    if not task.is_dir():
        pytest.skip("/proc tells which processes there are")
    found = []
    for each in task.iterdir():
        found += (each / "children").read_text().split()
    return [int(pid) for pid in found]


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
