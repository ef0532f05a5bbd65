"""Ablation study of face68_light: trains it with one part removed or replaced at a time.

Usage:
    python benchmarks/ablation.py --data IBUG [--variants ...] [--epochs 24] [--seeds 0]
        [--runs FOLDER]

All variants train for the same number of epochs and are evaluated on the same validation faces.
Each run is added to results/face68_light.json as soon as it is finished. Interrupted runs are
resumed, finished ones only evaluated again. "one look" is a single crop per face.
24 epochs are far fewer than the recipe's 150, so what pays off late, such as augmentation, looks
less useful here than it is.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from result_files import add_result, train_or_resume, training_summary, with_settings

import nasion
from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.inference.predictor import load_model
from nasion.models.architectures.resnet import ResNet
from nasion.models.codecs import Anchors, Coordinates, Heatmaps
from nasion.models.losses import AdaptiveWing, GaussianLikelihood, LaplaceLikelihood, Wing
from nasion.models.optim import Constant
from nasion.recipes.face68_light import RECIPE

# Regresses coordinates without maps, at about as many multiplications as the recipe's network.
REGRESSION_NETWORK = ResNet(widths=(32, 64, 128, 128), blocks=(1,), stem_width=16)
UNGUIDED = {"codec": Anchors(8)}
DIRECT = {"architecture": REGRESSION_NETWORK, "start_at_mean": True}
VARIANTS = {  # names are keys in results/face68_light.json
    "as it is": {},
    "no mirrored faces": {"augment": replace(RECIPE.augment, flip=0.0)},
    "nothing turned, scaled or moved": {
        "augment": replace(RECIPE.augment, rotate=0.0, scale=0.0, shift=0.0)
    },
    "light as it is": {"augment": replace(RECIPE.augment, brightness=0.0, contrast=0.0)},
    "nothing in front": {"corrupt": replace(RECIPE.corrupt, occlude=0.0)},
    "no blur, noise, JPEG": {"corrupt": replace(RECIPE.corrupt, blur=0.0, noise=0.0, jpeg=0.0)},
    "no augmentation at all": {"augment": Augment(), "corrupt": Corrupt()},
    "no average of weights": {"ema_decay": 0.0},
    "constant rate": {"schedule": Constant()},
    "no weight decay": {"optim": replace(RECIPE.optim, weight_decay=0.0)},
    "places by the absolute error": {"loss": replace(RECIPE.loss, even=1.0)},
    "weights not guided": {**UNGUIDED, "loss": LaplaceLikelihood()},
    "weights not guided, Gaussian": {**UNGUIDED, "loss": GaussianLikelihood()},
    "anchors of stride 16": {
        "codec": replace(RECIPE.spec.codec, stride=16),
        "architecture": replace(RECIPE.architecture, stride=16),
    },
    "heatmaps of stride 4, adaptive Wing": {
        "codec": Heatmaps(4),
        "loss": AdaptiveWing(),
        "architecture": replace(RECIPE.architecture, stride=4),
    },
    "direct coordinates, Laplace": {
        **DIRECT,
        "codec": Coordinates("pixels", scale=True),
        "loss": LaplaceLikelihood(),
    },
    "direct coordinates, Wing": {**DIRECT, "codec": Coordinates("pixels"), "loss": Wing()},
}


def train_and_evaluate(folder, data, changes, val_faces):
    """One run's entry in results/: its scores, also with a single crop per face, and times."""
    history = train_or_resume(with_settings(RECIPE, **changes), data, folder, [], every=8)
    model = load_model(folder)
    one_crop = replace(model, spec=replace(model.spec, refine_steps=1))
    scores = nasion.evaluate(model, val_faces).to_json()
    subsets = scores["groups"].get("subset", {})
    return {
        "nme": scores["nme"],
        "nme, one look": nasion.evaluate(one_crop, val_faces).to_json()["nme"],
        **{f"nme, {name}": subset["nme"] for name, subset in subsets.items()},
        "fr": scores["fr"],
        **training_summary(history),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset ibug68")
    parser.add_argument(
        "--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS, help="default: all"
    )
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="parent of the run folders")
    options = parser.parse_args()
    val_faces = nasion.load_faces("ibug68", options.data, "val")
    facts = {
        "command": (
            "nasion train face68_light --data DIR (ablation: python "
            "benchmarks/ablation.py --data DIR)"
        ),
        "data": "ibug68, honest split by photograph: 1,591 faces to train on, 421 to evaluate on",
        "metric": (
            "nme in % of the distance between the outer eye corners, boxes tight; of the "
            "last epoch's weights"
        ),
    }
    for seed in options.seeds:
        for name in options.variants:
            print(f"{name}, seed {seed}", flush=True)
            folder = options.runs / f"ablation-{options.epochs}-{name.replace(' ', '_')}-{seed}"
            changes = {**VARIANTS[name], "epochs": options.epochs, "seed": seed}
            scores = train_and_evaluate(folder, options.data, changes, val_faces)
            variant = f"ablation, {options.epochs} epochs: {name}"
            add_result("face68_light", variant, seed, scores, facts)
            print(f"  {scores}", flush=True)


if __name__ == "__main__":
    main()
