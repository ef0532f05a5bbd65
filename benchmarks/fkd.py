"""Trains a recipe for Kaggle's keypoints in several variants, and writes results/<recipe>.json.

Usage:
    python benchmarks/fkd.py --data DIR [--recipe fkd_resnet] [--variants mask drop ...]
        [--seeds 0 1 2] [--runs FOLDER]

Runs are evaluated on the validation side of the honest split, and added to the result file as soon
as they are finished. Interrupted runs are resumed, finished ones only evaluated again.
The "small network" variants are for fkd_best, those from "as published" on for fkd_resnet.
"as published" has the published code's stem and initialisation, and trains in float32 on all faces.
"""

import argparse
from pathlib import Path

from result_files import add_result, train_or_resume, training_summary

import nasion
from nasion import recipes
from nasion.discovery import RECIPES
from nasion.inference.predictor import load_model

FACTS = {
    "data": "fkd, honest validation split: 1,166 of 5,541 faces, wrong labels included",
    "metric": (
        "rmse: root of the mean squared error of all labelled x and y values pooled, in "
        "pixels of the 96 x 96 image"
    ),
}
SMALL_NETWORK = [
    "architecture.widths=16,32,64,128,128",
    "architecture.blocks=0,1,1,1,1",
    "architecture.neck=64",
]
VARIANTS = {
    "recipe": [],
    # How many epochs fkd_best needs to match the published code; see race.py.
    "small network, 4 epochs": [*SMALL_NETWORK, "epochs=4"],
    "small network, 6 epochs": [*SMALL_NETWORK, "epochs=6"],
    "mask": ["missing=mask"],
    "drop": ["missing=drop"],
    "forward_fill": ["missing=forward_fill"],
    "as published": [
        "architecture.stem_stride=1",
        "architecture.stem_kernel=3",
        "architecture.stem_pool=2",
        "start_at_mean=false",
        "suspect_labels=keep",
        "precision=float32",
    ],
    "stem stride 1": ["architecture.stem_stride=1"],
    "without the mean start": ["start_at_mean=false"],
    "with suspect labels": ["suspect_labels=keep"],
    "max-pool 2 x 2": ["architecture.stem_pool=2"],
}


def train_and_evaluate(recipe, folder, data, changes):
    """One run's entry in results/: its scores without and with TTA, by group, and times."""
    history = train_or_resume(recipe, data, folder, changes)
    faces = nasion.load_faces("fkd", data, "val")
    scores = nasion.evaluate(load_model(folder, tta="none"), faces).to_json()
    with_tta = {}
    if recipes.load_recipe(recipe).spec.codec.stride:
        for tta in ("flip", "flip+shift"):
            tta_scores = nasion.evaluate(load_model(folder, tta=tta), faces).to_json()
            plausible = tta_scores["groups"]["labels"]["plausible"]
            with_tta[f"rmse, averaged over {tta}"] = tta_scores["rmse"]
            with_tta[f"rmse, plausible, averaged over {tta}"] = plausible["rmse"]
    by_group = {
        f"rmse, {name}": group_scores["rmse"]
        for groups in scores["groups"].values()
        for name, group_scores in groups.items()
    }
    return {
        "rmse": scores["rmse"],
        **with_tta,
        **by_group,
        "nme": scores["nme"],
        **training_summary(history),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset fkd")
    parser.add_argument(
        "--recipe",
        default="fkd_resnet",
        choices=[name for name in RECIPES.names() if name.startswith("fkd_")],
    )
    parser.add_argument(
        "--variants", nargs="+", default=["mask", "drop", "forward_fill"], choices=VARIANTS
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    options = parser.parse_args()
    command = (
        f"nasion train {options.recipe} --data DIR (all runs: python benchmarks/fkd.py "
        f"--recipe {options.recipe} --data DIR)"
    )
    for seed in options.seeds:
        for name in options.variants:
            print(f"{name}, seed {seed}", flush=True)
            folder = options.runs / f"{options.recipe}-{name.replace(' ', '-')}-{seed}"
            changes = [*VARIANTS[name], f"seed={seed}"]
            scores = train_and_evaluate(options.recipe, folder, options.data, changes)
            add_result(options.recipe, name, seed, scores, {"command": command, **FACTS})
            print(f"  {scores}", flush=True)


if __name__ == "__main__":
    main()
