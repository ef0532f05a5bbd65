"""How well detectors find faces, and how fast: recall, false alarms, how well the box fits,
milliseconds a picture on one core.

Usage: python benchmarks/find_faces.py --data DATA [--detector single_shot --detector dlib] [--json
       FILE]
Faces are those of dlib's labelled group photographs, the tutorial's photographs, IMM's (all other
people than detectors learnt from),
and the validation side of ibug68, cut out. A face is found if its middle is within half a side of a
box's middle that is 0.5 to 2
times as large; "with points": what is left when the network face68_light has looked and dropped
what it is not sure of.
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
    """dlib's boxes are squares that reach from the brows to below the mouth.

    As boxes of points they sit a little lower.
    """
    for table in ("training.xml", "testing.xml"):
        for image in ElementTree.parse(folder / table).getroot().iter("image"):
            boxes = [
                [int(box.get(side)) for side in ("left", "top", "width", "height")]
                for box in image.iter("box")
            ]
            yield (
                folder / image.get("file"),
                np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], dtype=np.float64),
            )


def tutorial_photographs(folder):
    with (folder / "face_landmarks.csv").open() as table:
        for name, *values in list(csv.reader(table))[1:]:
            yield (
                folder / name,
                geometry.points_box(np.array(values, dtype=np.float64).reshape(1, -1, 2)),
            )


def labelled(faces):
    """Each picture with the box of its points."""
    for path, points in zip(faces.images, faces.points.astype(np.float64), strict=True):
        yield path, geometry.points_box(points[None])


def hits(truth, boxes):
    """(faces found, boxes that are none's)"""
    if not len(boxes):
        return 0, 0
    middles, sides = (
        [(box[:, :2] + box[:, 2:]) / 2 for box in (truth, boxes)],
        [np.sqrt(np.prod(b[:, 2:] - b[:, :2], 1)) for b in (truth, boxes)],
    )
    near = np.abs(middles[0][:, None] - middles[1]).max(-1) < sides[0][:, None] / 2
    fits = near & (sides[1] / sides[0][:, None] > 0.5) & (sides[1] / sides[0][:, None] < 2)
    return int(fits.any(1).sum()), int((~fits.any(0)).sum())


def judged(detector, pictures, times=3):
    """Counts and milliseconds over (path, boxes)."""
    landmarker = Landmarker("face68_light", detector=detector, tta="none")
    found = {
        "faces": 0,
        "found": 0,
        "false alarms": 0,
        "found, with points": 0,
        "false alarms, with points": 0,
    }
    seconds = []
    for path, truth in pictures:
        grey = open_image(path, colour=False)
        taken = []
        for _ in range(times):
            began = perf_counter()
            seen, _ = detector(grey)
            taken.append(perf_counter() - began)
        seconds.append(min(taken))
        faces = landmarker(grey)
        boxes = np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4)
        found["faces"] += len(truth)
        for words, told in (("", seen.astype(np.float64)), (", with points", boxes)):
            hit, alarm = hits(truth, told)
            found[f"found{words}"] += hit
            found[f"false alarms{words}"] += alarm
    return {**found, "ms a picture": round(1e3 * float(np.median(seconds)), 2)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--detector", action="append")
    parser.add_argument("--file", type=Path, help="another file of the detector single_shot")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    samples = options.data / "samples"
    sets = {
        "group photographs": list(group_photographs(samples / "dlib_faces")),
        "tutorial photographs": list(tutorial_photographs(samples / "tutorial_faces")),
        "imm": list(labelled(nasion.load_faces("imm", options.data / "imm", "all")))[::4],
        "ibug68, held out": list(
            labelled(nasion.load_faces("ibug68", options.data / "ibug68", "val"))
        ),
    }
    result = {}
    for name in options.detector or DETECTORS.names():
        detector = detectors.load(name)
        if options.file and name == "single_shot":
            detector = type(detector)(file=options.file)
        for title, pictures in sets.items():
            result[f"{name}: {title}"] = judged(detector, pictures)
            print(f"{name}: {title}: {result[f'{name}: {title}']}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
