"""Fine-tune a trained network to points of your own, from a few dozen faces on.

Source: our own (docs/how_to/fine_tune.md). Known points keep their outputs, new ones start as means
of known ones.
Command: nasion train finetune --data DIR [--from face68|face68_light|RUN|FILE.onnx]
Time: 2 minutes for 40 faces on one core.
Reached: on IMM's persons 33 to 40, NME 4.15 % from 8 other persons (one draw; the means of known
points alone 4.32); benchmarks/few_shot.py.
Differences: none, as there is no published source.
"""

from dataclasses import replace

from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.models.losses import GuidedLikelihood
from nasion.models.optim import Adam, Cosine
from nasion.recipe import AugmentDecay, Recipe
from nasion.recipes import face68
from nasion.recipes._finetuning import adapt as adapt

RECIPE = Recipe(
    data="your own",
    # Scheme, spec and architecture are those of the data and of the network it starts from.
    points_from="data",
    init_from="face68",
    spec=replace(face68.RECIPE.spec, tight_boxes=True),
    architecture=face68.RECIPE.architecture,
    loss=GuidedLikelihood(share=2.0),
    augment=Augment(
        flip=0.5, rotate=20, scale=0.15, shift=0.06, stretch=0.1, brightness=0.25, contrast=0.4
    ),
    corrupt=Corrupt(blur=1.0, noise=0.04, jpeg=0.1, occlude=0.3),
    augment_decay=AugmentDecay(after=0.5, to=0.2),
    optim=Adam(lr=1e-3, weight_decay=0.05),
    schedule=Cosine(warmup=0.1),
    ema_decay=0.98,
    batch_size=16,
    epochs=20,
)
