"""iBUG's 68 points in any photograph, with confidence; badly cropped faces are refined.

Source: our own (docs/explanation/models.md): Anchors after A2J (Xiong et al., ICCV 2019), feature
pyramid (Lin et al., CVPR 2017), Laplace likelihood with learnt scale (Kendall and Gal, NeurIPS
2017), weights trained as a heatmap (Nibali et al., 2018).
Command: nasion train face68 --data DIR
Time: 160 epochs of 17 s on one core; 53 minutes with other jobs running.
Reached: NME 3.47 % on 421 held-out faces, 3.40 % with flip TTA, its default; on HELEN and LFPW
alone 3.26 %.
Differences: none, as there is no published source. The shipped weights learnt from five other sets
too (python benchmarks/face68.py).
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
        tta="flip",
        pixel_range=(-1.0, 1.0),
        codec=Anchors(stride=8, guide=0.5),
    ),
    architecture=Pyramid(widths=(32, 48, 96, 192, 256), blocks=(0, 1, 2, 2, 1), neck=96),
    loss=GuidedLikelihood(share=2.0),
    augment=Augment(
        flip=0.5, rotate=30, scale=0.2, shift=0.08, stretch=0.1, brightness=0.25, contrast=0.4
    ),
    corrupt=Corrupt(blur=1.2, noise=0.05, jpeg=0.15, occlude=0.5),
    augment_decay=AugmentDecay(after=0.6, to=0.4),
    optim=Adam(lr=2e-3, weight_decay=0.05),
    schedule=Cosine(),
    ema_decay=0.998,
    keep="last",
    batch_size=32,
    epochs=160,
)
