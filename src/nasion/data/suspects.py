"""Suspect labels, and the file that keeps them: ``audit.json``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Bool
from nasion.data.corrections.confirmed import Confirmed, confirmed_labels
from nasion.errors import DataError, require
from nasion.landmarks.faces import Faces, Predictions
from nasion.media.counted import counted
from nasion.media.file_names import named_path
from nasion.media.files import write_text
from nasion.media.json_document import Document, read_document

FILE = "audit.json"
FORMAT = 1
_HALF = 0.5  # chance from which a label counts as wrong
_REMEDY = "write it again with `nasion data audit`."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suspect:
    """A face whose labels are probably wrong. ``chance``: that they are, 0 to 1.

    ``points``: the names of those concerned, and ``wrong``: the chance of each. ``labels`` and
    ``predicted``: where they are labelled, and where a network that has not seen the face puts
    them, in pixels.
    """

    face: str
    kind: str
    chance: float
    points: tuple[str, ...]
    wrong: tuple[float, ...]
    labels: tuple[tuple[float, float], ...]
    predicted: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Shift:
    """A source whose labels of a point lie elsewhere than those of the others.

    ``by``: how far, in parts of the face's size, right and down. ``times``: its standard error.
    """

    group: str
    source: str
    point: str
    faces: int
    by: tuple[float, float]
    times: float


@dataclass(frozen=True)
class Audit:
    """``suspects``: the most likely first. ``faces``: how many were looked at.

    ``looked_for``: kinds of faults; ``not_looked_for``: others, each with the reason. ``seen``: the
    part of the photographs that the starting network has learnt from.
    """

    data: str
    scheme: str
    faces: int
    suspects: tuple[Suspect, ...]
    shifts: tuple[Shift, ...] = ()
    looked_for: tuple[str, ...] = ()
    not_looked_for: tuple[tuple[str, str], ...] = ()
    seen: float = 0.0

    def listed(self, max_false: float) -> tuple[Suspect, ...]:
        """The longest list, most likely first, of which at most this part is expected to be right
        after all. Raises ``SettingError``.
        """
        require(0 <= max_false < 1, f"max_false must be 0 to below 1, as 0.1; found {max_false}.")
        chances = np.array([suspect.chance for suspect in self.suspects])
        false = np.cumsum(1 - chances) / np.arange(1, len(chances) + 1)
        fitting = np.flatnonzero(false <= max_false)
        return self.suspects[: fitting[-1] + 1] if len(fitting) else ()

    def without(self, confirmed: Mapping[str, frozenset[str] | None]) -> Audit:
        """Without labels that somebody has found right: points by face, or None for all of them."""
        kept = [_without(each, confirmed.get(each.face, frozenset())) for each in self.suspects]
        return replace(self, suspects=tuple(suspect for suspect in kept if suspect))

    def wrong(self, faces: Faces, *, ids: Sequence[str] | None = None) -> Bool[np.ndarray, "N K"]:
        """True for labels that are more likely wrong than right.

        Labels that were changed since the audit are not counted. ``ids``: of the faces in the audit
        (None: the same).
        """
        row = {face: i for i, face in enumerate(faces.ids if ids is None else ids)}
        column = {point: k for k, point in enumerate(faces.scheme.points)}
        found = np.zeros(faces.labelled.shape, dtype=bool)
        for suspect in self.suspects:
            i = row.get(suspect.face)
            if i is None:
                continue
            for point, wrong, label in zip(
                suspect.points, suspect.wrong, suspect.labels, strict=True
            ):
                k = column.get(point)
                if (
                    k is not None
                    and wrong > _HALF
                    and np.allclose(faces.points[i, k], label, atol=0.01)
                ):
                    found[i, k] = True
        return found

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    def write(self, path: Path) -> None:
        write_text(path, json.dumps(self.to_json(), indent=1))


def suspect_of(
    faces: Faces,
    predictions: Predictions,
    i: int,
    kind: str,
    chance: float,
    concerned: np.ndarray,
    wrong: np.ndarray,
) -> Suspect:
    """A suspect of these points (positions) of a face, each ``wrong`` with its chance."""

    def places(points: np.ndarray) -> tuple[tuple[float, float], ...]:
        return tuple((round(float(x), 2), round(float(y), 2)) for x, y in points[concerned])

    return Suspect(
        face=faces.ids[i],
        kind=kind,
        chance=round(float(chance), 4),
        points=tuple(faces.scheme.points[k] for k in concerned),
        wrong=tuple(round(float(wrong[k]), 4) for k in concerned),
        labels=places(faces.points[i]),
        predicted=places(predictions.points[i]),
    )


def read_audit(path: Path) -> Audit:
    """The audit in a file, or in a folder's ``audit.json``. Raises ``DataError``."""
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{file}: there is no audit; make one with `nasion data audit DATA`.")
    document = read_document(file, kind=DataError, remedy=_REMEDY)
    if document["format"].value != FORMAT:
        raise document["format"].error(f"format {document['format'].value}, not {FORMAT}")
    return Audit(
        data=document["data"].text(),
        scheme=document["scheme"].text(),
        faces=document["faces"].whole(low=0),
        suspects=tuple(_suspect(each) for each in document["suspects"].elements()),
        shifts=tuple(_shift(each) for each in document["shifts"].elements()),
        looked_for=tuple(each.text() for each in document["looked_for"].elements()),
        not_looked_for=tuple(_pair_of_texts(e) for e in document["not_looked_for"].elements()),
        seen=document["seen"].number(low=0),
    )


def existing_audit(data: str | Path) -> Audit | None:
    """The audit beside a dataset, if there is one, without labels that were confirmed since."""
    folder = audit_beside(data)
    return audit_of(data) if (folder / FILE).is_file() else None


def audit_of(data: str | Path) -> Audit:
    """The audit beside a dataset, without labels that were confirmed since. ``DataError``: none."""
    return unconfirmed(read_audit(audit_beside(data)), data)


def unconfirmed(audit: Audit, data: str | Path) -> Audit:
    """An audit without labels that the change lists beside the data confirm. The log says it.

    A label that a list has moved is confirmed where the list has it: labels that are read without
    the list stay suspect.
    """
    known = confirmed_labels(data)
    kept = [_without(each, _confirmed(each, known.get(each.face, ()))) for each in audit.suspects]
    found = replace(audit, suspects=tuple(suspect for suspect in kept if suspect))
    gone = len(audit.suspects) - len(found.suspects)
    if gone:
        _log.info(
            "%s: %s looked at and confirmed.",
            named_path(data).name,
            counted(gone, "suspect face was", "suspect faces were"),
        )
    return found


def without_suspects(faces: Faces, audits: Sequence[Audit]) -> Faces:
    """The faces without labels that audits call more likely wrong than right: missing labels.

    Of several datasets the audits' faces are known by what follows the dataset's name. The log says
    how many there are.
    """
    wrong = np.zeros(faces.labelled.shape, dtype=bool)
    for audit in audits:
        known = {suspect.face for suspect in audit.suspects}
        ids = [face if face in known else face.partition("/")[2] for face in faces.ids]
        wrong |= audit.wrong(faces, ids=ids)
    _log.info(
        "Left out as suspect: %s in %d of %s.",
        counted(int(wrong.sum()), "label"),
        int(wrong.any(axis=1).sum()),
        counted(len(faces), "face"),
    )
    points = np.where(wrong[..., None], np.float32(np.nan), faces.points)
    return replace(faces, points=points)


def audit_beside(data: str | Path) -> Path:
    """Where the audit of a dataset is: the folder ``DATA.audit`` beside its file or folder."""
    path = named_path(data)
    return path.with_name(f"{path.name.replace(':', '-')}.audit")


def _confirmed(suspect: Suspect, lists: Sequence[Confirmed]) -> frozenset[str] | None:
    """The suspect's points whose labels lists say are right; None: the whole face is."""
    labels = tuple(zip(suspect.points, suspect.labels, strict=True))
    for each in lists:
        if each.points is None and all(each.says_right(*label) for label in labels):
            return None
    return frozenset(
        point for point, at in labels if any(each.says_right(point, at) for each in lists)
    )


def _without(suspect: Suspect, known: frozenset[str] | None) -> Suspect | None:
    """The suspect's points that are not known to be right; None if there are none."""
    if known is None:
        return None
    left = [i for i, point in enumerate(suspect.points) if point not in known]
    if len(left) == len(suspect.points):
        return suspect
    if not left:
        return None
    parts = {
        name: tuple(getattr(suspect, name)[i] for i in left)
        for name in ("points", "wrong", "labels", "predicted")
    }
    return replace(suspect, **parts)


def _suspect(value: Document) -> Suspect:
    points = tuple(each.text() for each in value["points"].elements())
    found = Suspect(
        face=value["face"].text(),
        kind=value["kind"].text(),
        chance=value["chance"].number(low=0),
        points=points,
        wrong=tuple(value["wrong"].numbers()),
        labels=tuple(_pair(each) for each in value["labels"].elements()),
        predicted=tuple(_pair(each) for each in value["predicted"].elements()),
    )
    for name in ("wrong", "labels", "predicted"):
        if len(getattr(found, name)) != len(points):
            raise value[name].error(f"{len(getattr(found, name))} values for {len(points)} points")
    return found


def _shift(value: Document) -> Shift:
    return Shift(
        group=value["group"].text(),
        source=value["source"].text(),
        point=value["point"].text(),
        faces=value["faces"].whole(low=0),
        by=_pair(value["by"]),
        times=value["times"].number(low=0),
    )


def _pair(value: Document) -> tuple[float, float]:
    numbers = value.numbers()
    if len(numbers) != 2:
        raise value.error(f"{len(numbers)} numbers; x and y expected")
    return numbers[0], numbers[1]


def _pair_of_texts(value: Document) -> tuple[str, str]:
    texts = [each.text() for each in value.elements()]
    if len(texts) != 2:
        raise value.error(f"{len(texts)} texts; what and why expected")
    return texts[0], texts[1]
