"""Proposed points, and faces found on pictures without labels: computed by a thread of its own.

The face in view comes first, then those that follow it, then all others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from nasion.app.label.label_data import LabelData
from nasion.app.label.store import LabelStore
from nasion.errors import NasionError
from nasion.labelling.proposals import FEWEST, NetworkPoints, Proposal, Proposer
from nasion.landmarks.boxes import iou
from nasion.landmarks.face_extent import boxes_of_points
from nasion.media.images import as_pixels

_SAME_FACE = 0.4  # IoU from which a detected face is one that was added
_FITTED = 200  # labelled faces that weights are fitted to
_GROWTH = 1.5  # times as many done faces, after which weights are fitted anew
_PLACES = 2  # decimals of detected boxes
_log = logging.getLogger(__name__)
Box = tuple[float, ...]


@dataclass
class Suggestions:
    """``name``: of the network that proposes. ``version`` rises whenever another one does."""

    store: LabelStore
    proposer: Proposer
    name: str
    version: int = 1
    _detections: dict[str, tuple[Box, ...]] = field(default_factory=dict, repr=False)
    _problems: dict[str, str] = field(default_factory=dict, repr=False)
    # With the box that they are of. None: the network refused it, as one outside of the image.
    _found: dict[str, tuple[Box | None, NetworkPoints | None]] = field(
        default_factory=dict, repr=False
    )
    _first: list[str] = field(default_factory=list, repr=False)
    _fitted_to: int = 0
    _changes: int = 0  # of the list, and of what is asked for
    _looked: int = -1
    _is_stopped: bool = False
    _wake: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        # Faces of pictures are found by the first network alone.
        self._finder: Proposer = self.proposer
        self._pictures: frozenset[str] = frozenset(self.data.pictures)

    @property
    def data(self) -> LabelData:
        return self.store.data

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="nasion-proposals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._is_stopped = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(10)

    def show_first(self, faces: Sequence[str]) -> None:
        """Compute the proposals of these faces before others, in this order."""
        with self._wake:
            self._first = list(faces)
            self._changes += 1
            self._wake.notify_all()

    def look_again(self) -> None:
        """A label has changed: something may be there to be computed."""
        with self._wake:
            self._changes += 1
            self._wake.notify_all()

    def use(self, proposer: Proposer, name: str) -> None:
        """Propose by another network from now on."""
        with self._wake:
            self.proposer, self.name = proposer, name
            self.version += 1
            self._found.clear()
            self._fitted_to = 0
            self._changes += 1
            self._wake.notify_all()

    def looked_at(self, picture: str) -> bool:
        """Whether faces were searched for on a picture without labels."""
        return picture in self._detections

    def problem(self, image: str) -> str:
        """Why an image cannot be read; empty if it can."""
        return self._problems.get(image, "")

    @property
    def pending(self) -> int:
        """Pictures on which faces are still to be searched for."""
        return len(self.data.pictures) - len(self._detections)

    def faces_of(self, picture: str) -> list[tuple[str, Box | None]]:
        """(id, box) of the faces of a picture without labels; its own id if none is found.

        Faces that the list adds are there, too; a detected face that is one of them is not.
        """
        added = self.store.added_to(picture)
        faces: list[tuple[str, Box | None]] = [(face, self.store.box(face)) for face in added]
        places = [place for face in added if (place := self._place(face)) is not None]
        known = np.array(places, dtype=np.float64).reshape(-1, 4)
        for number, box in enumerate(self._detections.get(picture, ()), start=1):
            face = picture if number == 1 else f"{picture}#{number}"
            is_known = bool(len(known)) and iou(np.array(box), known).max() > _SAME_FACE
            if face not in added and not is_known:
                faces.append((face, box))
        return faces or [(picture, None)]

    def box_of(self, face: str) -> Box | None:
        """Where a face is: its own box, or the detected one of a face that is not added yet."""
        box = self.store.box(face)
        if box is not None or not self.store.is_new(face):
            return box
        return dict(self.faces_of(self.store.image_of(face))).get(face)

    def proposal(self, face: str) -> Proposal | None:
        """None while it is being computed, and for a face without a place."""
        found = self._found.get(face)
        if found is None or found[1] is None or found[0] != self._key(face):
            return None
        return self.proposer.of_points(found[1])

    def is_pending(self, face: str) -> bool:
        """Whether a proposal is being computed, or faces are being searched for."""
        if self.problem(self.store.image_of(face)):
            return False
        if self.store.is_new(face) and self._is_unseen(face):
            return True
        is_placed = not self.store.is_new(face) or self.box_of(face) is not None
        found = self._found.get(face)
        return is_placed and (found is None or found[0] != self._key(face))

    def known(self) -> dict[str, Proposal]:
        """Every proposal that there is, by face."""
        found = [(face, points) for face, (_, points) in list(self._found.items())]
        return {face: self.proposer.of_points(points) for face, points in found if points}

    def propose(self, image: str, box: Sequence[float]) -> Proposal:
        """The proposal in a box of an image, at once. Raises ``DataError``."""
        proposer = self.proposer
        found = proposer.in_box(self._pixels(image), self._for(proposer, tuple(box)))
        return proposer.of_points(found)

    def detect(self, image: str) -> tuple[np.ndarray, np.ndarray]:
        """(boxes, scores) that the detector gives on an image, also unlikely ones."""
        return self._finder.landmarker.detect(self._pixels(image))

    def _run(self) -> None:
        lower_own_priority()
        rest = self._all()
        while not self._is_stopped:
            version, seen = self.version, self._changes
            if self._computed_first():
                continue
            self._fit_if_due()
            job = next((face for face in rest if self._needs(face)), None)
            if job is not None:
                self._compute(job)
            else:
                rest = self._all()
                self._wait_for(seen)
            if version != self.version:
                rest = self._all()

    def _computed_first(self) -> bool:
        """Compute one of the faces that are asked for; False if there is nothing to compute."""
        job = next((face for face in tuple(self._first) if self._needs(face)), None)
        if job is not None:
            self._compute(job)
        return job is not None

    def _wait_for(self, seen: int) -> None:
        """Until something may be there to be computed that was not looked at yet."""
        with self._wake:
            if seen != self._looked and not self._is_stopped:
                self._looked = seen  # once more over all faces
            elif not self._is_stopped and seen == self._changes:
                self._wake.wait()

    def _all(self) -> Iterator[str]:
        yield from self.data.faces.ids
        for picture in self.data.pictures:
            yield picture
            for face, _ in self.faces_of(picture):
                yield face
        yield from self.store.added()

    def _needs(self, face: str) -> bool:
        try:
            return self._is_unseen(face) or self.is_pending(face)
        except NasionError:
            return False

    def _is_unseen(self, face: str) -> bool:
        """Whether faces are still to be searched for on a face's picture."""
        image = self.store.image_of(face)
        return image in self._pictures and not self.looked_at(image)

    def _key(self, face: str) -> Box | None:
        """What a proposal depends on: the box of faces that the list adds or would add."""
        return None if face in self.data.position else self.box_of(face)

    def _place(self, face: str) -> Box | None:
        box = self.store.box(face)
        if box is not None:
            return box
        points = np.array([point[:2] for point in self.store.now(face).points if point])
        return (*points.min(axis=0), *points.max(axis=0)) if len(points) > 1 else None

    def _compute(self, face: str) -> None:
        image, proposer, key = self.store.image_of(face), self.proposer, self._key(face)
        try:
            pixels = self._pixels(image)
            if self._is_unseen(face):
                self._search(image, pixels)
                return
        # Of any type: one image must not end the proposals of all others.
        except Exception as error:
            self._note_failure(image, error)
            self._problems[image] = str(error) or type(error).__name__
            self._detections.setdefault(image, ())
            return
        found = None
        try:
            found = self._points_of(proposer, face, pixels)
        except Exception as error:
            self._note_failure(image, error)
        with self._wake:
            if proposer.landmarker is self.proposer.landmarker:
                self._found[face] = key, found

    def _note_failure(self, image: str, error: Exception) -> None:
        if not isinstance(error, NasionError):
            _log.error("%s: no points can be proposed", image, exc_info=error)

    def _points_of(self, proposer: Proposer, face: str, pixels: np.ndarray) -> NetworkPoints:
        box = self.box_of(face)
        if face not in self.data.position and box is not None:
            return proposer.in_box(pixels, self._for(proposer, box))
        points = self.store.faces([face]).points[0]
        return proposer.of_labelled(pixels, points, None if box is None else np.array(box))

    def _for(self, proposer: Proposer, box: Box) -> Box:
        """A box around the first network's points as another network expects it."""
        first, spec = self._finder.landmarker.predictor.spec, proposer.landmarker.predictor.spec
        if first.scheme.points == spec.scheme.points:
            return box
        return tuple(boxes_of_points(np.array([box]), spec.scheme, spec.face_margins)[0].tolist())

    def _search(self, picture: str, pixels: np.ndarray) -> None:
        """Find the faces of a picture without labels."""
        finder = self._finder
        faces = finder.faces_in(pixels)
        boxes = tuple(tuple(np.round(face.box, _PLACES).tolist()) for face in faces)
        with self._wake:
            self._detections[picture] = boxes
            if finder.landmarker is not self.proposer.landmarker:
                return
            # A face that was added in another place keeps its own proposal.
            for face, box in self.faces_of(picture):
                if box in boxes:
                    self._found[face] = box, faces[boxes.index(box)]

    def _pixels(self, image: str) -> np.ndarray:
        colour = self.proposer.landmarker.predictor.spec.colour
        return as_pixels(self.data.images[image], colour)

    def _fit_if_due(self) -> None:
        """Fit the weights of points that the network does not know to the labels there are."""
        proposer = self.proposer
        if proposer.is_complete:
            return
        done = [face for face in self.store.finished() if self.store.status(face) == "done"]
        labelled = np.flatnonzero(self.data.faces.labelled.any(axis=1))
        known = set(done)
        others = [face for i in labelled if (face := self.data.faces.ids[i]) not in known]
        count = len(done) + (len(others) if not self._fitted_to else 0)
        if count < max(FEWEST, _GROWTH * self._fitted_to):
            return
        ids = (done + _evenly(others, max(_FITTED - len(done), 0)))[:_FITTED]
        for face in ids:
            while not self._is_stopped and self._computed_first():
                pass  # the page does not wait for the fit
            if self._is_stopped or proposer is not self.proposer:
                return
            if self._needs(face):
                self._compute(face)
        found = {face: each[1] for face in ids if (each := self._found.get(face)) and each[1]}
        self._fitted_to = max(count, 1)
        if len(found) < FEWEST:
            return
        ids = list(found)
        network = np.stack([points.points for points in found.values() if points])
        faces = self.store.faces(ids)
        fitted = proposer.fitted(network, faces.points.astype(np.float64), self._groups(ids))
        with self._wake:
            if proposer is self.proposer:
                self.proposer = fitted
                self.version += 1

    def _groups(self, ids: Sequence[str]) -> list[str]:
        """What is left out together: the first linked group of the labels, else each image."""
        faces, position = self.data.faces, self.data.position
        own = faces.groups[faces.linked[0]] if faces.linked else None
        if own is None:
            return [self.store.image_of(face) for face in ids]
        return [
            own[position[face]] if face in position else self.store.image_of(face) for face in ids
        ]


def _evenly(faces: Sequence[str], count: int) -> list[str]:
    """At most so many, evenly from all: datasets are often sorted by person."""
    if not count or not faces:
        return []
    at = np.linspace(0, len(faces) - 1, min(count, len(faces))).astype(int)
    return [faces[i] for i in np.unique(at)]


def lower_own_priority() -> None:
    """Let this thread give way to those that answer the page; only Linux has it by thread."""
    import os
    import sys

    change: Callable[..., None] | None = getattr(os, "setpriority", None)
    if sys.platform == "linux" and change is not None:
        change(os.PRIO_PROCESS, threading.get_native_id(), 10)
