"""Evaluate predicted points: overall, per point, per group, per face, and what was left out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float
from nasion.data.label_outliers import MIN_FACES, suspect_labels
from nasion.data.suspects import Audit
from nasion.errors import SettingError
from nasion.evaluation.floor import Floor, read_floor
from nasion.evaluation.left_out import NO_NORM
from nasion.evaluation.matching import match_by_id
from nasion.evaluation.reliability import Reliability, reliability
from nasion.evaluation.reported_metrics import Errors, Scores, rounded
from nasion.inference.fold_runs import check_finished, is_fold_folder, predict_held_out
from nasion.inference.predictor import Predictor, load_model
from nasion.inference.whole_faces import detected_boxes, tell_size
from nasion.landmarks import metrics
from nasion.landmarks.faces import NO_GROUP, Faces, Predictions
from nasion.media.counted import counted
from nasion.media.images import image_size

# Usual thresholds of failure rate and AUC by norm, as fractions of it.
THRESHOLDS = {"box": 0.07, "outer_eye_corners": 0.08, "pupils": 0.10}
DEFAULT_THRESHOLD = 0.08
_MAX_GROUP_VALUES = 40  # groups with more values are not reported separately
_log = logging.getLogger(__name__)
WARN_FRACTION = 0.02  # of the faces; below it a match may be chance


@dataclass(frozen=True)
class WithoutSuspects:
    """``scores``: of the labels that an audit does not call wrong. ``labels``, ``faces``: how many
    it does call wrong. ``share``: their part of all squared errors.
    """

    scores: Scores
    labels: int
    faces: int
    share: float

    def sentence(self) -> str:
        """How many labels are suspect, and how much of the error they are."""
        labels, faces = counted(self.labels, "suspect label"), counted(self.faces, "face")
        part = f"{100 * self.share:.0f} % of all squared errors"
        return f"{labels} in {faces} {'makes' if self.labels == 1 else 'make'} {part}"


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Scores of predictions on labelled faces.

    ``norm``, ``threshold``: what errors are relative to, and the limit of failure rate and AUC.
    ``norms``: the scores by each usual norm that these faces have, at its usual threshold.
    ``left_out``: ids by the reason why they were not counted. ``face_nme``: NaN for faces that
    could not be counted. ``reliability_by_occlusion``: that of visible and of occluded points,
    where labels say which are which. ``warning``: empty unless the network was trained on these
    faces. ``without_suspects``: if an audit of the labels was given, and calls some of them wrong.
    ``floor``: how far people's labels of such faces are apart.
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
    reliability_by_occlusion: Mapping[str, Reliability] = field(default_factory=dict)
    warning: str = ""
    without_suspects: WithoutSuspects | None = None
    floor: Floor | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything but the faces themselves; relative numbers in per cent."""
        value: dict[str, Any] = {
            **self.overall.to_json(),
            "norm": self.norm,
            "fr_threshold": rounded(100 * self.threshold, 4),
            "scheme": self.faces.scheme.name,
        }
        if self.warning:
            value["warning"] = self.warning
        value["left_out"] = {
            reason: {"count": len(ids), "first": ids[:10]} for reason, ids in self.left_out.items()
        }
        value["points"] = _all_to_json(self.points)
        value["norms"] = _all_to_json(self.norms)
        if self.reliability:
            value["reliability"] = asdict(self.reliability)
        if self.reliability_by_occlusion:
            parts = self.reliability_by_occlusion.items()
            value["reliability_by_occlusion"] = {name: asdict(part) for name, part in parts}
        if self.without_suspects:
            parts = asdict(self.without_suspects) | {
                "scores": self.without_suspects.scores.to_json()
            }
            value["without_suspects"] = parts
        if self.floor:
            value["floor"] = self.floor.to_json()
        value["groups"] = {group: _all_to_json(parts) for group, parts in self.groups.items()}
        return value


def evaluate(
    model: str | Path | Predictor | Predictions,
    faces: Faces,
    *,
    norm: str | None = None,
    threshold: float | None = None,
    audit: Audit | None = None,
    floor: str | Path | None = None,
) -> EvaluationResult:
    """Evaluate a model, or predictions of any tool, on labelled faces.

    ``model``: a run folder, an exported file, a pretrained model's name, a ``Predictor``, or
    ``Predictions``; of a cross-validation's folder, each face is predicted by the run that held it
    out. ``norm``: box, outer_eye_corners, pupils or two groups of points ``a,b:c,d``
    (None: the scheme's own). ``threshold``: of failure rate and AUC, as a fraction of the norm
    (None: 0.07 for the box, 0.10 for pupils, else 0.08). ``floor``: a file of ``nasion data compare
    --json``. ``audit``: of the labels, which tells what the scores are without wrong ones. Raises
    ``SettingError`` for faces without labels, and if no prediction is for any of them.
    """
    if not faces.labelled.any():
        raise SettingError(
            f"None of the {len(faces)} faces has a label to evaluate on; "
            "choose another split (--split)."
        )
    norm = norm or default_norm(faces)
    people = None if floor is None else read_floor(floor, norm, faces.scheme.points)
    predictor = _opened(model, faces) if isinstance(model, (str, Path)) else model
    is_model = isinstance(predictor, Predictor)
    faces = _with_face_boxes(faces) if norm == "box" else faces
    predictions = predictor.predict(faces) if is_model else predictor
    threshold = THRESHOLDS.get(norm, DEFAULT_THRESHOLD) if threshold is None else threshold
    if not threshold > 0:
        raise SettingError(f"The threshold must be above 0, as 0.08; found {threshold}.")
    shared = _shared_points(faces, predictions)
    scored, missing, extra = match_by_id(predictions, faces)
    matched = scored.to(faces.scheme)
    lacking = [point for point in faces.scheme.points if point not in shared]
    truth = faces.points.copy()
    # A point that the predictions' scheme lacks is left out, not counted as a failure.
    truth[:, faces.scheme.index(lacking)] = np.nan
    # By all labels, also of points that are not predicted.
    length = metrics.norms(faces.scheme, faces.points, faces.boxes, norm)
    scorer = _Scorer(truth, matched.points, image_sizes(faces), length, threshold)
    left_out = _left_out(faces, scorer, norm)
    left_out |= {
        "faces without a prediction, counted as failures": missing,
        "predictions of no face here": extra,
        "points that the predictions' scheme lacks": lacking,
    }
    everyone = np.arange(len(faces))
    return EvaluationResult(
        norm=norm,
        threshold=threshold,
        overall=scorer.scores(everyone),
        points={p: scorer.scores(everyone, k) for k, p in enumerate(faces.scheme.points)},
        groups=_group_scores(faces, scorer) | _occlusion_scores(faces, scorer),
        norms=_norm_scores(faces, scorer),
        left_out={reason: ids for reason, ids in left_out.items() if ids},
        faces=faces,
        predictions=matched,
        face_nme=metrics.face_nme(scorer.distances, length),
        reliability=reliability(replace(faces, points=truth), scored),
        reliability_by_occlusion=_reliability_by_occlusion(faces, truth, scored),
        warning=_warning(predictor, faces) if is_model else "",
        floor=people,
        without_suspects=None if audit is None else _without_suspects(scorer, faces, audit),
    )


def _with_face_boxes(faces: Faces) -> Faces:
    """The faces with boxes that their errors can be divided by: those of the detector, if labels
    at one place do not tell how large faces are. As they are, if images are missing.
    """
    if any(isinstance(image, Path) and not image.is_file() for image in faces.images):
        return faces
    if tell_size(faces):
        return faces
    _log.info(
        "The labels, at one place, do not tell how large a face is: errors are relative to the box "
        "that the detector gives."
    )
    return replace(faces, boxes=detected_boxes(faces).astype(np.float32))


def _without_suspects(scorer: _Scorer, faces: Faces, audit: Audit) -> WithoutSuspects | None:
    """The scores without labels that are more likely wrong than right, if there are any."""
    wrong = audit.wrong(faces) & np.isfinite(scorer.truth[..., 0])
    if not wrong.any() or np.isnan(scorer.truth[~wrong]).all():
        return None
    truth = np.where(wrong[..., None], np.nan, scorer.truth)
    rest = replace(scorer, truth=truth)
    squares = np.square(np.where(np.isfinite(scorer.distances), scorer.distances, 0))
    share = float(squares[wrong].sum() / max(squares.sum(), 1e-12))
    return WithoutSuspects(
        rest.scores(np.arange(len(faces))), int(wrong.sum()), int(wrong.any(axis=1).sum()), share
    )


def _shared_points(faces: Faces, predictions: Predictions) -> Mapping[str, str]:
    """The points of the labels that are predicted too, each with its name there."""
    shared = faces.scheme.matches(predictions.scheme)
    if not shared:
        theirs, ours = (
            f"{s.name} ({s.points[0]}, ...)" for s in (predictions.scheme, faces.scheme)
        )
        raise SettingError(
            f"The predictions have points of {theirs}, the labels of {ours}, and no name is in "
            "both; name the scheme that both are in (--scheme)."
        )
    return shared


def _opened(model: str | Path, faces: Faces) -> Predictor | Predictions:
    folder = Path(model)
    if not is_fold_folder(folder):
        return load_model(model)
    check_finished(folder)
    return predict_held_out(folder, faces)


def default_norm(faces: Faces) -> str:
    """The name of the scheme's own norm."""
    own = faces.scheme.norm
    if own is None:
        return "box"
    # A scheme holds its norm as points; if they are those of a named norm, its name is shown.
    for name in ("outer_eye_corners", "pupils"):
        try:
            if faces.scheme.norm_groups(name) == own:
                return name
        except SettingError:
            continue
    return ":".join(",".join(group) for group in own)


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Truth and predictions of all faces; computes the scores of some of them."""

    truth: np.ndarray
    predicted: np.ndarray
    sizes: np.ndarray
    norm_length: np.ndarray
    threshold: float

    @property
    def distances(self) -> np.ndarray:
        return metrics.distances(self.truth, self.predicted)

    def scores(self, at: np.ndarray, point: int | None = None) -> Scores:
        """Scores of the faces at these positions, over all points or one."""
        points = slice(None) if point is None else slice(point, point + 1)
        truth, predicted = self.truth[at][:, points], self.predicted[at][:, points]
        distances = metrics.distances(truth, predicted)
        face_nme = metrics.face_nme(distances, self.norm_length[at])
        return Scores.of(Errors(truth, predicted, self.sizes[at], face_nme, self.threshold))


def _left_out(faces: Faces, scorer: _Scorer, norm: str) -> dict[str, list[str]]:
    """Ids of faces that are not counted, or not fully, by the reason."""
    labelled = faces.labelled.any(axis=1)
    no_norm = labelled & np.isnan(scorer.norm_length)
    predicted = ~np.isnan(scorer.predicted).all(axis=(1, 2))
    # Some points are predicted, others not; faces without any are listed by match_by_id.
    partly = np.isinf(scorer.distances).any(axis=1) & predicted
    reasons = {
        "faces without a label": ~labelled,
        NO_NORM.format(norm=norm): no_norm,
        "faces with a labelled point not predicted, counted as failures": partly,
    }
    return {
        reason: [faces.ids[i] for i in np.flatnonzero(which)] for reason, which in reasons.items()
    }


def _norm_scores(faces: Faces, scorer: _Scorer) -> dict[str, Scores]:
    """The scores by each usual norm that these faces have."""
    found = {}
    for name, threshold in THRESHOLDS.items():
        try:
            length = metrics.norms(faces.scheme, faces.points, faces.boxes, name)
        except SettingError:
            continue
        # A norm that no face has labels for is left out.
        if not np.isnan(length).all():
            usual = replace(scorer, norm_length=length, threshold=threshold)
            found[name] = usual.scores(np.arange(len(faces)))
    return found


def _group_scores(faces: Faces, scorer: _Scorer) -> dict[str, dict[str, Scores]]:
    """Scores by group and value; also of faces with plausible and with suspect labels."""
    columns = {name: np.array(values, dtype=object) for name, values in faces.groups.items()}
    if len(faces) >= MIN_FACES:
        suspect = suspect_labels(faces)
        columns["labels"] = np.where(suspect, "suspect", "plausible").astype(object)
    found: dict[str, dict[str, Scores]] = {}
    for name, column in columns.items():
        values = sorted(set(column.tolist()) - {NO_GROUP})
        # Groups of nearly as many values as faces, or of hundreds, tell nothing.
        most = min(max(2, len(faces) // 2), _MAX_GROUP_VALUES)
        # A group of one value is reported, since it names the faces (their source); that all labels
        # are plausible needs no table.
        is_single = len(values) == 1 and name != "labels"
        if 1 < len(values) <= most or is_single:
            found[name] = {v: scorer.scores(np.flatnonzero(column == v)) for v in values}
    return found


def _by_occlusion(faces: Faces, truth: np.ndarray) -> dict[str, np.ndarray]:
    """The labels of visible points and of occluded ones, others NaN; empty if none is occluded."""
    if faces.occluded is None or not (faces.occluded & ~np.isnan(truth[..., 0])).any():
        return {}
    hidden = faces.occluded[..., None]
    return {
        "visible": np.where(hidden, np.nan, truth).astype(truth.dtype),
        "occluded": np.where(hidden, truth, np.nan).astype(truth.dtype),
    }


def _occlusion_scores(faces: Faces, scorer: _Scorer) -> dict[str, dict[str, Scores]]:
    """Scores of visible and of occluded points, as a group, where labels say which are which."""
    everyone = np.arange(len(faces))
    found: dict[str, Scores] = {}
    for name, labels in _by_occlusion(faces, scorer.truth).items():
        count = int((~np.isnan(labels[..., 0])).sum())
        found[f"{name} ({count})"] = replace(scorer, truth=labels).scores(everyone)
    return {"points": found} if found else {}


def _reliability_by_occlusion(
    faces: Faces, truth: np.ndarray, predicted: Predictions
) -> dict[str, Reliability]:
    parts = _by_occlusion(faces, truth).items()
    each = {name: reliability(replace(faces, points=labels), predicted) for name, labels in parts}
    return {name: known for name, known in each.items() if known is not None}


def image_sizes(faces: Faces) -> Float[np.ndarray, "N 2"]:
    """(width, height) of each image; NaN if its file is missing."""
    sizes = []
    for image in faces.images:
        missing = isinstance(image, Path) and not image.is_file()
        sizes.append((np.nan, np.nan) if missing else image_size(image))
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _warning(predictor: Predictor, faces: Faces) -> str:
    """A sentence if the network learnt from photographs of these faces."""
    there = [not isinstance(image, Path) or image.is_file() for image in faces.images]
    if predictor.trained_on is None or not all(there):
        return ""
    seen = int(predictor.trained_on.seen(faces).sum())
    if seen <= WARN_FRACTION * len(faces):
        return ""
    those = f"At least {seen} of these {len(faces)} faces"
    if seen == len(faces):
        those = "This face" if seen == 1 else f"All these {seen} faces"
    are = "is" if seen == 1 else "are"
    return (
        f"{those} {are} from photographs that this network was "
        "trained on; errors on them say nothing about new faces."
    )


def _all_to_json(scores: Mapping[str, Scores]) -> dict[str, dict[str, float | int | None]]:
    return {name: each.to_json() for name, each in scores.items()}
