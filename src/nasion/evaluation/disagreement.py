"""How far two people's labels of the same faces are apart: the floor under a network's errors.

Only points that at least one of them placed are compared: labels that nobody touched would agree
without anybody having looked. The scores are those of an evaluation, with the first person's labels
as the truth and the second's as predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.data.corrections.people import PersonLabels, matched_faces
from nasion.data.missing_boxes import with_boxes
from nasion.errors import SettingError, require
from nasion.evaluation.evaluate import (
    DEFAULT_THRESHOLD,
    THRESHOLDS,
    default_norm,
    image_sizes,
)
from nasion.evaluation.floor import FORMAT, VERSION
from nasion.evaluation.reported_metrics import Errors, Scores, rounded
from nasion.landmarks import metrics
from nasion.landmarks.faces import Faces


@dataclass(frozen=True)
class Spread:
    """Distances between two labels of points. ``pixels``, ``percent`` (of the norm): the median and
    what 90 % stay below.
    """

    count: int
    pixels: tuple[float, float]
    percent: tuple[float, float]

    @classmethod
    def of(cls, pixels: np.ndarray, relative: np.ndarray) -> Spread:
        """Of distances in pixels and in fractions of the norm; NaN is skipped."""
        there = ~np.isnan(pixels)
        return cls(int(there.sum()), _quantiles(pixels), _quantiles(100 * relative))

    def to_json(self) -> dict[str, Any]:
        names = ("median_px", "p90_px", "median_percent", "p90_percent")
        values = (*self.pixels, *self.percent)
        numbers = {n: rounded(v, 4) for n, v in zip(names, values, strict=True)}
        return {"count": self.count, **numbers}


@dataclass(frozen=True)
class PointDisagreement:
    """One point. ``bias``: how far the first person's labels are from the middle of both, x and y
    in pixels, on average; the second's are as far on the other side. ``only``: faces on which only
    the first, and only the second, placed it.
    """

    spread: Spread
    bias: tuple[float, float]
    only: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Two people's labels compared. ``faces``: with a point that could be compared.

    ``norms``: the scores by each usual norm, overall and by point. ``repeats``: by person, how far
    faces that were shown once more, blind, are from the first time. ``untouched``: labels that both
    left as they were given. ``alone``: faces that only one has, by person.
    """

    people: tuple[str, str]
    scheme: str
    norm: str
    faces: int
    overall: PointDisagreement
    points: Mapping[str, PointDisagreement]
    norms: Mapping[str, tuple[Scores, Mapping[str, Scores]]]
    untouched: int
    alone: Mapping[str, list[str]]
    repeats: Mapping[str, Spread] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What ``nasion evaluate --floor`` reads; relative numbers in per cent."""
        norms = {
            name: {
                "overall": overall.to_json(),
                "points": {point: scores.to_json() for point, scores in points.items()},
            }
            for name, (overall, points) in self.norms.items()
        }
        return {
            "format": FORMAT,
            "version": VERSION,
            "people": list(self.people),
            "scheme": self.scheme,
            "norm": self.norm,
            "faces": self.faces,
            "untouched": self.untouched,
            "faces_of_one_only": {who: list(ids) for who, ids in self.alone.items()},
            "overall": self._point_json(self.overall),
            "points": {name: self._point_json(each) for name, each in self.points.items()},
            "blind_repeats": {who: spread.to_json() for who, spread in self.repeats.items()},
            "norms": norms,
        }

    def _point_json(self, point: PointDisagreement) -> dict[str, Any]:
        first, second = self.people
        x, y = point.bias
        signs = ((first, 1), (second, -1))
        bias = {who: [rounded(s * x, 4), rounded(s * y, 4)] for who, s in signs}
        only = dict(zip(self.people, point.only, strict=True))
        return {**point.spread.to_json(), "bias_px": bias, "only_placed_by": only}


def compare_labels(
    first: PersonLabels, second: PersonLabels, data: Faces, norm: str | None = None
) -> Disagreement:
    """Compare two people's labels of these faces. ``norm``: as in ``evaluate``.

    Raises ``SettingError`` if there is no point to compare.
    """
    require(
        first.who != second.who,
        f"Both are labels of {first.who}; two people are told apart by their names.",
    )
    pairs = matched_faces(first.faces, second.faces, set(data.ids))
    at = [np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1)]
    a, b = (
        _Side(p.faces[i], p.placed[i], p.seen[i]) for p, i in zip((first, second), at, strict=True)
    )
    compared = a.labelled & b.labelled & (a.placed | b.placed)
    if not compared.any():
        raise SettingError(
            f"{first.who} and {second.who} have no point in common that one of them placed; "
            "label the same faces, or mark them as done."
        )
    reference = _reference(a.faces, b.faces)
    norm = norm or default_norm(reference)
    length = metrics.norms(reference.scheme, reference.points, reference.boxes, norm)
    known = _Pairs(a, b, compared, length, image_sizes(a.faces))
    names = reference.scheme.points
    people = (first.who, second.who)
    return Disagreement(
        people=people,
        scheme=reference.scheme.name,
        norm=norm,
        faces=int(compared.any(axis=1).sum()),
        overall=known.point(slice(None)),
        points={name: known.point(slice(k, k + 1)) for k, name in enumerate(names)},
        norms=_norm_scores(reference, known, norm),
        untouched=int((a.labelled & b.labelled & ~compared).sum()),
        alone={
            p.who: [face for k, face in enumerate(p.faces.ids) if k not in set(i.tolist())]
            for p, i in zip((first, second), at, strict=True)
        },
        repeats={p.who: _repeat_spread(p, norm) for p in (first, second) if p.repeats},
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """One person's labels of the faces that both have, in the same order."""

    faces: Faces
    placed: np.ndarray
    seen: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """What the person vouches for."""
        return self.faces.labelled & self.seen


@dataclass(frozen=True, eq=False)
class _Pairs:
    a: _Side
    b: _Side
    compared: np.ndarray
    length: np.ndarray
    sizes: np.ndarray  # of the images, each of which is opened once

    def points_of(self, side: _Side) -> np.ndarray:
        """Float64, NaN where points are not compared."""
        return np.where(self.compared[..., None], side.faces.points.astype(np.float64), np.nan)

    def point(self, which: slice) -> PointDisagreement:
        """Over these columns of points."""
        offset = (self.points_of(self.a) - self.points_of(self.b))[:, which]
        pixels = np.linalg.norm(offset, axis=-1)
        there = self.compared[:, which]
        # Half of the offset lies on each side of the middle.
        bias = offset[there].mean(axis=0) / 2 if there.any() else np.full(2, np.nan)
        placed = [
            side.placed[:, which] & side.faces.labelled[:, which] for side in (self.a, self.b)
        ]
        labelled = [side.labelled[:, which] for side in (self.a, self.b)]
        only = (int((placed[0] & ~labelled[1]).sum()), int((placed[1] & ~labelled[0]).sum()))
        spread = Spread.of(pixels, pixels / self.length[:, None])
        return PointDisagreement(spread, (float(bias[0]), float(bias[1])), only)

    def scores(self, length: np.ndarray, threshold: float, which: slice) -> Scores:
        first, second = (self.points_of(side)[:, which] for side in (self.a, self.b))
        nme = metrics.face_nme(metrics.distances(first, second), length)
        return Scores.of(Errors(first, second, self.sizes, nme, threshold))


def _norm_scores(
    reference: Faces, known: _Pairs, own: str
) -> dict[str, tuple[Scores, Mapping[str, Scores]]]:
    """Scores by each usual norm that these faces have, and by the one that was asked for."""
    found: dict[str, tuple[Scores, Mapping[str, Scores]]] = {}
    for name in dict.fromkeys((own, *THRESHOLDS)):
        try:
            length = metrics.norms(reference.scheme, reference.points, reference.boxes, name)
        except SettingError:
            continue
        if np.isnan(length).all():
            continue
        threshold = THRESHOLDS.get(name, DEFAULT_THRESHOLD)
        points = {
            point: known.scores(length, threshold, slice(k, k + 1))
            for k, point in enumerate(reference.scheme.points)
        }
        found[name] = (known.scores(length, threshold, slice(None)), points)
    return found


def tolerances(data: Faces, percent: float, norm: str | None = None) -> Float64[np.ndarray, " N"]:
    """So many per cent of each face's norm, in pixels; NaN for faces that have none."""
    require(percent > 0, f"The tolerance must be above 0 %, as 2; found {percent:g}.")
    data = with_boxes(data)
    name = norm or default_norm(data)
    if name == "box" and data.boxes is None:
        return np.full(len(data), np.nan)
    return percent / 100 * metrics.norms(data.scheme, data.points, data.boxes, name)


def _reference(a: Faces, b: Faces) -> Faces:
    """The faces whose norms are taken: the first person's labels, else the second's."""
    points = np.where(np.isnan(a.points), b.points, a.points)
    boxes = a.boxes if b.boxes is None or a.boxes is None else _filled(a.boxes, b.boxes)
    return with_boxes(replace(a, points=points, boxes=b.boxes if boxes is None else boxes))


def _filled(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(first), second, first)


def _repeat_spread(person: PersonLabels, norm: str) -> Spread:
    at = np.array([i for i, _ in person.repeats])
    again = np.stack([points for _, points in person.repeats]).astype(np.float64)
    faces = with_boxes(person.faces[at])
    pixels = np.linalg.norm(faces.points - again, axis=-1)
    length = metrics.norms(faces.scheme, faces.points, faces.boxes, norm)
    return Spread.of(pixels, pixels / length[:, None])


def _quantiles(values: np.ndarray) -> tuple[float, float]:
    counted = values[~np.isnan(values)]
    if not counted.size:
        return float("nan"), float("nan")
    return float(np.median(counted)), float(np.percentile(counted, 90))
