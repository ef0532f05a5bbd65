"""Does a network help to label? Moves that proposals save, and what the next faces bring.

Usage:
    python benchmarks/annotate.py --data DATA [--sets imm ibug68]
        [--orders random active doubt typical] [--seeds 3] [--counts 25 50 100 200]
        [--runs FOLDER] [--save] [--missing]

An annotator labels faces of a pool, in the order of each method. After 5 faces, points without a
name that the network knows are proposed as weighted means of others; after 25, 50, 100 and 200 a
network is fine-tuned and proposes the points of the next ones. Drawing takes a move a point.
Correcting takes one for each point that is farther from its label than a tolerance (3 and 5 % of
the outer eye corners' distance), the farthest first; after each, the points not yet placed are
refitted (``nasion.labelling.refit``). The NME is that of people who are in no pool.

imm: 58 points, which face68_light has never seen: people 1 to 32 are the pool, 33 to 40 are judged.
ibug68: a network that has learnt a half of the photographs, from random weights, proposes for the
other half; a quarter of that is judged. Boxes come from the detector, never from labels.

random: by lot. active: typical faces up to 25, then two doubtful ones, one unlike the others and
one by lot in turn (``nasion.labelling.order``), as the page has it. doubt: by expected error alone.
typical: typical ones to the end. --save: into results/annotate.json.
"""

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from result_files import add_result, has_result, train_or_resume

import nasion
from nasion.audit.networks import face_boxes
from nasion.data.load import load_faces
from nasion.data.splits import linked_clusters
from nasion.labelling.order import by_doubt, mixed, shape_features, typical_first
from nasion.labelling.refit import refit
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.metrics import norms
from nasion.recipes import face68_light, finetune
from nasion.training.starting_network import (
    StartingNetwork,
    open_starting_network,
    point_weights,
)

FACTS = {
    "command": "python benchmarks/annotate.py --data DATA --save",
    "data": "runs are named by set and order; seeds draw faces; then by number of labelled faces",
    "metric": "nme in % of the outer eye corners' distance, of people in no pool; moves per face, "
    "by tolerance in % of that distance, of the faces labelled since the last training",
}
TOLERANCES = (0.03, 0.05)
FIRST = 25  # typical faces, before an order by doubt
SHOWN = 3000  # faces in a fine-tuning
START_SHOWN = 60_000  # in the training of ibug68's starting network
LIGHT = "face68_light"


@dataclass(frozen=True)
class Pool:
    """``pool``: faces to label. ``judged``: of other people. Both in boxes of the detector."""

    pool: Faces
    judged: Faces
    start: StartingNetwork


def imm(data, runs):
    faces = load_faces(None, data / "imm", whole_images=False)
    start = open_starting_network(LIGHT)
    people = faces.group("person")
    judged = np.isin(people, sorted(set(people.tolist()))[32:])
    faces = replace(faces, boxes=face_boxes(start, faces))
    return Pool(faces[~judged], faces[judged], start)


def ibug68(data, runs):
    faces = load_faces(None, data / "ibug68", whole_images=False)
    cluster = linked_clusters(faces)
    order = np.random.default_rng(0).permutation(np.unique(cluster))
    part = {each: i / len(order) for i, each in enumerate(order.tolist())}
    place = np.array([part[each] for each in cluster.tolist()])
    # Boxes as the shipped network finds them: it has seen these labels, but gives boxes only.
    faces = replace(faces, boxes=face_boxes(open_starting_network(LIGHT), faces))
    learnt, pool, judged = (
        faces[place < 0.5],
        faces[(place >= 0.5) & (place < 0.875)],
        faces[place >= 0.875],
    )
    folder = runs / "ibug68-start"
    recipe = in_given_boxes(face68_light.RECIPE, face68_light.RECIPE.spec, learnt, START_SHOWN)
    train_or_resume(recipe, (learnt, learnt[:64]), folder, [])
    return Pool(pool, judged, open_starting_network(str(folder)))


def in_given_boxes(recipe, spec, faces, shown):
    """The recipe for these faces in their own boxes, of one look, ending when it is done."""
    epochs = 20
    spec = replace(spec, scheme=faces.scheme, separate_heads=(), refine_steps=1, tta="none")
    return replace(
        recipe,
        data="annotate",
        points_from="data",
        spec=replace(spec, whole_images=False, tight_boxes=False),
        epochs=epochs,
        repeats=max(1, round(shown / (epochs * len(faces)))),
        keep="last",
    )


def own_points(start, faces):
    """The starting network's own points in the faces' boxes."""
    empty = np.full((len(faces), len(start.spec.scheme), 2), np.nan, dtype=np.float32)
    return start.predictor.predict(
        replace(faces, scheme=start.spec.scheme, points=empty, occluded=None)
    )


def proposals_of_start(start, labelled, faces):
    """Points by name, and weighted means of others once faces are labelled."""
    known, own = own_points(start, faces).points.astype(np.float64), start.spec.scheme
    points = np.full((len(faces), len(faces.scheme), 2), np.nan)
    if labelled is not None:
        points = np.einsum("kj,njd->nkd", point_weights(start, labelled), known)
    for name, same in faces.scheme.matches(own).items():
        points[:, faces.scheme.points.index(name)] = known[:, own.points.index(same)]
    return Predictions(scheme=faces.scheme, ids=faces.ids, points=points.astype(np.float32))


def fine_tuned(start, labelled, folder):
    recipe = replace(
        in_given_boxes(finetune.RECIPE, start.spec, labelled, SHOWN),
        init_from=start.source,
        architecture=start.architecture,
        keep="best",  # of the faces that are held out, the weights before training included
    )
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
    nasion.train(recipe, labelled, run_folder=folder)
    return nasion.load_model(folder)


def moves_needed(proposed, labels, expected, tolerance, with_refit):
    """How many points a person places until all are within the tolerance (pixels)."""
    seen = ~np.isnan(labels[:, 0])
    placed = np.where(seen & np.isnan(proposed[:, 0]), 1.0, np.nan)[:, None] * labels
    moves, current = int((~np.isnan(placed[:, 0])).sum()), proposed
    if with_refit and moves:
        current = refit(proposed, placed, expected)
    while True:
        off = np.linalg.norm(current - labels, axis=1)
        off[~np.isnan(placed[:, 0]) | ~seen] = 0
        worst = int(np.argmax(np.nan_to_num(off)))
        if not off[worst] > tolerance:
            return moves
        placed[worst] = labels[worst]
        moves += 1
        current = refit(proposed, placed, expected) if with_refit else current


def moves_per_face(predictions, faces, which):
    """{tolerance in %: (with refit, without)}, means over these faces (positions)."""
    norm = norms(faces.scheme, faces.points, faces.boxes)
    rows = {}
    for tolerance in TOLERANCES:
        counts = [
            [
                moves_needed(
                    predictions.points[i].astype(np.float64),
                    faces.points[i].astype(np.float64),
                    None if predictions.expected is None else predictions.expected[i],
                    tolerance * norm[i],
                    with_refit,
                )
                for with_refit in (True, False)
            ]
            for i in which
        ]
        rows[f"{100 * tolerance:g}"] = np.mean(counts, axis=0).round(2).tolist()
    return rows


def next_faces(order, count, labelled, features, doubt, rng):
    """``count`` more positions of the pool."""
    left = [i for i in range(len(features)) if i not in set(labelled)]
    if order == "random":
        return rng.permutation(left)[:count].tolist()
    if order == "typical" or (order == "active" and len(labelled) < FIRST):
        chosen = typical_first(features, len(labelled) + count)
        fresh = [i for i in chosen if i not in set(labelled)]
        return (fresh + [i for i in left if i not in set(fresh)])[:count]
    if order == "doubt":
        return [i for i in by_doubt(doubt) if i not in set(labelled)][:count]
    return mixed(features, doubt, rng, labelled)[:count]


def doubt_of(predictions, boxes):
    """The expected error of a face's points, in parts of its size; shapes far off where unknown."""
    size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    if predictions.expected is None:
        return np.zeros(len(boxes))
    return np.nanmean(predictions.expected, axis=1) / size


def curve(order, seed, case, counts, folder):
    """{number of labelled faces: {nme, moves}}."""
    rng = np.random.default_rng(seed)
    pool, start = case.pool, case.start
    # Of all seeds a part of the pool, so that orders without a lot differ by seeds, too.
    pool = pool[np.sort(rng.permutation(len(pool))[: max(counts[-1], round(0.8 * len(pool)))])]
    known = own_points(start, pool)
    features, doubt = shape_features(known.points), doubt_of(known, pool.boxes)
    current = proposals_of_start(start, None, pool)
    judged_by_start = proposals_of_start(start, None, case.judged)
    rows = {"0": {"nme": score(case.judged, judged_by_start)}}
    labelled = []
    for count in counts:
        fresh = next_faces(
            order, min(count, len(pool)) - len(labelled), labelled, features, doubt, rng
        )
        labelled += fresh
        row = {"moves": moves_per_face(current, pool, fresh)}
        done = pool[np.array(labelled)]
        if count < FIRST:
            current = proposals_of_start(start, done, pool)
            judged = proposals_of_start(start, done, case.judged)
        else:
            predictor = fine_tuned(start, done, folder / f"{seed}-{order}-{count}")
            current, judged = predictor.predict(pool), predictor.predict(case.judged)
            doubt = doubt_of(current, pool.boxes)
        rows[str(len(labelled))] = {"nme": score(case.judged, judged), **row}
        print(f"  {order} {seed} {len(labelled)}: {rows[str(len(labelled))]}", flush=True)
    return rows


def score(faces, predictions):
    known = ~np.isnan(predictions.points).all(axis=(0, 2))
    if not known.all():
        return None  # points that nothing proposes yet
    return round(100 * nasion.evaluate(predictions, faces).overall.nme, 3)


CASES = {"imm": imm, "ibug68": ibug68}
COUNTS = {"imm": (5, 25, 50, 100, 150), "ibug68": (5, 25, 50, 100, 200)}  # IMM's pool has 192


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--orders", nargs="+", default=["random", "active", "doubt", "typical"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--counts", nargs="+", type=int, help="labelled faces, to learn from")
    parser.add_argument("--runs", type=Path, help="keep the runs here")
    parser.add_argument("--save", action="store_true", help="into results/annotate.json")
    parser.add_argument("--missing", action="store_true", help="only runs that are not there yet")
    options = parser.parse_args()
    runs = options.runs or Path(tempfile.mkdtemp())
    for name in options.sets:
        case = CASES[name](options.data, runs)
        print(f"{name}: a pool of {len(case.pool)} faces, {len(case.judged)} judged", flush=True)
        for seed in range(options.seeds):
            for order in options.orders:
                if options.missing and has_result("annotate", f"{name}, {order}", seed):
                    continue
                began = time.perf_counter()
                counts = options.counts or COUNTS[name]
                rows = curve(order, seed, case, counts, runs / name)
                seconds = round(time.perf_counter() - began, 1)
                if options.save:
                    row = {"after": rows, "seconds": seconds}
                    add_result("annotate", f"{name}, {order}", seed, row, FACTS)


if __name__ == "__main__":
    main()
