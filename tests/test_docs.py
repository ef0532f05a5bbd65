"""The documentation: commands exist, code runs, links lead somewhere, numbers are those of
results/.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from functools import cache
from pathlib import Path

import cvat_export
import numpy as np
import pytest
import typer

import nasion
from nasion.app import cli
from nasion.data.datasets import points_csv, toy
from nasion.discovery import RECIPES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if "_build" not in path.parts and path.name != "commands.md"
    ),
]
IDS = [str(path.relative_to(ROOT)) for path in PAGES]
# Pages whose commands and Python are run, in order, in one folder.
RUN = [path for path in PAGES if re.search(r"^```(console|python)$", path.read_text(), re.M)]


@cache
def options():
    """The options of every command, by its words."""
    found = {}

    def walk(command, words):
        if hasattr(command, "commands"):
            for name, each in command.commands.items():
                walk(each, [*words, name])
        else:
            names = [o for p in command.params for o in (*p.opts, *p.secondary_opts)]
            found[" ".join(words)] = {"--help", *names}

    walk(typer.main.get_command(cli.app), [])
    return found


def fences(text):
    """(language, code) of every fenced block."""
    return re.findall(r"^```([\w{}-]*)\n(.*?)^```$", text, re.S | re.M)


def shown_commands(text):
    """The nasion commands in a page's code, as lists of words."""
    blocks = [code for kind, code in fences(text) if kind in ("", "sh", "console")]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    code = [line for line in lines if line.startswith("nasion ")]
    code += [each for each in re.findall(r"`(nasion [^`\n]+)`", text) if "..." not in each]
    return [shlex.split(line.split(" #")[0].split(";")[0])[1:] for line in code]


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_every_command_and_option_shown_exists(path):
    if path.name == "log.md":
        return
    for words in shown_commands(path.read_text()):
        if words[0].startswith("-"):
            continue
        name = next((n for n in (" ".join(words[:2]), words[0]) if n in options()), None)
        assert name, f"nasion {' '.join(words)}"
        for word in words:
            if re.match(r"--?[a-z]", word):
                assert word.split("=")[0] in options()[name], f"nasion {name} {word}"


def test_the_page_of_formats_names_every_command_that_takes_what_labels_mean():
    page = (ROOT / "docs" / "reference" / "file_formats.md").read_text()
    (sentence,) = re.findall(r"`--missing` and `--exif` are options of .*?\. ", page, re.S)
    named = {words.split()[0] for words in re.findall(r"`([a-z][a-z ]*)`", sentence)}
    takes = {
        name.split()[0] for name, known in options().items() if {"--missing", "--exif"} <= known
    }
    assert named == takes


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_every_link_and_image_is_there(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if not re.match(r"https?://", target):
            assert (path.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN, ids=[str(path.relative_to(ROOT)) for path in RUN])
def test_the_code_of_a_page_runs(path, tmp_path):
    """Python blocks of a page share their names, as a reader's session does."""
    from nasion.app.serve.responses import sample_image

    (tmp_path / "photo.jpg").write_bytes(sample_image())
    cvat_export.write_drawn(tmp_path / "faces_cvat")
    run_page(path, tmp_path)


def test_the_tutorial_on_own_labels_keeps_its_word_on_real_faces(real_data, tmp_path):
    """With one of 20 epochs, the errors are not yet those of the page."""
    shutil.copy(real_data / "imm" / "40-3m.jpg", tmp_path / "photo.jpg")
    cvat_export.write_imm(tmp_path / "faces_cvat", real_data / "imm")
    run_page(ROOT / "docs" / "tutorials" / "own_labels.md", tmp_path)
    scores = json.loads((tmp_path / "runs" / "mine" / "evaluation-val" / "scores.json").read_text())
    assert scores["faces"] >= 7 and scores["nme"] < 4
    found = json.loads((tmp_path / "predictions" / "predictions.json").read_text())
    assert found["point_names"] == list(cvat_export.POINTS)
    assert found["scheme_definition"]["aliases"]["mouth_r"] == "mouth_right_corner"
    (face,) = found["images"][0]["faces"]
    x, y = np.mean(face["points"], axis=0)
    # Where the face is in this photograph.
    assert 220 < x < 330 and 260 < y < 400


def run_page(path, folder):
    """The commands and the Python of a page, in order, in this folder."""
    python = []
    for kind, code in fences(path.read_text()):
        if kind not in ("console", "python"):
            continue
        if kind == "python":
            python.append(code)
            words = [[sys.executable, "-c", "\n".join(python)]]
        else:
            lines = [line for line in code.splitlines() if line.startswith("$ nasion ")]
            assert lines, code
            words = [shortened(shlex.split(line)[2:]) for line in lines]
            words = [[sys.executable, "-m", "nasion", *each] for each in words]
        for each in words:
            if "serve" in each:
                use_served_page(each, folder)
                continue
            done = subprocess.run(each, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, (each, done.stdout[-500:], done.stderr[-2000:])


def shortened(words):
    """A page's command as a test runs it: a training has one epoch unless the page says more."""
    is_long = words[0] == "train" and not any(word.startswith("epochs=") for word in words)
    return [*words, "--set", "epochs=1"] if is_long else words


def use_served_page(words, folder):
    """Open the page and send it a photograph, as a browser does."""
    words = [*words, "--port", "0"]
    environment = {**os.environ, "COLUMNS": "200"}
    server = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = re.search(r"serves at (http://[\d.:]+)", server.stdout.readline())[1]
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert b"Choose photos" in answer.read()
        with urllib.request.urlopen(f"{address}/v1/network", timeout=20) as answer:
            assert json.load(answer)["point_names"] == list(cvat_export.POINTS)
        photo = (folder / "photo.jpg").read_bytes()
        request = urllib.request.Request(
            f"{address}/v1/landmarks", photo, {"Content-Type": "image/jpeg"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            faces = json.load(answer)["images"][0]["faces"]
        assert faces and len(faces[0]["points"]) == len(cvat_export.POINTS)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)


def test_the_readme_is_short_and_has_every_section_a_new_user_needs():
    assert len(README.splitlines()) <= 150
    for words in ("nasion predict photo.jpg", "nasion train", "nasion evaluate", "nasion serve"):
        assert words in README
    assert README.count("\n| ") >= 10


def test_the_results_are_those_of_the_result_files():
    rows = [
        [cell.strip(" `*") for cell in line.strip("| \n").split("|")]
        for line in RESULTS.splitlines()
        if line.startswith("| ")
    ]
    found = {tuple(row[:2]): row for row in rows}
    shown = {
        "fkd_resnet": ("mask", "drop", "forward_fill", "as published"),
        "fkd_cnn": ("mask", "drop", "forward_fill"),
    }
    shown["fkd_cnn_mask"] = ("mask", "forward_fill")
    for recipe, name in ((recipe, name) for recipe, names in shown.items() for name in names):
        seeds = json.loads((ROOT / "results" / f"{recipe}.json").read_text())["runs"][name]
        row = found[recipe, name]
        for column, key in (
            (2, "rmse"),
            (3, "rmse, 15 points"),
            (4, "rmse, 4 points"),
            (5, "rmse, plausible"),
        ):
            mean = sum(run[key] for run in seeds.values()) / len(seeds)
            assert float(row[column].split()[0]) == pytest.approx(mean, abs=0.0051), (
                recipe,
                name,
                key,
            )
        assert float(row[6]) == pytest.approx(
            sum(run["seconds_per_epoch"] for run in seeds.values()) / len(seeds), abs=0.51
        ), (recipe, name)


@pytest.mark.parametrize(
    "name",
    [name for name in RECIPES.names() if name.startswith("imm_") and not name.endswith("_best")],
)
def test_the_course_table_is_that_of_the_result_files(name):
    row = next(line for line in RESULTS.splitlines() if line.startswith(f"| `{name}` |"))
    _, _, published, training, last, kept, seeds, _ = (
        cell.strip() for cell in row.strip("|").split("|")
    )
    runs = list(
        json.loads((ROOT / "results" / f"{name}.json").read_text())["runs"]["recipe"].values()
    )
    assert len(runs) == int(seeds) >= 3
    for cell, key in ((training, "loss_last"), (last, "val_loss_last"), (kept, "mse_relative")):
        assert float(cell.split()[0]) == pytest.approx(
            sum(run[key] for run in runs) / len(runs), rel=0.006
        ), (name, key)
    # What the page says of them: the ablations fail as published, all others reach what is
    # published.
    assert (float(kept.split()[0]) > float(published)) == name.endswith("_ablation")


def test_the_table_of_our_own_models_is_that_of_the_result_files():
    rows = {
        line.split("|")[1].strip(): line
        for line in RESULTS.split("## Models of our own")[1].splitlines()
        if line.startswith("| `")
    }
    result = {
        name: json.loads((ROOT / "results" / f"{name}.json").read_text())["runs"]
        for name in RECIPES.names()
        if name not in ("toy_demo", "finetune")
    }
    for name in ("imm_nose_best", "imm_face_best"):
        values = [run["mse_relative"] for run in result[name]["recipe"].values()]
        assert (
            len(values) >= 3
            and f"| {sum(values) / len(values):.2e}".replace("e-0", "e-") in rows[f"`{name}`"]
        )
    for name in ("face68", "face68_light"):
        held_out = result[name]["held out"]["0"]
        for key in ("nme", "nme, helen", "nme, lfpw", "nme, afw", "nme, averaged over flip"):
            assert f"{held_out[key]:.2f}" in rows[f"`{name}`, held out"], (name, key)
    for row, variant in (
        ("`fkd_best`", "recipe"),
        ("`fkd_best`, small network, 3 epochs (`benchmarks/race.py`)", "race, 3 epochs"),
    ):
        run = result["fkd_best"][variant]["0"]
        assert f"{run['rmse']:.2f}" in rows[row] and f"{run['rmse, plausible']:.2f}" in rows[row]


def test_public_names_are_in_the_reference():
    reference = (ROOT / "docs" / "reference" / "python.md").read_text()
    for name in nasion.__all__:
        assert name == "__version__" or f"nasion.{name}" in reference, name
    with pytest.raises(AttributeError, match="has no 'nothing'"):
        nasion.nothing


def test_importing_nasion_costs_no_torch():
    code = (
        "import sys; from nasion import Faces, Scheme, join, load_faces; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ci_calls_the_readmes_test_command():
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.M)
    assert "make test " in README and "make demo " in README
    makefile = (ROOT / "Makefile").read_text()
    for part in ("ruff check .", "ruff format --check .", "pyright", "lint-imports", "pytest"):
        assert part in makefile
    assert "sphinx-build -W" in makefile


def test_evaluating_predictions_and_inspecting_data_need_no_torch(tmp_path):
    """As an installation with the report extra alone would have it: any import of torch or what
    comes with it fails.
    """
    points = tmp_path / "truth.csv"
    points_csv.write(toy.draw(5, seed=1), points)
    absent = ("torch", "lightning_fabric", "keras", "tensorflow", "jax", "tensorboard")
    blocked = (
        f"import sys; sys.modules |= dict.fromkeys({absent}); import nasion.app.cli; "
        f"nasion.app.cli.main()"
    )
    judge = [
        "evaluate",
        "--predictions",
        "truth.csv",
        "--data",
        "truth.csv",
        "--dataset",
        "points_csv",
        "--scheme",
        "fkd15",
    ]
    for words in (
        judge,
        ["data", "show", "toy:30"],
        ["data", "check", "toy:30"],
        ["recipes"],
        ["--help"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", blocked, *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "truth-evaluation" / "report.html").is_file()
    refused = subprocess.run(
        [sys.executable, "-c", blocked, "demo"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (
        refused.returncode == 1
        and "pip install 'nasion[pytorch]'" in refused.stderr
        and "Traceback" not in refused.stderr
    )
