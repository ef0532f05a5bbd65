"""iBUG's 68 points by a network of 0.7 million weights, how sure each is.

Source: our own (docs/own_models.md): Anchors after A2J (Xiong et al., ICCV 2019), feature pyramid (Lin et al., CVPR 2017),
Laplace likelihood with learnt scale (Kendall and Gal, NeurIPS 2017), weights learnt as a heatmap (Nibali et al., 2018).
Command: nasion train face68_light --data DIR
Time: 150 epochs of 7.5 s on one core, 22 minutes beside other jobs.
Reached: NME 3.59 % on 421 held-out faces, of HELEN and LFPW alone 3.45 %; 3.49 % averaged with the mirrored view.
Differences: none, as there is no source to differ from. What is shipped has learnt the held-out faces too
(python benchmarks/face68.py --recipe face68_light).
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
    passes=3,
    pixel_range=(-1.0, 1.0),
    model=Pyramid(widths=(16, 32, 64, 128, 128), blocks=(0, 1, 1, 1, 1), neck=64),
    codec=Anchors(stride=8, guide=0.5),
    loss=GuidedLikelihood(share=2.0),
    augment=Augment(flip=0.5, rotate=25, scale=0.15, shift=0.07, brightness=0.2, contrast=0.3),
    disturb=Disturb(blur=1.0, noise=0.04, jpeg=0.1, occlude=0.4),
    fade=Fade(after=0.6, to=0.4),
    optim=Adam(lr=2e-3, weight_decay=0.02),
    schedule=Cosine(),
    average=0.998,
    keep="last",
    batch_size=32,
    epochs=150,
)
