"""Trains, evaluates and exports the pretrained models face68 and face68_light.

Usage:
    python benchmarks/face68.py --data DATA [--recipe face68] [--runs FOLDER] [--until STAGE]
        [--gpu FOLDER] [--ship]

DATA holds the datasets of face_sets.py. A recipe is trained in stages, each from the weights of the
one before (STAGES below):
"labels": from random weights, on the labels as they are. Missing ones are left out of the loss.
"completed": the "labels" runs of both recipes complete the faces' points, label MTFL's turned heads
and relabel udacity68's frames. "completed again": the same, with other shares of the sets.
"taught": trained on a GPU from there, by benchmarks/gpu.py (stage face68), with the points of a
larger network; --gpu names its output. "finished": a few epochs more, at a rate that falls to zero.
"all faces": the same with the faces that were held out.
"closed eyes": from either, with faces whose eyes are closed (closed_eyes.py).
"as labelled": from there, without mirrored faces: labels are not quite mirror-symmetric. "as
labelled, all faces" is shipped, and not evaluated on iBUG's.
--ship exports the last stage in 8 bits into src/nasion/inference/pretrained, with scores calibrated
by the last stage that held faces out, and that one into the folder of runs, where its loss of
accuracy is measured. Results go to results/<recipe>.json; benchmarks/any_pose.py judges models.
Interrupted runs are resumed, finished ones not trained again.
"""

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from closed_eyes import closed_eyes_faces
from face_sets import (
    FIRST_SHARES,
    LAST_SHARES,
    SHARES,
    complete_sets,
    load_sets,
    own_labels,
    sample,
    taught_sets,
)
from result_files import (
    add_result,
    is_finished,
    read_result,
    train_or_resume,
    training_summary,
)

import nasion
from nasion import recipes
from nasion.data.load import load_train_val
from nasion.inference import run_folder
from nasion.inference.checkpoint import load_tensors, save_tensors
from nasion.inference.export import export_model
from nasion.inference.predictor import calibrate, load_model
from nasion.inference.training_record import TrainingRecord
from nasion.landmarks.faces import join
from nasion.media.files import write_text
from nasion.training.face_head import add_face_head


@dataclass(frozen=True)
class Stage:
    """``start``: the stage whose weights it starts from. ``head``: train a face head too.

    ``rate``: the highest learning rate; None: the recipe's own. ``shares``: of the sets.
    ``taught``: with a larger network's points. ``gpu``: the run of benchmarks/gpu.py that it is.
    ``closed_eyes``: with the faces of closed_eyes.py too. ``mirrored``: half of the faces are.
    """

    name: str
    epochs: int
    start: str | None = None
    completed: bool = False
    all_faces: bool = False
    rate: float | None = None
    head: bool = True
    shares: dict[str, float] = field(default_factory=lambda: SHARES)
    taught: bool = False
    gpu: str | None = None
    closed_eyes: bool = False
    mirrored: bool = True


def taught_from(start):
    """The two runs of the GPU."""
    return (
        Stage("taught", 0, start, head=False, gpu="held_out"),
        Stage("taught, all faces", 0, start, all_faces=True, head=False, gpu="all_faces"),
    )


def closed_from(held_out, all_faces, epochs):
    """Two stages, from the run with faces held out and from that of all faces."""
    rest = {"rate": 1e-3, "shares": LAST_SHARES, "taught": True, "closed_eyes": True}
    return (
        Stage("closed eyes", epochs, held_out, **rest),
        Stage("closed eyes, all faces", epochs, all_faces, all_faces=True, **rest),
    )


def as_labelled(epochs, rate):
    """The last stages, without mirrored faces."""
    rest = {"rate": rate, "shares": LAST_SHARES, "taught": True, "closed_eyes": True}
    return tuple(
        Stage(
            f"as labelled{side}",
            epochs,
            f"closed eyes{side}",
            all_faces=bool(side),
            **rest,
            mirrored=False,
        )
        for side in ("", ", all faces")
    )


# As many epochs as fitted into two afternoons of two cores.
STAGES = {
    "face68": (
        Stage("labels", 46, shares=FIRST_SHARES),
        Stage("completed", 24, "labels", completed=True, rate=1.5e-3),
        *taught_from("completed"),
        Stage("finished", 7, "taught", rate=2e-4, shares=LAST_SHARES, taught=True),
        Stage("all faces", 7, "taught, all faces", False, True, 2e-4, True, LAST_SHARES, True),
        *closed_from("finished", "all faces", 8),
        *as_labelled(4, 5e-4),
    ),
    "face68_light": (
        Stage("labels", 60, head=False, shares=FIRST_SHARES),
        Stage("completed", 70, "labels", True, rate=1.5e-3, head=False, shares=FIRST_SHARES),
        Stage("completed again", 48, "completed", completed=True, rate=1.5e-3),
        *taught_from("completed again"),
        Stage("finished", 8, "taught", rate=2e-4, shares=LAST_SHARES, taught=True),
        Stage("all faces", 8, "taught, all faces", False, True, 2e-4, True, LAST_SHARES, True),
        *closed_from("finished", "all faces", 10),
        *as_labelled(4, 5e-4),
    ),
}
LICENCE = (
    "weights learnt from iBUG 300-W, CFP, FG-NET, MTFL and YouTube Faces, whose labels and "
    "photographs are for non-commercial research, and from WebMorph (CC BY 4.0)"
)
DATA = "ibug68, cfp, fgnet, webmorph, mtfl5, udacity68"
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


def run_of(runs, recipe, stage):
    return runs / f"{recipe}-{stage.replace(',', '').replace(' ', '_')}-0"


def training_faces(stage, data, runs, gpu):
    """(training, validation) faces of a stage; validation is on every third of iBUG's."""
    train, val = load_sets(data, hidden=not stage.taught)
    if stage.taught:
        sides = taught_by_larger(train, val, data, runs, gpu)
        pool = joined(*sides) if stage.all_faces else sides[0]
    else:
        pool = joined(train, val) if stage.all_faces else train
        if stage.completed:
            pool = complete_sets(pool, data, teachers(runs), runs / "completed")
    faces = sample(pool, stage.shares)
    if stage.closed_eyes:
        ibug = nasion.load_faces("ibug68", data / "ibug68", "all" if stage.all_faces else "train")
        faces = join(faces, closed_eyes_faces(ibug))
    return faces, replace(val["ibug68"][::3], groups={}, linked=())


def taught_by_larger(train, val, data, runs, gpu):
    """Training and held-out faces by set with the points of the GPU's larger network."""
    completed = complete_sets(train, data, teachers(runs), runs / "completed")
    sides = []
    for side, labelled, sets in (("train", train, completed), ("val", val, val)):
        # The GPU's runs left them out (gpu_stages/bundle.py).
        kept = {name: faces for name, faces in sets.items() if name != "udacity68"}
        path = gpu / f"labels-{side}.npz"
        sides.append(taught_sets(kept, own_labels(labelled, kept), path))
    return sides


def teachers(runs):
    """The networks that complete each other's labels."""
    return [
        load_model(run_of(runs, recipe, "labels"), tta="none")
        for recipe in ("face68_light", "face68")
    ]


def joined(train, val):
    """Faces by set, of both sides where a set has faces held out."""
    return {name: join(faces, val[name]) if name in val else faces for name, faces in train.items()}


def is_measured(recipe_name, stage, folder):
    """Whether the results are of this very run: its seconds are in them."""
    variant = f"any pose, {stage.name}"
    seconds = training_summary(run_folder.read_history(folder))["seconds"]
    return (read_result(recipe_name, variant, 0) or {}).get("seconds") == seconds


def head_faces(data, all_faces):
    """(training, validation) faces of a face head, with labels of their own."""
    train, val = load_sets(data, hidden=False)
    if all_faces:
        train = joined(train, val)
    kept = ("ibug68", "cfp_profile", "cfp_frontal", "fgnet", "webmorph")
    sides = ([side[name] for name in kept if name in side] for side in (train, val))
    return tuple(join(*(replace(f, groups={}, linked=()) for f in side)) for side in sides)


def train_stage(recipe_name, stage, options):
    """Train one stage, or reuse it if it is finished; its folder."""
    folder = run_of(options.runs, recipe_name, stage.name)
    if stage.gpu:
        name = f"{recipe_name}-{stage.gpu}"
        take_gpu_run(folder, options.gpu, name, run_of(options.runs, recipe_name, stage.start))
        return folder
    recipe = recipes.load_recipe(recipe_name)
    start = str(run_of(options.runs, recipe_name, stage.start)) if stage.start else None
    optim = replace(recipe.optim, lr=stage.rate) if stage.rate else recipe.optim
    # The face head learns from other labels, below.
    recipe = replace(recipe, epochs=stage.epochs, init_from=start, optim=optim, face_head=False)
    if stage.taught:
        # The GPU's run had come to weak augmentation before.
        recipe = replace(recipe, augment_decay=replace(recipe.augment_decay, after=0.0))
    if not stage.mirrored:
        recipe = replace(recipe, augment=replace(recipe.augment, flip=0.0))
    if not is_finished(folder):
        faces = training_faces(stage, options.data, options.runs, options.gpu)
        train_or_resume(recipe, faces, folder, [], 1 if stage.taught else 10)
    if stage.head and not (folder / run_folder.FACE_HEAD).exists():
        add_face_head(folder, recipe, head_faces(options.data, stage.all_faces))
    if is_measured(recipe_name, stage, folder):
        return folder
    scores = {}
    if not stage.all_faces:
        val = nasion.load_faces("ibug68", options.data / "ibug68", "val")
        scores = evaluate_modes(load_model(folder), val)
    facts = {
        "command": f"python benchmarks/face68.py --data DATA --recipe {recipe_name}",
        "data": f"{DATA}, as in benchmarks/face_sets.py; "
        "scores on 421 held-out faces of ibug68, boxes tight",
        "metric": (
            "nme in % of the distance between the outer eye corners; of 'all faces' "
            "there are no scores, since it was trained on them"
        ),
    }
    summary = training_summary(run_folder.read_history(folder))
    summary["training faces"] = run_folder.read_settings(folder)["faces"][0]
    add_result(recipe_name, f"any pose, {stage.name}", 0, {**scores, **summary}, facts)
    print(stage.name, scores, flush=True)
    return folder


def take_gpu_run(folder, gpu, name, start):
    """Make a run folder of the weights, settings and history that came back from the GPU.

    ``start``: the run whose weights the bundle held. The GPU's faces are among its own.
    """
    if is_finished(folder):
        return
    if gpu is None:
        raise SystemExit(f"{folder} comes from benchmarks/gpu.py; name its output with --gpu.")
    weights, facts = load_tensors(gpu / f"{name}.safetensors")
    folder.mkdir(parents=True)
    write_text(folder / run_folder.SETTINGS, json.dumps(facts["settings"], indent=1))
    run_folder.write_history(folder, facts["history"])
    save_tensors(folder / run_folder.WEIGHTS, weights, {})
    TrainingRecord.read(start).write(folder)
    (folder / "done").touch()


def ship(name, last, held_out, data):
    """Export both runs in 8 bits; print what quantization costs the held-out one."""
    path = ROOT / "src" / "nasion" / "inference" / "pretrained" / f"{name}.onnx"
    small = held_out.parent / f"{name}-held_out.onnx"
    refine_steps = recipes.load_recipe(name).spec.refine_steps  # also chosen after training
    train, val = load_train_val("ibug68", data / "ibug68")
    # Scores must be calibrated on faces that the network has not learnt, in any pose.
    calibration = calibrate(load_model(held_out), head_faces(data, all_faces=False)[1])
    for folder, file in ((held_out, small), (last, path)):
        # The last stage learnt that labels are not mirror-symmetric; a mirrored view undoes that.
        model = load_model(folder, tta="none")
        spec = replace(model.spec, refine_steps=refine_steps)
        record = replace(model.trained_on, data=DATA)
        model = replace(model, spec=spec, calibration=calibration, trained_on=record)
        export_model(model, file, "int8", train, LICENCE)
    before, after = (
        nasion.evaluate(load_model(model, tta="none"), val).overall.nme
        for model in (held_out, small)
    )
    print(
        f"{path}: {path.stat().st_size / 1e6:.2f} MB; NME of the held-out run "
        f"{100 * before:.3f} %, in 8 bits {100 * after:.3f} %"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--recipe", default="face68", choices=list(STAGES))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    parser.add_argument("--gpu", type=Path, help="output of the stage face68 of benchmarks/gpu.py")
    parser.add_argument("--until", help="the last stage to train")
    parser.add_argument("--ship", action="store_true", help="export the pretrained model")
    options = parser.parse_args()
    held_out, folder = None, None
    for stage in STAGES[options.recipe]:
        folder = train_stage(options.recipe, stage, options)
        held_out = held_out if stage.all_faces else folder
        if stage.name == options.until:
            break
    if options.ship:
        ship(options.recipe, folder, held_out, options.data)


if __name__ == "__main__":
    main()
