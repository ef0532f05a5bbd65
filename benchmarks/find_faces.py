"""Face detectors compared: recall, false alarms and milliseconds per image.

Usage:
    python benchmarks/find_faces.py --data DATA [--detector single_shot --detector dlib]
        [--file FILE] [--json FILE]

DATA holds imm, ibug68, samples/dlib_faces (dlib's labelled group photographs) and
samples/tutorial_faces (those of PyTorch's tutorial). Detectors are evaluated on all of these
photographs, every fourth image of IMM, and the validation split of ibug68 (face crops). No person
of IMM is in the training data of single_shot.
A face counts as found if the centre of a box of 0.5 to 2 times its size is within half its side.
A box that finds no face is a false alarm. "with points": the faces that are left after
face68_light has scored them and Landmarker has dropped low scores.
The time is that of the detector alone, on one core: the best of three calls, median over images.
"""

import argparse
import csv
import json
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

import numpy as np

import nasion
from nasion.discovery import DETECTORS
from nasion.inference import detectors
from nasion.inference.landmarker import Landmarker
from nasion.landmarks import geometry
from nasion.media.images import open_image


def group_photographs(folder):
    """Yield (path, boxes) of dlib's imglab files.

    dlib's boxes are squares from the brows to below the mouth. They are compared as they are with
    detections, which are about tight around the landmarks and so sit a little lower.
    """
    for table in ("training.xml", "testing.xml"):
        for image in ElementTree.parse(folder / table).getroot().iter("image"):
            boxes = []
            for box in image.iter("box"):
                x, y, w, h = (int(box.get(side)) for side in ("left", "top", "width", "height"))
                boxes.append([x, y, x + w, y + h])
            yield folder / image.get("file"), np.array(boxes, dtype=np.float64)


def tutorial_photographs(folder):
    """Yield (path, box of the points) of each row of PyTorch's table."""
    with (folder / "face_landmarks.csv").open() as table:
        for name, *values in list(csv.reader(table))[1:]:
            points = np.array(values, dtype=np.float64).reshape(1, -1, 2)
            yield folder / name, geometry.points_box(points)


def dataset_images(faces):
    """Yield (path, box of the points) of each face."""
    for path, points in zip(faces.images, faces.points.astype(np.float64), strict=True):
        yield path, geometry.points_box(points[None])


def count_matches(truth, boxes):
    """(faces found, false alarms) of one image's boxes."""
    if not len(boxes):
        return 0, 0
    true_centers, centers = ((each[:, :2] + each[:, 2:]) / 2 for each in (truth, boxes))
    true_sides, sides = (np.sqrt(np.prod(b[:, 2:] - b[:, :2], 1)) for b in (truth, boxes))
    distance = np.abs(true_centers[:, None] - centers).max(-1)
    ratio = sides / true_sides[:, None]
    match = (distance < true_sides[:, None] / 2) & (ratio > 0.5) & (ratio < 2)
    return int(match.any(1).sum()), int((~match.any(0)).sum())


def evaluate_detector(detector, labelled_images, rounds=3):
    """Counts and milliseconds over (path, boxes)."""
    landmarker = Landmarker("face68_light", detector=detector, tta="none")
    counts = {
        "faces": 0,
        "found": 0,
        "false alarms": 0,
        "found, with points": 0,
        "false alarms, with points": 0,
    }
    best_seconds = []
    for path, truth in labelled_images:
        image = open_image(path, colour=False)
        seconds = []
        for _ in range(rounds):
            started = perf_counter()
            detected, _ = detector(image)
            seconds.append(perf_counter() - started)
        best_seconds.append(min(seconds))
        faces = landmarker(image)
        kept = np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4)
        counts["faces"] += len(truth)
        for suffix, boxes in (("", detected.astype(np.float64)), (", with points", kept)):
            found, false_alarms = count_matches(truth, boxes)
            counts[f"found{suffix}"] += found
            counts[f"false alarms{suffix}"] += false_alarms
    return {**counts, "ms per image": round(1e3 * float(np.median(best_seconds)), 2)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder that holds imm, ibug68 and samples"
    )
    parser.add_argument("--detector", action="append", help="may be repeated; default: all")
    parser.add_argument("--file", type=Path, help="use this ONNX file as single_shot")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    samples = options.data / "samples"
    imm = nasion.load_faces("imm", options.data / "imm", "all")
    held_out = nasion.load_faces("ibug68", options.data / "ibug68", "val")
    image_sets = {
        "group photographs": list(group_photographs(samples / "dlib_faces")),
        "tutorial photographs": list(tutorial_photographs(samples / "tutorial_faces")),
        "imm": list(dataset_images(imm))[::4],
        "ibug68, held out": list(dataset_images(held_out)),
    }
    result = {}
    for name in options.detector or DETECTORS.names():
        detector = detectors.load(name)
        if options.file and name == "single_shot":
            detector = type(detector)(file=options.file)
        for title, labelled_images in image_sets.items():
            scores = evaluate_detector(detector, labelled_images)
            result[f"{name}: {title}"] = scores
            print(
                f"{name}: {title}, {scores['faces']} faces: "
                f"{scores['found']} found, {scores['false alarms']} false alarms; "
                f"with points {scores['found, with points']} found, "
                f"{scores['false alarms, with points']} false alarms; "
                f"{scores['ms per image']} ms per image",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
