"""Do points that are hidden score lower? On synthetic occlusions of validation faces, and on real
pictures whose hidden points are marked.

Usage: python benchmarks/confidence.py --data IBUG [--network face68] [--cofw FOLDER] [--picture
       FILE] [--json FILE]
A rectangle a third as wide and high as the face's box is put somewhere on each face: grey, a piece
of another face, or a piece of the
picture's own rim. "hidden": points under it; "told apart": how often a hidden point scores below a
visible one of the same face (AUC).
COFW's folder holds pictures and a COCO-like json whose keypoints have 1 for hidden and 2 for
visible. --picture draws the faces with the
lowest scores, points by score: blue sure, yellow unsure.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import nasion
from nasion.evaluation import face_tiles, plots
from nasion.inference.predictor import load_model
from nasion.landmarks.catalog import cofw29
from nasion.media.images import open_image

KINDS = ("grey", "another face", "the picture's rim")
SURE, UNSURE = np.array([0, 114, 178]), np.array([240, 228, 66])


def covered(pictures, boxes, kind, rng):
    """Copies with a rectangle in front of each face, and the rectangles."""
    found, rectangles = [], []
    for i, (picture, box) in enumerate(zip(pictures, boxes, strict=True)):
        sides = (box[2:] - box[:2]) / 3
        start = box[:2] + rng.uniform(size=2) * (box[2:] - box[:2] - sides)
        x0, y0, x1, y1 = np.rint([*start, *(start + sides)]).astype(int).tolist()
        x0, y0 = max(x0, 0), max(y0, 0)
        picture = picture.copy()
        hole = picture[y0:y1, x0:x1]
        if kind == "grey":
            hole[:] = rng.integers(40, 216)
        else:
            other = pictures[(i + 1) % len(pictures)] if kind == "another face" else picture
            corner = (
                other[: hole.shape[0], : hole.shape[1]]
                if kind != "another face"
                else other[-hole.shape[0] * 2 :, -hole.shape[1] * 2 :]
            )
            hole[:] = np.resize(corner, hole.shape)
        found.append(picture)
        rectangles.append([x0, y0, x1, y1])
    return found, np.array(rectangles)


def told_apart(scores, hidden):
    """The part of pairs (a hidden and a visible point of one face) in which the hidden one scores
    lower; ties count half.
    """
    parts = []
    for own, under in zip(scores, hidden, strict=True):
        if under.any() and not under.all():
            apart = own[under][:, None] - own[~under]
            parts.append(np.mean((apart < 0) + (apart == 0) / 2))
    return float(np.mean(parts))


def synthetic(model, faces, rng):
    """Scores of hidden and visible points with and without the rectangles."""
    pictures = [open_image(Path(str(path)), colour=False) for path in faces.images]
    before = model(pictures, faces.boxes)
    rows = {}
    for kind in KINDS:
        shown, rectangles = covered(pictures, faces.boxes, kind, rng)
        after = model(shown, faces.boxes)
        points = faces.points
        hidden = ((points >= rectangles[:, None, :2]) & (points <= rectangles[:, None, 2:])).all(-1)
        errors = (
            np.linalg.norm(after.points - points, axis=-1),
            np.linalg.norm(before.points - points, axis=-1),
        )
        rows[kind] = {
            "hidden points": int(hidden.sum()),
            "score, hidden": float(after.scores[hidden].mean()),
            "score, the same before": float(before.scores[hidden].mean()),
            "score, visible": float(after.scores[~hidden].mean()),
            "score, visible before": float(before.scores[~hidden].mean()),
            "told apart": told_apart(after.scores, hidden),
            "error px, hidden": float(errors[0][hidden].mean()),
            "expected px, hidden": float(after.expected[hidden].mean()),
            "error px, the same before": float(errors[1][hidden].mean()),
        }
    return rows


def cofw(model, folder):
    """Scores of hidden and visible points of real images, for points of both schemes."""
    record = json.loads(next(folder.glob("*.json")).read_text())
    names = {picture["id"]: picture["file_name"] for picture in record["images"]}
    shared = [point for point in cofw29.points if point in model.spec.scheme]
    at, rows = cofw29.index(shared), []
    for face in record["annotations"]:
        marks = np.array(face["keypoints"]).reshape(-1, 3)[at]
        x, y, width, height = face["bbox"]
        found = model([folder / names[face["image_id"]]], [[x, y, x + width, y + height]])
        scores, visible = found.scores[0, model.spec.scheme.index(shared)], marks[:, 2] == 2
        rows.append(
            {
                "picture": names[face["image_id"]],
                "hidden": [point for point, seen in zip(shared, visible, strict=True) if not seen],
                "score, hidden": float(scores[~visible].mean()) if (~visible).any() else None,
                "score, visible": float(scores[visible].mean()),
            }
        )
    return rows


def drawn(model, faces, path, count=16):
    """The faces with the lowest mean scores, points coloured by score."""
    found = model.predict(faces)
    tiles = []
    for i in np.argsort(found.scores.min(1) + found.scores.mean(1))[:count].tolist():
        groups = [
            (
                found.points[i, [k]],
                tuple(np.rint(UNSURE + (SURE - UNSURE) * found.scores[i, k]).astype(int).tolist()),
            )
            for k in range(68)
        ]
        tiles.append(
            face_tiles.tile(faces, i, groups, f"{faces.ids[i]}  {found.scores[i].min():.2f}")
        )
    plots.save(face_tiles.sheet(tiles, columns=8), path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", default="face68")
    parser.add_argument("--cofw", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = load_model(options.network)
    faces = nasion.load_faces("ibug68", options.data, "val")
    said = {
        "synthetic": synthetic(model, faces, np.random.default_rng(0)),
        "cofw": cofw(model, options.cofw) if options.cofw else [],
    }
    for kind, row in said["synthetic"].items():
        print(kind + ": " + ", ".join(f"{name} {value:.3g}" for name, value in row.items()))
    for row in said["cofw"]:
        print(row)
    if options.picture:
        drawn(model, faces, options.picture)
    if options.json:
        options.json.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
