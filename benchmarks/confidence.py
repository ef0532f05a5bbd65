"""Confidence scores under occlusion: how much lower hidden points score than visible ones.

Usage:
    python benchmarks/confidence.py --data IBUG [--network face68] [--cofw FOLDER]
        [--picture FILE] [--json FILE]

Synthetic occlusion: a rectangle of a third of the box's sides covers a random part of each
validation face. It is filled with one grey, with texture from the next face's image, or with the
image's own top left corner. Points in the rectangle are hidden. "told apart" is an AUC: how often
a hidden point scores lower than a visible one of the same face.
--cofw: real occlusion, from a folder with images and a JSON file as COCO's, whose keypoints have
visibility 1 (hidden) or 2 (visible).
--picture draws the faces with the lowest scores, each point coloured from blue (1) to yellow (0).
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

OCCLUDERS = ("grey", "another face", "the picture's rim")
HIGH_SCORE, LOW_SCORE = np.array([0, 114, 178]), np.array([240, 228, 66])  # RGB


def occlude(images, boxes, occluder, rng):
    """Copies of the images with a rectangle in front of each face, and the rectangles."""
    occluded, rectangles = [], []
    for i, (image, box) in enumerate(zip(images, boxes, strict=True)):
        sides = (box[2:] - box[:2]) / 3
        start = box[:2] + rng.uniform(size=2) * (box[2:] - box[:2] - sides)
        x0, y0, x1, y1 = np.rint([*start, *(start + sides)]).astype(int).tolist()
        x0, y0 = max(x0, 0), max(y0, 0)
        image = image.copy()
        patch = image[y0:y1, x0:x1]
        height, width = patch.shape
        if occluder == "grey":
            patch[:] = rng.integers(40, 216)
        elif occluder == "another face":
            texture = images[(i + 1) % len(images)][-2 * height :, -2 * width :]
            patch[:] = np.resize(texture, patch.shape)
        else:
            patch[:] = np.resize(image[:height, :width], patch.shape)
        occluded.append(image)
        rectangles.append([x0, y0, x1, y1])
    return occluded, np.array(rectangles)


def occlusion_auc(scores, hidden):
    """The fraction of (hidden, visible) pairs of points in which the hidden one scores lower.

    Pairs are within a face; ties count half. The mean over faces that have both kinds.
    """
    aucs = []
    for face_scores, face_hidden in zip(scores, hidden, strict=True):
        if face_hidden.any() and not face_hidden.all():
            difference = face_scores[face_hidden][:, None] - face_scores[~face_hidden]
            aucs.append(np.mean((difference < 0) + (difference == 0) / 2))
    return float(np.mean(aucs))


def synthetic_occlusion(model, faces, rng):
    """Scores and errors of hidden and visible points, before and after occlusion."""
    images = [open_image(Path(str(path)), colour=False) for path in faces.images]
    before = model(images, faces.boxes)
    before_errors = np.linalg.norm(before.points - faces.points, axis=-1)
    rows = {}
    for occluder in OCCLUDERS:
        occluded, rectangles = occlude(images, faces.boxes, occluder, rng)
        after = model(occluded, faces.boxes)
        after_errors = np.linalg.norm(after.points - faces.points, axis=-1)
        low, high = rectangles[:, None, :2], rectangles[:, None, 2:]
        hidden = ((faces.points >= low) & (faces.points <= high)).all(-1)
        rows[occluder] = {
            "hidden points": int(hidden.sum()),
            "score, hidden": float(after.scores[hidden].mean()),
            "score, the same before": float(before.scores[hidden].mean()),
            "score, visible": float(after.scores[~hidden].mean()),
            "score, visible before": float(before.scores[~hidden].mean()),
            "told apart": occlusion_auc(after.scores, hidden),
            "error px, hidden": float(after_errors[hidden].mean()),
            "expected px, hidden": float(after.expected[hidden].mean()),
            "error px, the same before": float(before_errors[hidden].mean()),
        }
    return rows


def real_occlusion(model, folder):
    """Scores of hidden and visible points of COFW images, for points that both schemes have."""
    annotations = json.loads(next(folder.glob("*.json")).read_text())
    files = {image["id"]: image["file_name"] for image in annotations["images"]}
    shared = [point for point in cofw29.points if point in model.spec.scheme]
    at, rows = cofw29.index(shared), []
    for face in annotations["annotations"]:
        keypoints = np.array(face["keypoints"]).reshape(-1, 3)[at]
        x, y, width, height = face["bbox"]
        file = files[face["image_id"]]
        predicted = model([folder / file], [[x, y, x + width, y + height]])
        scores = predicted.scores[0, model.spec.scheme.index(shared)]
        visible = keypoints[:, 2] == 2
        rows.append(
            {
                "picture": file,
                "hidden": [point for point, seen in zip(shared, visible, strict=True) if not seen],
                "score, hidden": float(scores[~visible].mean()) if (~visible).any() else None,
                "score, visible": float(scores[visible].mean()),
            }
        )
    return rows


def draw_lowest_scores(model, faces, path, count=16):
    """Draw the faces with the lowest scores (minimum plus mean), points coloured by score."""
    predictions = model.predict(faces)
    scores = predictions.scores
    tiles = []
    for i in np.argsort(scores.min(1) + scores.mean(1))[:count].tolist():
        groups = []
        for k, score in enumerate(scores[i]):
            colour = np.rint(LOW_SCORE + (HIGH_SCORE - LOW_SCORE) * score).astype(int)
            groups.append((predictions.points[i, [k]], tuple(colour.tolist())))
        tiles.append(face_tiles.tile(faces, i, groups, f"{faces.ids[i]}  {scores[i].min():.2f}"))
    plots.save(face_tiles.sheet(tiles, columns=8), path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset ibug68")
    parser.add_argument(
        "--network", default="face68", help="pretrained model, exported file or run folder"
    )
    parser.add_argument("--cofw", type=Path, help="folder of images with labelled occlusion")
    parser.add_argument("--picture", type=Path, help="draw the faces with the lowest scores here")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    model = load_model(options.network)
    faces = nasion.load_faces("ibug68", options.data, "val")
    result = {
        "synthetic": synthetic_occlusion(model, faces, np.random.default_rng(0)),
        "cofw": real_occlusion(model, options.cofw) if options.cofw else [],
    }
    for occluder, row in result["synthetic"].items():
        print(f"{occluder}: {row['hidden points']} hidden points, AUC {row['told apart']:.3f}")
        print(
            f"  score of hidden points {row['score, hidden']:.3f}, "
            f"before {row['score, the same before']:.3f}; "
            f"of visible points {row['score, visible']:.3f}, "
            f"before {row['score, visible before']:.3f}"
        )
        print(
            f"  error of hidden points {row['error px, hidden']:.2f} pixels, "
            f"expected {row['expected px, hidden']:.2f}, "
            f"before {row['error px, the same before']:.2f}"
        )
    for row in result["cofw"]:
        print(row)
    if options.picture:
        draw_lowest_scores(model, faces, options.picture)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
