"""An evaluation as files: scores.json, predictions.csv, and report.html, one page that holds everything it shows."""

from __future__ import annotations

import base64
import json
import math
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np

import nasion
from nasion import draw, geometry, metrics
from nasion.datasets import points_csv
from nasion.evaluation import Judgement, Scores
from nasion.files import write_text

COLUMNS = ("", "faces", "RMSE px", "NME %", "median %", "p90 %", "p95 %", "p99 %", "fails %", "AUC %")
SHORT = ("", "faces", "RMSE px", "NME %", "median %", "p95 %", "fails %", "AUC %")
_SHOWN = 16


def write(judgement: Judgement, folder: Path, *, title: str, history: list[dict[str, float]] | None = None, recipe: str = "") -> Path:
    """Write all three files into a folder; the path of the page. Raises ``ImportError`` without the ``report`` extra."""
    write_text(folder / "scores.json", json.dumps(judgement.to_json(), indent=1))
    points_csv.write(judgement.predictions, folder / "predictions.csv")
    write_text(folder / "report.html", page(judgement, title=title, history=history, recipe=recipe))
    return folder / "report.html"


def page(judgement: Judgement, *, title: str, history: list[dict[str, float]] | None = None, recipe: str = "") -> str:
    """The HTML page; no address in it leads outside of it."""
    from jinja2 import Environment

    template = package_files("nasion").joinpath("report.html.j2").read_text(encoding="utf-8")
    overall, threshold = judgement.overall, f"{100 * judgement.threshold:g} %"
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            title=title,
            subtitle=f"{len(judgement.faces)} faces of scheme {judgement.faces.scheme.name}; relative errors in % of {judgement.norm}.",
            tiles=[
                ("RMSE, all coordinates pooled", f"{_shown(overall.rmse, 3)} px", f"{overall.values} values"),
                ("NME", f"{_shown(100 * overall.nme)} %", f"mean of {overall.faces} faces"),
                ("failures", f"{_shown(100 * overall.fr)} %", f"faces above {threshold}"),
                ("AUC", f"{_shown(100 * overall.auc)} %", f"up to {threshold}"),
            ],
            left_out=[(why, len(ids), ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")) for why, ids in judgement.left_out.items()],
            history=draw.svg(draw.history_figure({"run": history})) if history else "",
            cumulative=draw.svg(draw.cumulative_figure(_curves(judgement), judgement.threshold, judgement.norm)),
            mean_face=draw.svg(_mean_face(judgement)),
            columns=COLUMNS,
            tables=_tables(judgement),
            sheets=_sheets(judgement),
            ordered_by="NME in %" if not np.isnan(judgement.face_nme).all() else "RMSE in pixels",
            recipe=recipe,
            version=nasion.__version__,
        )
    )


def short_row(name: str, scores: Scores) -> tuple[str, ...]:
    """The columns that fit into a terminal, in the order of ``SHORT``."""
    whole = dict(zip(COLUMNS, row(name, scores), strict=True))
    return tuple(whole[column] for column in SHORT)


def row(name: str, scores: Scores) -> tuple[str, ...]:
    """One line of a table of scores, in the order of ``COLUMNS``."""
    relative = (scores.nme, *(scores.percentiles[p] for p in (50, 90, 95, 99)), scores.fr, scores.auc)
    return (name, str(scores.faces), _shown(scores.rmse, 3), *(_shown(100 * value) for value in relative))


def _shown(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _tables(judgement: Judgement) -> list[tuple[str, list[tuple[str, ...]]]]:
    everything = [row("all", judgement.overall)]
    tables = [(f"By {group}", everything + [row(value, s) for value, s in parts.items()]) for group, parts in judgement.groups.items()]
    return [*(tables or [("All faces", everything)]), ("By point", [row(point, s) for point, s in judgement.points.items()])]


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


def _sheets(judgement: Judgement) -> list[tuple[str, str, str]]:
    """Best and worst faces, where their pictures are there."""
    faces, predicted = judgement.faces, judgement.predictions.points
    if any(isinstance(picture, Path) and not picture.is_file() for picture in faces.images[:1]):
        return []
    error = judgement.face_nme
    if np.isnan(error).all():
        square = (predicted.astype(np.float64) - faces.points) ** 2
        error = np.sqrt(np.where(np.isnan(square), 0, square).sum((1, 2)) / np.maximum((~np.isnan(square)).sum((1, 2)), 1))
    order = np.argsort(np.where(np.isfinite(error), error, -1))
    order = order[np.isfinite(error[order])]
    found = []
    for heading, chosen in (("Best faces", order[:_SHOWN].tolist()), ("Worst faces", order[::-1][:_SHOWN].tolist())):
        unit = 1.0 if np.isnan(judgement.face_nme).all() else 100.0
        marks = [
            draw.tile(faces, i, [(faces.points[i], draw.TRUTH), (predicted[i], draw.PREDICTION)], f"{faces.ids[i]}  {unit * error[i]:.1f}")
            for i in chosen
        ]
        if marks:
            found.append(
                (heading, base64.b64encode(draw.png(draw.sheet(marks))).decode(), f"{len(marks)} {heading.lower()} with labels and predictions")
            )
    return found
