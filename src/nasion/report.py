"""An evaluation as files: scores.json, predictions.csv, and report.html, one page that holds everything it shows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nasion import draw, geometry, metrics
from nasion.calibration import TOLERANCE
from nasion.confidence import Reliability
from nasion.datasets import points_csv
from nasion.evaluation import THRESHOLDS, Judgement, Scores
from nasion.files import write_text
from nasion.page import Image, picture, rendered

COLUMNS = ("", "faces", "RMSE px", "MAE px", "MSE relative", "NME %", "median %", "p90 %", "p95 %", "p99 %", "fails %", "AUC %")
SHORT = ("", "faces", "RMSE px", "NME %", "median %", "p95 %", "fails %", "AUC %")
ERRORS = ("face", "NME %", "worst point, px", "which")
_SHOWN = 16


@dataclass(frozen=True)
class Background:
    """What a report shows beside the errors, for a run: its history, its settings, and pictures of what it looks at."""

    history: list[dict[str, float]] = field(default_factory=list)
    recipe: str = ""
    looks: tuple[Image, ...] = ()


def write(judgement: Judgement, folder: Path, *, title: str, background: Background | None = None) -> Path:
    """Write all three files into a folder; the path of the page. Raises ``ImportError`` without the ``report`` extra."""
    write_text(folder / "scores.json", json.dumps(judgement.to_json(), indent=1))
    points_csv.write(judgement.predictions, folder / "predictions.csv")
    write_text(folder / "report.html", page(judgement, title=title, background=background or Background()))
    return folder / "report.html"


def page(judgement: Judgement, *, title: str, background: Background) -> str:
    """The HTML page."""
    known = judgement.reliability
    overall, threshold = judgement.overall, f"{100 * judgement.threshold:g} %"
    return rendered(
        "evaluation",
        title=title,
        subtitle=f"{len(judgement.faces)} faces of scheme {judgement.faces.scheme.name}; relative errors in % of {judgement.norm}.",
        tiles=[
            ("RMSE, all coordinates pooled", f"{_shown(overall.rmse, 3)} px", f"{overall.values} values"),
            ("NME", f"{_shown(100 * overall.nme)} %", f"mean of {overall.faces} faces"),
            ("failures", f"{_shown(100 * overall.fr)} %", f"faces above {threshold}"),
            ("AUC", f"{_shown(100 * overall.auc)} %", f"up to {threshold}"),
            ("MSE of relative coordinates", scientific(overall.mse_relative), "x / width, y / height of the picture"),
        ],
        warning=judgement.warning,
        left_out=[(why, len(ids), ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")) for why, ids in judgement.left_out.items()],
        history=draw.svg(draw.history_figure({"run": background.history})) if background.history else "",
        cumulative=draw.svg(draw.cumulative_figure(_curves(judgement), judgement.threshold, judgement.norm)),
        reliability=draw.svg(draw.reliability_figure(known, f"{100 * TOLERANCE:g} % of the face's size")) if known else "",
        reliability_note=_promise(known) if known else "",
        mean_face=draw.svg(_mean_face(judgement)),
        tables=_tables(judgement),
        sheets=[picture(heading, draw.sheet(tiles), note) for heading, note, tiles in best_and_worst(judgement)],
        looks=background.looks,
        ordered_by="NME in %" if not np.isnan(judgement.face_nme).all() else "RMSE in pixels",
        recipe=background.recipe,
    )


def _promise(known: Reliability) -> str:
    """What the plots of reliability say in words."""
    return (
        f"Scores are off by {100 * known.gap:.1f} % on average. Expected error {known.expected:.2f} pixels, found {known.error:.2f}; "
        f"rank correlation of both, point by point: {known.ranking:.2f}."
    )


def short_row(name: str, scores: Scores) -> tuple[str, ...]:
    """The columns that fit into a terminal, in the order of ``SHORT``."""
    whole = dict(zip(COLUMNS, row(name, scores), strict=True))
    return tuple(whole[column] for column in SHORT)


def row(name: str, scores: Scores) -> tuple[str, ...]:
    """One line of a table of scores, in the order of ``COLUMNS``."""
    relative = (scores.nme, *(scores.percentiles[p] for p in (50, 90, 95, 99)), scores.fr, scores.auc)
    absolute = (_shown(scores.rmse, 3), _shown(scores.mae, 3), scientific(scores.mse_relative))
    return (name, str(scores.faces), *absolute, *(_shown(100 * value) for value in relative))


def scientific(value: float) -> str:
    return f"{value:.2e}" if math.isfinite(value) else "-"


def _shown(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _tables(judgement: Judgement) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """(heading, columns, rows) of each table."""
    everything = [row("all", judgement.overall)]
    tables = [(f"By {group}", everything + [row(value, s) for value, s in parts.items()]) for group, parts in judgement.groups.items()]
    by_norm = [row(f"{name.replace('_', ' ')} (at {100 * THRESHOLDS[name]:g} %)", scores) for name, scores in judgement.norms.items()]
    if len(by_norm) > 1:
        tables.insert(0, ("By norm, with the threshold usual for it", by_norm))
    if judgement.reliability:
        bins = [
            (f"{b.low:g} to {b.high:g}", str(b.points), *(f"{v:.3f}" for v in (b.score, b.within)), f"{b.expected:.2f}", f"{b.error:.2f}")
            for b in judgement.reliability.bins
        ]
        confidence = [("By score", ("score", "points", "mean score", "part within", "expected px", "found px"), bins)]
    else:
        confidence = []
    found = [*(tables or [("All faces", everything)]), ("By point", [row(point, s) for point, s in judgement.points.items() if s.values])]
    return [*((heading, COLUMNS, rows) for heading, rows in found), *confidence, ("Largest errors", ERRORS, largest_errors(judgement, _SHOWN))]


def largest_errors(judgement: Judgement, count: int) -> list[tuple[str, ...]]:
    """The faces with the largest errors, in the columns of ``ERRORS``; faces without a norm are ordered by their RMSE."""
    errors = _face_errors(judgement)
    order = [i for i in np.argsort(np.where(np.isnan(errors), -1, -errors)) if not np.isnan(errors[i])][:count]
    apart = metrics.distances(judgement.faces.points, judgement.predictions.points)
    rows = []
    for i in order:
        far = np.where(np.isfinite(apart[i]), apart[i], -1)
        worst = int(np.argmax(far))
        nme = _shown(100 * float(judgement.face_nme[i]))
        rows.append((judgement.faces.ids[i], nme, f"{far[worst]:.1f}", judgement.faces.scheme.points[worst]))
    return rows


def _curves(judgement: Judgement) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    curves = {"all": metrics.cumulative_errors(judgement.face_nme)}
    for group in ("source", "subset"):
        for value in judgement.groups.get(group, {}):
            inside = judgement.faces.group(group) == value
            curves[value] = metrics.cumulative_errors(judgement.face_nme[inside])
    return {name: curve for name, curve in curves.items() if len(curve[0])}


def _mean_face(judgement: Judgement) -> Any:
    """Errors on the mean of the labelled faces, each brought to its points' box first."""
    faces = judgement.faces
    boxes = geometry.points_box(faces.points)
    usable = (boxes[:, 2:] - boxes[:, :2] > 0).all(axis=1)
    # Faces with more labels have larger boxes: the mean is over the most complete ones.
    usable &= faces.labelled.sum(1) >= faces.labelled[usable].sum(1).max(initial=0)
    framed = geometry.apply(geometry.box_to_frame(boxes[usable], (100, 100)), faces.points[usable])
    labelled = ~np.isnan(framed)
    mean = np.divide(np.where(labelled, framed, 0).sum(0), labelled.sum(0), out=np.full(framed.shape[1:], np.nan), where=labelled.any(0))
    aspect = np.mean((boxes[usable, 3] - boxes[usable, 1]) / (boxes[usable, 2] - boxes[usable, 0])) if usable.any() else 1.0
    return draw.mean_face_figure(faces.scheme, mean * [1.0, aspect], [s.rmse for s in judgement.points.values()], "RMSE in pixels")


def _face_errors(judgement: Judgement) -> np.ndarray:
    """Each face's NME; where none has one, its RMSE in pixels. NaN where nothing was counted."""
    if not np.isnan(judgement.face_nme).all():
        return judgement.face_nme
    square = (judgement.predictions.points.astype(np.float64) - judgement.faces.points) ** 2
    counted = (~np.isnan(square)).sum((1, 2))
    return np.sqrt(np.divide(np.nansum(square, axis=(1, 2)), counted, out=np.full(len(square), np.nan), where=counted > 0))


def best_and_worst(judgement: Judgement, count: int = _SHOWN) -> list[tuple[str, str, list[np.ndarray]]]:
    """(heading, note, tiles) of the best and the worst faces, where their pictures are there."""
    faces, predicted = judgement.faces, judgement.predictions.points
    there = np.array([not isinstance(picture, Path) or picture.is_file() for picture in faces.images], dtype=bool)
    error = np.where(there, _face_errors(judgement), np.nan)
    unit = 1.0 if np.isnan(judgement.face_nme).all() else 100.0
    order = np.argsort(np.where(np.isfinite(error), error, -1))
    order = order[np.isfinite(error[order])]
    found = []
    for heading, chosen in (("Best faces", order[:count].tolist()), ("Worst faces", order[::-1][:count].tolist())):
        tiles = [
            draw.tile(faces, i, [(faces.points[i], draw.TRUTH), (predicted[i], draw.PREDICTION)], f"{faces.ids[i]}  {unit * error[i]:.1f}")
            for i in chosen
        ]
        if tiles:
            found.append((heading, f"{len(tiles)} faces with labels and predictions", tiles))
    return found
