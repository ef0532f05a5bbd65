"""Runs side by side: their numbers, the settings in which they differ, their curves in one plot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from nasion.errors import RunError, SettingError
from nasion.evaluation import html_rendering, plots
from nasion.evaluation.reported_metrics import METRICS
from nasion.inference import run_folder
from nasion.inference.checkpoint import kept_start
from nasion.media.counted import counted
from nasion.media.json_document import read_document

_EVALUATED = ("rmse", "nme", "mse_relative")  # metrics shown of a run's evaluation
COLUMNS = (
    "", "epochs", "best", "score", "loss", "val loss", "val loss, last", "parameters", "seconds",
    *(metric.heading for metric in METRICS if metric.key in _EVALUATED),
)  # fmt: skip
NOTES = (
    "best: the epoch with the best validation score, or start if none was better than the starting "
    "weights; score and val loss are of it, loss is of the last epoch. RMSE, NME and relative MSE: "
    "from nasion evaluate on the validation split, if it was run."
)


@dataclass(frozen=True)
class Comparison:
    """A row per run in the order of ``COLUMNS``; each setting that differs, by run.

    ``starts``: the scores of starting weights that no epoch was better than.
    """

    names: tuple[str, ...]
    rows: list[tuple[str, ...]]
    settings: list[tuple[str, ...]]
    histories: dict[str, list[dict[str, float]]]
    starts: dict[str, float]


def compare(folders: list[Path]) -> Comparison:
    """Read the runs. Raises ``RunError`` for a folder that is not a run or has no epoch yet."""
    if not folders:
        raise SettingError("Name one run folder or more.")
    names = _short_names(folders)
    settings = [run_folder.settings_of(folder) for folder in folders]
    histories, starts = {}, {}
    for name, folder in zip(names, folders, strict=True):
        histories[name] = run_folder.read_history(folder)
        start = kept_start(folder)
        if start is not None:
            starts[name] = start
        elif not histories[name]:
            raise RunError(f"{folder} has not finished an epoch, so there is nothing to compare.")
    differing = []
    for key in dict.fromkeys(key for values in settings for key in values):
        row = [values.get(key, "-") for values in settings]
        if len(set(row)) > 1:
            differing.append((key, *row))
    rows = []
    for name, folder, values in zip(names, folders, settings, strict=True):
        rows.append(_row(name, folder, histories[name], starts.get(name), values.get("keep")))
    return Comparison(names, rows, differing, histories, starts)


def page(comparison: Comparison) -> str:
    """The HTML page of a comparison."""
    return html_rendering.render(
        "comparison",
        title=f"{counted(len(comparison.names), 'run')} side by side",
        subtitle=", ".join(comparison.names),
        columns=COLUMNS,
        rows=comparison.rows,
        notes=NOTES,
        setting_columns=("", *comparison.names),
        settings=comparison.settings,
        history=plots.svg(plots.history_plot(comparison.histories, comparison.starts)),
    )


def _short_names(folders: list[Path]) -> tuple[str, ...]:
    """The folders' names; whole paths if two have the same name."""
    names = [folder.resolve().name for folder in folders]
    pairs = zip(folders, names, strict=True)
    return tuple(str(folder) if names.count(name) > 1 else name for folder, name in pairs)


def _row(
    name: str,
    folder: Path,
    history: list[dict[str, float]],
    start: float | None,
    keep: str | None,
) -> tuple[str, ...]:
    last = history[-1] if history else {}
    best = {} if start is not None else min(history, key=lambda row: row["val"])
    kept, score = "start" if start is not None else f"{best['epoch']:.0f}", best.get("val", start)
    if keep == "last" and last is not best and history:
        kept += f" ({last['epoch']:.0f} is kept)"
    losses = (last.get("loss"), best.get("val_loss"), last.get("val_loss"))
    parameters = "-"
    if (folder / run_folder.CHECKPOINT).is_file():
        parameters = f"{run_folder.count_parameters(folder):,}"
    return (
        name,
        str(len(history)),
        kept,
        f"{score:.4g}",
        *("-" if loss is None or math.isnan(loss) else f"{loss:.2e}" for loss in losses),
        parameters,
        f"{sum(row['seconds'] for row in history):.0f}",
        *_evaluated(folder),
    )


def _evaluated(folder: Path) -> list[str]:
    """The metrics of the run's evaluation on its validation split, if there is one."""
    path = folder / "evaluation-val" / "scores.json"
    if not path.is_file():
        return ["-"] * len(_EVALUATED)
    values = read_document(path, kind=RunError, remedy="delete it, or evaluate the run again.")
    shown = []
    for metric in METRICS:
        if metric.key in _EVALUATED:
            value = values.get(metric.key)
            # The file has relative numbers in per cent already.
            shown.append("-" if value is None else format(value.number(), metric.form))
    return shown
