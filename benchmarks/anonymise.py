"""Whether hidden faces are really hidden: by nasion's detector, by dlib's, and by labelled points.

Usage:
    python benchmarks/anonymise.py --data DATA [--count 40] [--json results/anonymise.json]

DATA holds `cfp/Images` (CFP, frontal and profile; COUNT photographs of each, drawn with a fixed
seed) and `samples/dlib_faces` (group photographs with labelled faces). Verified as `nasion
anonymise` does: what is found again at a score of 0.6 is hidden more, once.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from nasion import Landmarker, load_faces
from nasion.app.anonymise_pipeline import HideOptions, hide_and_check, hide_faces
from nasion.app.cli.anonymise import LOW_SCORE, SMALL_FACE
from nasion.inference import detectors
from nasion.inference.landmarker import MIN_SCORE
from nasion.media.files import write_text
from nasion.media.hiding import METHODS
from nasion.media.images import open_image


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="photographs of CFP of each kind")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    finder = Landmarker(detector=detectors.load(detectors.DEFAULT, SMALL_FACE), min_score=LOW_SCORE)
    result = {
        "cfp": on_cfp(finder, options.data / "cfp" / "Images", options.count),
        "group photographs": on_groups(finder, options.data / "samples" / "dlib_faces"),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        write_text(options.json, text + "\n")


def on_cfp(finder, folder, count):
    draw = random.Random(3)
    files = []
    for kind in ("frontal", "profile"):
        files += draw.sample(sorted(folder.glob(f"*/{kind}/*.jpg")), count)
    images = [open_image(path, colour=True) for path in files]
    faces = [finder(pixels) for pixels in images]
    check, other = finder.with_settings(min_score=MIN_SCORE), detectors.load("dlib")
    result = {
        "photographs": len(files),
        "with a hidden face": sum(map(bool, faces)),
        "dlib finds before": sum(bool(len(other(pixels)[0])) for pixels in images),
    }
    for method in METHODS:
        hiding = HideOptions(Path(), method=method, check=check)
        tries = [hide_and_check(p, f, hiding) for p, f in zip(images, faces, strict=True)]
        result[method] = {
            "second try": sum(again for _, again, _ in tries),
            "still found": sum(still for _, _, still in tries),
            "dlib finds": sum(bool(len(other(pixels)[0])) for pixels, _, _ in tries),
        }
    return result


def on_groups(finder, folder):
    """Labelled points that are covered, of all but the jaw, by face."""
    covered = []
    for table in ("training", "testing"):
        labelled = load_faces(None, folder / f"{table}_with_face_landmarks.xml")
        for image, points in zip(labelled.images, labelled.points, strict=True):
            pixels = open_image(image, colour=True)
            white = np.full_like(pixels, 255)
            mask = (
                hide_faces(white, finder(pixels), HideOptions(Path(), method="fill"))[..., 0] == 0
            )
            inner = points[[k for k, n in enumerate(labelled.scheme.points) if "jaw" not in n]]
            at = np.rint(inner[np.isfinite(inner[:, 0])]).astype(int)
            at = np.clip(at, 0, [pixels.shape[1] - 1, pixels.shape[0] - 1])
            covered.append(mask[at[:, 1], at[:, 0]].mean())
    covered = np.array(covered)
    return {"faces": len(covered), "all points covered": int((covered == 1).sum()),
            "no point covered": int((covered == 0).sum())}  # fmt: skip


if __name__ == "__main__":
    main()
