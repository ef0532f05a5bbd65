"""What the jitter filter brings: clips made from real photographs, with noise and shifts, still
ones and moving ones.

Usage: python benchmarks/jitter.py --data tutorial_faces [--network face68] [--photographs 10]
       [--json FILE]
Still: the photograph with fresh noise (5 grey levels) and moved by up to half a pixel in each
frame; jitter is how far a point is from
its mean place, RMS, in % of the face's size. Moving: the face swings to and fro twice in 4 seconds,
at so many of its sizes a second at
most; lag is by how many frames the smoothed points swing later than those found. 30 frames a
second, 640 x 480, faces of 150 pixels.
"paper": each point by itself, the cutoff rising with the speed itself, as in the paper (min_cutoff
0.7, beta 40, derivative_cutoff 1).
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, smooth
from nasion.inference.tracking import Tracker

RATE, SIZE, FACE, SWING = 30, (640, 480), 150.0, 0.5
SPEEDS = (0.25, 0.5, 1.0, 2.0)


def frames(picture, face, shifts, random):
    """The picture around a face, moved by each of the shifts, with noise."""
    side, middle = float((face.box[2:] - face.box[:2]).max()), (face.box[:2] + face.box[2:]) / 2
    step = side / FACE
    for shift in shifts:
        corner = middle - (np.array(SIZE) / 2 + shift) * step
        shown = picture.transform(
            SIZE,
            Image.Transform.AFFINE,
            (step, 0, corner[0], 0, step, corner[1]),
            Image.Resampling.BICUBIC,
        )
        noisy = np.asarray(shown).astype(np.float64) + random.normal(0, 5, (SIZE[1], SIZE[0], 1))
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def found(landmarker, clip):
    """(T, K, 2) points as they are found; None where the face was lost."""
    tracker, points = Tracker(landmarker, None), []
    for number, pixels in enumerate(clip):
        faces = tracker(pixels, number / RATE)
        if not faces:
            return None
        points.append(faces[0].points.astype(np.float64))
    return np.array(points)


def calmed(points):
    calm, seen = None, []
    for number, now in enumerate(points):
        calm = smooth(now, number / RATE, calm, DEFAULT_SMOOTHING)
        seen.append(calm.points)
    return np.array(seen)


def as_in_the_paper(points, min_cutoff=0.7, beta=40.0, derivative_cutoff=1.0):
    def share(cutoff):
        return 2 * np.pi * cutoff / RATE / (2 * np.pi * cutoff / RATE + 1)

    size, speed, seen = np.ptp(points[0], axis=0).max(), np.zeros_like(points[0]), [points[0]]
    for before, now in pairwise(points):
        speed = speed + share(derivative_cutoff) * ((now - before) * RATE / size - speed)
        cutoff = min_cutoff + beta * np.linalg.norm(speed, axis=1, keepdims=True)
        seen.append(seen[-1] + share(cutoff) * (now - seen[-1]))
    return np.array(seen)


def jitter(points):
    settled = points[15:]
    return 100 * float(np.sqrt(((settled - settled.mean(0)) ** 2).sum(-1).mean())) / FACE


def lag(points, raw):
    """Frames by which the face's middle swings later."""
    turn = 2 * np.pi * SWING / RATE
    at = np.arange(len(points))
    waves = np.stack([np.ones(len(at)), np.sin(turn * at), np.cos(turn * at)], 1)[15:]

    def phase(values):
        _, sine, cosine = np.linalg.lstsq(waves, values[15:], rcond=None)[0]
        return -np.arctan2(cosine, sine) / turn

    return float(phase(points.mean(1)[:, 0]) - phase(raw.mean(1)[:, 0]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", default="face68")
    parser.add_argument("--photographs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    landmarker, random = Landmarker(options.network), np.random.default_rng(0)
    filters = {"one-euro": calmed, "paper": as_in_the_paper}
    fell, lags, raws = (
        {name: [] for name in filters},
        {name: {speed: [] for speed in SPEEDS} for name in filters},
        [],
    )
    photographs = sorted(options.data.glob("*.jpg"))
    for path in photographs[:: max(1, len(photographs) // options.photographs)][
        : options.photographs
    ]:
        picture = Image.open(path).convert("RGB")
        faces = landmarker(picture)
        raw = (
            found(landmarker, frames(picture, faces[0], random.uniform(-0.5, 0.5, (60, 2)), random))
            if faces
            else None
        )
        if raw is None:
            print(f"{path.name}: the face was not found in every frame; left out")
            continue
        raws.append(jitter(raw))
        for name, apply in filters.items():
            fell[name].append(raws[-1] / jitter(apply(raw)))
        for speed in SPEEDS:
            swing = (
                speed
                * FACE
                / (2 * np.pi * SWING)
                * np.sin(2 * np.pi * SWING * np.arange(120) / RATE)
            )
            moved = found(
                landmarker, frames(picture, faces[0], swing[:, None] * np.array([1.0, 0.3]), random)
            )
            for name, apply in filters.items():
                if moved is not None:
                    lags[name][speed].append(lag(apply(moved), moved))
    result = {
        "jitter of what is found, %": round(float(np.mean(raws)), 3),
        "photographs": len(raws),
    }
    for name in filters:
        result[name] = {
            "times less jitter": {
                "mean": round(float(np.mean(fell[name])), 2),
                "least": round(min(fell[name]), 2),
            },
            "lag in frames, by sizes a second": {
                str(speed): round(float(np.mean(values)), 2) for speed, values in lags[name].items()
            },
        }
        print(name, result[name])
    print(
        f"jitter of what is found {result['jitter of what is found, %']} % of the face's size, "
        f"{len(raws)} photographs"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
