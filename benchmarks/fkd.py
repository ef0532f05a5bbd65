"""Trains a recipe of Kaggle's set in its variants, judges each on the honest validation split, and
writes results/<recipe>.json.

Usage: python benchmarks/fkd.py --data DIR [--recipe fkd_resnet] [--variants mask drop ...] [--seeds
       0 1 2] [--runs FOLDER]
Each finished run is written at once; runs that are there already are judged, not trained again, so
that it can be stopped
and started as one likes. From `as published` on, variants are of fkd_resnet: that one has the
published code's stem and start,
in float32.
"""

import argparse
from pathlib import Path

from result_files import record, spent, trained

import nasion
from nasion import recipes
from nasion.discovery import RECIPES
from nasion.inference.predictor import load_model

FACTS = {
    "data": "fkd, honest validation split: 1,166 of 5,541 faces, wrong labels included",
    "metric": (
        "rmse: root of the mean squared error of all labelled x and y values pooled, in "
        "pixels of the 96 x 96 picture"
    ),
}
SMALL = [
    "architecture.widths=16,32,64,128,128",
    "architecture.blocks=0,1,1,1,1",
    "architecture.neck=64",
]
VARIANTS = {
    "recipe": [],
    # Of fkd_best: how soon it is as good as the published code.
    "small network, 4 epochs": [*SMALL, "epochs=4"],
    "small network, 6 epochs": [*SMALL, "epochs=6"],
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
    "with doubtful labels": ["suspect_labels=keep"],
    "max-pool 2 x 2": ["architecture.stem_pool=2"],
}


def one(recipe, folder, data, changes):
    """Train (or find trained) and judge one run: what results/ keeps of it."""
    history = trained(recipe, data, folder, changes)
    judged = nasion.evaluate(
        load_model(folder, tta="none"), nasion.load_faces("fkd", data, "val")
    ).to_json()
    averaged = {}
    if recipes.load_recipe(recipe).spec.codec.stride:
        faces = nasion.load_faces("fkd", data, "val")
        for average in ("flip", "flip+shift"):
            scores = nasion.evaluate(load_model(folder, tta=average), faces).to_json()
            averaged[f"rmse, averaged over {average}"] = scores["rmse"]
            averaged[f"rmse, plausible, averaged over {average}"] = scores["groups"]["labels"][
                "plausible"
            ]["rmse"]
    groups = {
        f"rmse, {name}": scores["rmse"]
        for part in judged["groups"].values()
        for name, scores in part.items()
    }
    return {"rmse": judged["rmse"], **averaged, **groups, "nme": judged["nme"], **spent(history)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--recipe",
        default="fkd_resnet",
        choices=[name for name in RECIPES.names() if name.startswith("fkd_")],
    )
    parser.add_argument(
        "--variants", nargs="+", default=["mask", "drop", "forward_fill"], choices=VARIANTS
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    command = (
        f"nasion train {options.recipe} --data DIR (all runs: python benchmarks/fkd.py "
        f"--recipe {options.recipe} --data DIR)"
    )
    for seed in options.seeds:
        for name in options.variants:
            print(f"{name}, seed {seed}", flush=True)
            folder = options.runs / f"{options.recipe}-{name.replace(' ', '-')}-{seed}"
            found = one(options.recipe, folder, options.data, [*VARIANTS[name], f"seed={seed}"])
            record(options.recipe, name, seed, found, {"command": command, **FACTS})
            print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
