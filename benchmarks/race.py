"""Training time of a small fkd_best against the published PyTorch code on Kaggle's keypoints.

Usage:
    OMP_NUM_THREADS=1 python benchmarks/race.py --data DIR [--epochs 3] [--runs FOLDER]

Ours is fkd_best with the architecture of face68_light. Its time is wall-clock time, including
validation and checkpoints.
The published loop (float32, stem stride 1, one face at a time, 11 epochs) is not run to the end:
its speed is measured on 24 batches before and after our training, in the same process, and its time
extrapolated. What it reaches on the honest split is "as published" in results/fkd_resnet.json.
The result is added to results/fkd_best.json.
"""

import argparse
import json
import time
from pathlib import Path

from fkd import SMALL_NETWORK
from result_files import RESULTS, add_result
from train_step import published_speed

import nasion
from nasion import recipes
from nasion.data.load import load_train_val
from nasion.inference.predictor import load_model
from nasion.training.train import train

PUBLISHED_EPOCHS = 11


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset fkd")
    parser.add_argument("--epochs", type=int, default=3, help="of our training")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folder")
    options = parser.parse_args()
    published = recipes.load_recipe("fkd_resnet")
    train_faces, val_faces = load_train_val("fkd", options.data, scheme=published.spec.scheme)
    timed_faces = train_faces[: 24 * published.batch_size]
    speeds = [published_speed(published, timed_faces)]
    started = time.perf_counter()
    run = train(
        "fkd_best",
        options.data,
        run_folder=options.runs / f"race-{options.epochs}",
        changes=[*SMALL_NETWORK, f"epochs={options.epochs}"],
    )
    our_seconds = time.perf_counter() - started
    speeds.append(published_speed(published, timed_faces))
    mean_speed = sum(speeds) / len(speeds)
    published_seconds = PUBLISHED_EPOCHS * len(train_faces) / mean_speed
    scores = nasion.evaluate(load_model(run.folder, tta="none"), val_faces).to_json()
    result = {
        "rmse": scores["rmse"],
        "rmse, plausible": scores["groups"]["labels"]["plausible"]["rmse"],
        "seconds": round(our_seconds, 1),
        "seconds of the published loop": round(published_seconds, 1),
        "times as fast": round(published_seconds / our_seconds, 2),
    }
    runs = json.loads((RESULTS / "fkd_resnet.json").read_text())["runs"]
    reference = runs["as published"]["0"]
    add_result("fkd_best", f"race, {options.epochs} epochs", 0, result, {})
    print(result)
    print(
        f"published settings: rmse {reference['rmse']}, "
        f"on plausible labels {reference['rmse, plausible']}"
    )


if __name__ == "__main__":
    main()
