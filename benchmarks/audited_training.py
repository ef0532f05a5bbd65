"""Training on labels of which some are wrong: as they are, audited, and without the wrong ones.

Usage:
    python benchmarks/audited_training.py --data DATA [--sets imm fkd] [--share 0.05] [--seeds 3]
        [--save] [--missing]

Faults of all kinds (benchmarks/planted_faults.py) are planted into a share of the training faces.
Printed is the RMSE, in pixels, on other people's unchanged labels of networks that are fine-tuned
on: the unchanged labels; those with faults; those with faults but without what an audit calls wrong
(``nasion train --audited``). The damage is the second minus the first. imm: people 33 to 40 are
judged; fkd: every fourth cluster of photographs. All three trainings begin alike.
--save: into results/audited_training.json.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from planted_faults import kinds_for, plant
from result_files import add_result, has_result

import nasion
from nasion.audit.audit import labelled_faces
from nasion.audit.networks import face_boxes
from nasion.data.label_reading import AS_IT_SEEMS
from nasion.data.splits import linked_clusters
from nasion.data.suspects import without_suspects
from nasion.recipes import finetune
from nasion.training.starting_network import open_starting_network

FACTS = {
    "command": "python benchmarks/audited_training.py --data DATA --save",
    "data": "runs are named by set and share of faces with a planted fault; seeds draw faults",
    "metric": "rmse in pixels on other people's unchanged labels; undone: part of the damage",
}
START = "face68_light"
EPOCHS = 20
SHOWN = {"imm": 8_000, "fkd": 40_000}  # faces in a training


def sides(name, data):
    """(faces to train on, faces to judge on)."""
    faces = labelled_faces(data / name, AS_IT_SEEMS)
    if name == "imm":
        people = faces.group("person")
        judged = np.isin(people, sorted(set(people.tolist()))[32:])
    else:
        judged = linked_clusters(faces) % 4 == 0
    return faces[~judged], faces[judged]


def rmse_of(training, judged, shown, start):
    """After fine-tuning on these labels, in boxes of the detector."""
    spec = replace(start.spec, scheme=training.scheme, separate_heads=(), refine_steps=1)
    recipe = replace(
        finetune.RECIPE,
        data="audited",
        points_from="data",
        init_from=START,
        spec=replace(spec, whole_images=False, tight_boxes=False, tta="none"),
        architecture=start.architecture,
        epochs=EPOCHS,
        repeats=max(1, round(shown / (EPOCHS * len(training)))),
        keep="last",
    )
    with tempfile.TemporaryDirectory() as folder:
        nasion.train(recipe, (training, training), run_folder=Path(folder) / "run")
        found = nasion.load_model(Path(folder) / "run").predict(judged)
    return nasion.evaluate(found, judged).overall.rmse


def compare(name, data, share, seed):
    training, judged = sides(name, data)
    start = open_starting_network(START)
    # From the detector, as labels with faults would give other boxes.
    training = replace(training, boxes=face_boxes(start, training))
    judged = replace(judged, boxes=face_boxes(start, judged))
    changed, planted = plant(training, kinds_for(training.scheme), share, seed)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NASION_CACHE"] = cache
        audit = nasion.audit_labels(replace(changed, boxes=None))
    row = {
        kind: round(rmse_of(labels, judged, SHOWN[name], start), 4)
        for kind, labels in (
            ("unchanged", training),
            ("faults", changed),
            ("audited", without_suspects(changed, [audit])),
        )
    }
    damage = row["faults"] - row["unchanged"]
    row["undone"] = round((row["faults"] - row["audited"]) / damage, 3) if damage > 0 else None
    return {"planted": len(planted), **row}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SHOWN), choices=SHOWN)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="into results/audited_training.json")
    parser.add_argument("--missing", action="store_true", help="only runs that are not there yet")
    options = parser.parse_args()
    for name in options.sets:
        for seed in range(options.seeds):
            variant = f"{name}, {options.share:g}"
            if options.missing and has_result("audited_training", variant, seed):
                continue
            began = time.perf_counter()
            row = compare(name, options.data, options.share, seed)
            row["seconds"] = round(time.perf_counter() - began, 1)
            print(f"{variant}, seed {seed}: {row}", flush=True)
            if options.save:
                add_result("audited_training", variant, seed, row, FACTS)


if __name__ == "__main__":
    main()
