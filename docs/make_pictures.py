"""Draws the documents' pictures.

Usage: nasion demo && python docs/make_pictures.py demo demo      docs/demo.png: faces that the demo's network had not seen
       python docs/make_pictures.py claims                        docs/claims.png: from results/*.json
       python docs/make_pictures.py filters RUN docs/NAME.png     a run's first layer
"""

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import nasion
from nasion import draw, look

HERE = Path(__file__).parent
PARTS = ("plain", "average", "dropout", "sigmoid", "average + dropout", "average + sigmoid", "dropout + sigmoid", "average + dropout + sigmoid")
VIEWS = ("frontal", "smiling", "lit from one side", "any", "turned right", "turned left")


def demo(folder):
    faces = nasion.load_faces("toy", "toy:2000", "val")[np.arange(0, 64, 4)]
    found = nasion.load_model(folder).predict(faces)
    marks = [draw.tile(faces, i, [(faces.points[i], draw.TRUTH), (found.points[i], draw.PREDICTION)]) for i in range(len(faces))]
    draw.save(draw.sheet(marks), HERE / "demo.png")


def runs(recipe):
    return json.loads((HERE.parent / "results" / f"{recipe}.json").read_text())["runs"]


def dots(axes, rows, key, title):
    """A dot per seed, a line at the mean, one row per variant."""
    for place, (_, seeds) in enumerate(rows):
        values = [found[key] for found in seeds.values()]
        axes.plot(values, [place] * len(values), "o", color=draw.LINES[0], alpha=0.55, markersize=5)
        axes.plot([np.mean(values)] * 2, [place - 0.3, place + 0.3], "-", color=draw.LINES[1], linewidth=2.5)
    axes.set(title=title, yticks=range(len(rows)), yticklabels=[label for label, _ in rows], xlabel="validation MSE of relative coordinates")
    axes.title.set_fontsize(10)
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def claims():
    nose, face = runs("imm_nose_khwaja"), runs("imm_face_khwaja")
    figure = Figure(figsize=(12.5, 6.6), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    dots(a, [(name, nose[name]) for name in PARTS], "val_loss_last", "Nose, 25 epochs, last epoch: which part helps")
    dots(b, [(name, face[f"{name}, epochs=25"]) for name in PARTS], "val_loss_last", "58 points, 25 epochs, last epoch: which part helps")
    kinds = ("no augmentation", "light only", "geometry only", "plain")
    labels = ("none", "light only", "geometry only", "both")
    rows = [(label, face[f"{kind}, epochs=25"]) for label, kind in zip(labels, kinds, strict=True)]
    dots(c, rows, "val_loss_last", "58 points, 25 epochs: augmentation")
    names = ("imm_nose_khwaja", "imm_nose_khwaja_v2", "imm_nose_guduguntla", "imm_face_khwaja", "imm_face_khwaja_v2", "imm_face_guduguntla")
    views(d, names)
    draw.save(figure, HERE / "claims.png")


def views(axes, names):
    """Error by view, relative to the recipe's own mean over all views."""
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        seeds = runs(name)["recipe"].values()
        means = np.array([np.mean([found[f"mse_relative, {view}"] for found in seeds]) for view in VIEWS])
        axes.bar(np.arange(len(VIEWS)) + (k - (len(names) - 1) / 2) * width, means / means.mean(), width, color=draw.LINES[k], label=name)
    axes.axhline(1, color="0.4", linewidth=0.8)
    axes.set(title="Error by view, as a part of the recipe's mean over views", xticks=range(len(VIEWS)), ylabel="times the mean")
    axes.set_xticklabels(VIEWS, fontsize=8)
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=7, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)


def filters(run, out):
    draw.save(look.filters(nasion.load_model(run).network), Path(out))


if __name__ == "__main__":
    {"demo": demo, "claims": claims, "filters": filters}[sys.argv[1]](*sys.argv[2:])
