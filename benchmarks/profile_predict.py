"""Where the time of one image goes: milliseconds and share of each step, on one core.

Called by ``python benchmarks/predict.py --data IMM --profile``. Each step's time is its own,
without that of the steps within it; what is left is the "answer": scores, boxes, ``Face`` objects.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

NETWORKS = ("face68_light", "face68")
STEPS = (
    "decode",
    "detect: resize",
    "detect: network",
    "detect: boxes",
    "crop",
    "network",
    "second look",
    "answer",
)


class Clock:
    """Seconds of each step since ``start``; a step within another one counts only as itself."""

    def __init__(self):
        self.seconds, self._running = dict.fromkeys(STEPS, 0.0), []

    def timed(self, step, function):
        def call(*arguments, **named):
            started = time.perf_counter()
            self._running.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                passed = time.perf_counter() - started
                self.seconds[step] += passed - self._running.pop()
                if self._running:
                    self._running[-1] += passed

        return call

    def time_function(self, owner, name, step):
        """Replace a function of a module or class by one that is timed."""
        setattr(owner, name, self.timed(step, getattr(owner, name)))


class TimedSession:
    """An ONNX Runtime session whose runs are timed."""

    def __init__(self, session, clock, step):
        self._session, self.run = session, clock.timed(step, session.run)

    def __getattr__(self, name):
        return getattr(self._session, name)


def timed_landmarker(network, clock):
    """A Landmarker of this network and of nasion's own detector, with its steps timed."""
    from nasion.inference import landmarker, predictor
    from nasion.inference.detectors import single_shot

    finder = landmarker.Landmarker(network, max_faces=1)
    session, input_name = single_shot._session(finder.detector.file)
    detecting = TimedSession(session, clock, "detect: network"), input_name
    single_shot._session = lambda file: detecting
    session = finder.predictor.network.session
    object.__setattr__(finder.predictor.network, "session", TimedSession(session, clock, "network"))
    for owner, name, step in (
        (landmarker, "pixels_of", "decode"),
        (landmarker.Landmarker, "detect_each", "detect: boxes"),
        (single_shot, "_shrink", "detect: resize"),
        (predictor, "crop_images", "crop"),
        (predictor, "input_images", "crop"),
        (predictor, "upright_maps", "second look"),
        (predictor, "corner_distance", "second look"),
        (predictor, "crop_through", "second look"),
        (landmarker.Landmarker, "find", "answer"),
    ):
        clock.time_function(owner, name, step)
    return finder


def profile(network, paths, rounds):
    """Milliseconds of each step: the median over the rounds of the mean over images."""
    import numpy as np

    clock = Clock()
    find = timed_landmarker(network, clock)
    means = []
    for _ in range(rounds + 1):
        clock.seconds.update(dict.fromkeys(STEPS, 0.0))
        for path in paths:
            find(path)
        means.append([1e3 * clock.seconds[step] / len(paths) for step in STEPS])
    # The first round warms up.
    median = np.median(means[1:], axis=0)
    return dict(zip(STEPS, np.round(median, 3).tolist(), strict=True))


def print_profile(paths, rounds, out=None):
    """Print and return the milliseconds of both networks; ``out``: a JSON file to write them to."""
    os.sched_setaffinity(0, {0})
    results = {}
    for network in NETWORKS:
        # In a process of its own: timed functions stay timed.
        task = json.dumps([network, [str(path) for path in paths], rounds])
        command = [sys.executable, __file__, task]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        results[network] = json.loads(subprocess.check_output(command, env=env))
        total = sum(results[network].values())
        print(f"{network}: {total:.2f} ms an image")
        for step, milliseconds in results[network].items():
            print(f"  {step:16} {milliseconds:6.3f} ms  {milliseconds / total:5.1%}")
    if out:
        Path(out).write_text(json.dumps({"milliseconds": results, "images": len(paths)}, indent=1))
    return results


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", help="network, paths and rounds as JSON; prints milliseconds")
    print(json.dumps(profile(*json.loads(parser.parse_args().task))))


if __name__ == "__main__":
    main()
