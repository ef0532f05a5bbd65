"""Find wrong labels: networks that have not seen a face say what its labels should be."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from nasion.audit.copies import COPIES, copies_that_disagree
from nasion.audit.fault_evidence import OTHER, POINTS, SHIFT, SIZE
from nasion.audit.fault_rates import Explained, fit_faults
from nasion.audit.hidden_points import HIDDEN, hidden_points
from nasion.audit.moved_labels import moved_labels
from nasion.audit.networks import FOLDS, START, HeldOut, held_out_predictions
from nasion.audit.residuals import upright, without_habits
from nasion.audit.source_shifts import shifts_of_sources
from nasion.data import cache
from nasion.data.annotators import GROUP
from nasion.data.label_reading import AS_IT_SEEMS, LabelReading
from nasion.data.pool import load_pool
from nasion.data.suspects import Audit, Suspect, suspect_of
from nasion.errors import SettingError
from nasion.landmarks.faces import Faces, Predictions
from nasion.media.counted import counted
from nasion.media.file_names import name_bytes, named_path
from nasion.training.state import Observer
from nasion.training.training_faces import scheme_of

_LEAST_CHANCE = 0.02  # of suspects that are kept
_STALE = 0.1  # of the faces with other labels, from which networks are trained anew
_log = logging.getLogger(__name__)


def audit_labels(
    data: str | Path | Faces,
    *,
    folds: int = FOLDS,
    start: str | None = START,
    folder: str | Path | None = None,
    reading: LabelReading = AS_IT_SEEMS,
    observers: Callable[[Path], tuple[Observer, ...]] = lambda run: (),
) -> Audit:
    """Look for wrong labels in a dataset or in faces; nothing is changed.

    For each of ``folds`` parts of the faces (persons, photographs and duplicates whole) a network
    is trained on the others, from ``start``: a shipped network, run or exported file; None: random
    weights. Its points for the faces it has not seen are kept in the cache, so that an audit after
    corrections trains nothing. ``folder``: of the trainings, to be continued if they are stopped
    (None: a temporary one). Raises ``SettingError`` for faces without labels, or of one person
    only.
    """
    faces = data if isinstance(data, Faces) else labelled_faces(data, reading)
    name = faces.scheme.name if isinstance(data, Faces) else named_path(data).name
    faces = _usable(faces)
    networks = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="nasion-audit-"))
    held_out = _held_out(faces, networks, folds, start, observers)
    predictions = held_out.predictions
    residuals = without_habits(upright(faces, predictions), faces.groups.get(GROUP))
    model = fit_faults(residuals, faces.scheme)
    explained = model.explain_all(residuals)
    copies = copies_that_disagree(faces, residuals, model, explained)
    # By odds: of many suspects the chance is nearly 1.
    order = sorted(range(len(faces)), key=lambda i: -explained[i].log_odds)
    suspects = [
        suspect
        for i in order
        if (suspect := _suspect(faces, predictions, i, copies.get(i, explained[i])))
    ]
    hidden, why_not = hidden_points(faces, predictions)
    suspects += hidden
    not_looked_for = [(HIDDEN, why_not)] if why_not else []
    kinds = [POINTS, SHIFT, SIZE, OTHER, COPIES, *([] if why_not else [HIDDEN])]
    kinds[4:4] = dict.fromkeys(move.kind for move in moved_labels(faces.scheme))
    return Audit(
        data=name,
        scheme=faces.scheme.name,
        faces=len(faces),
        suspects=tuple(sorted(suspects, key=lambda suspect: -suspect.chance)),
        shifts=shifts_of_sources(faces, held_out.shared),
        looked_for=tuple(kinds),
        not_looked_for=tuple(not_looked_for),
        seen=round(held_out.seen, 4),
    )


def labelled_faces(data: str | Path, reading: LabelReading) -> Faces:
    """The faces of a dataset that an audit looks at: all but its test faces."""
    scheme = scheme_of(data, reading)
    return load_pool([data], scheme, whole_images=False, reading=reading).faces


def _usable(faces: Faces) -> Faces:
    """Those with two labelled points: from one, neither size nor place of a face is known."""
    usable = np.asarray(faces.labelled.sum(axis=1) >= 2)
    if not usable.any():
        raise SettingError(f"None of the {len(faces)} faces has two labelled points to look at.")
    return faces[usable]


def _held_out(
    faces: Faces,
    folder: Path,
    folds: int,
    start: str | None,
    observers: Callable[[Path], tuple[Observer, ...]],
) -> HeldOut:
    """From the cache if nearly all of the labels are still those of the training."""

    def make() -> cache.Entry:
        found = held_out_predictions(faces, folder, folds=folds, start=start, observers=observers)
        points, expected = found.predictions.points, found.predictions.expected
        arrays = {"points": points, "shared": found.shared.points, "labels": faces.points}
        if expected is not None:
            arrays["expected"] = expected
        return arrays, {"seen": found.seen}

    key = _key(faces, folds, start)
    arrays, value = cache.cached(key, make)
    same = np.isclose(arrays["labels"], faces.points, atol=0.01, equal_nan=True).all(axis=(1, 2))
    if (~same).mean() > _STALE:
        arrays, value = cache.cached(f"{key}-{cache.digest_of(faces.points)}", make)
    elif not same.all():
        _log.info(
            "The networks are those of before %s other labels.",
            counted(int((~same).sum()), "face got", "faces got"),
        )
    predictions = Predictions(
        scheme=faces.scheme,
        ids=faces.ids,
        points=np.array(arrays["points"]),
        expected=np.array(arrays["expected"]) if "expected" in arrays else None,
    )
    shared = replace(predictions, points=np.array(arrays["shared"]))
    return HeldOut(predictions, shared, float(value["seen"]))


def _key(faces: Faces, folds: int, start: str | None) -> str:
    """Of the images and of what is predicted, not of the labels."""
    digest = blake2b(digest_size=16)
    for text in (*faces.ids, *faces.scheme.points, *map(repr, faces.scheme.mirror)):
        digest.update(name_bytes(text) + b"\0")
    files = [image for image in faces.images if isinstance(image, Path)]
    if isinstance(faces.images, np.ndarray):
        digest.update(faces.images.tobytes())
    else:
        for image in faces.images:
            if isinstance(image, np.ndarray):
                digest.update(image.tobytes())
    paths = list(dict.fromkeys(files))
    return cache.content_key(paths, "audit 1", digest.hexdigest(), str(folds), str(start))


def _suspect(
    faces: Faces, predictions: Predictions, i: int, explained: Explained
) -> Suspect | None:
    if explained.chance < _LEAST_CHANCE:
        return None
    wrong = explained.wrong
    concerned = np.flatnonzero(faces.labelled[i] & (wrong >= min(0.5, 0.5 * wrong.max())))
    return suspect_of(faces, predictions, i, explained.kind, explained.chance, concerned, wrong)
