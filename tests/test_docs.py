"""The documents: the README's tree names every file, its commands exist, its Python runs, its numbers are those of results/."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nasion
from nasion.app import cli
from nasion.data.datasets import points_csv, toy
from nasion.discovery import RECIPES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
TREE = re.search(r"```\n(src/nasion/\n.*?)```", README, re.S)[1]


def tree_files():
    """Paths that the README's tree names, each with its comment."""
    found, folders = {}, []
    for line in TREE.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, comment = line.strip().partition(" ")
        folders[depth:] = [name]
        found["".join(folders)] = comment.strip()
    return found


def test_the_readmes_tree_is_the_real_one_with_a_comment_per_file():
    source = ROOT / "src"
    real = {
        f"src/{path.relative_to(source)}"
        for path in source.rglob("*")
        if path.suffix in (".py", ".j2") and path.name != "__init__.py"
    }
    named = {
        name: comment
        for name, comment in tree_files().items()
        if name.startswith("src/") and not name.endswith("/")
    }
    assert named.keys() == real
    assert all(len(comment) > 8 for comment in named.values())
    assert all((ROOT / name).exists() for name in tree_files())


def test_every_command_and_option_in_the_documents_exists():
    text = README + (ROOT / "CHANGELOG.md").read_text() + (ROOT / "docs" / "design.md").read_text()
    named = set(
        re.findall(
            r"nasion ((?:data |look )?[a-z]+)\b",
            " ".join(re.findall(r"(?:^|`|/)(nasion [a-z][^`\n]*)", text, re.M)),
        )
    )
    commands = {c.name or c.callback.__name__ for c in cli.app.registered_commands}
    commands |= {
        f"{group} {c.callback.__name__}"
        for group in ("data", "look")
        for c in getattr(cli, f"{group}_app").registered_commands
    }
    assert len(named) >= 8 and named <= commands, named - commands
    for words, options in re.findall(
        r"^(?:\S*/)?nasion ((?:data |look )?[a-z]+)(.*)$", README, re.M
    ):
        shown = subprocess.run(
            [sys.executable, "-m", "nasion", *words.split(), "--help"],
            capture_output=True,
            text=True,
            env={"COLUMNS": "200"},
        ).stdout
        for option in re.findall(r"(?<!\S)(--?[a-z]+)\b", options.split("   ")[0]):
            assert option in shown, f"nasion {words} {option}"


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "(300, 96, 96) (300, 15, 2)" in printed and "[68 68" in printed and "10 10]" in printed


def test_the_readmes_results_are_those_of_the_result_files():
    rows = [
        [cell.strip(" `*") for cell in line.strip("| \n").split("|")]
        for line in README.splitlines()
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
def test_the_readmes_course_table_is_that_of_the_result_files(name):
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
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
    # What the README says of them: the ablations fail as published, all others reach what is published.
    assert (float(kept.split()[0]) > float(published)) == name.endswith("_ablation")


def test_the_readmes_table_of_our_own_models_is_that_of_the_result_files():
    rows = {
        line.split("|")[1].strip(): line
        for line in README.split("### Models of our own")[1].splitlines()
        if line.startswith("| `")
    }
    result = {
        name: json.loads((ROOT / "results" / f"{name}.json").read_text())["runs"]
        for name in RECIPES.names()
        if name != "toy_demo"
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


def test_public_names_are_documented_and_nothing_else_is_public():
    for name in nasion.__all__:
        value = getattr(nasion, name)
        assert name == "__version__" or value.__doc__, name
    text = README + (ROOT / "CHANGELOG.md").read_text()
    assert all(name in text for name in ("load_faces", "train", "evaluate", "load_model", "join"))
    with pytest.raises(AttributeError, match="has no 'nothing'"):
        nasion.nothing


def test_importing_nasion_costs_no_torch():
    code = "import sys; from nasion import Faces, Scheme, join, load_faces; sys.exit(any(m in sys.modules for m in ('torch', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ci_calls_the_readmes_test_command():
    assert (
        re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.M)
        and "make test " in README
        and "make demo " in README
    )
    makefile = (ROOT / "Makefile").read_text()
    for part in ("ruff check .", "ruff format --check .", "pyright", "pytest"):
        assert part in makefile and part in README


def test_judging_predictions_and_looking_at_data_need_no_torch(tmp_path):
    """As an installation with the report extra alone would have it: any import of torch or what comes with it fails."""
    points = tmp_path / "truth.csv"
    points_csv.write(toy.draw(5, seed=1), points)
    absent = ("torch", "lightning_fabric", "keras", "tensorflow", "jax", "tensorboard")
    blocked = f"import sys; sys.modules |= dict.fromkeys({absent}); import nasion.app.cli; nasion.app.cli.main()"
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
