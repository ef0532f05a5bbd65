"""Accuracy and speed of landmark networks on IMM, beside dlib, MediaPipe and face-alignment.

Usage:
    python benchmarks/landmarks.py --data IMM [--networks face68 face68_light FILE.onnx ...]
        [--dlib-file FILE] [--mediapipe-python PATH] [--rounds 5] [--images 240] [--json FILE]

IMM is the folder of the IMM face database; no tool was trained on it. The 9 points that all tools
have are compared: corners of the eyes and the mouth, middle of both lips, base of the nose.
nasion and dlib get the largest box of dlib's detector in each image (pip install 'nasion[dlib]');
MediaPipe and face-alignment use their own. benchmarks/predict.py compares whole pipelines, nasion
with its own detector.
"raw" is the NME in % of the distance between the outer eye corners, median over faces. "offsets
out" removes each point's mean offset first, since every tool places points slightly differently;
offsets are in the frame of the eyes and fitted on the other half of the persons.
Speed: all tools take turns, so that a slow phase of the machine affects all of them. Times are the
best and the median of the rounds, in milliseconds per face.

Other tools, each left out if it is not there:
dlib's shape predictor: --dlib-file shape_predictor_68_face_landmarks.dat, which pip install
    face_recognition_models brings.
MediaPipe 0.10.21: --mediapipe-python is the Python of another environment, since it needs NumPy
    below 2.
face-alignment, and OpenVINO to run our own ONNX files: used if they are installed.
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

SHARED_POINTS = (
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
MEDIAPIPE_POINTS = (33, 133, 362, 263, 61, 0, 291, 17, 2)  # the same points in MediaPipe's mesh
# Run by another Python: images.npy, result.json, numbers of the points.
_MEDIAPIPE_SCRIPT = """
import json, sys, time
import numpy as np
import mediapipe
settings = {"static_image_mode": True, "refine_landmarks": True, "max_num_faces": 1}
mesh = mediapipe.solutions.face_mesh.FaceMesh(**settings)
images = np.load(sys.argv[1])
points, seconds = [], []
for image in images:
    start = time.perf_counter()
    faces = mesh.process(image).multi_face_landmarks
    seconds.append(time.perf_counter() - start)
    height, width = image.shape[:2]
    missing = [[float("nan")] * 2] * 478
    landmarks = faces[0].landmark if faces else []
    points.append([[p.x * width - 0.5, p.y * height - 0.5] for p in landmarks] or missing)
kept = list(map(int, sys.argv[3].split(",")))
result = {"points": np.array(points)[:, kept].tolist(), "seconds": seconds}
json.dump(result, open(sys.argv[2], "w"))
"""


def median_nme(truth, predicted, persons, reference=None):
    """Median NME over faces in %, raw and with constant offsets removed, and how many were found.

    Points are (N, 9, 2) as in ``SHARED_POINTS``, NaN for faces that were not found. ``persons``:
    who is in each image. ``reference``: other points than the labels to compare with; distances
    are still relative to the labelled eyes.
    """
    reference = truth if reference is None else reference
    known = np.isfinite(predicted).all((1, 2)) & np.isfinite(reference).all((1, 2))
    eyes = truth[:, 3] - truth[:, 0]
    eye_distance = np.linalg.norm(eyes, axis=1)
    x_axis = eyes / eye_distance[:, None]
    axes = np.stack([x_axis, np.stack([-x_axis[:, 1], x_axis[:, 0]], 1)], 1)
    offsets = np.einsum("nij,nkj->nki", axes, predicted - reference) / eye_distance[:, None, None]
    centered = offsets.copy()
    for half in (0, 1):
        others = (persons % 2 != half) & known
        centered[persons % 2 == half] -= np.nanmean(offsets[others], 0)
    raw, offsets_out = (
        float(np.median(100 * np.linalg.norm(values[known], axis=2).mean(1)))
        for values in (offsets, centered)
    )
    return {"raw": raw, "offsets out": offsets_out, "found": int(known.sum())}


def agreement(truth, tools, persons):
    """Distances between tools, with constant offsets removed, and the label error they imply.

    If the errors of the labels and of two tools with different training data are independent, their
    squares add up: a tool's squared distance from the labels is label^2 + tool^2, that between the
    tools the sum of both tool^2.
    """
    distances = {}
    names = list(tools)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            nme = median_nme(truth, tools[one], persons, tools[other])["offsets out"]
            distances[f"{one} and {other}"] = nme
    if {"face68", "mediapipe"} <= set(tools):
        one, other = (
            median_nme(truth, tools[name], persons)["offsets out"]
            for name in ("face68", "mediapipe")
        )
        label_squared = (one**2 + other**2 - distances["face68 and mediapipe"] ** 2) / 2
        distances["the labels' own"] = float(np.sqrt(max(label_squared, 0)))
    return distances


def load_with_threads(name, threads):
    """A pretrained model or exported file that computes in this many threads."""
    file = model_path(name)
    session = onnx.open_session(file, threads)
    network = onnx.OnnxNetwork(session, session.get_inputs()[0].name, file)
    return replace(load_model(name), network=network)


def model_path(name):
    """The file of a pretrained model, or the file itself."""
    return pretrained.file(name) or Path(name)


def milliseconds(calls, rounds):
    """Best and median milliseconds of each call. Calls take turns; the first round warms up."""
    times = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: {"best": min(values), "median": float(np.median(values))}
        for name, values in times.items()
    }


def openvino_call(path, images, threads):
    """A call that runs an ONNX file under OpenVINO."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda: request.infer({0: images})


def nasion_calls(networks, images, boxes, threads):
    """(call, faces per call) by name: the network alone, and from image and box to points.

    Each for one face and for 16 at once; the network alone also under OpenVINO.
    """
    calls = {}
    for name in networks:
        model = load_with_threads(name, threads)
        width, height = model.spec.input_size
        for count in (1, 16):
            rng = np.random.default_rng(0)
            crops = rng.uniform(0, 255, (count, 1, height, width)).astype(np.float32)
            calls[f"{name}, network alone, {count} at once"] = (
                (lambda model=model, crops=crops: model.network(crops)),
                count,
            )
            if importlib.util.find_spec("openvino"):
                calls[f"{name}, network alone under OpenVINO, {count} at once"] = (
                    openvino_call(model_path(name), crops, threads),
                    count,
                )
        calls[f"{name}, image to points"] = (
            (lambda model=model: model(images[:1], boxes[:1])),
            1,
        )
        calls[f"{name}, image to points, 16 at once"] = (
            (lambda model=model: model(images[:16], boxes[:16])),
            16,
        )
    return calls


def run_mediapipe(python, images):
    """Points (N, 9, 2) and seconds per image, from a process in MediaPipe's environment."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/images.npy", np.stack(images))
        numbers = ",".join(map(str, MEDIAPIPE_POINTS))
        arguments = [f"{folder}/images.npy", f"{folder}/result.json", numbers]
        command = [python, "-c", _MEDIAPIPE_SCRIPT, *arguments]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        result = json.loads(Path(f"{folder}/result.json").read_text())
    return np.array(result["points"]), result["seconds"]


def run_face_alignment(images):
    """Points (N, 68, 2); NaN where no face was found."""
    import face_alignment

    tool = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device="cpu")
    faces = [tool.get_landmarks(image) for image in images]
    return np.stack([found[0] if found else np.full((68, 2), np.nan) for found in faces])


def print_tables(count, accuracy, distances, speed):
    print(f"{count} images; Python {sys.version.split()[0]}")
    for name, scores in accuracy.items():
        print(
            f"{name:24} NME raw {scores['raw']:.2f} %   "
            f"constant offsets removed {scores['offsets out']:.2f} %   "
            f"found {scores['found']}"
        )
    print("Distances, constant offsets removed:")
    for name, value in distances.items():
        print(f"{name:60} {value:.2f} %")
    for name, times in speed.items():
        print(f"{name:60} {times['best']:7.2f} ms per face, median {times['median']:7.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of IMM")
    parser.add_argument("--networks", nargs="+", default=["face68", "face68_light"])
    parser.add_argument("--dlib-file", type=Path, help="file of dlib's shape predictor")
    parser.add_argument("--mediapipe-python", type=Path, help="Python that has MediaPipe")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=240, help="how many images of IMM")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    faces = imm.read(options.data)[: options.images]
    persons = np.array(faces.groups["person"], dtype=int)
    truth = faces.points[:, faces.scheme.index(SHARED_POINTS)].astype(float)
    images = [np.asarray(Image.open(str(path)).convert("RGB")) for path in faces.images]
    shared = ibug68.index(SHARED_POINTS)
    tools, calls = {}, {1: {}, 2: {}}  # points by tool; calls by the number of threads
    import dlib

    detect = dlib.get_frontal_face_detector()
    dlib_boxes = [
        max(detect(image, 0), key=lambda box: box.area(), default=None) for image in images
    ]
    found = [i for i, box in enumerate(dlib_boxes) if box is not None]
    largest = [dlib_boxes[i] for i in found]
    edges = [[box.left(), box.top(), box.right(), box.bottom()] for box in largest]
    boxes = np.array(edges, dtype=np.float32)
    for name in options.networks:
        points = np.full((len(faces), len(SHARED_POINTS), 2), np.nan)
        points[found] = load_model(name)([images[i] for i in found], boxes).points[:, shared]
        tools[name] = points
    timed_images = [images[i] for i in found[:16]]
    for threads in (1, 2):
        calls[threads] |= nasion_calls(options.networks, timed_images, boxes, threads)
    first = found[0]
    calls[1]["dlib, detector"] = (lambda: detect(images[first], 0)), 1
    if options.dlib_file:
        predict_shape = dlib.shape_predictor(str(options.dlib_file))
        points = np.full((len(faces), 68, 2), np.nan)
        for i in found:
            points[i] = [[p.x, p.y] for p in predict_shape(images[i], dlib_boxes[i]).parts()]
        tools["dlib"] = points[:, shared]
        calls[1]["dlib, image and box to points"] = (
            (lambda: predict_shape(images[first], dlib_boxes[first])),
            1,
        )
    mediapipe_speed = {}
    if options.mediapipe_python:
        tools["mediapipe"], seconds = run_mediapipe(options.mediapipe_python, images)
        mediapipe_speed["mediapipe, detector and mesh, its own threads"] = {
            "best": 1e3 * min(seconds),
            "median": 1e3 * float(np.median(seconds)),
        }
    if importlib.util.find_spec("face_alignment"):
        tools["face-alignment"] = run_face_alignment(images)[:, shared]
    accuracy = {name: median_nme(truth, points, persons) for name, points in tools.items()}
    distances = agreement(truth, tools, persons)
    speed = {}
    for threads, timed in calls.items():
        times = milliseconds({name: call for name, (call, _) in timed.items()}, options.rounds)
        for name, (_, count) in timed.items():
            speed[f"{name}, {threads} core{'s' if threads > 1 else ''}"] = {
                key: value / count for key, value in times[name].items()
            }
    speed |= mediapipe_speed
    print_tables(len(faces), accuracy, distances, speed)
    if options.json:
        result = {"accuracy": accuracy, "apart": distances, "milliseconds": speed}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
