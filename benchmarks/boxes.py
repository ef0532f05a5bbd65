"""Robustness to the face box: NME on validation faces with larger, shifted and rotated input.

Usage:
    python benchmarks/boxes.py --data IBUG [--network face68] [--json FILE]

Boxes are shifted by a tenth of their sides, in a random direction for each face (seed 0).
Rotated images get tight, upright boxes around their rotated points.
Every setting is evaluated with at most one, two and three crops per face (refine_steps; "looks" in
the JSON file).
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

ANGLES = (15, 30, 60)  # degrees


def perturbed_boxes(faces):
    """The faces' boxes by the name of the change: enlarged, shifted, both, shrunk."""
    tight = faces.boxes.astype(np.float64)
    sides = tight[:, 2:] - tight[:, :2]
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, len(faces))
    shift = np.tile(0.1 * np.stack([np.cos(angle), np.sin(angle)], 1) * sides, 2)
    larger = geometry.grow_box(tight, 0.15)
    return {
        "tight": tight,
        "1.3 times larger": larger,
        "moved by 10 %": tight + shift,
        "larger and moved": larger + shift,
        "0.85 times": geometry.grow_box(tight, -0.075),
    }


def rotate_faces(faces, degrees):
    """The faces with their images rotated about the centre, and tight boxes."""
    images, points = [], []
    for path, own_points in zip(faces.images, faces.points, strict=True):
        image = open_image(Path(str(path)), colour=False)
        height, width = image.shape
        center = ((width - 1) / 2, (height - 1) / 2)
        # Pillow rotates counterclockwise, similarity clockwise: points take the inverse.
        clockwise = geometry.similarity(
            center, np.array(float(degrees)), np.array(1.0), np.zeros(2)
        )
        rotated = Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC)
        images.append(np.asarray(rotated))
        points.append(geometry.apply(geometry.invert(clockwise), own_points))
    rotated_points = np.stack(points).astype(np.float32)
    return replace(
        faces,
        images=tuple(images),
        points=rotated_points,
        boxes=geometry.points_box(rotated_points).astype(np.float32),
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset ibug68")
    parser.add_argument(
        "--network", default="face68", help="pretrained model, exported file or run folder"
    )
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args()
    model, faces = load_model(options.network), nasion.load_faces("ibug68", options.data, "val")
    settings = {
        name: replace(faces, boxes=boxes.astype(np.float32))
        for name, boxes in perturbed_boxes(faces).items()
    }
    settings |= {f"turned by {angle} degrees": rotate_faces(faces, angle) for angle in ANGLES}
    table = {}
    for crops in (1, 2, 3):
        with_crops = replace(model, spec=replace(model.spec, refine_steps=crops))
        row = {
            name: round(100 * nasion.evaluate(with_crops, changed).overall.nme, 3)
            for name, changed in settings.items()
        }
        table[f"{crops} look{'s' if crops > 1 else ''}"] = row
        cells = [f"{name} {nme:.2f} (x {nme / row['tight']:.3f})" for name, nme in row.items()]
        print(f"at most {crops} crop{'s' if crops > 1 else ''}: {', '.join(cells)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
