"""Landmarks beside peers, in one run, on the same pictures and cores: accuracy on a neutral set,
milliseconds a face.

Usage: python benchmarks/landmarks.py --data IMM [--networks face68 face68_light FILE.onnx ...]
       [--dlib-file FILE]
       [--mediapipe-python PATH] [--rounds 5] [--pictures 240] [--json FILE]
IMM is the folder of the IMM face database, on which none of the tools was trained: its 9 points
that all tools have (eye and
mouth corners, lips, nose base). Each tool has its own detector; nasion takes dlib's boxes (pip
install dlib-bin) until it has one.
"raw": NME in % of the distance between the outer eye corners, median over faces; "offsets out":
each point's mean offset in the
frame of the eyes, fitted on the other half of the persons, taken out, since the tools mean slightly
other places.
Peers: dlib's 68 points (shape_predictor_68_face_landmarks.dat, as in pip install
face_recognition_models), MediaPipe 0.10.21 (in an
environment of its own, since it wants NumPy below 2: --mediapipe-python), face-alignment, and
OpenVINO to run our own files; those
that are not there are left out.
Speed: all tools in turn, so that a machine that slows down slows all; the best and the median of
the rounds.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from nasion.data.datasets import imm
from nasion.inference import pretrained
from nasion.inference.backends import onnx
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import ibug68

NAMES = (
    "right_eye_outer_corner",
    "right_eye_inner_corner",
    "left_eye_inner_corner",
    "left_eye_outer_corner",
    "mouth_right_corner",
    "mouth_center_top_lip",
    "mouth_left_corner",
    "mouth_center_bottom_lip",
    "nose_base",
)
MESH = (33, 133, 362, 263, 61, 0, 291, 17, 2)
_OTHER = """
import json, sys, time
import numpy as np
import mediapipe
settings = {"static_image_mode": True, "refine_landmarks": True, "max_num_faces": 1}
mesh = mediapipe.solutions.face_mesh.FaceMesh(**settings)
pictures = np.load(sys.argv[1])
points, seconds = [], []
for number, picture in enumerate(pictures):
    start = time.perf_counter()
    found = mesh.process(picture).multi_face_landmarks
    seconds.append(time.perf_counter() - start)
    height, width = picture.shape[:2]
    missing = [[float("nan")] * 2] * 478
    marks = found[0].landmark if found else []
    points.append([[p.x * width - 0.5, p.y * height - 0.5] for p in marks] or missing)
kept = list(map(int, sys.argv[3].split(",")))
result = {"points": np.array(points)[:, kept].tolist(), "seconds": seconds}
json.dump(result, open(sys.argv[2], "w"))
"""


def errors(truth, found, persons, against=None):
    """Median NME over faces in %, raw and with offsets out, and how many were found.

    ``against``: other points than the labels.
    """
    against = truth if against is None else against
    known = np.isfinite(found).all((1, 2)) & np.isfinite(against).all((1, 2))
    eyes = truth[:, 3] - truth[:, 0]
    distance = np.linalg.norm(eyes, axis=1)
    across = eyes / distance[:, None]
    axes = np.stack([across, np.stack([-across[:, 1], across[:, 0]], 1)], 1)
    apart = np.einsum("nij,nkj->nki", axes, found - against) / distance[:, None, None]
    even = apart.copy()
    for half in (0, 1):
        even[persons % 2 == half] -= np.nanmean(apart[(persons % 2 != half) & known], 0)
    raw, out = (
        float(np.median(100 * np.linalg.norm(values[known], axis=2).mean(1)))
        for values in (apart, even)
    )
    return {"raw": raw, "offsets out": out, "found": int(known.sum())}


def agreement(truth, tools, persons):
    """How far tools are apart from each other, offsets out, and what that leaves for the labels'
    own error.

    Errors of labels and of two tools that learnt from others add up like independent ones: label^2
    + tool^2 is their distance's square.
    """
    found = {
        f"{one} and {other}": errors(truth, tools[one], persons, tools[other])["offsets out"]
        for i, one in enumerate(tools)
        for other in list(tools)[i + 1 :]
    }
    if {"face68", "mediapipe"} <= set(tools):
        one, other = (
            errors(truth, tools[name], persons)["offsets out"] for name in ("face68", "mediapipe")
        )
        found["the labels' own"] = float(
            np.sqrt(max(one**2 + other**2 - found["face68 and mediapipe"] ** 2, 0) / 2)
        )
    return found


def with_threads(name, threads):
    """A network on so many cores."""
    model = load_model(name)
    session = onnx.open_session(model_path(name), threads)
    return replace(model, network=onnx.OnnxNetwork(session, session.get_inputs()[0].name))


def model_path(name):
    """The file of a pretrained model's name, or the file itself."""
    return pretrained.file(name) or Path(name)


def milliseconds(calls, rounds):
    """Best and median milliseconds of each call, all in turn."""
    spent = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                spent[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: {"best": min(values), "median": float(np.median(values))}
        for name, values in spent.items()
    }


def openvino_call(path, seen, threads):
    """The same file run by OpenVINO."""
    import openvino

    asked = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", asked).create_infer_request()
    return lambda: request.infer({0: seen})


def nasion_calls(networks, pictures, boxes, threads):
    """What is timed of nasion: the network alone, one face from picture to points, and 16 faces at
    once.
    """
    calls = {}
    for name in networks:
        model = with_threads(name, threads)
        width, height = model.spec.input_size
        for count in (1, 16):
            seen = (
                np.random.default_rng(0)
                .uniform(0, 255, (count, 1, height, width))
                .astype(np.float32)
            )
            calls[f"{name}, network alone, {count} at once"] = (
                (lambda model=model, seen=seen: model.network(seen)),
                count,
            )
            if importlib.util.find_spec("openvino"):
                calls[f"{name}, network alone under OpenVINO, {count} at once"] = (
                    openvino_call(model_path(name), seen, threads),
                    count,
                )
        calls[f"{name}, picture to points"] = (
            (lambda model=model: model(pictures[:1], boxes[:1])),
            1,
        )
        calls[f"{name}, picture to points, 16 at once"] = (
            (lambda model=model: model(pictures[:16], boxes[:16])),
            16,
        )
    return calls


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=["face68", "face68_light"])
    parser.add_argument("--dlib-file", type=Path)
    parser.add_argument("--mediapipe-python", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    faces = imm.read(options.data)[: options.pictures]
    persons = np.array(faces.groups["person"], dtype=int)
    truth = faces.points[:, faces.scheme.index(NAMES)].astype(float)
    colour = [np.asarray(Image.open(str(path)).convert("RGB")) for path in faces.images]
    at = ibug68.index(NAMES)
    tools, calls = {}, {1: {}, 2: {}}
    import dlib

    detect = dlib.get_frontal_face_detector()
    found = [
        max(detect(picture, 0), key=lambda box: box.area(), default=None) for picture in colour
    ]
    there = [i for i, box in enumerate(found) if box is not None]
    boxes = np.array(
        [[box.left(), box.top(), box.right(), box.bottom()] for box in found if box is not None],
        dtype=np.float32,
    )
    for name in options.networks:
        points = np.full((len(faces), len(NAMES), 2), np.nan)
        points[there] = load_model(name)([colour[i] for i in there], boxes).points[:, at]
        tools[name] = points
    shown = [colour[i] for i in there[:16]]
    for threads in (1, 2):
        calls[threads] |= nasion_calls(options.networks, shown, boxes, threads)
    calls[1]["dlib, detector"] = (lambda: detect(colour[there[0]], 0)), 1
    if options.dlib_file:
        shape = dlib.shape_predictor(str(options.dlib_file))
        points = np.full((len(faces), 68, 2), np.nan)
        for i in there:
            points[i] = [[p.x, p.y] for p in shape(colour[i], found[i]).parts()]
        tools["dlib"] = points[:, at]
        calls[1]["dlib, picture and box to points"] = (
            (lambda: shape(colour[there[0]], found[there[0]])),
            1,
        )
    others = {}
    if options.mediapipe_python:
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/pictures.npy", np.stack(colour))
            words = [
                options.mediapipe_python,
                "-c",
                _OTHER,
                f"{folder}/pictures.npy",
                f"{folder}/found.json",
                ",".join(map(str, MESH)),
            ]
            subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
            said = json.loads(Path(f"{folder}/found.json").read_text())
        tools["mediapipe"] = np.array(said["points"])
        others["mediapipe, detector and mesh, its own threads"] = {
            "best": 1e3 * min(said["seconds"]),
            "median": 1e3 * float(np.median(said["seconds"])),
        }
    if importlib.util.find_spec("face_alignment"):
        import face_alignment

        tool = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device="cpu")
        every = [tool.get_landmarks(picture) for picture in colour]
        points = np.stack([each[0] if each else np.full((68, 2), np.nan) for each in every])
        tools["face-alignment"] = points[:, at]
    accuracy = {name: errors(truth, points, persons) for name, points in tools.items()}
    apart = agreement(truth, tools, persons)
    speed = {}
    for threads, timed in calls.items():
        spent = milliseconds({name: call for name, (call, _) in timed.items()}, options.rounds)
        for name, (_, count) in timed.items():
            speed[f"{name}, {threads} core{'s' if threads > 1 else ''}"] = {
                key: value / count for key, value in spent[name].items()
            }
    speed |= others
    print(f"{len(faces)} pictures; Python {sys.version.split()[0]}")
    for name, scores in accuracy.items():
        print(
            f"{name:24} raw {scores['raw']:.2f} %   "
            f"offsets out {scores['offsets out']:.2f} %   "
            f"found {scores['found']}"
        )
    for name, value in apart.items():
        print(f"{name:60} {value:.2f} % apart, offsets out")
    for name, spent in speed.items():
        print(f"{name:60} {spent['best']:7.2f} ms a face at best, median {spent['median']:7.2f}")
    if options.json:
        options.json.write_text(
            json.dumps({"accuracy": accuracy, "apart": apart, "milliseconds": speed}, indent=1)
            + "\n"
        )


if __name__ == "__main__":
    main()
