"""What each part of face68_light brings: trained without it, or with another in its place, all as
long, judged on the same faces.

Usage: python benchmarks/ablation.py --data IBUG [--variants ...] [--epochs 24] [--seeds 0] [--runs
       FOLDER]
Each finished run is written into results/face68_light.json at once; runs that are there are judged,
not trained again. Shorter
than the recipe itself, so what pays late (augmentation) looks smaller here than it is.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from result_files import changed, record, spent, trained

import nasion
from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.inference.predictor import load_model
from nasion.models.architectures.resnet import ResNet
from nasion.models.codecs import Anchors, Coordinates, Heatmaps
from nasion.models.losses import AdaptiveWing, GaussianLikelihood, LaplaceLikelihood, Wing
from nasion.models.optim import Constant
from nasion.recipes.face68_light import RECIPE

# As many multiplications as the network with maps, about.
ROW = ResNet(widths=(32, 64, 128, 128), blocks=(1,), stem_width=16)
FREE = {"codec": Anchors(8)}
DIRECT = {"architecture": ROW, "start_at_mean": True}
VARIANTS = {
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
    "weights not guided": {**FREE, "loss": LaplaceLikelihood()},
    "weights not guided, Gaussian": {**FREE, "loss": GaussianLikelihood()},
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


def one(folder, data, changes, val_faces):
    """Train (or find trained) and judge one run: what results/ keeps of it."""
    history = trained(changed(RECIPE, **changes), data, folder, [], every=8)
    once = load_model(folder)
    judged = {"": nasion.evaluate(folder, val_faces).to_json()}
    judged[", one look"] = nasion.evaluate(
        replace(once, spec=replace(once.spec, refine_steps=1)), val_faces
    ).to_json()
    found = {f"nme{look}": scores["nme"] for look, scores in judged.items()}
    groups = {
        f"nme, {name}": scores["nme"]
        for name, scores in judged[""]["groups"].get("subset", {}).items()
    }
    return {**found, **groups, "fr": judged[""]["fr"], **spent(history)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    val_faces = nasion.load_faces("ibug68", options.data, "val")
    facts = {
        "command": (
            "nasion train face68_light --data DIR (ablation: python "
            "benchmarks/ablation.py --data DIR)"
        ),
        "data": "ibug68, honest split by photograph: 1,591 faces to train on, 421 to judge by",
        "metric": (
            "nme in % of the distance between the outer eye corners, boxes tight; of the "
            "last epoch's weights"
        ),
    }
    for seed in options.seeds:
        for name in options.variants:
            print(f"{name}, seed {seed}", flush=True)
            folder = options.runs / f"ablation-{options.epochs}-{name.replace(' ', '_')}-{seed}"
            found = one(
                folder,
                options.data,
                {**VARIANTS[name], "epochs": options.epochs, "seed": seed},
                val_faces,
            )
            record("face68_light", f"ablation, {options.epochs} epochs: {name}", seed, found, facts)
            print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
