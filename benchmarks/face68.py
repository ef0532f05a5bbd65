"""How the shipped networks are made and judged: face68 or face68_light twice,
results/<recipe>.json, and the files to ship.

Usage: python benchmarks/face68.py --data IBUG [--recipe face68] [--runs FOLDER] [--ship]
"held out": the recipe, which says how good the network is. "all faces": the same with the
validation faces learnt too; that one is
shipped (--ship: in 8 bits, into src/nasion/inference/pretrained).
Runs that are there are judged, not trained again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from result_files import record, spent, trained

import nasion
from nasion import recipes
from nasion.inference.export import export_model, with_calibration_of
from nasion.inference.predictor import load_model

CHANGES = {"held out": [], "all faces": ["hold_out=false"]}
LICENCE = (
    "weights learnt from iBUG 300-W, whose labels and photographs are for non-commercial research"
)
ROOT = Path(__file__).resolve().parents[1]


def judged(model, faces):
    """NME in %: all, by subset, HELEN and LFPW together.

    One look, all, and the mirrored view averaged.
    """
    found, looks = {}, model.spec.refine_steps
    for name, passes, average in (
        ("", looks, "none"),
        (", one look", 1, "none"),
        (", averaged over flip", looks, "flip"),
    ):
        result = nasion.evaluate(
            replace(model, spec=replace(model.spec, refine_steps=passes), tta=average), faces
        )
        easy = np.isin(faces.group("subset"), ["helen", "lfpw"])
        found[f"nme{name}"] = round(100 * result.overall.nme, 4)
        found[f"nme{name}, helen and lfpw"] = round(
            100 * float(np.nanmean(result.face_nme[easy])), 4
        )
        if not name:
            found |= {
                f"nme, {subset}": round(100 * scores.nme, 4)
                for subset, scores in result.groups["subset"].items()
            }
            found |= {
                "fr": round(100 * result.overall.fr, 4),
                "auc": round(100 * result.overall.auc, 4),
            }
            if result.reliability:
                found |= {
                    "score gap": round(result.reliability.gap, 4),
                    "rank correlation": round(result.reliability.ranking, 4),
                }
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="face68", choices=["face68", "face68_light"])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--ship", action="store_true")
    options = parser.parse_args()
    recipe, faces = (
        recipes.load_recipe(options.recipe),
        nasion.load_faces("ibug68", options.data, "val"),
    )
    folders = {
        stage: options.runs / f"{options.recipe}-{stage.replace(' ', '_')}-0" for stage in CHANGES
    }
    facts = {
        "command": (
            f"nasion train {options.recipe} --data DIR (both: python "
            f"benchmarks/face68.py --data DIR --recipe {options.recipe})"
        ),
        "data": (
            "ibug68, honest split by photograph: 1,591 faces to train on, 421 to judge by, "
            "boxes tight"
        ),
        "metric": (
            "nme in % of the distance between the outer eye corners; of 'all faces' "
            "nothing is judged, since it has learnt them"
        ),
    }
    for stage, folder in folders.items():
        history = trained(recipe, options.data, folder, CHANGES[stage], every=10)
        scores = {} if stage == "all faces" else judged(load_model(folder), faces)
        record(options.recipe, stage, 0, {**scores, **spent(history)}, facts)
        print(stage, scores, flush=True)
    if options.ship:
        path = ROOT / "src" / "nasion" / "inference" / "pretrained" / f"{options.recipe}.onnx"
        train_faces = nasion.load_faces("ibug68", options.data, "train")
        held_out = options.runs / f"{options.recipe}-held_out.onnx"
        runs = {stage: load_model(folder, tta=recipe.spec.tta) for stage, folder in folders.items()}
        for stage, at in (("held out", held_out), ("all faces", path)):
            export_model(
                with_calibration_of(runs[stage], folders[stage], folders["held out"]),
                at,
                "int8",
                train_faces,
                LICENCE,
            )
        before, after = (
            nasion.evaluate(load_model(what, tta="none"), faces).overall.nme
            for what in (folders["held out"], held_out)
        )
        print(
            f"{path}: {path.stat().st_size / 1e6:.2f} MB; NME of the run that held faces out "
            f"{100 * before:.3f} %, in 8 bits {100 * after:.3f} %"
        )


if __name__ == "__main__":
    main()
