"""Face detectors compared: recall, false alarms and milliseconds per image.

Usage:
    python benchmarks/find_faces.py --data DATA [--detector single_shot --detector dlib]
        [--file FILE ...] [--sets WORD ...] [--every N] [--json FILE]

DATA holds imm, the datasets of face_sets.py, samples/dlib_faces (dlib's labelled group photographs)
and samples/tutorial_faces (those of PyTorch's tutorial). Detectors are evaluated on all of these
photographs, every fourth image of IMM, and the held-out persons of ibug68 (face crops), CFP and
FG-NET; on ibug68's turned, cut by the image's edge, and partly covered; on the group photographs
tiled into pictures of 4000 x 3000; and on drawings without faces, of other seeds than in training.
No person of IMM is in the training data of single_shot.
A face counts as found if the centre of a box of 0.5 to 2 times its size is within half its side.
A box that finds no face is a false alarm. "with points": the faces that are left after
face68_light has scored them and Landmarker has dropped low scores.
The time is that of the detector alone, on one core: the best of three calls, median over images.
--file: evaluate this ONNX file as single_shot; may be repeated. --sets: only image sets with one of
these words in their title. --every: only every n-th image.
--json: write the numbers there; those of other detectors and sets stay.
"""

import argparse
import csv
import json
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

import numpy as np
from face_sets import load_sets
from PIL import Image

import nasion
from nasion.data.drawn_patterns import draw_animal, draw_pattern
from nasion.discovery import DETECTORS
from nasion.inference import detectors
from nasion.inference.detectors.single_shot import SingleShot
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
    """Yield (path, box of the face) of each face; where a half is labelled, of the whole face."""
    boxes = geometry.points_box(faces.points) if faces.boxes is None else faces.boxes
    for path, box in zip(faces.images, boxes.astype(np.float64), strict=True):
        yield path, box[None]


def turned(faces, degrees):
    """Yield (pixels, box of the points) of each face turned, every second one to the other side.

    The image grows so that no part is lost; what is added is grey.
    """
    for number, (path, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        angle = degrees if number % 2 else -degrees
        image = Image.fromarray(open_image(path, colour=False))
        # Pillow counts counter-clockwise.
        seen = image.rotate(-angle, Image.Resampling.BILINEAR, expand=True, fillcolor=128)
        centers = [np.array([(side - 1) / 2 for side in each.size]) for each in (image, seen)]
        to_seen = geometry.similarity(
            tuple(centers[0]), np.array(angle), np.array(1.0), centers[1] - centers[0]
        )
        yield np.asarray(seen), geometry.points_box(geometry.apply(to_seen, points)[None])


def cut_off(faces, part):
    """Yield (pixels, box of the points) of each face, this part of it beyond the image's edge.

    The edges take turns. The box is of the whole face.
    """
    for number, (path, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        pixels = open_image(path, colour=False)
        box = geometry.points_box(points[None].astype(np.float64))
        (x0, y0, x1, y1), edge = box[0], number % 4
        left, top = round(x0 + part * (x1 - x0)), round(y0 + part * (y1 - y0))
        right, bottom = round(x1 - part * (x1 - x0)), round(y1 - part * (y1 - y0))
        if edge == 0:
            yield pixels[:, max(left, 0) :], box - [max(left, 0), 0] * 2
        elif edge == 1:
            yield pixels[max(top, 0) :], box - [0, max(top, 0)] * 2
        elif edge == 2:
            yield pixels[:, :right], box
        else:
            yield pixels[:bottom], box


def covered(faces):
    """Yield (pixels, box of the points) of each face, a part of it behind a grey rectangle.

    Mouth and chin, one side, or the eyes, in turn.
    """
    rng = np.random.default_rng(0)
    for number, (path, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        pixels = open_image(path, colour=False).copy()
        box = geometry.points_box(points[None].astype(np.float64))
        # Of the box, from its corner: left, top, right, bottom. Brows are at its upper edge.
        part = [(-0.1, 0.5, 1.1, 1.1), (-0.1, -0.1, 0.5, 1.1), (-0.1, 0.0, 1.1, 0.35)][number % 3]
        corner, side = np.tile(box[0, :2], 2), np.tile(box[0, 2:] - box[0, :2], 2)
        x0, y0, x1, y1 = np.maximum(corner + np.array(part) * side, 0).round().astype(int).tolist()
        pixels[y0:y1, x0:x1] = rng.integers(256)
        yield pixels, box


def tiled(photographs, width=4000, height=3000, count=3):
    """Pictures of this size, each composed of photographs as they are, and the faces' boxes."""
    rng, pictures = np.random.default_rng(0), []
    opened = [(open_image(path, colour=False), boxes) for path, boxes in photographs]
    for _ in range(count):
        picture, boxes = np.full((height, width), 128, dtype=np.uint8), []
        y, row = 0, 0
        while y < height:
            x, row = 0, 0
            while x < width:
                pixels, labelled = opened[rng.integers(len(opened))]
                part = pixels[: height - y, : width - x]
                picture[y : y + part.shape[0], x : x + part.shape[1]] = part
                shown = (labelled[:, 2] < part.shape[1]) & (labelled[:, 3] < part.shape[0])
                boxes.append(labelled[shown] + [x, y] * 2)
                x, row = x + pixels.shape[1], max(row, pixels.shape[0])
            y += row
        pictures.append((picture, np.concatenate(boxes)))
    return pictures


def drawings(draw, count=300):
    """Drawn pictures without a face."""
    rng = np.random.default_rng(20_000)
    pictures = [Image.fromarray(draw(rng, 240)).convert("L") for _ in range(count)]
    return [(np.asarray(picture), np.zeros((0, 4))) for picture in pictures]


def count_matches(truth, boxes):
    """(faces found, false alarms) of one image's boxes."""
    if not len(boxes) or not len(truth):
        return 0, len(boxes)
    true_centers, centers = ((each[:, :2] + each[:, 2:]) / 2 for each in (truth, boxes))
    true_sides, sides = (np.sqrt(np.prod(b[:, 2:] - b[:, :2], 1)) for b in (truth, boxes))
    distance = np.abs(true_centers[:, None] - centers).max(-1)
    ratio = sides / true_sides[:, None]
    match = (distance < true_sides[:, None] / 2) & (ratio > 0.5) & (ratio < 2)
    return int(match.any(1).sum()), int((~match.any(0)).sum())


def evaluate_detector(detector, labelled_images, rounds=3):
    """Counts and milliseconds over (path or pixels, boxes)."""
    landmarker = Landmarker("face68_light", detector=detector, tta="none")
    counts = {
        "faces": 0,
        "found": 0,
        "false alarms": 0,
        "found, with points": 0,
        "false alarms, with points": 0,
    }
    best_seconds = []
    for source, truth in labelled_images:
        image = source if isinstance(source, np.ndarray) else open_image(source, colour=False)
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


def image_sets(data):
    """(path or pixels, boxes) of each image, by the set's title; made when a set's turn comes."""
    samples = data / "samples"
    groups = list(group_photographs(samples / "dlib_faces"))

    @cache
    def held_out():
        return load_sets(data)[1]

    def changed_ibug(change, *values):
        return change(held_out()["ibug68"], *values)

    sets = {
        "group photographs": lambda: groups,
        "tutorial photographs": lambda: tutorial_photographs(samples / "tutorial_faces"),
        "imm": lambda: list(dataset_images(nasion.load_faces("imm", data / "imm", "all")))[::4],
        "ibug68, held out": lambda: changed_ibug(dataset_images),
        "cfp frontal, held out": lambda: dataset_images(held_out()["cfp_frontal"]),
        "cfp profile, held out": lambda: dataset_images(held_out()["cfp_profile"]),
        "fgnet, held out": lambda: dataset_images(held_out()["fgnet"]),
    }
    for degrees in (15, 30, 45, 60):
        sets[f"ibug68, turned {degrees} degrees"] = partial(changed_ibug, turned, degrees)
    for title, part in (("a quarter", 1 / 4), ("a third", 1 / 3), ("two fifths", 2 / 5)):
        sets[f"ibug68, {title} cut off"] = partial(changed_ibug, cut_off, part)
    sets["ibug68, partly covered"] = partial(changed_ibug, covered)
    sets["tiled to 4000 x 3000"] = partial(tiled, groups)
    sets["drawn patterns"] = partial(drawings, draw_pattern)
    sets["drawn animals"] = partial(drawings, draw_animal)
    return sets


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--detector", action="append", help="may be repeated; default: all")
    parser.add_argument("--file", type=Path, action="append", help="an ONNX file as single_shot")
    parser.add_argument("--sets", nargs="+", default=[""], help="words of the sets' titles")
    parser.add_argument("--every", type=int, default=1, help="evaluate every n-th image only")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    if options.file:
        tested = {file.stem: SingleShot(file=file) for file in options.file}
    else:
        names = options.detector or DETECTORS.names()
        tested = {name: detectors.load(name) for name in names}
    result = {}
    for title, load in image_sets(options.data).items():
        if not any(word in title for word in options.sets):
            continue
        labelled_images = list(load())[:: options.every]
        for name, detector in tested.items():
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
        known = json.loads(options.json.read_text()) if options.json.is_file() else {}
        options.json.write_text(json.dumps({**known, **result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
