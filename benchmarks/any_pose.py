"""Faces in any pose and of any age: what a model finds and how exactly, on people held out.

Usage:
    python benchmarks/any_pose.py --data DATA --models face68 [RUN ...] [--save] [--every N]

DATA holds the datasets; held out are those of face_sets.py. As the default command does, faces are
searched for with the package's detector; on ibug68 boxes are given. Errors are means over faces in
% with their 95 % interval (bootstrap over faces): ibug68 of the distance between the outer eye
corners; CFP, 30 points of the labelled half, of the distance from nasion to chin; FG-NET, four eye
and two mouth corners, of the distance between the outer eye corners. Pictures without faces are
drawn (drawn_patterns.py, other seeds than in training).
--every: judge every n-th face only. --save: keep the scores in results/any_pose.json.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from face_sets import CFP_HALF, FIRST_HELD_OUT, by_person, cfp_sets, named_as_ibug
from result_files import add_result

import nasion
from nasion.data.drawn_patterns import draw_animal, draw_pattern
from nasion.inference.landmarker import Landmarker
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import ibug68
from nasion.media.images import as_pixels

JAW = 9  # CFP's first points
NASION, CHIN = 18, 8  # in CFP's order
CORNERS = ibug68.index(
    [f"{side}_eye_{end}_corner" for side in ("right", "left") for end in ("outer", "inner")]
    + ["mouth_right_corner", "mouth_left_corner"]
)
DRAWN = 300
RESAMPLED = 1000


def interval(errors):
    """The mean, and the 95 % interval of the mean over faces."""
    rng = np.random.default_rng(0)
    means = [errors[rng.integers(len(errors), size=len(errors))].mean() for _ in range(RESAMPLED)]
    low, high = np.percentile(means, [2.5, 97.5])
    return [round(float(each), 3) for each in (errors.mean(), low, high)]


def found_face(landmarker, image, points):
    """The surest face whose middle lies where these points' middle does; None if there is none."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    room = 0.2 * (high - low)
    labelled = ~np.isnan(points[:, 0])
    for face in landmarker(as_pixels(image, colour=True)):
        middle = face.points[labelled].mean(axis=0)
        if (middle > low - room).all() and (middle < high + room).all():
            return face
    return None


def cfp_scores(landmarker, faces):
    """Of faces with one half labelled: how many are found, and their errors."""
    errors, far_hidden, near_hidden = [], [], []
    for image, points in zip(faces.images, faces.points, strict=True):
        face = found_face(landmarker, image, points)
        if face is None:
            continue
        side = max(CFP_HALF, key=lambda each: (~np.isnan(points[CFP_HALF[each], 0])).sum())
        at = CFP_HALF[side]
        length = np.linalg.norm(points[at[NASION]] - points[at[CHIN]])
        errors.append(100 * np.linalg.norm(face.points[at] - points[at], axis=1) / length)
        if face.visible is not None:
            far = np.setdiff1d(ibug68.flip[at], at)
            far_hidden.append(face.hidden[far].mean())
            near_hidden.append(face.hidden[at].mean())
    errors = np.array(errors)
    scores = {
        "found": len(errors),
        "faces": len(faces),
        "without jaw": interval(errors[:, JAW:].mean(axis=1)),
        "all": interval(errors.mean(axis=1)),
        "median without jaw": round(float(np.median(errors[:, JAW:].mean(axis=1))), 3),
    }
    if far_hidden:
        scores["far half called hidden"] = round(float(np.mean(far_hidden)), 4)
        scores["labelled half called hidden"] = round(float(np.mean(near_hidden)), 4)
    return scores


def fgnet_scores(landmarker, faces):
    """How many are found, and the errors of the eyes' and mouth's corners."""
    errors = []
    for image, points in zip(faces.images, faces.points, strict=True):
        face = found_face(landmarker, image, points)
        if face is not None:
            size = np.linalg.norm(points[CORNERS[0]] - points[CORNERS[2]])
            distance = np.linalg.norm(face.points[CORNERS] - points[CORNERS], axis=1)
            errors.append(100 * distance.mean() / size)
    return {"found": len(errors), "faces": len(faces), "corners": interval(np.array(errors))}


def ibug_scores(model, faces):
    """NME in boxes given, as the model is used, and for HELEN and LFPW alone."""
    result = nasion.evaluate(model, faces)
    errors = 100 * result.face_nme
    common = np.isin(faces.group("subset"), ["helen", "lfpw"])
    return {"all": interval(errors), "helen and lfpw": interval(errors[common])}


def false_faces(landmarker):
    """In how many drawn pictures without a face one is found."""
    counts = {}
    for name, draw in (("patterns", draw_pattern), ("animals", draw_animal)):
        rng = np.random.default_rng(20_000)
        counts[name] = sum(len(landmarker(draw(rng, 240))) > 0 for _ in range(DRAWN))
    return {**counts, "pictures of each": DRAWN}


def judge(model, data, every=1):
    """All scores of a ``Predictor``."""
    landmarker = Landmarker(model)
    sets = {name: by_person(each, FIRST_HELD_OUT["cfp"])[1] for name, each in
            cfp_sets(data / "cfp", hidden=False).items()}  # fmt: skip
    fgnet = named_as_ibug(nasion.load_faces("fgnet", data / "fgnet"), "fgnet")
    return {
        "ibug68": ibug_scores(model, nasion.load_faces("ibug68", data / "ibug68", "val")[::every]),
        **{name: cfp_scores(landmarker, faces[::every]) for name, faces in sets.items()},
        "fgnet": fgnet_scores(landmarker, by_person(fgnet, FIRST_HELD_OUT["fgnet"])[1][::every]),
        "false faces": false_faces(landmarker),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--models", nargs="+", required=True, help="shipped names, runs or files")
    parser.add_argument("--tta", choices=["none", "flip"], help="instead of the models' own")
    parser.add_argument("--every", type=int, default=1, help="judge every n-th face")
    parser.add_argument("--save", action="store_true", help="keep the scores in results/")
    options = parser.parse_args()
    for name in options.models:
        model = load_model(name)
        if options.tta:
            model = replace(model, tta=options.tta)
        started = time.perf_counter()
        scores = judge(model, options.data, options.every)
        scores["seconds"] = round(time.perf_counter() - started, 1)
        print(name)
        for part, values in scores.items():
            print(f"  {part}: {values}", flush=True)
        if options.save:
            facts = {"command": "python benchmarks/any_pose.py --data DATA --models MODEL --save"}
            add_result("any_pose", Path(name).name, 0, scores, facts)


if __name__ == "__main__":
    main()
