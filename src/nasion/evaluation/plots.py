"""Matplotlib plots of training, errors, scores and what a network computes.

In colours that colour-blind people can tell apart (Okabe and Ito's).
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Float, Shaped
from nasion.errors import MissingExtra
from nasion.evaluation import face_tiles
from nasion.evaluation.reliability import Reliability
from nasion.landmarks.scheme import Scheme
from nasion.media.files import atomic_write

Curve = tuple[np.ndarray, np.ndarray]
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_LABELLED_POINTS = 30  # schemes with more points have no numbers in the plot of the mean face


def history_plot(
    histories: Mapping[str, list[dict[str, float]]], starts: Mapping[str, float] | None = None
) -> Any:
    """Losses and validation score by epoch of one run or several.

    The best epoch is a star; changes of phase are dotted lines. ``starts``: scores of starting
    weights that no epoch was better than, which have the star at epoch 0.
    """
    figure, (left, right) = _figure(2, 9.5)
    alone = len(histories) == 1
    colours = itertools.cycle(LINES)
    for (name, history), colour in zip(histories.items(), colours, strict=False):
        epochs, scores = [row["epoch"] for row in history], [row["val"] for row in history]
        prefix = "" if alone else f"{name}, "
        losses = [row["loss"] for row in history]
        left.plot(epochs, losses, "-", color=colour, label=f"{prefix}training")
        if all("val_loss" in row for row in history):
            losses = [row["val_loss"] for row in history]
            left.plot(epochs, losses, "--", color=colour, label=f"{prefix}validation")
        right.plot(epochs, scores, "-", color=colour, label=name)
        best = min(zip(scores, epochs, strict=True), default=(math.nan, 0))
        score, epoch = (starts[name], 0) if starts and name in starts else best
        right.plot(epoch, score, "*", color=colour, markersize=11)
        if alone:
            _annotate_above(right, f"{score:.3g}", (epoch, score))
        for axes, (epoch, phase) in itertools.product((left, right), _phases(history)):
            line = {"color": "0.5" if alone else colour, "linestyle": ":", "linewidth": 1.2}
            axes.axvline(epoch - 0.5, **line)
            if alone:
                top = {"xycoords": ("data", "axes fraction"), "va": "bottom", "ha": "center"}
                axes.annotate(f" phase {phase}", (epoch - 0.5, 1), fontsize=8, **top)
    rows = [row for history in histories.values() for row in history]
    # Likelihoods fall below 0, where a logarithm has no place.
    names = ("loss", "val_loss")
    lowest = min((row[name] for row in rows for name in names if name in row), default=1.0)
    left.set(xlabel="epoch", yscale="log" if lowest > 0 else "linear")
    # On a linear axis a first score twenty times the last would flatten the rest of the curve.
    right.set(xlabel="epoch", yscale="log" if _score_range(rows) > 20 else "linear")
    has_phases = any(_phases(history) for history in histories.values())
    dotted = ", dotted: next phase" if has_phases and not alone else ""
    left.set_title("Loss", pad=14)
    right.set_title(f"Validation score (star: best{dotted})", pad=14)
    opaque = {"framealpha": 0.9, "edgecolor": "none", "fontsize": 8}  # lines may run behind it
    left.legend(**opaque)
    if not alone:
        right.legend(**opaque)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _annotate_above(axes: Any, text: str, at: Sequence[float] | Float[np.ndarray, 2]) -> None:
    axes.annotate(text, at, textcoords="offset points", xytext=(0, 9), ha="center", fontsize=8)


def _phases(history: list[dict[str, float]]) -> list[tuple[float, int]]:
    """(first epoch, number) of each phase of training after the first."""
    found = []
    for before, row in itertools.pairwise(history):
        phase = row.get("phase", 1)
        if phase != before.get("phase", 1):
            found.append((row["epoch"], int(phase)))
    return found


def _score_range(rows: list[dict[str, float]]) -> float:
    """How many times larger the largest score is than the smallest."""
    scores = [row["val"] for row in rows]
    return max(scores, default=1) / max(min(scores, default=1), 1e-12)


def cumulative_plot(curves: dict[str, Curve], threshold: float, norm: str) -> Any:
    """Cumulative error distributions up to twice the threshold, in per cent of the norm."""
    figure, axes = _figure(1, 5.2)
    for (name, (errors, fraction)), colour in zip(curves.items(), LINES, strict=False):
        # From the origin, and on beyond the last error to the plot's right edge.
        x = np.concatenate([[0], 100 * errors, [1e9]])
        y = np.concatenate([[0], fraction, fraction[-1:]])
        axes.step(x, y, where="post", color=colour, label=name)
    label = f"threshold {100 * threshold:g} %"
    axes.axvline(100 * threshold, color="0.5", linestyle=":", label=label)
    axes.set(
        title="Cumulative error distribution",
        xlabel=f"face's NME, % of {norm.replace('_', ' ')}",
        ylabel="fraction of faces",
        xlim=(0, 200 * threshold),
        ylim=(0, 1.02),
    )
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return figure


def reliability_plot(reliability: Reliability, within: str) -> Any:
    """The fraction of points within tolerance by score, and measured by expected errors.

    Both should lie on the diagonal.
    """
    figure, (left, right) = _figure(2, 8.4)
    bins = reliability.bins
    most = max(part.points for part in bins)
    largest = 1.08 * max(max(part.expected, part.error) for part in bins)
    panels = (
        (left, "score", "within", (0.0, 1.0)),
        (right, "expected", "error", (0.0, largest)),
    )
    for axes, x, y, limits in panels:
        axes.plot(limits, limits, color="0.6", linestyle=":", label="perfectly calibrated")
        xs, ys = ([getattr(part, name) for part in bins] for name in (x, y))
        axes.plot(xs, ys, color="#0072B2", linewidth=1)
        sizes = [25 + 175 * part.points / most for part in bins]
        axes.scatter(xs, ys, s=sizes, color="#0072B2", label="points; larger: more of them")
        axes.set(xlim=limits, ylim=limits)
        axes.legend(frameon=False, loc="upper left", fontsize=8)
    left.set(title="Scores", xlabel="mean score", ylabel=f"fraction of points within {within}")
    right.set(title="Errors", xlabel="expected error, pixels", ylabel="mean error, pixels")
    return figure


def mean_face_plot(
    scheme: Scheme, mean: Shaped[np.ndarray, "K 2"], values: Sequence[float], unit: str
) -> Any:
    """Each point of the mean face as a disc, larger and darker with its error."""
    figure, axes = _figure(1, 5.2)
    errors = np.asarray(values)
    known = ~np.isnan(mean).any(-1) & np.isfinite(errors)
    for a, b in scheme.edge_index:
        axes.plot(*mean[[a, b]].T, color="0.8", linewidth=1, zorder=1)
    discs = axes.scatter(
        *mean[known].T,
        s=30 + 250 * errors[known] / max(np.nanmax(errors), 1e-12),
        c=errors[known],
        cmap="viridis_r",
        zorder=2,
        edgecolors="black",
        linewidths=0.5,
    )
    if len(scheme) <= _LABELLED_POINTS:
        for i in np.flatnonzero(known).tolist():
            _annotate_above(axes, f"{errors[i]:.2g}", mean[i])
    axes.set(title=f"Error per point ({unit})", xticks=[], yticks=[])
    axes.margins(0.12)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    figure.colorbar(discs, ax=axes, shrink=0.75)
    return figure


def grid_plot(
    panels: Sequence[tuple[str, Shaped[np.ndarray, ...]]], title: str, columns: int = 8
) -> Any:
    """Labelled maps in a grid, all on one scale around zero; uint8 images as they are."""
    columns = min(columns if len(panels) <= 33 else 2 * columns, len(panels))
    rows = -(-len(panels) // columns)
    height, width = panels[0][1].shape[:2]
    figure = _empty_figure(1.25 * columns + 0.9, (1.25 * height / width + 0.25) * rows + 0.5)
    axes = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
    maps = [map_ for _, map_ in panels if map_.dtype != np.uint8]
    # One scale for all panels, so that they can be compared; 1 if all are zero.
    limit = max((float(np.abs(map_).max()) for map_ in maps), default=1.0) or 1.0
    shown = None
    for ax in axes:
        ax.set_axis_off()
    for ax, (label, map_) in zip(axes, panels, strict=False):
        if map_.dtype == np.uint8:
            ax.imshow(map_, cmap="gray", vmin=0, vmax=255)
        elif map_.ndim == 3:
            # Filters of three colours as a colour image, with 0 as middle grey.
            ax.imshow(0.5 + map_ / (2 * limit))
        else:
            scale = {"vmin": -limit, "vmax": limit}
            shown = ax.imshow(map_, cmap="PuOr_r", interpolation="nearest", **scale)
        ax.set_title(label, fontsize=8, pad=2)
    figure.suptitle(title, fontsize=10)
    if shown is not None:
        figure.colorbar(shown, ax=axes.tolist(), shrink=0.8)
    return figure


def svg(figure: Any) -> str:
    """A plot as an inline SVG element."""
    buffer = io.StringIO()
    # Without the date, so that equal plots are equal files.
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    # An XML declaration has no place within a page.
    return text[text.index("<svg") :]


def save(image: Any, path: Path) -> None:
    """Pixels, or a plot, as a PNG file."""
    with atomic_write(path) as temporary:
        if isinstance(image, np.ndarray):
            temporary.write_bytes(face_tiles.png(image))
        else:
            image.savefig(temporary, format="png", dpi=130)


def _figure(panels: int, width: float) -> tuple[Any, Any]:
    figure = _empty_figure(width, 4)
    axes = figure.subplots(1, panels)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _empty_figure(width: float, height: float) -> Any:
    # The object interface: pyplot would keep every figure and need a display.
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("A plot", error, "report") from error
    return Figure(figsize=(width, height), layout="constrained")
