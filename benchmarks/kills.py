"""Kill commands at random moments: what they leave is whole, and trainings resume bit for bit.

Usage:
    python benchmarks/kills.py [--trainings 40] [--predictions 40] [--exports 20] [--seed 0]
        [--json FILE]

Trainings: toy faces, 6 epochs; killed (SIGKILL) and resumed until they end, then weights and
history are compared with those of a training that was left alone.
Predictions: twelve images into a folder that holds an earlier result. After each kill
predictions.json and predictions.csv must be the earlier ones or complete, and every drawing whole.
Exports: the ONNX file must be absent, or open and predict.
A command that starts after a kill must remove the temporary files that the kill left.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from nasion.data.datasets import toy
from nasion.inference.predictor import load_model
from nasion.media.images import image_problem

TRAIN = ["train", "toy_demo", "--data", "toy:40", "--set", "epochs=6", "--run"]
KEPT = ("model.safetensors", "history.json")


def start(words, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "nasion", *map(str, words)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def run_or_kill(words, folder, after):
    """(True if it was killed, what it wrote to stderr); ``after`` seconds, None: left alone."""
    process = start(words, folder)
    try:
        _, errors = process.communicate(timeout=after)
        return False, errors.decode()
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True, ""


def seconds_of(words, folder):
    begin = time.perf_counter()
    process = start(words, folder)
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {errors.decode()}")
    return time.perf_counter() - begin


def leftovers(folder):
    return [path for path in folder.rglob("*") if path.name.startswith((".nasion-", ".export-"))]


def kill_trainings(kills, folder, rng):
    """(kills, broken) of trainings that are resumed until they end."""
    length = seconds_of([*TRAIN, "whole"], folder)
    done, broken, attempt = 0, [], 0
    while done < kills:
        attempt += 1
        run, resume = folder / f"killed-{attempt}", []
        is_killed = True
        while is_killed:
            after = rng.uniform(0.2, 1.1) * length if done < kills else None
            is_killed, errors = run_or_kill([*TRAIN, run, *resume], folder, after)
            done += is_killed
            # Killed before its first checkpoint a training starts anew.
            resume = ["--resume"] if (run / "checkpoint.safetensors").is_file() else []
            if is_killed and not resume and run.exists():
                shutil.rmtree(run)
        differing = [n for n in KEPT if not same_file(folder / "whole" / n, run / n)]
        broken += [f"training {attempt}: {name} differs {errors[-300:]}" for name in differing]
        broken += [f"training {attempt}: {path} is left" for path in leftovers(run)]
    return done, broken


def same_file(first, second):
    if not second.is_file():
        return False
    if first.suffix != ".json":
        return first.read_bytes() == second.read_bytes()
    # Seconds differ from run to run.
    strip = [
        [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in json.loads(p.read_text())]
        for p in (first, second)
    ]
    return strip[0] == strip[1]


def kill_predictions(kills, folder, rng):
    """(kills, broken) of predictions into a folder with an earlier result."""
    images = folder / "images"
    images.mkdir()
    for number, pixels in enumerate(toy.draw(12, seed=3).images):
        Image.fromarray(np.asarray(pixels)).resize((480, 480)).save(images / f"{number:02d}.png")
    words = ["predict", "images", "--no-detect", "-f", "json", "-f", "csv", "-f", "image"]
    length = seconds_of([*words, "--out", "out"], folder)
    texts = [folder / "out" / f"predictions{suffix}" for suffix in (".json", ".csv")]
    whole = [path.read_bytes() for path in texts]
    done, broken = 0, []
    while done < kills:
        # Names an earlier result that differs, so that it can be told from a new one.
        for path, data in zip(texts, whole, strict=True):
            path.write_bytes(data + b"\n")
        is_killed, errors = run_or_kill(
            [*words, "--out", "out"], folder, rng.uniform(0.1, 1.0) * length
        )
        done += is_killed
        for path, data in zip(texts, whole, strict=True):
            if path.read_bytes() not in (data, data + b"\n"):
                broken.append(f"prediction {done}: {path.name} is neither old nor new {errors}")
        drawings = [path for path in (folder / "out").glob("*.jpg") if image_problem(path)]
        broken += [f"prediction {done}: {path.name} is damaged" for path in drawings]
    seconds_of([*words, "--out", "out"], folder)
    return done, broken + [f"predictions: {path} is left" for path in leftovers(folder / "out")]


def kill_exports(kills, folder, rng):
    """(kills, broken) of exports of the training that was left alone."""
    words = ["export", "whole", "exports/net.onnx"]
    (folder / "exports").mkdir()
    length = seconds_of(words, folder)
    face = np.zeros((64, 64), dtype=np.uint8)
    expected = load_model(folder / "exports" / "net.onnx")([face]).points
    done, broken = 0, []
    while done < kills:
        (folder / "exports" / "net.onnx").unlink(missing_ok=True)
        done += run_or_kill(words, folder, rng.uniform(0.3, 1.05) * length)[0]
        path = folder / "exports" / "net.onnx"
        if path.is_file() and not np.array_equal(load_model(path)([face]).points, expected):
            broken.append(f"export {done}: {path} predicts otherwise")
    seconds_of(words, folder)
    return done, broken + [f"exports: {path} is left" for path in leftovers(folder / "exports")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trainings", type=int, default=40)
    parser.add_argument("--predictions", type=int, default=40)
    parser.add_argument("--exports", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for what, kill in (
            ("trainings", kill_trainings),
            ("predictions", kill_predictions),
            ("exports", kill_exports),
        ):
            begin = time.perf_counter()
            kills, broken = kill(getattr(options, what), Path(name), rng)
            results[what] = {"kills": kills, "broken": broken}
            seconds = time.perf_counter() - begin
            print(f"{what}: {kills} kills, {len(broken)} broken, {seconds:.0f} s", flush=True)
            for problem in broken:
                print(f"  {problem}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
