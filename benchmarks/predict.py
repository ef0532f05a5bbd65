"""From image files to points, beside other tools: faces per second, accuracy, time of each step.

Usage:
    python benchmarks/predict.py --data IMM [--mediapipe-python PATH] [--dlib-file FILE]
        [--rounds 3] [--images 240] [--json FILE]
    python benchmarks/predict.py --data IMM --profile [--rounds 3] [--images 240] [--json FILE]

Every tool opens each file of IMM (640 x 480), finds the face and predicts its points, with its own
detector, one image after the other; nasion also as `Landmarker.each` does it ("8 at once"). It runs
in a process of its own that has processed ten images before the clock starts: first one process on
one core, then two on a core each. Tools take turns, and the median of the rounds is reported.
Points and errors are those of benchmarks/landmarks.py; so are the other tools (dlib with its shape
predictor, MediaPipe, face-alignment) and how to get them. Those that are not there are left out.
Then `nasion predict` is timed on a video, and the steps of nasion on one core; --profile: only the
share of each step (profile_predict.py).
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

# Workers import this file in other environments, so NumPy and nasion are imported in functions.
# Positions of landmarks.SHARED_POINTS in MediaPipe's mesh and in iBUG's 68 points.
MEDIAPIPE_POINTS = (33, 133, 362, 263, 61, 0, 291, 17, 2)
IBUG_POINTS = (36, 39, 42, 45, 48, 51, 54, 57, 33)
WARM_UP = 10  # images


def nasion_tool(network, tta):
    from nasion.inference.landmarker import Landmarker

    landmarker = Landmarker(network, tta=tta, max_faces=1)
    return lambda path: _shared_points(landmarker(path))


def nasion_batches(network):
    """Takes all paths at once."""
    from nasion.inference.landmarker import Landmarker

    landmarker = Landmarker(network, max_faces=1)
    return lambda paths: list(map(_shared_points, landmarker.each(paths)))


def _shared_points(faces):
    return faces[0].points[list(IBUG_POINTS)].tolist() if faces else None


def dlib_tool(file):
    import dlib
    import numpy as np
    from PIL import Image

    detect, predict_shape = dlib.get_frontal_face_detector(), dlib.shape_predictor(file)

    def predict(path):
        image = np.asarray(Image.open(path).convert("RGB"))
        box = max(detect(image, 0), key=lambda box: box.area(), default=None)
        if box is None:
            return None
        parts = predict_shape(image, box).parts()
        return [[parts[i].x, parts[i].y] for i in IBUG_POINTS]

    return predict


def mediapipe_tool():
    import mediapipe
    import numpy as np
    from PIL import Image

    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1
    )

    def predict(path):
        image = np.asarray(Image.open(path).convert("RGB"))
        faces = mesh.process(image).multi_face_landmarks
        if not faces:
            return None
        height, width = image.shape[:2]
        landmarks = [faces[0].landmark[i] for i in MEDIAPIPE_POINTS]
        return [[p.x * width - 0.5, p.y * height - 0.5] for p in landmarks]

    return predict


def face_alignment_tool():
    import face_alignment

    tool = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device="cpu")

    def predict(path):
        faces = tool.get_landmarks(path)
        return faces[0][list(IBUG_POINTS)].tolist() if faces else None

    return predict


# Each takes dlib's file and returns a function from path to 9 points, or None without a face; those
# of BATCHES one from all paths to their points.
TOOLS = {
    "nasion face68": lambda _: nasion_tool("face68", None),
    "nasion face68, with flip TTA": lambda _: nasion_tool("face68", "flip"),
    "nasion face68_light": lambda _: nasion_tool("face68_light", None),
    "nasion face68, 8 at once": lambda _: nasion_batches("face68"),
    "nasion face68_light, 8 at once": lambda _: nasion_batches("face68_light"),
    "dlib": dlib_tool,
    "mediapipe": lambda _: mediapipe_tool(),
    "face-alignment": lambda _: face_alignment_tool(),
}
BATCHES = tuple(name for name in TOOLS if name.endswith("at once"))


def run_worker(tool, dlib_file, core, paths, out):
    """A worker process: warm up, print ``ready``, wait for a line, then process all images.

    Writes the seconds and the points to ``out``.
    """
    os.sched_setaffinity(0, {core})
    predict = TOOLS[tool](dlib_file)
    predict_all = predict if tool in BATCHES else lambda some: [predict(path) for path in some]
    predict_all(paths[:WARM_UP])
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    points = predict_all(paths)
    Path(out).write_text(json.dumps({"seconds": time.perf_counter() - started, "points": points}))


def time_workers(tool, python, dlib_file, shares):
    """Faces per second of one worker per share of the images, each on its own core; and points."""
    with tempfile.TemporaryDirectory() as folder:
        workers = []
        for core, paths in enumerate(shares):
            task = json.dumps([tool, dlib_file, core, paths, f"{folder}/{core}.json"])
            workers.append(
                subprocess.Popen(
                    [python, __file__, "--worker", task],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            )
        for worker in workers:
            while (line := worker.stdout.readline()) != "ready\n":
                if not line:
                    raise SystemExit(
                        f"The worker of {tool} ended before it was ready; "
                        "run it by hand (--worker) to see why."
                    )
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        for worker in workers:
            worker.wait()
        results = [
            json.loads(Path(f"{folder}/{core}.json").read_text()) for core in range(len(shares))
        ]
    points = [face for result in results for face in result["points"]]
    return sum(map(len, shares)) / max(result["seconds"] for result in results), points


def video_frame_rate(path):
    """Frames per second of ``nasion predict`` on a video of 300 frames with one face.

    The face of the image swings to and fro. The rate is the one that the command prints; it
    includes reading, tracking, drawing and writing.
    """
    import av
    import numpy as np
    from PIL import Image

    image = Image.open(path).convert("RGB")
    with tempfile.TemporaryDirectory() as folder:
        with av.open(f"{folder}/clip.mp4", "w") as out:
            video = out.add_stream("libx264", rate=30)
            video.width, video.height, video.pix_fmt = *image.size, "yuv420p"
            for step in range(300):
                shifted = image.transform(
                    image.size,
                    Image.Transform.AFFINE,
                    (1, 0, 40 * np.sin(step / 20), 0, 1, 0),
                    Image.Resampling.BILINEAR,
                )
                out.mux(video.encode(av.VideoFrame.from_image(shifted)))
            out.mux(video.encode(None))
        arguments = ["predict", f"{folder}/clip.mp4", "--out", f"{folder}/out"]
        printed = subprocess.run(
            [sys.executable, "-m", "nasion", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout
        return float(re.search(r"([\d.]+) frames per second", printed)[1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of IMM")
    parser.add_argument("--mediapipe-python", help="Python that has MediaPipe")
    parser.add_argument("--dlib-file", default="", help="file of dlib's shape predictor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=240, help="how many images of IMM")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--profile", action="store_true", help="only time nasion's steps")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        run_worker(*json.loads(options.worker))
        return
    import numpy as np
    from landmarks import SHARED_POINTS, median_nme
    from profile_predict import print_profile

    from nasion.data.datasets import imm

    faces = imm.read(options.data)[: options.images]
    persons = np.array(faces.groups["person"], dtype=int)
    truth = faces.points[:, faces.scheme.index(SHARED_POINTS)].astype(float)
    paths = [str(path) for path in faces.images]
    if options.profile:
        print_profile(paths, options.rounds, options.json)
        return
    tools = {name: sys.executable for name in TOOLS if name.startswith("nasion")}
    if options.dlib_file:
        tools["dlib"] = sys.executable
    if options.mediapipe_python:
        tools["mediapipe"] = options.mediapipe_python
    if importlib.util.find_spec("face_alignment"):
        tools["face-alignment"] = sys.executable
    speeds = {name: {1: [], 2: []} for name in tools}
    scores, not_found = {}, np.full((len(SHARED_POINTS), 2), np.nan)
    for _ in range(options.rounds):
        for cores, shares in ((1, [paths]), (2, [paths[::2], paths[1::2]])):
            for name, python in tools.items():
                speed, points = time_workers(name, python, options.dlib_file, shares)
                speeds[name][cores].append(speed)
                if cores == 1:  # the images in order
                    filled = [not_found if face is None else face for face in points]
                    scores[name] = median_nme(truth, np.array(filled, dtype=float), persons)
    result = {}
    for name in tools:
        one, two = (round(float(np.median(speeds[name][cores])), 1) for cores in (1, 2))
        result[name] = {
            "faces per second, 1 core": one,
            "faces per second, 2 cores": two,
            **scores[name],
        }
        print(
            f"{name:30} {one:7.1f} faces per second on one core, {two:7.1f} on two; "
            f"NME raw {scores[name]['raw']:.2f} %, "
            f"constant offsets removed {scores[name]['offsets out']:.2f} %, "
            f"found {scores[name]['found']}"
        )
    frame_rate = video_frame_rate(paths[0])
    result["nasion face68, video"] = {"frames per second": frame_rate}
    print(f"video: {frame_rate} frames per second")
    steps = print_profile(paths, options.rounds)
    if options.json:
        content = {"tools": result, "milliseconds": steps, "images": len(paths)}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
