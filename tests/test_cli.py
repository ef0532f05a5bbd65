"""The command line, as a person uses it: what it prints, what it writes, how it complains."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

from nasion.data.datasets import fkd, imm, points_csv, toy
from nasion.inference import run_folder
from nasion.landmarks.catalog import imm58

pytestmark = pytest.mark.slow


@pytest.fixture
def nasion(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder: (exit code, everything printed, white space folded)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code, printed = run_command(monkeypatch, capsys, *words)
        return code, re.sub(r"\s+", " ", printed)

    return call


SMALL = ["--set", "epochs=2", "--set", "architecture.widths=8,16", "--set", "batch_size=32"]


def test_train_evaluate_and_submit_from_the_command_line(nasion, kaggle_folder):
    code, said = nasion("train", "fkd_resnet", "--data", kaggle_folder, *SMALL)
    assert (
        code == 0
        and "epoch 2: loss" in said
        and "Evaluate it with: nasion evaluate runs/fkd_resnet" in said
    )
    code, said = nasion(
        "evaluate", "runs/fkd_resnet", "--data", kaggle_folder, "--json", "out.json"
    )
    assert (
        code == 0
        and "source: 15 points" in said
        and "nose_tip" in said
        and Path("runs/fkd_resnet/evaluation-val/report.html").is_file()
    )
    scores = json.loads(Path("out.json").read_text())
    assert scores["rmse"] == pytest.approx(
        min(row["val"] for row in run_folder.read_history(Path("runs/fkd_resnet"))), abs=1e-4
    )
    csv = "runs/fkd_resnet/evaluation-val/predictions.csv"
    code, said = nasion(
        "evaluate",
        "--predictions",
        csv,
        "--data",
        kaggle_folder,
        "--split",
        "val",
        "--json",
        "again.json",
    )
    assert code == 0 and json.loads(Path("again.json").read_text())["rmse"] == pytest.approx(
        scores["rmse"], abs=1e-4
    )
    code, said = nasion(
        "submit", "runs/fkd_resnet", "--data", kaggle_folder, "-o", "submission.csv"
    )
    assert code == 0 and "250 rows written to submission.csv" in said
    assert len(Path("submission.csv").read_text().splitlines()) == 251


def test_a_table_of_truth_evaluates_a_table_of_predictions(nasion, tmp_path, toy_faces):
    points_csv.write(toy_faces, tmp_path / "truth.csv")
    code, said = nasion(
        "evaluate",
        "--predictions",
        "truth.csv",
        "--data",
        "truth.csv",
        "--dataset",
        "points_csv",
        "--scheme",
        "fkd15",
        "--norm",
        "outer_eye_corners",
    )
    assert (
        code == 0
        and "% of outer_eye_corners, failures and AUC at 8 %" in said
        and Path("truth-evaluation/report.html").is_file()
    )
    code, said = nasion("evaluate", "--predictions", "truth.csv", "--data", "truth.csv")
    assert code == 0 and "scheme fkd15" in Path("truth-evaluation/report.html").read_text()
    Path("few.csv").write_text("face,0,1,2,3\na,1,2,3,4\n")
    code, said = nasion("evaluate", "--predictions", "few.csv", "--data", "few.csv")
    # Numbered points of no scheme are a scheme of their own; a named one must have as many.
    assert code == 0 and "scheme few" in Path("few-evaluation/report.html").read_text()
    few = ("--predictions", "few.csv", "--data", "few.csv", "--scheme", "ibug68")
    code, said = nasion("evaluate", *few)
    assert code == 1 and "columns for 2 points, scheme ibug68 has 68" in said
    code, said = nasion(
        "evaluate",
        "--predictions",
        "truth.csv",
        "--data",
        "truth.csv",
        "--dataset",
        "points_csv",
        "--scheme",
        "fkd15",
        "--norm",
        "box",
    )
    # Boxes that a table lacks are those around its points.
    assert code == 0 and "% of box" in said


def test_evaluate_wants_a_run_or_predictions(nasion, kaggle_folder):
    assert nasion("evaluate", "--data", kaggle_folder) == (
        1,
        "nasion: Say what to evaluate: a run folder, or --predictions FILE. ",
    )
    code, said = nasion("evaluate", "nowhere", "--data", kaggle_folder)
    assert code == 1 and "nowhere is not a run folder" in said
    assert "pretrained model (face68, face68_light)" in said
    both = ("face68", "--predictions", "p.csv")
    code, said = nasion("evaluate", *both, "--data", kaggle_folder)
    assert code == 1 and "face68 and --predictions p.csv exclude each other" in said
    code, said = nasion("evaluate", "face68", "--data", kaggle_folder, "--threshold", "0")
    assert code == 1 and "--threshold is in % of the norm and must be above 0, as 8; found" in said


def test_data_show_counts_and_draws(nasion, kaggle_folder):
    code, said = nasion("data", "show", kaggle_folder)
    assert (
        code == 0
        and "120 faces of scheme fkd15; 59 have all 15 points; images: 96 x 96 (120)" in said
    )
    assert "source: 15 points (60), 4 points (60)" in said and "duplicates: 0 images" in said
    assert np.asarray(Image.open("contact_sheet.png")).shape[2] == 3


def test_data_check_lists_every_fault_and_exits_with_one(nasion, tmp_path, kaggle_folder):
    code, said = nasion("data", "check", kaggle_folder)
    assert code == 0 and "0 faults" in said
    lines = (kaggle_folder / "training.csv").read_text().splitlines()
    lines[3] = lines[3].replace(" ", " 256 ", 1)
    lines[9] = "x" + lines[9]
    (tmp_path / "training.csv").write_text("\n".join(lines))
    code, said = nasion("data", "check", ".")
    assert (
        code == 1
        and "training.csv line 4: Image" in said
        and "training.csv line 10: left_eye_center_x is 'x" in said
        and "2 faults" in said
    )
    code, said = nasion("data", "show", ".")
    assert code == 1 and "--skip-faults" in said
    code, said = nasion("data", "show", ".", "--skip-faults")
    assert code == 0 and "118 faces" in said


def test_data_check_also_reads_the_lookup_table(nasion, tmp_path, kaggle_folder):
    for name in ("training.csv", "test.csv", fkd.LOOKUP):
        (tmp_path / name).write_bytes((kaggle_folder / name).read_bytes())
    with (tmp_path / fkd.LOOKUP).open("a") as file:
        file.write("901,1,left_ear_x,\n902,77,nose_tip_x,\n903,x,nose_tip_x,\n")
    code, said = nasion("data", "check", tmp_path)
    assert (
        code == 1
        and "3 faults" in said
        and "IdLookupTable.csv line 252: unknown feature 'left_ear_x'" in said
    )
    assert "line 254: ImageId is 'x', a whole number" in said and "asks for ImageId 77" in said


def test_data_check_finds_swapped_labels_and_copies_that_disagree(nasion, tmp_path):
    faces = toy.draw(150, seed=5)
    points, images = faces.points.copy(), faces.images.copy()
    points[3] = points[3, faces.scheme.flip]
    images[20] = images[21]
    fkd.write(
        faces.__class__(scheme=faces.scheme, ids=faces.ids, images=images, points=points), tmp_path
    )
    code, said = nasion("data", "check", tmp_path)
    assert (
        code == 0
        and "suspect training/3" in said
        and "suspect training/21: the same image as training/20" in said
    )


def test_list_commands_name_everything_discovered(nasion):
    assert (
        "fkd_resnet" in nasion("recipes")[1]
        and "fkd " in nasion("datasets")[1]
        and "ibug68 68 points" in nasion("schemes")[1]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "fkd_resnt", "--data", "toy"], "No recipe 'fkd_resnt'"),
        (["train", "toy_demo", "--data", "toy:50", "--set", "optim.rl=3"], "no such setting"),
        (["train", "toy_demo", "--data", "toy:x"], "toy faces are named toy, toy:COUNT"),
        (
            ["train", "fkd_resnet", "--data", "nowhere"],
            "nowhere is not a dataset that nasion recognises: there is no such file",
        ),
        (["train", "toy_demo", "--data", "toy:50", "--resume"], "is not a run folder"),
        (["data", "show", "nowhere"], "is not a dataset that nasion recognises"),
        (["submit", "nowhere", "--data", "toy"], "is not a run folder"),
        (
            ["evaluate", "--predictions", "x.csv", "--data", "toy", "--tta", "flip"],
            "--tta has no effect with --predictions",
        ),
        (["export", "r", "r.onnx", "--exif", "apply"], "--exif has no effect without --data"),
        (["train", "toy_demo", "--data", "toy:50", "--set", "data=imm"], "--data gives the"),
    ],
)
def test_user_errors_are_one_line_without_a_traceback(nasion, words, message):
    code, said = nasion(*words)
    assert code == 1 and message in said and "Traceback" not in said


@pytest.mark.parametrize("text", ["1_0", "\u0663"])
def test_numbers_of_options_are_plain_digits(nasion, text):
    code, said = nasion("demo", "--epochs", text)
    assert code == 2 and f"Invalid value for '--epochs': '{text}' is not a valid" in said
    assert not Path("demo").exists()


def test_training_reads_the_dataset_at_the_path_not_the_recipes(nasion, kaggle_folder):
    code, said = nasion("train", "toy_demo", "--data", "/nowhere/at/all")
    assert code == 1 and "not a dataset that nasion recognises" in said
    code, said = nasion("train", "toy_demo", "--data", kaggle_folder, "--run", "a [run]", *SMALL)
    assert code == 0 and "a [run]" in said
    assert json.loads(Path("a [run]/run.json").read_text())["faces"][0] < 120
    code, said = nasion("evaluate", "a [run]", "--data", kaggle_folder, "--split", "test")
    assert code == 1 and "None of the 12 faces has a label" in said


def test_a_run_with_parts_of_its_own_is_evaluated_with_its_recipe_file(nasion, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass, replace\n"
        "from nasion.models.architectures.resnet import ResNet\n"
        "from nasion.recipes.toy_demo import RECIPE as R\n\n\n"
        "@dataclass(frozen=True)\nclass Mine:\n    def build(self, outputs, size, channels):\n"
        "        return ResNet(widths=(8, 16), blocks=(1,)).build(outputs, size, channels)\n\n"
        "    def head_bias(self, outputs):\n        return outputs\n\n\n"
        "RECIPE = replace(R, architecture=Mine(), epochs=1)\n"
    )
    assert nasion("train", "mine.py", "--data", "toy:60")[0] == 0
    code, said = nasion("evaluate", "runs/mine", "--data", "toy:60")
    assert code == 1 and "--recipe FILE" in said
    code, said = nasion("evaluate", "runs/mine", "--data", "toy:60", "--recipe", "mine.py")
    assert code == 0 and "Report:" in said
    code, said = nasion("train", "mine.py", "--data", "toy:60", "--resume")
    assert code == 0


def test_the_demo_draws_trains_evaluates_and_reports(nasion, tmp_path):
    code, said = nasion("demo", "--faces", "60", "--epochs", "1")
    assert code == 0 and "Report:" in said and Path("demo/report.html").is_file()
    assert nasion("demo", "--faces", "60", "--epochs", "1")[0] == 0  # replaces its own folder
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo").touch()
    code, said = nasion("demo", "--out", "mine")
    assert code == 1 and "is not an earlier demo" in said and (tmp_path / "mine" / "photo").exists()


def test_ctrl_c_saves_and_prints_the_resume_command(tmp_path):
    command = [
        sys.executable,
        "-m",
        "nasion",
        "train",
        "toy_demo",
        "--data",
        "toy:100",
        "--run",
        str(tmp_path / "run"),
        "--set",
        "epochs=5000",
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "500"},
    )
    while not (tmp_path / "run" / run_folder.CHECKPOINT).exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and "everything is saved" in said
    assert (
        f"nasion train toy_demo --data toy:100 --run {tmp_path / 'run'} --resume" in said
        and "Traceback" not in said
    )


def test_help_comes_at_once_and_without_torch():
    code = (
        "import sys, nasion.app.cli; sys.exit('torch' in sys.modules or 'matplotlib' in "
        "sys.modules or 'lightning_fabric' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "nasion", "--help"], check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1.0  # 0.2 on a quiet machine


@pytest.fixture
def imm_run(nasion, tmp_path):
    """A small IMM in the folder imm, and a run of the nose recipe in run."""
    ids = tuple(f"{person}-{view}m" for person in ("01", "02", "33") for view in range(1, 7))
    imm.write(replace(toy.draw(18, imm58, seed=1, size=64, colour=True), ids=ids), Path("imm"))
    code, said = nasion(
        "train", "imm_nose_khwaja", "--data", "imm", "--run", "run", "--set", "epochs=2"
    )
    assert code == 0, said


def test_every_inspection_has_a_command(nasion, imm_run):
    for words in (
        ("inspect", "samples", "imm_nose_khwaja", "--data", "imm"),
        ("inspect", "samples", "run", "--data", "imm", "--count", "3", "-o", "s.png"),
        ("inspect", "filters", "run"),
        ("inspect", "responses", "run", "--data", "imm", "--face", "33-2m"),
        ("inspect", "faces", "run", "--data", "imm"),
    ):
        code, said = nasion(*words)
        assert code == 0 and "Written:" in said, said
    for name in ("samples", "s", "filters", "responses", "faces"):
        assert Image.open(f"{name}.png").size[0] > 200
    assert "Largest errors" in said and "33-" in said and "nose_base" in said
    code, said = nasion("inspect", "responses", "run", "--data", "imm", "--face", "99-9m")
    assert code == 1 and "'99-9m'" in said


def test_runs_are_compared_and_photographs_predicted(nasion, imm_run):
    nasion("train", "imm_nose_khwaja_v2", "--data", "imm", "--run", "other", "--set", "epochs=1")
    nasion("evaluate", "run", "--data", "imm")
    code, said = nasion("report", "run", "other", "-o", "both.html")
    assert (
        code == 0
        and "Settings that differ" in said
        and "architecture.sigmoid" in said
        and "130,750" in said
    )
    assert "run, training" in Path("both.html").read_text()
    code, said = nasion(
        "predict",
        "imm/33-1m.jpg",
        "imm/33-2m.jpg",
        "--run",
        "run",
        "--no-detect",
        "--out",
        "p",
        "-f",
        "image",
        "-f",
        "csv",
    )
    assert code == 0 and "2 faces in 2 images." in said
    assert {path.name for path in Path("p").iterdir()} == {
        "33-1m-points.jpg",
        "33-2m-points.jpg",
        "predictions.csv",
    }
    code, said = nasion("predict", "imm/33-1m.jpg", "--run", "run", "--box", "0,0,0,9")
    assert code == 1 and "--box 0,0,0,9: x0,y0,x1,y1 in pixels expected" in said
    text = Path("run/evaluation-val/report.html").read_text()
    assert all(
        part in text
        for part in (
            "By person",
            "Training samples",
            "First layer&#39;s filters",
            "Largest errors",
        )
    )


def test_submitting_needs_the_format_of_its_data(nasion, imm_run):
    code, said = nasion("submit", "run", "--data", "imm", "--format", "course")
    assert code == 1 and "No submission format 'course'; there are kaggle, course68" in said
