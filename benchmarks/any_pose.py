"""Faces in any pose and of any age: what a model finds and how exactly, on people held out.

Usage:
    python benchmarks/any_pose.py --data DATA --models face68 [RUN ...] [--save] [--every N]

DATA holds the datasets; held out are those of face_sets.py. As the default command does, faces are
searched for with the package's detector; on ibug68 boxes are given. Errors are means over faces in
% with their 95 % interval (bootstrap over faces): ibug68 of the distance between the outer eye
corners; CFP, 30 points of the labelled half, of the distance from nasion to chin; FG-NET, four eye
and two mouth corners, of the distance between the outer eye corners. Pictures without faces are
drawn (drawn_patterns.py, other seeds than in training).
"from MODEL": the distance between two models' points, of those given before: where models are much
nearer to each other than to the labels, a test no longer tells which is better.
--every: judge every n-th face only. --save: keep the scores in results/any_pose.json.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from face_sets import CFP_HALF, FIRST_HELD_OUT, by_person, cfp_sets, named_as_ibug
from result_files import add_result

import nasion
from nasion.data.drawn_patterns import draw_animal, draw_pattern
from nasion.inference.landmarker import Landmarker
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
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


@dataclass(frozen=True, eq=False)
class Test:
    """Held-out faces, which of their points count, and the length that errors are divided by.

    ``at``: (N, K) positions among iBUG's points. ``size``: (N,) pixels. ``parts``: named positions
    among the K. ``given``: whether boxes are given.
    """

    faces: Faces
    at: np.ndarray
    size: np.ndarray
    parts: dict[str, slice]
    given: bool = False

    def errors(self, points, others):
        """(N, K) distances in % of the size; NaN for faces that are not found."""
        rows = np.arange(len(self.at))[:, None]
        distances = np.linalg.norm(points[rows, self.at] - others[rows, self.at], axis=-1)
        return 100 * distances / self.size[:, None]


def cfp_test(faces):
    """30 points of the half that is labelled; of the distance from nasion to chin."""
    labelled = faces.labelled
    halves = np.array(list(CFP_HALF.values()))
    at = halves[np.stack([labelled[:, half].sum(1) for half in halves]).argmax(0)]
    rows = np.arange(len(at))
    ends = (faces.points[rows, at[:, end]] for end in (NASION, CHIN))
    size = np.linalg.norm(np.subtract(*ends), axis=1)
    return Test(faces, at, size, {"without jaw": slice(JAW, None), "all": slice(None)})


def fgnet_test(faces):
    """Four corners of eyes and two of the mouth; of the distance between the outer eye corners."""
    at = np.tile(CORNERS, (len(faces), 1))
    size = np.linalg.norm(faces.points[:, CORNERS[0]] - faces.points[:, CORNERS[2]], axis=1)
    return Test(faces, at, size, {"corners": slice(None)})


def ibug_test(faces):
    """All points, in boxes given; of the distance between the outer eye corners."""
    at = np.tile(np.arange(len(ibug68)), (len(faces), 1))
    size = np.linalg.norm(faces.points[:, CORNERS[0]] - faces.points[:, CORNERS[2]], axis=1)
    return Test(faces, at, size, {"all": slice(None)}, given=True)


def load_tests(data, every):
    """The tests by name."""
    profile, frontal = (
        cfp_test(by_person(faces, FIRST_HELD_OUT["cfp"])[1][::every])
        for faces in cfp_sets(data / "cfp", hidden=False).values()
    )
    fgnet = named_as_ibug(nasion.load_faces("fgnet", data / "fgnet"), "fgnet")
    fgnet = by_person(fgnet, FIRST_HELD_OUT["fgnet"])[1][::every]
    ibug = nasion.load_faces("ibug68", data / "ibug68", "val")[::every]
    return {
        "ibug68": ibug_test(ibug),
        "helen and lfpw": ibug_test(ibug[np.isin(ibug.group("subset"), ["helen", "lfpw"])]),
        "cfp_profile": profile,
        "cfp_frontal": frontal,
        "fgnet": fgnet_test(fgnet),
    }


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


def found_points(landmarker, test):
    """(points (N, 68, 2), hidden (N, 68)); NaN for faces that are not found.

    ``hidden`` is 1 for points that are more likely not to be seen.
    """
    faces = test.faces
    if test.given:
        points = landmarker.predictor.predict(faces).points
        return points, np.full(points.shape[:2], np.nan)
    points = np.full((len(faces), len(ibug68), 2), np.nan)
    hidden = np.full(points.shape[:2], np.nan)
    for k, (image, labels) in enumerate(zip(faces.images, faces.points, strict=True)):
        face = found_face(landmarker, image, labels)
        if face is not None:
            points[k] = face.points
            if face.visible is not None:
                hidden[k] = face.hidden
    return points, hidden


def test_scores(test, points, hidden, others):
    """The scores of one test. ``others``: points by other models, by name."""
    errors = test.errors(points, test.faces.points)
    found = ~np.isnan(errors).all(axis=1)
    scores = {} if test.given else {"found": int(found.sum()), "faces": len(found)}
    for name, part in test.parts.items():
        scores[name] = interval(errors[found][:, part].mean(axis=1))
    first = next(iter(test.parts))
    scores[f"median {first}"] = round(
        float(np.median(errors[found][:, test.parts[first]].mean(axis=1))), 3
    )
    for name, other in others.items():
        apart = test.errors(points, other)[:, test.parts[first]].mean(axis=1)
        scores[f"{first}, from {name}"] = interval(apart[~np.isnan(apart)])
    if "without jaw" in test.parts and not np.isnan(hidden[found]).all():
        rows = np.flatnonzero(found)[:, None]
        far = [np.setdiff1d(ibug68.flip[at], at) for at in test.at[found]]
        scores["far half called hidden"] = round(float(hidden[rows, far].mean()), 4)
        scores["labelled half called hidden"] = round(float(hidden[rows, test.at[found]].mean()), 4)
    return scores


def false_faces(landmarker):
    """In how many drawn pictures without a face one is found."""
    counts = {}
    for name, draw in (("patterns", draw_pattern), ("animals", draw_animal)):
        rng = np.random.default_rng(20_000)
        counts[name] = sum(len(landmarker(draw(rng, 240))) > 0 for _ in range(DRAWN))
    return {**counts, "pictures of each": DRAWN}


def judge(model, tests, others):
    """All scores of a ``Predictor``, and its points by test. ``others``: such points, by model."""
    landmarker, scores, found = Landmarker(model), {}, {}
    for name, test in tests.items():
        points, hidden = found_points(landmarker, test)
        by_others = {other: each[name] for other, each in others.items()}
        scores[name] = test_scores(test, points, hidden, by_others)
        found[name] = points
    return {**scores, "false faces": false_faces(landmarker)}, found


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
    tests, points = load_tests(options.data, options.every), {}
    for name in options.models:
        model = load_model(name)
        if options.tta:
            model = replace(model, tta=options.tta)
        started = time.perf_counter()
        scores, found = judge(model, tests, points)
        points[Path(name).name] = found
        scores["seconds"] = round(time.perf_counter() - started, 1)
        print(name)
        for part, values in scores.items():
            print(f"  {part}: {values}", flush=True)
        if options.save:
            facts = {
                "command": "python benchmarks/any_pose.py --data DATA --models MODEL ... --save"
            }
            add_result("any_pose", Path(name).name, 0, scores, facts)


if __name__ == "__main__":
    main()
