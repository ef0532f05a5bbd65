"""Draws docs/demo.png: faces that the demo's network had not seen, with their labels and its predictions.

Usage: nasion demo && python docs/make_pictures.py demo
"""

import sys
from pathlib import Path

import numpy as np

import nasion
from nasion import draw

HERE = Path(__file__).parent


def main(folder):
    faces = nasion.load_faces("toy", "toy:2000", "val")[np.arange(0, 64, 4)]
    found = nasion.load_model(folder).predict(faces)
    marks = [draw.tile(faces, i, [(faces.points[i], draw.TRUTH), (found.points[i], draw.PREDICTION)]) for i in range(len(faces))]
    (HERE / "demo.png").write_bytes(draw.png(draw.sheet(marks)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
