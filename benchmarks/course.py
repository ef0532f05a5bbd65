"""Trains the course recipes and variants of them, and writes results/<recipe>.json.

Usage:
    python benchmarks/course.py --data DIR [--recipes imm_nose_khwaja ...] [--variants ...]
        [--set ...] [--seeds 0 1 2] [--runs FOLDER]

DIR is the folder of IMM for imm recipes, of iBUG for ibug recipes. The default is every imm recipe.
Runs are evaluated on the dataset's validation split, and added to the result file as soon as they
are finished. Interrupted runs are resumed, finished ones only evaluated again.
The variant "recipe" is the unchanged recipe.
"""

import argparse
from pathlib import Path

from result_files import add_result, train_or_resume, training_summary

import nasion
from nasion import recipes
from nasion.discovery import RECIPES

PARTS = {
    "average": "architecture.first_pool=average",
    "dropout": "architecture.dropout=0.2",
    "sigmoid": "architecture.sigmoid=true",
}
COMBINATIONS = [[name for k, name in enumerate(PARTS) if bits >> k & 1] for bits in range(8)]
NO_GEOMETRY = ["augment.flip=0", "augment.rotate=0", "augment.shift=0", "augment.shift_px=0"]
NO_LIGHT = [
    "augment.brightness=0",
    "augment.contrast=0",
    "augment.saturation=0",
    "augment.hue=0",
]
VARIANTS = {
    "recipe": [],
    # The three changes of Khwaja's second networks, in every combination.
    **{" + ".join(names) or "plain": [PARTS[name] for name in names] for names in COMBINATIONS},
    "no augmentation": [*NO_GEOMETRY, *NO_LIGHT],
    "geometry only": NO_LIGHT,
    "light only": NO_GEOMETRY,
    "without the mean start": ["start_at_mean=false"],
    "with the mean start": ["start_at_mean=true"],
    "learning rate 1e-3": ["optim.lr=1e-3"],
    "learning rate 1e-4": ["optim.lr=1e-4"],
    **{f"batch {size}": [f"batch_size={size}"] for size in (1, 2, 4, 8, 16, 32)},
}
DATA = {
    "imm": "IMM, persons 1 to 32 to train on (192 faces), persons 33 to 40 to evaluate on (48)",
    "ibug68": "ibug68, honest split by photograph: 1,591 faces to train on, 421 to evaluate on",
}
METRIC = {
    "imm": (
        "mse_relative: mean squared error of x / width and y / height, of the kept weights "
        "(best epoch); val_loss_last: of the last epoch's"
    ),
    "ibug68": (
        "nme in % of the distance between the outer eye corners; mae: mean absolute error "
        "of x and y in pixels of the whole image"
    ),
}


def train_and_evaluate(recipe, folder, data, changes):
    """One run's entry in results/: its scores, also by view and subset, and times."""
    value = recipes.load_recipe(recipe)
    history = train_or_resume(recipe, data, folder, changes, every=max(1, value.epochs // 5))
    scores = nasion.evaluate(folder, nasion.load_faces(value.data, data, "val")).to_json()
    views = scores["groups"].get("view", {})
    subsets = scores["groups"].get("subset", {})
    return {
        **{name: scores[name] for name in ("mse_relative", "rmse", "mae", "nme", "fr", "auc")},
        **{f"{name}_last": float(f"{history[-1][name]:.4g}") for name in ("loss", "val_loss")},
        **{f"mse_relative, {name}": view["mse_relative"] for name, view in views.items()},
        **{f"nme, {name}": subset["nme"] for name, subset in subsets.items()},
        **training_summary(history),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the recipes' dataset")
    parser.add_argument(
        "--recipes",
        nargs="+",
        default=[name for name in RECIPES.names() if name.startswith("imm_")],
    )
    parser.add_argument("--variants", nargs="+", default=["recipe"], choices=VARIANTS)
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        help="settings changed in every variant, such as epochs=25; added to the variants' names",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    options = parser.parse_args()
    for recipe in options.recipes:
        dataset = recipes.load_recipe(recipe).data
        command = (
            f"nasion train {recipe} --data DIR (all runs: python benchmarks/course.py "
            f"--data DIR --recipes {recipe} --variants ...)"
        )
        facts = {"command": command, "data": DATA[dataset], "metric": METRIC[dataset]}
        for variant in options.variants:
            name = ", ".join([variant, *options.set])
            for seed in options.seeds:
                print(f"{recipe}, {name}, seed {seed}", flush=True)
                folder = options.runs / f"{recipe}-{name.replace(' ', '_')}-{seed}"
                changes = [*VARIANTS[variant], *options.set, f"seed={seed}"]
                scores = train_and_evaluate(recipe, folder, options.data, changes)
                add_result(recipe, name, seed, scores, facts)
                print(f"  {scores}", flush=True)


if __name__ == "__main__":
    main()
