"""The whole way from picture files to points beside peers, in one run, on the same pictures: faces
per second, accuracy, where time goes.

Usage: python benchmarks/predict.py --data IMM [--mediapipe-python PATH] [--dlib-file FILE]
       [--rounds 3] [--pictures 240] [--json FILE]
IMM, 640 x 480, is the neutral set of benchmarks/landmarks.py, whose 9 points and errors these are.
Every tool opens the file, finds the
face and its points, one picture after the other, in a process of its own that has done ten pictures
before the clock starts: on one
core, then two such processes on a core each. Tools take turns, and the median of the rounds is
told. At last a video, as nasion predict does it.
Peers as in landmarks.py: dlib-bin with its landmark file, MediaPipe 0.10.21, face-alignment; those
that are not there are left out.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MESH = (33, 133, 362, 263, 61, 0, 291, 17, 2)
IBUG = (36, 39, 42, 45, 48, 51, 54, 57, 33)
WARM = 10


def nasion_tool(network, average):
    from nasion.inference.landmarker import Landmarker

    landmarker = Landmarker(network, tta=average, max_faces=1)

    def points(path):
        faces = landmarker(path)
        return faces[0].points[list(IBUG)].tolist() if faces else None

    return points


def dlib_tool(file):
    import dlib
    import numpy as np
    from PIL import Image

    detect, shape = dlib.get_frontal_face_detector(), dlib.shape_predictor(file)

    def points(path):
        picture = np.asarray(Image.open(path).convert("RGB"))
        found = max(detect(picture, 0), key=lambda box: box.area(), default=None)
        if found is None:
            return None
        parts = shape(picture, found).parts()
        return [[parts[i].x, parts[i].y] for i in IBUG]

    return points


def mediapipe_tool():
    import mediapipe
    import numpy as np
    from PIL import Image

    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1
    )

    def points(path):
        picture = np.asarray(Image.open(path).convert("RGB"))
        found = mesh.process(picture).multi_face_landmarks
        height, width = picture.shape[:2]
        return (
            [
                [found[0].landmark[i].x * width - 0.5, found[0].landmark[i].y * height - 0.5]
                for i in MESH
            ]
            if found
            else None
        )

    return points


def face_alignment_tool():
    import face_alignment

    tool = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device="cpu")

    def points(path):
        found = tool.get_landmarks(path)
        return found[0][list(IBUG)].tolist() if found else None

    return points


TOOLS = {
    "nasion face68": lambda _: nasion_tool("face68", None),
    "nasion face68, one view": lambda _: nasion_tool("face68", "none"),
    "nasion face68_light": lambda _: nasion_tool("face68_light", None),
    "dlib": dlib_tool,
    "mediapipe": lambda _: mediapipe_tool(),
    "face-alignment": lambda _: face_alignment_tool(),
}


def work(tool, setting, core, paths, out):
    """What a process does: get warm, say so, wait for the word, do all pictures, write points and
    seconds.
    """
    os.sched_setaffinity(0, {core})
    points = TOOLS[tool](setting)
    for path in paths[:WARM]:
        points(path)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    found = [points(path) for path in paths]
    Path(out).write_text(json.dumps({"seconds": time.perf_counter() - began, "points": found}))


def timed(tool, python, setting, shares):
    """Faces per second of as many processes as there are shares of the pictures, and the points."""
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for core, paths in enumerate(shares):
            words = [
                python,
                __file__,
                "--worker",
                json.dumps([tool, setting, core, paths, f"{folder}/{core}.json"]),
            ]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            running.append(
                subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=environment,
                )
            )
        for process in running:
            while (line := process.stdout.readline()) != "ready\n":
                if not line:
                    raise SystemExit(
                        f"{tool} ended before it was ready; run its worker by hand to see why."
                    )
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in running:
            process.wait()
        said = [
            json.loads(Path(f"{folder}/{core}.json").read_text()) for core in range(len(shares))
        ]
    points = [found for each in said for found in each["points"]]
    return sum(map(len, shares)) / max(each["seconds"] for each in said), points


def parts_of_time(paths):
    """Milliseconds of nasion's steps, the median over pictures, on one core."""
    import numpy as np

    from nasion.inference.landmarker import Landmarker
    from nasion.media.images import open_image

    os.sched_setaffinity(0, {0})
    found = {}
    for network in ("face68", "face68_light"):
        landmarker, spent = Landmarker(network), []
        for path in paths:
            marks = [time.perf_counter()]
            pixels = open_image(Path(path), landmarker.predictor.spec.colour)
            marks.append(time.perf_counter())
            boxes, scores = landmarker.detector(pixels)
            marks.append(time.perf_counter())
            landmarker.predictor.faces_in(pixels, boxes, scores)
            marks.append(time.perf_counter())
            spent.append(np.diff(marks))
        found[network] = dict(
            zip(
                ("decode", "detect", "points"),
                np.round(1e3 * np.median(spent[WARM:], axis=0), 2).tolist(),
                strict=True,
            )
        )
    return found


def video_rate(path):
    """Frames per second that ``nasion predict`` tells of a clip of 300 frames, 640 x 480, with one
    face: read, followed, drawn, written.
    """
    import av
    import numpy as np
    from PIL import Image

    picture = Image.open(path).convert("RGB")
    with tempfile.TemporaryDirectory() as folder:
        with av.open(f"{folder}/clip.mp4", "w") as out:
            video = out.add_stream("libx264", rate=30)
            video.width, video.height, video.pix_fmt = *picture.size, "yuv420p"
            for step in range(300):
                moved = picture.transform(
                    picture.size,
                    Image.Transform.AFFINE,
                    (1, 0, 40 * np.sin(step / 20), 0, 1, 0),
                    Image.Resampling.BILINEAR,
                )
                out.mux(video.encode(av.VideoFrame.from_image(moved)))
            out.mux(video.encode(None))
        words = [
            sys.executable,
            "-m",
            "nasion",
            "predict",
            f"{folder}/clip.mp4",
            "--out",
            f"{folder}/out",
        ]
        said = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout
        return float(re.search(r"([\d.]+) frames per second", said)[1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--mediapipe-python")
    parser.add_argument("--dlib-file", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*json.loads(options.worker))
        return
    import numpy as np
    from landmarks import NAMES, errors

    from nasion.data.datasets import imm

    faces = imm.read(options.data)[: options.pictures]
    truth = faces.points[:, faces.scheme.index(NAMES)].astype(float)
    paths = [str(path) for path in faces.images]
    tools = {
        name: (sys.executable, options.dlib_file) for name in TOOLS if name.startswith("nasion")
    }
    if options.dlib_file:
        tools["dlib"] = (sys.executable, options.dlib_file)
    if options.mediapipe_python:
        tools["mediapipe"] = (options.mediapipe_python, "")
    if importlib.util.find_spec("face_alignment"):
        tools["face-alignment"] = (sys.executable, "")
    speeds = {name: {1: [], 2: []} for name in tools}
    scores = {}
    for _ in range(options.rounds):
        for cores, shares in ((1, [paths]), (2, [paths[::2], paths[1::2]])):
            for name, (python, setting) in tools.items():
                speed, points = timed(name, python, setting, shares)
                speeds[name][cores].append(speed)
                if cores == 1:
                    seen = np.array(
                        [
                            found if found is not None else np.full((len(NAMES), 2), np.nan)
                            for found in points
                        ],
                        dtype=float,
                    )
                    scores[name] = errors(truth, seen, np.array(faces.groups["person"], dtype=int))
    result = {}
    for name in tools:
        one, two = (round(float(np.median(speeds[name][cores])), 1) for cores in (1, 2))
        result[name] = {
            "faces per second, 1 core": one,
            "faces per second, 2 cores": two,
            **scores[name],
        }
        said = (
            f"raw {scores[name]['raw']:.2f} %, offsets out {scores[name]['offsets out']:.2f} "
            f"%, found {scores[name]['found']}"
        )
        print(f"{name:26} {one:7.1f} faces a second on one core, {two:7.1f} on two; {said}")
    result["nasion face68, video"] = {"frames per second": video_rate(paths[0])}
    print(f"video: {result['nasion face68, video']['frames per second']} frames a second")
    steps = parts_of_time(paths)
    print(f"milliseconds of the steps: {steps}")
    if options.json:
        options.json.write_text(
            json.dumps({"tools": result, "milliseconds": steps, "pictures": len(paths)}, indent=1)
            + "\n"
        )


if __name__ == "__main__":
    main()
