"""The import rule and the size budget."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "nasion"

# A module imports only from rows above its own (and a data set from the private parsers beside it).
ROWS = [
    ["errors", "arrays"],
    ["keras_backend"],
    ["scheme", "geometry", "files"],
    ["schemes", "faces", "video"],
    [
        "cache",
        "datasets",
        "augment",
        "disturb",
        "codecs",
        "models",
        "losses",
        "metrics",
        "calibration",
        "optim",
        "detectors",
        "pictures",
    ],
    ["missing", "sources", "splits", "doubts", "confidence", "weights"],
    ["recipe", "load"],
    ["recipes", "batches", "run"],
    ["networks", "survey", "shrink"],
    ["predict"],
    ["loop", "evaluation", "submit", "export", "landmarker", "boxes"],
    ["training", "keras_train"],
    ["experiment", "draw"],
    ["page"],
    ["report", "look", "formats", "predictions", "progress"],
    ["harvest", "serve", "scale"],
    ["compare"],
    ["demo", "terminal"],
    ["cli"],
]
ROW = {name: i for i, names in enumerate(ROWS) for name in names}
FILES = sorted(SOURCE.rglob("*.py"))


def unit(path):
    """The row's name of a file: a folder counts as one."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return parts[0]


def imports(path, tree):
    """(line, module) of every import of nasion's own, the late ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nasion":
            names = (
                [f"{node.module}.{a.name}" for a in node.names]
                if node.module in ("nasion", "nasion.datasets")
                else [node.module]
            )
            yield from ((node.lineno, name) for name in names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.startswith("nasion."))


@pytest.mark.parametrize(
    "path",
    [f for f in FILES if f != SOURCE / "__init__.py"],
    ids=lambda p: str(p.relative_to(SOURCE)),
)
def test_a_module_imports_only_from_rows_above_its_own(path):
    own = unit(path)
    assert own in ROW, f"{path.name} has no row; add it to ROWS where it belongs."
    for line, module in imports(path, ast.parse(path.read_text())):
        other = module.split(".")[1]
        beside = other == own and (own != "datasets" or module.split(".")[2].startswith("_"))
        assert beside or ROW[other] < ROW[own], (
            f"{path.name} line {line}: {own} may not import {module}."
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_functions_and_parameter_lists_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) < 300, f"{len(text.splitlines())} lines"
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or not text.strip(), "a file opens with what it holds"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 < 60, (
                f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
            )
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            # A command's parameters are its options.
            assert unit(path) == "cli" or len(arguments) < 8, (
                f"{node.name} has {len(arguments)} parameters"
            )


def test_level_0_needs_numpy_and_no_torch():
    for name in [*ROWS[0], *ROWS[2], *ROWS[3]]:
        roots = {
            (node.module or "").split(".")[0]
            if isinstance(node, ast.ImportFrom)
            else alias.name.split(".")[0]
            for node in ast.walk(ast.parse((SOURCE / f"{name}.py").read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not roots & {"torch", "lightning_fabric", "matplotlib", "pandas"}, name


def test_the_keras_loop_holds_only_what_is_keras():
    """Batches, augmentation, codecs, losses, metrics and run folders are those of the PyTorch loop."""
    tree = ast.parse((SOURCE / "keras_train.py").read_text())
    bases = [
        ast.unparse(base)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    assert bases and all(base.startswith("keras.") for base in bases), bases
    both = [
        {name for _, name in imports(path, ast.parse(path.read_text()))}
        for path in (SOURCE / "keras_train.py", SOURCE / "training.py")
    ]
    assert {"nasion.batches", "nasion.loop", "nasion.losses", "nasion.run"} <= both[0] & both[1]
    assert not any("torch" in name for name in both[0])


def test_labels_are_tested_for_nan_in_losses_in_one_place_only():
    for path in [
        *SOURCE.glob("models/*.py"),
        *(SOURCE / f"{name}.py" for name in ("training", "keras_train", "losses")),
    ]:
        tests = [line for line in path.read_text().splitlines() if "isnan(" in line]
        assert len(tests) == (path.name == "losses.py"), path.name
