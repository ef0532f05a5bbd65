"""What ``nasion predict`` leaves behind, also after faults, signals and full disks."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasion import Landmarker, prediction_formats
from nasion.app import console
from nasion.app.cli import main
from nasion.app.cli.outcome import Outcome
from nasion.app.cli.predict_output import PredictionOutput
from nasion.app.cli.predict_summary import PredictionSummary
from nasion.app.known_boxes import known_boxes
from nasion.app.own_drawings import without_drawings
from nasion.app.predict_pipeline import PredictOptions, output_stems, predict_images
from nasion.app.stopping import exit_code
from nasion.data.datasets import toy
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face, ImageResult
from nasion.media import temporary_files
from nasion.media.drawn_marks import WRITTEN_MARK, is_drawn
from nasion.media.file_names import name_as_text, name_from_text
from nasion.media.files import atomic_write, check_output_folder, write_text
from nasion.media.images import jpeg_bytes, png_bytes
from nasion.media.inputs import ImageInput, UnreadableInput, resolve_inputs
from nasion.prediction_formats import TextContents, stems

TEXTS = prediction_formats.text_formats()
# A byte that is no UTF-8, a name that looks like its escape, and all that tables and terminals use.
NAMES = (
    "plain.jpg", "b\udcff.jpg", "b\\udcff.jpg", "b\\u005cudcff.jpg", "two\nlines.jpg",
    "return\r.jpg", 'a,"b".jpg', "esc\x1b[31m.jpg", "photo.jpg#2", "clip.mp4@3",
)  # fmt: skip


def found(name, faces=1, stem="a", seconds=None):
    points = np.random.default_rng(len(name)).uniform(10, 90, (68, 2)).astype(np.float32)
    box = np.concatenate([points.min(0), points.max(0)])
    face = Face(ibug68, points, box, 0.9, np.full(68, 0.5, np.float32))
    return ImageResult(name, stem, (100, 100), (face,) * faces, None, seconds)


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(toy.draw(1, ibug68, size=320, colour=True).images[0])


@pytest.fixture
def predict(monkeypatch, capsys, tmp_path):
    """Runs the command; (exit code, output, complaints), with lines joined."""

    def run(*words, out=tmp_path / "out"):
        words = [*map(str, words), "--run", "face68_light", "--out", str(out)]
        monkeypatch.setattr("sys.argv", ["nasion", "predict", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err.replace("\n", " ")

    return run


def saved(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# Names of files


def test_names_of_files_are_written_as_valid_text_and_read_back():
    assert name_as_text("b\udcff.jpg") == "b\\udcff.jpg"
    assert name_as_text("b\\udcff.jpg") == "b\\u005cudcff.jpg"
    assert name_as_text("C:\\users\\me\\é.jpg") == "C:\\users\\me\\é.jpg"
    texts = [name_as_text(name) for name in NAMES]
    assert len(set(texts)) == len(NAMES)
    for name, text in zip(NAMES, texts, strict=True):
        text.encode("utf-8")
        assert name_from_text(text) == name


@pytest.mark.parametrize("kind", TEXTS)
def test_every_format_reads_every_name_back(kind, tmp_path):
    results = [found(name, faces=2) for name in NAMES]
    (path,) = prediction_formats.write(results, [kind], tmp_path)
    path.read_bytes().decode("utf-8")
    _, faces = prediction_formats.read(path, ibug68)
    assert [face.image for face in faces] == [name for name in NAMES for _ in range(2)]


def test_each_face_has_a_points_file_of_its_own(tmp_path):
    names = ["x/team.jpg", "x/team-2.jpg", "x/team#2.jpg", "y/team.png", "y/TEAM-2.jpg"]
    own = stems(names)
    assert own == ["team", "team-2", "team#2-2", "team-3", "TEAM-2-2"]
    results = [found(n, faces=3, stem=stem) for n, stem in zip(names, own, strict=True)]
    prediction_formats.write(results, ["pts"], tmp_path)
    files = [path.name for path in tmp_path.iterdir()]
    assert len(files) == len({name.casefold() for name in files}) == 15
    _, faces = prediction_formats.read(tmp_path, ibug68)
    assert sorted(face.image for face in faces) == sorted(stem for stem in own for _ in range(3))


def test_names_of_frames_and_of_later_faces_are_kept_for_their_video_or_image():
    assert stems(["clip@3.jpg", "clip@3#2.jpg", "other@3.jpg"], videos=["clip"]) == [
        "clip@3-2", "clip@3#2-2", "other@3",
    ]  # fmt: skip
    # In any order; and a name that numbering made is no other's face either.
    assert stems(["a#2.jpg", "a.jpg"]) == ["a#2-2", "a"]
    assert stems(["a.jpg", "b/a.jpg", "a-2#2.jpg"]) == ["a", "a-2", "a-2#2-2"]
    assert stems(["a-2#2.jpg", "a.jpg", "b/a.jpg"]) == ["a-2#2", "a", "a-3"]


def test_long_names_leave_room_for_what_follows_them():
    long = ["x" * 251 + ".jpg", "é" * 125 + ".jpg", "y/" + "x" * 251 + ".jpg"]
    for stem in stems(long):
        assert len(f"{stem}@12345678#99.pts".encode()) <= 255
    assert len(set(stems(long))) == 3
    kept = "k" * 230
    assert stems([f"{kept}.jpg"]) == [kept]


def test_ten_thousand_images_of_one_name_are_named_at_once():
    started = time.perf_counter()
    own = stems([f"{i}/me.jpg" for i in range(10_000)])
    assert time.perf_counter() - started < 2  # 0.1 s; 20 s when each counted from 2
    assert own[:2] + own[-1:] == ["me", "me-2", "me-10000"]


# Text files


@pytest.mark.parametrize("kind", TEXTS)
def test_results_are_written_one_by_one_and_none_is_kept(kind, tmp_path):
    contents = TextContents(ibug68, timed=True, folder=tmp_path)
    output = PredictionOutput([kind], tmp_path, contents, PredictionSummary(0.6, Outcome()))
    alive = []

    def results():
        import gc
        import weakref

        for i in range(40):
            result = found(f"clip.mp4@{i}", seconds=i / 25)
            alive.append(weakref.ref(result))
            yield result
            del result
            gc.collect()
            assert sum(each() is not None for each in alive) <= 2
        assert len(list(tmp_path.glob(".nasion-*"))) == 1
        assert not list(tmp_path.glob("predictions*"))

    output.take([results()], lambda: None)
    (path,) = tmp_path.iterdir()
    whole = prediction_formats.to_text(kind, [found(f"clip.mp4@{i}", seconds=i / 25)
                                              for i in range(40)])  # fmt: skip
    assert path.read_text(encoding="utf-8") == whole


def run_until(kind, tmp_path, stop_at, error):
    contents = TextContents(ibug68, folder=tmp_path)
    output = PredictionOutput([kind], tmp_path, contents, PredictionSummary(0.6, Outcome()))

    def results():
        for i in range(stop_at):
            yield found(f"{i}.jpg")
        raise error

    output.take([results()], lambda: None)
    return output


@pytest.mark.parametrize("kind", TEXTS)
def test_after_ctrl_c_the_text_holds_what_was_done(kind, tmp_path):
    output = run_until(kind, tmp_path, 3, KeyboardInterrupt())
    assert isinstance(output.outcome.stopped, KeyboardInterrupt)
    (path,) = tmp_path.iterdir()
    _, faces = prediction_formats.read(path, ibug68)
    assert [face.image for face in faces] == ["0.jpg", "1.jpg", "2.jpg"]


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_result_is_written_does_not_tear_it_apart(kind, number, tmp_path):
    """The signal comes while the second face's numbers are turned into text."""

    to_send = [number]

    class Signalling(Face):
        def __getattribute__(self, name):
            if name == "score" and to_send:
                signal.raise_signal(to_send.pop())
            return super().__getattribute__(name)

    plain = found("a.jpg", faces=2)
    face = plain.faces[0]
    sent = Signalling(face.scheme, face.points, face.box, 0.9, face.scores)
    results = [plain, replace(plain, name="b.jpg", faces=(face, sent)), replace(plain, name="c")]
    contents = TextContents(ibug68, folder=tmp_path)
    output = PredictionOutput([kind], tmp_path, contents, PredictionSummary(0.6, Outcome()))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        output.take([(result for result in results)], lambda: None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert exit_code(output.outcome.stopped) == 128 + number
    (path,) = tmp_path.iterdir()
    _, faces = prediction_formats.read(path, ibug68)
    assert [each.image for each in faces] == ["a.jpg", "a.jpg", "b.jpg", "b.jpg"]


def test_stopped_before_the_first_result_an_older_file_stays(tmp_path, capsys):
    write_text(tmp_path / "predictions.json", "old")
    run_until("json", tmp_path, 0, KeyboardInterrupt())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
    assert "nothing is written" in capsys.readouterr().err


def test_an_error_never_replaces_an_older_file_and_keeps_what_was_found_beside_it(tmp_path):
    write_text(tmp_path / "predictions.json", "old")
    full = OSError(errno.ENOSPC, "No space left on device", "a-points.jpg")
    with pytest.raises(OSError, match="No space left"):
        run_until("json", tmp_path, 0, full)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
    with pytest.raises(OSError, match="No space left"):
        run_until("json", tmp_path, 2, full)
    assert (tmp_path / "predictions.json").read_text() == "old"
    kept = json.loads((tmp_path / "predictions-incomplete.json").read_text())
    assert [image["image"] for image in kept["images"]] == ["0.jpg", "1.jpg"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_reported_with_the_file_that_had_no_room(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_text(tmp_path / "predictions.csv", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        run_until("csv", tmp_path, 2, KeyboardInterrupt())
    assert raised.value.filename == str(tmp_path / "predictions.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
    with pytest.raises(SettingError, match=r"nothing can be written there \(No space left"):
        check_output_folder(tmp_path / "new")


def test_where_nothing_can_be_read_an_older_file_stays(predict, tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    (tmp_path / "out").mkdir()
    write_text(tmp_path / "out" / "predictions.json", "old")
    code, _, _ = predict(tmp_path / "bad.jpg")
    assert code == 1
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["old"]


def test_the_output_folder_is_checked_before_any_work(predict, tmp_path, photo):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "out" / "predictions.json").mkdir(parents=True)
    for out, words in (
        ("file", "file is a file, a folder expected"),
        ("file/below", "file is a file, a folder expected"),
        ("dangling/below", "dangling is a dangling link, a folder expected"),
    ):
        code, said, complaint = predict("gone.jpg", out=tmp_path / out)
        assert code == 1 and words in complaint and "not read" not in said + complaint
    photo.save(tmp_path / "a.png")
    code, _, complaint = predict(tmp_path / "a.png")
    assert code == 1 and "predictions.json is a folder, a file expected" in complaint
    assert not list((tmp_path / "out").glob("*.jpg"))
    check_output_folder(tmp_path / "new" / "below")
    assert not (tmp_path / "new").exists()


# What dead processes left


def test_leftovers_of_dead_processes_are_removed_and_nothing_else(tmp_path):
    made = subprocess.run(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; "
         "from nasion.media.temporary_files import temporary_path; "
         "folder = Path(sys.argv[1]); temporary_path(folder).write_text('half'); "
         "made = temporary_path(folder); made.mkdir(); (made / 'model.onnx').write_text('half')",
         str(tmp_path)],
        check=True,
    )  # fmt: skip
    assert made.returncode == 0
    left = list(tmp_path.iterdir())
    assert len(left) == 2 and all(path.name.startswith(".nasion-") for path in left)
    mine = temporary_files.temporary_path(tmp_path / "..").name  # of a live process
    (tmp_path / mine).write_text("being written")
    reused = mine.split("-")
    reused[3] = "1"  # a process of this number that started at another time is dead
    (tmp_path / "-".join(reused)).write_text("half")
    elsewhere = mine.split("-")
    elsewhere[1] = "0" * 8  # of another machine, written just now
    (tmp_path / "-".join(elsewhere)).write_text("being written")
    elsewhere[-1] = "f" * 12  # and a week ago
    abandoned = tmp_path / "-".join(elsewhere)
    abandoned.write_text("half")
    os.utime(abandoned, (1e9, 1e9))
    (tmp_path / ".nasion-notes").write_text("someone's own")
    (tmp_path / ".hidden").write_text("someone's own")
    write_text(tmp_path / "new.txt", "new")  # the first write into a folder cleans it
    assert {path.read_text() for path in tmp_path.iterdir()} == {
        "new", "being written", "someone's own",
    }  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 5


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as one, atomic_write(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_sigterm_keeps_what_was_done_and_leaves_nothing_half(photo, tmp_path):
    for i in range(1500):
        os.link(tmp_path / "0.png", tmp_path / f"{i}.png") if i else photo.save(tmp_path / "0.png")
    words = ["predict", str(tmp_path), "--run", "face68_light", "--out", str(tmp_path / "out")]
    running = subprocess.Popen(
        [sys.executable, "-m", "nasion", *words, "-f", "csv", "-f", "image"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while running.poll() is None and not list((tmp_path / "out").glob("*.jpg")):
        time.sleep(0.05)
    time.sleep(0.5)
    running.terminate()
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, said
    assert "Stopped; what was found until now is kept." in said
    rows = (tmp_path / "out" / "predictions.csv").read_text().splitlines()[1:]
    assert 0 < len(rows) < 1500
    assert not list((tmp_path / "out").glob(".*"))


# Faults of one input


def test_whatever_one_image_raises_the_others_are_done(photo, tmp_path, monkeypatch):
    class Broken(ImageInput):
        def pixels(self, colour):
            raise ZeroDivisionError("a decoder's own fault\nwith a second line")

    photo.save(tmp_path / "a.png")
    images = [Broken("broken", b""), ImageInput("fine", tmp_path / "a.png")]
    own = {"broken": "broken", "fine": "fine"}
    results = list(predict_images(images, Landmarker("face68_light"), PredictOptions(), own))
    assert results[0] == UnreadableInput("broken", "ZeroDivisionError: a decoder's own fault")
    assert len(results[1].faces) == 1


def test_one_output_that_cannot_be_written_stops_no_other(predict, photo, tmp_path):
    for name in ("a", "b"):
        photo.save(tmp_path / f"{name}.png")
    (tmp_path / "out" / "a-points.jpg").mkdir(parents=True)
    code, said, complaint = predict(tmp_path / "a.png", tmp_path / "b.png")
    assert code == 1 and "1 face in 1 image; 1 could not be read." in said
    assert "a-points.jpg: Is a directory" in complaint
    assert (tmp_path / "out" / "b-points.jpg").is_file()


def test_bulk_writes_every_row_whatever_one_image_or_row_group_is(photo, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from nasion.app import bulk
    from nasion.app.bulk_inputs import make_parts

    data = saved(photo)
    table = pyarrow.table({"name": ["a", "b", "c", "d"], "image": [data, data, data, data]})
    parquet.write_table(
        table, tmp_path / "t.parquet", row_group_size=2, compression="none", use_dictionary=False
    )
    bent = bytearray((tmp_path / "t.parquet").read_bytes())
    bent[4:60] = b"\xff" * 56  # the head of the first page
    (tmp_path / "t.parquet").write_bytes(bent)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b\udcff.png").write_bytes(data)
    parts = make_parts([str(tmp_path / "in"), str(tmp_path / "t.parquet")])
    settings = bulk.BulkSettings("face68_light")
    counts = [count for _, count in bulk.run(parts, settings, tmp_path / "out", "plain")]
    assert [(c["images"], c["faces"], c["unreadable"]) for c in counts] == [(1, 1, 0), (4, 2, 2)]
    rows = parquet.read_table(tmp_path / "out").to_pylist()
    assert [row["image"].rpartition("/")[2] for row in rows] == [
        "b\\udcff.png", "t.parquet#0", "t.parquet#1", "c", "d",
    ]  # fmt: skip
    assert all("damaged or truncated" in row["error"] for row in rows[1:3])


# Drawings of earlier predictions


def test_drawings_of_an_earlier_prediction_are_no_inputs(predict, photo, tmp_path):
    photo.save(tmp_path / "a.png")
    photo.save(tmp_path / "my-points.jpg")  # the name alone is no mark
    for _ in range(2):
        code, said, complaint = predict(tmp_path)
        assert code == 0 and "2 faces in 2 images" in said
    drawn = tmp_path / "out" / "a-points.jpg"
    assert is_drawn(drawn) and not is_drawn(tmp_path / "my-points.jpg")
    assert "2 files were drawn by nasion and left out" in complaint and "a-points.jpg" in complaint
    # Named one by one they are wanted.
    inputs = resolve_inputs([str(drawn)])
    assert without_drawings(inputs, [str(drawn)]) == inputs
    with pytest.raises(DataError, match="2 files were drawn by nasion"):
        without_drawings(resolve_inputs([str(drawn.parent)]), [str(drawn.parent)])


def test_results_of_anonymise_and_crop_are_no_inputs(tmp_path, caplog):
    """A second run over the folder of the first would hide faces of its own results."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    written = {
        "me.jpg": jpeg_bytes(pixels),
        "other-anonymised.jpg": jpeg_bytes(pixels),  # the name alone is no mark
        "me-anonymised.jpg": jpeg_bytes(pixels, WRITTEN_MARK),
        "me.png": png_bytes(pixels, WRITTEN_MARK),
    }
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)

    def kept(*words, results=None):
        words = [str(tmp_path / word) for word in words]
        found = without_drawings(resolve_inputs(words), words, results)
        return sorted(Path(each.name).name for each in found)

    with caplog.at_level("INFO", "nasion"):
        assert kept("", results=tmp_path) == ["me.jpg", "other-anonymised.jpg"]
    assert "1 file was anonymised by nasion and left out" in caplog.messages[0]
    assert "1 file was written by nasion and left out" in caplog.messages[1]
    # Crops are inputs like others where they are not overwritten, and what is named is wanted.
    assert kept("", results=tmp_path / "out") == ["me.jpg", "me.png", "other-anonymised.jpg"]
    assert kept("") == ["me.jpg", "me.png", "other-anonymised.jpg"]
    assert kept("me.jpg", "me-anonymised.jpg", results=tmp_path) == ["me-anonymised.jpg", "me.jpg"]
    # In a folder of its own all are what was asked for.
    (tmp_path / "me.jpg").unlink()
    (tmp_path / "other-anonymised.jpg").unlink()
    assert kept("", results=tmp_path) == ["me.png"]
    (tmp_path / "me.png").unlink()
    assert kept("", results=tmp_path) == ["me-anonymised.jpg"]


def test_points_do_not_depend_on_what_is_written(predict, photo, tmp_path):
    # Saved with rounded colours, so that brightness of pixels is not that which the file stores.
    photo.save(tmp_path / "a.jpg", quality=60)
    texts = []
    for i, formats in enumerate((["-f", "json"], ["-f", "json", "-f", "image"])):
        predict(tmp_path / "a.jpg", *formats, out=tmp_path / f"{i}")
        texts.append((tmp_path / f"{i}" / "predictions.json").read_text())
    assert texts[0] == texts[1] and "points" in texts[0]
    with Image.open(tmp_path / "1" / "a-points.jpg") as drawn:
        assert drawn.mode == "RGB" and np.ptp(np.asarray(drawn), axis=2).max() > 50


# Messages


def test_a_terminal_shows_names_and_does_not_obey_them(predict, tmp_path):
    assert console.printable("a\x1b]0;b\x07\x9b1m\u202e\u2066\n\r\udcff é") == (
        "a\\x1b]0;b\\x07\\x9b1m\\u202e\\u2066\\n\\r\\udcff é"
    )
    name = "\x1b[31mred\u202e\nnot read: other.jpg"
    (tmp_path / name).write_text("no image")
    code, said, complaint = predict(tmp_path / name)
    assert code == 1 and "\x1b" not in said + complaint and "\u202e" not in said + complaint
    assert "\\x1b[31mred\\u202e\\nnot read: other.jpg" in complaint
    code, said, complaint = predict("0.jpg", "--detector", "\x1b[31m")
    assert code == 1 and "\\x1b[31m" in complaint and "\x1b" not in complaint


def test_candidates_below_the_minimum_score_are_said_with_the_best(
    predict, photo, tmp_path, capsys
):
    photo.save(tmp_path / "a.png")
    best = Landmarker("face68_light")(tmp_path / "a.png")[0].score
    code, said, _ = predict(tmp_path / "a.png", "--min-score", "1")
    shown = f"{int(100 * best) / 100:.2f}, below --min-score 1"
    assert code == 0 and f"a.png: 0 faces (1 candidate scored {shown})\n0 faces in 1 image" in said
    summary = PredictionSummary(0.6, Outcome())
    summary.add(found("wall.jpg", faces=0))
    summary.report(Path("out"))
    captured = capsys.readouterr().out
    assert "wall.jpg: 0 faces\n0 faces in 1 image, 1 without any.\n" in captured


def test_an_output_folder_that_cannot_be_listed_is_written_to(
    predict, photo, tmp_path, monkeypatch
):
    photo.save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    # Rights do not stop root.
    access = os.access
    monkeypatch.setattr(os, "access", lambda at, mode: mode != os.R_OK and access(at, mode))
    code, said, complaint = predict(tmp_path / "a.png")
    assert code == 0 and "1 face in 1 image" in said, complaint
    assert (tmp_path / "out" / "predictions.json").is_file()


def test_the_first_of_many_images_without_a_face_are_named_in_the_last_line(capsys):
    summary = PredictionSummary(0.6, Outcome())
    for i in range(30):
        summary.add(found(f"{i}.jpg", faces=i % 6 > 0))
    summary.report(Path("out"))
    said = capsys.readouterr().out
    assert "25 faces in 30 images, 5 without any (0.jpg, 6.jpg, 12.jpg, ...).\n" in said


def test_images_without_a_box_in_the_table_are_counted_as_such(photo, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        photo.save(tmp_path / name)
    (tmp_path / "text.png").write_text("dear diary")
    table = tmp_path / "boxes.csv"
    table.write_text("face,box_x0,box_y0,box_x1,box_y1\na.png,60,60,260,260\n")
    images = resolve_inputs([str(tmp_path / "*.png")])
    known = known_boxes([], table, [image.name for image in images])
    options = PredictOptions(boxes=known)
    landmarker = Landmarker("face68_light")
    summary = PredictionSummary(0.6, Outcome())
    stems = output_stems(images, [], options)
    summary.outcome.sort(
        [predict_images(images, landmarker, options, stems)], summary.add, lambda: None
    )
    summary.report(Path("out"))
    said = capsys.readouterr().out
    assert "1 face in 1 image; 1 had no box; 1 could not be read.\n" in said


def test_candidates_of_a_clip_are_counted_over_its_frames(capsys):
    summary = PredictionSummary(0.6, Outcome())
    for i, dropped in enumerate([(), (0.3, 0.2), (0.41,)]):
        summary.add(replace(found(f"c.mp4@{i}", faces=0, seconds=i / 25), dropped=dropped))
    summary.report(Path("out"))
    said = capsys.readouterr().out
    assert (
        "c.mp4: 0 faces in 3 frames (3 candidates in 2 frames scored at most 0.41, "
        "below --min-score 0.6)"
    ) in said


def test_the_place_of_a_file_that_cannot_be_opened_is_said_once(predict, tmp_path, monkeypatch):
    from nasion.errors import refusing_damage
    from nasion.media.images import open_image

    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    with pytest.raises(DataError) as raised, refusing_damage(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    assert str(raised.value) == f"{path}: cannot be read (Permission denied)."

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(DataError) as raised:
        open_image(path, colour=False)
    assert str(raised.value) == f"{path}: the file cannot be opened (Permission denied)."


def test_predicting_an_image_imports_only_what_it_needs(tmp_path, photo):
    photo.save(tmp_path / "a.png")
    code = (
        "import atexit, sys; from nasion.app.cli import main\n"
        "sys.argv = ['nasion', 'predict', 'a.png', '--out', 'out']\n"
        "unwanted = {'rich', 'torch', 'onnx', 'av', 'jaxtyping', 'nasion.recipe', 'nasion.recipes',"
        " 'nasion.data.datasets', 'nasion.data.splits', 'nasion.app.bulk'}\n"
        "atexit.register(lambda: print(sorted(unwanted & set(sys.modules))))\n"
        "main()"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert printed.stdout.startswith("a.png: 1 face"), printed.stderr
    assert printed.stdout.splitlines()[-1] == "[]"
