"""Fine-tunes a network to labelled faces, in a process of its own.

Started by ``learning.py`` with a folder as its argument, in which the faces are. It reports on
standard output, a JSON object a line, and ends when its standard input is closed: the server's end
is its own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nasion.data.load import unpack_faces
from nasion.errors import NasionError
from nasion.landmarks.faces import Faces
from nasion.training.state import TrainingState
from nasion.training.train import train

FACES, REQUEST, RUN = "faces.npz", "request.json", "run"  # in the folder
_SECONDS = 0.5  # between two reports of progress
_NICE = 10  # labelling goes on meanwhile


class _Reporter:
    """Reports what part of the training is done, and how long the rest takes."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = 0.0

    def step(self, state: TrainingState, faces_per_second: float) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS:
            return
        self._last = now
        done = (state.epoch * state.steps + state.step) / max(state.steps * state.last, 1)
        left = (now - self._began) * (1 - done) / done if done else None
        report(done=done, seconds_left=left)

    def epoch(self, state: TrainingState, row: dict[str, float]) -> None:
        self._last = 0.0


def report(**values: Any) -> None:
    """Write a line for the server."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def read_faces(folder: Path, value: dict[str, Any]) -> Faces:
    """The faces that the server has written."""
    with np.load(folder / FACES, allow_pickle=False) as arrays:
        return unpack_faces({name: arrays[name] for name in arrays.files}, value)


def _end_with_the_server() -> None:
    # Nothing is ever sent: reading ends when the server closes its end, or is killed. Without a
    # buffer, whose lock Python would wait for at its own end.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _main() -> None:
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    with suppress(OSError, AttributeError):
        os.nice(_NICE)
    folder = Path(sys.argv[1])
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    try:
        faces = read_faces(folder, request["faces"])
        # Cross-validation, which else decides on training with few faces, would take too long here.
        changes = [f"init_from={request['start']}", "keep=best", *request["changes"]]
        done = train(
            "finetune",
            faces,
            run_folder=folder / RUN,
            changes=changes,
            observers=(_Reporter(),),
        )
    except NasionError as error:
        report(failed=str(error))
        return
    report(best=done.state.best, epochs=done.state.epoch, kept=done.state.best_epoch + 1)


if __name__ == "__main__":
    _main()
