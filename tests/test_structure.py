"""The source as a whole: layers, sizes, docstrings, and plugins that are found by being there."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nasion
from nasion.discovery import ARCHITECTURES, DATASETS, DETECTORS, FORMATS, RECIPES

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "nasion"
MODULES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(path.relative_to(SOURCE)) for path in MODULES]
# Parsed before any test starts threads: Python 3.11's parser fails when two threads use it at once
# (gh-106905), and logging a traceback uses it.
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
MAX_LINES, MAX_FUNCTION_LINES = 400, 60


def functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_packages_import_only_from_those_below_them():
    """The contracts are in pyproject.toml."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_and_functions_are_short_and_modules_have_docstrings(path):
    text, tree = path.read_text(encoding="utf-8"), TREES[path]
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(tree) or not text.strip(), "a module needs a docstring"
    for function in functions(tree):
        # Without its signature: a command's options are declared there.
        lines = function.end_lineno - function.body[0].lineno + 1
        assert lines <= MAX_FUNCTION_LINES, f"{function.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_nothing_switches_a_check_off_without_saying_which(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"# type: ignore(?!\[)|# noqa(?!: [A-Z])|# pyright: ignore(?!\[)", text)


def test_everything_public_is_documented():
    for name in nasion.__all__:
        part = getattr(nasion, name)
        if callable(part):
            assert (part.__doc__ or "").strip(), name


@pytest.mark.parametrize("plugins", [DATASETS, ARCHITECTURES, RECIPES, DETECTORS, FORMATS])
def test_every_plugin_loads_and_has_a_headline(plugins):
    names = plugins.names()
    assert names == sorted(names) and len(names) >= 2
    for name in names:
        assert plugins.load(name).__doc__ and len(plugins.headline(name)) > 10


def test_new_plugin_files_are_found_everywhere(tmp_path):
    """A copy of the package with one more format, detector and recipe: the commands know them."""
    import shutil

    shutil.copytree(SOURCE, tmp_path / "nasion", ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "nasion"
    (package / "prediction_formats" / "plain.py").write_text(
        '"""Plain lines, one per face."""\n\nMEDIA_TYPE = "text/plain"\n\n\n'
        "class Text:\n    def __init__(self, contents):\n        pass\n\n"
        '    def begin(self):\n        return ""\n\n'
        '    def add(self, result):\n        return f"{result.name} {len(result.faces)}\\n"\n\n'
        "    def end(self):\n        return []\n\n\n"
        'SUFFIX = ".txt"\n'
    )
    (package / "inference" / "detectors" / "center.py").write_text(
        '"""The middle of every image."""\n\nimport numpy as np\n\n\n'
        "def detector(min_face):\n    return find\n\n\n"
        "def find(image):\n    height, width = image.shape[:2]\n"
        "    box = [width / 4, height / 4, 3 * width / 4, 3 * height / 4]\n"
        "    return np.array([box], np.float32), np.ones(1, np.float32)\n"
    )
    recipe = (package / "recipes" / "toy_demo.py").read_text()
    (package / "recipes" / "another.py").write_text(recipe)

    def command(*words):
        done = subprocess.run(
            [sys.executable, "-m", "nasion", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        )
        return done.stdout + done.stderr

    assert "another" in command("recipes")
    shown = command("predict", "--help")
    assert "plain" in shown and "center" in shown


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_every_benchmark_starts(path):
    """Its imports are there, and it says how it is used."""
    done = subprocess.run(
        [sys.executable, path.name, "--help"], cwd=path.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-500:]
