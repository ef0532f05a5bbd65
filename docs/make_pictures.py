"""Draws the documentation's figures.

Usage: nasion demo && python docs/make_pictures.py demo demo      docs/images/demo.png: faces that
       the demo's network had not seen
       python docs/make_pictures.py claims                        docs/images/claims.png: from
              results/*.json
       python docs/make_pictures.py labelling                     docs/images/labelling.png: from
              results/annotate.json
       python docs/make_pictures.py filters RUN docs/images/NAME.png     a run's first layer
"""

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import nasion
from nasion.evaluation import face_tiles, inspect_network, plots

HERE = Path(__file__).parent
PARTS = (
    "plain",
    "average",
    "dropout",
    "sigmoid",
    "average + dropout",
    "average + sigmoid",
    "dropout + sigmoid",
    "average + dropout + sigmoid",
)
VIEWS = ("frontal", "smiling", "lit from one side", "any", "turned right", "turned left")


def demo(folder):
    faces = nasion.load_faces("toy", "toy:2000", "val")[np.arange(0, 64, 4)]
    found = nasion.load_model(folder).predict(faces)
    marks = [
        face_tiles.tile(
            faces,
            i,
            [(faces.points[i], face_tiles.TRUTH), (found.points[i], face_tiles.PREDICTION)],
        )
        for i in range(len(faces))
    ]
    plots.save(face_tiles.sheet(marks), HERE / "images" / "demo.png")


def runs(recipe):
    return json.loads((HERE.parent / "results" / f"{recipe}.json").read_text())["runs"]


def dots(axes, rows, title):
    """A dot per seed, a line at the mean, one row per variant; losses after the last epoch."""
    for place, (_, seeds) in enumerate(rows):
        values = [1000 * found["val_loss_last"] for found in seeds.values()]
        axes.plot(
            values, [place] * len(values), "o", color=plots.LINES[0], alpha=0.55, markersize=5
        )
        axes.plot(
            [np.mean(values)] * 2,
            [place - 0.3, place + 0.3],
            "-",
            color=plots.LINES[1],
            linewidth=2.5,
        )
    axes.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=8.5)
    axes.set(xlabel="validation MSE of relative coordinates, thousandths")
    axes.set_title(title, fontsize=10)
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def claims():
    nose, face, second = (
        runs("imm_nose_khwaja"),
        runs("imm_face_khwaja"),
        runs("imm_face_khwaja_v2"),
    )
    figure = Figure(figsize=(12.5, 7.2), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    dots(a, [(name, nose[name]) for name in PARTS], "Nose, 25 epochs: which part helps")
    dots(
        b,
        [(name, face[f"{name}, epochs=25"]) for name in PARTS],
        "58 points, 25 epochs: which part helps",
    )
    kinds = {
        "none": "no augmentation",
        "light only": "light only",
        "geometry only": "geometry only",
        "both": "recipe",
    }
    dots(
        c,
        [(label, second[f"{kind}, epochs=25"]) for label, kind in kinds.items()],
        "58 points with all three parts, 25 epochs: augmentation",
    )
    names = (
        "imm_nose_khwaja",
        "imm_nose_khwaja_v2",
        "imm_nose_guduguntla",
        "imm_face_khwaja",
        "imm_face_khwaja_v2",
        "imm_face_guduguntla",
    )
    views(d, names)
    plots.save(figure, HERE / "images" / "claims.png")


def views(axes, names):
    """Error by view, relative to the recipe's own mean over all views."""
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        seeds = runs(name)["recipe"].values()
        means = np.array(
            [np.mean([found[f"mse_relative, {view}"] for found in seeds]) for view in VIEWS]
        )
        axes.bar(
            np.arange(len(VIEWS)) + (k - (len(names) - 1) / 2) * width,
            means / means.mean(),
            width,
            color=plots.LINES[k],
            label=name,
        )
    axes.axhline(1, color="0.4", linewidth=0.8)
    axes.set(ylabel="times the mean", ylim=(0, 3))
    axes.set_title("Error by view, as multiples of the recipe's mean over views", fontsize=10)
    axes.set_xticks(
        range(len(VIEWS)),
        [view.replace(" from", "\nfrom").replace("turned ", "turned\n") for view in VIEWS],
        fontsize=8,
    )
    axes.legend(frameon=False, fontsize=7.5, ncols=2, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)


def labelling():
    """Moves a face and errors of held-out people by the number of labelled faces."""
    found = runs("annotate")
    sets = list(dict.fromkeys(name.partition(", ")[0] for name in found))
    figure = Figure(figsize=(10.5, 3.6 * len(sets)), layout="constrained")
    for (errors, moves), name in zip(
        figure.subplots(len(sets), 2, squeeze=False), sets, strict=True
    ):
        orders = [each for each in found if each.startswith(f"{name}, ")]
        for k, order in enumerate(orders):
            _order_curves(errors, moves, found[order], plots.LINES[k], order.partition(", ")[2])
        errors.set(title=f"{name}: held-out people", ylabel="NME, %", xlabel="labelled faces")
        title = f"{name}: points moved by more than 3 % (full) and 5 %"
        moves.set(title=title, ylabel="moves a face", xlabel="labelled faces", ylim=(0, None))
        errors.legend(frameon=False, title="order")
        for axes in (errors, moves):
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
    plots.save(figure, HERE / "images" / "labelling.png")


def _order_curves(errors, moves, seeds, colour, label):
    """Each seed thin, their mean thick."""
    curves = [found["after"] for found in seeds.values()]
    counts = [count for count in curves[0] if curves[0][count]["nme"] is not None]
    values = np.array([[curve[count]["nme"] for count in counts] for curve in curves])
    at = [int(count) for count in counts]
    errors.plot(at, values.T, color=colour, alpha=0.25, linewidth=0.8)
    errors.plot(at, values.mean(axis=0), "o-", color=colour, markersize=4, label=label)
    begun = [count for count in curves[0] if "moves" in curves[0][count]]
    starts = [0, *map(int, begun[:-1])]  # the faces were labelled from there on
    for tolerance, style in (("3", "-"), ("5", "--")):
        needed = np.mean([[c[n]["moves"][tolerance][0] for n in begun] for c in curves], axis=0)
        moves.plot(starts, needed, f"o{style}", color=colour, markersize=4)


def filters(run, out):
    plots.save(inspect_network.filters(nasion.load_model(run).network), Path(out))


if __name__ == "__main__":
    {"demo": demo, "claims": claims, "labelling": labelling, "filters": filters}[sys.argv[1]](
        *sys.argv[2:]
    )
