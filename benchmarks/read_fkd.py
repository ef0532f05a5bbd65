"""Time and memory of reading Kaggle's training.csv: nasion, pandas and a plain loop.

Usage:
    python benchmarks/read_fkd.py FILE_OR_FOLDER [--rounds 5]

FILE is training.csv; a FOLDER holds training.zip, from which training.csv is extracted first.
Readers take turns, each time in a new process. Printed are the shortest and the median time, the
peak memory of the process, and both relative to pandas.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path


def pandas_reader(path):
    import numpy as np
    import pandas

    warnings.simplefilter("ignore")
    table = pandas.read_csv(path)
    images = [np.fromstring(text, np.uint8, sep=" ") for text in table["Image"]]
    points = table.iloc[:, :30].to_numpy(np.float32)
    return np.stack(images).reshape(-1, 96, 96), points.reshape(-1, 15, 2)


def plain_loop(path):
    import numpy as np

    warnings.simplefilter("ignore")
    images, points = [], []
    with Path(path).open("rb") as file:
        next(file)
        for line in file:
            numbers, _, pixels = line.rpartition(b",")
            images.append(np.fromstring(pixels, np.uint8, sep=" "))
            points.append([float(cell) if cell else float("nan") for cell in numbers.split(b",")])
    points = np.array(points, dtype=np.float32)
    return np.stack(images).reshape(-1, 96, 96), points.reshape(-1, 15, 2)


def nasion_reader(path):
    from nasion.data.datasets import fkd

    faces = fkd.read(Path(path))
    return faces.images, faces.points


def nasion_cache(path):
    from nasion.data.load import load_faces

    faces = load_faces("fkd", path)
    return faces.images, faces.points


READERS = {
    "pandas + np.fromstring": pandas_reader,
    "plain loop": plain_loop,
    "nasion": nasion_reader,
    "nasion, from its cache": nasion_cache,
}


def measure(name, path):
    """Time one reader in this process; imports are not timed.

    The checksums show that all readers return the same.
    """
    import numpy as np

    if name.startswith("nasion"):
        import nasion.data.datasets.fkd
        import nasion.data.load  # noqa: F401
    elif name.startswith("pandas"):
        import pandas  # noqa: F401
    started = time.perf_counter()
    images, points = READERS[name](path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    checksums = [
        int(images.sum(dtype=np.int64)),
        float(np.nansum(points, dtype=np.float64)),
        len(images),
    ]
    return {"seconds": seconds, "peak_mb": peak, "checksums": checksums}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="training.csv, or the folder of training.zip")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.path)))
        return
    results = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = options.path
        if path.is_dir():
            with zipfile.ZipFile(path / "training.zip") as archive:
                path = Path(archive.extract("training.csv", folder))
        for _ in range(options.rounds + 1):
            for name in READERS:
                worker = subprocess.run(
                    [sys.executable, __file__, str(path), "--only", name],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                results[name].append(json.loads(worker.stdout))
    checksums = {json.dumps(run["checksums"]) for runs in results.values() for run in runs}
    if len(checksums) > 1:
        sys.exit(f"The readers disagree: {checksums}")
    # The first round only fills the page cache and nasion's cache.
    print_table({name: runs[1:] for name, runs in results.items()})


def print_table(results):
    """A line per reader."""
    pandas_runs = results["pandas + np.fromstring"]
    pandas_peak = max(run["peak_mb"] for run in pandas_runs)
    print(
        f"{'':26}{'shortest s':>11}{'median s':>10}{'peak MB':>9}"
        f"{'time / pandas':>15}{'memory / pandas':>17}"
    )
    for name, runs in results.items():
        seconds = [run["seconds"] for run in runs]
        ratio = statistics.median(
            a["seconds"] / b["seconds"] for a, b in zip(runs, pandas_runs, strict=True)
        )
        peak = max(run["peak_mb"] for run in runs)
        print(
            f"{name:26}{min(seconds):11.3f}{statistics.median(seconds):10.3f}"
            f"{peak:9.0f}{ratio:15.2f}{peak / pandas_peak:17.2f}"
        )


if __name__ == "__main__":
    main()
