"""An evaluation as files: scores.json, predictions.csv and report.html, a self-contained page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float
from nasion.data.datasets import points_csv
from nasion.evaluation import face_tiles, html_rendering, left_out, plots
from nasion.evaluation.evaluate import THRESHOLDS, EvaluationResult
from nasion.evaluation.floor import with_floor_column, with_floor_row
from nasion.evaluation.reliability import Reliability
from nasion.evaluation.reported_metrics import METRICS, headings, table_row
from nasion.inference.calibration import TOLERANCE
from nasion.landmarks import geometry, metrics
from nasion.media.counted import counted
from nasion.media.files import write_text

ERROR_COLUMNS = ("face", "NME %", "worst point, px", "which")
_MAX_SHOWN = 16
_CURVE_GROUPS = ("source", "subset")  # whose values have curves of their own


@dataclass(frozen=True)
class Table:
    """A table of a page."""

    heading: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class FaceSheet:
    """Drawn faces with labels and predictions."""

    heading: str
    note: str
    tiles: list[np.ndarray]


@dataclass(frozen=True)
class RunDetails:
    """What a report of a run shows beside the errors: history, settings, and figures.

    ``start``: the score of the starting weights, if no epoch was better.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    settings: str = ""
    figures: tuple[html_rendering.Figure, ...] = ()
    start: float | None = None


def write(
    result: EvaluationResult, folder: Path, *, title: str, run: RunDetails | None = None
) -> Path:
    """Write all three files into a folder; returns the page's path.

    Raises ``MissingExtra`` without the ``report`` extra.
    """
    write_text(folder / "scores.json", json.dumps(result.to_json(), indent=1))
    points_csv.write(result.predictions, folder / "predictions.csv")
    write_text(folder / "report.html", page(result, title=title, run=run or RunDetails()))
    return folder / "report.html"


def page(result: EvaluationResult, *, title: str, run: RunDetails) -> str:
    """The HTML page."""
    known, faces = result.reliability, result.faces
    curves = plots.cumulative_plot(_curves(result), result.threshold, result.norm)
    tolerance = f"{100 * TOLERANCE:g} % of the face's size"
    return html_rendering.render(
        "evaluation",
        title=title,
        subtitle=f"{counted(len(faces), 'face')} of scheme {faces.scheme.name}; "
        f"relative errors in % of {result.norm}.",
        tiles=_tiles(result),
        warning=result.warning,
        left_out=_left_out(result),
        history=_history(run) if run.history else "",
        cumulative=plots.svg(curves),
        reliability=plots.svg(plots.reliability_plot(known, tolerance)) if known else "",
        reliability_note=_reliability_note(result) if known else "",
        mean_face=plots.svg(_mean_face(result)),
        tables=tables(result),
        sheets=[
            html_rendering.image_figure(each.heading, face_tiles.sheet(each.tiles), each.note)
            for each in best_and_worst(result)
        ],
        figures=run.figures,
        ordered_by="RMSE in pixels" if np.isnan(result.face_nme).all() else "NME in %",
        settings=run.settings,
    )


def _history(run: RunDetails) -> str:
    starts = {} if run.start is None else {"run": run.start}
    return plots.svg(plots.history_plot({"run": run.history}, starts))


def _tiles(result: EvaluationResult) -> list[tuple[str, str, str]]:
    """(name, value, note) of the numbers at the top of the page."""
    overall, threshold = result.overall, f"{100 * result.threshold:g} %"
    shown = {m.key: m.shown(overall.metrics[m.key]) for m in METRICS}
    return [
        (
            "RMSE, all coordinates pooled",
            f"{shown['rmse']} px",
            f"{overall.coordinates} values of {counted(overall.rmse_faces, 'face')}",
        ),
        ("NME", f"{shown['nme']} %", f"mean of {counted(overall.faces, 'face')}"),
        ("Failures", f"{shown['fr']} %", f"faces above {threshold}"),
        ("AUC", f"{shown['auc']} %", f"up to {threshold}"),
        (
            "MSE of relative coordinates",
            shown["mse_relative"],
            "x / width, y / height of the image",
        ),
        *_floor_tile(result),
        *_suspects_tile(result),
    ]


def _floor_tile(result: EvaluationResult) -> list[tuple[str, str, str]]:
    floor = result.floor
    if floor is None:
        return []
    (nme,) = (metric for metric in METRICS if metric.key == "nme")
    value = f"{nme.shown(floor.overall.nme)} % NME"
    return [("Annotators differ by", value, f"{' and '.join(floor.people)}, in the same norm")]


def _suspects_tile(result: EvaluationResult) -> list[tuple[str, str, str]]:
    rest = result.without_suspects
    if rest is None:
        return []
    metrics = {metric.key: metric for metric in METRICS}
    value = f"{metrics['nme'].shown(rest.scores.nme)} % NME"
    if np.isnan(rest.scores.nme):
        value = f"{metrics['rmse'].shown(rest.scores.rmse)} px RMSE"
    return [("Without suspect labels", value, f"{rest.sentence()}.")]


def _left_out(result: EvaluationResult) -> list[tuple[str, int, str]]:
    rows = []
    for reason, ids in result.left_out.items():
        names = ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")
        rows.append((f"{reason}{left_out.remedy(reason, result)}", len(ids), names))
    return rows


def _reliability_note(result: EvaluationResult) -> str:
    parts = {"": result.reliability, **result.reliability_by_occlusion}
    return " ".join(
        f"{f'Of {name} points' if name else 'Overall'}, scores are off by {100 * known.gap:.1f} % "
        f"on average; mean expected error {known.expected:.2f} pixels, measured "
        f"{known.error:.2f}; rank correlation of the two, point by point: {known.ranking:.2f}."
        for name, known in parts.items()
        if known
    )


def tables(result: EvaluationResult) -> list[Table]:
    """The tables of a report."""
    columns = headings()
    everything = with_floor_row([table_row("all", result.overall)], result.floor)
    found: list[Table] = []
    if len(result.norms) > 1:
        rows = []
        for name, scores in result.norms.items():
            threshold = f"at {100 * THRESHOLDS[name]:g} %"
            rows.append(table_row(f"{name.replace('_', ' ')} ({threshold})", scores))
        found.append(Table("By norm, with its usual threshold", columns, rows))
    for group, parts in result.groups.items():
        rows = [table_row(value, scores) for value, scores in parts.items()]
        found.append(Table(f"By {group}", columns, everything + rows))
    if not found:
        found.append(Table("All faces", columns, everything))
    points = [table_row(name, s) for name, s in result.points.items() if s.coordinates]
    found.append(Table("By point", *with_floor_column(columns, points, result.floor)))
    if result.reliability:
        found.append(_reliability_table(result.reliability))
    worst = largest_errors(result, _MAX_SHOWN)
    return [*found, Table("Largest errors", ERROR_COLUMNS, worst)]


def _reliability_table(known: Reliability) -> Table:
    columns = ("score", "points", "mean score", "fraction within", "expected px", "measured px")
    rows = []
    for b in known.bins:
        scores = (f"{b.score:.3f}", f"{b.within:.3f}")
        errors = (f"{b.expected:.2f}", f"{b.error:.2f}")
        rows.append((f"{b.low:g} to {b.high:g}", str(b.points), *scores, *errors))
    return Table("By score", columns, rows)


def largest_errors(result: EvaluationResult, count: int) -> list[tuple[str, ...]]:
    """The faces with the largest errors, in the order of ``ERROR_COLUMNS``.

    Faces without a norm are ordered by their RMSE.
    """
    errors = _face_errors(result)
    # Largest first, infinite ones before all; NaN gets any place and is dropped.
    order = np.argsort(np.where(np.isnan(errors), -1, -errors))
    order = [i for i in order if not np.isnan(errors[i])][:count]
    distances = metrics.distances(result.faces.points, result.predictions.points)
    rows = []
    for i in order:
        # The worst of the points that are predicted.
        finite = np.where(np.isfinite(distances[i]), distances[i], -1)
        worst = int(np.argmax(finite))
        nme = float(result.face_nme[i])
        shown = f"{100 * nme:.2f}" if np.isfinite(nme) else "-"
        point = result.faces.scheme.points[worst]
        rows.append((result.faces.ids[i], shown, f"{finite[worst]:.1f}", point))
    return rows


def best_and_worst(result: EvaluationResult, count: int = _MAX_SHOWN) -> list[FaceSheet]:
    """The best and the worst faces, of those whose images exist; of few, at most half are best."""
    faces, predicted = result.faces, result.predictions.points
    exists = [not isinstance(image, Path) or image.is_file() for image in faces.images]
    errors = np.where(np.array(exists, dtype=bool), _face_errors(result), np.nan)
    # Captions are pixels (RMSE) or per cent (NME), as _face_errors chose.
    unit = 1.0 if np.isnan(result.face_nme).all() else 100.0
    # Faces without a finite error get any place and are dropped.
    order = np.argsort(np.where(np.isfinite(errors), errors, -1))
    order = order[np.isfinite(errors[order])]
    # Of few faces none is both.
    count = min(count, max(len(order) // 2, 1))
    sheets = []
    for heading, chosen in (("Best faces", order[:count]), ("Worst faces", order[::-1][:count])):
        tiles = []
        for i in chosen.tolist():
            marks = [(faces.points[i], face_tiles.TRUTH), (predicted[i], face_tiles.PREDICTION)]
            tiles.append(
                face_tiles.tile(faces, i, marks, f"{faces.ids[i]}  {unit * errors[i]:.1f}")
            )
        if tiles:
            note = f"{counted(len(tiles), 'face')} with labels and predictions"
            sheets.append(FaceSheet(heading, note, tiles))
    return sheets


def _curves(result: EvaluationResult) -> dict[str, plots.Curve]:
    curves = {"all": metrics.cumulative_errors(result.face_nme)}
    for group in _CURVE_GROUPS:
        for value in result.groups.get(group, {}):
            inside = result.faces.group(group) == value
            curves[value] = metrics.cumulative_errors(result.face_nme[inside])
    return {name: curve for name, curve in curves.items() if len(curve[0])}


def _mean_face(result: EvaluationResult) -> Any:
    """Errors on the mean of the labelled faces, each scaled to its points' box first."""
    faces = result.faces
    boxes = geometry.points_box(faces.points)
    usable = (boxes[:, 2:] - boxes[:, :2] > 0).all(axis=1)
    # Faces with more labels have larger boxes: the mean is over the most complete ones.
    usable &= faces.labelled.sum(1) >= faces.labelled[usable].sum(1).max(initial=0)
    boxes = boxes[usable]
    # Boxes are squeezed into squares; the mean box's aspect is put back at the end.
    framed = geometry.apply(geometry.box_to_frame(boxes, (100, 100)), faces.points[usable])
    labelled = ~np.isnan(framed)
    total, count = np.where(labelled, framed, 0).sum(0), labelled.sum(0)
    mean = np.divide(total, count, out=np.full(framed.shape[1:], np.nan), where=labelled.any(0))
    aspect = 1.0
    if usable.any():
        aspect = np.mean((boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0]))
    errors = [scores.rmse for scores in result.points.values()]
    return plots.mean_face_plot(faces.scheme, mean * [1.0, aspect], errors, "RMSE in pixels")


def _face_errors(result: EvaluationResult) -> Float[np.ndarray, " N"]:
    """Each face's NME; if none has one, its RMSE in pixels. NaN if nothing was counted."""
    if not np.isnan(result.face_nme).all():
        return result.face_nme
    squared = (result.predictions.points.astype(np.float64) - result.faces.points) ** 2
    count = (~np.isnan(squared)).sum((1, 2))
    total, empty = np.nansum(squared, axis=(1, 2)), np.full(len(squared), np.nan)
    return np.sqrt(np.divide(total, count, out=empty, where=count > 0))
