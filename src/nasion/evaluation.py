"""How good predicted points are: overall, per point, per group, per face, and what was left out of the count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float

from nasion import metrics
from nasion.confidence import Reliability, reliability
from nasion.doubts import FEWEST, doubtful
from nasion.errors import SettingError
from nasion.faces import NO_GROUP, Faces, Predictions
from nasion.files import picture_size
from nasion.recipe import Recipe

THRESHOLDS = {"box": 0.07, "outer_eye_corners": 0.08, "pupils": 0.10}
_PERCENTILES = (50, 90, 95, 99)
_MOST_VALUES = 40  # of a group that is reported apart


@dataclass(frozen=True)
class Scores:
    """Errors of a set of faces: ``rmse`` and ``mae`` of the coordinates in pixels, ``mse_relative`` of the coordinates as
    fractions of the picture, all others as fractions of the norm (NaN where nothing was counted)."""

    faces: int
    values: int
    rmse: float
    mae: float
    mse_relative: float
    nme: float
    fr: float
    auc: float
    percentiles: Mapping[int, float]

    def per_cent(self) -> dict[str, float | int | None]:
        """As JSON shows it: relative numbers in per cent, None for what was not counted."""
        relative = {"nme": self.nme, "fr": self.fr, "auc": self.auc} | {f"p{p}": v for p, v in self.percentiles.items()}
        shown = {name: _number(100 * value, 4) for name, value in relative.items()}
        absolute = {"rmse": _number(self.rmse, 5), "mae": _number(self.mae, 5), "mse_relative": _number(self.mse_relative, 9)}
        return {"faces": self.faces, "values": self.values, **absolute, **shown}


@dataclass(frozen=True, eq=False)
class Judgement:
    """Scores of predictions on faces; ``face_nme`` is NaN for faces that could not be counted.

    ``norms``: the same by each usual norm that these faces have, at its usual threshold (``THRESHOLDS``).
    """

    norm: str
    threshold: float
    overall: Scores
    points: Mapping[str, Scores]
    groups: Mapping[str, Mapping[str, Scores]]
    norms: Mapping[str, Scores]
    left_out: Mapping[str, list[str]]
    faces: Faces
    predictions: Predictions
    face_nme: Float[np.ndarray, " N"]
    reliability: Reliability | None = None
    warning: str = ""

    def to_json(self) -> dict[str, Any]:
        """Everything but the faces themselves; relative numbers in per cent."""
        return {
            **self.overall.per_cent(),
            "norm": self.norm,
            "fr_threshold": _number(100 * self.threshold, 4),
            "scheme": self.faces.scheme.name,
            **({"warning": self.warning} if self.warning else {}),
            "left_out": {why: {"count": len(ids), "first": ids[:10]} for why, ids in self.left_out.items()},
            "points": {name: scores.per_cent() for name, scores in self.points.items()},
            "norms": {name: scores.per_cent() for name, scores in self.norms.items()},
            **({"reliability": asdict(self.reliability)} if self.reliability else {}),
            "groups": {group: {value: s.per_cent() for value, s in parts.items()} for group, parts in self.groups.items()},
        }


def evaluate(what: Any, faces: Faces, *, norm: str | None = None, threshold: float | None = None) -> Judgement:
    """Judge a run's folder, a ``Model`` or ``Predictions`` on labelled faces.

    ``norm``: box, outer_eye_corners, pupils or two groups of points ``a,b:c,d`` (None: the scheme's own); ``threshold``: of
    failure rate and AUC, a fraction of the norm (None: 0.07 for the box, 0.10 for pupils, else 0.08).
    """
    if not faces.labelled.any():
        raise SettingError(f"None of the {len(faces)} faces has a label to judge by; take another split (--split).")
    judged = _opened(what)
    predictions = judged if isinstance(judged, Predictions) else judged.predict(faces)
    aligned, missing, extra = matched(predictions.to(faces.scheme), faces)
    name = norm or default_norm(faces)
    limit = THRESHOLDS.get(name, 0.08) if threshold is None else threshold
    if not limit > 0:
        raise SettingError(f"A threshold of {limit} makes no sense; give a fraction above 0, as 0.08.")
    lacking = [point for point in faces.scheme.points if point not in predictions.scheme]
    truth = faces.points.copy()
    truth[:, faces.scheme.index(lacking)] = np.nan
    apart = metrics.distances(truth, aligned.points)
    scale = metrics.norms(faces.scheme, faces.points, faces.boxes, name)
    judge = _Judge(truth, aligned.points, apart, _picture_sizes(faces), scale, limit)
    partly = np.isinf(apart).any(axis=1) & ~np.isnan(aligned.points).all(axis=(1, 2))
    everyone = np.arange(len(faces))
    left_out = {
        "faces without a label": [faces.ids[i] for i in np.flatnonzero(~faces.labelled.any(axis=1))],
        f"faces whose norm ({name}) is not labelled or has no length, counted in RMSE only": [
            faces.ids[i] for i in np.flatnonzero(faces.labelled.any(axis=1) & np.isnan(scale))
        ],
        "faces without a prediction, counted as failures": missing,
        "faces with a labelled point not predicted, counted as failures": [faces.ids[i] for i in np.flatnonzero(partly)],
        "predictions of no face here": extra,
        "points that the predictions' scheme lacks": lacking,
    }
    return Judgement(
        norm=name,
        threshold=limit,
        overall=judge.scores(everyone),
        points={point: judge.scores(everyone, k) for k, point in enumerate(faces.scheme.points)},
        groups={group: {value: judge.scores(at) for value, at in parts.items()} for group, parts in _groups(faces).items()},
        norms={name: replace(judge, scale=length, threshold=THRESHOLDS[name]).scores(everyone) for name, length in _usual_norms(faces).items()},
        left_out={why: ids for why, ids in left_out.items() if ids},
        faces=faces,
        predictions=aligned,
        face_nme=metrics.face_nme(apart, scale),
        reliability=reliability(replace(faces, points=truth), aligned),
        warning="" if isinstance(judged, Predictions) else _warning(judged.recipe),
    )


def default_norm(faces: Faces) -> str:
    """The name of the scheme's own norm."""
    own = faces.scheme.norm
    if own is None:
        return "box"
    for name in ("outer_eye_corners", "pupils"):
        try:
            if faces.scheme.norm_groups(name) == own:
                return name
        except SettingError:
            continue
    return ":".join(",".join(group) for group in own)


def matched(predictions: Predictions, faces: Faces) -> tuple[Predictions, list[str], list[str]]:
    """Predictions in the order of the faces (NaN where there is none), faces without one, predictions without a face.

    By id; where ids do not agree, by the pictures' files, with or without folder and ending, if unambiguous.
    """
    are_paths = all(isinstance(picture, Path) for picture in faces.images)
    files = [str(picture) for picture in faces.images] if are_paths else [name for name in faces.ids if PurePath(name).suffix]
    ways = [(str, faces.ids), (str, files), (lambda name: PurePath(name).name, files), (lambda name: PurePath(name).stem, files)]
    for key, names in ways:
        at = {key(name): i for i, name in enumerate(predictions.ids)}
        wanted = [key(name) for name in names]
        unambiguous = len(at) == len(predictions) and len(set(wanted)) == len(wanted) == len(faces)
        if unambiguous and any(name in at for name in wanted):
            break
    else:
        raise SettingError(
            f"No prediction is for any of these faces: predictions are named as {predictions.ids[0]!r}, faces as {faces.ids[0]!r}. "
            "The first column must hold the faces' ids or file names."
        )
    there = [row for row, name in enumerate(wanted) if name in at]
    taken = [at[wanted[row]] for row in there]
    values = {}
    for column in ("points", "scores", "expected"):
        given = getattr(predictions, column)
        if given is not None:
            values[column] = np.full((len(faces), *given.shape[1:]), np.nan, dtype=np.float32)
            values[column][there] = given[taken]
    missing = [faces.ids[row] for row, name in enumerate(wanted) if name not in at]
    extra = [predictions.ids[i] for name, i in at.items() if name not in set(wanted)]
    return Predictions(scheme=faces.scheme, ids=faces.ids, **values), missing, extra


@dataclass(frozen=True, eq=False)
class _Judge:
    truth: np.ndarray
    predicted: np.ndarray
    apart: np.ndarray
    sizes: np.ndarray
    scale: np.ndarray
    threshold: float

    def scores(self, at: np.ndarray, point: int | None = None) -> Scores:
        """Scores of the faces at these positions, over all points or one."""
        points = slice(None) if point is None else slice(point, point + 1)
        pair = self.truth[at][:, points], self.predicted[at][:, points]
        rmse = metrics.rmse(*pair)
        errors = metrics.face_nme(self.apart[at][:, points], self.scale[at])
        return Scores(
            faces=int((~np.isnan(errors)).sum()),
            values=rmse.count,
            rmse=rmse.value,
            mae=metrics.mae(*pair).value,
            mse_relative=metrics.relative_mse(*pair, self.sizes[at]).value,
            nme=metrics.nme(errors).value,
            fr=metrics.failure_rate(errors, self.threshold).value,
            auc=metrics.auc(errors, self.threshold).value,
            percentiles={p: metrics.percentile(errors, p).value for p in _PERCENTILES},
        )


def _usual_norms(faces: Faces) -> dict[str, np.ndarray]:
    """What errors are divided by, for each usual norm that these faces have."""
    found = {}
    for name in THRESHOLDS:
        try:
            found[name] = metrics.norms(faces.scheme, faces.points, faces.boxes, name)
        except SettingError:
            continue
    return {name: length for name, length in found.items() if not np.isnan(length).all()}


def _picture_sizes(faces: Faces) -> Float[np.ndarray, "N 2"]:
    """(width, height) of each picture, NaN where it is not there."""
    sizes = [(np.nan, np.nan) if isinstance(p, Path) and not p.is_file() else picture_size(p) for p in faces.images]
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _groups(faces: Faces) -> dict[str, dict[str, np.ndarray]]:
    """Positions by group and value; also faces with plausible and with doubtful labels, where there are enough to tell."""
    columns = {name: np.array(values, dtype=object) for name, values in faces.groups.items()}
    if len(faces) >= FEWEST:
        wrong = doubtful(faces)
        columns["labels"] = np.where(wrong, "doubtful", "plausible").astype(object)
    found = {}
    for name, column in columns.items():
        values = sorted(set(column.tolist()) - {NO_GROUP})
        # A group of nearly as many values as faces (every person once) says nothing apart.
        # Nor do hundreds of them.
        if 1 < len(values) <= min(max(2, len(faces) // 2), _MOST_VALUES) or (len(values) == 1 and name != "labels"):
            found[name] = {value: np.flatnonzero(column == value) for value in values}
    return found


def _opened(what: Any) -> Any:
    """The predictions, or the model that makes them."""
    if isinstance(what, (str, Path)):
        from nasion.predict import load_model

        return load_model(what)
    return what


def _warning(recipe: Recipe) -> str:
    learnt = f"This network has learnt the validation faces of {recipe.data} too (hold_out=false): how far it is off on these says nothing."
    return "" if recipe.hold_out else learnt


def _number(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
