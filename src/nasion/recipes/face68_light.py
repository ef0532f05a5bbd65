"""iBUG's 68 points from a network of 0.7 million weights, with confidence.

Source: our own (docs/explanation/models.md): Anchors after A2J (Xiong et al., ICCV 2019), feature
pyramid (Lin et al., CVPR 2017), Laplace likelihood with learnt scale (Kendall and Gal, NeurIPS
2017), weights trained as a heatmap (Nibali et al., 2018).
Command: nasion train face68_light --data DIR
Time: 150 epochs of 7.5 s on one core; 22 minutes with other jobs running.
Reached: NME 3.59 % on 421 held-out faces, on HELEN and LFPW alone 3.45 %; 3.49 % with flip TTA.
Differences: none, as there is no published source. The shipped weights learnt from five other sets
too (python benchmarks/face68.py --recipe face68_light).
"""

from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.landmarks.catalog import ibug68
from nasion.model_spec import ModelSpec
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors
from nasion.models.losses import GuidedLikelihood
from nasion.models.optim import Adam, Cosine
from nasion.recipe import AugmentDecay, Recipe

RECIPE = Recipe(
    data="ibug68",
    spec=ModelSpec(
        scheme=ibug68,
        input_size=(128, 128),
        box_scale=1.15,
        square=True,
        refine_steps=3,
        pixel_range=(-1.0, 1.0),
        codec=Anchors(stride=8, guide=0.5),
    ),
    architecture=Pyramid(widths=(16, 32, 64, 128, 128), blocks=(0, 1, 1, 1, 1), neck=64),
    loss=GuidedLikelihood(share=2.0),
    augment=Augment(flip=0.5, rotate=25, scale=0.15, shift=0.07, brightness=0.2, contrast=0.3),
    corrupt=Corrupt(blur=1.0, noise=0.04, jpeg=0.1, occlude=0.4),
    augment_decay=AugmentDecay(after=0.6, to=0.4),
    optim=Adam(lr=2e-3, weight_decay=0.02),
    schedule=Cosine(),
    ema_decay=0.998,
    keep="last",
    batch_size=32,
    epochs=150,
)
