"""Pictures of faces, points and errors, as arrays, matplotlib figures and PNG bytes. Colours can be told apart by everyone."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageDraw

from nasion import geometry
from nasion.confidence import Reliability
from nasion.errors import MissingExtra, SettingError
from nasion.faces import Faces, crop_boxes
from nasion.files import open_picture, written_beside
from nasion.scheme import Scheme

# Okabe and Ito's colours, which colour-blind people can tell apart.
TRUTH, PREDICTION = (0, 158, 115), (230, 159, 0)
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_TILE = 192


def tile(
    faces: Faces, at: int, marks: Sequence[tuple[Shaped[np.ndarray, "K 2"], tuple[int, int, int]]], caption: str = ""
) -> UInt8[np.ndarray, "H W 3"]:
    """One face cut to its box with points drawn; two sets of points are joined by lines where both are there."""
    picture = faces.images[at]
    image = open_picture(picture, colour=True) if isinstance(picture, Path) else np.asarray(picture)
    to_tile = geometry.box_to_frame(_square(crop_boxes(faces[at], 1.0 if faces.boxes is None else 1.3)[0]), (_TILE, _TILE))
    corners = geometry.apply(geometry.invert(to_tile), geometry.whole_picture(_TILE, _TILE).reshape(2, 2)) + 0.5
    whole = Image.fromarray(np.ascontiguousarray(image)).convert("RGB")
    canvas = whole.transform((_TILE, _TILE), Image.Transform.EXTENT, tuple(corners.reshape(-1)), Image.Resampling.BILINEAR)
    return marked(np.asarray(canvas), [(geometry.apply(to_tile, points), colour) for points, colour in marks], caption)


def _square(box: Shaped[np.ndarray, 4]) -> Shaped[np.ndarray, 4]:
    """The square with the box's middle and longer side, so that nothing is squeezed."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max() / 2
    return np.concatenate([middle - half, middle + half])


def marked(
    image: UInt8[np.ndarray, "H W 3"], marks: Sequence[tuple[Shaped[np.ndarray, "K 2"], tuple[int, int, int]]], caption: str = "", radius: float = 2.5
) -> UInt8[np.ndarray, "H W 3"]:
    """A picture with points, in its own pixels, drawn into it; two sets of points are joined by lines where both are there."""
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    # Pillow draws from pixel corners.
    placed = [(points + 0.5, colour) for points, colour in marks]
    if len(placed) == 2:
        for a, b in zip(placed[0][0], placed[1][0], strict=True):
            if not np.isnan([a, b]).any():
                pen.line([*a, *b], fill=(255, 255, 255), width=1)
    for points, colour in placed:
        for x, y in points[~np.isnan(points).any(-1)]:
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour, outline=(0, 0, 0) if radius >= 2 else None)
    if caption:
        width, height = canvas.size
        pen.rectangle([0, height - 13, width, height], fill=(0, 0, 0))
        pen.text((3, height - 13), caption, fill=(255, 255, 255))
    return np.asarray(canvas)


def sheet(tiles: Sequence[UInt8[np.ndarray, "H W 3"]], columns: int = 8) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Tiles of one size side by side, with a thin light gap."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    columns = min(columns, len(tiles))
    whole = np.full((rows * (height + 4) - 4, columns * (width + 4) - 4, 3), 255, dtype=np.uint8)
    for i, image in enumerate(tiles):
        y, x = (i // columns) * (height + 4), (i % columns) * (width + 4)
        whole[y : y + height, x : x + width] = image
    return whole


def contact_sheet(faces: Faces, count: int = 32, seed: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """Faces drawn at random, with their labels; as many of each source as there are sources."""
    if len(faces) == 0:
        raise SettingError("There are no faces to draw.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(faces))
    if "source" in faces.groups:
        column = faces.group("source")
        rank = {int(i): r for value in sorted(set(column)) for r, i in enumerate([j for j in order if column[j] == value])}
        order = np.array(sorted(order, key=lambda i: rank[int(i)]))
    chosen = sorted(order[:count].tolist())
    return sheet([tile(faces, i, [(faces.points[i], TRUTH)], faces.ids[i]) for i in chosen])


def png(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def history_figure(histories: dict[str, list[dict[str, float]]]) -> Any:
    """Losses and validation score by epoch of one run or several; the best epoch and changes of phase marked."""
    figure, (left, right) = _figure(2, 9.5)
    for (name, history), colour in zip(histories.items(), itertools.cycle(LINES), strict=False):
        epochs = [row["epoch"] for row in history]
        several = f"{name}, " if len(histories) > 1 else ""
        left.plot(epochs, [row["loss"] for row in history], "-", color=colour, label=f"{several}training")
        if all("val_loss" in row for row in history):
            left.plot(epochs, [row["val_loss"] for row in history], "--", color=colour, label=f"{several}validation")
        scores = [row["val"] for row in history]
        right.plot(epochs, scores, "-", color=colour, label=name)
        best = int(np.argmin(scores))
        right.plot(epochs[best], scores[best], "*", color=colour, markersize=11)
        for axes, (epoch, phase) in itertools.product((left, right), _phases(history)):
            axes.axvline(epoch - 0.5, color="0.5" if len(histories) == 1 else colour, linestyle=":", linewidth=1.2)
            if len(histories) == 1:
                axes.annotate(f" phase {phase}", (epoch - 0.5, 1), xycoords=("data", "axes fraction"), va="bottom", ha="center", fontsize=8)
        if len(histories) == 1:
            right.annotate(f"{scores[best]:.3g}", (epochs[best], scores[best]), textcoords="offset points", xytext=(0, 9), ha="center", fontsize=8)
    # Likelihoods fall below 0.
    lowest = min((row[name] for history in histories.values() for row in history for name in ("loss", "val_loss") if name in row), default=1.0)
    left.set(xlabel="epoch", yscale="log" if lowest > 0 else "linear")
    right.set(xlabel="epoch", yscale="log" if _spread(histories) > 20 else "linear")
    dotted = ", dotted: next phase" if len(histories) > 1 and any(_phases(history) for history in histories.values()) else ""
    left.set_title("Loss", pad=14)
    right.set_title(f"Validation score (star: best{dotted})", pad=14)
    opaque = {"framealpha": 0.9, "edgecolor": "none", "fontsize": 8}  # lines may run behind it
    left.legend(**opaque)
    if len(histories) > 1:
        right.legend(**opaque)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _phases(history: list[dict[str, float]]) -> list[tuple[float, int]]:
    """(first epoch, number) of each phase of training after the first."""
    phases = [row.get("phase", 1) for row in history]
    return [(row["epoch"], int(now)) for row, before, now in zip(history[1:], phases, phases[1:], strict=False) if now != before]


def _spread(histories: dict[str, list[dict[str, float]]]) -> float:
    """How many times larger the largest score is than the smallest."""
    scores = [row["val"] for history in histories.values() for row in history]
    return max(scores, default=1) / max(min(scores, default=1), 1e-12)


def cumulative_figure(curves: dict[str, tuple[np.ndarray, np.ndarray]], threshold: float, norm: str) -> Any:
    """Cumulative error curves up to twice the threshold, in per cent of the norm."""
    figure, axes = _figure(1, 5.2)
    for (name, (errors, share)), colour in zip(curves.items(), LINES, strict=False):
        axes.step(np.concatenate([[0], 100 * errors, [1e9]]), np.concatenate([[0], share, share[-1:]]), where="post", color=colour, label=name)
    axes.axvline(100 * threshold, color="0.5", linestyle=":", label=f"threshold {100 * threshold:g} %")
    axes.set(
        title="Cumulative error curve",
        xlabel=f"face's NME, % of {norm.replace('_', ' ')}",
        ylabel="fraction of faces",
        xlim=(0, 200 * threshold),
        ylim=(0, 1.02),
    )
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return figure


def reliability_figure(found: Reliability, within: str) -> Any:
    """The part of the points that were near, by their score; and the errors found, by those expected. Both should lie on the line."""
    figure, (left, right) = _figure(2, 8.4)
    bins = found.bins
    most = max(part.points for part in bins)
    pairs = ((left, "score", "within", (0.0, 1.0)), (right, "expected", "error", (0.0, 1.08 * max(max(p.expected, p.error) for p in bins))))
    for axes, x, y, limits in pairs:
        axes.plot(limits, limits, color="0.6", linestyle=":", label="as promised")
        places = [getattr(part, x) for part in bins], [getattr(part, y) for part in bins]
        axes.plot(*places, color="#0072B2", linewidth=1)
        axes.scatter(*places, s=[25 + 175 * part.points / most for part in bins], color="#0072B2", label="points, the larger the more")
        axes.set(xlim=limits, ylim=limits)
        axes.legend(frameon=False, loc="upper left", fontsize=8)
    left.set(title="Scores", xlabel="mean score", ylabel=f"part of the points within {within}")
    right.set(title="Errors", xlabel="expected error, pixels", ylabel="mean error found, pixels")
    return figure


def mean_face_figure(scheme: Scheme, mean: Shaped[np.ndarray, "K 2"], values: Sequence[float], unit: str) -> Any:
    """Each point of the mean face as a disc as large and dark as its error, with its number."""
    figure, axes = _figure(1, 5.2)
    known = ~np.isnan(mean).any(-1) & np.isfinite(values)
    for a, b in scheme.edge_index:
        axes.plot(*mean[[a, b]].T, color="0.8", linewidth=1, zorder=1)
    dots = axes.scatter(
        *mean[known].T,
        s=30 + 250 * np.asarray(values)[known] / max(np.nanmax(values), 1e-12),
        c=np.asarray(values)[known],
        cmap="viridis_r",
        zorder=2,
        edgecolors="black",
        linewidths=0.5,
    )
    if len(scheme) <= 30:
        for i in np.flatnonzero(known).tolist():
            axes.annotate(f"{values[i]:.2g}", mean[i], textcoords="offset points", xytext=(0, 10), ha="center", fontsize=7.5)
    axes.set(title=f"Error per point ({unit})", xticks=[], yticks=[])
    axes.margins(0.12)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    figure.colorbar(dots, ax=axes, shrink=0.75)
    return figure


def grid_figure(panels: Sequence[tuple[str, Shaped[np.ndarray, ...]]], title: str, columns: int = 8) -> Any:
    """Labelled maps in a grid, all on one scale about zero; pictures (uint8) among them are shown as they are."""
    columns = min(columns if len(panels) <= 33 else 2 * columns, len(panels))
    rows = -(-len(panels) // columns)
    height, width = panels[0][1].shape[:2]
    figure = _empty_figure(1.25 * columns + 0.9, (1.25 * height / width + 0.25) * rows + 0.5)
    axes = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
    limit = max((float(np.abs(map_).max()) for _, map_ in panels if map_.dtype != np.uint8), default=1.0) or 1.0
    shown = None
    for ax in axes:
        ax.set_axis_off()
    for ax, (label, map_) in zip(axes, panels, strict=False):
        if map_.dtype == np.uint8:
            ax.imshow(map_, cmap="gray", vmin=0, vmax=255)
        elif map_.ndim == 3:
            ax.imshow(0.5 + map_ / (2 * limit))
        else:
            shown = ax.imshow(map_, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set_title(label, fontsize=8, pad=2)
    figure.suptitle(title, fontsize=10)
    if shown is not None:
        figure.colorbar(shown, ax=axes.tolist(), shrink=0.8)
    return figure


def svg(figure: Any) -> str:
    """A figure as an inline SVG element."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def save(picture: Any, path: Path) -> None:
    """A picture's pixels, or a figure, as a PNG file."""
    with written_beside(path) as beside:
        if isinstance(picture, np.ndarray):
            beside.write_bytes(png(picture))
        else:
            picture.savefig(beside, format="png", dpi=130)


def _figure(panels: int, width: float) -> tuple[Any, Any]:
    figure = _empty_figure(width, 4)
    axes = figure.subplots(1, panels)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _empty_figure(width: float, height: float) -> Any:
    # The object interface: pyplot would keep every figure and want a display.
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("A plot", error, "report") from error
    return Figure(figsize=(width, height), layout="constrained")
