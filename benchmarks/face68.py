"""Trains, evaluates and exports the pretrained models face68 and face68_light.

Usage:
    python benchmarks/face68.py --data IBUG [--recipe face68] [--runs FOLDER] [--ship]

The recipe is trained twice. "held out" leaves out the validation faces and is evaluated on them.
"all faces" also learns from the validation faces, so it is not evaluated; it is the one to ship.
--ship exports both in 8 bits: "all faces" into src/nasion/inference/pretrained, "held out" into the
folder of runs, where its loss of accuracy is measured.
Results go to results/<recipe>.json. Interrupted runs are resumed, finished ones not trained again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from result_files import add_result, train_or_resume, training_summary

import nasion
from nasion import recipes
from nasion.inference.export import export_model, with_calibration_of
from nasion.inference.predictor import load_model

STAGES = {"held out": [], "all faces": ["hold_out=false"]}  # and the settings that each changes
LICENCE = (
    "weights learnt from iBUG 300-W, whose labels and photographs are for non-commercial research"
)
ROOT = Path(__file__).resolve().parents[1]


def evaluate_modes(model, faces):
    """NME in % with the default number of crops, with one crop ("one look"), and with flip TTA.

    Each overall and for HELEN and LFPW together; the default also by subset and with other scores.
    """
    scores, refine_steps = {}, model.spec.refine_steps
    for name, crops, tta in (
        ("", refine_steps, "none"),
        (", one look", 1, "none"),
        (", averaged over flip", refine_steps, "flip"),
    ):
        mode = replace(model, spec=replace(model.spec, refine_steps=crops), tta=tta)
        result = nasion.evaluate(mode, faces)
        in_subsets = np.isin(faces.group("subset"), ["helen", "lfpw"])
        subsets_nme = float(np.nanmean(result.face_nme[in_subsets]))
        scores[f"nme{name}"] = round(100 * result.overall.nme, 4)
        scores[f"nme{name}, helen and lfpw"] = round(100 * subsets_nme, 4)
        if not name:
            for subset, subset_scores in result.groups["subset"].items():
                scores[f"nme, {subset}"] = round(100 * subset_scores.nme, 4)
            scores["fr"] = round(100 * result.overall.fr, 4)
            scores["auc"] = round(100 * result.overall.auc, 4)
            if result.reliability:
                scores["score gap"] = round(result.reliability.gap, 4)
                scores["rank correlation"] = round(result.reliability.ranking, 4)
    return scores


def ship(recipe, name, folders, data, val_faces):
    """Export both runs in 8 bits; print what quantization costs the held-out one."""
    path = ROOT / "src" / "nasion" / "inference" / "pretrained" / f"{name}.onnx"
    held_out = folders["held out"].parent / f"{name}-held_out.onnx"
    train_faces = nasion.load_faces("ibug68", data, "train")
    runs = {stage: load_model(folder, tta=recipe.spec.tta) for stage, folder in folders.items()}
    for stage, file in (("held out", held_out), ("all faces", path)):
        # Scores must be calibrated on faces that the network has not learnt.
        model = with_calibration_of(runs[stage], folders[stage], folders["held out"])
        export_model(model, file, "int8", train_faces, LICENCE)
    before, after = (
        nasion.evaluate(load_model(model, tta="none"), val_faces).overall.nme
        for model in (folders["held out"], held_out)
    )
    print(
        f"{path}: {path.stat().st_size / 1e6:.2f} MB; NME of the held-out run "
        f"{100 * before:.3f} %, in 8 bits {100 * after:.3f} %"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset ibug68")
    parser.add_argument("--recipe", default="face68", choices=["face68", "face68_light"])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    parser.add_argument("--ship", action="store_true", help="export the pretrained model")
    options = parser.parse_args()
    recipe = recipes.load_recipe(options.recipe)
    val_faces = nasion.load_faces("ibug68", options.data, "val")
    folders = {
        stage: options.runs / f"{options.recipe}-{stage.replace(' ', '_')}-0" for stage in STAGES
    }
    facts = {
        "command": (
            f"nasion train {options.recipe} --data DIR (both: python "
            f"benchmarks/face68.py --data DIR --recipe {options.recipe})"
        ),
        "data": (
            "ibug68, honest split by photograph: 1,591 faces to train on, 421 to evaluate on, "
            "boxes tight"
        ),
        "metric": (
            "nme in % of the distance between the outer eye corners; of 'all faces' "
            "there are no scores, since it was trained on them"
        ),
    }
    for stage, folder in folders.items():
        history = train_or_resume(recipe, options.data, folder, STAGES[stage], every=10)
        scores = {}
        if stage == "held out":
            scores = evaluate_modes(load_model(folder), val_faces)
        add_result(options.recipe, stage, 0, {**scores, **training_summary(history)}, facts)
        print(stage, scores, flush=True)
    if options.ship:
        ship(recipe, options.recipe, folders, options.data, val_faces)


if __name__ == "__main__":
    main()
