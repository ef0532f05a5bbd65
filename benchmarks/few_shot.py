"""A few labelled faces: fine-tuning beside the linear map alone, random weights and dlib's trainer.

Usage:
    python benchmarks/few_shot.py --data DATA [--sets imm imm21 fgnet webmorph cfp]
        [--methods map finetune random dlib] [--sizes N ...] [--draws 3] [--runs FOLDER]
        [--save] [--missing]

DATA holds the folders imm, fgnet, webmorph and cfp. Of each set the last people are held out and
judged on (webmorph: every third face); training people are drawn from the others, by the number of
the draw. All methods get the same images and the same boxes, tight around the points. The score is
the NME in %, by the outer eye corners (webmorph: pupils; cfp: the box), a mean over draws.

map: the starting network with each point as a weighted mean of its points, not trained.
finetune: the recipe finetune on all training people. random: the same network, epochs and
augmentation from random weights. dlib: its shape predictor's trainer, if dlib is installed.
--save: into results/finetune.json. --missing: only runs that are not there yet.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from result_files import add_result, has_result

import nasion
from nasion.data.load import load_faces
from nasion.evaluation.evaluate import evaluate
from nasion.landmarks.faces import Predictions
from nasion.landmarks.geometry import points_box
from nasion.media.images import as_pixels
from nasion.training.starting_network import (
    open_starting_network,
    point_weights,
    predicted_points,
)

FACTS = {
    "command": "python benchmarks/few_shot.py --data DATA --save",
    "data": "runs are named by set, number of training people and method; seeds draw people",
    "metric": "nme in % of the distance between the outer eye corners; webmorph: pupils; cfp: box",
}
METHODS = ("map", "finetune", "random", "dlib")


# A scheme as one may choose it: of IMM's points, those at the ends and middles of parts.
POINTS_21 = (
    "imm_jaw_right_1", "chin", "imm_jaw_left_1", "imm_brow_right_5", "imm_brow_right_3",
    "imm_brow_right_1", "imm_brow_left_1", "imm_brow_left_3", "imm_brow_left_5",
    "right_eye_outer_corner", "right_eye_upper_middle", "right_eye_inner_corner",
    "right_eye_lower_middle", "left_eye_inner_corner", "left_eye_upper_middle",
    "left_eye_outer_corner", "left_eye_lower_middle", "mouth_right_corner",
    "mouth_center_top_lip", "mouth_left_corner", "mouth_center_bottom_lip",
)  # fmt: skip


@dataclass(frozen=True)
class Set:
    """``sizes``: numbers of training people. ``held_out``: of how many people one is judged on."""

    sizes: tuple[int, ...]
    held_out: int
    group: str | None = "person"
    norm: str | None = None
    where: tuple[str, str] | None = None  # only faces of this group's value
    folder: str | None = None  # if it is not the set's name
    points: tuple[str, ...] | None = None  # only these


SETS = {
    "imm": Set((1, 2, 4, 8, 16, 32), 5),
    "imm21": Set((1, 8, 32), 5, folder="imm", points=POINTS_21),
    "fgnet": Set((1, 4, 16, 56), 5),
    "webmorph": Set((5, 20, 80), 3, group=None, norm="pupils"),
    "cfp": Set((2, 8, 32), 5, norm="box", where=("pose", "profile")),
}


def judged_and_others(name, data):
    """(faces to judge on, the others, person of each other)."""
    settings = SETS[name]
    faces = load_faces(None, data / (settings.folder or name), whole_images=False)
    if settings.points:
        faces = faces.to(part_of(faces.scheme, name, settings.points))
    faces = replace(faces, boxes=points_box(faces.points).astype(np.float32))
    if settings.where:
        group, value = settings.where
        faces = faces[faces.group(group) == value]
    people = faces.group(settings.group) if settings.group else np.array(faces.ids, dtype=object)
    names = sorted(set(people.tolist()))
    # IMM: persons 33 to 40; others: every person of the last part.
    last = names[-(len(names) // settings.held_out) :]
    out = np.isin(people, last if settings.group else names[:: settings.held_out])
    return faces[out], faces[~out], people[~out]


def part_of(scheme, name, points):
    mirror = tuple(pair for pair in scheme.mirror if set(pair) <= set(points))
    return replace(scheme, name=name, points=points, mirror=mirror, edges=(), parts=())


def map_alone(train, judged, start):
    weights = point_weights(start, train)
    known = predicted_points(start, judged).astype(np.float64)
    return np.einsum("kj,njd->nkd", weights, known)


def trained(train, judged, folder, changes):
    # Nothing is selected on the training faces, which are given as validation faces too.
    done = nasion.train(
        "finetune", (train, train), run_folder=folder, changes=["keep=last", *changes]
    )
    return nasion.load_model(done.folder).predict(judged).points


def by_dlib(train, judged):
    import dlib

    def objects(faces):
        images, shapes = [], []
        for image, points, box in zip(faces.images, faces.points, faces.boxes, strict=True):
            images.append(np.ascontiguousarray(as_pixels(image, colour=False)))
            left, top, right, bottom = (round(float(v)) for v in box)
            parts = [dlib.point(round(float(x)), round(float(y))) for x, y in points]
            rectangle = dlib.rectangle(left, top, right, bottom)
            shapes.append([dlib.full_object_detection(rectangle, parts)])
        return images, shapes

    options = dlib.shape_predictor_training_options()
    options.oversampling_amount = 20 if len(train) > 100 else 100
    options.num_threads = 1
    predictor = dlib.train_shape_predictor(*objects(train), options)
    images, shapes = objects(judged)
    found = [predictor(i, s[0].rect) for i, s in zip(images, shapes, strict=True)]
    return np.array([[(p.x, p.y) for p in each.parts()] for each in found], dtype=np.float64)


def predict(method, train, judged, folder, start):
    if method == "map":
        return map_alone(train, judged, start)
    if method == "dlib":
        return by_dlib(train, judged)
    changes = [] if method == "finetune" else ["init_from=none", "optim.lr=2e-3"]
    return trained(train, judged, folder, changes)


def score(judged, points, norm):
    found = Predictions(scheme=judged.scheme, ids=judged.ids, points=points.astype(np.float32))
    return 100 * evaluate(found, judged, norm=norm).overall.nme


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--sizes", nargs="+", type=int, help="only these numbers of people")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--start", default="face68", help="the network that training starts from")
    parser.add_argument("--runs", type=Path, help="keep the runs here")
    parser.add_argument("--save", action="store_true", help="into results/finetune.json")
    parser.add_argument("--missing", action="store_true", help="only runs that are not there yet")
    options = parser.parse_args()
    start = open_starting_network(options.start)
    runs = options.runs or Path(tempfile.mkdtemp())
    for name in options.sets:
        judged, others, people = judged_and_others(name, options.data)
        print(f"{name}: judged on {len(judged)} faces", flush=True)
        for size in options.sizes or SETS[name].sizes:
            for method in options.methods:
                scores = []
                for draw in range(options.draws):
                    variant = f"{name}, {size}, {method}"
                    if options.missing and has_result("finetune", variant, draw):
                        continue
                    chosen = np.random.default_rng(draw).permutation(np.unique(people))[:size]
                    train = others[np.isin(people, chosen)]
                    folder = runs / f"{name}-{size}-{method}-{draw}"
                    began = time.perf_counter()
                    points = predict(method, train, judged, folder, start)
                    seconds = time.perf_counter() - began
                    scores.append(score(judged, points, SETS[name].norm))
                    if options.save:
                        row = {"nme": round(scores[-1], 3), "seconds": round(seconds, 1)}
                        add_result("finetune", variant, draw, row, FACTS)
                if scores:
                    mean = np.mean(scores)
                    print(f"{name} {size:3} {method:9} {mean:.2f} {scores}", flush=True)


if __name__ == "__main__":
    main()
