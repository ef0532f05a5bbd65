"""How much a network minds the box it is given: NME on validation faces with tight boxes, larger
ones, moved ones, turned pictures.

Usage: python benchmarks/boxes.py --data IBUG [--network face68] [--json FILE]
Boxes are moved by a tenth of their sides in a direction drawn for each face (seed 0).
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import nasion
from nasion.inference.predictor import load_model
from nasion.landmarks import geometry
from nasion.media.images import open_image

ANGLES = (15, 30, 60)


def boxes_of(faces):
    """The boxes that the network is given, by name."""
    tight = faces.boxes.astype(np.float64)
    sides = tight[:, 2:] - tight[:, :2]
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, len(faces))
    move = np.tile(0.1 * np.stack([np.cos(angle), np.sin(angle)], 1) * sides, 2)
    larger = geometry.grow_box(tight, 0.15)
    return {
        "tight": tight,
        "1.3 times larger": larger,
        "moved by 10 %": tight + move,
        "larger and moved": larger + move,
        "0.85 times": geometry.grow_box(tight, -0.075),
    }


def turned(faces, degrees):
    """The same faces in pictures turned about their middle, boxes tight."""
    pictures, points = [], []
    for path, own in zip(faces.images, faces.points, strict=True):
        picture = open_image(Path(str(path)), colour=False)
        height, width = picture.shape
        back = geometry.similarity(
            ((width - 1) / 2, (height - 1) / 2),
            np.array(float(degrees)),
            np.array(1.0),
            np.zeros(2),
        )
        pictures.append(
            np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))
        )
        points.append(geometry.apply(geometry.invert(back), own))
    moved = np.stack(points).astype(np.float32)
    return replace(
        faces,
        images=tuple(pictures),
        points=moved,
        boxes=geometry.points_box(moved).astype(np.float32),
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", default="face68")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model, faces = load_model(options.network), nasion.load_faces("ibug68", options.data, "val")
    shown = {
        name: replace(faces, boxes=boxes.astype(np.float32))
        for name, boxes in boxes_of(faces).items()
    }
    shown |= {f"turned by {angle} degrees": turned(faces, angle) for angle in ANGLES}
    found = {}
    for passes in (1, 2, 3):
        seen = replace(model, spec=replace(model.spec, refine_steps=passes))
        row = {
            name: round(100 * nasion.evaluate(seen, some).overall.nme, 3)
            for name, some in shown.items()
        }
        found[f"{passes} look{'s' if passes > 1 else ''}"] = row
        print(
            f"{passes}: "
            + ", ".join(
                f"{name} {nme:.2f} (x {nme / row['tight']:.3f})" for name, nme in row.items()
            ),
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
