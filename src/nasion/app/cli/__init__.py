"""The command line. What a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING

from nasion.app import console
from nasion.app.cli.lazy_group import Command, Group, typer_app
from nasion.errors import NasionError

if TYPE_CHECKING:
    import typer

# The lines of help are those of the functions' docstrings (tests/test_lazy_commands.py).
_DATA = Group(
    "Look at a dataset and find its faults.",
    {
        "show": Command(
            "data:show",
            "Print counts, missing labels, sources, duplicates and sizes; draw a contact sheet.",
        ),
        "check": Command(
            "data:check",
            "Print every fault with its file and row (exit code 1 if any), and suspect labels.",
        ),
        "audit": Command(
            "data:audit",
            "Find wrong labels by networks that have not seen the faces; nothing is changed.",
        ),
        "convert": Command(
            "data:convert",
            "Write labels in another tool's format, with their images, and say what it "
            "cannot hold.",
        ),
        "frames": Command(
            "data:frames",
            "Write the video frames that .pts files are of as images beside them (300-VW).",
        ),
        "compare": Command(
            "people:compare",
            "Compare two people's labels of the same faces: distances, bias, points of only one.",
        ),
        "merge": Command(
            "people:merge",
            "Merge change lists: what people agree on; what they do not stays open, with all "
            "versions.",
        ),
    },
)
_SCHEME = Group(
    "Write, show and check landmark schemes of your own.",
    {
        "init": Command(
            "scheme:init",
            "Write scheme.toml from data: names, mirror pairs, lines, norm, parts; to be "
            "corrected.",
        ),
        "show": Command(
            "scheme:show",
            "Print a scheme's points, pairs and parts; draw it on the mean face of data or a "
            "drawn one.",
        ),
        "check": Command(
            "scheme:check",
            "Check a scheme file, and its mirror pairs on the labels beside it (exit code 1 "
            "if wrong).",
        ),
    },
)
_INSPECT = Group(
    "Draw training samples, filters, responses, best and worst faces.",
    {
        "samples": Command(
            "inspect:samples",
            "Draw training samples with their points, unchanged and augmented.",
        ),
        "filters": Command(
            "inspect:filters",
            "Draw the first layer's filters as a labelled grid.",
        ),
        "responses": Command(
            "inspect:responses",
            "Draw the response of each first-layer filter to a face.",
        ),
        "faces": Command(
            "inspect:faces",
            "Draw the best faces above the worst, and print a table of the largest errors.",
        ),
    },
)
_NASION = Group(
    "Train, evaluate and run facial landmark models.",
    {
        "predict": Command(
            "predict:predict",
            "Find the faces in images, videos or a camera's frames, and predict their points.",
        ),
        "crop": Command(
            "crop:crop",
            "Cut out the faces of images and videos, each rotated and scaled to a template.",
        ),
        "anonymise": Command(
            "anonymise:anonymise",
            "Hide the faces of images and videos, and remove what files tell of place, time "
            "and camera.",
        ),
        "serve": Command(
            "serve:serve",
            "Serve landmarks: a page for the browser, with camera, and an HTTP interface.",
        ),
        "label": Command(
            "label:label",
            "Correct and draw labels on a page in the browser, with proposals of a network.",
        ),
        "train": Command(
            "train:train",
            "Train a recipe on a dataset. Ctrl-C saves; --resume continues with the same numbers.",
        ),
        "evaluate": Command(
            "evaluate:evaluate",
            "Evaluate a model, or any tool's predictions, on labelled faces.",
        ),
        "report": Command(
            "evaluate:report",
            "Compare runs: numbers, settings that differ, all curves in one plot.",
        ),
        "submit": Command(
            "evaluate:submit",
            "Write a submission file: Kaggle's for its test images, or the course's for an "
            "XML file.",
        ),
        "export": Command(
            "export:export",
            "Write a run's network as one file that needs no nasion, compared with the run.",
        ),
        "demo": Command(
            "train:demo",
            "Draw toy faces, train a small network on partly missing labels, evaluate it, "
            "write a report.",
        ),
        "models": Command(
            "lists:models",
            "List the pretrained models; with a name, print its model card.",
        ),
        "recipes": Command(
            "lists:recipes",
            "List the recipes.",
        ),
        "datasets": Command(
            "lists:datasets",
            "List the datasets and label formats that can be read.",
        ),
        "schemes": Command(
            "lists:schemes",
            "List the landmark schemes.",
        ),
        "data": _DATA,
        "scheme": _SCHEME,
        "inspect": _INSPECT,
    },
)

app: typer.Typer = typer_app(_NASION)


def main() -> None:
    """Run the command line; errors that a user can act on exit with 1, without a traceback."""
    _start_and_end_fast()
    console.show_notes()
    try:
        app()
    except NasionError as error:
        _fail(str(error))
    # Full disks, missing rights: the user's to mend, so no traceback.
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")


def _start_and_end_fast() -> None:
    # NumPy's BLAS starts a thread for each core and waits for them at the end: 100 ms of CPU time
    # on two cores. nasion's own matrices are too small for threads.
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What is left when Python ends need not be searched for garbage: 30 ms.
    atexit.register(gc.freeze)


def _fail(message: str) -> None:
    console.fail(message)
    sys.exit(1)
