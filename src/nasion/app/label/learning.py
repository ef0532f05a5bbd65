"""Learning from what is done: a fine-tuning in the background, and its network's proposals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from nasion.app.label.learning_process import FACES, REQUEST, RUN
from nasion.app.label.store import LabelStore
from nasion.app.label.suggestions import Suggestions
from nasion.data.load import pack_faces
from nasion.data.missing_boxes import with_tight_boxes
from nasion.data.suspects import Audit
from nasion.errors import NasionError
from nasion.inference.landmarker import Landmarker
from nasion.inference.predictor import load_model
from nasion.labelling.proposals import proposer
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.media.files import atomic_write, write_text
from nasion.media.images import as_pixels

FEWEST = 5  # done faces
_UNTOUCHED = 400  # most faces that nobody has touched
_PROCESS = "nasion.app.label.learning_process"
_LAST = "learnt.json"  # which run is in use
IDLE, RUNNING, DONE, FAILED, STOPPED = "idle", "running", "done", "failed", "stopped"


class CannotLearn(NasionError):
    """Why it cannot be learnt now. ``running``: it is being learnt already."""

    def __init__(self, message: str, *, running: bool = False) -> None:
        super().__init__(message)
        self.running: bool = running


@dataclass
class LearningState:
    """``done``: 0 to 1. ``seconds_left``: None while it is not known. ``faces``: learnt from."""

    state: str = IDLE
    done: float = 0.0
    seconds_left: float | None = None
    faces: int = 0
    message: str = ""


@dataclass
class Learning:
    """``start``: the network that is fine-tuned. ``folder``: of the runs; the last one is kept.

    ``changes``: of the recipe's settings.
    """

    store: LabelStore
    suggestions: Suggestions
    audit: Audit | None
    start: str
    folder: Path
    changes: Sequence[str] = ()
    state: LearningState = field(default_factory=LearningState)
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def impossible(self) -> str | None:
        """Why nothing can be learnt here; None if it can."""
        if find_spec("torch") is None:
            return "Learning needs PyTorch; install it with: pip install 'nasion[pytorch]'."
        return None

    def to_json(self) -> dict[str, Any]:
        state = self.state
        left = state.seconds_left
        return {
            "state": state.state,
            "done": round(state.done, 4),
            "seconds_left": None if left is None else round(left, 1),
            "faces": state.faces,
            "message": state.message,
            "models_version": self.suggestions.version,
            "possible": self.impossible,
        }

    def begin(self) -> None:
        """Start to learn. Raises ``CannotLearn``."""
        with self._lock:
            if self.state.state == RUNNING:
                raise CannotLearn("It is being learnt already; wait, or stop it.", running=True)
            if self.impossible:
                raise CannotLearn(self.impossible)
            faces = self.training_faces()
            # Not by the process's number, which in a container is the same each time: the folder
            # of the network that proposes now may have it.
            folder = self.folder / uuid4().hex
            self._write_request(folder, faces)
            self._process = self._started(folder)
            self.state = LearningState(RUNNING, faces=len(faces), message="Preparing the faces.")
            follow = (self._process, folder, faces)
            self._thread = threading.Thread(target=self._follow, args=follow, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop learning; proposals stay as they are."""
        with self._lock:
            if self.state.state != RUNNING or self._process is None:
                return
            self.state = changed(self.state, state=STOPPED, seconds_left=None, message="Stopped.")
            self._process.kill()
        if self._thread is not None:
            self._thread.join(10)

    def close(self) -> None:
        """End everything, with the server."""
        self.stop()

    def training_faces(self) -> Faces:
        """Those that are done, and labelled ones that nobody has touched and no audit suspects.

        Raises ``CannotLearn`` if too few are done.
        """
        store = self.store
        done = [face for face in store.finished() if store.status(face) == "done"]
        done = [face for face in done if store.labelled(face)]
        if len(done) < FEWEST:
            raise CannotLearn(
                f"{counted(len(done), 'face is', 'faces are')} done; at least {FEWEST} are needed."
            )
        suspects = {each.face for each in self.audit.suspects} if self.audit else set()
        data = store.data.faces
        untouched = [
            data.ids[i]
            for i in np.flatnonzero(data.labelled.any(axis=1))
            if data.ids[i] not in suspects and not store.state.of(data.ids[i]).revision
        ]
        if len(untouched) > _UNTOUCHED:
            at = np.linspace(0, len(untouched) - 1, _UNTOUCHED).astype(int)
            untouched = [untouched[i] for i in at]
        return with_tight_boxes(store.faces(done + untouched))

    def _write_request(self, folder: Path, faces: Faces) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        images = faces.images
        if not isinstance(images, np.ndarray) and len({type(each) for each in images}) > 1:
            # Files and arrays together: all as arrays.
            images = tuple(as_pixels(each, colour=True) for each in images)
        arrays, value = pack_faces(changed(faces, images=images))
        with atomic_write(folder / FACES) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        request = {"start": self.start, "changes": list(self.changes), "faces": value}
        write_text(folder / REQUEST, json.dumps(request))

    def _started(self, folder: Path) -> subprocess.Popen[str]:
        search_path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with (folder / "errors.txt").open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", _PROCESS, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | search_path,
                text=True,
                # Ctrl-C is for the server, with which this process ends.
                start_new_session=True,
            )

    def _follow(self, process: subprocess.Popen[str], folder: Path, faces: Faces) -> None:
        """Take what the process reports, until it ends; then use its network."""
        result: dict[str, Any] = {}
        for line in _pipe(process.stdout):
            try:
                result = json.loads(line)
            except ValueError:
                continue  # of a library that prints
            if "done" in result:
                self._set(process, done=result["done"], seconds_left=result["seconds_left"])
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _pipe(pipe).close()
        if "best" in result:
            self._finish(process, folder, faces, result)
        else:
            reason = result.get("failed") or _last_line(folder / "errors.txt")
            self._set(process, state=FAILED, seconds_left=None, message=reason)
        if self.state.state != DONE:
            shutil.rmtree(folder, ignore_errors=True)

    def reuse(self) -> None:
        """Propose by what was learnt when the list was open before, if it is still there."""
        threading.Thread(target=self._reuse, daemon=True).start()

    def _reuse(self) -> None:
        try:
            known = json.loads((self.folder / _LAST).read_text(encoding="utf-8"))
            is_own = known["start"] == self.start
            is_own = is_own and known["points"] == list(self.store.data.scheme.points)
            if is_own and not self.impossible:
                self._use(self.folder / known["folder"] / RUN, known["unknown"], known["faces"])
        # Nothing was learnt, or the cache is damaged: learning anew makes it good.
        except (OSError, ValueError, KeyError, TypeError, NasionError):
            return

    def _finish(
        self,
        process: subprocess.Popen[str],
        folder: Path,
        faces: Faces,
        result: dict[str, Any],
    ) -> None:
        points = self.store.data.scheme.points
        unknown = [points[k] for k in np.flatnonzero(~faces.labelled.any(axis=0))]
        learnt = {"folder": folder.name, "start": self.start, "points": list(points)}
        learnt |= {"unknown": unknown, "faces": len(faces)}
        try:
            self._use(folder / RUN, unknown, len(faces))
            write_text(self.folder / _LAST, json.dumps(learnt))
        except (NasionError, OSError) as error:
            self._set(process, state=FAILED, seconds_left=None, message=str(error))
            return
        message = f"Proposals now come from a network that has learnt from {len(faces)} faces."
        if not result["kept"]:
            message = (
                f"{len(faces)} faces did not make the network better on those held out; its "
                "outputs are only fitted to your points."
            )
        self._set(process, state=DONE, done=1.0, seconds_left=0.0, message=message)
        for other in self.folder.iterdir():
            if other != folder and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)

    def _use(self, run: Path, unknown: Sequence[str], faces: int) -> None:
        """Let this run make the proposals. ``unknown``: points without a label to learn from."""
        scheme, detector = self.store.data.scheme, self.suggestions.proposer.landmarker.detector
        known = scheme.matches(load_model(self.start).spec.scheme)
        untrained = np.array([p in unknown and p not in known for p in scheme.points])
        new = proposer(Landmarker(load_model(run), detector=detector), scheme)
        self.suggestions.use(new.without(untrained), f"learnt from {faces} faces")

    def _set(self, process: subprocess.Popen[str], **values: Any) -> None:
        with self._lock:
            if process is self._process and self.state.state == RUNNING:
                message = {"message": "Learning."} if "done" in values else {}
                self.state = changed(self.state, **(message | values))


def _pipe(pipe: Any) -> Any:
    """A pipe of Popen, which is None only where none was asked for."""
    return pipe


def _last_line(path: Path) -> str:
    """What a process said last, for a failure that it did not report."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"Learning ended unexpectedly ({lines[-1] if lines else 'killed'})."
