"""What must not change when the code moves: points, metrics, first epochs, written files.

``python tests/golden.py write`` stores today's values in tests/fixtures/golden (run from the
repository root, with NASION_DATA set for the real images), ``points`` those of the shipped networks
alone, ``formats`` the written files, ``fixture_points`` the points of the run of the first format;
tests/test_golden.py compares. The first values were stored by the commit before the move to
packages (nasion 0.1.0), the points when faces were first levelled by all their points, the drawings
when their finer layer was first averaged down by whole pixels (2 grey levels of difference).
"""

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import nasion
from nasion import Face, Faces, Landmarker, evaluate, prediction_formats, train
from nasion.data.datasets import points_csv
from nasion.discovery import FORMATS, RECIPES
from nasion.landmarks.catalog import SCHEMES, ibug68
from nasion.landmarks.face import ImageResult
from nasion.recipes import load_recipe

FOLDER = Path(__file__).parent / "fixtures" / "golden"
NETWORKS = ("face68", "face68_light")
REAL = (
    "samples/astronaut.png",
    "samples/dlib_faces/2008_001009.jpg",
    "samples/dlib_faces/2008_002079.jpg",
    "samples/dlib_faces/2009_004587.jpg",
)
TRAINED = 12  # faces in fixtures/golden/faces.npz


def found_in(paths: list[Path], network: str) -> dict[str, list[dict]]:
    """Score, box and points of every face in these images, by file name."""
    landmarker = Landmarker(network)
    return {path.name: [face_values(face) for face in landmarker(path)] for path in paths}


def face_values(face: Face) -> dict:
    return {
        "score": round(face.score, 5),
        "box": np.round(face.box.astype(float), 4).tolist(),
        "points": np.round(face.points.astype(float), 4).tolist(),
        "scores": np.round(face.scores.astype(float), 5).tolist(),
    }


def drawn_images() -> list[Path]:
    return sorted((FOLDER / "images").glob("*.png"))


def real_images(data: Path) -> list[Path]:
    return [data / name for name in REAL]


def golden_metrics(data: Path) -> dict[str, dict]:
    """What the evaluator says of the published predictions, by norm."""
    folder = data / "golden"
    faces = nasion.load_faces("points_csv", folder / "300w_private_truth.csv", scheme=ibug68)
    predictions = points_csv.read_predictions(folder / "300w_private_predictions.csv", ibug68)
    return {
        norm: evaluate(predictions, faces, norm=norm).to_json()
        for norm in ("box", "outer_eye_corners", "pupils")
    }


def training_faces(scheme) -> Faces:
    """Twelve drawn faces of the fixture in this scheme."""
    with np.load(FOLDER / "faces.npz") as arrays:
        names = {str(name): i for i, name in enumerate(arrays["names"])}
        points = arrays["points"][:, [names[point] for point in scheme.points]]
        images = arrays["images"]
    return Faces(
        scheme=scheme,
        ids=tuple(f"face{i}" for i in range(len(images))),
        images=images,
        points=points,
    )


# Fine-tuning starts from a network in 8 bits, whose rounding depends on the processor.
TRAINED_RECIPES = [name for name in RECIPES.names() if name != "finetune"]


def first_epoch(name: str) -> dict[str, float]:
    """The history of a recipe's first epoch: 8 training and 4 validation faces, batches of 4,
    float32.
    """
    whole = load_recipe(name)
    second = whole.second_phase and replace(whole.second_phase, epochs=0)
    recipe = replace(
        whole, epochs=1, batch_size=4, precision="float32", second_phase=second, patience=None
    )
    faces = training_faces(recipe.spec.scheme)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        row = train(recipe, (faces[:8], faces[8:]), run_folder=run).state.history[0]
    return {key: row[key] for key in ("loss", "val", "val_loss", "lr")}


def written_formats(folder: Path) -> None:
    """Every output format of the same made-up results."""
    rng = np.random.default_rng(5)

    def face(left: float, track: int | None = None) -> Face:
        points = (rng.uniform(10, 90, (68, 2)) + [left, 0]).astype(np.float32)
        box = np.concatenate([points.min(0), points.max(0)])
        scores = np.linspace(0, 1, 68, dtype=np.float32)
        return Face(ibug68, points, box, 0.9, scores, 3 * scores, track=track)

    gray = np.full((120, 260, 3), 128, np.uint8)
    images = [
        ImageResult("a/one.jpg", "one", (260, 120), (face(0), face(150)), gray),
        ImageResult("b/none.jpg", "none", (260, 120), (), gray),
        ImageResult("b/two.png", "two", (260, 120), (face(5),), gray),
    ]
    frames = [
        ImageResult(f"clip.mp4@{i}", f"clip@{i}", (260, 120), (face(0, 1),), None, i / 25)
        for i in range(2)
    ]
    prediction_formats.write(
        images, FORMATS.names(), folder / "images", prediction_formats.DrawStyle(labels="numbers")
    )
    prediction_formats.write(
        frames,
        [name for name in FORMATS.names() if name not in ("image", "pts")],
        folder / "frames",
    )


def write() -> None:
    from nasion.data.datasets import toy

    (FOLDER / "images").mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(toy.draw(6, ibug68, seed=11, size=240, colour=True).images):
        Image.fromarray(image).save(FOLDER / "images" / f"drawn-{i}.png", optimize=True)
    names = list(dict.fromkeys(point for scheme in SCHEMES.values() for point in scheme.points))
    every = nasion.Scheme(name="every", points=tuple(names), mirror=())
    faces = toy.draw(TRAINED, every, seed=3, size=128)
    np.savez_compressed(
        FOLDER / "faces.npz", images=faces.images, points=faces.points, names=np.array(names)
    )
    write_points()
    save("metrics", golden_metrics(Path(os.environ["NASION_DATA"])))
    save("first_epoch", {name: first_epoch(name) for name in TRAINED_RECIPES})
    written_formats(FOLDER / "formats")


def write_points() -> None:
    data = Path(os.environ["NASION_DATA"])
    for kind, paths in (("drawn", drawn_images()), ("real", real_images(data))):
        save(f"points-{kind}", {network: found_in(paths, network) for network in NETWORKS})


def write_fixture_points() -> None:
    model = nasion.load_model(FOLDER.parent / "run-1")
    found = model.predict(training_faces(nasion.scheme_named("fkd15")))
    assert found.scores is not None
    parts = {"points": found.points, "scores": found.scores}
    save(
        "fixture_points", {name: np.round(v.astype(float), 4).tolist() for name, v in parts.items()}
    )


def save(name: str, value: object) -> None:
    (FOLDER / f"{name}.json").write_text(json.dumps(value) + "\n")


def stored(name: str):
    return json.loads((FOLDER / f"{name}.json").read_text())


if __name__ == "__main__" and sys.argv[1:] == ["write"]:
    write()
if __name__ == "__main__" and sys.argv[1:] == ["points"]:
    write_points()
if __name__ == "__main__" and sys.argv[1:] == ["formats"]:
    written_formats(FOLDER / "formats")
if __name__ == "__main__" and sys.argv[1:] == ["fixture_points"]:
    write_fixture_points()
if __name__ == "__main__" and sys.argv[1:2] == ["first_epochs"]:
    # In a process of its own: type checks of the test run draw from the random generator that Keras
    # seeds its weights from.
    Path(sys.argv[2]).write_text(json.dumps({name: first_epoch(name) for name in TRAINED_RECIPES}))
