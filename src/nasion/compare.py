"""Runs side by side: their numbers, the settings in which they differ, their curves in one plot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nasion import draw, run
from nasion.errors import RunError, SettingError
from nasion.page import rendered
from nasion.report import scientific

COLUMNS = ("", "epochs", "best", "score", "loss", "val loss", "val loss, last", "params", "s", "RMSE px", "NME %", "MSE rel.")
NOTES = (
    "best: epoch with the best validation score, whose weights are kept; score and val loss are of that epoch, loss is of the last. "
    "RMSE, NME and MSE of relative coordinates: from nasion evaluate on the validation side, where it was run."
)


@dataclass(frozen=True)
class Compared:
    """A row per run in the order of ``COLUMNS``, and per setting in which they differ its value in each run."""

    names: tuple[str, ...]
    rows: list[tuple[str, ...]]
    settings: list[tuple[str, ...]]
    histories: dict[str, list[dict[str, float]]]


def compare(folders: list[Path]) -> Compared:
    """Read the runs. Raises ``RunError`` for a folder that is no run or has not finished an epoch."""
    if not folders:
        raise SettingError("Name one run folder or more.")
    names = _short_names(folders)
    histories = {name: run.history(folder) for name, folder in zip(names, folders, strict=True)}
    settings = [run.settings_of(folder) for folder in folders]
    unfinished = [str(folder) for name, folder in zip(names, folders, strict=True) if not histories[name]]
    if unfinished:
        raise RunError(f"{unfinished[0]} has not finished an epoch yet, so there is nothing to compare.")
    keys = dict.fromkeys(key for values in settings for key in values)
    differing = [key for key in keys if len({values.get(key, "-") for values in settings}) > 1]
    return Compared(
        names=names,
        rows=[_row(name, folder, histories[name]) for name, folder in zip(names, folders, strict=True)],
        settings=[(key, *[values.get(key, "-") for values in settings]) for key in differing],
        histories=histories,
    )


def page(compared: Compared) -> str:
    """The HTML page of a comparison."""
    return rendered(
        "comparison",
        title=f"{len(compared.names)} runs side by side",
        subtitle=", ".join(compared.names),
        columns=COLUMNS,
        rows=compared.rows,
        notes=NOTES,
        setting_columns=("", *compared.names),
        settings=compared.settings,
        history=draw.svg(draw.history_figure(compared.histories)),
    )


def _short_names(folders: list[Path]) -> tuple[str, ...]:
    """The folders' names; with their parents' where two are named alike."""
    names = [folder.resolve().name for folder in folders]
    return tuple(str(folder) if names.count(name) > 1 else name for folder, name in zip(folders, names, strict=True))


def _row(name: str, folder: Path, history: list[dict[str, float]]) -> tuple[str, ...]:
    best = min(history, key=lambda row: row["val"])
    parameters = f"{run.parameters(folder):,}" if (folder / run.CHECKPOINT).is_file() else "-"
    seconds = sum(row["seconds"] for row in history)
    losses = (scientific(history[-1]["loss"]), scientific(best.get("val_loss", float("nan"))), scientific(history[-1].get("val_loss", float("nan"))))
    return (name, str(len(history)), f"{best['epoch']:.0f}", f"{best['val']:.4g}", *losses, parameters, f"{seconds:.0f}", *_judged(folder))


def _judged(folder: Path) -> tuple[str, str, str]:
    """RMSE, NME and relative MSE of the run's evaluation on its validation side, where there is one."""
    try:
        scores = json.loads((folder / "evaluation-val" / "scores.json").read_text(encoding="utf-8"))
        shown = (scores["rmse"], "{:.3f}"), (scores["nme"], "{:.2f}"), (scores["mse_relative"], "{:.2e}")
        return tuple(form.format(value) if value is not None else "-" for value, form in shown)  # pyright: ignore
    except (OSError, ValueError, KeyError):
        return ("-", "-", "-")
