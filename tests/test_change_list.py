"""Change lists: acknowledged changes survive anything, and damage is reported."""

import errno
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from nasion.data.corrections import change_list, gestures, writer
from nasion.data.corrections.change_list import Header, list_path, read_change_list
from nasion.data.corrections.gestures import Change, Gesture, point_changes
from nasion.data.corrections.replay import FaceState, ListState
from nasion.data.corrections.writer import StaleRevision, open_change_list
from nasion.errors import DataError, SettingError

POINTS = ("chin", "linkes Auge außen", "nose tip")
HEADER = Header("anna", "own", POINTS, {"labels.csv": "00"}, "2026-11-27T12:00:00Z")
FACE = "über uns/b 1.jpg"


def move(face=FACE, revision=1, name="chin", before=(1.5, 2.0, "visible"), x=3.0, **more):
    after = None if x is None else (float(x), 4.25, "visible")
    changes = point_changes({name: (before, after)})
    return Gesture(face, "move", changes, revision, **more)


def written(path, count, face=FACE):
    """A list with so many moves of one point; returns what was acknowledged."""
    done, before = [], (1.5, 2.0, "visible")
    with open_change_list(path, HEADER) as opened:
        for k in range(1, count + 1):
            done.append(opened.append(move(face, k, before=before, x=k)))
            before = (float(k), 4.25, "visible")
    return done


def test_a_gesture_is_one_line_with_what_it_was_and_what_it_became(tmp_path):
    path = list_path(tmp_path / "meine Bilder", "anna")
    assert path == tmp_path / "meine Bilder.changes" / "anna.jsonl"
    (gesture,) = written(path, 1)
    header, line = (json.loads(text) for text in path.read_text(encoding="utf-8").splitlines())
    assert header["format"] == "nasion-changes" and header["scheme"]["points"] == list(POINTS)
    assert header["orientation"] == "upright" and header["sources"] == {"labels.csv": "00"}
    assert line["points"] == {"chin": {"from": [1.5, 2.0, "visible"], "to": [1.0, 4.25, "visible"]}}
    assert (line["face"], line["op"], line["rev"], line["origin"]) == (FACE, "move", 1, "hand")
    assert line["id"] == gesture.id and line["t"].endswith("Z") and len(line["crc"]) == 8


def test_a_list_is_read_back_as_it_was_written(tmp_path):
    path = tmp_path / "a.changes" / "anna.jsonl"
    surrogate = "byte\udcff.jpg"
    with open_change_list(path, HEADER) as opened:
        opened.append(move(revision=1, seconds=1.5))
        opened.append(Gesture(FACE, "done", {("done", ""): Change(False, True)}, 2, seconds=0.5))
        opened.append(Gesture(FACE, "note", {("note", ""): Change("", 'a "note"\n\u2028')}, 3))
        opened.append(Gesture(FACE, "confirm", {("confirmed", ""): Change(None, ("nose tip",))}, 4))
        opened.append(Gesture(FACE, "box", {("box", ""): Change(None, (0.0, 1.0, 9.5, 9.0))}, 5))
        added = {
            ("image", ""): Change(None, surrogate),
            ("points", "chin"): Change(None, (1.0, 2.0, "occluded")),
        }
        opened.append(Gesture(f"{surrogate}#2", "add", added, 1))
        opened.append(Gesture(FACE, "remove", {("removed", ""): Change(False, True)}, 6))
        opened.append(Gesture("empty.jpg", "no_face", {("no_face", ""): Change(False, True)}, 1))
        blind = point_changes({"chin": (None, (1.0, 1.0, "visible"))})
        opened.append(Gesture(FACE, "place", blind, 1, repeat=1))
        state = opened.state
    found = read_change_list(path)
    assert found.header == HEADER and found.state == state
    face = found.state.faces[FACE]
    assert face.points["chin"] == (3.0, 4.25, "visible") and face.revision == 6
    assert (face.done, face.note, face.removed) == (True, 'a "note"\n\u2028', True)
    assert face.confirmed == ("nose tip",) and face.value("box") == (0.0, 1.0, 9.5, 9.0)
    assert face.seconds == 2.0
    assert found.state.faces[f"{surrogate}#2"].image == surrogate
    assert found.state.faces["empty.jpg"].no_face
    assert [(each.face, each.repeat) for each in found.state.repeats] == [(FACE, 1)]


def test_opening_a_list_writes_nothing_and_the_lock_goes(tmp_path):
    path = tmp_path / "a.changes" / "anna.jsonl"
    with open_change_list(path, HEADER):
        assert not path.exists()
    assert list(tmp_path.iterdir()) == []
    written(path, 1)
    assert [each.name for each in path.parent.iterdir()] == ["anna.jsonl"]


# --- damage ---


@pytest.mark.slow
def test_a_list_cut_at_every_byte_of_its_last_two_lines_keeps_all_whole_lines(tmp_path, caplog):
    path = tmp_path / "anna.jsonl"
    done = written(path, 5)
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    for cut in range(ends[-3], len(data) + 1):
        path.write_bytes(data[:cut])
        # A line whose end alone is missing is whole.
        whole = sum(end - 1 <= cut for end in ends) - 1
        caplog.clear()
        found = read_change_list(path)
        assert list(found.state.gestures) == [each.id for each in done[:whole]]
        is_torn = cut not in ends and cut + 1 not in ends
        assert bool(found.torn) == is_torn == ("was never reported as saved" in caplog.text)
        with open_change_list(path, HEADER) as opened:
            assert (opened.torn is not None) == is_torn
            if is_torn:
                assert data[:cut].endswith(opened.torn.read_bytes())
                opened.torn.unlink()
            opened.append(move("other.jpg"))
        assert list(read_change_list(path).state.gestures)[:-1] == [e.id for e in done[:whole]]


def test_a_damaged_last_line_is_set_aside_and_told(tmp_path, caplog):
    path = tmp_path / "anna.jsonl"
    written(path, 3)
    data = path.read_bytes()
    path.write_bytes(data[:-40] + b"\0" * 40)
    with open_change_list(path, HEADER) as opened:
        assert opened.torn == tmp_path / "anna.jsonl.torn-1"
        assert opened.state.faces[FACE].revision == 2
    assert "anna.jsonl line 4: the last line is cut or damaged" in caplog.text
    assert path.read_bytes() == data[: data[:-1].rindex(b"\n") + 1]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_line_before_others_is_named_with_what_to_do(tmp_path, number):
    path = tmp_path / "anna.jsonl"
    written(path, 4)
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = lines[number - 1].replace(b"chin", b"shin")
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DataError, match=rf"anna.jsonl line {number}: .*restore the file") as error:
        read_change_list(path)
    if number > 1:
        # The remedy works.
        assert f"head -n {number - 1} anna.jsonl" in str(error.value)
        path.write_bytes(b"\n".join(lines[: number - 1]) + b"\n")
        assert len(read_change_list(path).state.gestures) == number - 2
    with pytest.raises(DataError), open_change_list(path, HEADER) as opened:
        path.write_bytes(b"\n".join(lines))
        opened.append(move("other.jpg"))


def test_a_line_that_is_lost_in_the_middle_is_noticed(tmp_path):
    path = tmp_path / "anna.jsonl"
    written(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(DataError, match=r"line 3: revision 3 of face .* follows 1; 2 expected"):
        read_change_list(path)
    path.write_bytes(b"".join([*lines, lines[-1]]))
    with pytest.raises(DataError, match=r"line 6: the gesture .* occurs twice"):
        read_change_list(path)


@pytest.mark.parametrize(
    "text, problem",
    [
        (b"", "an empty file"),
        (b"face,chin_x,chin_y\n", "not a change list, whose first line begins with"),
        (b'{"format":"nasion-changes"', "line 1: it has no checksum"),
    ],
)
def test_what_is_no_change_list_is_refused(tmp_path, text, problem):
    path = tmp_path / "anna.jsonl"
    path.write_bytes(text)
    with pytest.raises(DataError, match=problem):
        read_change_list(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_change_list(tmp_path)


def test_a_list_of_a_newer_nasion_is_refused_by_its_version(tmp_path):
    path = tmp_path / "anna.jsonl"
    value = json.loads(change_list.header_line(HEADER)) | {"version": 2}
    value.pop("crc")
    path.write_bytes(gestures.with_checksum(value))
    with pytest.raises(DataError, match="version 2; this nasion reads version 1"):
        read_change_list(path)


@pytest.mark.parametrize(
    "value, problem",
    [
        ({"op": "explode"}, "op is 'explode'; one of place, move"),
        ({"rev": 0}, "rev is 0; a whole number from 1"),
        ({"points": {"chin": {"from": None, "to": [1, 2]}}}, "chin is .*null or .x, y"),
        ({"points": {"chin": {"from": None, "to": [1e9, 2, "visible"]}}}, "chin is"),
        ({"points": {"chin": {"from": None, "to": [True, 2, "visible"]}}}, "chin is"),
        ({"points": {"chin": {"to": None}}}, "an object of from and to"),
        ({"points": {}}, "it changes nothing"),
        ({"done": {"from": False, "to": True}}, "op move changes points, not done"),
        ({"origin": "dog"}, "origin is 'dog'"),
        ({"seconds": -1}, "seconds is -1"),
        ({"of": "x"}, "undo and redo name"),
    ],
)
def test_a_line_that_breaks_a_rule_is_refused_by_it(value, problem):
    line = json.loads(gestures.to_line(move(id="x", time="t")))
    line.pop("crc")
    with pytest.raises(ValueError, match=problem):
        gestures.from_line(gestures.with_checksum(line | value)[:-1])


# --- disks ---


def failing(monkeypatch, name, after, error):
    """Let a call of ``os`` fail from its n-th call on."""
    real, calls = getattr(os, name), []

    def call(*arguments):
        calls.append(1)
        if len(calls) > after:
            if name == "write":
                real(arguments[0], arguments[1][:7])  # some of it reaches the file
            raise OSError(error, os.strerror(error))
        return real(*arguments)

    monkeypatch.setattr(writer.os, name, call)


@pytest.mark.parametrize("name", ["write", "fsync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_on_a_full_disk_nothing_of_the_gesture_stays_and_it_can_be_sent_again(
    tmp_path, monkeypatch, name, error
):
    path = tmp_path / "anna.jsonl"
    written(path, 2)
    before = path.read_bytes()
    last = (2.0, 4.25, "visible")
    with open_change_list(path, HEADER) as opened:
        with monkeypatch.context() as patch:
            failing(patch, name, 0, error)
            with pytest.raises(OSError) as raised:
                opened.append(move(revision=3, before=last, id="again"))
            assert raised.value.filename == str(path)
            assert opened.state.faces[FACE].revision == 2
        opened.append(move(revision=3, before=last, id="again"))
    assert path.read_bytes().startswith(before)
    assert read_change_list(path).state.faces[FACE].revision == 3


def test_a_write_that_ends_early_is_no_success(tmp_path, monkeypatch):
    path = tmp_path / "anna.jsonl"
    written(path, 1)
    before, real = path.read_bytes(), os.write
    with open_change_list(path, HEADER) as opened, monkeypatch.context() as patch:
        patch.setattr(writer.os, "write", lambda handle, data: real(handle, data[:-5]))
        with pytest.raises(OSError, match="No space left"):
            opened.append(move("other.jpg"))
        assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told_when_the_list_is_opened(tmp_path, monkeypatch):
    for path in ("/proc/none.changes/anna.jsonl", "/sys/kernel/x.changes/anna.jsonl"):
        path = list_path(path, "anna")
        with (
            pytest.raises(SettingError, match="nothing can be written there"),
            open_change_list(path, HEADER),
        ):
            pass
    (tmp_path / "a.changes").write_text("")
    with (
        pytest.raises(SettingError, match="a file, a folder expected"),
        open_change_list(tmp_path / "a.changes" / "anna.jsonl", HEADER),
    ):
        pass


def test_reading_needs_no_right_to_write(tmp_path):
    path = tmp_path / "anna.jsonl"
    written(path, 2)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    assert read_change_list(path).state.faces[FACE].revision == 2
    tmp_path.chmod(0o700)


def test_another_program_that_writes_the_open_list_is_noticed(tmp_path):
    path = tmp_path / "anna.jsonl"
    written(path, 1)
    with open_change_list(path, HEADER) as opened:
        with path.open("ab") as file:
            file.write(b"something else\n")
        with pytest.raises(DataError, match="changed by another program"):
            opened.append(move("other.jpg"))
    assert path.read_bytes().endswith(b"something else\n")


@pytest.mark.parametrize("name", ["..jsonl", ".jsonl", ".hidden.jsonl", "anna.txt"])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with (
        pytest.raises(SettingError, match=r"called NAME.jsonl"),
        open_change_list(tmp_path / name, HEADER),
    ):
        pass


# --- two at once ---


def hold(path, ready, end):
    with open_change_list(path, HEADER):
        ready.set()
        end.wait(60)


def test_a_second_writer_is_refused_with_the_first_ones_number(tmp_path):
    path, fork = tmp_path / "anna.jsonl", multiprocessing.get_context("fork")
    ready, end = fork.Event(), fork.Event()
    process = fork.Process(target=hold, args=(path, ready, end))
    process.start()
    assert ready.wait(20)
    with (
        pytest.raises(SettingError, match=rf"written to by process {process.pid} .*data merge"),
        open_change_list(path, HEADER),
    ):
        pass
    # Another person's list beside it is free.
    written(tmp_path / "ben.jsonl", 1)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    written(path, 1)


def test_a_gesture_on_a_stale_revision_is_refused_with_both_versions(tmp_path):
    path = tmp_path / "anna.jsonl"
    with open_change_list(path, HEADER) as opened:
        opened.append(move(x=3))
        late = move(x=7, id="late")
        with pytest.raises(StaleRevision, match=r"at revision 1, and .* revision 0") as refused:
            opened.append(late)
        assert refused.value.gesture.changes == late.changes
        assert refused.value.current.points == {"chin": (3.0, 4.25, "visible")}
        with pytest.raises(StaleRevision):
            opened.append(move(revision=3))
        with pytest.raises(DataError, match=r"changes from .* but it was"):
            opened.append(move(revision=2, before=(9.0, 9.0, "visible")))
        with pytest.raises(DataError, match="a gesture that is none"):
            opened.append(move("", revision=1))
    assert len(read_change_list(path).state.gestures) == 1


def test_a_gesture_that_is_sent_again_is_acknowledged_and_written_once(tmp_path):
    path = tmp_path / "anna.jsonl"
    with open_change_list(path, HEADER) as opened:
        first = opened.append(move(id="one"))
        size = path.stat().st_size
        assert opened.append(move(id="one")) == first and path.stat().st_size == size
        with pytest.raises(DataError, match="recorded with other values"):
            opened.append(move(id="one", x=9))
    with open_change_list(path, HEADER) as opened:
        assert opened.append(move(id="one")).revision == 1


def test_a_list_of_other_points_is_not_written_on(tmp_path):
    path = tmp_path / "anna.jsonl"
    written(path, 1)
    with (
        pytest.raises(SettingError, match=r"its points are those of own .*--scheme"),
        open_change_list(path, replace(HEADER, points=("a", "b"), scheme="two")),
    ):
        pass


# --- killed ---


def write_on(path, pipe):
    """Write gestures without end, and print each one once it is acknowledged."""
    with open_change_list(path, HEADER) as opened:
        os.write(pipe, b"open\n")
        for k in range(100_000):
            face = f"{k % 7}.jpg"
            state = opened.state.of(face)
            before = state.points.get("chin", (1.5, 2.0, "visible"))
            done = opened.append(move(face, state.revision + 1, before=before, x=k % 100))
            os.write(pipe, f"{done.id}\n".encode())


@pytest.mark.slow
def test_every_acknowledged_gesture_survives_a_kill_at_200_random_moments(tmp_path):
    path, fork = tmp_path / "a.changes" / "anna.jsonl", multiprocessing.get_context("fork")
    random_moments = random.Random(1)
    acknowledged: list[str] = []
    for k in range(200):
        receiver, sender = os.pipe()
        process = fork.Process(target=write_on, args=(path, sender))
        process.start()
        os.close(sender)
        with os.fdopen(receiver) as told:
            # Every fifth is killed while it opens the list.
            if k % 5:
                told.readline()
            time.sleep(random_moments.uniform(0.001, 0.03))
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            lines = [line.strip() for line in told if line.endswith("\n")]
        acknowledged += [line for line in lines if line != "open"]
    found = list(read_change_list(path).state.gestures)
    assert len(acknowledged) > 200
    # What was written and not yet told may be there too, never the other way round.
    assert set(acknowledged) <= set(found) and len(found) - len(acknowledged) <= 200
    assert [each for each in found if each in set(acknowledged)] == acknowledged


# --- undo and redo ---


def random_gesture(state: FaceState, rng) -> Gesture:
    kind = rng.integers(4)
    key = [("points", "chin"), ("points", "nose tip"), ("done", ""), ("note", "")][kind]
    before = state.value(*key)
    if kind < 2 and key not in state.values:
        before = (1.0, 1.0, "visible")
    after = {
        0: (float(rng.integers(9)), 2.0, "occluded"),
        1: None if rng.random() < 0.5 else (3.0, float(rng.integers(9)), "visible"),
        2: not before,
        3: f"note {rng.integers(9)}",
    }[int(kind)]
    op = ("move", "mark", "done", "note")[kind]
    return Gesture(state.face, op, {key: Change(before, after)}, state.revision + 1)


def values_of(state: ListState):
    return {face: {k: c.after for k, c in s.values.items()} for face, s in state.faces.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_random_actions_all_undone_and_all_done_again(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(writer.os, "fsync", lambda handle: None)
    path, rng = tmp_path / "anna.jsonl", np.random.default_rng(seed)
    faces = ("a.jpg", "b.jpg", "c.jpg#2")
    with open_change_list(path, HEADER) as opened:
        for _ in range(1000):
            face, choice = faces[rng.integers(3)], rng.random()
            if choice < 0.2:
                opened.undo(face)
            elif choice < 0.3:
                opened.redo(face)
            else:
                opened.append(random_gesture(opened.state.of(face), rng))
        expected = values_of(opened.state)
    # Reloaded: what can be undone is rebuilt by replay.
    with open_change_list(path, HEADER) as opened:
        assert values_of(opened.state) == expected
        counts = dict.fromkeys(faces, 0)
        for face in faces:
            while opened.undo(face) is not None:
                counts[face] += 1
            state = opened.state.faces[face]
            assert all(change.before == change.after for change in state.values.values())
            assert not state.changed("points") and not state.done
    with open_change_list(path, HEADER) as opened:
        for face in faces:
            for _ in range(counts[face]):
                assert opened.redo(face) is not None
        assert values_of(opened.state) == expected
    assert values_of(read_change_list(path).state) == expected


def test_an_undo_out_of_turn_is_refused(tmp_path):
    path = tmp_path / "anna.jsonl"
    first, second = written(path, 2)
    with open_change_list(path, HEADER) as opened:
        back = gestures.inverse(first.changes)
        wrong = Gesture(FACE, "undo", back, 3, of=first.id)
        with pytest.raises(DataError):
            opened.append(wrong)
        other = Gesture(FACE, "undo", second.changes, 3, of=second.id)
        with pytest.raises(DataError):
            opened.append(other)
        assert opened.undo(FACE).of == second.id
        assert opened.redo(FACE).of == second.id
        assert opened.redo(FACE) is None


@pytest.mark.slow
def test_a_hundred_thousand_lines_are_replayed_in_seconds(tmp_path):
    lines = [change_list.header_line(HEADER)]
    for i in range(100_000):
        before = (float(i // 5000), 4.25, "visible")
        gesture = move(f"{i % 5000}.jpg", i // 5000 + 1, before=before, x=i // 5000 + 1)
        lines.append(gestures.to_line(replace(gesture, id=f"{i:032x}", time="t")))
    (tmp_path / "anna.jsonl").write_bytes(b"".join(lines))
    # In a process of its own: here every call is checked for its types.
    code = (
        "import sys, time; from pathlib import Path; "
        "from nasion.data.corrections.change_list import read_change_list; "
        "start = time.monotonic(); found = read_change_list(Path(sys.argv[1])); "
        "print(len(found.state.faces), time.monotonic() - start)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "anna.jsonl")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    faces, seconds = done.stdout.split()
    # About two; more on a busy machine.
    assert int(faces) == 5000 and float(seconds) < 20
