"""What each added data set brings to one network, kept apart or taken as the same: face68_light
with as many steps each, or as many epochs.

Usage: python benchmarks/sources.py --ibug DIR [--udacity DIR] [--imm DIR] [--fkd DIR] [--steps 1200
       | --epochs 10] [--runs FOLDER]
With --epochs every set's own faces are seen as often in a mix as alone, and sets are only kept
apart.
One network learns the union of all schemes' points; it is judged on each set's own validation
faces, in that set's scheme. Training
faces that look like a validation face of any of the sets are left out of all mixes, so that all are
compared fairly. Written
into results/face68_light.json; runs that are there are judged, not trained again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from result_files import changed, record, spent, trained

import nasion
from nasion.data.annotators import SeparateHeads
from nasion.data.datasets import recognise
from nasion.data.load import load_joint_train_val
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import fkd15, ibug68, imm58, union
from nasion.landmarks.faces import join
from nasion.recipes.face68_light import RECIPE

SCHEME = union("ibug68+imm58+fkd15", ibug68, imm58, fkd15)
OWN = {"ibug68": ibug68, "udacity68": ibug68, "imm": imm58, "15 points": fkd15, "4 points": fkd15}
# Points that several sets name: where each set's labels mean a place of their own is what is asked
# here.
SHARED = {
    "udacity68": SeparateHeads("udacity68", ibug68.points),
    "imm": SeparateHeads("imm", tuple(point for point in imm58.points if point in ibug68)),
    "15 points": SeparateHeads("15 points", fkd15.points),
    "4 points": SeparateHeads("4 points", fkd15.points),
}


def judged(folder, val_faces):
    """NME in % (of the outer eye corners.

    Fkd of the eye centres) and RMSE on each set's validation faces.
    """
    model, found = load_model(folder), {}
    # Points that a mix has no labels of would spoil the box of a second look.
    model = replace(model, spec=replace(model.spec, refine_steps=1))
    for source, scheme in OWN.items():
        some = val_faces[np.array(val_faces.groups["source"]) == source]
        if len(some):
            own = nasion.evaluate(model.predict(some).to(scheme), some.to(scheme)).to_json()
            found |= {f"nme, {source}": own["nme"], f"rmse, {source}": own["rmse"]}
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("ibug", "udacity", "imm", "fkd"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    paths = {
        name: getattr(options, name)
        for name in ("ibug", "udacity", "imm", "fkd")
        if getattr(options, name)
    }
    every_train, every = load_joint_train_val(list(paths.values()), SCHEME)
    kinds = {name: recognise(path) for name, path in paths.items()}
    train = {
        name: every_train[np.array([face.startswith(f"{kind}/") for face in every_train.ids])]
        for name, kind in kinds.items()
    }
    sources = {
        name: [part for key, part in SHARED.items() if key in set(side.groups["source"])]
        for name, side in train.items()
    }
    mixes = [([name], False) for name in paths] + [
        (["ibug", name], way) for name in paths if name != "ibug" for way in (False, True)
    ]
    if len(paths) > 2:
        mixes += [(list(paths), way) for way in (False, True)]
    for names, apart in mixes:
        if options.epochs and len(names) > 1 and not apart:
            continue
        faces = join(*(train[name] for name in names))
        length = f"{options.epochs} epochs" if options.epochs else f"{options.steps} steps"
        mix = f"sources, {length}: {' + '.join(names)}{', apart' if apart else ''}"
        print(mix, flush=True)
        parts = tuple(part for name in names for part in sources[name]) if apart else ()
        epochs = options.epochs or max(1, round(options.steps * RECIPE.batch_size / len(faces)))
        recipe = changed(RECIPE, scheme=SCHEME, separate_heads=tuple(parts), epochs=epochs)
        folder = options.runs / mix.replace(" ", "_").replace(",", "").replace(":", "")
        history = trained(recipe, (faces, every[:: max(1, len(every) // 200)]), folder, [], every=5)
        found = {**judged(folder, every), "training faces": len(faces), **spent(history)}
        record("face68_light", mix, 0, found, {})
        print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
