"""How soon a network of our own is as good as the published code on Kaggle's set: both in one
process, in turn.

Usage: OMP_NUM_THREADS=1 python benchmarks/race.py --data DIR [--epochs 3] [--runs FOLDER]
The published loop (float32, stem stride 1, one face at a time, 11 epochs) is timed on some batches
before and after our training,
its whole time follows from them; what it reaches on the honest split is in results/fkd_resnet.json
("as published"). Ours is
fkd_best with the network of face68_light, timed by the clock, validation and writing included. Into
results/fkd_best.json.
"""

import argparse
import json
import time
from pathlib import Path

from fkd import SMALL
from result_files import RESULTS, record
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
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    published = recipes.load_recipe("fkd_resnet")
    sides = load_train_val("fkd", options.data, scheme=published.spec.scheme)
    some = sides[0][: 24 * published.batch_size]
    speeds = [published_speed(published, some)]
    started = time.perf_counter()
    done = train(
        "fkd_best",
        options.data,
        run_folder=options.runs / f"race-{options.epochs}",
        changes=[*SMALL, f"epochs={options.epochs}"],
    )
    ours = time.perf_counter() - started
    speeds.append(published_speed(published, some))
    theirs = PUBLISHED_EPOCHS * len(sides[0]) / (sum(speeds) / len(speeds))
    scores = nasion.evaluate(load_model(done.folder, tta="none"), sides[1]).to_json()
    before = json.loads((RESULTS / "fkd_resnet.json").read_text())["runs"]["as published"]["0"]
    found = {
        "rmse": scores["rmse"],
        "rmse, plausible": scores["groups"]["labels"]["plausible"]["rmse"],
        "seconds": round(ours, 1),
        "seconds of the published loop": round(theirs, 1),
        "times as fast": round(theirs / ours, 2),
    }
    record("fkd_best", f"race, {options.epochs} epochs", 0, found, {})
    print(found)
    print(f"published settings: rmse {before['rmse']}, plausible {before['rmse, plausible']}")


if __name__ == "__main__":
    main()
