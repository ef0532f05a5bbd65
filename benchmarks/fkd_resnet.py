"""Trains fkd_resnet in its variants, judges each on the honest validation split, and writes results/fkd_resnet.json.

Usage: python benchmarks/fkd_resnet.py --data DIR [--variants mask drop ...] [--seeds 0 1 2] [--runs FOLDER]
Each finished run is written at once; runs that are there already are judged, not trained again, so that it can be stopped
and started as one likes. `as published` has the published code's stem and start, in float32.
"""

import argparse
import json
import os
import platform
import subprocess
from datetime import date
from pathlib import Path

import torch

import nasion
from nasion import run
from nasion.experiment import train
from nasion.files import write_text

VARIANTS = {
    "mask": [],
    "drop": ["missing=drop"],
    "forward_fill": ["missing=forward_fill"],
    "as published": ["model.stem_stride=1", "model.stem_kernel=3", "model.stem_pool=2", "start_at_mean=false", "doubtful=keep", "precision=float32"],
    "stem stride 1": ["model.stem_stride=1"],
    "without the mean start": ["start_at_mean=false"],
    "with doubtful labels": ["doubtful=keep"],
    "max-pool 2 x 2": ["model.stem_pool=2"],
}
OUT = Path(__file__).resolve().parents[1] / "results" / "fkd_resnet.json"


class Lines:
    """A line per epoch."""

    def step(self, state, faces_per_second):
        pass

    def epoch(self, state, row):
        print(f"  epoch {row['epoch']:.0f}: loss {row['loss']:.3f}, val {row['val']:.3f}, {row['seconds']:.1f} s", flush=True)


def one(folder, data, changes):
    """Train (or find trained) and judge one run: what results/ keeps of it."""
    if not (folder / "done").exists():
        resume = (folder / run.CHECKPOINT).exists()
        train("fkd_resnet", data, run_folder=folder, changes=changes, resume=resume, watchers=(Lines(),))
        (folder / "done").touch()
    history = run.history(folder)
    judged = nasion.evaluate(folder, nasion.load_faces("fkd", data, "val")).to_json()
    groups = {f"rmse, {name}": scores["rmse"] for part in judged["groups"].values() for name, scores in part.items()}
    return {
        "rmse": judged["rmse"],
        **groups,
        "nme": judged["nme"],
        "best_epoch": min(history, key=lambda row: row["val"])["epoch"],
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "seconds_per_epoch": round(sum(row["seconds"] for row in history) / len(history), 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", default=["mask", "drop", "forward_fill"], choices=VARIANTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.variants:
            print(f"{name}, seed {seed}", flush=True)
            folder = options.runs / f"fkd_resnet-{name.replace(' ', '-')}-{seed}"
            found = one(folder, options.data, [*VARIANTS[name], f"seed={seed}"])
            record(name, seed, found)
            print(f"  {found}", flush=True)


def record(name, seed, found):
    """Put one run into the result file, which another process may be writing as well."""
    whole = json.loads(OUT.read_text()) if OUT.exists() else {"runs": {}}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=OUT.parent, capture_output=True, text=True).stdout.strip()
    whole |= {
        "command": "nasion train fkd_resnet --data DIR (all runs: python benchmarks/fkd_resnet.py --data DIR)",
        "commit": commit,
        "date": str(date.today()),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} used, torch {torch.__version__}",
        "data": "fkd, honest validation split: 1,166 of 5,541 faces, wrong labels included",
        "metric": "rmse: root of the mean squared error of all labelled x and y values pooled, in pixels of the 96 x 96 picture",
    }
    whole["runs"].setdefault(name, {})[str(seed)] = found
    whole["seconds"] = whole["runs"].get("mask", {}).get("0", found)["seconds"]
    write_text(OUT, json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
