"""Trains the course's recipes in their variants, judges each on its validation side, and writes
results/<recipe>.json.

Usage: python benchmarks/course.py --data DIR [--recipes imm_nose_khwaja ...] [--variants ...]
       [--seeds 0 1 2] [--runs FOLDER]
DIR is the folder of IMM for imm recipes, of iBUG for ibug recipes. Each finished run is written at
once; runs that are there
are judged, not trained again. Variant "recipe" is the recipe as it is.
"""

import argparse
from pathlib import Path

from result_files import record, spent, trained

import nasion
from nasion import recipes
from nasion.discovery import RECIPES

PARTS = {
    "average": "architecture.first_pool=average",
    "dropout": "architecture.dropout=0.2",
    "sigmoid": "architecture.sigmoid=true",
}
COMBINED = [[name for k, name in enumerate(PARTS) if bits >> k & 1] for bits in range(8)]
FLAT = ["augment.flip=0", "augment.rotate=0", "augment.shift=0", "augment.shift_px=0"]
DARK = ["augment.brightness=0", "augment.contrast=0", "augment.saturation=0", "augment.hue=0"]
VARIANTS = {
    "recipe": [],
    # The three changes of Khwaja's second networks, each with and without the others.
    **{" + ".join(names) or "plain": [PARTS[name] for name in names] for names in COMBINED},
    "no augmentation": [*FLAT, *DARK],
    "geometry only": DARK,
    "light only": FLAT,
    "without the mean start": ["start_at_mean=false"],
    "with the mean start": ["start_at_mean=true"],
    "learning rate 1e-3": ["optim.lr=1e-3"],
    "learning rate 1e-4": ["optim.lr=1e-4"],
    **{f"batch {size}": [f"batch_size={size}"] for size in (1, 2, 4, 8, 16, 32)},
}
DATA = {
    "imm": "IMM, persons 1 to 32 to train on (192 faces), persons 33 to 40 to judge by (48)",
    "ibug68": "ibug68, honest split by photograph: 1,591 faces to train on, 421 to judge by",
}
METRIC = {
    "imm": (
        "mse_relative: mean squared error of x / width and y / height, of the kept weights "
        "(best epoch); val_loss_last: of the last epoch's"
    ),
    "ibug68": (
        "nme in % of the distance between the outer eye corners; mae: mean absolute error "
        "of x and y in pixels of the whole picture"
    ),
}


def one(recipe, folder, data, changes):
    """Train (or find trained) and judge one run: what results/ keeps of it."""
    value = recipes.load_recipe(recipe)
    history = trained(recipe, data, folder, changes, every=max(1, value.epochs // 5))
    judged = nasion.evaluate(folder, nasion.load_faces(value.data, data, "val")).to_json()
    last = {f"{name}_last": float(f"{history[-1][name]:.4g}") for name in ("loss", "val_loss")}
    wanted = ("mse_relative", "rmse", "mae", "nme", "fr", "auc")
    views = {
        f"mse_relative, {name}": scores["mse_relative"]
        for name, scores in judged["groups"].get("view", {}).items()
    }
    subsets = {
        f"nme, {name}": scores["nme"] for name, scores in judged["groups"].get("subset", {}).items()
    }
    return {**{name: judged[name] for name in wanted}, **last, **views, **subsets, **spent(history)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
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
        help="changes to all variants, as epochs=25; their names are added to the variant's",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    for recipe in options.recipes:
        data = recipes.load_recipe(recipe).data
        command = (
            f"nasion train {recipe} --data DIR (all runs: python benchmarks/course.py "
            f"--data DIR --recipes {recipe} --variants ...)"
        )
        for variant in options.variants:
            name = ", ".join([variant, *options.set])
            for seed in options.seeds:
                print(f"{recipe}, {name}, seed {seed}", flush=True)
                folder = options.runs / f"{recipe}-{name.replace(' ', '_')}-{seed}"
                found = one(
                    recipe, folder, options.data, [*VARIANTS[variant], *options.set, f"seed={seed}"]
                )
                record(
                    recipe,
                    name,
                    seed,
                    found,
                    {"command": command, "data": DATA[data], "metric": METRIC[data]},
                )
                print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
