"""Judges head poses: on drawn faces, on labels, and on the points of a network.

Usage:
    python benchmarks/head_pose.py --data DATA [--model face68_light] [--every N] [--save]

Known truth is scarce: toy faces are drawn in a known pose, but on a head of other proportions; of
IMM's photographs some show heads turned by about 30 degrees; CFP and MTFL say whether a face is
seen from the front or from the side. 300-W-LP's sample has no angles, so there the poses of labels
and of the network are compared. `halves` are poses from two groups of one face's labels: how many
times their standard errors for independent points they differ by (``head_pose.CORRELATION``).
CFP's and IMM's faces are those of persons held out; the networks have learnt from MTFL.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from face_sets import FIRST_HELD_OUT, by_person, cfp_sets
from result_files import add_result

import nasion
from nasion.inference.landmarker import Landmarker
from nasion.inference.predictor import load_model
from nasion.landmarks import head_pose
from nasion.landmarks.catalog import cofw29, fkd15, ibug68
from nasion.landmarks.face_model import Expression, points_of, rotate_head
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme_tables.mat3d import mat3d68
from nasion.media.images import as_pixels

TOYS = 300
RANGES = (45, 20, 20)  # largest yaw, pitch and roll of toy faces
PROFILE = 45  # degrees of yaw that tell CFP's profiles from its frontal faces
LOWEST = 0.3  # score of a face that is judged


def angles_of(poses):
    return np.stack([poses.yaw, poses.pitch, poses.roll], axis=1)


def spread(values):
    """[5 %, median, 95 %] of the values."""
    return [round(float(each), 1) for each in np.nanpercentile(values, [5, 50, 95])]


def toy_scores(scheme):
    """Errors on drawn faces with expressions, in degrees."""
    rng = np.random.default_rng(0)
    points, rotations = [], []
    for angles in rng.uniform(-1, 1, (TOYS, 3)) * RANGES:
        face = Expression(
            eyes=rng.uniform(0.35, 1), mouth=rng.uniform(0, 1), smile=rng.uniform(-0.6, 1)
        )
        axes = rotate_head(np.concatenate([np.eye(3), np.zeros((1, 3))]), *angles)
        rotations.append((axes[:3] - axes[3]).T)
        points.append(90 * rotate_head(points_of(scheme.points, face), *angles)[:, :2])
    poses = head_pose.fit_weighted(np.array(points), scheme)
    truth = replace(poses, rotation=np.array(rotations))
    errors = np.abs(angles_of(poses) - angles_of(truth))
    within = errors < 1.96 * poses.standard_error
    return {
        "mean error, yaw pitch roll": errors.mean(axis=0).round(2).tolist(),
        "within 1.96 standard errors": within.mean(axis=0).round(3).tolist(),
    }


def halves_scores(faces):
    """By how many standard errors for independent points two poses of one face differ."""
    names = ibug68.points
    groups = {
        "upper and lower": np.array(
            [any(p in n for p in ("eye", "bridge", "nasion")) for n in names]
        ),
        "right and left": np.array(["right" in name.split("_") for name in names]),
        "every other point": np.arange(len(names)) % 2 == 0,
    }
    scores = {}
    for name, group in groups.items():
        first, second = (
            head_pose.fit_weighted(np.where(part[:, None], faces.points, np.nan), ibug68)
            for part in (group, ~group)
        )
        known = np.hypot(first.standard_error, second.standard_error) / head_pose.CORRELATION
        ratio = np.abs(angles_of(first) - angles_of(second)) / known
        # The median of |x| is 0.674 standard deviations.
        scores[name] = (np.nanmedian(ratio, axis=0) / 0.674).round(2).tolist()
    return scores


def cfp_scores(profile, frontal):
    """Of poses of CFP's faces by their kind."""
    counted = [~np.isnan(each.yaw) for each in (profile, frontal)]
    right = sum(
        ((np.abs(each.yaw) > PROFILE) == is_profile)[known].sum()
        for each, known, is_profile in zip((profile, frontal), counted, (True, False), strict=True)
    )
    return {
        "frontal: yaw": spread(frontal.yaw),
        "frontal: pitch": spread(frontal.pitch),
        "profile: |yaw|": spread(np.abs(profile.yaw)),
        "profile: pitch": spread(profile.pitch),
        "told apart by |yaw| > 45": round(float(right / sum(each.sum() for each in counted)), 4),
        "faces": int(sum(each.sum() for each in counted)),
        "standard error of profiles": np.nanmedian(profile.standard_error, axis=0)
        .round(1)
        .tolist(),
        "standard error of frontal faces": (
            np.nanmedian(frontal.standard_error, axis=0).round(1).tolist()
        ),
    }


def found_poses(landmarker, faces):
    """(poses, found (N,)) of the network's faces whose box holds the middle of these labels."""
    chosen = []
    for image, points in zip(faces.images, faces.points, strict=True):
        middle = np.nanmean(points, axis=0)
        around = [
            face
            for face in landmarker(as_pixels(image, colour=True))
            if (face.box[:2] < middle).all() and (middle < face.box[2:]).all()
        ]
        chosen.append(around[0] if around else None)
    found = np.array([face is not None for face in chosen])
    return nasion.head_poses([face for face in chosen if face is not None]), found


def by_group(poses, groups):
    """Yaw and pitch of each value of a group."""
    return {
        str(value): {
            "faces": int((groups == value).sum()),
            "yaw": spread(poses.yaw[groups == value]),
            "pitch": spread(poses.pitch[groups == value]),
        }
        for value in sorted(set(groups))
        if value
    }


def read_300wlp(folder):
    document = json.loads((folder / "test_300wlp.json").read_text())
    names = {image["id"]: image["file_name"] for image in document["images"]}
    points = [np.reshape(each["keypoints"], (-1, 3))[:, :2] for each in document["annotations"]]
    files = [folder / names[each["image_id"]] for each in document["annotations"]]
    return Faces(
        scheme=mat3d68,
        ids=tuple(file.stem for file in files),
        images=files,
        points=np.array(points, np.float32),
    )


def apart(first, second):
    """Degrees between rotations, as one rotation."""
    trace = np.einsum("nij,nij->n", first.rotation, second.rotation)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).round(1).tolist()


def label_scores(data, cfp):
    imm = nasion.load_faces("imm", data / "imm")
    ibug = nasion.load_faces("ibug68", data / "ibug68", "val")
    return {
        "toy, ibug68": toy_scores(ibug68),
        "toy, cofw29": toy_scores(cofw29),
        "toy, fkd15": toy_scores(fkd15),
        "halves": halves_scores(ibug),
        "cfp": cfp_scores(*(nasion.head_poses(each) for each in cfp)),
        "imm": by_group(nasion.head_poses(imm), imm.group("view")),
    }


def network_scores(landmarker, data, cfp, every):
    imm = nasion.load_faces("imm", data / "imm")[::every]
    mtfl = nasion.load_faces("mtfl5", data / "mtfl5")[:: 4 * every]
    sample = read_300wlp(data / "samples" / "other_schemes" / "300wlp")
    scores = {"cfp": cfp_scores(*(found_poses(landmarker, each)[0] for each in cfp))}
    for name, faces, group in (("imm", imm, "view"), ("mtfl5", mtfl, "pose")):
        poses, found = found_poses(landmarker, faces)
        scores[name] = by_group(poses, faces.group(group)[found])
    poses, found = found_poses(landmarker, sample)
    labelled = nasion.head_poses(sample[found])
    scores["300wlp, against labels"] = {
        "degrees apart": apart(poses, labelled),
        "by labels": angles_of(labelled).round(1).tolist(),
        "by the network": angles_of(poses).round(1).tolist(),
        "standard errors": poses.standard_error.round(1).tolist(),
    }
    face = landmarker(as_pixels(imm.images[0], colour=True))[0]
    # Of the processor: the machine may be busy.
    started = time.process_time()
    for _ in range(100):
        face.pose()
    scores["milliseconds a pose"] = round(10 * (time.process_time() - started), 2)
    return scores


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--model", default="face68_light", help="a shipped name, a run or a file")
    parser.add_argument("--every", type=int, default=1, help="judge every n-th face")
    parser.add_argument("--save", action="store_true", help="keep the scores in results/")
    options = parser.parse_args()
    started = time.perf_counter()
    cfp = [
        by_person(faces, FIRST_HELD_OUT["cfp"])[1][:: options.every]
        for faces in cfp_sets(options.data / "cfp", hidden=False).values()
    ]
    landmarker = Landmarker(load_model(options.model), min_score=LOWEST)
    judged = {
        "labels": lambda: label_scores(options.data, cfp),
        options.model: lambda: network_scores(landmarker, options.data, cfp, options.every),
    }
    for name, judge in judged.items():
        scores = judge()
        scores["seconds"] = round(time.perf_counter() - started, 1)
        print(name, json.dumps(scores, indent=1), flush=True)
        if options.save:
            facts = {"command": "python benchmarks/head_pose.py --data DATA --save"}
            add_result("head_pose", Path(name).name, 0, scores, facts)


if __name__ == "__main__":
    main()
