"""The start of commands: `nasion --help` and `nasion predict` of one image, whole processes.

Usage:
    python benchmarks/start.py --image FILE [--before FOLDER] [--rounds 15]
        [--json FILE]

--before: a checkout of another commit. Its commands and this checkout's run in turn, with the same
Python and libraries. Bytecode is kept in a folder of its own, as after an installation, and the
first round, which writes it, is not counted.
"libraries": Python with what `predict` imports of others alone, without any of nasion.
--json: write the times into this file (results/start.json).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from result_files import origin

from nasion.media.files import write_text

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = "import numpy, onnxruntime, typer, PIL.Image, PIL.ImageDraw"
# Older commits have no `python -m nasion`.
MAIN = (
    "import sys; from importlib.util import find_spec; from importlib import import_module; "
    "sys.argv[0] = 'nasion'; "
    "import_module('nasion.app.cli' if find_spec('nasion.app') else 'nasion.cli').main()"
)


def commands(image, before):
    """(what, arguments of Python, folder of nasion) for each process."""
    found = [("libraries", ["-c", LIBRARIES], None)]
    checkouts = {"": ROOT, **({", before": before} if before else {})}
    for what, words in (("help", ["--help"]), ("predict", ["predict", str(image), "--out", "out"])):
        for name, folder in checkouts.items():
            found.append((f"{what}{name}", ["-c", MAIN, *words], folder / "src"))
    return found


def run(arguments, source, folder):
    """Seconds that a process takes."""
    settings = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    if source:
        settings["PYTHONPATH"] = str(source)
    shutil.rmtree(folder / "out", ignore_errors=True)
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=folder, env=settings, check=True, capture_output=True)
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, required=True, help="an image with a face")
    parser.add_argument("--before", type=Path, help="a checkout of another commit")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file for the times")
    options = parser.parse_args()
    processes = commands(options.image.resolve(), options.before and options.before.resolve())
    seconds = {what: [] for what, _, _ in processes}
    with TemporaryDirectory() as folder:
        for i in range(options.rounds + 1):
            for what, arguments, source in processes:
                took = run(arguments, source, Path(folder))
                if i:
                    seconds[what].append(took)
    times = {
        what: {"best": round(min(each), 3), "median": round(statistics.median(each), 3)}
        for what, each in seconds.items()
    }
    for what in ("help", "predict"):
        if options.before:
            ratio = times[what]["median"] / times[f"{what}, before"]["median"]
            times[what]["of before"] = round(ratio, 3)
    for what, each in times.items():
        print(what, each)
    if options.json:
        facts = {
            "command": "python benchmarks/start.py --image FILE --before FOLDER",
            "data": "an image of IMM, 640 x 480",
            "metric": "seconds of a whole process, with bytecode; of before: ratio of medians",
        }
        write_text(options.json, json.dumps({**origin(), **facts, "times": times}, indent=1) + "\n")


if __name__ == "__main__":
    main()
