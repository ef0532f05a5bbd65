"""The jitter filter: how much it smooths still faces, and how far moving faces lag behind.

Usage:
    python benchmarks/jitter.py --data tutorial_faces [--network face68] [--photographs 10]
        [--json FILE]

Clips are rendered from photographs: 640 x 480 at 30 frames per second, faces of 150 pixels, fresh
noise of 5 grey levels in every frame.
Still clips: 60 frames, each shifted by up to half a pixel. Jitter is the RMS distance of points
from their mean positions, in % of the face size.
Moving clips: 120 frames in which the face swings twice, with peak speeds of 0.25 to 2 face sizes
per second. Lag is the delay of the smoothed swing in frames.
"one-euro" is the filter of nasion.inference.smoothing. "paper" is that of the paper: every point
on its own, with a cutoff that rises with the speed instead of its square.
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

FRAME_RATE, FRAME_SIZE, FACE_SIZE = 30, (640, 480), 150.0  # Hz, pixels, pixels
SWING = 0.5  # Hz
SPEEDS = (0.25, 0.5, 1.0, 2.0)  # face sizes per second
SETTLING = 15  # frames that are not counted, while filters settle


def render_clip(photograph, face, shifts, rng):
    """Yield frames around a face, each shifted by its (x, y) pixels, with noise."""
    side, center = float((face.box[2:] - face.box[:2]).max()), (face.box[:2] + face.box[2:]) / 2
    scale = side / FACE_SIZE
    for shift in shifts:
        corner = center - (np.array(FRAME_SIZE) / 2 + shift) * scale
        frame = photograph.transform(
            FRAME_SIZE,
            Image.Transform.AFFINE,
            (scale, 0, corner[0], 0, scale, corner[1]),
            Image.Resampling.BICUBIC,
        )
        noise = rng.normal(0, 5, (FRAME_SIZE[1], FRAME_SIZE[0], 1))
        yield np.clip(np.asarray(frame).astype(np.float64) + noise, 0, 255).astype(np.uint8)


def track_points(landmarker, clip):
    """Unsmoothed points (T, K, 2) of the tracked face; None if it is lost in any frame."""
    tracker, points = Tracker(landmarker, None), []
    for number, pixels in enumerate(clip):
        faces = tracker(pixels, number / FRAME_RATE)
        if not faces:
            return None
        points.append(faces[0].points.astype(np.float64))
    return np.array(points)


def smooth_clip(points):
    """Points smoothed by the package's filter with its default settings."""
    state, smoothed = None, []
    for number, now in enumerate(points):
        state = smooth(now, number / FRAME_RATE, state, DEFAULT_SMOOTHING)
        smoothed.append(state.points)
    return np.array(smoothed)


def smooth_as_in_the_paper(points, min_cutoff=0.7, beta=40.0, derivative_cutoff=1.0):
    """Points smoothed one by one with the original filter; speeds in face sizes per second."""

    def low_pass(cutoff):
        ratio = 2 * np.pi * cutoff / FRAME_RATE
        return ratio / (ratio + 1)

    size, speed = np.ptp(points[0], axis=0).max(), np.zeros_like(points[0])
    smoothed = [points[0]]
    for before, now in pairwise(points):
        speed = speed + low_pass(derivative_cutoff) * ((now - before) * FRAME_RATE / size - speed)
        cutoff = min_cutoff + beta * np.linalg.norm(speed, axis=1, keepdims=True)
        smoothed.append(smoothed[-1] + low_pass(cutoff) * (now - smoothed[-1]))
    return np.array(smoothed)


FILTERS = {"one-euro": smooth_clip, "paper": smooth_as_in_the_paper}


def jitter(points):
    """RMS distance of points from their mean positions, in % of the face size."""
    settled = points[SETTLING:]
    return 100 * float(np.sqrt(((settled - settled.mean(0)) ** 2).sum(-1).mean())) / FACE_SIZE


def lag(smoothed, raw):
    """Delay in frames of the smoothed face's swing, from sines fitted to its mean x."""
    frequency = 2 * np.pi * SWING / FRAME_RATE  # radians per frame
    frames = np.arange(len(raw))
    waves = [np.ones(len(frames)), np.sin(frequency * frames), np.cos(frequency * frames)]
    waves = np.stack(waves, 1)[SETTLING:]

    def delay(values):
        _, sine, cosine = np.linalg.lstsq(waves, values[SETTLING:], rcond=None)[0]
        return -np.arctan2(cosine, sine) / frequency

    return float(delay(smoothed.mean(1)[:, 0]) - delay(raw.mean(1)[:, 0]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of .jpg photographs")
    parser.add_argument(
        "--network", default="face68", help="pretrained model, exported file or run folder"
    )
    parser.add_argument("--photographs", type=int, default=10, help="how many, evenly spaced")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    landmarker, rng = Landmarker(options.network), np.random.default_rng(0)
    raw_jitter = []
    reductions = {name: [] for name in FILTERS}
    lags = {name: {speed: [] for speed in SPEEDS} for name in FILTERS}
    photographs = sorted(options.data.glob("*.jpg"))
    step = max(1, len(photographs) // options.photographs)
    for path in photographs[::step][: options.photographs]:
        photograph = Image.open(path).convert("RGB")
        faces, still = landmarker(photograph), None
        if faces:
            shifts = rng.uniform(-0.5, 0.5, (60, 2))
            still = track_points(landmarker, render_clip(photograph, faces[0], shifts, rng))
        if still is None:
            print(f"{path.name}: left out, the face was not found in every frame")
            continue
        raw_jitter.append(jitter(still))
        for name, smoothing in FILTERS.items():
            reductions[name].append(raw_jitter[-1] / jitter(smoothing(still)))
        for speed in SPEEDS:
            amplitude = speed * FACE_SIZE / (2 * np.pi * SWING)
            swing = amplitude * np.sin(2 * np.pi * SWING * np.arange(120) / FRAME_RATE)
            shifts = swing[:, None] * np.array([1.0, 0.3])
            moving = track_points(landmarker, render_clip(photograph, faces[0], shifts, rng))
            if moving is None:
                continue
            for name, smoothing in FILTERS.items():
                lags[name][speed].append(lag(smoothing(moving), moving))
    result = {
        "jitter of what is found, %": round(float(np.mean(raw_jitter)), 3),
        "photographs": len(raw_jitter),
    }
    print(
        f"unfiltered: jitter {result['jitter of what is found, %']} % of the face size, "
        f"{len(raw_jitter)} photographs"
    )
    for name in FILTERS:
        mean, least = float(np.mean(reductions[name])), min(reductions[name])
        mean_lags = {
            str(speed): round(float(np.mean(values)), 2) for speed, values in lags[name].items()
        }
        result[name] = {
            "times less jitter": {"mean": round(mean, 2), "least": round(least, 2)},
            "lag in frames, by sizes a second": mean_lags,
        }
        print(
            f"{name}: jitter {mean:.2f} times lower (worst photograph {least:.2f}); "
            f"lag in frames by face sizes per second {mean_lags}"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
