"""Bulk prediction: equal rows from both engines, finished parts kept, a killed worker."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasion.app import bulk
from nasion.app.bulk_inputs import make_parts
from nasion.app.cli import main
from nasion.data.datasets import toy
from nasion.errors import DataError, SettingError
from nasion.inference import pretrained
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.catalog import ibug68

pytestmark = pytest.mark.slow

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
LIGHT = bulk.BulkSettings("face68_light")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten drawn faces, an empty image without a face, and a file that is no image."""
    folder = tmp_path_factory.mktemp("many")
    for i, image in enumerate(toy.draw(10, ibug68, size=160, colour=True).images):
        Image.fromarray(image).save(folder / f"{i:02d}.png")
    Image.new("RGB", (40, 30)).save(folder / "empty.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def rows(folder):
    return sorted(
        (
            row
            for file in folder.glob("part-*.parquet")
            for row in parquet.read_table(file).to_pylist()
        ),
        key=lambda row: (row["image"], row["face"]),
    )


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    """What the plain engine writes: (folder, rows)."""
    out = tmp_path_factory.mktemp("plain")
    list(bulk.run(make_parts([str(folder)], 3), LIGHT, out, "plain"))
    return out, rows(out)


def test_a_row_is_a_face_and_images_without_one_have_a_row_too(plain, folder):
    out, found = plain
    assert len(list(out.glob("part-*"))) == 4 and {Path(row["image"]).name for row in found} == {
        path.name for path in folder.iterdir()
    }
    landmarker = Landmarker("face68_light")
    for row in found:
        name = Path(row["image"]).name
        if name == "broken.jpg":
            assert "not a readable image" in row["error"] and row["points"] is None
        elif name == "empty.png":
            assert (
                row["face"] is None
                and (row["width"], row["height"]) == (40, 30)
                and row["error"] is None
            )
        elif row["face"] is not None:
            (face,) = landmarker(Image.open(row["image"]).convert("RGB"))
            np.testing.assert_allclose(np.reshape(row["points"], (-1, 2)), face.points, atol=1e-3)
            np.testing.assert_allclose(row["scores"], face.scores, atol=1e-5)
            assert row["face"] == 0 and row["scheme"] == "ibug68" and len(row["box"]) == 4
    assert sum(row["face"] is not None for row in found) >= 5


def test_a_run_that_stopped_goes_on_with_the_parts_that_are_missing(
    plain, folder, tmp_path, monkeypatch
):
    asked = make_parts([str(folder)], 3)
    run = bulk.run(asked, LIGHT, tmp_path, "plain")
    next(run)
    next(run)
    run.close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("part-*")}
    assert len(before) == 2 and list(tmp_path.glob(".part*")) == []
    looked = []
    monkeypatch.setattr(
        bulk.Worker,
        "__call__",
        lambda self, part, own=bulk.Worker.__call__: looked.append(part.number) or own(self, part),
    )
    counts = [counts for _, counts in bulk.run(asked, LIGHT, tmp_path, "plain")]
    assert looked == [2, 3] and all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert (
        rows(tmp_path) == plain[1]
        and sum(each["images"] for each in counts) == 12
        and sum(each["unreadable"] for each in counts) == 1
    )


def test_images_in_a_parquet_file_and_in_a_list_give_the_same_faces(plain, folder, tmp_path):
    files = sorted(folder.iterdir())
    table = arrow.table(
        {
            "name": [str(file) for file in files],
            "image": [{"bytes": file.read_bytes(), "path": None} for file in files],
        }
    )
    parquet.write_table(table, tmp_path / "pictures.parquet", row_group_size=5)
    (tmp_path / "list.txt").write_text("\n".join(map(str, files)) + "\n")
    for word, out in (("pictures.parquet", "a"), ("list.txt", "b")):
        list(bulk.run(make_parts([str(tmp_path / word)], 4), LIGHT, tmp_path / out, "plain"))
        assert rows(tmp_path / out) == plain[1]


def test_results_of_other_settings_or_images_are_not_mixed(plain, folder):
    with pytest.raises(SettingError, match="other images or settings"):
        list(
            bulk.run(
                make_parts([str(folder)], 3),
                bulk.BulkSettings("face68_light", min_score=0.7),
                plain[0],
                "plain",
            )
        )
    with pytest.raises(SettingError, match="other images or settings"):
        list(bulk.run(make_parts([str(folder)], 5), LIGHT, plain[0], "plain"))


def test_results_of_a_model_or_an_image_that_has_changed_since_are_not_taken(folder, tmp_path):
    model, image = tmp_path / "own.onnx", tmp_path / "in" / "me.png"
    image.parent.mkdir()
    shutil.copy(sorted(folder.glob("*.png"))[0], image)

    def run():
        settings = bulk.BulkSettings(str(model), detect=False)
        return list(bulk.run(make_parts([str(image)]), settings, tmp_path / "out", "plain"))

    shutil.copy(pretrained.file("face68_light"), model)
    first = run()
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()}
    assert run() == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()} == written
    shutil.copy(pretrained.file("face68"), model)
    with pytest.raises(SettingError, match="other images or settings, or of another model"):
        run()
    shutil.copy(pretrained.file("face68_light"), model)
    assert run() == first
    image.write_bytes(image.read_bytes() + b" ")
    with pytest.raises(SettingError, match="other images or settings"):
        run()


def test_inputs_that_cannot_be_split_into_parts_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"gone.parquet: no such file"):
        make_parts([str(tmp_path / "gone.parquet")])
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        make_parts([str(tmp_path / "text.parquet")])
    parquet.write_table(arrow.table({"a": [1]}), tmp_path / "numbers.parquet")
    with pytest.raises(DataError, match=r"no column of images; one of image, .* found a"):
        make_parts([str(tmp_path / "numbers.parquet")])
    with pytest.raises(SettingError, match="only image files and URLs"):
        make_parts([str(tmp_path / "clip.mp4")])
    with pytest.raises(SettingError, match="plain or ray; found 'spark'"):
        list(bulk.run([], LIGHT, tmp_path / "out", "spark"))


@pytest.fixture(scope="module")
def cluster():
    """Two machines with a worker each, on this one."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


def looking():
    """The process ids of Ray's workers that look at images."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"_RayWorker" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_two_workers_of_ray_one_of_them_killed_write_the_same_rows(
    cluster, plain, folder, tmp_path
):
    killed = []

    def kill():
        for _ in range(1200):
            if len(list(tmp_path.glob("part-*"))) >= 1 and (there := looking()):
                os.kill(there[0], signal.SIGKILL)
                killed.append(there[0])
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    done = list(bulk.run(make_parts([str(folder)], 1), LIGHT, tmp_path, "ray", workers=2))
    killer.join()
    assert killed and len(done) == 12
    assert rows(tmp_path) == plain[1]


def test_the_command_reports_written_and_unreadable_images(
    plain, folder, tmp_path, monkeypatch, capsys
):
    faces = sum(row["face"] is not None for row in plain[1])
    words = [
        "nasion",
        "predict",
        str(folder),
        "--run",
        "face68_light",
        "--engine",
        "plain",
        "--out",
        str(tmp_path / "out"),
    ]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert (
        stopped.value.code == 1
        and f"{faces} faces in 12 images; 1 could not be read" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-f", "json"], "--format has no effect with --engine"),
        (["--labels", "names"], "--labels has no effect with --engine"),
        # Also where the value is the default one.
        (["--labels", "none"], "--labels has no effect with --engine"),
        (["--no-draw-boxes"], "--no-draw-boxes has no effect with --engine"),
        (
            ["--patience", "2", "--no-smooth"],
            "--patience, --no-smooth have no effect with --engine",
        ),
        (["--seconds", "2"], "--seconds has no effect with --engine"),
        (["--max-faces", "2"], "--max-faces has no effect with --engine"),
        (["--box", "1,1,9,9"], "--box has no effect with --engine"),
        (["--workers", "2"], "--workers has no effect with --engine plain, one process; leave it"),
    ],
)
def test_what_an_engine_does_not_do_is_refused(options, message, tmp_path, monkeypatch, capsys):
    words = ["nasion", "predict", "a.jpg", "--engine", "plain", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", [*words, *options])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out").exists()
