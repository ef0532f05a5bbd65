"""iBUG's 68 points on any photograph, how sure each is; a face that was badly cut is looked at again.

Source: our own (docs/own_models.md): Anchors after A2J (Xiong et al., ICCV 2019), feature pyramid (Lin et al., CVPR 2017),
Laplace likelihood with learnt scale (Kendall and Gal, NeurIPS 2017), weights learnt as a heatmap (Nibali et al., 2018).
Command: nasion train face68 --data DIR
Time: 160 epochs of 17 s on one core, 53 minutes beside other jobs.
Reached: NME 3.47 % on 421 held-out faces, 3.40 % averaged with the mirrored view, as it does by itself; of
HELEN and LFPW alone 3.26 %.
Differences: none, as there is no source to differ from. What is shipped has learnt the held-out faces too
(python benchmarks/face68.py).
"""

from nasion.augment import Augment
from nasion.codecs import Anchors
from nasion.disturb import Disturb
from nasion.losses import GuidedLikelihood
from nasion.models.pyramid import Pyramid
from nasion.optim import Adam, Cosine
from nasion.recipe import Fade, Recipe
from nasion.schemes import ibug68

RECIPE = Recipe(
    data="ibug68",
    scheme=ibug68,
    input_size=(128, 128),
    box_scale=1.15,
    square=True,
    passes=2,
    views="flip",
    pixel_range=(-1.0, 1.0),
    model=Pyramid(widths=(32, 48, 96, 192, 256), blocks=(0, 1, 2, 2, 1), neck=96),
    codec=Anchors(stride=8, guide=0.5),
    loss=GuidedLikelihood(share=2.0),
    augment=Augment(flip=0.5, rotate=30, scale=0.2, shift=0.08, stretch=0.1, brightness=0.25, contrast=0.4),
    disturb=Disturb(blur=1.2, noise=0.05, jpeg=0.15, occlude=0.5),
    fade=Fade(after=0.6, to=0.4),
    optim=Adam(lr=2e-3, weight_decay=0.05),
    schedule=Cosine(),
    average=0.998,
    keep="last",
    batch_size=32,
    epochs=160,
)
