"""Joint training on several datasets: what each one adds, with separate heads or shared outputs.

Usage:
    python benchmarks/sources.py --ibug DIR [--udacity DIR] [--imm DIR] [--fkd DIR]
        [--steps 1200 | --epochs 10] [--runs FOLDER]

face68_light learns the union of all schemes' points from each dataset alone, from ibug with each
other one, and from all together. It is evaluated on each dataset's validation faces, in the
dataset's own scheme.
--steps: every training has about the same number of steps.
--epochs: every dataset's own faces are seen as often in a mixture as alone; mixtures are trained
with separate heads only.
Training faces from a photograph that is a validation face of any of the datasets are left out
everywhere, so that all trainings are comparable. Results go to results/face68_light.json.
Interrupted runs are resumed, finished ones only evaluated again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from result_files import add_result, train_or_resume, training_summary, with_settings

import nasion
from nasion.data.annotators import SeparateHeads
from nasion.data.datasets import recognise
from nasion.data.load import load_joint_train_val
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import fkd15, ibug68, imm58, union
from nasion.landmarks.faces import join
from nasion.recipes.face68_light import RECIPE

DATASETS = ("ibug", "udacity", "imm", "fkd")
SCHEME = union("ibug68+imm58+fkd15", ibug68, imm58, fkd15)
# By the group ``source``: fkd has two, its annotators.
OWN_SCHEMES = {
    "ibug68": ibug68,
    "udacity68": ibug68,
    "imm": imm58,
    "15 points": fkd15,
    "4 points": fkd15,
}
# The points that a source shares with others. Separate heads help if it means other places by them.
SEPARATE_HEADS = {
    "udacity68": SeparateHeads("udacity68", ibug68.points),
    "imm": SeparateHeads("imm", tuple(point for point in imm58.points if point in ibug68)),
    "15 points": SeparateHeads("15 points", fkd15.points),
    "4 points": SeparateHeads("4 points", fkd15.points),
}


def evaluate_by_source(folder, val_faces):
    """NME in % (of the outer eye corners; fkd: of the eye centres) and RMSE for each source."""
    model, scores = load_model(folder), {}
    # One crop: a second one would follow points that this mixture has no labels for.
    model = replace(model, spec=replace(model.spec, refine_steps=1))
    for source, scheme in OWN_SCHEMES.items():
        faces = val_faces[np.array(val_faces.groups["source"]) == source]
        if len(faces):
            predictions = model.predict(faces).to(scheme)
            own = nasion.evaluate(predictions, faces.to(scheme)).to_json()
            scores |= {f"nme, {source}": own["nme"], f"rmse, {source}": own["rmse"]}
    return scores


def mixtures(names):
    """(datasets, whether heads are separate): each alone, ibug with each other one, all."""
    others = [name for name in names if name != "ibug"]
    found = [([name], False) for name in names]
    found += [(["ibug", name], separate) for name in others for separate in (False, True)]
    if len(names) > 2:
        found += [(names, separate) for separate in (False, True)]
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in DATASETS:
        parser.add_argument(f"--{name}", type=Path, help="folder of this dataset")
    parser.add_argument("--steps", type=int, default=1200, help="of each training")
    parser.add_argument("--epochs", type=int, help="of each training, instead of --steps")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    options = parser.parse_args()
    paths = {name: getattr(options, name) for name in DATASETS if getattr(options, name)}
    train_faces, val_faces = load_joint_train_val(list(paths.values()), SCHEME)
    by_dataset, heads = {}, {}
    for name, path in paths.items():
        prefix = f"{recognise(path)}/"
        own = np.array([face.startswith(prefix) for face in train_faces.ids])
        by_dataset[name] = train_faces[own]
        sources = set(by_dataset[name].groups["source"])
        heads[name] = [head for source, head in SEPARATE_HEADS.items() if source in sources]
    for names, separate in mixtures(list(paths)):
        if options.epochs and len(names) > 1 and not separate:
            continue
        faces = join(*(by_dataset[name] for name in names))
        length = f"{options.epochs} epochs" if options.epochs else f"{options.steps} steps"
        variant = f"sources, {length}: {' + '.join(names)}{', apart' if separate else ''}"
        print(variant, flush=True)
        epochs = options.epochs or max(1, round(options.steps * RECIPE.batch_size / len(faces)))
        own_heads = tuple(head for name in names for head in heads[name]) if separate else ()
        recipe = with_settings(RECIPE, scheme=SCHEME, separate_heads=own_heads, epochs=epochs)
        folder = options.runs / variant.replace(" ", "_").replace(",", "").replace(":", "")
        some_val = val_faces[:: max(1, len(val_faces) // 200)]  # about 200, after every epoch
        history = train_or_resume(recipe, (faces, some_val), folder, [], every=5)
        scores = evaluate_by_source(folder, val_faces)
        result = {**scores, "training faces": len(faces), **training_summary(history)}
        add_result("face68_light", variant, 0, result, {})
        print(f"  {result}", flush=True)


if __name__ == "__main__":
    main()
