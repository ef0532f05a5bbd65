"""What each dataset of face68_light brings to each test: trains on fewer of them, from the start.

Usage:
    python benchmarks/set_ablation.py --data DATA [--mixtures NAME ...] [--epochs 60]
        [--runs FOLDER]

DATA holds the datasets of face_sets.py. Of the points learnt here MTFL labels only two, so its
faces are labelled by networks: by those of benchmarks/face68.py if its runs are in the same folder
(completed/mtfl5.npz), else by the two that are shipped.
All other labels are used as they are, missing ones left out of the loss.
Mixtures: iBUG alone, iBUG and one other set, all, and all but one. "equal passes": sets are shown
as often as in "all", so smaller mixtures make fewer steps. "equal steps": as many steps as "all".
60 epochs of all sets are the length of the recipe's stage "labels" in benchmarks/face68.py.
Errors are those of any_pose.py, on the same people held out, but with boxes given.
One seed each. Each run is added to results/set_ablation.json as soon as it is finished.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from any_pose import interval, load_tests
from face_sets import (
    FIRST_SHARES,
    completed_once,
    load_mtfl,
    load_sets,
    prefixed,
    read_completed,
    sample,
)
from result_files import add_result, read_result, train_or_resume

import nasion
from nasion import recipes
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import ibug68

# Sets that come and go together.
ADDED = {
    "cfp": ("cfp_profile", "cfp_frontal"),
    "fgnet": ("fgnet",),
    "webmorph": ("webmorph",),
    "mtfl5": ("mtfl5",),
    "udacity68": ("udacity68",),
}
EVERYTHING = ("ibug68", *(name for names in ADDED.values() for name in names))
MIXTURES = {
    "all": EVERYTHING,
    "ibug68 alone": ("ibug68",),
    **{f"ibug68 and {name}": ("ibug68", *names) for name, names in ADDED.items()},
    **{
        f"all but {name}": tuple(each for each in EVERYTHING if each not in names)
        for name, names in ADDED.items()
    },
}


def labelled_mtfl(data, runs):
    """MTFL's faces with the points that networks gave them."""
    path = runs / "completed" / "mtfl5.npz"
    if not path.exists():
        networks = [load_model(name, tta="none") for name in ("face68_light", "face68")]
        completed_once(load_mtfl(data / "mtfl5", networks[0]), networks, path)
    ids, points, boxes = read_completed(path)
    faces = prefixed(nasion.load_faces("mtfl5", data / "mtfl5").to(ibug68), "mtfl5")
    row = {name: i for i, name in enumerate(faces.ids)}
    faces = faces[np.array([row[name] for name in ids])]
    return replace(faces, points=points, boxes=boxes)


def mixture_faces(train, names):
    """The faces that one epoch shows."""
    return sample({name: train[name] for name in names}, FIRST_SHARES)


def scores_of(folder, tests):
    """Mean errors in % with their intervals, in boxes given; medians of profiles too."""
    model, scores = load_model(folder, tta="none"), {}
    for name, test in tests.items():
        errors = test.errors(model.predict(test.faces).points, test.faces.points)
        for part, places in test.parts.items():
            of_faces = errors[:, places].mean(axis=1)
            scores[f"{name}, {part}"] = interval(of_faces)
            scores[f"{name}, {part}, median"] = round(float(np.median(of_faces)), 3)
    return scores


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--mixtures", nargs="+", default=list(MIXTURES), choices=list(MIXTURES))
    parser.add_argument("--epochs", type=int, default=60, help="of all sets")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    options = parser.parse_args()
    train, val = load_sets(options.data)
    train["mtfl5"] = labelled_mtfl(options.data, options.runs)
    val = replace(val["ibug68"][::3], groups={}, linked=())
    tests = load_tests(options.data, 1)
    whole = len(mixture_faces(train, EVERYTHING))
    for name in options.mixtures:
        faces = mixture_faces(train, MIXTURES[name])
        lengths = {"equal passes": options.epochs}
        # Without one set the two lengths are nearly the same.
        if name.startswith("ibug68"):
            lengths["equal steps"] = round(options.epochs * whole / len(faces))
        for length, epochs in lengths.items():
            title = f"{name}, {length}, {options.epochs} epochs"
            if read_result("set_ablation", title, 0):
                continue
            recipe = replace(recipes.load_recipe("face68_light"), epochs=epochs, face_head=False)
            folder = options.runs / f"sets-{title.replace(', ', '-').replace(' ', '_')}-0"
            history = train_or_resume(recipe, (faces, val), folder, [], 10)
            facts = {
                "command": "python benchmarks/set_ablation.py --data DATA --runs FOLDER",
                "data": "training as in benchmarks/face_sets.py, labels as they are; tests as in "
                "benchmarks/any_pose.py, boxes given",
                "metric": "mean error in % with its 95 % interval over faces; any_pose.py",
            }
            scores = scores_of(folder, tests)
            scores["faces seen"] = epochs * len(faces)
            scores["seconds"] = round(sum(row["seconds"] for row in history), 1)
            add_result("set_ablation", title, 0, scores, facts)
            print(title, scores, flush=True)


if __name__ == "__main__":
    main()
