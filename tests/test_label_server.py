"""The labelling page's server: what it shows, what it saves, and what survives."""

import errno
import json
import logging
import os
import shutil
from hashlib import sha256

import numpy as np
import pytest
from helpers import run_command
from label_page import NAMES, SIZE, drawn, labelling, until, write_labels, write_photos
from PIL import Image

import nasion
from nasion.app.label.label_data import open_data
from nasion.data.corrections import writer as writing
from nasion.data.corrections.change_list import list_path, read_change_list
from nasion.data.label_reading import LabelReading
from nasion.data.suspects import Audit, Suspect, audit_beside
from nasion.errors import SettingError
from nasion.landmarks.catalog import ibug68

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces():
    return drawn()


@pytest.fixture
def table(tmp_path, faces):
    return write_labels(tmp_path / "mine", faces)


@pytest.fixture
def photos(tmp_path, faces):
    return write_photos(tmp_path / "photos", faces)


def moved(shown, k, by=3.0):
    x, y, state = shown["points"][k]
    return {ibug68.points[k]: [x + by, y, state]}


def test_the_page_gets_the_scheme_the_labels_and_a_proposal(table, faces):
    with labelling(table) as page:
        session = page.get("/api/session").json()
        assert session["scheme"]["points"] == list(ibug68.points)
        assert session["who"] == "anna" and session["list"].endswith(
            "labels.csv.changes/anna.jsonl"
        )
        parts = [part["points"] for part in session["scheme"]["parts"]]
        assert sorted(k for part in parts for k in part) == list(range(68))
        assert all(place is not None for place in session["scheme"]["picture"])
        assert session["order"] == "random" and "suspects" not in session["orders"]
        queue = page.queue("file")
        assert [row["face"] for row in queue["faces"]] == list(NAMES)
        assert queue["left"] == 4 and queue["done"] == 0 and queue["images"] == 4
        shown = page.ready(NAMES[1])
        np.testing.assert_allclose([p[:2] for p in shown["points"]], faces.points[1], atol=1e-3)
        assert all(shown["placed"]) and not any(shown["touched"]) and not shown["is_new"]
        found = np.array(shown["proposal"]["points"])
        assert np.linalg.norm(found - faces.points[1], axis=1).mean() < 0.05 * SIZE
        assert min(shown["proposal"]["error"]) > 0 and shown["proposal"]["from"] == "face68_light"
        assert shown["doubt"] == shown["proposal"]["error"]
        assert page.get("/api/reference").json()["face"] in NAMES


def test_opening_and_looking_writes_nothing(table):
    with labelling(table) as page:
        page.ready(NAMES[0])
        assert not list_path(table, "anna").exists()
    assert not list_path(table, "anna").parent.exists()


def test_a_gesture_is_on_disk_when_it_is_acknowledged_and_once_when_it_is_resent(table):
    with labelling(table) as page:
        shown = page.face(NAMES[0])
        body = page.gesture(NAMES[0], "move", points=moved(shown, 30))
        first, second = (page.post("/api/gesture", json=body) for _ in range(2))
        assert first.status_code == second.status_code == 200
        assert first.json() == second.json() and first.json()["revision"] == 1
        assert first.json()["can_undo"] and not first.json()["can_redo"]
        state = read_change_list(list_path(table, "anna")).state
        assert len(state.gestures) == 1 and state.of(NAMES[0]).revision == 1
        other = body | {"points": {}, "note": {"from": "", "to": "else"}, "op": "note"}
        assert page.post("/api/gesture", json=other).status_code == 400
        after = page.face(NAMES[0])
        assert after["touched"][30] and sum(after["touched"]) == 1
        assert after["history"][0]["op"] == "move" and after["history"][0]["points"] == 1
    # As every other command has it.
    found = nasion.load_faces(
        None, table, reading=LabelReading(corrections=list_path(table, "anna"))
    )
    assert found.points[0, 30, 0] == pytest.approx(shown["points"][30][0] + 3)


def test_a_stale_gesture_is_answered_with_the_face_as_it_is(table):
    with labelling(table) as page:
        shown = page.face(NAMES[0])
        stale = page.gesture(NAMES[0], "move", points=moved(shown, 8))
        page.send(NAMES[0], "move", points=moved(shown, 30))
        answer = page.post("/api/gesture", json=stale)
        assert answer.status_code == 409
        assert answer.json()["current"]["revision"] == 1 and answer.json()["current"]["touched"][30]
        # At the right revision, but from a value that is not there.
        stale |= {"revision": 2}
        stale["points"] = {ibug68.points[30]: {"from": shown["points"][30], "to": None}}
        other = page.post("/api/gesture", json=stale)
        assert other.status_code == 409 and "has other values" in other.json()["error"]
        assert page.post("/api/undo", json={"face": NAMES[0], "revision": 0}).status_code == 409
        assert page.face(NAMES[0])["revision"] == 1


def test_undo_and_redo_go_on_after_a_restart(table):
    with labelling(table) as page:
        before = page.face(NAMES[0])["points"]
        for k in (30, 8):
            page.send(NAMES[0], "move", points=moved(page.face(NAMES[0]), k))
        after = page.face(NAMES[0])["points"]
        undone = page.post("/api/undo", json={"face": NAMES[0], "revision": 2}).json()
        assert undone["points"][8] == before[8] and undone["can_redo"] and undone["can_undo"]
        assert not undone["touched"][8] and undone["touched"][30]
    with labelling(table) as page:
        undone = page.post("/api/undo", json={"face": NAMES[0], "revision": 3}).json()
        assert undone["points"] == before and not undone["can_undo"]
        nothing = page.post("/api/undo", json={"face": NAMES[0], "revision": 4})
        assert nothing.status_code == 400 and "undone" in nothing.json()["error"]
        for revision in (4, 5):
            body = {"face": NAMES[0], "revision": revision}
            redone = page.post("/api/redo", json=body).json()
        assert redone["points"] == after and not redone["can_redo"]


def test_files_of_the_labels_stay_as_they_are(table):
    def hashes():
        files = [path for path in table.parent.iterdir() if path.is_file()]
        return {
            path: (sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files
        }

    before = hashes()
    with labelling(table) as page:
        page.label(NAMES[0])
        page.send(NAMES[1], "remove", removed=True)
        assert page.get("/api/image", params={"image": NAMES[0]}).status_code == 200
    assert hashes() == before


def test_a_picture_without_labels_becomes_a_labelled_face(photos, faces, monkeypatch, capsys):
    with labelling(photos) as page:
        until(lambda: page.queue()["pending"], lambda pending: not pending)
        row = page.queue("file")["faces"][0]
        assert row["face"] == row["image"] == NAMES[0] and row["new"]
        shown = page.ready(NAMES[0])
        assert shown["is_new"] and shown["box"] and shown["points"] == [None] * 68
        early = page.send(NAMES[0], "done", done=True)
        assert early.status_code == 400 and "not added yet" in early.json()["error"]
        page.label(NAMES[0])
        after = page.face(NAMES[0])
        assert not after["is_new"] and after["done"] and all(after["placed"])
        assert page.queue()["done"] == 1 and page.ids()[0] == (NAMES[0], 0)
        # It is set aside, and comes back with undo.
        assert page.send(NAMES[1], "no_face", no_face=True).status_code == 200
        assert {"no_face"} == {r["state"] for r in page.queue()["faces"] if r["face"] == NAMES[1]}
    path = list_path(photos, "anna")
    found = nasion.load_faces(None, photos, reading=LabelReading(corrections=path))
    assert found.ids == (NAMES[0],)
    distance = np.linalg.norm(found.points[0] - faces.points[0], axis=1)
    assert distance.mean() < 0.05 * SIZE
    code, text = run_command(monkeypatch, capsys, "data", "check", photos, "--corrections", path)
    assert code == 0 and "0 faults" in text


def test_several_faces_of_a_picture_have_names_of_their_own(tmp_path, faces):
    folder = tmp_path / "photos"
    folder.mkdir()
    both = np.concatenate([np.asarray(faces.images[0]), np.asarray(faces.images[1])], axis=1)
    Image.fromarray(both).save(folder / "both.png")
    Image.new("RGB", (120, 90), "white").save(folder / "empty.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    with labelling(folder) as page:
        until(lambda: page.queue()["pending"], lambda pending: not pending)
        rows = {row["face"]: row for row in page.queue("file")["faces"]}
        assert list(rows) == ["both.png", "both.png#2", "broken.jpg", "empty.png"]
        assert rows["empty.png"]["reason"] == "no face found: draw a box"
        assert "not a readable image" in rows["broken.jpg"]["reason"]
        assert page.get("/api/face", params={"face": "broken.jpg"}).status_code == 400
        # The second one is labelled first, and stays the second.
        page.label("both.png#2")
        drawn_box = [5.0, 5.0, 100.0, 80.0]
        proposed = page.post("/api/propose", json={"image": "empty.png", "box": drawn_box})
        assert len(proposed.json()["points"]) == 68
        assert page.send("empty.png", "add", image="empty.png", box=drawn_box).status_code == 200
        assert page.send("both.png#3", "add", image="both.png", box=drawn_box).status_code == 200
        twice = page.send("both.png#3", "add", image="both.png", box=drawn_box)
        assert twice.status_code in (400, 409)
        wrong = page.send("both.png#4", "add", image="empty.png", box=drawn_box)
        assert wrong.status_code == 400
        # The added box is moved to where no image is, and back.
        shown = page.ready("empty.png")
        page.send("empty.png", "box", box=[500.0, 500.0, 600.0, 600.0])
        assert page.ready("empty.png")["proposal"] is None
        page.post("/api/undo", json={"face": "empty.png", "revision": 2})
        assert page.ready("empty.png")["proposal"] == shown["proposal"]
        # There is a face, so it cannot be said that there is none.
        refused = page.send("empty.png", "no_face", no_face=True)
        assert refused.status_code == 400 and "remove them instead" in refused.json()["error"]
        boxes = page.post("/api/detect", json={"image": "both.png"}).json()["boxes"]
        assert len(boxes) >= 2 and boxes[0]["score"] >= boxes[1]["score"]
    with labelling(folder) as page:
        until(lambda: page.queue()["pending"], lambda pending: not pending)
        rows = {row["face"]: row for row in page.queue("file")["faces"]}
        assert set(rows) == {"both.png", "both.png#2", "both.png#3", "broken.jpg", "empty.png"}
        assert rows["both.png#2"]["state"] == "done" and rows["both.png"]["new"]


def test_a_picture_that_is_gone_takes_only_its_own_face_with_it(photos):
    with labelling(photos) as page:
        page.label(NAMES[0])
        page.label(NAMES[1])
    (photos / NAMES[0]).unlink()
    with labelling(photos) as page:
        assert sorted(face for face, _ in page.ids()) == [NAMES[1], NAMES[2], NAMES[3]]
        assert page.get("/api/progress").json()["done"] == 1
        gone = page.get("/api/face", params={"face": NAMES[0]})
        assert gone.status_code == 404 and NAMES[0] in gone.json()["error"]


def test_pictures_beside_labels_are_labelled_too(table):
    Image.open(table.parent / NAMES[0]).save(table.parent / "another.png")
    (table.parent / "labels.csv.audit").mkdir()
    Image.new("L", (9, 9)).save(table.parent / "labels.csv.audit" / "suspects.png")
    with labelling(table) as page:
        assert page.ids("file")[-1] == ("another.png", 0) and len(page.ids("file")) == 5


def test_a_full_disk_loses_nothing_and_is_said(table, monkeypatch):
    with labelling(table) as page:
        page.send(NAMES[0], "move", points=moved(page.face(NAMES[0]), 30))
        body = page.gesture(NAMES[0], "move", points=moved(page.face(NAMES[0]), 8))
        real = os.write

        def full(handle, data):
            real(handle, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(writing.os, "write", full)
        answer = page.post("/api/gesture", json=body)
        assert answer.status_code == 507 and "No space left on device" in answer.json()["error"]
        assert page.face(NAMES[0])["revision"] == 1
        monkeypatch.setattr(writing.os, "write", real)
        assert page.post("/api/gesture", json=body).json()["revision"] == 2
    found = read_change_list(list_path(table, "anna"))
    assert found.state.of(NAMES[0]).revision == 2 and not found.torn


def test_without_rights_to_write_labels_are_only_shown(table, monkeypatch):
    with labelling(table) as page:
        page.send(NAMES[0], "move", points=moved(page.face(NAMES[0]), 30))

    def refused(folder):
        raise SettingError(f"{folder}: nothing can be written there (Permission denied).")

    monkeypatch.setattr("nasion.app.label.opening.check_output_folder", refused)
    with labelling(table) as page:
        assert "Permission denied" in page.get("/api/session").json()["read_only"]
        assert page.face(NAMES[0])["revision"] == 1
        answer = page.send(NAMES[0], "note", note="dark")
        assert answer.status_code == 503 and "Permission denied" in answer.json()["error"]


def test_a_second_server_on_a_list_is_refused(table):
    with labelling(table):
        written = pytest.raises(SettingError, match="is being written to by this process")
        with written, labelling(table):
            pass
        with labelling(table, who="ben") as other:
            assert other.get("/api/session").json()["who"] == "ben"


@pytest.mark.parametrize("who", ["a/b", "..", "", ".x"])
def test_a_name_that_is_no_name_of_a_file_is_refused(table, who):
    with pytest.raises(SettingError), labelling(table, who=who):
        pass


def test_corrections_of_others_are_not_labelled_on(table):
    with pytest.raises(SettingError, match="--who"), labelling(table, corrections=("x.jsonl",)):
        pass


def test_other_pages_and_names_are_refused(table):
    with labelling(table) as page:
        body = page.gesture(NAMES[0], "note", note="dark")
        assert page.get("/api/session", headers={"Host": "evil.example"}).status_code == 400
        foreign = page.post("/api/gesture", json=body, headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403 and "evil.example" in foreign.json()["error"]
        null = page.post("/api/gesture", json=body, headers={"Origin": "null"})
        assert null.status_code == 403
        text = {"Content-Type": "text/plain"}
        plain = page.post("/api/gesture", content=json.dumps(body), headers=text)
        assert plain.status_code == 415
        own = page.post(
            "/api/gesture", json=body, headers={"Origin": f"http://127.0.0.1:{page.port}"}
        )
        assert own.status_code == 200
        answer = page.get("/api/session")
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"op": "undo"}, 400),
        ({"op": "jump"}, 400),
        ({"face": "nobody.png"}, 404),
        ({"points": {"third eye": {"from": None, "to": [1, 2, "visible"]}}}, 400),
        ({"points": {ibug68.points[0]: {"from": None, "to": [1, 2]}}}, 400),
        ({"colour": "red"}, 422),
        ({"id": ""}, 422),
        ({"revision": 0}, 422),
        ({"points": {}}, 400),
    ],
)
def test_gestures_that_are_none_are_refused(table, change, status):
    with labelling(table) as page:
        body = page.gesture(NAMES[0], "move", points=moved(page.face(NAMES[0]), 3)) | change
        answer = page.post("/api/gesture", json=body)
        assert answer.status_code == status and answer.json()["error"]
    assert not list_path(table, "anna").exists()


def test_an_image_is_sent_as_it_is_unless_the_browser_shows_it_otherwise(tmp_path, faces):
    folder = write_photos(tmp_path / "photos", faces)
    picture = Image.open(folder / NAMES[0])
    picture.save(folder / "photo.jpg")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(folder / "turned.png", exif=exif)
    Image.fromarray(np.full((30, 40), 40_000, np.uint16)).save(folder / "deep.png")
    picture.convert("CMYK").save(folder / "print.jpg")
    with labelling(folder) as page:

        def get(name, **headers):
            return page.get("/api/image", params={"image": name}, headers=headers)

        plain = get("photo.jpg")
        assert plain.content == (folder / "photo.jpg").read_bytes()
        assert plain.headers["content-type"] == "image/jpeg"
        assert plain.headers["cache-control"].startswith("private")
        again = get("photo.jpg", **{"If-None-Match": plain.headers["etag"]})
        assert again.status_code == 304 and not again.content
        for name in ("turned.png", "deep.png", "print.jpg"):
            answer = get(name)
            assert answer.headers["content-type"] == "image/png"
            (folder.parent / "got.png").write_bytes(answer.content)
            shown = np.asarray(Image.open(folder.parent / "got.png"))
            np.testing.assert_array_equal(
                shown, nasion.media.images.open_image(folder / name, True)
            )
        size = page.face("turned.png")["image"]
        assert (size["width"], size["height"]) == (SIZE, SIZE)
        assert get("../photos/photo.jpg").status_code == 404


def test_images_in_arrays_are_named_by_their_faces():
    with labelling("toy:6") as page:
        ids = page.server.store.data.faces.ids
        shown = page.ready(ids[0])
        assert shown["image"]["name"] == ids[0] and shown["image"]["width"] == 96
        got = page.get(shown["image"]["url"])
        assert got.headers["content-type"] == "image/png"
        # Points that the network does not know are fitted to the labels.
        until(lambda: page.ready(ids[0]), lambda f: None not in f["proposal"]["points"])
        assert page.get("/api/session").json()["models_version"] > 1


def test_suspects_come_first_with_their_reasons_until_they_are_corrected(table, faces):
    names = ibug68.points[36:42]
    labels = tuple(map(tuple, faces.points[2, 36:42].tolist()))
    predicted = tuple((x + 9, y) for x, y in labels)
    suspect = Suspect(NAMES[2], "contour backwards", 0.93, names, (0.9,) * 6, labels, predicted)
    audit_beside(table).mkdir()
    Audit(str(table), "ibug68", 4, (suspect,)).write(audit_beside(table) / "audit.json")
    with labelling(table) as page:
        assert page.get("/api/session").json()["order"] == "suspects"
        first = page.queue()["faces"][0]
        assert first["face"] == NAMES[2] and first["reason"] == "contour backwards, 0.93"
        shown = page.face(NAMES[2])
        assert shown["suspect"]["points"] == list(range(36, 42))
        assert shown["doubt"][36] == 0.9 and shown["doubt"][0] == 0
        values = {n: [*p, "visible"] for n, p in zip(names, predicted, strict=True)}
        page.send(NAMES[2], "reverse", points=values)
        assert page.face(NAMES[2])["suspect"] is None


def test_every_twentieth_finished_face_comes_back_blind(tmp_path):
    many = drawn(24)
    table = write_labels(tmp_path / "mine", many)
    with labelling(table) as page:
        for i in range(20):
            page.send(f"face{i}.png", "done", done=True)
        assert all(not repeat for _, repeat in page.ids())
        page.send("face20.png", "done", done=True)
        ids = page.ids()
        assert ids.index(("face0.png", 1)) > 20 and sum(repeat for _, repeat in ids) == 1
        blind = page.face("face0.png", 1)
        assert blind["points"] == [None] * 68 and blind["proposal"] is None
        assert blind["box"] is None or len(blind["box"]) == 4
        values = {
            n: [*map(float, p), "visible"]
            for n, p in zip(ibug68.points, many.points[0] + 2, strict=True)
        }
        page.send("face0.png", "place", repeat=1, points=values)
        page.send("face0.png", "done", repeat=1, done=True)
        found = page.get("/api/progress").json()
        assert found["done"] == 22 and found["left"] == 3
        assert found["repeats"] == {"faces": 1, "median_px": pytest.approx(2 * 2**0.5, abs=0.01)}
        assert found["by_person"][0]["faces_done"] == 21
        assert found["per_face_seconds"] == 1.5
        # Nothing of it is in the labels.
        assert page.face("face0.png")["history"][0]["op"] == "done"


@pytest.mark.parametrize("order", ["file", "random", "typical", "unsure"])
def test_every_order_has_every_face_and_stays_the_same(table, order):
    with labelling(table, order=order) as page:
        for name in NAMES:
            page.ready(name)
        ids = page.ids()
        assert sorted(ids) == [(name, 0) for name in NAMES] and ids == page.ids()
        assert page.queue()["order"] == order


def test_pictures_without_labels_come_before_labelled_faces_in_random_order(table):
    folder = table if table.is_dir() else table.parent
    for name in ("new1.png", "new2.png"):
        shutil.copy(folder / NAMES[0], folder / name)
    with labelling(table) as page:
        ids = [face for face, _ in page.ids("random")]
        assert sorted(ids[:2]) == ["new1.png", "new2.png"] and sorted(ids[2:]) == sorted(NAMES)


def test_points_follow_a_correction(table):
    with labelling(table) as page:
        proposal = page.ready(NAMES[0])["proposal"]["points"]
        place = [proposal[30][0] + 10, proposal[30][1]]
        body = {"face": NAMES[0], "placed": {ibug68.points[30]: place}, "base": proposal}
        found = page.post("/api/refit", json=body).json()["points"]
        assert found[30] == place
        by = [a[0] - b[0] for a, b in zip(found, proposal, strict=True)]
        assert 1 < by[29] < 10 and abs(by[0]) < by[29]
        wrong = page.post("/api/refit", json=body | {"base": proposal[:3]})
        assert wrong.status_code == 400


def test_labels_that_changed_since_are_said(table, caplog):
    with labelling(table) as page:
        page.send(NAMES[0], "move", points=moved(page.face(NAMES[0]), 30))
    lines = table.read_text().splitlines()
    cells = lines[1].split(",")
    at = lines[0].split(",").index(f"{ibug68.points[30]}_x")
    cells[at] = "12.5"
    table.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    with caplog.at_level(logging.WARNING, "nasion"), labelling(table):
        assert "1 change does not fit the labels (labels.csv changed since)" in caplog.text


def test_learning_ends_and_proposes_by_another_network(tmp_path):
    table = write_labels(tmp_path / "mine", drawn(10))
    with labelling(table, changes=("epochs=1", "repeats=1")) as page:
        few = page.post("/api/learn", json={})
        assert few.status_code == 400 and "at least 5 are needed" in few.json()["error"]
        for i in range(6):
            page.send(f"face{i}.png", "done", done=True)
        page.ready("face0.png")
        version = page.get("/api/session").json()["models_version"]
        assert page.post("/api/learn", json={}).json()["state"] == "running"
        assert page.post("/api/learn", json={}).status_code == 409
        state = until(lambda: page.get("/api/learn").json(), lambda s: s["state"] != "running", 300)
        assert state["state"] == "done", state
        assert state["faces"] == 10 and state["models_version"] == version + 1
        shown = page.ready("face7.png")
        assert shown["proposal"]["from"] == "learnt from 10 faces"
        distance = np.array(shown["proposal"]["points"]) - [p[:2] for p in shown["points"]]
        assert np.linalg.norm(distance, axis=1).mean() < 0.06 * SIZE
    # What was learnt is used again.
    with labelling(table) as page:
        until(lambda: page.get("/api/session").json()["models_version"], lambda v: v > 1)
        assert page.ready("face7.png")["proposal"]["from"] == "learnt from 10 faces"


def test_learning_is_stopped(tmp_path):
    table = write_labels(tmp_path / "mine", drawn(10))
    with labelling(table) as page:
        for i in range(6):
            page.send(f"face{i}.png", "done", done=True)
        page.post("/api/learn", json={})
        process = page.server.learning._process
        stopped = page.post("/api/learn/stop", json={}).json()
        assert stopped["state"] == "stopped" and process.poll() is not None
        # And with the server.
        page.post("/api/learn", json={})
        process = page.server.learning._process
    assert process.poll() is not None


def test_imm_is_labelled_and_its_unknown_points_are_proposed(real_data, tmp_path):
    with pytest.raises(SettingError, match="is not a dataset"):
        open_data(str(tmp_path), LabelReading(), ibug68)
    import shutil

    folder = tmp_path / "imm"
    folder.mkdir()
    for path in sorted((real_data / "imm").glob("0[1-4]-*")):
        shutil.copy(path, folder)
    with labelling(folder, run="face68") as page:
        found = until(
            lambda: page.ready("01-1m"),
            lambda f: f["proposal"] and None not in f["proposal"]["points"],
        )
        assert found["image"]["name"] == "01-1m.jpg"
        distance = np.array(found["proposal"]["points"]) - [p[:2] for p in found["points"]]
        size = np.ptp([p[:2] for p in found["points"]], axis=0).mean()
        assert np.linalg.norm(distance, axis=1).mean() < 0.05 * size
        queue = page.queue("unsure")
        assert len(queue["faces"]) == 24 and queue["faces"][0]["reason"] == "unsure"
